/* leg.c - it begins with nothing known. */
#include "brokerd/exchange/leg.h"

#include <assert.h>

#include "protocol/limits.h"

void leg_init(struct leg *l)
{
	l->usage = l->billed = USAGE_UNKNOWN;
	l->attempt_nusd = l->reserved_nusd = -1;
	l->expected_input = l->expected_output = -1;
	buf_init(&l->raw, LIMIT_BODY_BYTES);
	recall_init(&l->recall);
}

void leg_done(struct leg *l)
{
	assert(!l->hold.limiter); /* whatever became of it: nothing stays set aside */
	attempt_free(l->attempt);
	buf_done(&l->raw);
	recall_done(&l->recall);
}

void leg_rewind(struct leg *l, const struct llm_usage *settled, const struct llm_usage *billed)
{
	l->has_start = l->has_usage = l->is_forwarded = l->has_head = false;
	buf_clear(&l->raw);
	l->usage = *settled;
	l->billed = *billed;
	l->attempt_nusd = -1;
	l->finish = 0;
	l->n_finished = 0;
}
