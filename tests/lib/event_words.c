/* event_words.c - one letter, then its value. */
#include "tests/lib/event_words.h"

#include <stdlib.h>

#include "tests/lib/tap.h"

static const struct fault broken = {
	.err = ERR_SERVER_ERROR, .retry_after_ms = -1, .message = "it broke"};

static struct span keep(struct arena *a, struct span text)
{
	char *copy = arena_str(a, text);
	if (!copy)
		bail("no memory for an event");
	for (size_t i = 0; i < text.n; i++)
		copy[i] = (char)(copy[i] == '\'' ? '"' : copy[i]);
	return span_of(copy, text.n);
}

static struct opaque opaque_of(char letter, struct span own, struct span data)
{
	const bool is_own = letter == 'O' || letter == 'P';
	return (struct opaque){is_own ? own : SPAN("kin"), SPAN("m"), data};
}

static void read_call(struct span value, struct arena *a, struct llm_event *e)
{
	struct span rest = value;
	e->type = EV_TOOL_START;
	e->call.name = span_cut(&rest, '~');
	if (span_is_set(rest))
		e->call.opaque = opaque_of('o', SPAN_NONE, rest);
	char *id = arena_alloc(a, e->call.name.n + 4);
	if (!id)
		bail("no memory for an id");
	memcpy(id, "id-", 3);
	memcpy(id + 3, e->call.name.p, e->call.name.n);
	e->call.id = span_of(id, e->call.name.n + 3);
}

static void read_part(char letter, struct span own, struct span value, struct llm_event *e)
{
	e->type = EV_PART;
	e->part.type = letter == 'i' ? PART_IMAGE : PART_TEXT;
	switch (letter) {
	case 'i':
		e->part.media.data = value;
		break;
	case 'c':
		e->part.citations = value;
		break;
	case 'w':
		e->part.text = value;
		break;
	default:
		e->part.type = PART_OPAQUE;
		e->part.opaque = opaque_of(letter, own, value);
	}
}

static void read_usage(struct span value, struct llm_event *e)
{
	struct span rest = value;
	e->type = EV_USAGE;
	e->usage = USAGE_UNKNOWN;
	e->usage.input = atoll(span_cut(&rest, ',').p);
	e->usage.output = span_is_set(rest) ? atoll(rest.p) : -1;
}

static void read_finish(struct span value, struct llm_event *e)
{
	struct span rest = value;
	e->type = EV_FINISH;
	if (!finish_from(span_cut(&rest, ','), &e->finish.finish))
		bail("there is no finish \"%.*s\"", SPAN_ARG(value));
	if (span_is_set(rest))
		e->finish.native = span_cut(&rest, ',');
	e->finish.matched_stop = rest;
}

static bool read_text(char letter, struct span value, struct llm_event *e)
{
	static const struct {
		char letter;
		enum event_type type;
	} rows[] = {
		{'t', EV_TEXT     },
                {'r', EV_REASONING},
                {'f', EV_REFUSAL  },
                {'l', EV_LOGPROBS }
        };
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].letter != letter)
			continue;
		e->type = rows[i].type;
		e->text = value;
		return true;
	}
	return false;
}

static void read_word(
	char letter, struct span own, struct span value, struct arena *a, struct llm_event *e)
{
	if (read_text(letter, value, e))
		return;
	if (letter == '+') {
		read_call(value, a, e);
	} else if (letter == '-') {
		e->type = EV_TOOL_END;
	} else if (letter >= '0' && letter <= '9') {
		e->type = EV_TOOL_ARGS;
		e->tool = (uint32_t)(letter - '0');
		e->text = value;
	} else if (letter == 'o' || letter == 'O') {
		e->type = EV_OPAQUE;
		e->opaque = opaque_of(letter, own, value);
	} else if (strchr("pPciw", letter)) {
		read_part(letter, own, value, e);
	} else if (letter == 'S') {
		e->type = EV_START;
		e->start.id = SPAN("r-1");
		e->start.model = value;
	} else if (letter == 'u') {
		read_usage(value, e);
	} else if (letter == 'F') {
		read_finish(value, e);
	} else if (letter == 'E') {
		e->type = EV_END;
		e->end.usage = USAGE_UNKNOWN;
	} else if (letter == 'X') {
		e->type = EV_FAULT;
		e->fault = &broken;
	} else {
		bail("'%c' is no word's letter", letter);
	}
}

bool event_word(struct span *rest, struct span own, struct arena *a, struct llm_event *out)
{
	if (rest->n == 0)
		return false;
	struct span word = keep(a, span_cut(rest, ' '));
	*out = (struct llm_event){.choice = word.n > 0 && word.p[0] == '&'};
	word = span_skip(word, out->choice);
	if (word.n == 0)
		bail("an empty word");
	const char letter = word.p[0];
	word = span_skip(word, 1);
	if ((letter == '+' || letter == '-') && word.n > 0) {
		out->tool = (uint32_t)(word.p[0] - '0');
		word = span_skip(word, 1);
	}
	out->has_more = word.n > 0 && word.p[0] == '<';
	read_word(letter, own, word.n > 0 ? span_skip(word, 1) : word, a, out);
	return true;
}
