/* attempt.c - an attempt is sent by the transport, or, for the offline provider, answered here. */
#include "brokerd/exchange/attempt.h"

#include <assert.h>
#include <inttypes.h>

#include "brokerd/auth/redact.h"
#include "brokerd/dialect/estimate.h"
#include "brokerd/dialect/limits.h"
#include "brokerd/dialect/offline.h"
#include "brokerd/dialect/passage.h"
#include "brokerd/exchange/native.h"
#include "brokerd/value/ops.h"
#include "protocol/limits.h"

/* How long a provider is left alone that says "too many" and not for how long. */
#define UNSAID_MS 500

#define PASSED_HEADERS 12 /* of a reply, to a caller who gets its bytes */

struct attempt {
	struct organs *organs;
	struct attempt_plan plan;
	struct attempt_events events;
	struct arena arena; /* the request as sent, and the decoder */
	struct notes notes;
	struct http_request http;
	struct dialect_env env;
	const struct dialect *dialect;
	const struct dialect_op *op;
	struct transfer *transfer; /* NULL: not begun, or over */
	struct loop_timer token;   /* for the first content, then for more */
	bool has_content;
	bool is_paused;
	int64_t content_us;       /* when the last of it came, or was waited for again */
	struct loop_task offline; /* the offline provider answers in the next turn */
	struct decoder *decoder;
	struct passage passage; /* of a forwarded reply */
	bool has_passage;
	struct http_head error_head; /* of a reply that is an error: copied */
	struct buf error_body;
	struct attempt_record record;
	struct rates rates; /* that its reply told of, until they are passed on */
	bool is_over;
	const char *broke; /* what ended the decoding before the transfer did; NULL: nothing */
};

struct span attempt_body(const struct attempt *a)
{
	return a->http.body;
}

const struct notes *attempt_notes(const struct attempt *a)
{
	return &a->notes;
}

struct span attempt_more(const struct attempt *a)
{
	return a->decoder && a->op->more ? a->op->more(a->decoder) : SPAN_NONE;
}

static void copy_text(char *to, size_t size, struct span text)
{
	fault_text(to, size, text);
}

/* What a provider says of a failure may quote what it got. */
static void censor(const struct attempt *a, struct fault *why)
{
	redact_fault(a->plan.secret, why);
}

static void on_no_more(struct loop_timer *t);

/* Counts from now on for the content that is to come. */
static void await_more(struct attempt *a)
{
	a->content_us = loop_now_us(a->organs->loop);
	if (a->plan.token_us <= 0 || a->is_paused || !a->transfer || a->token.loop)
		return; /* the timer sees when it fires that there was some */
	LOOP_CALLS(&a->token, on_fire, on_no_more);
	loop_timer_set(a->organs->loop, &a->token, a->plan.token_us);
}

static void note_content(struct attempt *a)
{
	if (!a->has_content)
		loop_timer_stop(&a->token);
	a->has_content = true;
	await_more(a);
}

static enum err attempt_event(void *context, const struct llm_event *e)
{
	struct attempt *a = context;
	if (e->type == EV_USAGE)
		a->record.usage = e->billed ? *e->billed : e->usage;
	if (event_is_content(e->type) || e->type == EV_FINISH)
		note_content(a);
	return a->events.on_event(a->events.context, e);
}

static bool says_something(const struct rates *r)
{
	const struct rate *const all[] = {&r->requests, &r->tokens, &r->input, &r->output};
	if (r->retry_after_ms >= 0)
		return true;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (all[i]->limit >= 0 || all[i]->remaining >= 0)
			return true;
	}
	return false;
}

/* Once for each reply. */
static void tell_rates(struct attempt *a)
{
	if (a->events.on_rates && says_something(&a->rates))
		a->events.on_rates(a->events.context, &a->rates);
	a->rates = RATES_UNKNOWN;
}

/* Ends the attempt: once, and never from inside attempt_new. */
static void attempt_over(struct attempt *a, enum outcome outcome, const struct fault *why)
{
	assert(!a->is_over);
	a->is_over = true;
	a->record.outcome = outcome;
	a->record.err = why->err;
	if (why->http_status)
		a->record.http_status = why->http_status;
	if (why->err == ERR_RATE_LIMITED)
		a->rates.retry_after_ms =
			why->retry_after_ms >= 0 ? why->retry_after_ms : UNSAID_MS;
	tell_rates(a);
	if (!why->err) {
		a->events.on_end(a->events.context, &a->record, why);
		return;
	}
	struct fault said = *why;
	copy_text(said.provider, sizeof said.provider, a->plan.target->provider);
	if (said.request_id[0] == '\0')
		memcpy(said.request_id, a->record.provider_request_id, sizeof said.request_id);
	a->events.on_end(a->events.context, &a->record, &said);
}

