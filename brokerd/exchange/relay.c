/* relay.c - events in, bytes of the surface out, cut into frames. */
#include "brokerd/exchange/relay.h"

#include <inttypes.h>
#include <stdio.h>

#include "brokerd/dialect/estimate.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/exchange/native.h"
#include "brokerd/route/endpoint.h"
#include "protocol/frame.h"
#include "protocol/limits.h"

#define HEAD_HEADERS_MAX 40
#define WARNINGS_MAX     ((size_t)16) /* that the head has room for */

static enum err copy_call(struct relay *r, const struct surface_call *from)
{
	struct surface_call *to = &r->call;
	struct span *const texts[] = {&to->surface, &to->provider, &to->op, &to->method, &to->path,
		&to->query, &to->content_type};
	*to = *from;
	enum err err = OK;
	for (size_t i = 0; !err && i < COUNT_OF(texts); i++)
		err = arena_dup(r->arena, *texts[i], texts[i]);
	to->headers = arena_array(r->arena, from->n_headers, sizeof *to->headers);
	if (!to->headers)
		return ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < from->n_headers; i++) {
		err = arena_dup(r->arena, from->headers[i].key, &to->headers[i].key);
		if (!err)
			err = arena_dup(r->arena, from->headers[i].value, &to->headers[i].value);
	}
	return err;
}

/* Whose API has such a path: its clients read its errors. */
static const struct dialect *native_speaks(const struct surface_call *call)
{
	struct endpoint e;
	endpoint_find(call, &e);
	switch (e.api) {
	case ENDPOINT_ANTHROPIC:
		return &dialect_anthropic;
	case ENDPOINT_GEMINI:
		return &dialect_gemini;
	case ENDPOINT_OPENAI:
		break;
	}
	return &dialect_openai_chat;
}

enum err relay_init(struct relay *r, const struct surface_call *call, struct arena *a,
	const struct dialect_env *env, struct fault *why)
{
	*r = (struct relay){.arena = a,
		.env = *env,
		.was_silent = true,
		.body = JSON_NONE,
		.asked = JSON_NONE,
		.id = SPAN_NONE};
	buf_init(&r->made, LIMIT_BODY_BYTES);
	buf_init(&r->said, LIMIT_BODY_BYTES);
	buf_init(&r->frame, LIMIT_FRAME_BYTES);
	buf_init(&r->last, LIMIT_FRAME_BYTES);
	notes_init(&r->notes, a);
	if (copy_call(r, call))
		return fault_set(why, ERR_NO_MEMORY, "no memory for the call");
	r->op = LLM_OP_NATIVE;
	r->speaks = native_speaks(&r->call);
	if (span_is_set(call->provider))
		return OK;
	r->surface = surface_find(call->surface);
	if (!r->surface)
		return fault_param(why, ERR_UNSUPPORTED, "surface.surface",
			"there is no surface \"%.*s\"", SPAN_ARG(call->surface));
	r->speaks = r->surface->dialect;
	return surface_operation(r->surface, &r->call, &r->op, why);
}

void relay_done(struct relay *r)
{
	if (r->encoder)
		dialect_operation(r->speaks, r->op)->encoder_done(r->encoder);
	buf_done(&r->said);
	buf_done(&r->frame);
	buf_done(&r->last);
	buf_done(&r->made);
	if (r->keeps)
		keeper_done(&r->keeper);
}

enum err relay_read(struct relay *r, struct span body, struct span laid_out,
	struct llm_request *out, struct fault *why)
{
	const struct span whole = span_is_set(laid_out) ? laid_out : body;
	r->request = out;
	if (!r->surface) {
		*out = (struct llm_request){.model = native_model(&r->call, body, r->arena)};
		out->is_stream = true;
		r->body = json_of(body); /* whatever it is */
		return OK;
	}
	const struct dialect_op *op = dialect_operation(r->speaks, r->op);
	const enum err err = op->decode_request(&r->call, whole, r->arena, out, &r->notes, why);
	if (!err) {
		r->body = r->asked = r->notes.body;
		if (span_is_set(laid_out)) /* it was scanned before */
			r->asked = json_of(span_trim(body));
	}
	return err;
}

