/* request.c - small bodies go in one piece, so that the library may send them again where the broker is just starting. */
#include "libllmclient/bridge/request.h"

#include <assert.h>
#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "libllmclient/bridge/peer.h"
#include "libllmclient/bridge/place.h"
#include "libllmclient/bridge/refusal.h"
#include "libllmclient/bridge/shown.h"
#include "protocol/base/num.h"

#define KIB          ((size_t)1024)
#define MIB          (1024 * KIB)
#define BODY_MAX     (64 * MIB)
#define UNWANTED_MAX (256 * MIB) /* of a refused body that are read before it is told */
#define SMALL_MAX    (128 * KIB) /* a body that is gathered */
#define GATHERED_MAX (256 * MIB) /* of all together */
#define WHOLE_MAX    (256 * KIB) /* an answer that is no stream and longer goes out as it comes */
#define BLOCK_BYTES  (16 * KIB)
#define ANSWERS_MAX  64
#define BODY_S       75.0 /* that a body may take, and a second more for so many of its bytes: */
#define BODY_BYTES_S KIB
#define NANO         1e9

enum state {
	NEW,
	BODY,  /* it comes */
	SENT,  /* the broker's head is waited for, or all of an answer that is no stream */
	READY, /* to be told */
	TOLD,  /* is being told */
};

struct header {
	char *name, *value;
};

struct request {
	struct bridge *bridge;
	const struct caller *who;
	char *target;
	struct place place;
	enum state state;
	struct MHD_Connection *http;
	bool is_suspended;

	struct line *line;
	llm_request *call;
	llm_stream *stream; /* NULL: not begun, or gone */
	bool is_small;
	struct buf body;       /* a small one */
	int64_t body_bytes;    /* that have come so far */
	size_t unwanted_bytes; /* and of them, those that came after it was refused */
	double began;          /* the loop's time, of the body */

	int status;
	struct header headers[ANSWERS_MAX];
	size_t n_headers;
	bool is_stream;
	struct buf whole;  /* an answer that is none */
	const char *piece; /* of the stream's last event, not told yet */
	size_t n_piece;
	bool is_over, is_broken; /* all has come; or nothing more does */
	char origin[256];        /* of a page that may; "" none */
};

struct request *request_new(struct bridge *b, const struct caller *who, const char *target)
{
	struct request *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->target = strdup(target);
	if (!r->target) {
		free(r);
		return NULL;
	}
	r->bridge = b;
	r->who = who;
	buf_init(&r->body, SMALL_MAX);
	buf_init(&r->whole, BODY_MAX);
	place_find(span_str(r->target), &r->place);
	return r;
}

static void forget_body(struct request *r)
{
	r->bridge->gathered_bytes -= r->body.n;
	buf_done(&r->body);
}

/* What it asked for ends here, if it has not ended. */
static void let_go(struct request *r)
{
	llm_stream_free(r->stream);
	r->stream = NULL;
	r->piece = NULL;
	r->n_piece = 0;
	llm_request_free(r->call);
	r->call = NULL;
	if (r->line)
		line_give_back(r->line);
	r->line = NULL;
}

void request_free(struct request *r)
{
	if (!r)
		return;
	let_go(r);
	forget_body(r);
	for (size_t i = 0; i < r->n_headers; i++) {
		free(r->headers[i].name);
		free(r->headers[i].value);
	}
	buf_done(&r->whole);
	free(r->target);
	free(r);
}

/* ---- HTTP's side ---- */

static void suspend(struct request *r)
{
	if (r->is_suspended)
		return;
	r->is_suspended = true;
	MHD_suspend_connection(r->http);
}

static void resume(struct request *r)
{
	if (!r->is_suspended)
		return;
	r->is_suspended = false;
	MHD_resume_connection(r->http);
	r->bridge->stir(r->bridge->context);
}

static const char *header(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->http, MHD_HEADER_KIND, name);
}

static struct span header_span(const struct request *r, const char *name)
{
	const char *value = header(r, name);
	return value ? span_str(value) : SPAN_NONE;
}

/* ---- what is told ---- */

static void add_header(struct request *r, const char *name, const char *value)
{
	if (r->n_headers == ANSWERS_MAX)
		return;
	struct header *h = &r->headers[r->n_headers];
	h->name = strdup(name);
	h->value = strdup(value);
	if (h->name && h->value) {
		r->n_headers++;
		return;
	}
	free(h->name);
	free(h->value);
}

