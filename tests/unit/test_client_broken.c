/* test_client_broken.c - what does a program see when a broker leaves, lies or falls silent? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/fake_client.h"

/* ---- the connection breaks ---- */

struct plan {
	int n_broken; /* calls that are cut off before one is answered */
	enum { CUT_AT_ONCE, CUT_AFTER_STATUS, CUT_AFTER_TEXT, RESTARTING, GOING_AWAY } how;
};

static void breaking_script(struct fake_call *c, void *arg)
{
	const struct plan *p = arg;
	if (c->nth >= p->n_broken) {
		fake_text(c->to, "hello");
		fake_end(c->to);
		return;
	}
	if (p->how == CUT_AFTER_STATUS)
		fake_status(c->to, "queued", "one before you");
	if (p->how == CUT_AFTER_TEXT)
		fake_text(c->to, "hel");
	if (p->how == GOING_AWAY)
		fake_goaway(c->to);
	if (p->how == RESTARTING || p->how == GOING_AWAY)
		fake_fault(c->to, ERR_RESTARTING, "the broker is restarting; nothing was sent");
	else
		fake_hang_up(c->to);
}

static const struct {
	const char *name;
	struct plan plan;
	bool is_once;
	int want, calls;
	const char *text;
} breaks[] = {
	{"cut once, tried again",              {1, CUT_AT_ONCE},      false, 0,                2, "hello"},
	{"cut twice, tried again",             {2, CUT_AT_ONCE},      false, 0,                3, "hello"},
	{"cut three times is enough",          {3, CUT_AT_ONCE},      false, LLM_E_IO,         3, ""     },
	{"cut after an event",                 {1, CUT_AFTER_STATUS}, false, LLM_E_IO,         1, ""     },
	{"cut in the middle of an answer",     {1, CUT_AFTER_TEXT},   false, LLM_E_IO,         1, "hel"  },
	{"never a second time, if so asked",   {1, CUT_AT_ONCE},      true,  LLM_E_IO,         1, ""     },
	{"a broker that restarts",             {1, RESTARTING},       false, 0,                2, "hello"},
	{"one that restarts, asked once only", {1, RESTARTING},       true,  0,                2, "hello"},
	{"one that restarts on and on",        {9, RESTARTING},       false, LLM_E_OVERLOADED, 3, ""     },
	{"one that says it will go",           {1, GOING_AWAY},       false, 0,                2, "hello"},
};

static void breaking(void)
{
	for (size_t i = 0; i < COUNT_OF(breaks); i++) {
		struct plan plan = breaks[i].plan;
		const struct fake_options o = {.script = breaking_script, .arg = &plan};
		struct fake_broker *b = fake_start(&o);
		llm_client *c = client_for(b);
		llm_request *r = question("hi");
		(void)llm_request_at_most_once(r, breaks[i].is_once);
		llm_stream *s = llm_stream_start(c, r);
		is_int(drain(s), breaks[i].want, "%s", breaks[i].name);
		is_str(llm_result_text(llm_stream_result(s)), breaks[i].text, "%s: the text",
			breaks[i].name);
		is_int(fake_calls(b), breaks[i].calls, "%s: asked so often", breaks[i].name);
		char *text = llm_ask(c, NULL, "hi");
		if (breaks[i].plan.n_broken <= breaks[i].calls)
			is_str(text, "hello", "%s: the next call works", breaks[i].name);
		llm_free(text);
		llm_stream_free(s);
		llm_request_free(r);
		llm_client_free(c);
		fake_stop(b);
	}
}