static enum err copy_head(struct attempt *a, const struct http_head *head)
{
	a->error_head = (struct http_head){.status = head->status};
	a->error_head.headers = arena_array(&a->arena, head->n_headers, sizeof *head->headers);
	if (!a->error_head.headers)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < head->n_headers; i++) {
		struct http_header *h = &a->error_head.headers[i];
		if (arena_dup(&a->arena, head->headers[i].name, &h->name) ||
			arena_dup(&a->arena, head->headers[i].value, &h->value))
			return ERR_NO_MEMORY;
	}
	a->error_head.n_headers = head->n_headers;
	return OK;
}

static bool is_native(const struct attempt *a)
{
	return a->plan.op == LLM_OP_NATIVE;
}

/* Printable ASCII: what every reader of headers takes. */
static bool is_readable(struct span value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < 0x20 || value.p[i] > 0x7e)
			return false;
	}
	return value.n > 0;
}

/* What a caller sees of the head of a forwarded reply: what kind of bytes they are. */
static enum err pass_head(struct attempt *a, const struct http_head *head)
{
	const struct string_pair always[] = {
		{SPAN("content-type"), http_head_get(head,   "content-type")},
		{SPAN("x-llm-broker-provider-request-id"),                    http_head_request_id(head)},
	};
	struct string_pair headers[PASSED_HEADERS];
	struct llm_event e = {.type = EV_HEAD};
	size_t n = 0;
	for (size_t i = 0; i < COUNT_OF(always); i++) {
		if (is_readable(always[i].value))
			headers[n++] = always[i];
	}
	for (size_t i = 0; is_native(a) && i < head->n_headers && n < PASSED_HEADERS; i++) {
		const struct http_header *h = &head->headers[i];
		if (native_shows_header(h->name) && is_readable(h->value))
			headers[n++] = (struct string_pair){h->name, h->value};
	}
	e.head = (struct reply_head){.status = head->status,
		.headers = headers,
		.n_headers = n,
		.is_stream = a->http.is_stream};
	passage_init(&a->passage, a->plan.forwarded, head);
	a->has_passage = true;
	return a->events.on_event(a->events.context, &e);
}

/* Are the reply's own bytes what their caller can read? Some hosts stream what was to be whole, or the
 * other way round: that is written anew from what it is decoded to. */
static bool is_passed_on(const struct attempt *a, const struct http_head *head)
{
	const bool is_sse =
		span_starts(http_head_get(head, "content-type"), SPAN("text/event-stream"));
	if (!a->plan.forwarded || is_native(a))
		return a->plan.forwarded != NULL;
	return (a->plan.forwarded->form == ANSWER_SSE) == is_sse;
}

static enum err decode_piece(void *context, struct span bytes, struct fault *why)
{
	struct attempt *a = context;
	const struct event_sink sink = {attempt_event, a};
	return a->op->decode(a->decoder, bytes, &sink, why);
}

static enum err pass_piece(void *context, struct span bytes)
{
	struct attempt *a = context;
	struct llm_event e = {.type = EV_RAW};
	e.text = bytes;
	return a->events.on_event(a->events.context, &e);
}

static enum err take_piece(struct attempt *a, struct span bytes, struct fault *why)
{
	const struct passage_sink sink = {decode_piece, pass_piece, a};
	return a->has_passage ? passage_take(&a->passage, bytes, &sink, why)
			      : decode_piece(a, bytes, why);
}

/* The decoder has had everything: was it whole? */
static enum err take_end(struct attempt *a, struct fault *why)
{
	const struct event_sink events = {attempt_event, a};
	const struct passage_sink sink = {decode_piece, pass_piece, a};
	enum err err = a->has_passage ? passage_end(&a->passage, &sink, why) : OK;
	if (!err)
		err = a->op->decode_end(a->decoder, &events, why);
	return err || !a->has_passage ? err : passage_flush(&a->passage, &sink);
}

static void read_rates(struct attempt *a, const struct http_head *head)
{
	const struct target *t = a->plan.target;
	const struct span whose = t->quirks.limits;
	limits_read(head, span_is_set(whose) ? whose : t->provider, &a->rates);
	if (head->status != 429)
		a->rates.retry_after_ms = -1;
	if (is_native(a) || head->status < 400)
		tell_rates(a); /* of another the whole has to be read: it may say more */
}

