/* effort.c - the ladder of words, and what each is in tokens. */
#include "brokerd/dialect/effort.h"

#include "brokerd/value/words.h"
#include "protocol/base/owned.h"

static const struct {
	const char *word;
	int64_t budget; /* what stands for it; 0: the most */
	int64_t to;     /* budgets up to this one are it; 0: all */
} ladder[] = {
	{"minimal", 1024,  1499 },
	{"low",     2048,  4096 },
	{"medium",  8192,  12000},
	{"high",    16384, 24000},
	{"xhigh",   32768, 0    },
	{"max",     0,     0    },
};

static bool is_taken(struct span taken, size_t i)
{
	return !span_is_set(taken) || words_have(taken, span_str(ladder[i].word));
}

struct span effort_nearest(struct span taken, struct span wanted)
{
	size_t at = 0;
	while (at < COUNT_OF(ladder) - 1 && !span_is(wanted, ladder[at].word))
		at++;
	for (size_t i = at + 1; i-- > 0;) {
		if (is_taken(taken, i))
			return span_str(ladder[i].word);
	}
	for (size_t i = at; i < COUNT_OF(ladder); i++) {
		if (is_taken(taken, i))
			return span_str(ladder[i].word);
	}
	return SPAN_NONE;
}

struct span effort_of_budget(int64_t tokens)
{
	for (size_t i = 0; i < COUNT_OF(ladder); i++) {
		if (ladder[i].to == 0 || tokens <= ladder[i].to)
			return span_str(ladder[i].word);
	}
	return SPAN_NONE;
}

int64_t effort_budget(struct span effort, int64_t most)
{
	for (size_t i = 0; i < COUNT_OF(ladder); i++) {
		if (ladder[i].budget > 0 && span_is(effort, ladder[i].word))
			return ladder[i].budget < most ? ladder[i].budget : most;
	}
	return most;
}