static void take_warning(struct relay *r, const struct warning *w);

void relay_keep(struct relay *r, struct span id_json, struct span previous_json)
{
	r->keeps = true;
	r->id = span_first(span_skip(id_json, 1), id_json.n - 2);
	keeper_init(&r->keeper, r->notes.form == ANSWER_SSE, id_json, previous_json);
}

struct json relay_to_keep(const struct relay *r)
{
	return r->is_keeping && r->keeper.object.n > 0 ? json_of(buf_view(&r->keeper.object))
						       : JSON_NONE;
}

void relay_kept(struct relay *r, const struct fault *why)
{
	const struct warning w = {SPAN("not_kept"), SPAN("store"), span_str(why->message)};
	if (why->err)
		take_warning(r, &w);
	buf_span(&r->said, keeper_rest(&r->keeper));
	r->is_keeping = false;
}

/* Google's own readers know no comments; empty lines they pass over. */
static bool has_remarks(const struct relay *r)
{
	return r->speaks != &dialect_gemini;
}

bool relay_hold(struct relay *r)
{
	const bool was_silent = r->was_silent;
	r->was_silent = true;
	if (!was_silent || !r->surface || r->notes.form != ANSWER_SSE || r->last_type ||
		r->said.n > 0 || r->is_mid_event || r->is_from_log)
		return false; /* the last: a piece waits for its reader */
	buf_text(&r->said, has_remarks(r) ? ": waiting\n\n" : "\n");
	return true;
}

void relay_answer(struct relay *r, struct span json)
{
	buf_span(&r->said, json);
	r->is_answered = true;
}

/* ---- frames ---- */

static void put_event(struct buf *to, int *type, const struct llm_event *e)
{
	buf_clear(to);
	event_pack(e, to);
	*type = event_frame_type(e->type);
}

/* The rest of what is known is only that it failed; the caller's connection has the reason. */
static void fail(struct relay *r, const struct fault *why)
{
	struct fault told = *why;
	told.is_partial = r->has_head;
	mishap_keep(&r->broke, &told);
	const struct llm_event e = {.type = EV_FAULT, .fault = &told};
	put_event(&r->last, &r->last_type, &e);
}

/* ---- the head ---- */

struct headers {
	struct string_pair list[HEAD_HEADERS_MAX];
	size_t n;
};

/* What may stand in a header wherever it is read: all but printable ASCII becomes a question mark, one a
 * character. Ends in a NUL. */
