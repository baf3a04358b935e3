/* call.c - one request: packed once, sent when it can be, its answer taken event by event. */
#include "libllmclient/src/call.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "libllmclient/src/clock.h"
#include "protocol/base/json.h"
#include "protocol/base/list.h"
#include "protocol/base/mem.h"
#include "protocol/limits.h"

#define CREDIT_BYTES ((int64_t)LIMIT_CREDIT_BYTES)
#define INBOX_BYTES \
	(LIMIT_CREDIT_BYTES + 2 * LIMIT_FRAME_BYTES) /* a window and the frame over it */
#define GRACE_MS      250 /* the broker's own "too late" says more than ours */
#define FIRST_WAIT_MS 20  /* before a call is tried again; doubles */
#define LAST_WAIT_MS  500

/* A frame in the inbox: this, and then the bytes of its body. */
struct inbox_head {
	uint32_t type, n, cost;
};

/* ---- putting it together ---- */

/* Members that are for whichever provider answers: the one that the model names, or any. */
static enum err add_options(
	const struct builder *b, struct llm_request *r, struct buf *json, struct string_pair *pair)
{
	struct json_out out = json_to(json);
	if (b->options.n == 0)
		return OK;
	json_open(&out, '{');
	for (size_t i = 0; i < b->options.n; i++) {
		/* a name is any text: escaped as a string is, without its quotes */
		OWNED(buf_done) struct buf name = BUF_INIT(LIMIT_BODY_BYTES);
		struct json_out quoted = json_to(&name);
		json_put_str(&quoted, b->options.members[i].name);
		if (buf_error(&name))
			return buf_error(&name);
		json_key_raw(&out, span_of(name.p + 1, name.n - 2));
		json_put_raw(&out, b->options.members[i].json);
	}
	json_close(&out, '}');
	const size_t slash = span_index(r->model, '/');
	pair->key = slash < r->model.n ? span_first(r->model, slash) : SPAN("*");
	pair->value = buf_view(json);
	r->provider_options = pair;
	r->n_provider_options = 1;
	return buf_error(json);
}

static enum err pack_typed(struct llm_stream *s, const struct builder *b)
{
	struct llm_request request = b->request;
	OWNED(buf_done) struct buf options = BUF_INIT(LIMIT_BODY_BYTES);
	struct string_pair pair;
	request.is_stream = s->is_streaming;
	if (b->op == LLM_OP_MODELS && b->is_model_open)
		request.model = SPAN_NONE;
	const enum err err = add_options(b, &request, &options, &pair);
	if (err)
		return err;
	request_pack(&request, &s->body);
	return buf_error(&s->body);
}

static int64_t timeout_ms(const struct llm_client *c, const struct builder *b)
{
	if (b && b->timeout_ms > 0)
		return b->timeout_ms;
	return c->options.request_timeout_ms;
}

static void forget(const struct llm_stream *s, struct buf *b)
{
	if (s->is_secret)
		buf_wipe(b);
	buf_done(b);
}

/* The call frame's body: with the whole of what is asked in it, if that fits. */
static enum err pack_call(struct llm_stream *s, struct call *call)
{
	const bool is_inline = !s->is_body_later && s->body.n <= LIMIT_INLINE_BYTES;
	if (s->is_body_later)
		call->body_bytes = s->later_bytes;
	else if (is_inline)
		call->body = buf_view(&s->body);
	else
		call->body_bytes = (int64_t)s->body.n;
	if (s->is_secret && is_inline) /* growing would leave copies behind */
		buf_reserve(&s->ask, s->body.n + KIB);
	call_pack(call, &s->ask);
	s->has_body = !is_inline && !s->is_body_later;
	const enum err err = buf_error(&s->ask);
	if (is_inline)
		forget(s, &s->body);
	return err;
}

static struct llm_stream *stream_alloc(struct llm_client *c)
{
	struct llm_stream *s = mem_zeroed(sizeof *s);
	if (!s)
		return NULL;
	s->client = c;
	s->state = STREAM_WAITING;
	s->error = ERROR_NONE;
	s->failure = FAULT_NONE;
	s->retries_left = c->options.max_retries;
	s->due_ms = NEVER_MS;
	s->behalf_fd = -1;
	buf_init(&s->ask, LIMIT_FRAME_BYTES);
	buf_init(&s->body, LIMIT_BODY_BYTES);
	buf_init(&s->inbox, 4 * INBOX_BYTES);
	step_init(&s->step);
	result_init(&s->result);
	atomic_init(&s->is_cancelled, false);
	return s;
}