/* A connection that broke while nobody looked: even what must not be sent twice is sent. */
static void stale_connection(void)
{
	struct plan plan = {.n_broken = 1, .how = CUT_AFTER_TEXT};
	const struct fake_options o = {.script = breaking_script, .arg = &plan};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_stream *s = ask(c, "hi");
	const llm_event *ev;
	is_int(llm_stream_next(s, &ev), 1, "a piece");
	poll(NULL, 0, 50); /* the broker has hung up, and the client has not read it */
	llm_request *r = question("hi");
	(void)llm_request_at_most_once(r, 1);
	llm_result *a = llm_chat(c, r);
	is_str(llm_result_text(a), "hello", "a stale connection costs nothing");
	is_int(drain(s), LLM_E_IO, "the old stream knows");
	llm_result_free(a);
	llm_request_free(r);
	llm_client_free(c);
	fake_stop(b);
}

/* Open calls end on the old connection, new ones begin on a new one. */
static void going_script(struct fake_call *c, void *arg)
{
	struct fake_to *first = arg;
	if (c->nth == 0) {
		*first = c->to;
		fake_text(c->to, "a");
		fake_goaway(c->to);
		return;
	}
	fake_end(c->to);
	fake_text(*first, "b");
	fake_end(*first);
}

static void goaway(void)
{
	struct fake_to first;
	const struct fake_options o = {.script = going_script, .arg = &first};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	const llm_event *ev;
	llm_stream *s = ask(c, "hi");
	is_int(llm_stream_next(s, &ev), 1, "a piece, and then goaway");
	poll(NULL, 0, 20);
	llm_stream *second = ask(c, "hi");
	is_int(drain(second), 0, "a new call");
	is_int(fake_connections(b), 2, "has a new connection");
	is_int(drain(s), 0, "the old one ends");
	is_str(llm_result_text(llm_stream_result(s)), "ab", "whole");
	llm_client_free(c);
	fake_stop(b);
}

/* ---- time ---- */

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void mute_script(struct fake_call *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void silence(void)
{
	const struct fake_options o = {.script = mute_script};
	struct fake_broker *b = fake_start(&o);
	llm_options options = options_for(b);
	options.idle_timeout_ms = 80;
	llm_client *c = client_with(&options);
	int64_t begin_ms = now_ms();
	llm_stream *s = ask(c, "hi");
	is_int(drain(s), LLM_E_TIMEOUT, "silence is not waited out");
	ok(now_ms() - begin_ms >= 75 && now_ms() - begin_ms < 30000, "but for as long as was said");
	ok(fake_wait_cancels(b, 1), "the broker is told");

	llm_request *r = question("hi");
	(void)llm_request_timeout_ms(r, 50);
	begin_ms = now_ms();
	ok(llm_chat(c, r) == NULL, "nor is a whole answer waited for without end");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_TIMEOUT, "it is late");
	ok(now_ms() - begin_ms >= 50 && now_ms() - begin_ms < 30000, "by its own measure");
	llm_request_free(r);
	llm_client_free(c);
	fake_stop(b);
}

/* A program that takes longer over an event than the silence it would bear. */
static void slow_script(struct fake_call *c, void *arg)
{
	(void)arg;
	fake_text(c->to, "a");
	poll(NULL, 0, 250);
	fake_end(c->to);
}

static void slow_reader(void)
{
	const struct fake_options o = {.script = slow_script};
	struct fake_broker *b = fake_start(&o);
	llm_options options = options_for(b);
	options.idle_timeout_ms = 200;
	llm_client *c = client_with(&options);
	llm_stream *s = ask(c, "hi");
	const llm_event *ev;
	(void)llm_client_wait(c, 5000);
	poll(NULL, 0, 150);
	is_int(llm_stream_next(s, &ev), 1, "an event, taken late");
	is_int(drain(s), 0, "is no silence of the broker's");
	llm_client_free(c);
	fake_stop(b);
}

static bool greet_mute(int fd, int nth, void *arg)
{
	int *kept = arg;
	(void)nth;
	*kept = dup(fd);
	return true;
}