static void on_head(void *context, const struct http_head *head)
{
	struct attempt *a = context;
	read_rates(a, head);
	a->record.http_status = head->status;
	char *const id = a->record.provider_request_id;
	copy_text(id, sizeof a->record.provider_request_id, http_head_request_id(head));
	if (is_native(a) || (head->status >= 200 && head->status < 300)) {
		a->decoder = a->op->decoder_new(&a->arena, &a->notes, &a->env, head);
		if (a->decoder && (!is_passed_on(a, head) || pass_head(a, head) == OK))
			return;
		a->broke = "out of memory for the reply's decoder";
	}
	redact_text(a->plan.secret, SPAN_NONE, id, strlen(id));
	if (copy_head(a, head) && !a->broke)
		a->broke = "out of memory for the reply's headers";
}

/* The transfer is over: how far it came goes into the row. */
static void note_end(struct attempt *a, const struct transfer_end *end)
{
	a->transfer = NULL;
	loop_timer_stop(&a->token);
	a->record.has_sent_body = end->has_sent_body;
	a->record.sent_bytes = end->sent_bytes;
	a->record.received_bytes = end->received_bytes;
	a->record.connect_us = end->connect_us;
	a->record.first_byte_us = end->first_byte_us;
	a->record.total_us = end->total_us;
}

static void transfer_stop(struct attempt *a)
{
	struct transfer_end end;
	if (!a->transfer)
		return;
	transfer_cancel(a->transfer, &end);
	note_end(a, &end);
}

/* What a good status's reply that failed says of the request: the provider's own error, which has a
 * status, and its refusal of the prompt mean not served; of anything else that went wrong with it nothing
 * can be known. */
static enum outcome outcome_of(const struct fault *why)
{
	const bool is_refused = why->err == ERR_CONTENT_FILTERED && !why->is_partial;
	return why->http_status || is_refused ? OUTCOME_FAILED : OUTCOME_UNKNOWN;
}

/* The input came to an end with a decoder at work: was the answer whole? */
static void end_decoded(struct attempt *a, const struct transfer_end *end)
{
	struct fault why;
	fault_clear(&why);
	enum err err = take_end(a, &why);
	if (!err && is_native(a) && end->err) { /* nobody else would know that it was cut */
		err = end->err;
		why = end->why;
	}
	if (!err) {
		fault_clear(&why);
		attempt_over(a, OUTCOME_OK, &why);
		return;
	}
	if (!why.err)
		fault_set(&why, err, "%s", err_info(err)->sentence);
	const enum outcome outcome = outcome_of(&why);
	if (end->err == ERR_TIMEOUT || end->err == ERR_SERVER_ERROR)
		why = end->why; /* says more than that the answer is not whole */
	censor(a, &why);
	attempt_over(a, outcome, &why);
}

/* Decodes a piece of the reply. False: that ended the attempt, which is gone. */
static bool on_body_taken(struct attempt *a, struct span bytes)
{
	if (a->broke)
		return true;
	if (!a->decoder) {
		const size_t room = LIMIT_ERROR_REPLY_BYTES - a->error_body.n;
		buf_span(&a->error_body, span_first(bytes, room));
		return true;
	}
	struct fault why;
	fault_clear(&why);
	const enum err err = take_piece(a, bytes, &why);
	if (!err && (!a->op->has_enough || !a->op->has_enough(a->decoder)))
		return true;
	if (!err) {
		transfer_stop(a);
		end_decoded(a, &(struct transfer_end){.err = OK});
		return false;
	}
	if (!why.err)
		fault_set(&why, err, "%s", err_info(err)->sentence);
	/* The provider said that it failed, or we cannot follow it: nothing more is wanted of it. */
	transfer_stop(a);
	censor(a, &why);
	attempt_over(a, outcome_of(&why), &why);
	return false;
}

static void on_body(void *context, struct span bytes)
{
	(void)on_body_taken(context, bytes);
}

void attempt_tell_usage(struct attempt *a)
{
	const struct event_sink events = {attempt_event, a};
	struct fault unwanted = FAULT_NONE;
	if (a->decoder && !a->broke && a->op->decode_end(a->decoder, &events, &unwanted))
		return; /* as is to be expected of one that is not whole: its usage is told all the same */
}

void attempt_give_up(struct attempt *a, const struct fault *why)
{
	transfer_stop(a);
	/* what has not left in full cannot have been served */
	attempt_over(a, a->record.has_sent_body ? OUTCOME_UNKNOWN : OUTCOME_FAILED, why);
}

/* A stream that is kept alive with comments, and on which nothing is said. */
static void on_no_token(struct loop_timer *t)
{
	struct attempt *a = container_of(t, struct attempt, token);
	struct fault why;
	fault_set(&why, ERR_TIMEOUT, "no word of the answer came within %" PRId64 " ms",
		a->plan.first_token_us / 1000);
	fault_text(why.code, sizeof why.code, SPAN("first_token"));
	attempt_give_up(a, &why);
}

