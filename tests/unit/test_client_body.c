/* test_client_body.c - does a body that comes piece by piece arrive whole, and what if it does not? */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/fake_client.h"

/* Only this thread's memory is counted: the fake broker has the same library in it. */
static _Thread_local bool is_counted;
static size_t live_bytes, most_bytes;

union block {
	size_t n;
	max_align_t align;
};

static void *count_memory(void *p, size_t n, void *arg)
{
	(void)arg;
	union block *old = p ? (union block *)p - 1 : NULL;
	const size_t before = old ? old->n : 0;
	if (n == 0) {
		if (is_counted)
			live_bytes -= before;
		free(old);
		return NULL;
	}
	union block *block = realloc(old, sizeof *block + n);
	if (!block)
		return NULL;
	block->n = n;
	if (is_counted) {
		live_bytes += n - before;
		most_bytes = live_bytes > most_bytes ? live_bytes : most_bytes;
	}
	return block + 1;
}

static char byte_at(size_t i)
{
	return (char)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static char *bytes_of(size_t n)
{
	char *bytes = malloc(n ? n : 1);
	if (!bytes)
		bail("no memory");
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(i);
	return bytes;
}

static llm_request *relay_of(int64_t length)
{
	llm_request *r = llm_relay_new("openai.chat", "POST", NULL, NULL);
	if (!r || llm_relay_body_later(r, NULL, length) != LLM_OK)
		bail("no request");
	return r;
}

static llm_stream *start(llm_client *c, int64_t length)
{
	llm_request *r = relay_of(length);
	llm_stream *s = llm_stream_start(c, r);
	llm_request_free(r);
	if (!s)
		bail("no stream: %s", llm_error_message(llm_last_error(c)));
	return s;
}

static llm_client *nonblocking_for(const struct fake_broker *b)
{
	llm_options o = options_for(b);
	o.flags = LLM_F_NONBLOCK;
	return client_with(&o);
}

/* One turn of a program's loop; false: nothing has happened for long. */
static bool turn(llm_client *c)
{
	struct pollfd fd = {.fd = llm_client_fd(c), .events = POLLIN};
	const int timeout_ms = llm_client_timeout_ms(c);
	const bool is_late = timeout_ms < 0 || timeout_ms > 5000;
	const int n = poll(&fd, 1, is_late ? 5000 : timeout_ms);
	return llm_client_process(c) >= 0 && (n > 0 || !is_late);
}

/* ---- it arrives ---- */

static void say_raw(struct fake_to to, int status, const char *text)
{
	struct llm_event head = {.type = EV_HEAD, .head = {.status = status}};
	const struct llm_event raw = {.type = EV_RAW, .text = span_str(text)};
	fake_event(to, &head);
	fake_event(to, &raw);
}

/* What came, and how it was announced. */
static void told_script(struct fake_call *c, void *arg)
{
	(void)arg;
	char text[200];
	size_t n_wrong = 0;
	for (size_t i = 0; i < c->body.n; i++)
		n_wrong += c->body.p[i] != byte_at(i);
	snprintf(text, sizeof text, "kind %d, %.*s, %" PRId64 "%s: %zu bytes, %zu wrong",
		(int)c->call.kind, SPAN_ARG(c->call.surface.content_type), c->call.body_bytes,
		span_is_set(c->call.body) ? " and inline" : "", c->body.n, n_wrong);
	say_raw(c->to, 200, text);
	const struct llm_event end = {
		.type = EV_END, .end = {.usage = USAGE_UNKNOWN, .ttft_us = -1}
        };
	fake_event(c->to, &end);
}

/* Reads the answer to its end: its bytes. In `text`, of 256. */
static int answer_of(llm_stream *s, char *text)
{
	const llm_event *ev;
	int got;
	size_t n = 0;
	text[0] = '\0';
	while ((got = llm_stream_next(s, &ev)) > 0) {
		if (llm_event_type_of(ev) == LLM_EV_RAW && n < 256)
			n += (size_t)snprintf(text + n, 256 - n, "%s", llm_event_detail(ev, NULL));
	}
	return got;
}

/* How a program has its pieces: the next one's size. */
static size_t some(unsigned *seed, size_t left)
{
	*seed = *seed * 1103515245u + 12345u;
	const size_t most = (*seed >> 8) % 5 == 0 ? 300000 : 5000;
	const size_t n = (*seed >> 12) % most;
	return n < left ? n : left;
}

static const struct {
	const char *name;
	size_t n;
	bool is_native, is_announced, is_last_empty;
	const char *want;
} bodies[] = {
	{"a small one",             100,     false, true,  false,
         "kind 1, application/json, 100: 100 bytes, 0 wrong"                                                     },
	{"of a length nobody said", 100,     false, false, false,
         "kind 1, application/json, -1: 100 bytes, 0 wrong"                                                      },
	{"a native one",            100,     true,  false, true,
         "kind 2, application/json, -1: 100 bytes, 0 wrong"                                                      },
	{"of no bytes",             0,       false, true,  true,  "kind 1, application/json, 0: 0 bytes, 0 wrong"},
	{"of no bytes, unsaid",     0,       true,  false, true,
         "kind 2, application/json, -1: 0 bytes, 0 wrong"                                                        },
	{"over any window",         3000001, false, true,  false,
         "kind 1, application/json, 3000001: 3000001 bytes, 0 wrong"                                             },
	{"over any window, unsaid", 3000001, true,  false, true,
         "kind 2, application/json, -1: 3000001 bytes, 0 wrong"                                                  },
};

static llm_stream *start_row(llm_client *c, size_t i)
{
	llm_request *r = bodies[i].is_native ? llm_native_new("openai", "POST", "/v1/files", NULL)
					     : llm_relay_new("openai.chat", "POST", NULL, NULL);
	(void)llm_relay_body_later(r, NULL, bodies[i].is_announced ? (int64_t)bodies[i].n : -1);
	llm_stream *s = llm_stream_start(c, r);
	llm_request_free(r);
	if (!s)
		bail("no stream: %s", llm_error_message(llm_last_error(c)));
	return s;
}

static void whole_bodies(int64_t credit_bytes)
{
	const struct fake_options o = {.script = told_script, .credit_bytes = credit_bytes};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		char *bytes = bytes_of(bodies[i].n), text[256];
		unsigned seed = 7;
		size_t at = 0, n_short = 0;
		llm_stream *s = start_row(c, i);
		while (at < bodies[i].n) {
			const size_t n = some(&seed, bodies[i].n - at);
			const bool is_last = at + n == bodies[i].n && !bodies[i].is_last_empty;
			n_short += llm_stream_body(s, bytes + at, n, is_last) != (int64_t)n;
			at += n;
		}
		if (bodies[i].is_last_empty)
			is_int(llm_stream_body(s, NULL, 0, 1), 0, "%s: the end", bodies[i].name);
		is_uint(n_short, 0, "%s: a client that may wait takes all", bodies[i].name);
		is_int(answer_of(s, text), 0, "%s: answered", bodies[i].name);
		is_str(text, bodies[i].want, "%s: arrives", bodies[i].name);
		llm_stream_free(s);
		free(bytes);
	}
	llm_client_free(c);
	fake_stop(b);
}