static void drop_answer(struct request *r)
{
	for (size_t i = 0; i < r->n_headers; i++) {
		free(r->headers[i].name);
		free(r->headers[i].value);
	}
	r->n_headers = 0;
	buf_clear(&r->whole);
	r->is_stream = r->is_broken = false;
}

/* A no in the words of the surface; `status` 0: that of the class. */
static void refuse(struct request *r, enum err err, int status, const char *message)
{
	drop_answer(r);
	r->status = refusal_write(r->place.envelope, err, status, span_str(message), &r->whole);
	add_header(r, "content-type", "application/json");
	add_header(r, "x-llm-broker-class", err_info(err)->word);
	add_header(r, "x-should-retry", err_info(err)->is_retryable ? "true" : "false");
	r->is_over = true;
	r->state = READY;
}

/* The broker was not reached, or was lost before it said anything. */
static void refuse_as_told(struct request *r, const llm_error *e)
{
	const enum err err = err_from_word(span_str(llm_error_class(e)));
	const int64_t wait_ms = llm_error_retry_after_ms(e);
	char text[32];
	refuse(r, err, 0, llm_error_message(e));
	if (wait_ms < 0)
		return;
	(void)snprintf(text, sizeof text, "%" PRId64, (wait_ms + 999) / 1000);
	add_header(r, "retry-after", text);
}

static ssize_t tell_stream(void *context, uint64_t pos, char *to, size_t max);

static void add_all(struct request *r, struct MHD_Response *out)
{
	for (size_t i = 0; i < r->n_headers; i++)
		(void)MHD_add_response_header(out, r->headers[i].name, r->headers[i].value);
	if (r->origin[0]) {
		(void)MHD_add_response_header(out, "access-control-allow-origin", r->origin);
		(void)MHD_add_response_header(out, "access-control-expose-headers", "*");
		(void)MHD_add_response_header(out, "vary", "origin");
	}
	if (r->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(out, "allow", r->place.methods);
}

static enum MHD_Result tell(struct request *r)
{
	struct MHD_Response *out;
	assert(r->state == READY);
	if (r->is_stream)
		out = MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, BLOCK_BYTES, tell_stream, r, NULL);
	else /* it is the request's, which outlives it */
		out = MHD_create_response_from_buffer(
			r->whole.n, r->whole.p, MHD_RESPMEM_PERSISTENT);
	if (!out)
		return MHD_NO;
	add_all(r, out);
	r->state = TOLD;
	const enum MHD_Result queued = MHD_queue_response(r->http, (unsigned)r->status, out);
	MHD_destroy_response(out);
	return queued;
}

/* ---- what comes from the broker ---- */

static void take_head(struct request *r, const llm_event *ev)
{
	const char *type = llm_event_header(ev, "content-type");
	r->status = llm_event_status(ev);
	for (size_t i = 0; i < llm_event_headers(ev); i++) {
		const char *value, *name = llm_event_header_at(ev, i, &value);
		add_header(r, name, value);
	}
	const bool is_events = type && strncasecmp(type, "text/event-stream", 17) == 0;
	/* Gemini's other streams are an array, whose members are told one by one; what is no JSON has no end to wait for */
	r->is_stream = is_events || !type || strncasecmp(type, "application/json", 16) != 0 ||
		       span_ends(r->place.path, SPAN(":streamGenerateContent"));
	if (!is_events)
		return;
	add_header(r, "cache-control", "no-cache");
	add_header(r, "x-accel-buffering", "no"); /* whoever stands between us and the reader */
}

/* What it cost is known where all of it is. */
static void add_cost(struct request *r)
{
	const llm_result *result = llm_stream_result(r->stream);
	const int64_t nusd = llm_usage_cost_nanousd(llm_result_usage(result));
	char text[40];
	if (nusd < 0)
		return;
	(void)snprintf(text, sizeof text, "%.9f", (double)nusd / NANO);
	add_header(r, "x-llm-broker-cost-usd", text);
}

/* Was it only this program that failed, or its way to the broker? What the broker says is in the answer. */
static bool is_own(const llm_error *e)
{
	const int code = llm_error_code(e);
	return code == LLM_E_IO || code == LLM_E_PROTOCOL || code == LLM_E_NOMEM ||
	       code == LLM_E_UNREACHABLE || code == LLM_E_INVAL || code == LLM_E_FORKED;
}

