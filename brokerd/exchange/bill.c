/* bill.c - one transfer after the other, until each report is whole. */
#include "brokerd/exchange/bill.h"

#include <stdlib.h>

#include "brokerd/auth/redact.h"
#include "brokerd/dialect/dialect.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/route/route.h"
#include "protocol/limits.h"

#define SECOND     INT64_C(1000000)
#define PAGE_US    (30 * SECOND)
#define BILL_US    (100 * SECOND) /* all of it; a caller waits 120 s for a word */
#define PAGES_MAX  400u
#define PAGE_BYTES (8 * MIB)
#define URL_BYTES  (16 * KIB)
#define TRIES_MAX  5u           /* of one page */
#define AGAIN_US   (2 * SECOND) /* doubled each time, where the provider does not say */

struct bill {
	struct organs *organs;
	struct config *config;
	const struct report_api *api;
	struct bill_reply reply;
	struct bill_time time;
	struct target target;
	struct arena arena; /* the label, and where pages begin */
	struct span label;
	size_t report;         /* the one in hand */
	struct span page;      /* of it; absent: the first */
	unsigned pages, tries; /* pages that came; times that the one in hand was asked for */
	int64_t begun_us;
	struct token_wait token;
	struct secret *secret;
	struct transfer *transfer;
	struct loop_timer again;
	struct buf url;
	struct http_request http;
	int status;
	int64_t wait_ms;       /* that the reply asks for; -1: it does not say */
	struct http_head head; /* of a reply that is an error: without headers */
	struct buf body;
};

static void bill_free(struct bill *b)
{
	tokens_leave(&b->token);
	loop_timer_stop(&b->again);
	if (b->transfer)
		transfer_cancel(b->transfer, NULL);
	secret_unref(b->secret);
	buf_done(&b->url);
	buf_done(&b->body);
	arena_done(&b->arena);
	config_unref(b->config);
	free(b);
}

static void bill_done(struct bill *b, enum err err, const struct fault *why)
{
	struct fault said = *why;
	if (err && !said.err)
		fault_set(&said, err, "%s", err_info(err)->sentence);
	if (err)
		fault_text(said.provider, sizeof said.provider, b->target.provider);
	b->reply.on_done(b->reply.context, b->pages, err ? &said : &FAULT_NONE);
	bill_free(b);
}

static int64_t left_us(const struct bill *b)
{
	return b->begun_us + BILL_US - loop_now_us(b->organs->loop);
}

static enum err bill_ask(struct bill *b, struct fault *why);

/* Asks, or it is over. */
static void bill_go_on(struct bill *b)
{
	struct fault why = FAULT_NONE;
	const enum err err = bill_ask(b, &why);
	if (err)
		bill_done(b, err, &why);
}

/* ---- a page that came ---- */

static enum err read_page(struct bill *b, struct fault *why)
{
	const struct report_kind *r = &b->api->reports[b->report];
	struct arena texts;
	struct span next = SPAN_NONE;
	const struct span former = b->page;
	arena_init(&texts, LIMIT_REQUEST_ARENA);
	enum err err = b->api->read(r, buf_view(&b->body), &b->reply.rows, &texts, &next, why);
	if (err == ERR_TOO_BIG && !why->err)
		fault_set(why, err, "its cost report says more than fits: ask for a shorter time");
	b->page = SPAN_NONE;
	b->pages++;
	b->tries = 0;
	if (!err && next.n > 0 && span_eq(next, former))
		err = fault_set(why, ERR_SERVER_ERROR,
			"its cost report goes on where it is already, and is left");
	if (!err && next.n > 0 && b->pages >= PAGES_MAX)
		err = fault_set(why, ERR_TOO_BIG,
			"its cost report goes on after %u pages: ask for a shorter time", b->pages);
	if (!err)
		err = arena_dup(&b->arena, next.n > 0 ? next : SPAN_NONE, &b->page);
	arena_done(&texts);
	if (!err && next.n == 0)
		b->report++;
	return err;
}

/* ---- a reply that is an error ---- */

