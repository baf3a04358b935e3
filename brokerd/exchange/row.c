/* row.c - what the exchange, its flight and the leg in hand know, gathered. */
#include "brokerd/exchange/row.h"

#include <inttypes.h>
#include <string.h>

#include "brokerd/exchange/account.h"
#include "brokerd/log/log.h"
#include "protocol/base/num.h"

void row_of(const struct exchange *x, struct exchange_record *r)
{
	const struct flight *f = x->flight;
	const struct leg *l = f->leg;
	const struct target *t = f->route.n > 0 ? exchange_target(x) : NULL;
	const int64_t now_us = loop_now_us(x->organs->loop);
	*r = (struct exchange_record){
		.at_us = f->begun_wall_us,
		.total_us = now_us - f->begun_us,
		.ttft_us = f->first_content_us ? f->first_content_us - f->begun_us : -1,
		.uid = (uint32_t)x->peer.uid,
		.pid = (uint32_t)x->peer.pid,
		.outcome = x->outcome,
		.err = mishap_err(&x->verdict),
		.is_stream = f->request.is_stream,
		.attempts = f->attempts,
		.warnings = f->warnings,
		.usage = l->billed,
		.price = !t             ? PRICE_UNKNOWN
			 : l->has_usage ? l->price
					: t->price,
		.queued_us = x->queued_us,
		.estimate_input = l->expected_input,
		.estimate_output = l->expected_output,
		.saved_nusd = -1,
	};
	memcpy(r->id, x->id, sizeof r->id);
	memcpy(r->app, x->account, sizeof r->app);
	memcpy(r->program, x->peer.program, sizeof r->program);
	fault_text(r->op, sizeof r->op, span_str(llm_op_name(f->op)));
	fault_text(r->surface, sizeof r->surface, exchange_surface(x));
	fault_text(r->model, sizeof r->model, f->request.model);
	if (l->finish)
		fault_text(r->finish, sizeof r->finish, span_str(finish_name(l->finish)));
	const bool is_cached = x->memo.cached.source != CACHE_NOT && x->outcome == OUTCOME_OK;
	if (t && (f->attempts > 0 || is_cached) && (f->op != LLM_OP_MODELS || f->route.n == 1)) {
		fault_text(r->provider, sizeof r->provider, t->provider);
		fault_text(r->target_model, sizeof r->target_model, t->model);
	}
	account_of(x, &r->account);
	r->usage.cost_nusd = f->is_cost_open ? -1 : f->spent_nusd;
	if (is_cached) {
		if (r->usage.cost_nusd < 0 && !f->is_cost_open)
			r->usage.cost_nusd = 0; /* what failed before it was free */
		r->saved_nusd = x->memo.cached.saved_nusd;
		fault_text(r->cache, sizeof r->cache,
			span_str(cache_source_name(x->memo.cached.source)));
	}
	if (r->usage.provider_cost_nusd >= 0 && f->former_nusd > 0)
		r->usage.provider_cost_nusd =
			num_add_sat(r->usage.provider_cost_nusd, f->former_nusd);
}

struct reply_end row_closing(const struct exchange *x, const struct exchange_record *r)
{
	struct llm_usage counted = x->flight->leg->usage;
	counted.cost_nusd = r->usage.cost_nusd;
	counted.provider_cost_nusd = r->usage.provider_cost_nusd;
	return (struct reply_end){
		.usage = counted,
		.provider = r->provider[0] ? span_str(r->provider) : SPAN_NONE,
		.model = r->provider[0] ? span_str(r->target_model) : SPAN_NONE,
		.request_id = span_str(r->id),
		.ttft_us = r->ttft_us,
		.total_us = r->total_us,
		.attempts = r->attempts,
		.cached = x->memo.cached,
		.is_kept = x->memo.is_kept,
	};
}

/* Answers that were kept may be many, and cost nobody anything: the ledger has each, the log only where it tells all. */
static void log_end(const struct exchange_record *r)
{
	char provider[sizeof r->provider * 2], model[sizeof r->target_model * 2];
	const bool is_hit = strcmp(r->cache, cache_source_name(CACHE_HIT)) == 0;
	if (is_hit && r->outcome == OUTCOME_OK && !log_is_on(LOG_LEVEL_DEBUG))
		return;
	log_info("exchange.end",
		"id=%s outcome=%s class=%s uid=%u provider=%s model=%s attempts=%u input=%" PRId64
		" output=%" PRId64 " cost_nusd=%" PRId64 " ttft_us=%" PRId64 " took_us=%" PRId64,
		r->id, outcome_name(r->outcome), r->err ? err_info(r->err)->word : "ok", r->uid,
		log_quote(provider, sizeof provider, span_str(r->provider)),
		log_quote(model, sizeof model, span_str(r->target_model)), r->attempts,
		usage_input_total(&r->usage), usage_output_total(&r->usage), r->usage.cost_nusd,
		r->ttft_us, r->total_us);
}

/* `err` and *why: as the journal took it. */
static void write_rest(
	struct organs *o, const struct exchange_record *r, enum err err, const struct fault *why)
{
	if (err)
		log_error("ledger.exchange_lost", "id=%s why=\"%s\"", r->id, why->message);
	recent_add(o->recent, r);
	log_end(r);
	o->n_served++;
}

void row_write(struct organs *o, const struct exchange_record *r)
{
	struct fault why;
	fault_clear(&why);
	const enum err err = o->journal ? journal_settle(o->journal, r, &why) : OK;
	(void)counts_add(o->counts, r);
	write_rest(o, r, err, &why);
}

void row_write_like(struct organs *o, const struct exchange_record *r, struct row_like *like)
{
	struct fault why;
	fault_clear(&why);
	const enum err err =
		o->journal ? journal_settle_like(o->journal, r, &like->form, &why) : OK;
	if (like->series)
		counts_add_like(o->counts, like->series, r);
	else
		like->series = counts_add(o->counts, r);
	write_rest(o, r, err, &why);
}