/* Takes one step of the answer. False: there is none for now. */
static bool take(struct request *r)
{
	const llm_event *ev;
	const int got = llm_stream_next(r->stream, &ev);
	r->n_piece = 0;
	if (got == LLM_E_AGAIN)
		return false;
	if (got <= 0) {
		r->is_over = true;
		r->is_broken = got < 0 && is_own(llm_stream_error(r->stream));
		return false;
	}
	if (llm_event_type_of(ev) == LLM_EV_HEAD)
		take_head(r, ev);
	else if (llm_event_type_of(ev) == LLM_EV_RAW)
		r->piece = llm_event_detail(ev, &r->n_piece);
	return true;
}

/* An answer that is no stream is told when all of it is there, or too much to keep. */
static void gather(struct request *r)
{
	while (r->state == SENT && take(r)) {
		if (r->is_stream) {
			r->state = READY;
			return;
		}
		buf_put(&r->whole, r->piece, r->n_piece);
		r->n_piece = 0;
		if (r->whole.n > WHOLE_MAX) { /* from here on it is told as it comes */
			r->is_stream = true;
			r->piece = r->whole.p;
			r->n_piece = r->whole.n;
			r->state = READY;
			return;
		}
	}
	if (!r->is_over)
		return;
	if (r->status == 0 || r->is_broken)
		refuse_as_told(r, llm_stream_error(r->stream));
	else
		add_cost(r);
	r->state = READY;
}

/* libmicrohttpd has room for more of it. */
static ssize_t tell_stream(void *context, uint64_t pos, char *to, size_t max)
{
	struct request *r = context;
	size_t n = 0;
	(void)pos;
	while (n < max) {
		if (r->n_piece == 0 && (r->is_over || !r->stream || !take(r)))
			break;
		const size_t more = r->n_piece < max - n ? r->n_piece : max - n;
		if (more > 0)
			memcpy(to + n, r->piece, more);
		r->piece += more;
		r->n_piece -= more;
		n += more;
	}
	if (r->line)
		line_touch(r->line); /* what was read is given back as credit */
	if (n > 0)
		return (ssize_t)n;
	if (r->is_broken || !r->stream)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (r->is_over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	suspend(r);
	return 0;
}

static void on_line(void *context)
{
	struct request *r = context;
	if (r->state == SENT) {
		gather(r);
		line_touch(r->line); /* what was read is given back as credit */
	}
	if (r->state == TOLD && r->is_suspended && r->n_piece == 0 && !take(r) && !r->is_over)
		return; /* nothing yet */
	if (r->state != SENT)
		resume(r); /* also one whose body waits for room */
}

/* ---- what is asked of the broker ---- */

static const char *const passed[] = {"accept", "accept-language", "anthropic-beta",
	"anthropic-version", "idempotency-key", "if-match", "if-none-match", "openai-beta",
	"range"};

static enum MHD_Result pass_header(
	void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct request *r = context;
	(void)kind;
	bool is_passed = strncasecmp(name, "x-goog-upload-", 14) == 0;
	for (size_t i = 0; !is_passed && i < COUNT_OF(passed); i++)
		is_passed = strcasecmp(name, passed[i]) == 0;
	if (is_passed && value)
		(void)llm_relay_header(r->call, name, value); /* a failure sticks */
	return MHD_YES;
}

static void each_word(struct request *r, const char *name, int (*add)(llm_request *, const char *))
{
	struct span all = header_span(r, name);
	while (span_is_set(all)) {
		const struct span word = span_trim(span_cut(&all, ','));
		char *text = word.n > 0 ? strndup(word.p, word.n) : NULL;
		if (text)
			(void)add(r->call, text); /* a failure sticks */
		free(text);
	}
}

/* What callers may say to the broker itself. False: one of it is wrong, and that is told. */
static bool take_wishes(struct request *r)
{
	const struct span timeout = header_span(r, "x-llm-broker-timeout-ms"),
			  cost = header_span(r, "x-llm-broker-max-cost-usd"),
			  once = header_span(r, "x-llm-broker-at-most-once"),
			  batch = header_span(r, "x-llm-broker-batch");
	const char *session = header(r, "x-llm-broker-session");
	int64_t ms = 0, nusd = 0;
	bool is_once = false, is_batch = false;
	const char *wrong = NULL;
	if (span_is_set(timeout) && (!num_i64(timeout, &ms) || ms < 1 || ms > INT32_MAX))
		wrong = "x-llm-broker-timeout-ms is a number of milliseconds";
	if (span_is_set(cost) && !num_money_nusd(cost, &nusd))
		wrong = "x-llm-broker-max-cost-usd is a number of US dollars";
	if (span_is_set(once) && !num_bool(once, &is_once))
		wrong = "x-llm-broker-at-most-once is yes or no";
	if (span_is_set(batch) && !num_bool(batch, &is_batch))
		wrong = "x-llm-broker-batch is yes or no";
	if (wrong) {
		refuse(r, ERR_INVALID_REQUEST, 0, wrong);
		return false;
	}
	if (ms > 0)
		(void)llm_request_timeout_ms(r->call, (int)ms);
	if (span_is_set(cost))
		(void)llm_request_max_cost_usd(r->call, (double)nusd / NANO);
	(void)llm_request_at_most_once(r->call, is_once);
	(void)llm_request_batch(r->call, is_batch);
	if (session)
		(void)llm_request_session(r->call, session);
	each_word(r, "x-llm-broker-tags", llm_request_tag);
	each_word(r, "x-llm-broker-fallbacks", llm_request_fallback);
	return true;
}

/* The process at the other end, where that is known; -1. False: it is gone, and that is told. */
static bool find_process(struct request *r, int *process)
{
	struct fault why = FAULT_NONE;
	*process = r->bridge->is_for_one ? -1 : r->who->process;
	if (r->bridge->is_for_one || !r->who->is_local_socket || *process >= 0)
		return true;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->http, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info && peer_process(info->connect_fd, process, &why) == OK)
		return true;
	refuse(r, ERR_DENIED, 0, why.message);
	return false;
}

