/* fetch.c - one attempt after the other, until the list is whole. */
#include "brokerd/exchange/fetch.h"

#include <stdlib.h>

#include "brokerd/exchange/attempt.h"
#include "brokerd/exchange/pages.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/route/route.h"
#include "protocol/limits.h"

#define PAGE_US   INT64_C(15000000)
#define LIST_US   INT64_C(60000000) /* no page is begun after that */
#define IDS_BYTES (16 * MIB)        /* of their spans */

struct fetch {
	struct organs *organs;
	struct config *config;
	struct fetch_reply reply;
	struct arena arena; /* names, and where pages begin */
	struct target target;
	struct span label;
	struct llm_request request; /* it says nothing: the operation is all */
	struct token_wait token;
	struct secret *secret;
	struct attempt *attempt;
	struct pages pages;
	struct buf ids; /* struct span, one behind the other */
	int64_t begun_us, took_us;
};

static void fetch_free(struct fetch *f)
{
	tokens_leave(&f->token);
	attempt_free(f->attempt);
	secret_unref(f->secret);
	buf_done(&f->ids);
	arena_done(&f->arena);
	config_unref(f->config);
	free(f);
}

static void fetch_done(struct fetch *f, const struct fault *why)
{
	const struct fetched what = {
		.ids = (const struct span *)(const void *)f->ids.p,
		.n = f->ids.n / sizeof(struct span),
		.is_cut = f->pages.is_cut,
		.took_us = f->took_us,
	};
	f->reply.on_done(f->reply.context, &what, why);
	fetch_free(f);
}

static enum err on_event(void *context, const struct llm_event *e)
{
	struct fetch *f = context;
	struct span id;
	bool is_new = false;
	if (e->type != EV_MODEL)
		return OK;
	enum err err = pages_entry(&f->pages, e->model.id, &f->arena, &is_new);
	if (!err && is_new)
		err = arena_dup(&f->arena, e->model.id, &id);
	if (err || !is_new)
		return err;
	buf_put(&f->ids, &id, sizeof id);
	return buf_error(&f->ids);
}

static enum err fetch_begin(struct fetch *f, struct fault *why);

/* What was asked for last is here, or is not to be had. OK, with `has_more`: something else is asked. */
static enum err fetch_next(struct fetch *f, const struct fault *said, bool *has_more)
{
	*has_more = true;
	if (said->err && !f->token.is_again &&
		tokens_renewal(
			f->organs->tokens, f->config, &f->target, f->label, f->secret, said)) {
		tokens_refused(f->organs->tokens, f->secret);
		f->token.is_again = true;
		return OK;
	}
	if (said->err)
		return said->err;
	const enum err err = pages_turn(&f->pages, attempt_more(f->attempt), &f->arena);
	if (f->pages.has_more && loop_now_us(f->organs->loop) - f->begun_us >= LIST_US) {
		f->pages.has_more = false;
		f->pages.is_cut = true;
	}
	*has_more = f->pages.has_more;
	return err;
}

static void on_end(void *context, const struct attempt_record *record, const struct fault *why)
{
	struct fetch *f = context;
	struct fault said = *why;
	bool has_more;
	f->took_us += record->total_us > 0 ? record->total_us : 0;
	enum err err = fetch_next(f, &said, &has_more);
	attempt_free(f->attempt);
	f->attempt = NULL;
	if (!err && has_more)
		err = fetch_begin(f, &said);
	if (!err && has_more)
		return;
	if (err && !said.err)
		fault_set(&said, err, "%s", err_info(err)->sentence);
	fetch_done(f, err ? &said : &FAULT_NONE);
}

static enum err fetch_send(struct fetch *f, struct fault *why)
{
	const struct attempt_plan plan = {
		.op = LLM_OP_MODELS,
		.request = &f->request,
		.target = &f->target,
		.secret = f->secret,
		.limits = {.connect_us = f->config->connect_us,
			   .first_byte_us = PAGE_US,
			   .idle_us = PAGE_US,
			   .total_us = PAGE_US},
		.page = f->pages.at,
	};
	const struct attempt_events events = {on_event, NULL, on_end, f};
	return attempt_new(f->organs, &plan, &events, &f->attempt, why);
}

static void on_token(struct token_wait *w, struct secret *token, const struct fault *why)
{
	struct fetch *f = container_of(w, struct fetch, token);
	struct fault own = *why;
	enum err err = own.err;
	f->secret = token ? secret_ref(token) : NULL;
	if (token)
		err = fetch_send(f, &own);
	if (!err)
		return;
	if (!own.err)
		fault_set(&own, err, "%s", err_info(err)->sentence);
	fetch_done(f, &own);
}

static enum err fetch_begin(struct fetch *f, struct fault *why)
{
	*why = FAULT_NONE;
	secret_unref(f->secret);
	f->secret = NULL;
	if (f->target.auth == AUTH_NONE)
		return fetch_send(f, why);
	const enum err err = tokens_prove(
		f->organs->tokens, f->config, &f->target, f->label, &f->token, &f->secret, why);
	if (err == ERR_MORE)
		return OK;
	return err ? err : fetch_send(f, why);
}

enum err fetch_models(struct organs *o, struct span provider, struct span label,
	const struct fetch_reply *reply, struct fetch **out, struct fault *why)
{
	struct fetch *f = calloc(1, sizeof *f);
	struct fault own = FAULT_NONE;
	*out = NULL;
	if (!f)
		return ERR_NO_MEMORY;
	f->organs = o;
	f->config = config_ref(o->config);
	f->reply = *reply;
	f->token.on_token = on_token;
	f->begun_us = loop_now_us(o->loop);
	arena_init(&f->arena, LIMIT_REQUEST_ARENA);
	buf_init(&f->ids, IDS_BYTES);
	enum err err = route_target(f->config, provider, SPAN("models"), &f->target, &own);
	if (!err)
		err = arena_dup(&f->arena, label, &f->label);
	if (!err)
		err = fetch_begin(f, &own);
	if (err) {
		if (why)
			*why = own;
		fetch_free(f);
		return err;
	}
	*out = f;
	return OK;
}

void fetch_cancel(struct fetch *f)
{
	if (f)
		fetch_free(f);
}
