/* answer.c - headers are copied, for the event that they come with goes. */
#include "libllmclient/bridge/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "libllmclient/bridge/head.h"
#include "libllmclient/bridge/metrics.h"
#include "libllmclient/bridge/refusal.h"

#define KIB         ((size_t)1024)
#define BLOCK_BYTES (16 * KIB)
#define WHOLE_MAX   (64 * KIB * KIB)
#define NANO        1e9

void answer_init(struct answer *a, const struct place *place)
{
	*a = (struct answer){.place = place};
	buf_init(&a->whole, WHOLE_MAX);
}

static void drop_headers(struct answer *a)
{
	for (size_t i = 0; i < a->n_headers; i++) {
		free(a->headers[i].name);
		free(a->headers[i].value);
	}
	a->n_headers = 0;
}

void answer_done(struct answer *a)
{
	drop_headers(a);
	buf_done(&a->whole);
}

void answer_let_read(struct answer *a, struct span origin)
{
	if (span_is_set(origin) && origin.n < sizeof a->origin)
		memcpy(a->origin, origin.p, origin.n);
}

static void add_header(struct answer *a, const char *name, const char *value)
{
	if (a->n_headers == ANSWER_HEADERS_MAX)
		return;
	struct answer_header *h = &a->headers[a->n_headers];
	h->name = strdup(name);
	h->value = strdup(value);
	if (h->name && h->value) {
		a->n_headers++;
		return;
	}
	free(h->name);
	free(h->value);
}

/* ---- ours ---- */

void answer_refuse(struct answer *a, enum err err, int status, const char *message)
{
	drop_headers(a);
	buf_clear(&a->whole);
	a->is_stream = false;
	a->status = refusal_write(a->place->envelope, err, status, span_str(message), &a->whole);
	add_header(a, "content-type", "application/json");
	add_header(a, "x-llm-broker-class", err_info(err)->word);
	add_header(a, "x-should-retry", err_info(err)->is_retryable ? "true" : "false");
}

void answer_refuse_as_told(struct answer *a, const llm_error *e)
{
	const enum err err = err_from_word(span_str(llm_error_class(e)));
	const int64_t wait_ms = llm_error_retry_after_ms(e);
	char text[32];
	answer_refuse(a, err, 0, llm_error_message(e));
	if (wait_ms < 0)
		return;
	(void)snprintf(text, sizeof text, "%" PRId64, (wait_ms + 999) / 1000);
	add_header(a, "retry-after", text);
}

void answer_health(struct answer *a, struct MHD_Connection *http, const char *method)
{
	static const char text[] = "{\"status\":\"ok\",\"server\":\"llm-broker-bridge\"}\n";
	if (strcmp(method, "OPTIONS") == 0) {
		const char *wanted = head_text(http, "access-control-request-headers");
		a->status = MHD_HTTP_NO_CONTENT;
		add_header(a, "access-control-allow-methods", "GET, POST, DELETE");
		add_header(a, "access-control-allow-headers", wanted ? wanted : "*");
		add_header(a, "access-control-max-age", "600");
		return;
	}
	a->status = MHD_HTTP_OK;
	buf_text(&a->whole, text);
	add_header(a, "content-type", "application/json");
}

/* ---- the broker's ---- */

void answer_metrics(struct answer *a)
{
	OWNED(buf_done) struct buf text = BUF_INIT(WHOLE_MAX);
	const enum err err = metrics_write(buf_view(&a->whole), &text);
	if (err) {
		answer_refuse(a, err, 0, "");
		return;
	}
	buf_done(&a->whole);
	buf_init(&a->whole, WHOLE_MAX);
	buf_move(&a->whole, &text);
	a->status = MHD_HTTP_OK;
	add_header(a, "content-type", METRICS_TYPE);
	add_header(a, "cache-control", "no-store");
}

void answer_head(struct answer *a, const llm_event *head)
{
	const char *type = llm_event_header(head, "content-type");
	a->status = llm_event_status(head);
	for (size_t i = 0; i < llm_event_headers(head); i++) {
		const char *value, *name = llm_event_header_at(head, i, &value);
		add_header(a, name, value);
	}
	const bool is_events = type && strncasecmp(type, "text/event-stream", 17) == 0;
	/* Gemini's other streams are an array, whose members are told one by one; what is no JSON has no end to wait for */
	a->is_stream = is_events || !type || strncasecmp(type, "application/json", 16) != 0 ||
		       span_ends(a->place->path, SPAN(":streamGenerateContent"));
	if (!is_events)
		return;
	add_header(a, "cache-control", "no-cache");
	add_header(a, "x-accel-buffering", "no"); /* whoever stands between us and the reader */
}

void answer_cost(struct answer *a, const llm_usage *usage)
{
	const int64_t nusd = llm_usage_cost_nanousd(usage);
	char text[40];
	if (nusd < 0)
		return;
	(void)snprintf(text, sizeof text, "%.9f", (double)nusd / NANO);
	add_header(a, "x-llm-broker-cost-usd", text);
}

/* ---- telling ---- */

static void add_all(const struct answer *a, struct MHD_Response *out)
{
	for (size_t i = 0; i < a->n_headers; i++)
		(void)MHD_add_response_header(out, a->headers[i].name, a->headers[i].value);
	if (a->origin[0]) {
		(void)MHD_add_response_header(out, "access-control-allow-origin", a->origin);
		(void)MHD_add_response_header(out, "access-control-expose-headers", "*");
		(void)MHD_add_response_header(out, "vary", "origin");
	}
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(out, "allow", a->place->methods);
}

enum MHD_Result answer_tell(const struct answer *a, struct MHD_Connection *http,
	MHD_ContentReaderCallback read, void *context)
{
	struct MHD_Response *out = a->is_stream
					   ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
						     BLOCK_BYTES, read, context, NULL)
					   : MHD_create_response_from_buffer(a->whole.n, a->whole.p,
						     MHD_RESPMEM_PERSISTENT);
	if (!out)
		return MHD_NO;
	add_all(a, out);
	const enum MHD_Result queued = MHD_queue_response(http, (unsigned)a->status, out);
	MHD_destroy_response(out);
	return queued;
}