static void no_welcome(void)
{
	int kept = -1;
	const struct fake_options o = {.greet = greet_mute, .arg = &kept};
	struct fake_broker *b = fake_start(&o);
	llm_options options = options_for(b);
	options.connect_timeout_ms = 100;
	options.max_retries = 0;
	llm_client *c = client_with(&options);
	is_int(llm_client_connect(c), LLM_E_TIMEOUT, "nobody welcomes us");
	char *text = llm_ask(c, NULL, "hi");
	ok(text == NULL, "nor answers");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_TIMEOUT, "in time");
	llm_client_free(c);
	fake_stop(b);
	close(kept);
}

static bool greet_late(int fd, int nth, void *arg)
{
	const struct timespec late = {.tv_sec = 5, .tv_nsec = 500000000};
	(void)fd;
	(void)nth;
	(void)arg;
	nanosleep(&late, NULL);
	return false;
}

/* One that is ended for an upgrade answers its open calls first; who comes meanwhile waits for its successor. */
static void late_welcome(void)
{
	const struct fake_options o = {.greet = greet_late};
	struct fake_broker *b = fake_start(&o);
	llm_options options = LLM_OPTIONS_INIT;
	options.socket_path = fake_socket(b);
	llm_client *c = client_with(&options);
	is_int(llm_client_connect(c), LLM_OK, "a broker that is long in coming is waited for");
	llm_client_free(c);
	fake_stop(b);
}

static void nobody_there(void)
{
	llm_options o = LLM_OPTIONS_INIT;
	o.socket_path = "/nonexistent/llm-broker/sock";
	llm_client *c = client_with(&o);
	is_int(llm_client_connect(c), LLM_E_UNREACHABLE, "there is no broker");
	ok(strstr(llm_error_message(llm_last_error(c)), "/nonexistent/llm-broker/sock") != NULL,
		"where it was looked for: %s", llm_error_message(llm_last_error(c)));
	llm_stream *s = ask(c, "hi");
	is_int(drain(s), LLM_E_UNREACHABLE, "a stream says the same");
	llm_client_free(c);
}

/* ---- hostile bytes ---- */

struct hostile {
	const char *name;
	const char *bytes; /* sent in place of a welcome, or of an answer */
	size_t n;
	bool is_answer;
	int want;
};

#define BYTES(literal) literal, sizeof(literal) - 1
#define MAP0           "\x80"
static const struct hostile hostiles[] = {
	{"garbage",		       BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), false, LLM_E_PROTOCOL},
	{"a huge length",                 BYTES("\xff\xff\xff\xff"),                 false, LLM_E_PROTOCOL},
	{"an empty frame",                BYTES("\0\0\0\0"),                         false, LLM_E_PROTOCOL},
	{"no array",		      BYTES("\0\0\0\1\xc0"),                     false, LLM_E_PROTOCOL},
	{"a lying array",                 BYTES("\0\0\0\5\xdd\xff\xff\xff\xff"),     false, LLM_E_PROTOCOL},
	{"a frame of no known type",      BYTES("\0\0\0\4\x93\x7f\0" MAP0),          false, LLM_E_PROTOCOL},
	{"a client's frame",              BYTES("\0\0\0\4\x93\x01\0" MAP0),          false, LLM_E_PROTOCOL},
	{"a welcome without anything",    BYTES("\0\0\0\4\x93\x02\0" MAP0),          false, LLM_E_PROTOCOL},
	{"an event for the connection",   BYTES("\0\0\0\4\x93\x06\0" MAP0),          false, LLM_E_PROTOCOL},
	{"an event for no call",          BYTES("\0\0\0\4\x93\x06\x63" MAP0),        true,  LLM_E_PROTOCOL},
	{"a second welcome",
         BYTES("\0\0\0\x25\x93\x02\0\x83\xa7version\1\xa6"
		      "credit\1\xaemax_body_bytes\1"),
         true,									      LLM_E_PROTOCOL},
	{"an event without its name",     BYTES("\0\0\0\4\x93\x06\1" MAP0),          true,  LLM_E_PROTOCOL},
	{"a text that is no text",
         BYTES("\0\0\0\x0f\x93\x06\1\x82\xa2"
		      "ev\xa4text\xa1"
		      "d\1"),
         true,									      LLM_E_PROTOCOL},
	{"a text that is no UTF-8",
         BYTES("\0\0\0\x10\x93\x06\1\x82\xa2"
		      "ev\xa4text\xa1"
		      "d\xa1\xff"),
         true,									      LLM_E_PROTOCOL},
	{"tool args for no tool",
         BYTES("\0\0\0\x18\x93\x06\1\x83\xa2"
		      "ev\xa9tool_args\xa1t\0\xa1"
		      "d\xa1x"),
         true,									      LLM_E_PROTOCOL},
	{"a call frame to a client",      BYTES("\0\0\0\4\x93\x03\1" MAP0),          true,  LLM_E_PROTOCOL},
	{"credit that is none",           BYTES("\0\0\0\4\x93\x0a\1" MAP0),          true,  LLM_E_PROTOCOL},
	{"half a frame, and the end",     BYTES("\0\0\0\x40\x93\x06"),               true,  LLM_E_IO      },
	{"an unknown event, and the end",
         BYTES("\0\0\0\x0b\x93\x06\1\x81\xa2"
		      "ev\xa3"
		      "new"),
         true,									      LLM_E_IO      },
};