static enum err out_of_memory(struct fault *why)
{
	return fault_set(why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
}

static enum err too_much(enum err err, struct fault *why)
{
	if (err == ERR_TOO_BIG)
		return fault_set(why, ERR_TOO_BIG, "the request is larger than %zu MiB",
			LIMIT_BODY_BYTES / MIB);
	return out_of_memory(why);
}

static void stream_enlist(struct llm_stream *s)
{
	LIST_PUSH(s->client->streams, s);
	const int64_t now_ms = clock_ms();
	s->silent_ms = now_ms;
	s->retry_ms = now_ms;
}

static enum err fill(
	struct llm_stream *s, const struct builder *b, const struct call *made, struct fault *why)
{
	struct call call = *made;
	enum err err = OK;
	if (b->kind == CALL_TYPED)
		err = pack_typed(s, b);
	else
		buf_span(&s->body, b->body);
	if (!err)
		err = buf_error(&s->body);
	if (!err)
		err = pack_call(s, &call);
	return err ? too_much(err, why) : OK;
}

/* What an operation cannot be without is missed here, where the sentence can name the function. */
static bool has_all(const struct builder *b, struct fault *why)
{
	const struct llm_request *r = &b->request;
	if (b->kind != CALL_TYPED || b->op == LLM_OP_MODELS)
		return true;
	if ((b->op == LLM_OP_CHAT || b->op == LLM_OP_COUNT) && r->n_messages == 0)
		fault_set(why, ERR_INVALID_ARGUMENT,
			"the request has no message: add one by llm_request_user()");
	else if (r->n_messages == 0 && r->n_inputs == 0)
		fault_set(why, ERR_INVALID_ARGUMENT,
			"the request has no input: add one by llm_request_input()");
	else if (b->op == LLM_OP_RERANK && !span_is_set(r->query))
		fault_set(why, ERR_INVALID_ARGUMENT,
			"the request has no query: say it by llm_request_query()");
	return !why->err;
}

/* What goes along with the call is its own. */
static enum err take_behalf(struct llm_stream *s, const struct builder *b, struct fault *why)
{
	if (b->behalf_fd < 0)
		return OK;
	s->behalf_fd = fcntl(b->behalf_fd, F_DUPFD_CLOEXEC, 0);
	return s->behalf_fd >= 0
		       ? OK
		       : fault_set(why, ERR_IO, "the caller's pidfd cannot be duplicated: %s",
				 strerror(errno));
}

struct llm_stream *stream_new(
	struct llm_client *c, const struct builder *b, bool is_streaming, struct fault *why)
{
	if (b->why.err) {
		*why = b->why;
		return NULL;
	}
	if (!has_all(b, why))
		return NULL;
	if (b->is_body_later && !is_streaming) {
		fault_set(why, ERR_INVALID_ARGUMENT,
			"the request's body comes later, by llm_stream_body(): start it by "
			"llm_stream_start()");
		return NULL;
	}
	struct llm_stream *s = stream_alloc(c);
	if (!s) {
		out_of_memory(why);
		return NULL;
	}
	s->kind = b->kind;
	s->is_streaming = is_streaming;
	s->is_at_most_once = b->is_at_most_once;
	s->is_body_later = b->is_body_later;
	s->later_bytes = b->later_bytes;
	const int64_t limit_ms = timeout_ms(c, b);
	if (limit_ms >= 0)
		s->due_ms = clock_ms() + limit_ms + GRACE_MS;

	struct call call = CALL_INIT;
	call.kind = b->kind;
	call.op = b->op;
	call.surface = b->surface;
	call.admin_op = b->admin_op;
	call.timeout_ms = limit_ms > 0 ? limit_ms : 0;
	call.max_cost_nusd = b->max_cost_nusd;
	call.is_at_most_once = b->is_at_most_once;
	call.is_batch = b->is_batch;
	call.tags = b->tags;
	call.n_tags = b->n_tags;
	call.fallbacks = b->fallbacks;
	call.n_fallbacks = b->n_fallbacks;
	call.session = b->session;
	call.cache = b->cache;
	call.behalf.token = b->token;
	if (b->behalf_fd >= 0)
		call.behalf.fd_index = 0;
	s->is_secret = span_is_set(b->token) || b->kind == CALL_ADMIN;
	if (take_behalf(s, b, why) || fill(s, b, &call, why)) {
		stream_free(s);
		return NULL;
	}
	stream_enlist(s);
	return s;
}

struct llm_stream *stream_new_admin(
	struct llm_client *c, const struct admin_call *admin, struct fault *why)
{
	struct llm_stream *s = stream_alloc(c);
	if (!s) {
		out_of_memory(why);
		return NULL;
	}
	s->kind = CALL_ADMIN;
	s->is_secret = true; /* a key or a passphrase may be in it */
	if (c->options.request_timeout_ms >= 0)
		s->due_ms = clock_ms() + c->options.request_timeout_ms + GRACE_MS;