/* Or nothing more. */
static void on_no_more(struct loop_timer *t)
{
	struct attempt *a = container_of(t, struct attempt, token);
	struct fault why;
	const int64_t due_us = a->content_us + a->plan.token_us,
		      now_us = loop_now_us(a->organs->loop);
	if (a->is_paused)
		return; /* attempt_resume sets it again */
	if (due_us > now_us) {
		loop_timer_set(a->organs->loop, t, due_us - now_us);
		return;
	}
	fault_set(&why, ERR_TIMEOUT, "no further word of the answer came within %" PRId64 " ms",
		a->plan.token_us / 1000);
	fault_text(why.code, sizeof why.code, SPAN("token"));
	transfer_stop(a);
	end_decoded(a, &(struct transfer_end){.err = ERR_TIMEOUT, .why = why});
}

/* A refused key is the broker's trouble, not its caller's: what to do about it comes first. */
static void advise_on_key(const struct attempt *a, struct fault *why)
{
	const struct fault said = *why;
	fault_set(why, ERR_AUTH,
		"%.*s refuses the broker's key: `llmb key add %.*s` puts in a new one (it says: "
		"%.600s)",
		SPAN_ARG(a->plan.target->provider), SPAN_ARG(a->plan.target->provider),
		said.message);
	memcpy(why->code, said.code, sizeof why->code);
	why->http_status = said.http_status;
}

static void end_error_reply(struct attempt *a)
{
	struct fault why = FAULT_NONE;
	const struct http_reply reply = {a->error_head, buf_view(&a->error_body)};
	if (a->error_head.status < 400) {
		fault_set(&why, ERR_INVALID_REQUEST,
			"%.*s answers with a redirect or an unexpected status %d: its base URL is "
			"probably wrong",
			SPAN_ARG(a->plan.target->base_url), a->error_head.status);
		why.http_status = a->error_head.status;
		fault_text(why.code, sizeof why.code, SPAN("endpoint"));
	} else {
		a->dialect->explain(&reply, a->plan.target, &why);
		censor(a, &why);
	}
	if (why.err == ERR_AUTH)
		advise_on_key(a, &why);
	attempt_over(a, OUTCOME_FAILED, &why);
}

static void end_without_reply(struct attempt *a, const struct transfer_end *end)
{
	struct fault why = end->why;
	censor(a, &why);
	attempt_over(a, end->has_sent_body ? OUTCOME_UNKNOWN : OUTCOME_FAILED, &why);
}

static void on_end(void *context, const struct transfer_end *end)
{
	struct attempt *a = context;
	note_end(a, end);
	if (a->broke) {
		struct fault why;
		fault_set(&why, ERR_NO_MEMORY, "%s", a->broke);
		attempt_over(a, OUTCOME_UNKNOWN, &why);
	} else if (a->decoder) {
		end_decoded(a, end);
	} else if (a->error_head.status) {
		end_error_reply(a);
	} else {
		end_without_reply(a, end);
	}
}

/* The offline provider's wire ends here: what was encoded comes back as its reply, in this turn. */
static void offline_run(struct loop_task *t)
{
	struct attempt *a = container_of(t, struct attempt, offline);
	const struct transfer_end end = {
		.has_sent_body = true,
		.sent_bytes = (int64_t)a->http.body.n,
		.received_bytes = (int64_t)a->http.body.n,
		.why = FAULT_NONE,
	};
	const struct span body = a->http.body;
	on_head(a, &offline_head);
	if (on_body_taken(a, body))
		on_end(a, &end);
}

/* Who does it there: what a target is known not to serve is not asked of it. An answer that is made
 * here always is to be had; a count that is not served is one. NULL: nobody. */
static const struct dialect_op *operation_at(const struct target *t, enum llm_op op)
{
	if (op == LLM_OP_NATIVE)
		return &native_op;
	const struct dialect *d = dialect_find(t->family);
	const struct dialect_op *o = d ? dialect_operation(d, op) : NULL;
	const bool is_missing = op == LLM_OP_COUNT && t->is_count_missing;
	if (!o || o->is_local ||
		(!is_missing && ops_serve(t->quirks.ops, span_str(llm_op_name(op)), NULL)))
		return o;
	return op == LLM_OP_COUNT ? &estimate_op : NULL;
}

bool attempt_is_local(const struct target *t, enum llm_op op)
{
	const struct dialect_op *o = operation_at(t, op);
	return t->is_offline || (o && o->is_local);
}

