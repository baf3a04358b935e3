/* guard.c - characters are counted, and nothing else is looked at. */
#include "brokerd/exchange/guard.h"

#include <assert.h>

#define PROBE_S (GUARD_PROBE_US / 1000000)

bool guard_watches(enum event_type type)
{
	return type == EV_TEXT || type == EV_REASONING || type == EV_REFUSAL;
}

void guard_begin(struct guard *g, int64_t floor)
{
	assert(floor > 0 && floor <= INT64_MAX / PROBE_S);
	*g = (struct guard){.floor = floor};
}

/* Of valid UTF-8. */
static int64_t characters(struct span text)
{
	int64_t n = 0;
	for (size_t i = 0; i < text.n; i++)
		n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
	return n;
}

bool guard_take(struct guard *g, const struct llm_event *e, size_t held)
{
	if (guard_watches(e->type))
		g->chars += characters(e->text);
	else if (e->type == EV_FINISH ||
		 (event_is_content(e->type) && e->type != EV_RAW && e->type != EV_LOGPROBS))
		return true;
	return g->chars >= g->floor * PROBE_S || ++g->events >= GUARD_EVENTS || held >= GUARD_BYTES;
}