/* In a loop, by its descriptor or by llm_client_wait(). The first offer comes before there is a connection. */
static void bodies_in_a_loop(int64_t credit_bytes, bool is_waiting)
{
	const struct fake_options o = {.script = told_script, .credit_bytes = credit_bytes};
	struct fake_broker *b = fake_start(&o);
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		llm_client *c = nonblocking_for(b);
		char *bytes = bytes_of(bodies[i].n);
		unsigned seed = 7;
		size_t at = 0, n_none = 0, turns = 0;
		bool is_over = false, is_alive = true;
		llm_stream *s = start_row(c, i);
		is_int(llm_stream_body(
			       s, bytes, bodies[i].n, !bodies[i].is_last_empty && bodies[i].n > 0),
			0, "%s: nothing is taken at first", bodies[i].name);
		while (!is_over && is_alive) {
			for (;;) {
				const size_t n = some(&seed, bodies[i].n - at);
				const bool is_last = at + n == bodies[i].n &&
						     (n == 0 || !bodies[i].is_last_empty) &&
						     (n > 0 || bodies[i].is_last_empty);
				const int64_t took = llm_stream_body(s, bytes + at, n, is_last);
				n_none += took == 0 && n > 0;
				at += (size_t)took;
				is_over = is_last && took == (int64_t)n;
				if (is_over || took < (int64_t)n)
					break;
			}
			if (!is_over) {
				is_alive = is_waiting ? llm_client_wait(c, 5000) == 1 : turn(c);
				turns++;
			}
		}
		ok(is_alive, "%s: it is told when to come again", bodies[i].name);
		const llm_event *ev;
		int got;
		while ((got = llm_stream_next(s, &ev)) == LLM_E_AGAIN && turn(c))
			continue;
		is_int(got, 1, "%s: a head", bodies[i].name);
		while ((got = llm_stream_next(s, &ev)) == LLM_E_AGAIN && turn(c))
			continue;
		is_str(got == 1 ? llm_event_detail(ev, NULL) : "", bodies[i].want, "%s: arrives",
			bodies[i].name);
		if (credit_bytes == 0)
			ok(turns < 600, "%s: in %zu turns, %zu without a byte", bodies[i].name,
				turns, n_none);
		llm_client_free(c);
		free(bytes);
	}
	fake_stop(b);
}