	struct call call = CALL_INIT;
	call.kind = CALL_ADMIN;
	call.admin_op = span_str(admin->op);
	buf_reserve(&s->body, admin->json.n + 1);
	buf_span(&s->body, admin->json);
	enum err err = buf_error(&s->body);
	if (!err)
		err = pack_call(s, &call);
	if (err) {
		too_much(err, why);
		stream_free(s);
		return NULL;
	}
	stream_enlist(s);
	return s;
}

/* What was sent is of no more use: it will not be sent again. */
static void forget_ask(struct llm_stream *s)
{
	forget(s, &s->ask);
	forget(s, &s->body);
	if (s->behalf_fd >= 0)
		close(s->behalf_fd);
	s->behalf_fd = -1;
	s->has_body = false;
}

void stream_free(struct llm_stream *s)
{
	if (!s)
		return;
	forget_ask(s);
	buf_done(&s->inbox);
	step_done(&s->step);
	result_done(&s->result);
	mem_free(s);
}

/* ---- sending ---- */

/* A small frame of the call's own. If there is no memory for it the link is in trouble anyway. */
static void put_small(struct llm_stream *s, enum frame_type type, int64_t bytes)
{
	struct buf *out = &s->link->out;
	const size_t mark = frame_begin(out, type, s->call);
	if (type == FRAME_CREDIT)
		credit_pack(bytes, out);
	else
		cancel_pack(out);
	if (frame_finish(out, mark))
		out->err = OK;
}

static bool may_send_data(const struct llm_stream *s)
{
	return s->state == STREAM_OPEN && s->body_credit > 0 && link_has_room(s->link);
}

/* What fits into one frame of the front of `bytes`, which are followed by none if `is_last`. */
static enum err put_data(
	struct llm_stream *s, struct span bytes, bool is_last, size_t *n, struct fault *why)
{
	struct buf *out = &s->link->out;
	const struct data piece = {
		.bytes = span_first(bytes, LIMIT_DATA_BYTES),
		.is_last = is_last && bytes.n <= LIMIT_DATA_BYTES,
	};
	const size_t mark = frame_begin(out, FRAME_DATA, s->call);
	data_pack(&piece, out);
	const size_t end = out->n;
	if (frame_finish(out, mark)) {
		out->err = OK; /* the frame was taken back */
		return out_of_memory(why);
	}
	s->body_credit -= (int64_t)(end - mark - 4);
	*n = piece.bytes.n;
	return OK;
}

enum err stream_send_body(struct llm_stream *s, struct fault *why)
{
	size_t n;
	while (s->has_body && may_send_data(s)) {
		const enum err err =
			put_data(s, span_skip(buf_view(&s->body), s->body_at), true, &n, why);
		if (err)
			return err;
		s->body_at += n;
		s->has_body = s->body_at < s->body.n;
	}
	return OK;
}

enum err stream_send_piece(
	struct llm_stream *s, struct span piece, bool is_last, size_t *n, struct fault *why)
{
	*n = 0;
	if (is_last && piece.n == 0) {
		s->is_body_whole = s->has_body = true;
		s->silent_ms = clock_ms();
		return s->state == STREAM_OPEN ? stream_send_body(s, why) : OK;
	}
	while (piece.n > 0 && may_send_data(s)) {
		size_t put;
		const enum err err = put_data(s, piece, is_last, &put, why);
		if (err)
			return err;
		*n += put;
		s->taken_bytes += (int64_t)put;
		piece = span_skip(piece, put);
		s->is_body_whole = is_last && piece.n == 0;
		s->silent_ms = clock_ms(); /* until now it was for the program to speak */
	}
	return OK;
}

bool stream_is_over(const struct llm_stream *s)
{
	return s->state == STREAM_OVER || s->state == STREAM_ENDED;
}

bool stream_wants_body(const struct llm_stream *s)
{
	return s->is_body_later && !s->is_body_whole && !s->has_event && !stream_is_over(s);
}

bool stream_is_offered_room(const struct llm_stream *s)
{
	return s->is_body_short && (stream_is_over(s) || may_send_data(s));
}

enum err stream_send(struct llm_stream *s, struct link *l, struct fault *why)
{
	if (s->is_secret)
		link_expect_secret(l, s->ask.n + KIB);
	const uint64_t mark = link_mark(l);
	if (s->behalf_fd >= 0 && !link_attach(l, &s->behalf_fd, 1))
		return fault_set(why, ERR_IO, "the caller's pidfd cannot be duplicated: %s",
			strerror(errno));
	const enum err err = frame_put(&l->out, FRAME_CALL, l->last_call + 1, buf_view(&s->ask));
	if (err) {
		l->out.err = OK; /* the frame was taken back */
		return out_of_memory(why);
	}
	if (!link_bind(l, mark)) {
		buf_cut(&l->out, l->out.n - (size_t)(link_mark(l) - mark));
		return out_of_memory(why);
	}
	s->link = l;
	s->call = ++l->last_call;
	s->mark = mark;
	s->state = STREAM_OPEN;
	s->n_tries++;
	s->body_at = 0;
	s->body_credit = l->credit_bytes;
	s->has_body = s->body.n > 0 || s->is_body_whole; /* one of no bytes has a last piece, too */
	s->silent_ms = clock_ms();
	l->n_open++;
	if (s->is_body_short) /* its program waits for this, wherever it does */
		client_poke(s->client);
	const enum err late = stream_send_body(s, why);
	if (late)
		put_small(s, FRAME_CANCEL, 0);
	return late;
}

/* ---- receiving ---- */

static void drop_inbox(struct llm_stream *s)
{
	buf_done(&s->inbox);
	s->inbox_at = 0;
}

static void leave_link(struct llm_stream *s)
{
	s->link = NULL;
	s->call = 0;
}

static int64_t backoff_ms(const struct llm_stream *s)
{
	int64_t wait_ms = FIRST_WAIT_MS;
	for (int i = 1; i < s->n_tries && wait_ms < LAST_WAIT_MS; i++)
		wait_ms *= 2;
	return wait_ms + clock_ms() % FIRST_WAIT_MS; /* not all at once */
}

/* Back to where it waits for a connection. */
static void try_again(struct llm_stream *s, int64_t now_ms)
{
	leave_link(s);
	drop_inbox(s);
	s->retries_left--;
	s->state = STREAM_WAITING;
	s->retry_ms = now_ms + backoff_ms(s);
	s->owed_bytes = 0;
	s->has_event = false;
}

/* The broker says that nothing was sent: the call may go to the next one, unless the program has seen
 * some of an answer. */
static bool may_follow_restart(const struct llm_stream *s, const struct fault *fault)
{
	return fault->err == ERR_RESTARTING && !s->has_content && s->retries_left > 0 &&
	       s->ask.n > 0 && s->taken_bytes == 0;
}

/* Why what would be sent again is not. */
static void tell_of_pieces(const struct llm_stream *s, struct fault *told)
{
	const size_t n = strlen(told->message);
	if (s->taken_bytes > 0)
		(void)snprintf(told->message + n, sizeof told->message - n,
			"; its body came in pieces, which are not kept, so that the call was not "
			"sent again");
}

static enum err receive_fault(
	struct llm_stream *s, const struct frame *f, int64_t now_ms, struct fault *why)
{
	struct llm_event e;
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, 64 * KIB);
	const enum err err = event_unpack(FRAME_FAULT, f->body, &arena, &e, why);
	if (err)
		return err;
	if (may_follow_restart(s, e.fault)) {
		if (s->link->state == LINK_UP)
			s->link->state = LINK_LEAVING;
		try_again(s, now_ms);
		return OK;
	}
	s->failure = *e.fault;
	if (s->failure.err == ERR_RESTARTING && !s->has_content)
		tell_of_pieces(s, &s->failure);
	s->state = STREAM_OVER;
	leave_link(s);
	forget_ask(s);
	return OK;
}

