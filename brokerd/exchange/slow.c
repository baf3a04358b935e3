/* slow.c - it is asked when the stream begins, and again when it turns out to be slow. */
#include "brokerd/exchange/slow.h"

#include <inttypes.h>

#include "brokerd/exchange/pulse.h"
#include "brokerd/route/retry.h"

int64_t slow_floor(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const bool is_words = f->op == LLM_OP_CHAT || f->op == LLM_OP_COMPLETE;
	if (!f->route.alias || f->route.alias->route.min_rate <= 0 || !is_words ||
		!f->request.is_stream || attempt_is_local(exchange_target(x), f->op))
		return 0;
	if (exchange_sends_once(x) || f->unknown > 0 || !exchange_has_tries(x) ||
		exchange_left_us(x) <= GUARD_PROBE_US || !pulse_has_other(x))
		return 0;
	return f->route.alias->route.min_rate;
}

void slow_over(void *exchange)
{
	const struct exchange *x = exchange;
	struct flight *f = x->flight;
	struct fault why;
	if (x->left.is_left || slow_floor(x) == 0) {
		flight_show(f);
		return;
	}
	fault_set(&why, ERR_TIMEOUT,
		"the answer began with %" PRId64 " characters in %" PRId64
		" s, and min_rate wants %" PRId64 " a second",
		f->guard.chars, GUARD_PROBE_US / 1000000, f->guard.floor);
	fault_text(why.code, sizeof why.code, SPAN("slow"));
	attempt_give_up(f->leg->attempt, &why);
}