/* ---- what is held meanwhile ---- */

#define PIECE_BYTES 100000

struct gate {
	atomic_bool is_shut;
};

/* A broker that reads nothing while the gate is shut. */
static bool at_gate(struct fake_call *c, void *arg)
{
	struct gate *g = arg;
	(void)c;
	while (atomic_load(&g->is_shut))
		poll(NULL, 0, 1);
	return false;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Offers pieces until `most` were taken, or, once `least` were, for a while none is. */
static int64_t push(llm_client *c, llm_stream *s, const char *piece, int64_t least, int64_t most)
{
	int64_t taken = 0, since_ms = now_ms();
	while (taken < most && now_ms() - since_ms < (taken < least ? 10000 : 100)) {
		const int64_t took = llm_stream_body(s, piece, PIECE_BYTES, 0);
		if (took < 0)
			return took;
		taken += took;
		if (took > 0)
			since_ms = now_ms();
		if (took < PIECE_BYTES) {
			struct pollfd fd = {.fd = llm_client_fd(c), .events = POLLIN};
			poll(&fd, 1, 5);
			llm_client_process(c);
		}
	}
	return taken;
}

static void held_by_credit(void)
{
	const struct fake_options o = {.is_stingy = true};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = nonblocking_for(b);
	llm_stream *s = start(c, -1);
	char *piece = bytes_of(PIECE_BYTES);
	const int64_t took = push(c, s, piece, 250000, 40 * (int64_t)MIB);
	ok(took > 250000 && took < (int64_t)(LIMIT_CREDIT_BYTES + LIMIT_DATA_BYTES),
		"without credit nothing more is taken: %" PRId64, took);
	free(piece);
	llm_client_free(c);
	fake_stop(b);
}

static void held_by_the_socket(void)
{
	struct gate gate = {.is_shut = true};
	const struct fake_options o = {.piece = at_gate,
		.arg = &gate,
		.credit_bytes = LIMIT_CREDIT_MAX_BYTES,
		.is_stingy = true};
	struct fake_broker *b = fake_start(&o);
	char *piece = bytes_of(PIECE_BYTES);
	is_counted = true;
	live_bytes = most_bytes = 0;
	llm_client *c = nonblocking_for(b);
	llm_stream *s = start(c, -1);
	const int64_t took = push(c, s, piece, 250000, 40 * (int64_t)MIB);
	ok(took > (int64_t)(256 * KIB) && took < (int64_t)(2 * MIB),
		"all the credit there is, and a socket that is full: %" PRId64, took);
	atomic_store(&gate.is_shut, false);
	const int64_t rest = push(c, s, piece, 50 * (int64_t)MIB, 50 * (int64_t)MIB);
	ok(rest >= 50 * (int64_t)MIB, "then it goes on: %" PRId64, rest);
	ok(most_bytes < 2 * MIB, "and never more than a piece or so is held: %zu", most_bytes);
	llm_client_free(c);
	is_uint(live_bytes, 0, "nothing stays");
	is_counted = false;
	free(piece);
	fake_stop(b);
}

/* ---- it is refused meanwhile ---- */

static bool refusing(struct fake_call *c, void *arg)
{
	(void)arg;
	if (c->body.n < MIB)
		return false;
	say_raw(c->to, 413, "{\"error\":\"enough\"}");
	fake_fault(c->to, ERR_TOO_BIG, "enough of it");
	return true;
}

static void refused(bool is_waiting)
{
	const struct fake_options o = {.piece = refusing};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = is_waiting ? client_for(b) : nonblocking_for(b);
	llm_stream *s = start(c, 20 * (int64_t)MIB);
	const size_t n = 20 * MIB;
	char *bytes = bytes_of(n), text[256] = "";
	bool is_alive = true;
	for (size_t at = 0; at < n && is_alive;) {
		const size_t most = n - at < 300000 ? n - at : 300000;
		const int64_t took = llm_stream_body(s, bytes + at, most, at + most == n);
		at += took > 0 ? (size_t)took : 0;
		is_alive = took == (int64_t)most || (!is_waiting && took >= 0 && turn(c));
	}
	ok(is_alive, "what nobody wants is taken all the same");
	is_int(answer_of(s, text), LLM_E_REQUEST, "and its end says why");
	is_str(text, "{\"error\":\"enough\"}", "after the answer");
	is_str(llm_error_message(llm_stream_error(s)), "enough of it", "in a sentence");
	is_int(llm_stream_body(s, "x", 1, 0), LLM_E_INVAL, "nothing comes after the last piece");
	ok(fake_pieces(b) < 40, "most of it was not sent: %d pieces", fake_pieces(b));
	is_int(fake_cancels(b), 0, "nor cancelled");
	free(bytes);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- it is not as long as was said ---- */

static void wrong_lengths(void)
{
	static const struct {
		const char *name;
		int64_t length;
		int n_first, n_then;
		int is_last, code;
		const char *sentence;
	} rows[] = {
		{"too long at once",   10, 0, 11, 0, LLM_E_INVAL,
                 "the body is longer than the 10 bytes announced"},
		{"too long in two",    10, 6, 5,  1, LLM_E_INVAL,
                 "the body is longer than the 10 bytes announced"},
		{"too long by a last", 0,  0, 1,  1, LLM_E_INVAL,
                 "the body is longer than the 0 bytes announced" },
		{"too short",          10, 6, 3,  1, LLM_E_INVAL,
                 "the body is 9 bytes, and 10 were announced"    },
		{"too short at none",  10, 6, 0,  1, LLM_E_INVAL,
                 "the body is 6 bytes, and 10 were announced"    },
	};
	struct fake_broker *b = fake_start(NULL);
	llm_client *c = client_for(b);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		llm_stream *s = start(c, rows[i].length);
		if (rows[i].n_first == 0) /* so that the call is there to be cancelled */
			is_int(llm_client_connect(c), LLM_OK, "%s: a connection", rows[i].name);
		is_int(llm_stream_body(s, "0123456789", (size_t)rows[i].n_first, 0),
			rows[i].n_first, "%s: taken so far", rows[i].name);
		is_int(llm_stream_body(s, "0123456789a", (size_t)rows[i].n_then, rows[i].is_last),
			rows[i].code, "%s: refused", rows[i].name);
		is_str(llm_error_message(llm_last_error(c)), rows[i].sentence, "%s: why",
			rows[i].name);
		is_int(drain(s), rows[i].code, "%s: the call ends", rows[i].name);
		is_str(llm_error_message(llm_stream_error(s)), rows[i].sentence, "%s: so",
			rows[i].name);
		ok(fake_wait_cancels(b, (int)i + 1), "%s: it is cancelled", rows[i].name);
		is_int(llm_stream_body(s, "x", 1, 0), 1, "%s: more is dropped", rows[i].name);
		llm_stream_free(s);
	}
	is_int(fake_calls(b), 0, "none of them was a call");
	llm_client_free(c);
	fake_stop(b);
}

/* Of so many cancelled calls: that goes behind what has not gone yet, while the program is in the library. */
static bool is_told(llm_client *c, struct fake_broker *b, int n)
{
	const int64_t begin_ms = now_ms();
	while (fake_cancels(b) < n && now_ms() - begin_ms < 10000)
		(void)llm_client_wait(c, 5);
	return fake_cancels(b) >= n;
}

static void longer_than_any(void)
{
	const struct fake_options o = {.script = told_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	char *bytes = bytes_of(MIB);
	llm_stream *s = start(c, -1);
	size_t n_short = 0;
	for (size_t i = 0; i < LIMIT_BODY_BYTES / MIB; i++)
		n_short += llm_stream_body(s, bytes, MIB, 0) != (int64_t)MIB;
	is_uint(n_short, 0, "64 MiB are taken");
	is_int(llm_stream_body(s, "x", 1, 1), LLM_E_REQUEST, "not a byte more");
	is_str(llm_error_class(llm_last_error(c)), "too_big", "its class");
	is_int(drain(s), LLM_E_REQUEST, "the call ends");
	ok(is_told(c, b, 1), "cancelled");
	free(bytes);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- misuse ---- */

static void misuse(void)
{
	const struct fake_options o = {.script = told_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	const llm_event *ev;
	char text[256];
	llm_request *r = llm_relay_new("openai.chat", "POST", NULL, NULL);
	is_int(llm_relay_body_later(r, NULL, -2), LLM_E_INVAL, "no length is below -1");
	llm_request_free(r);
	r = llm_relay_new("openai.chat", "POST", NULL, NULL);
	is_int(llm_relay_body_later(r, NULL, 64 * (int64_t)MIB + 1), LLM_E_REQUEST,
		"nor above the limit");
	llm_request_free(r);
	r = question("hi");
	is_int(llm_relay_body_later(r, NULL, -1), LLM_E_INVAL, "a chat has no such body");
	llm_request_free(r);
	is_int(llm_relay_body_later(NULL, NULL, -1), LLM_E_INVAL, "nor has NULL");
	is_int(llm_stream_body(NULL, "x", 1, 0), LLM_E_INVAL, "nor a stream that is NULL");

	r = relay_of(-1);
	ok(llm_chat(c, r) == NULL, "a whole answer cannot be waited for");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_INVAL, "as a mistake");
	llm_request_free(r);

	r = relay_of(-1);
	(void)llm_relay_body(r, NULL, "{}", 2);
	llm_stream *s = llm_stream_start(c, r);
	is_int(llm_stream_body(s, "x", 1, 1), LLM_E_INVAL,
		"a body that is there is not sent twice");
	is_int(drain(s), 0, "and its call goes on");
	llm_stream_free(s);
	(void)llm_relay_body_later(r, "text/plain", -1);
	s = llm_stream_start(c, r);
	llm_request_free(r);
	is_int(llm_stream_next(s, &ev), LLM_E_INVAL, "there is no answer before the body");
	is_int(llm_stream_body(s, NULL, 1, 0), LLM_E_INVAL, "nor a piece at NULL");
	is_int(llm_stream_body(s, NULL, 0, 0), 0, "one without bytes is none");
	is_int(llm_stream_body(s, "", 0, 1), 0, "but for the last");
	is_int(llm_stream_body(s, "", 0, 1), LLM_E_INVAL, "which there is once");
	is_int(answer_of(s, text), 0, "the call goes on");
	is_str(text, "kind 1, text/plain, -1: 0 bytes, 0 wrong", "the last word counts");
	llm_stream_free(s);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- one request, several calls ---- */

static void twice(void)
{
	const struct fake_options o = {.script = told_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_request *r = relay_of(1000), *copy = llm_request_copy(r);
	char *bytes = bytes_of(1000), text[256];
	llm_stream *s[3] = {
		llm_stream_start(c, r), llm_stream_start(c, r), llm_stream_start(c, copy)};
	llm_request_free(r);
	llm_request_free(copy);
	for (size_t at = 0; at < 1000; at += 100) {
		for (size_t i = 0; i < 3; i++)
			is_int(llm_stream_body(s[i], bytes + at, 100, at == 900), 100,
				"a piece of %zu", i);
	}
	for (size_t i = 0; i < 3; i++) {
		is_int(answer_of(s[2 - i], text), 0, "%zu is answered", i);
		is_str(text, "kind 1, application/json, 1000: 1000 bytes, 0 wrong", "%zu is whole",
			i);
	}
	free(bytes);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- cancelled ---- */

static void *cancel_soon(void *arg)
{
	poll(NULL, 0, 30);
	llm_stream_cancel(arg);
	return NULL;
}

static void cancelled(void)
{
	const struct fake_options o = {.is_stingy = true};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	is_int(llm_client_connect(c), LLM_OK, "a connection");
	llm_stream *s = start(c, -1);
	char *bytes = bytes_of(MIB);
	pthread_t other;
	if (pthread_create(&other, NULL, cancel_soon, s) != 0)
		bail("no thread");
	is_int(llm_stream_body(s, bytes, MIB, 0), (int64_t)MIB, "a wait for the broker ends");
	pthread_join(other, NULL);
	ok(is_told(c, b, 1), "the broker is told");
	is_int(llm_stream_body(s, bytes, MIB, 1), (int64_t)MIB, "the rest is dropped");
	is_int(drain(s), LLM_E_CANCELLED, "and so it ends");
	llm_stream_free(s);
	s = start(c, -1);
	is_int(llm_stream_body(s, bytes, 1000, 0), 1000, "one more");
	llm_stream_free(s);
	ok(is_told(c, b, 2), "that is freed in the middle");
	free(bytes);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- the connection breaks ---- */

struct breaks {
	size_t at; /* once so much of the body is there */
	int n_left;
	bool is_restarting;
};

static bool breaking(struct fake_call *c, void *arg)
{
	struct breaks *p = arg;
	if (p->n_left == 0 || c->body.n < p->at)
		return false;
	p->n_left--;
	if (p->is_restarting)
		fake_fault(c->to, ERR_RESTARTING, "the broker is restarting; nothing was sent");
	else
		fake_hang_up(c->to);
	return true;
}

static void breaks(void)
{
	static const struct {
		const char *name;
		size_t at;
		bool is_restarting;
		int want, begun;
		const char *sentence;
	} rows[] = {
		{"cut before a piece was taken", 0,    false, 0,                2, NULL},
		{"cut after one",                1,    false, LLM_E_IO,         1,
                 "the broker closed the connection before the call's body was whole; its "
			"body came in pieces, which are "
			"not kept, so that the call was not sent again"                },
		{"cut after the last",           1000, false, LLM_E_IO,         1,
                 "the broker closed the connection before the answer began; the broker's "
			"ledger says what became of the "
			"call: `llmb usage`; its body came in pieces, which are not kept, so that "
			"the call was not sent again"                                  },
		{"restarting before a piece",    0,    true,  0,                2, NULL},
		{"restarting after one",         1,    true,  LLM_E_OVERLOADED, 1,
                 "the broker is restarting; nothing was sent; its body came in pieces, "
			"which are not kept, so that the "
			"call was not sent again"                                      },
	};
	char *bytes = bytes_of(1000);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct breaks plan = {rows[i].at, 1, rows[i].is_restarting};
		const struct fake_options o = {
			.script = told_script, .piece = breaking, .arg = &plan};
		struct fake_broker *b = fake_start(&o);
		llm_client *c = nonblocking_for(b);
		llm_stream *s = start(c, -1);
		const llm_event *ev;
		int got = LLM_E_AGAIN;
		size_t at = 0;
		bool is_alive = true;
		/* what is to break before a piece was taken has broken by the time that one is offered */
		for (int n = 0; rows[i].at == 0 && fake_begun(b) < 2 && n < 5000; n++) {
			poll(NULL, 0, 1);
			llm_client_process(c);
		}
		while (is_alive && at < 1000) {
			const int64_t took = llm_stream_body(
				s, bytes + at, at < 500 ? 500 : 1000 - at, at >= 500);
			at += (size_t)took;
			if (rows[i].at == 1 && at >= 500) {
				while (is_alive && (got = llm_stream_next(s, &ev)) == LLM_E_AGAIN)
					is_alive = turn(c);
			} else if (took == 0) {
				is_alive = turn(c);
			}
		}
		while (is_alive && (got = llm_stream_next(s, &ev)) == LLM_E_AGAIN)
			is_alive = turn(c);
		ok(is_alive, "%s: it is told", rows[i].name);
		is_int(got, rows[i].want == 0 ? 1 : rows[i].want, "%s: what comes of it",
			rows[i].name);
		is_int(fake_begun(b), rows[i].begun, "%s: sent so often", rows[i].name);
		if (rows[i].sentence)
			is_str(llm_error_message(llm_stream_error(s)), rows[i].sentence, "%s: why",
				rows[i].name);
		llm_client_free(c);
		fake_stop(b);
	}
	free(bytes);
}

/* A last piece without bytes is taken before there is a connection, and not lost with one. */
static void empty_last(void)
{
	struct breaks plan = {.n_left = 1};
	const struct fake_options o = {.script = told_script, .piece = breaking, .arg = &plan};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = nonblocking_for(b);
	llm_stream *s = start(c, 0);
	const llm_event *ev;
	int got;
	is_int(llm_stream_body(s, NULL, 0, 1), 0, "the end of a body of nothing");
	while ((got = llm_stream_next(s, &ev)) == LLM_E_AGAIN && turn(c))
		continue;
	is_int(got, 1, "goes by itself");
	is_int(fake_begun(b), 2, "a second time, too");
	is_int(fake_calls(b), 1, "once");
	llm_client_free(c);
	fake_stop(b);
}

/* ---- time ---- */

static bool mute(struct fake_call *c, void *arg)
{
	(void)c;
	(void)arg;
	return false;
}

static void mute_script(struct fake_call *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void silence(void)
{
	const struct fake_options o = {.script = mute_script, .piece = mute, .is_stingy = true};
	struct fake_broker *b = fake_start(&o);
	llm_options options = options_for(b);
	options.idle_timeout_ms = 150;
	llm_client *c = client_with(&options);
	llm_stream *s = start(c, -1);
	const llm_event *ev;
	char *bytes = bytes_of(MIB);
	is_int(llm_client_connect(c), LLM_OK, "a connection");
	is_int(llm_stream_body(s, bytes, 1000, 0), 1000, "a piece");
	is_int(llm_client_wait(c, 400), 0, "a program that takes its time");
	is_int(llm_stream_body(s, bytes, 1000, 1), 1000, "is not the broker's silence");
	const int64_t begin_ms = now_ms();
	is_int(llm_stream_next(s, &ev), LLM_E_TIMEOUT, "but then it is");
	ok(now_ms() - begin_ms >= 140, "which is waited for: %" PRId64 " ms", now_ms() - begin_ms);
	llm_stream_free(s);
	s = start(c, -1);
	is_int(llm_stream_body(s, bytes, MIB, 0), (int64_t)MIB, "so it is where no credit comes");
	is_int(llm_stream_next(s, &ev), LLM_E_TIMEOUT, "which fails the call");
	free(bytes);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- nobody sleeps through it ---- */

static void connected(llm_client *c)
{
	int code;
	while ((code = llm_client_connect(c)) == LLM_E_AGAIN && turn(c))
		continue;
	is_int(code, LLM_OK, "a connection");
	llm_client_process(c);
}

/* What comes while another call is started is not in the socket any more, but wakes the program. */
static void wakes(void)
{
	struct fake_broker *b = fake_start(NULL);
	llm_client *c = nonblocking_for(b);
	connected(c);
	llm_stream *s = ask(c, "hi");
	poll(NULL, 0, 50); /* the answer is there, and nobody has looked */
	llm_stream *later = start(c, -1);
	struct pollfd fd = {.fd = llm_client_fd(c), .events = POLLIN};
	is_int(poll(&fd, 1, 2000), 1, "what has come already wakes");
	ok(llm_client_process(c) > 0, "and is told");
	is_int(drain(s), 0, "the answer");
	is_int(poll(&fd, 1, 0), 0, "then there is quiet");
	llm_stream_free(later);
	llm_client_free(c);
	fake_stop(b);
}

static bool cut_at_once(struct fake_call *c, void *arg)
{
	(void)arg;
	if (c->body.n > 0)
		fake_hang_up(c->to);
	return c->body.n > 0;
}

/* A connection that is found to be broken by what is sent. */
static void wakes_when_lost(void)
{
	const struct fake_options o = {.piece = cut_at_once};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = nonblocking_for(b);
	connected(c);
	llm_stream *s = start(c, -1), *other = start(c, -1);
	is_int(llm_stream_body(s, "a", 1, 0), 1, "a piece");
	poll(NULL, 0, 100);
	const int64_t took = llm_stream_body(s, "b", 1, 0);
	is_int(took, 1, "a piece for a connection that is gone");
	struct pollfd fd = {.fd = llm_client_fd(c), .events = POLLIN};
	is_int(poll(&fd, 1, 2000), 1, "the program is woken");
	llm_client_process(c);
	is_int(drain(s), LLM_E_IO, "for the one that it was for");
	is_int(drain(other), LLM_E_AGAIN, "the other is tried again");
	llm_client_free(c);
	fake_stop(b);
}

/* Room that comes about while another call is started. */
static void wakes_for_room(void)
{
	struct gate gate = {.is_shut = true};
	const struct fake_options o = {.piece = at_gate,
		.arg = &gate,
		.credit_bytes = LIMIT_CREDIT_MAX_BYTES,
		.is_stingy = true};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = nonblocking_for(b);
	char *piece = bytes_of(PIECE_BYTES);
	connected(c);
	llm_stream *s = start(c, -1);
	(void)push(c, s, piece, 250000, 40 * (int64_t)MIB);
	atomic_store(&gate.is_shut, false);
	for (int i = 0; i < 20; i++) { /* each sends what the socket takes */
		poll(NULL, 0, 10);
		(void)start(c, -1);
	}
	struct pollfd fd = {.fd = llm_client_fd(c), .events = POLLIN};
	is_int(poll(&fd, 1, 2000), 1, "room wakes");
	ok(llm_client_process(c) > 0, "and is told");
	ok(llm_stream_body(s, piece, PIECE_BYTES, 0) > 0, "it is taken");
	free(piece);
	llm_client_free(c);
	fake_stop(b);
}

/* A call that is sent again while another one is started. */
static void wakes_when_sent(void)
{
	struct breaks plan = {.n_left = 1, .is_restarting = true};
	const struct fake_options o = {.piece = breaking, .arg = &plan};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = nonblocking_for(b);
	connected(c);
	llm_stream *s = start(c, -1);
	for (int i = 0; i < 2000 && llm_client_timeout_ms(c) < 0;
		i++) { /* until it waits to be sent again */
		poll(NULL, 0, 1);
		llm_client_process(c);
	}
	llm_stream *other = start(c, -1);
	while (llm_stream_body(other, "x", 1, 0) == 0 && turn(c))
		continue;
	llm_client_process(c);
	if (llm_stream_body(s, "x", 1, 0) == 0) { /* else this machine was busy for a while */
		poll(NULL, 0, 60);
		(void)start(c, -1);
		struct pollfd fd = {.fd = llm_client_fd(c), .events = POLLIN};
		is_int(poll(&fd, 1, 2000), 1, "a call that is sent wakes");
		ok(llm_client_process(c) > 0, "and it is told");
		is_int(llm_stream_body(s, "x", 1, 0), 1, "it is taken");
	}
	llm_client_free(c);
	fake_stop(b);
}

static void forked(void)
{
	struct fake_broker *b = fake_start(NULL);
	llm_client *c = client_for(b);
	llm_stream *s = start(c, -1);
	int status = -1;
	const pid_t child = fork();
	if (child == 0) {
		/* by a signal: what the threads that it has not held is no leak of its own */
		if (llm_stream_body(s, "x", 1, 0) == LLM_E_FORKED)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status), "not in a child");
	llm_client_free(c);
	fake_stop(b);
}

int main(void)
{
	llm_set_allocator(count_memory, NULL);
	whole_bodies(0);
	whole_bodies(1);
	bodies_in_a_loop(0, false);
	bodies_in_a_loop(0, true);
	bodies_in_a_loop(1, false);
	held_by_credit();
	held_by_the_socket();
	refused(true);
	refused(false);
	wrong_lengths();
	longer_than_any();
	misuse();
	twice();
	cancelled();
	breaks();
	empty_last();
	silence();
	wakes();
	wakes_when_lost();
	wakes_for_room();
	wakes_when_sent();
	forked();
	return tap_done();
}