static enum err explain(struct bill *b, struct fault *why)
{
	const struct dialect *d = dialect_find(b->target.family);
	const struct http_reply reply = {b->head, buf_view(&b->body)};
	if (d)
		d->explain(&reply, &b->target, why);
	if (!why->err)
		fault_set(why, ERR_SERVER_ERROR, "it answers with status %d", b->status);
	redact_fault(b->secret, why);
	const struct fault said = *why;
	if (b->status == 401 || b->status == 403)
		fault_set(why, b->status == 401 ? ERR_AUTH : ERR_PERMISSION,
			"%.*s does not show its costs to the key %.*s/%.*s: it takes %s; `llmb key "
			"add %.*s/%.*s` puts one in (it says: %.300s)",
			SPAN_ARG(b->target.provider), SPAN_ARG(b->target.provider),
			SPAN_ARG(b->label), b->api->key_advice, SPAN_ARG(b->target.provider),
			SPAN_ARG(b->label), said.message);
	else if (b->status == 404)
		fault_set(why, ERR_UNSUPPORTED, "%.*s has no cost report at %.*s (it says: %.300s)",
			SPAN_ARG(b->target.provider), SPAN_ARG(buf_view(&b->url)), said.message);
	why->http_status = b->status;
	return why->err;
}

static void on_again(struct loop_timer *t)
{
	bill_go_on(container_of(t, struct bill, again));
}

/* Is it worth another try, and is there time for it? Then it is under way. */
static bool tries_again(struct bill *b, bool may_pass)
{
	int64_t wait_us = b->wait_ms >= 0 ? b->wait_ms * 1000 : AGAIN_US << (b->tries - 1);
	if (wait_us < SECOND / 10)
		wait_us = SECOND / 10;
	if (!may_pass || b->tries >= TRIES_MAX || wait_us >= left_us(b))
		return false;
	LOOP_CALLS(&b->again, on_fire, on_again);
	loop_timer_set(b->organs->loop, &b->again, wait_us);
	return true;
}

/* ---- the transfer ---- */

static void on_head(void *context, const struct http_head *head)
{
	struct bill *b = context;
	b->status = head->status;
	b->wait_ms = http_retry_after_ms(head);
}

static void on_body(void *context, struct span bytes)
{
	struct bill *b = context;
	buf_span(&b->body, bytes); /* too much is found at the end */
}

static void on_end(void *context, const struct transfer_end *end)
{
	struct bill *b = context;
	struct fault why = end->why;
	enum err err = end->err;
	b->transfer = NULL;
	b->head = (struct http_head){.status = b->status};
	if (err && b->status < 400) { /* it breaks, or is silent */
		redact_fault(b->secret, &why);
		if (tries_again(b, true))
			return;
		bill_done(b, err == ERR_OUTCOME_UNKNOWN ? ERR_TIMEOUT : err, &why);
		return;
	}
	why = FAULT_NONE;
	if (b->status >= 400 && tries_again(b, b->status == 429 || b->status >= 500))
		return;
	if (b->status < 200 || b->status >= 300)
		err = explain(b, &why);
	else if (buf_error(&b->body))
		err = fault_set(&why, ERR_TOO_BIG, "a page of its cost report is too long");
	else
		err = read_page(b, &why);
	if (err || b->report == b->api->n_reports)
		bill_done(b, err, &why);
	else
		bill_go_on(b);
}