/* On whose behalf is it? By a token that the request shows, and by who is at the other end: the broker judges both. */
static bool name_caller(struct request *r)
{
	const struct shown s = {header_span(r, "authorization"), header_span(r, "x-api-key"),
		header_span(r, "x-goog-api-key"), r->place.query};
	const struct span token = shown_token(&s);
	char text[SHOWN_BYTES];
	int process;
	if (span_is_set(token) ? !shown_is_sound(token) : r->bridge->is_token_required) {
		refuse(r, ERR_DENIED, MHD_HTTP_UNAUTHORIZED,
			span_is_set(token) ? "that is no app token: `llmb token new APP` makes one"
					   : "an app token is wanted: `llmb token new APP` makes "
					     "one, to be put "
					     "where the program has its API key");
		return false;
	}
	if (!find_process(r, &process))
		return false;
	(void)snprintf(text, sizeof text, "%.*s", SPAN_ARG(span_is_set(token) ? token : SPAN("")));
	(void)llm_request_behalf(r->call, text[0] ? text : NULL, process); /* a failure sticks */
	explicit_bzero(text, sizeof text);
	if (process >= 0 && process != r->who->process)
		close(process);
	return true;
}

/* The call, but for its body. False: it is refused. */
static bool make_call(struct request *r, const char *method)
{
	const struct place *p = &r->place;
	char *path = NULL, *query = NULL, provider[129];
	const char *named = header(r, "x-llm-broker-provider");
	if (asprintf(&path, "%s%.*s", p->before, SPAN_ARG(p->path)) < 0)
		path = NULL;
	OWNED(buf_done) struct buf left = BUF_INIT(BODY_MAX);
	shown_leave_out(p->query, &left);
	if (buf_error(&left) || asprintf(&query, "%.*s", SPAN_ARG(buf_view(&left))) < 0)
		query = NULL;
	(void)snprintf(provider, sizeof provider, "%.*s", SPAN_ARG(p->provider));
	if (path && query && p->kind == PLACE_SURFACE)
		r->call = llm_relay_new(p->surface, method, path, query[0] ? query : NULL);
	else if (path && query)
		r->call = llm_native_new(
			named ? named : provider, method, path, query[0] ? query : NULL);
	free(path);
	free(query);
	if (!r->call) {
		refuse(r, ERR_NO_MEMORY, 0, "");
		return false;
	}
	(void)MHD_get_connection_values(r->http, MHD_HEADER_KIND, pass_header, r);
	return name_caller(r) && take_wishes(r);
}