static void in_ascii(struct span text, char *to, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n && n + 1 < size; i++) {
		const unsigned char c = (unsigned char)text.p[i];
		if ((c & 0xc0) != 0x80) /* not in the midst of a character */
			to[n++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	to[n] = '\0';
}

static void add(struct headers *h, const char *name, struct span value)
{
	if (value.n > 0 && h->n < HEAD_HEADERS_MAX)
		h->list[h->n++] = (struct string_pair){span_str(name), value};
}

/* For texts that live as long as a head is made. */
struct room {
	char target[256], route[1024], attempts[16], cached[64];
};

/* What every head says beside what its reply is. */
static void add_about(struct headers *h, const struct relay *r, const struct relay_about *about,
	struct room *room)
{
	add(h, "x-request-id", about->request_id);
	if (span_is(span_str(r->speaks->family), "anthropic"))
		add(h, "request-id", about->request_id);
	if (span_is_set(about->provider)) {
		char target[256];
		(void)snprintf(target, sizeof target, "%.*s%s%.*s", SPAN_ARG(about->provider),
			about->model.n > 0 ? "/" : "", SPAN_ARG(about->model));
		in_ascii(span_str(target), room->target, sizeof room->target);
		add(h, "x-llm-broker-target", span_str(room->target));
	}
	if (span_is_set(about->route)) {
		in_ascii(about->route, room->route, sizeof room->route);
		add(h, "x-llm-broker-route", span_str(room->route));
		(void)snprintf(room->attempts, sizeof room->attempts, "%u", about->attempts);
		add(h, "x-llm-broker-attempts", span_str(room->attempts));
	}
	if (about->cached && about->cached->source) {
		const struct cached *c = about->cached;
		(void)snprintf(
			room->cached, sizeof room->cached, "%s", cache_source_name(c->source));
		if (c->score.is_set)
			(void)snprintf(room->cached, sizeof room->cached,
				"%s; age=%" PRId64 "; score=%.4g", cache_source_name(c->source),
				c->age_s, c->score.v);
		else if (c->age_s >= 0)
			(void)snprintf(room->cached, sizeof room->cached, "%s; age=%" PRId64,
				cache_source_name(c->source), c->age_s);
		add(h, "x-llm-broker-cache", span_str(room->cached));
	}
	for (size_t i = 0; i < r->n_warnings; i++)
		add(h, "x-llm-broker-warning", r->warnings[i]);
}

static void put_head(struct relay *r, struct headers *h, int status, bool is_stream)
{
	struct llm_event e = {.type = EV_HEAD};
	e.head = (struct reply_head){
		.status = status, .headers = h->list, .n_headers = h->n, .is_stream = is_stream};
	put_event(&r->frame, &r->frame_type, &e);
	r->has_head = true;
}

static void put_own_head(struct relay *r, const struct relay_about *about)
{
	const bool is_sse = r->notes.form == ANSWER_SSE;
	struct headers h = {.n = 0};
	struct room room;
	add(&h, "content-type", is_sse ? SPAN("text/event-stream") : SPAN("application/json"));
	add_about(&h, r, about, &room);
	put_head(r, &h, 200, r->notes.form != ANSWER_WHOLE);
}

/* Programs that try again by themselves look at these. */
static void put_fault_head(
	struct relay *r, const struct fault *why, int status, const struct relay_about *about)
{
	struct headers h = {.n = 0};
	struct room room;
	char seconds[32], ms[32];
	add(&h, "content-type", SPAN("application/json"));
	if (why->retry_after_ms >= 0) {
		(void)snprintf(seconds, sizeof seconds, "%" PRId64,
			why->retry_after_ms / 1000 + (why->retry_after_ms % 1000 > 0));
		(void)snprintf(ms, sizeof ms, "%" PRId64, why->retry_after_ms);
		add(&h, "retry-after", span_str(seconds));
		add(&h, "retry-after-ms", span_str(ms));
	}
	add(&h, "x-should-retry", err_info(why->err)->is_retryable ? SPAN("true") : SPAN("false"));
	add(&h, "x-llm-broker-class", span_str(err_info(why->err)->word));
	add_about(&h, r, about, &room);
	put_head(r, &h, status, false);
}

/* The provider's head, and what we have to add. */
static void take_head(
	struct relay *r, const struct reply_head *head, const struct relay_about *about)
{
	struct headers h = {.n = 0};
	struct room room;
	r->is_forwarded = true;
	if (r->has_head)
		return; /* it went out while nothing had come */
	for (size_t i = 0; i < head->n_headers && h.n < HEAD_HEADERS_MAX; i++)
		h.list[h.n++] = head->headers[i];
	add_about(&h, r, about, &room);
	put_head(r, &h, head->status, head->is_stream);
}

/* ---- events ---- */

static void take_warning(struct relay *r, const struct warning *w)
{
	char line[512], clean[512];
	struct span kept;
	(void)snprintf(line, sizeof line, "%.*s %.*s%s%.*s", SPAN_ARG(w->code), SPAN_ARG(w->param),
		w->param.n > 0 ? ": " : "", SPAN_ARG(w->message));
	in_ascii(span_str(line), clean, sizeof clean);
	if (r->has_head) { /* a remark in a stream, which its readers pass over */
		if (r->notes.form == ANSWER_SSE && !r->is_forwarded && has_remarks(r))
			buf_print(&r->said, ": %s\n\n", clean);
		return;
	}
	if (!r->warnings)
		r->warnings = arena_array(r->arena, WARNINGS_MAX, sizeof *r->warnings);
	if (!r->warnings || r->n_warnings == WARNINGS_MAX ||
		arena_dup(r->arena, span_str(clean), &kept))
		return; /* the ledger counts them all */
	r->warnings[r->n_warnings++] = kept;
}

static struct encoder *encoder_of(struct relay *r)
{
	const struct dialect_op *op = dialect_operation(r->speaks, r->op);
	if (r->encoder)
		return r->encoder;
	r->plan = (struct answer_plan){.request = r->request,
		.notes = &r->notes,
		.body = r->asked,
		.id = r->id,
		.env = &r->env,
		.input_estimate = -1,
		.is_begun = r->has_raw};
	if (r->surface->tells_input_first && r->notes.form == ANSWER_SSE)
		r->plan.input_estimate = estimate_request(r->request);
	r->encoder = op->encoder_new(r->arena, &r->plan);
	return r->encoder;
}

/* The answer cannot be written: where nothing of it was told, that is the reply. */
static void fail_with(struct relay *r, enum err err, const struct relay_about *about)
{
	struct fault why = FAULT_NONE;
	int status;
	if (err == ERR_NOT_FOUND)
		fault_param(&why, err, "model", "there is no model \"%.*s\"",
			SPAN_ARG(span_first(span_is_set(r->notes.one_model) ? r->notes.one_model
									    : r->request->model,
				LIMIT_LABEL_BYTES)));
	else
		fault_set(&why, err, "the answer cannot be written in the caller's language: %s",
			err_info(err)->sentence);
	fault_text(why.request_id, sizeof why.request_id, about->request_id);
	if (!r->has_head) {
		buf_clear(&r->said);
		r->speaks->phrase(&why, &r->said, &status);
		put_fault_head(r, &why, status, about);
	}
	fail(r, &why);
}

static void say(struct relay *r, const struct llm_event *e, const struct relay_about *about)
{
	const struct dialect_op *op = dialect_operation(r->speaks, r->op);
	struct encoder *encoder = encoder_of(r);
	const size_t before = r->said.n;
	struct buf *to = r->keeps ? &r->made : &r->said;
	const enum err err = encoder ? op->encode(encoder, e, to) : ERR_NO_MEMORY;
	if (r->keeps) {
		keeper_take(&r->keeper, buf_view(&r->made), &r->said);
		buf_clear(&r->made);
	}
	r->was_silent = r->was_silent && r->said.n == before;
	if (err)
		fail_with(r, err, about);
}

/* All is said: what is to be kept waits for that. */
static void end_keeping(struct relay *r, bool is_good, const struct relay_about *about)
{
	if (!r->keeps || r->is_keeping)
		return;
	const struct json object = keeper_end(&r->keeper);
	if (keeper_error(&r->keeper))
		fail_with(r, keeper_error(&r->keeper), about);
	r->is_keeping = true;
	if (!is_good || json_kind(object) != JSON_OBJECT)
		relay_kept(r, &FAULT_NONE);
}

/* Before the head a fault is a reply of its own, after it the end of a stream. */
static void take_fault(struct relay *r, const struct fault *why, const struct relay_about *about)
{
	const bool is_stream = r->notes.form != ANSWER_WHOLE;
	const bool is_sse = r->notes.form == ANSWER_SSE;
	int status;
	if (!r->has_head && r->said.n == 0) {
		r->speaks->phrase(why, &r->said, &status);
		put_fault_head(r, why, status, about);
	} else if (r->surface && r->is_forwarded && is_sse) {
		r->speaks->phrase_event(why, r->keeps ? &r->made : &r->said);
		if (r->keeps)
			keeper_take(&r->keeper, buf_view(&r->made), &r->said);
		buf_clear(&r->made);
		end_keeping(r, false, about);
	} else if (r->surface && (is_stream || !r->is_forwarded)) {
		const struct llm_event e = {.type = EV_FAULT, .fault = why};
		say(r, &e, about);
		end_keeping(r, false, about);
	}
}

/* Takes one event of the log, whose packed body is `packed`. */
static void take_event(struct relay *r, const struct llm_event *e, struct span packed,
	const struct relay_about *about)
{
	switch (e->type) {
	case EV_STATUS:
		return;
	case EV_WARNING:
		take_warning(r, &e->warning);
		return;
	case EV_HEAD:
		take_head(r, &e->head, about);
		return;
	case EV_FAULT:
		take_fault(r, e->fault, about);
		break;
	case EV_END:
		if (!r->is_forwarded && !r->is_answered)
			say(r, e, about);
		end_keeping(r, true, about);
		break;
	case EV_RAW:
		r->was_silent = false;
		r->has_raw = true;
		keeper_take(&r->keeper, e->text, &r->said);
		return;
	default:
		say(r, e, about);
		return;
	}
	if (r->last_type)
		return; /* it could not be said */
	buf_clear(&r->last);
	buf_span(&r->last, packed);
	r->last_type = event_frame_type(e->type);
}

static void read_event(
	struct relay *r, int type, struct span packed, const struct relay_about *about)
{
	OWNED(arena_done) struct arena a;
	struct llm_event e;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	const enum err err = event_unpack(type, pack_from(packed), &a, &e, NULL);
	if (err)
		fail_with(r, err, about);
	else
		take_event(r, &e, packed, about);
}

/* A frame of what waits to be told: the head, a piece of the bytes, or the last. False: nothing waits. */
static bool frame_next(struct relay *r, const struct relay_about *about)
{
	if (r->frame_type)
		return true;
	const struct span left = span_skip(buf_view(&r->said), r->told);
	const enum err err = buf_error(&r->said);
	if (err && !mishap_err(&r->broke))
		fail_with(r, err, about);
	if (left.n > 0 && !r->has_head) {
		put_own_head(r, about);
	} else if (left.n > 0) {
		struct llm_event e = {.type = EV_RAW};
		e.text = span_first(left, LIMIT_DATA_BYTES);
		put_event(&r->frame, &r->frame_type, &e);
		r->told += e.text.n;
		if (r->told == r->said.n) {
			r->told = 0;
			buf_clear(&r->said);
		}
	} else if (r->last_type && !r->is_keeping) {
		buf_clear(&r->frame);
		buf_span(&r->frame, buf_view(&r->last));
		r->frame_type = r->last_type;
	}
	return r->frame_type != 0;
}

bool relay_peek(struct relay *r, struct event_log *log, struct event_cursor *c,
	const struct relay_about *about, int *frame_type, struct span *body, bool *has_read)
{
	*has_read = false;
	r->is_from_log = false;
	if (r->is_over)
		return false;
	while (!frame_next(r, about)) {
		int type;
		struct span packed;
		if (r->last_type || !event_log_peek(log, c, &type, &packed))
			return false;
		if (type == FRAME_DATA && !r->keeps) { /* as it is, where it lies */
			*frame_type = type;
			*body = packed;
			r->is_from_log = true;
			r->ends_mid_event =
				packed.n < 2 || memcmp(packed.p + packed.n - 2, "\n\n", 2) != 0;
			return true;
		}
		read_event(r, type, packed, about);
		event_log_take(log, c);
		*has_read = true;
	}
	*frame_type = r->frame_type;
	*body = buf_view(&r->frame);
	return true;
}

void relay_take(struct relay *r, struct event_log *log, struct event_cursor *c)
{
	if (r->is_from_log) {
		r->is_mid_event = r->ends_mid_event;
		r->was_silent = false;
		r->has_raw = true;
		event_log_take(log, c);
	}
	r->is_over = r->frame_type && r->frame_type == r->last_type;
	r->is_from_log = false;
	r->frame_type = 0;
}

const struct fault *relay_broke(const struct relay *r)
{
	return mishap_fault(&r->broke);
}