static bool is_content(const struct frame *f)
{
	struct llm_event e;
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, LIMIT_FRAME_BYTES * 4);
	if (f->type != FRAME_EVENT)
		return f->type != FRAME_END;
	return event_unpack(FRAME_EVENT, f->body, &arena, &e, NULL) == OK &&
	       event_is_content(e.type);
}

static enum err keep(struct llm_stream *s, const struct frame *f, struct fault *why)
{
	const struct inbox_head head = {
		(uint32_t)f->type, (uint32_t)f->raw.n, f->type == FRAME_END ? 0 : f->length};
	if (s->inbox.n - s->inbox_at > INBOX_BYTES && head.cost > 0)
		return fault_set(why, ERR_PROTOCOL,
			"the broker sent more of call %" PRIu32 " than it was given credit for",
			s->call);
	if (s->inbox_at == s->inbox.n)
		s->inbox_at = s->inbox.n = 0;
	/* both or neither: half a frame would be read */
	if (!buf_reserve(&s->inbox, sizeof head + f->raw.n))
		return out_of_memory(why);
	buf_put(&s->inbox, &head, sizeof head);
	buf_span(&s->inbox, f->raw);
	return OK;
}

enum err stream_receive(
	struct llm_stream *s, const struct frame *f, int64_t now_ms, struct fault *why)
{
	int64_t bytes = 0;
	enum err err;