static bool greet_hostile(int fd, int nth, void *arg)
{
	const struct hostile *h = arg;
	(void)nth;
	if (h->is_answer)
		return false;
	fake_bytes((struct fake_to){.fd = fd}, h->bytes, h->n);
	poll(NULL, 0, 5);
	return true;
}

static void hostile_script(struct fake_call *c, void *arg)
{
	const struct hostile *h = arg;
	fake_bytes(c->to, h->bytes, h->n);
	if (h->want == LLM_E_IO)
		fake_hang_up(c->to);
}

static void hostile(void)
{
	for (size_t i = 0; i < COUNT_OF(hostiles); i++) {
		struct hostile h = hostiles[i];
		const struct fake_options o = {
			.script = hostile_script, .greet = greet_hostile, .arg = &h};
		struct fake_broker *b = fake_start(&o);
		llm_options options = options_for(b);
		options.max_retries = 0;
		options.idle_timeout_ms = 3000;
		llm_client *c = client_with(&options);
		llm_stream *s = ask(c, "hi");
		const int got = drain(s);
		is_int(got, h.want, "%s: %s", h.name, llm_error_message(llm_stream_error(s)));
		llm_client_free(c);
		fake_stop(b);
	}
}

/* More than the client gave credit for, unread. */
static void flood_script(struct fake_call *c, void *arg)
{
	static char text[60001];
	atomic_bool *is_over = arg;
	memset(text, 'x', sizeof text - 1);
	for (int i = 0; i < 40; i++)
		fake_text(c->to, text);
	atomic_store(is_over, true);
}

static void flood(void)
{
	atomic_bool is_over = false;
	const struct fake_options o = {.script = flood_script, .arg = &is_over};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_stream *s = ask(c, "hi");
	for (int i = 0; i < 5000 && !atomic_load(&is_over); i++) {
		llm_client_wait(c, 1); /* takes in what comes, and reads none of it */
		poll(NULL, 0, 1);
	}
	is_int(drain(s), LLM_E_PROTOCOL, "a flood is not kept");
	llm_client_free(c);
	fake_stop(b);
}

/* A long answer that is read needs credit, and gets it. */
static void long_script(struct fake_call *c, void *arg)
{
	static char text[30001];
	(void)arg;
	memset(text, 'y', sizeof text - 1);
	for (int i = 0; i < 100; i++)
		fake_text(c->to, text);
	fake_end(c->to);
}