static void start(struct request *r)
{
	r->line = line_take(r->bridge->lines, on_line, r);
	if (r->line)
		r->stream = llm_stream_start(line_client(r->line), r->call);
	if (!r->line)
		refuse(r, ERR_NO_MEMORY, 0, "");
	else if (!r->stream)
		refuse_as_told(r, llm_last_error(line_client(r->line)));
	if (r->line)
		line_touch(r->line);
}

/* ---- what comes from the caller ---- */

static int64_t announced_bytes(const struct request *r)
{
	int64_t n;
	const struct span length = header_span(r, "content-length");
	return span_is_set(length) && num_i64(length, &n) ? n : -1;
}

static bool has_body(const struct request *r)
{
	return announced_bytes(r) > 0 || header(r, "transfer-encoding");
}

struct framing {
	int lengths, encodings, hosts;
	bool is_known; /* chunks are all that is taken apart here */
};

static enum MHD_Result note_framing(
	void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *f = context;
	(void)kind;
	f->lengths += strcasecmp(name, "content-length") == 0;
	f->hosts += strcasecmp(name, "host") == 0;
	if (strcasecmp(name, "transfer-encoding") == 0) {
		f->encodings++;
		f->is_known = value && strcasecmp(value, "chunked") == 0;
	}
	return MHD_YES;
}

/* What two readers would take for different requests is none. NULL: it is one. */
static const char *unclear(const struct request *r)
{
	struct framing f = {.is_known = true};
	(void)MHD_get_connection_values(r->http, MHD_HEADER_KIND, note_framing, &f);
	if (f.lengths + f.encodings > 1)
		return "a body has one content-length, or else one transfer-encoding";
	if (!f.is_known)
		return "of transfer-encodings there is \"chunked\" alone";
	return f.hosts > 1 ? "there is more than one host" : NULL;
}

/* By the head alone. */
static void check_head(struct request *r, const char *method)
{
	const struct span encoding = header_span(r, "content-encoding"),
			  origin = header_span(r, "origin");
	struct fault why = r->who->refused;
	const bool is_browsable = why.err == OK && !r->who->is_local_socket;
	enum err err = why.err;
	if (is_browsable)
		err = door_host(&r->bridge->door, header_span(r, "host"), &why);
	if (is_browsable && !err)
		err = door_origin(&r->bridge->door, origin, &why);
	if (is_browsable && !err && !span_is_set(origin))
		err = door_site(header_span(r, "sec-fetch-site"), &why);
	if (err) {
		refuse(r, err, MHD_HTTP_FORBIDDEN, why.message);
		return;
	}
	if (span_is_set(origin) && origin.n < sizeof r->origin)
		memcpy(r->origin, origin.p, origin.n);
	const char *wrong = unclear(r);
	if (wrong)
		refuse(r, ERR_INVALID_REQUEST, 0, wrong);
	else if (header(r, "upgrade")) /* some try it first, and go on as ever */
		refuse(r, ERR_UNSUPPORTED, MHD_HTTP_UPGRADE_REQUIRED,
			"there is no other protocol here: ask by a plain request");
	else if (strcmp(method, "OPTIONS") == 0 && r->origin[0])
		r->place.kind = PLACE_HEALTH;
	else if (r->place.kind == PLACE_NOWHERE)
		refuse(r, ERR_NOT_FOUND, 0,
			"there is nothing at this path: the surfaces are /v1/chat/completions, "
			"/v1/responses, /v1/messages, /v1beta/models/..., /v1/embeddings, "
			"/v1/models "
			"and others; a provider's own endpoint is /native/PROVIDER/...");
	else if (!place_takes(&r->place, span_str(method)))
		refuse(r, ERR_UNSUPPORTED, MHD_HTTP_METHOD_NOT_ALLOWED,
			"there is no such method at this path");
	else if (span_is_set(encoding) && !span_is_nocase(encoding, "identity"))
		refuse(r, ERR_UNSUPPORTED, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
			"bodies are taken as they are: send this one without a content-encoding");
	else if (announced_bytes(r) > (int64_t)BODY_MAX)
		refuse(r, ERR_TOO_BIG, 0, "a body has at most 64 MiB");
}

static void answer_health(struct request *r, const char *method)
{
	static const char text[] = "{\"status\":\"ok\",\"server\":\"llm-broker-bridge\"}\n";
	r->status = MHD_HTTP_OK;
	if (strcmp(method, "OPTIONS") == 0) {
		r->status = MHD_HTTP_NO_CONTENT;
		add_header(r, "access-control-allow-methods", "GET, POST, DELETE");
		add_header(r, "access-control-allow-headers",
			header(r, "access-control-request-headers")
				? header(r, "access-control-request-headers")
				: "*");
		add_header(r, "access-control-max-age", "600");
	} else {
		buf_text(&r->whole, text);
		add_header(r, "content-type", "application/json");
	}
	r->is_over = true;
	r->state = READY;
}