	s->silent_ms = now_ms;
	switch ((enum frame_type)f->type) {
	case FRAME_CREDIT:
		err = credit_unpack(f->body, &bytes, why);
		if (err)
			return err;
		if (bytes > (int64_t)LIMIT_CREDIT_MAX_BYTES - s->body_credit)
			return fault_set(why, ERR_PROTOCOL, "the broker gave too much credit");
		s->body_credit += bytes;
		return stream_send_body(s, why);
	case FRAME_FAULT:
		s->link->n_open--;
		return receive_fault(s, f, now_ms, why);
	case FRAME_END:
		s->link->n_open--;
		err = keep(s, f, why);
		s->state = STREAM_OVER;
		leave_link(s);
		forget_ask(s);
		return err;
	case FRAME_DATA:
	case FRAME_HEAD:
	case FRAME_EVENT:
		s->has_event = true;
		if (!s->has_content && is_content(f)) {
			s->has_content = true;
			if (!s->has_body)
				forget_ask(s);
		}
		return keep(s, f, why);
	case FRAME_HELLO:
	case FRAME_WELCOME:
	case FRAME_CALL:
	case FRAME_CANCEL:
	case FRAME_GOAWAY:
		break;
	}
	return fault_set(why, ERR_PROTOCOL, "the broker sent a frame of type %d (%s) for a call",
		f->type, frame_name(f->type));
}

/* ---- ends ---- */

static void fail(struct llm_stream *s, const struct fault *why)
{
	s->failure = *why;
	s->failure.is_partial = s->has_content;
	s->state = STREAM_OVER;
	leave_link(s);
	forget_ask(s);
}

static bool is_broken(const struct fault *why)
{
	return why->err == ERR_IO || why->err == ERR_RESTARTING;
}

void stream_unwelcome(struct llm_stream *s, const struct fault *why, int64_t now_ms)
{
	if (s->state != STREAM_WAITING || now_ms < s->retry_ms)
		return;
	s->n_tries++;
	if (is_broken(why) && s->retries_left > 0)
		try_again(s, now_ms);
	else
		fail(s, why);
}

void stream_lost(struct llm_stream *s, const struct fault *why, int64_t now_ms)
{
	const bool was_sent = s->link && s->link->n_sent > s->mark;
	struct fault told = *why;

	if (s->state != STREAM_OPEN && s->state != STREAM_WAITING)
		return;
	if (s->state == STREAM_OPEN && is_broken(why) && !s->has_event && s->ask.n > 0 &&
		s->retries_left > 0 && s->taken_bytes == 0 && !(s->is_at_most_once && was_sent)) {
		try_again(s, now_ms);
		return;
	}
	if (s->state == STREAM_OPEN && why->err == ERR_IO && stream_wants_body(s))
		fault_set(&told, ERR_IO, "%s before the call's body was whole", why->message);
	else if (s->state == STREAM_OPEN && why->err == ERR_IO && was_sent)
		fault_set(&told, ERR_IO,
			"%s%s; the broker's ledger says what became of the call: `llmb usage`",
			why->message,
			s->has_content ? " in the middle of the answer"
				       : " before the answer began");
	if (s->state == STREAM_OPEN && is_broken(why) && !s->has_event)
		tell_of_pieces(s, &told);
	fail(s, &told);
}

void stream_stop(struct llm_stream *s, const struct fault *why)
{
	struct link *l = s->link;
	if (s->state == STREAM_ENDED)
		return;
	if (l && s->state == STREAM_OPEN) {
		put_small(s, FRAME_CANCEL,
			0); /* the broker's answer to it is nobody's, and passed over */
		fail(s, why);
		client_flush(s->client, l);
	} else {
		fail(s, why);
	}
	drop_inbox(s);
}