static enum err attempt_send(struct attempt *a, struct fault *why)
{
	const struct attempt_plan *plan = &a->plan;
	a->dialect = dialect_find(plan->target->family);
	a->op = operation_at(plan->target, plan->op);
	if (!a->op)
		return fault_set(why, ERR_UNSUPPORTED, "%.*s does not serve the operation %s",
			SPAN_ARG(plan->target->provider), llm_op_name(plan->op));
	const enum err err = plan->forwarded ? a->op->forward(plan->forwarded, plan->target,
						       &a->notes, &a->http, why)
					     : dialect_encode(a->op, plan->request, plan->target,
						       &a->env, &a->notes, &a->http, why);
	if (err)
		return err;
	if (plan->target->is_offline || a->op->is_local) {
		LOOP_CALLS(&a->offline, on_run, offline_run);
		loop_later(a->organs->loop, &a->offline);
		return OK;
	}
	const struct transfer_events events = {on_head, on_body, on_end, a};
	const enum err unsent = transport_start(a->organs->transport, &a->http, plan->target,
		plan->secret, &plan->limits, &events, &a->transfer, why);
	if (!unsent && plan->first_token_us > 0) {
		LOOP_CALLS(&a->token, on_fire, on_no_token);
		loop_timer_set(a->organs->loop, &a->token, plan->first_token_us);
	}
	return unsent;
}

enum err attempt_new(struct organs *o, const struct attempt_plan *plan,
	const struct attempt_events *events, struct attempt **out, struct fault *why)
{
	struct attempt *a = spare_take(&o->spare_attempts, sizeof *a, sizeof *a);
	*out = NULL;
	if (!a)
		return fault_set(why, ERR_NO_MEMORY, "out of memory for an attempt");
	a->organs = o;
	a->plan = *plan;
	a->plan.secret = plan->secret ? secret_ref(plan->secret) : NULL;
	a->events = *events;
	a->rates = RATES_UNKNOWN;
	a->env = (struct dialect_env){loop_wall_us(o->loop) / 1000000, plan->seed, plan->page};
	arena_init(&a->arena, LIMIT_REQUEST_ARENA);
	buf_init(&a->error_body, LIMIT_ERROR_REPLY_BYTES);
	notes_init(&a->notes, &a->arena);
	a->record = (struct attempt_record){.at_us = loop_wall_us(o->loop),
		.begun_us = loop_now_us(o->loop),
		.connect_us = -1,
		.first_byte_us = -1,
		.total_us = -1,
		.usage = USAGE_UNKNOWN,
		.price = plan->target->price,
		.charged_nusd = -1,
		.estimate_input = -1,
		.estimate_output = -1,
		.estimate_raw = -1};
	copy_text(a->record.provider, sizeof a->record.provider, plan->target->provider);
	copy_text(a->record.model, sizeof a->record.model, plan->target->model);

	struct fault own;
	fault_clear(&own);
	const enum err err = attempt_send(a, &own);
	if (err) {
		if (!own.err)
			fault_set(&own, err, "%s", err_info(err)->sentence);
		if (why)
			*why = own;
		attempt_free(a);
		return err;
	}
	*out = a;
	return OK;
}

void attempt_cancel(struct attempt *a, struct attempt_record *record)
{
	transfer_stop(a);
	loop_task_stop(&a->offline);
	a->is_over = true;
	a->record.outcome = OUTCOME_CANCELLED;
	a->record.err = ERR_CANCELLED;
	*record = a->record;
}

void attempt_free(struct attempt *a)
{
	if (!a)
		return;
	if (a->transfer)
		transfer_cancel(a->transfer, NULL);
	loop_timer_stop(&a->token);
	loop_task_stop(&a->offline);
	if (a->decoder && a->op->decoder_done)
		a->op->decoder_done(a->decoder);
	if (a->has_passage)
		passage_done(&a->passage);
	secret_unref(a->plan.secret);
	buf_done(&a->error_body);
	arena_done(&a->arena);
	spare_give(&a->organs->spare_attempts, a, sizeof *a);
}

bool attempt_is_served(const struct attempt *a)
{
	return a->transfer && transfer_has_sent_body(a->transfer);
}

void attempt_until(struct attempt *a, int64_t due_us)
{
	if (a->transfer)
		transfer_until(a->transfer, due_us);
}

void attempt_pause(struct attempt *a)
{
	a->is_paused = true;
	if (a->transfer)
		transfer_pause(a->transfer);
}

void attempt_resume(struct attempt *a)
{
	a->is_paused = false;
	if (a->has_content)
		await_more(a);
	if (a->transfer)
		transfer_resume(a->transfer);
}