static void long_answer(void)
{
	const struct fake_options o = {.script = long_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_stream *s = ask(c, "hi");
	is_int(drain(s), 0, "3 MB of answer");
	is_uint(strlen(llm_result_text(llm_stream_result(s))), 3000000, "all of it");
	for (int i = 0; i < 1000 && fake_credit(b) < 2000000; i++)
		poll(NULL, 0, 1);
	ok(fake_credit(b) >= 2000000, "and %" PRId64 " bytes given back as credit", fake_credit(b));
	llm_client_free(c);
	fake_stop(b);
}

static void drip_script(struct fake_call *c, void *arg)
{
	(void)arg;
	fake_drip(c->to, true);
	fake_text(c->to, "slow");
	fake_text(c->to, "ly");
	fake_end(c->to);
}

static void drip(void)
{
	const struct fake_options o = {.script = drip_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_stream *s = ask(c, "hi");
	is_int(drain(s), 0, "byte by byte");
	is_str(llm_result_text(llm_stream_result(s)), "slowly", "it is the same answer");
	llm_client_free(c);
	fake_stop(b);
}

static void late_script(struct fake_call *c, void *arg)
{
	static struct fake_to first;
	(void)arg;
	if (c->nth == 0) {
		first = c->to;
		return;
	}
	fake_text(first, "too late");
	fake_end(first);
	fake_text(c->to, "hello");
	fake_end(c->to);
}

static void late_frames(void)
{
	const struct fake_options o = {.script = late_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	is_int(llm_client_connect(c), LLM_OK, "welcome: calls go out at once");
	llm_stream_free(ask(c, "hi"));
	char *text = llm_ask(c, NULL, "hi");
	is_str(text, "hello", "what comes for a call that was cancelled is passed over: %s",
		llm_error_message(llm_last_error(c)));
	is_int(fake_connections(b), 1, "and no reason to leave");
	llm_free(text);
	llm_client_free(c);
	fake_stop(b);
}

/* ---- sockets that are given ---- */

static bool greet_fault(int fd, int nth, void *arg)
{
	(void)nth;
	(void)arg;
	fake_fault((struct fake_to){.fd = fd}, ERR_OVERLOADED, "too many connections");
	return true;
}

static void refused_connection(void)
{
	const struct fake_options o = {.greet = greet_fault};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_stream *s = ask(c, "hi");
	is_int(drain(s), LLM_E_OVERLOADED, "a connection that is refused");
	is_str(llm_error_message(llm_stream_error(s)), "too many connections", "says why");
	llm_client_free(c);
	fake_stop(b);
}

static int count_fds(void)
{
	int n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void given_sockets(void)
{
	int pair[2];
	const int before = count_fds();
	llm_options o = LLM_OPTIONS_INIT;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		bail("socketpair: %s", strerror(errno));
	o.fd = pair[0];
	o.connect_timeout_ms = 50;
	llm_client_free(client_with(&o));
	ok(fcntl(pair[0], F_GETFD) < 0, "a socket that was given and not used is closed");
	close(pair[1]);

	char number[16];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		bail("socketpair: %s", strerror(errno));
	snprintf(number, sizeof number, "%d", pair[0]);
	setenv("LLM_BROKER_FD", number, 1);
	o.fd = -1;
	llm_client *c = client_with(&o), *other = client_with(&o);
	is_int(llm_client_connect(c), LLM_E_TIMEOUT, "an inherited socket is used");
	ok(fcntl(pair[0], F_GETFD) < 0, "and closed, once it is of no use");
	is_int(llm_client_connect(other), LLM_E_UNREACHABLE, "a second time there is none");
	setenv("LLM_BROKER_FD", "77777", 1);
	is_int(llm_client_connect(other), LLM_E_UNREACHABLE, "what is no descriptor is none");
	unsetenv("LLM_BROKER_FD");
	llm_client_free(c);
	llm_client_free(other);
	close(pair[1]);
	is_int(count_fds(), before, "nothing stays open");
}

int main(void)
{
	breaking();
	stale_connection();
	goaway();
	silence();
	slow_reader();
	no_welcome();
	late_welcome();
	nobody_there();
	hostile();
	flood();
	long_answer();
	drip();
	late_frames();
	refused_connection();
	given_sockets();
	return tap_done();
}
