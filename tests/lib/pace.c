/* pace.c - whole seconds and the rest apart, so that no product is too large. */
#include "tests/lib/pace.h"

#define SECOND_NS INT64_C(1000000000)

int64_t pace_next_ns(const struct pace *p)
{
	return p->began_ns + p->taken / p->rate * SECOND_NS +
	       p->taken % p->rate * SECOND_NS / p->rate;
}

bool pace_take(struct pace *p, int64_t now_ns, int64_t *due_ns)
{
	*due_ns = pace_next_ns(p);
	if (*due_ns > now_ns)
		return false;
	p->taken++;
	return true;
}

int64_t pace_backlog(const struct pace *p, int64_t now_ns)
{
	struct pace ahead = *p;
	const int64_t gone_ns = now_ns - p->began_ns;
	int64_t due_ns;
	if (gone_ns < 0)
		return 0;
	/* one too few at most, for a due is rounded down */
	ahead.taken = gone_ns / SECOND_NS * p->rate + gone_ns % SECOND_NS * p->rate / SECOND_NS;
	while (pace_take(&ahead, now_ns, &due_ns))
		;
	return ahead.taken > p->taken ? ahead.taken - p->taken : 0;
}