static enum err bill_send(struct bill *b, struct fault *why)
{
	OWNED(buf_done) struct buf path = BUF_INIT(URL_BYTES);
	int64_t page_us = left_us(b) < PAGE_US ? left_us(b) : PAGE_US;
	if (page_us < SECOND)
		page_us = SECOND;
	buf_clear(&b->url);
	buf_clear(&b->body);
	b->status = 0;
	b->wait_ms = -1;
	b->tries++;
	report_url(b->api, &b->api->reports[b->report], b->time.since_s, b->time.until_s, b->page,
		&path);
	http_join_url(b->target.base_url, buf_view(&path), &b->url);
	if (buf_error(&path) || buf_error(&b->url))
		return fault_set(why, ERR_SERVER_ERROR,
			"its cost report goes on at an address that is too long");
	b->http = (struct http_request){.method = SPAN("GET"), .url = buf_view(&b->url)};
	bool is_fine = b->api->header.name.n == 0 ||
		       http_request_header(&b->http, b->api->header.name, b->api->header.value);
	for (size_t i = 0; is_fine && i < b->target.n_headers; i++)
		is_fine = span_eq(b->target.headers[i].name, b->api->header.name) ||
			  http_request_header(
				  &b->http, b->target.headers[i].name, b->target.headers[i].value);
	if (!is_fine)
		return fault_set(why, ERR_MISCONFIGURED, "a header of its section cannot be sent");
	const struct transfer_limits limits = {.connect_us = b->config->connect_us,
		.first_byte_us = page_us,
		.idle_us = page_us,
		.total_us = page_us};
	const struct transfer_events events = {on_head, on_body, on_end, b};
	return transport_start(b->organs->transport, &b->http, &b->target, b->secret, &limits,
		&events, &b->transfer, why);
}

static void on_token(struct token_wait *w, struct secret *token, const struct fault *why)
{
	struct bill *b = container_of(w, struct bill, token);
	struct fault own = *why;
	enum err err = own.err;
	b->secret = token ? secret_ref(token) : NULL;
	if (token)
		err = bill_send(b, &own);
	if (err)
		bill_done(b, err, &own);
}

/* The key is asked for anew each time: it may be taken away meanwhile. */
static enum err bill_ask(struct bill *b, struct fault *why)
{
	if (left_us(b) <= 0)
		return fault_set(why, ERR_TIMEOUT,
			"its cost report was not whole after %d s: ask for a shorter time",
			(int)(BILL_US / SECOND));
	secret_unref(b->secret);
	b->secret = NULL;
	const enum err err = tokens_prove(
		b->organs->tokens, b->config, &b->target, b->label, &b->token, &b->secret, why);
	if (err == ERR_MORE)
		return OK;
	if (err == ERR_NO_KEY)
		return fault_set(why, ERR_NO_KEY,
			"the vault has no key %.*s/%.*s, which would show what was spent: it is "
			"%s; "
			"`llmb key add %.*s/%.*s` puts one in",
			SPAN_ARG(b->target.provider), SPAN_ARG(b->label), b->api->key_advice,
			SPAN_ARG(b->target.provider), SPAN_ARG(b->label));
	return err ? err : bill_send(b, why);
}

static enum err find_api(struct bill *b, struct span provider, struct fault *why)
{
	const enum err err = route_target(b->config, provider, SPAN("models"), &b->target, why);
	if (err)
		return err;
	b->api = report_api_find(b->target.quirks.reports);
	if (b->api && b->target.auth != AUTH_NONE)
		return OK;
	return fault_set(why, ERR_UNSUPPORTED,
		"%.*s has no cost reports that are read here: give its export by --csv FILE, or "
		"say "
		"whose it speaks by `reports = openai` in its section",
		SPAN_ARG(b->target.provider));
}

enum err bill_fetch(struct organs *o, struct span provider, struct span label,
	const struct bill_time *time, const struct bill_reply *reply, struct bill **out,
	struct fault *why)
{
	struct bill *b = calloc(1, sizeof *b);
	*out = NULL;
	if (!b)
		return ERR_NO_MEMORY;
	b->organs = o;
	b->config = config_ref(o->config);
	b->reply = *reply;
	b->time = *time;
	b->token.on_token = on_token;
	b->begun_us = loop_now_us(o->loop);
	arena_init(&b->arena, MIB);
	buf_init(&b->url, URL_BYTES);
	buf_init(&b->body, PAGE_BYTES);
	enum err err = find_api(b, provider, why);
	if (!err)
		err = arena_dup(&b->arena, label, &b->label);
	if (!err)
		err = bill_ask(b, why);
	if (err) {
		bill_free(b);
		return err;
	}
	*out = b;
	return OK;
}

void bill_cancel(struct bill *b)
{
	if (b)
		bill_free(b);
}
