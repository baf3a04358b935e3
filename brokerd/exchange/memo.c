/* memo.c - what is kept of an answer that is over. */
#include "brokerd/exchange/memo.h"

#include "brokerd/cache/copy.h"
#include "brokerd/exchange/memo_key.h"
#include "brokerd/exchange/memo_lead.h"
#include "brokerd/exchange/memo_read.h"
#include "brokerd/exchange/stale.h"
#include "brokerd/exchange/steps.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

void memo_init(struct exchange *x, const struct cache_terms *terms)
{
	struct memo *m = &x->memo;
	m->terms = *terms;
	m->cached = CACHED_NOT;
	m->lead.exchange = x;
}

void memo_done(struct exchange *x)
{
	struct memo *m = &x->memo;
	cache_leave(&m->kept);
	cache_copy_drop(m->stale);
	memo_stop_leading(x);
	if (x->flight->tape) {
		x->flight->tape->on_read = x->flight->tape->on_left = NULL;
		x->flight->tape->context = NULL;
	}
	loop_task_stop(&m->wake);
	tape_leave(&m->reader);
}

static void keep(struct exchange *x)
{
	struct memo *m = &x->memo;
	struct flight *f = x->flight;
	const struct tape *t = f->tape;
	struct cache_key key;
	OWNED(buf_done) struct buf body = BUF_INIT(2 * LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf about = BUF_INIT(CACHE_ABOUT_BYTES);
	const int64_t now_s = exchange_now_s(x);
	const int64_t ttl_s =
		m->terms.ttl_s >= 0 ? m->terms.ttl_s : f->config->cache_ttl_us / 1000000;
	const int64_t kept_s = num_add_sat(ttl_s, stale_seconds(x));
	if (!m->writes || m->is_capped || !x->organs->cache || t->is_broken || !t->has_content ||
		f->is_resumed || kept_s == 0)
		return;
	tape_pack(t, &body);
	buf_print(&about, "%.*s\n%.*s/%.*s\n%s", SPAN_ARG(m->scope), SPAN_ARG(t->provider),
		SPAN_ARG(t->model), llm_op_name(f->op));
	if (buf_error(&body) || buf_error(&about))
		return;
	memo_key_of(x, f->leg->has_core ? &f->leg->core : &m->core, exchange_target(x), &key);
	const struct cache_entry e = {.scope = memo_scope_number(x),
		.at_s = now_s,
		.fresh_s = num_add_sat(now_s, ttl_s),
		.kept_s = num_add_sat(now_s, kept_s),
		.about = buf_view(&about),
		.body = buf_view(&body)};
	m->is_kept = cache_put(x->organs->cache, &key, &e, now_s);
	compare_keep(x, exchange_target(x), &key, &e, now_s);
}

/* Is it for a reason of its own that it failed, and not of a provider's: nobody was asked, or it is gone, or has no time left? */
static bool is_own(const struct exchange *x, const struct fault *why)
{
	return x->flight->attempts == 0 || why->err == ERR_CANCELLED ||
	       why->err == ERR_SLOW_CONSUMER || why->err == ERR_BUDGET || why->err == ERR_DENIED ||
	       (why->err == ERR_TIMEOUT && exchange_left_us(x) <= 0);
}

/* What is left of its own answer goes to its own caller: it is all there. */
static void tell_rest(struct exchange *x)
{
	struct flight *f = x->flight;
	const struct leg *l = f->leg;
	enum err err = memo_tell_rest(x);
	const struct llm_event usage = {.type = EV_USAGE, .usage = l->usage};
	if (!err && l->has_usage && !l->is_forwarded)
		err = flight_recount(f, &usage);
	if (err && !mishap_err(&x->verdict))
		(void)exchange_fail_with(x, err, &FAULT_NONE);
}

void memo_end(struct exchange *x, const struct fault *why)
{
	struct flight *f = x->flight;
	struct tape *t = f->tape;
	cache_leave(&x->memo.kept);
	if (!t || t->is_over) {
		tape_leave(&x->memo.reader); /* another's */
		return;
	}
	memo_stop_leading(x);
	t->finish = f->leg->finish;
	t->warnings = f->warnings;
	t->usage = f->leg->usage;
	t->is_leaders_own = is_own(x, why);
	const struct fault said = *why;
	if (!why->err)
		keep(x);
	if (x->memo.reader.tape == t)
		tell_rest(x);
	tape_leave(&x->memo.reader);
	t->on_read = t->on_left = NULL;
	tape_end(t, &said);
}