void stream_heed_cancel(struct llm_stream *s)
{
	struct fault why;
	if (!atomic_load(&s->is_cancelled))
		return;
	fault_set(&why, ERR_CANCELLED, "%s", err_info(ERR_CANCELLED)->sentence);
	stream_stop(s, &why);
}

/* ---- time ---- */

static int64_t silence_due_ms(const struct llm_stream *s)
{
	if (s->state != STREAM_OPEN || !s->is_streaming || s->inbox.n > s->inbox_at)
		return NEVER_MS;
	if (stream_wants_body(s) && !(s->is_body_short && !may_send_data(s)))
		return NEVER_MS; /* the silence is the program's */
	return clock_due_ms(s->silent_ms, s->client->options.idle_timeout_ms);
}

/* Then the connection has a time of its own. */
static bool is_connecting(const struct llm_client *c)
{
	return c->is_dialling || (c->link && c->link->state == LINK_GREETING);
}

int64_t stream_due_ms(const struct llm_stream *s)
{
	if (s->state != STREAM_WAITING && s->state != STREAM_OPEN)
		return NEVER_MS;
	int64_t due_ms = s->due_ms;
	const int64_t silence_ms = silence_due_ms(s);
	if (silence_ms < due_ms)
		due_ms = silence_ms;
	if (s->state == STREAM_WAITING && !is_connecting(s->client) && s->retry_ms < due_ms)
		due_ms = s->retry_ms;
	return due_ms;
}

void stream_check_time(struct llm_stream *s, int64_t now_ms)
{
	struct fault why;
	if (s->state != STREAM_WAITING && s->state != STREAM_OPEN)
		return;
	if (now_ms >= s->due_ms) {
		fault_set(&why, ERR_TIMEOUT, "no whole answer within the time that was given");
		stream_stop(s, &why);
	} else if (now_ms >= silence_due_ms(s)) {
		fault_set(&why, ERR_TIMEOUT, "no event within %d ms",
			s->client->options.idle_timeout_ms);
		stream_stop(s, &why);
	}
}

/* ---- what the program sees ---- */

bool stream_is_readable(const struct llm_stream *s)
{
	return s->inbox.n > s->inbox_at || s->state == STREAM_OVER;
}

static int end_with(struct llm_stream *s, const struct fault *why)
{
	s->state = STREAM_ENDED;
	error_set(&s->error, why);
	if (why->err)
		client_fail(s->client, why);
	return s->error.code;
}

/* Gives back as credit what the program has used up, half a window at a time. */
static void give_credit(struct llm_stream *s, uint32_t cost)
{
	s->owed_bytes += cost;
	if (s->owed_bytes < CREDIT_BYTES / 2 || s->state != STREAM_OPEN)
		return;
	put_small(s, FRAME_CREDIT, s->owed_bytes);
	s->owed_bytes = 0;
	client_flush(s->client, s->link);
}

/* Takes the first frame out of the inbox and reads it into the step. */
static enum err read_step(struct llm_stream *s, struct fault *why)
{
	struct inbox_head head;
	memcpy(&head, s->inbox.p + s->inbox_at, sizeof head);
	const struct span body = span_of(s->inbox.p + s->inbox_at + sizeof head, head.n);
	const enum err err = step_read(&s->step, (int)head.type, body, why);
	s->silent_ms = clock_ms(); /* a program that takes its time is not the broker's silence */
	s->inbox_at += sizeof head + head.n;
	if (s->inbox_at > INBOX_BYTES / 2) {
		buf_drop(&s->inbox, s->inbox_at);
		s->inbox_at = 0;
	}
	if (!err || err == ERR_MORE)
		give_credit(s, head.cost);
	if (err)
		return err;
	return result_add(&s->result, &s->step, s->kind == CALL_ADMIN, why);
}

int stream_take(struct llm_stream *s, const llm_event **ev)
{
	for (;;) {
		struct fault why = FAULT_NONE;
		if (s->state == STREAM_ENDED)
			return s->error.code;
		if (s->inbox_at == s->inbox.n)
			return s->state == STREAM_OVER ? end_with(s, &s->failure) : LLM_E_AGAIN;
		const enum err err = read_step(s, &why);
		if (err == ERR_MORE)
			continue;
		if (err) {
			stream_stop(s, &why);
			return end_with(s, &why);
		}
		if (public_type(s->step.event.type) == LLM_EV_NONE)
			continue;
		*ev = &s->step.event;
		return 1;
	}
}
