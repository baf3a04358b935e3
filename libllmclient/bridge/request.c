/* request.c - small bodies go in one piece, so that the library may send them again where the broker is just starting. */
#include "libllmclient/bridge/request.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>

#include "libllmclient/bridge/answer.h"
#include "libllmclient/bridge/asked.h"
#include "libllmclient/bridge/entry.h"
#include "libllmclient/bridge/head.h"
#include "libllmclient/bridge/place.h"
#include "protocol/base/list.h"

#define KIB          ((size_t)1024)
#define MIB          (1024 * KIB)
#define UNWANTED_MAX (256 * MIB) /* of a refused body that are read before it is told */
#define SMALL_MAX    (128 * KIB) /* a body that is gathered */
#define GATHERED_MAX (256 * MIB) /* of all together */
#define WHOLE_MAX    (256 * KIB) /* an answer that is no stream and longer goes out as it comes */
#define BEHIND_S     1.0
#define WINDOW_BYTES (512 * KIB) /* of one that does, what the library may take for it */
#define UNREAD_S     10.0        /* after which it is in the way */
#define BODY_S       75.0 /* that a body may take, and a second more for so many of its bytes: */
#define BODY_BYTES_S KIB

enum state {
	NEW,
	BODY,  /* it comes */
	SENT,  /* the broker's head is waited for, or all of an answer that is no stream */
	READY, /* to be told */
	TOLD,  /* is being told */
};

struct request {
	struct request *prev, *next; /* of bridge->told */
	struct bridge *bridge;
	const struct caller *who;
	char *target;
	struct place place;
	enum state state;
	struct MHD_Connection *http;
	bool is_suspended;

	struct line *line;
	struct asked asked;
	bool is_counted;    /* among those in which nobody is named */
	llm_stream *stream; /* NULL: not begun, or gone */
	bool is_small;
	struct buf body;       /* a small one */
	int64_t body_bytes;    /* that have come so far */
	size_t unwanted_bytes; /* and of them, those that came after it was refused */
	double began;          /* the loop's time, of the body */

	struct answer answer;
	const char *piece; /* of the stream's last event, not told yet */
	size_t n_piece;
	bool is_over, is_broken; /* all has come; or nothing more does */
	bool is_failed;          /* the broker had a fault to say at its end */
	size_t held_bytes;       /* of bridge->held_bytes */
	double held_since;       /* the loop's time */
	bool is_told;            /* it is in bridge->told, */
	double told_at;          /* since then */
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
	place_find(span_str(r->target), &r->place);
	answer_init(&r->answer, &r->place);
	return r;
}

/* So much is there of its answer that is not told. */
static void hold(struct request *r, size_t bytes)
{
	if (r->held_bytes == 0)
		r->held_since = ev_now(r->bridge->loop);
	r->bridge->held_bytes += bytes - r->held_bytes;
	r->held_bytes = bytes;
}

static void leave_told(struct request *r)
{
	if (r->is_told)
		LIST_REMOVE(r->bridge->told, r);
	r->is_told = false;
}

/* Something of a stream goes to its reader, who comes back for more at once, or is behind. */
static void enter_told(struct request *r)
{
	leave_told(r);
	r->told_at = ev_now(r->bridge->loop);
	r->is_told = true;
	LIST_PUSH(r->bridge->told, r);
}

/* Behind whoever has not come back for so long more may have gathered. */
static void count_behind(struct bridge *b)
{
	struct request *r;
	while ((r = b->told) && ev_now(b->loop) - r->told_at > BEHIND_S) {
		leave_told(r);
		hold(r, r->answer.whole.cap + WINDOW_BYTES);
	}
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
	llm_request_free(r->asked.call);
	r->asked.call = NULL;
	r->bridge->n_unnamed -= r->is_counted;
	r->is_counted = false;
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
	leave_told(r);
	hold(r, 0);
	answer_done(&r->answer);
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

/* ---- its end ---- */

static void end(struct request *r)
{
	r->is_over = true;
	r->is_broken = false;
	r->state = READY;
}

/* `status` 0: that of the class. */
static void refuse(struct request *r, enum err err, int status, const char *message)
{
	answer_refuse(&r->answer, err, status, message);
	end(r);
}

static void refuse_as_told(struct request *r, const llm_error *e)
{
	answer_refuse_as_told(&r->answer, e);
	end(r);
}

/* ---- what comes from the broker ---- */

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
		r->is_failed = got < 0;
		r->is_broken = got < 0 && is_own(llm_stream_error(r->stream));
		return false;
	}
	if (llm_event_type_of(ev) == LLM_EV_HEAD)
		answer_head(&r->answer, ev);
	else if (llm_event_type_of(ev) == LLM_EV_RAW)
		r->piece = llm_event_detail(ev, &r->n_piece);
	return true;
}