static void begin(struct request *r, const char *method)
{
	const int64_t n = announced_bytes(r);
	const char *type = header(r, "content-type");
	r->began = ev_now(r->bridge->loop);
	if (header(r, "x-goog-api-key") || header(r, "x-goog-api-client"))
		place_speak_gemini(&r->place);
	check_head(r, method);
	if (r->state == READY)
		return;
	if (r->place.kind == PLACE_HEALTH) {
		answer_health(r, method);
		return;
	}
	if (!make_call(r, strcmp(method, "HEAD") == 0 ? "GET" : method))
		return;
	r->state = BODY;
	r->is_small = !has_body(r) || (n >= 0 && n <= (int64_t)SMALL_MAX);
	if (r->is_small)
		return;
	(void)llm_relay_body_later(r->call, type ? type : "application/json", n);
	start(r);
}

/* Takes of the body what there is room for. */
static void take_body(struct request *r, const char *data, size_t *n)
{
	if (r->state != BODY) { /* refused: the rest of it is not wanted */
		r->unwanted_bytes += *n;
		*n = 0;
		return;
	}
	if (r->is_small && r->bridge->gathered_bytes + *n > GATHERED_MAX) {
		refuse(r, ERR_OVERLOADED, 0,
			"too many requests are being received: try again soon");
		forget_body(r);
		*n = 0;
		return;
	}
	if (r->is_small) {
		const size_t before = r->body.n;
		buf_put(&r->body, data, *n);
		r->bridge->gathered_bytes += r->body.n - before;
		r->body_bytes += (int64_t)*n;
		*n = 0;
		return;
	}
	const int64_t taken = llm_stream_body(r->stream, data, *n, 0);
	line_touch(r->line);
	if (taken < 0) {
		refuse_as_told(r, llm_last_error(line_client(r->line)));
		*n = 0;
		return;
	}
	*n -= (size_t)taken;
	r->body_bytes += taken;
	if (*n > 0)
		suspend(r);
}

static void end_body(struct request *r)
{
	const char *type = header(r, "content-type");
	if (r->is_small) {
		if (r->body.n > 0)
			(void)llm_relay_body(
				r->call, type ? type : "application/json", r->body.p, r->body.n);
		forget_body(r);
		start(r);
	} else if (llm_stream_body(r->stream, "", 0, 1) < 0) {
		refuse_as_told(r, llm_last_error(line_client(r->line)));
	}
	if (r->state != BODY)
		return;
	r->state = SENT;
	line_touch(r->line);
	gather(r);
}

/* Whoever sends all of his body before he listens would not hear a refusal that ends the connection: it is read for his sake.
 * Not a stranger's, nor of one who asks whether he may send it. */
static bool is_told_at_once(const struct request *r)
{
	return has_body(r) && (r->who->refused.err || header(r, "expect"));
}

enum MHD_Result request_handle(struct request *r, struct MHD_Connection *c, const char *method,
	const char *data, size_t *n)
{
	r->http = c;
	if (r->state == NEW) {
		begin(r, method);
		return r->state == READY && is_told_at_once(r) ? tell(r) : MHD_YES;
	}
	if (*n > 0) {
		take_body(r, data, n);
		return r->unwanted_bytes > UNWANTED_MAX ? MHD_NO : MHD_YES;
	}
	if (r->state == BODY)
		end_body(r);
	if (r->state == READY)
		return tell(r);
	if (r->state == SENT)
		suspend(r);
	return MHD_YES;
}

void request_gone(struct request *r)
{
	let_go(r);
	r->is_broken = true;
	if (r->state == BODY || r->state == SENT)
		refuse(r, ERR_CANCELLED, 0, "");
	resume(r);
}

bool request_is_late(const struct request *r)
{
	/* who is held up is not late */
	const int64_t bytes = r->body_bytes + (int64_t)r->unwanted_bytes;
	return (r->state == BODY || r->state == READY) && !r->is_suspended &&
	       ev_now(r->bridge->loop) - r->began > BODY_S + (double)bytes / (double)BODY_BYTES_S;
}
