/* stale.c - what was found when it was looked up, with the other date. */
#include "brokerd/exchange/stale.h"

#include <inttypes.h>
#include <stdio.h>

#include "brokerd/cache/copy.h"
#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/lookup.h"
#include "brokerd/exchange/memo_read.h"
#include "brokerd/exchange/trail.h"
#include "protocol/base/num.h"

int64_t stale_seconds(const struct exchange *x)
{
	const int64_t asked_s = x->memo.terms.stale_s;
	return asked_s >= 0 ? asked_s : x->flight->config->cache_stale_us / 1000000;
}

/* Counted from when it would not have been asked for; the cache has what is kept no longer than was said then. */
bool stale_is_good(const struct exchange *x, const struct cache_entry *e, int64_t now_s)
{
	const int64_t max_s = x->memo.terms.max_age_s;
	const int64_t old_s = max_s >= 0 ? num_add_sat(e->at_s, max_s) : INT64_MAX;
	const int64_t over_s = e->fresh_s < old_s ? e->fresh_s : old_s;
	return now_s < num_add_sat(over_s, stale_seconds(x));
}

/* Nothing that another request would have to do otherwise. */
static bool is_providers(enum err err)
{
	return err == ERR_CONNECTION || err == ERR_TIMEOUT || err == ERR_SERVER_ERROR ||
	       err == ERR_OVERLOADED || err == ERR_RATE_LIMITED || err == ERR_STREAM_INCOMPLETE ||
	       err == ERR_OUTCOME_UNKNOWN;
}

/* Who has asked no provider counts as one who is answered from the cache does; and where it is a limit of the caller's own
 * that stands in the way, it does here as well. */
static bool is_counted(struct exchange *x)
{
	struct limit_answer answer;
	if (x->flight->attempts > 0 || x->memo.is_claimed)
		return true;
	claim_recall(x, &answer);
	return answer.verdict == LIMIT_HELD;
}

static enum err warn(struct exchange *x, int64_t age_s, const struct fault *why)
{
	char told[512];
	(void)snprintf(told, sizeof told,
		"no provider gave an answer (%s: %.320s): this is one of %" PRId64
		" s ago, which is no longer fresh",
		err_info(why->err)->word, why->message, age_s);
	struct llm_event e = {.type = EV_WARNING};
	char clean[sizeof told];
	fault_text(clean, sizeof clean, span_str(told)); /* no character is cut */
	e.warning.code = SPAN("stale");
	e.warning.message = span_str(clean);
	return flight_warn(x->flight, &e);
}

/* All of it at once. False: it does not come to that, and all is as it was but for what was told. */
static bool tell(struct exchange *x, struct tape *t, const struct cached *found, struct fault *why)
{
	const enum outcome outcome = x->outcome;
	*why = *mishap_fault(&x->verdict);
	x->memo.cached = *found;
	x->outcome = OUTCOME_OK;
	mishap_drop(&x->verdict);
	trail_stale(x, found->age_s, why);
	memo_replay(x, t);
	if (warn(x, found->age_s, why) == OK && memo_tell_rest(x) == OK && memo_have(x, t) == OK)
		return true;
	tape_leave(&x->memo.reader);
	x->memo.cached = CACHED_NOT;
	x->outcome = outcome;
	mishap_keep(&x->verdict, why);
	return false;
}

bool stale_answers(struct exchange *x, struct fault *why)
{
	struct flight *f = x->flight;
	const struct memo *m = &x->memo;
	const int64_t now_s = exchange_now_s(x);
	if (!mishap_err(&x->verdict) || !m->stale || !x->organs->cache ||
		m->stale_generation != cache_generation(x->organs->cache) || x->is_parted ||
		x->left.is_left || !is_providers(mishap_err(&x->verdict)))
		return false;
	const struct cache_entry e = cache_copy_entry(m->stale);
	if (!stale_is_good(x, &e, now_s))
		return false;
	flight_withdraw(f);
	if (f->has_content)
		return false;
	struct tape *t = tape_unpack(e.body, m->stale);
	if (!t || !lookup_place(x, t) || !is_counted(x)) {
		tape_unref(t);
		return false;
	}
	const struct cached found = {.source = CACHE_STALE,
		.age_s = e.at_s < now_s ? now_s - e.at_s : 0,
		.saved_nusd = t->usage.cost_nusd};
	const bool is_told = tell(x, t, &found, why);
	tape_unref(t);
	return is_told;
}