/* An answer that is no stream is told when all of it is there, or too much to keep. */
static void gather(struct request *r)
{
	struct answer *a = &r->answer;
	while (r->state == SENT && take(r)) {
		if (a->is_stream) {
			r->state = READY;
			return;
		}
		buf_put(&a->whole, r->piece, r->n_piece);
		hold(r, a->whole.cap);
		r->n_piece = 0;
		if (a->whole.n > WHOLE_MAX &&
			r->place.kind != PLACE_METRICS) { /* from here on it is told as it comes */
			a->is_stream = true;
			r->piece = a->whole.p;
			r->n_piece = a->whole.n;
			r->state = READY;
			return;
		}
	}
	if (!r->is_over)
		return;
	if (r->place.kind == PLACE_METRICS && !r->is_failed) {
		answer_metrics(a);
		hold(r, a->whole.cap);
	} else if (a->status == 0 || r->is_broken) {
		refuse_as_told(r, llm_stream_error(r->stream));
	} else {
		answer_cost(a, llm_result_usage(llm_stream_result(r->stream)));
	}
	let_go(r); /* others can use the line while it is told */
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
	/* where there may be more than is taken at once its reader may be behind */
	const bool is_all = r->is_over && r->n_piece == 0;
	hold(r, n == max && !is_all ? r->answer.whole.cap + WINDOW_BYTES : 0);
	if (n > 0 && n < max && !is_all)
		enter_told(r);
	else
		leave_told(r);
	if (r->is_over && r->n_piece == 0)
		let_go(r); /* others can use the line while the rest goes out */
	if (n > 0)
		return (ssize_t)n;
	if (r->is_broken || (!r->stream && !r->is_over))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (r->is_over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	buf_done(&r->answer.whole); /* what was gathered before it became a stream is told */
	suspend(r);
	return 0;
}

static enum MHD_Result tell(struct request *r)
{
	assert(r->state == READY);
	r->state = TOLD;
	return answer_tell(&r->answer, r->http, tell_stream, r);
}

static void on_line(void *context)
{
	struct request *r = context;
	if (r->state == SENT) {
		gather(r);
		if (r->line)
			line_touch(r->line); /* what was read is given back as credit */
	}
	if (r->state == TOLD && r->is_suspended && r->n_piece == 0 && !take(r) && !r->is_over)
		return; /* nothing yet */
	if (r->state != SENT)
		resume(r); /* also one whose body waits for room */
}

/* ---- what comes from the caller ---- */

/* Of those that are nobody's to the broker there is a bound here. False: it is one too many, which is told. */
static bool count(struct request *r)
{
	struct bridge *b = r->bridge;
	struct fault why = FAULT_NONE;
	if (r->asked.is_named || b->is_for_one)
		return true;
	if (b->n_unnamed < BRIDGE_UNNAMED_MAX) {
		b->n_unnamed++;
		r->is_counted = true;
		return true;
	}
	fault_set(&why, ERR_OVERLOADED,
		"%u requests of programs that are not told apart are in flight: one that comes by "
		"the Unix socket, or shows an app token (`llmb token new APP`), has room of its "
		"own",
		b->n_unnamed);
	refuse(r, why.err, 0, why.message);
	return false;
}

static void start(struct request *r)
{
	if (!count(r))
		return;
	r->line = line_take(r->bridge->lines, on_line, r);
	if (r->line)
		r->stream = llm_stream_start(line_client(r->line), r->asked.call);
	if (!r->line)
		refuse(r, ERR_NO_MEMORY, 0, "");
	else if (!r->stream)
		refuse_as_told(r, llm_last_error(line_client(r->line)));
	if (r->line)
		line_touch(r->line);
}

/* False: it is not let in, which is told. */
static bool enter(struct request *r, const char *method)
{
	struct fault why = FAULT_NONE;
	int status = 0;
	const struct span origin = head_span(r->http, "origin");
	if (entry_admit(r->bridge, r->who, r->http, &why)) {
		refuse(r, why.err, MHD_HTTP_FORBIDDEN, why.message);
		return false;
	}
	answer_let_read(&r->answer, origin);
	if (!entry_check(&r->place, r->http, method, &status, &why))
		return true;
	refuse(r, why.err, status, why.message);
	return false;
}

static void begin(struct request *r, const char *method)
{
	struct fault why = FAULT_NONE;
	int status = 0;
	const int64_t n = head_body_bytes(r->http);
	const char *type = head_text(r->http, "content-type");
	const bool is_head = strcmp(method, "HEAD") == 0;
	r->began = ev_now(r->bridge->loop);
	if (head_text(r->http, "x-goog-api-key") || head_text(r->http, "x-goog-api-client"))
		place_speak_gemini(&r->place);
	if (r->place.kind == PLACE_METRICS && !r->bridge->has_metrics)
		r->place.kind = PLACE_NOWHERE;
	if (!enter(r, method))
		return;
	if (r->place.kind == PLACE_HEALTH || entry_is_preflight(r->http, method)) {
		answer_health(&r->answer, r->http, method);
		end(r);
		return;
	}
	if (r->place.kind == PLACE_METRICS && head_has_body(r->http)) {
		refuse(r, ERR_INVALID_REQUEST, 0, "this is asked for without a body");
		return;
	}
	if (asked_make(r->bridge, r->who, &r->place, r->http, is_head ? "GET" : method, &r->asked,
		    &status, &why)) {
		refuse(r, why.err, status, why.message);
		return;
	}
	count_behind(r->bridge);
	if (r->bridge->held_bytes >= BRIDGE_HELD_MAX) {
		refuse(r, ERR_OVERLOADED, 0,
			"too many answers are not read by those who asked: try again soon");
		return;
	}
	r->state = BODY;
	r->is_small = !head_has_body(r->http) || (n >= 0 && n <= (int64_t)SMALL_MAX);
	if (r->is_small)
		return;
	(void)llm_relay_body_later(r->asked.call, type ? type : "application/json", n);
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
	const char *type = head_text(r->http, "content-type");
	if (r->is_small) {
		if (r->body.n > 0)
			(void)llm_relay_body(r->asked.call, type ? type : "application/json",
				r->body.p, r->body.n);
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
	return head_has_body(r->http) && (r->who->refused.err || head_text(r->http, "expect"));
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

bool request_is_in_the_way(const struct request *r)
{
	count_behind(r->bridge);
	return r->bridge->held_bytes >= BRIDGE_HELD_MAX && r->held_bytes > 0 &&
	       ev_now(r->bridge->loop) - r->held_since > UNREAD_S;
}
