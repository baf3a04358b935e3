/* test_client_loop.c - does a client live in a loop, beside other threads, and across a fork? */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/base/json.h"
#include "tests/lib/fake_client.h"

/* ---- several at once ---- */

/* Answers the third call by pieces of all three, in turn. */
static void interleaved_script(struct fake_call *c, void *arg)
{
	struct fake_to *all = arg;
	all[c->nth] = c->to;
	for (int piece = 0; c->nth == 2 && piece < 3; piece++) {
		for (int i = 0; i < 3; i++) {
			char text[16];
			snprintf(text, sizeof text, "%d%c", i, 'a' + piece);
			fake_text(all[i], text);
		}
	}
	for (int i = 0; c->nth == 2 && i < 3; i++)
		fake_end(all[2 - i]);
}

static void interleaved(void)
{
	static const char *const want[] = {"0a0b0c", "1a1b1c", "2a2b2c"};
	struct fake_to all[3];
	const struct fake_options o = {.script = interleaved_script, .arg = all};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_stream *s[3];
	for (int i = 0; i < 3; i++)
		s[i] = ask(c, "hi");
	for (int i = 2; i >= 0; i--) {
		is_int(drain(s[i]), 0, "stream %d ends well", i);
		is_str(llm_result_text(llm_stream_result(s[i])), want[i], "stream %d has its own",
			i);
	}
	is_int(fake_connections(b), 1, "all on one connection");
	llm_client_free(c); /* its streams go with it */
	fake_stop(b);
}

/* More calls than one connection may have open. */
static void hold_script(struct fake_call *c, void *arg)
{
	struct fake_to *all = arg;
	all[c->nth] = c->to;
	for (int i = 0; c->nth == 299 && i < 300; i++)
		fake_end(all[i]);
}

static void more_than_fit(void)
{
	static struct fake_to all[300];
	static llm_stream *s[300];
	const struct fake_options o = {.script = hold_script, .arg = all};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	int n_good = 0;
	for (int i = 0; i < 300; i++)
		s[i] = ask(c, "hi");
	for (int i = 0; i < 300; i++)
		n_good += drain(s[i]) == 0;
	is_int(n_good, 300, "300 calls at once");
	is_int(fake_connections(b), 2, "on two connections");
	llm_client_free(c);
	fake_stop(b);
}

/* ---- non-blocking ---- */

static bool wait_for(llm_client *c)
{
	struct pollfd fd = {.fd = llm_client_fd(c), .events = POLLIN};
	const int timeout_ms = llm_client_timeout_ms(c);
	return poll(&fd, 1, timeout_ms < 0 || timeout_ms > 5000 ? 5000 : timeout_ms) >= 0;
}

static void nonblocking(void)
{
	struct fake_broker *b = fake_start(NULL);
	llm_options o = options_for(b);
	o.flags = LLM_F_NONBLOCK;
	llm_client *c = client_with(&o);
	const int fd = llm_client_fd(c);
	const llm_event *ev;
	int got = LLM_E_AGAIN, turns = 0;
	is_int(llm_client_events(c), LLM_READ, "it is watched for reading");
	llm_stream *s = ask(c, "hi");
	while (got == LLM_E_AGAIN && turns++ < 1000 && wait_for(c)) {
		ok(llm_client_process(c) >= 0, "a turn");
		while ((got = llm_stream_next(s, &ev)) > 0)
			;
	}
	is_int(got, 0, "it ends well");
	ok(turns < 20, "in %d turns, not by spinning", turns);
	is_str(llm_result_text(llm_stream_result(s)), "hello", "with the answer");
	is_int(llm_client_fd(c), fd, "the descriptor is the same");
	is_int(llm_client_timeout_ms(c), -1, "and nothing is due");
	llm_request *r = question("hi");
	ok(llm_chat(c, r) == NULL, "what would block is refused");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_INVAL, "as a mistake");
	llm_request_free(r);
	llm_stream_free(s);
	llm_client_free(c);
	fake_stop(b);
}

static void nonblocking_connect(void)
{
	struct fake_broker *b = fake_start(NULL);
	llm_options o = options_for(b);
	o.flags = LLM_F_NONBLOCK;
	llm_client *c = client_with(&o);
	int code = LLM_E_AGAIN;
	for (int i = 0; i < 100 && code == LLM_E_AGAIN; i++) {
		code = llm_client_connect(c);
		if (code == LLM_E_AGAIN)
			wait_for(c);
	}
	is_int(code, LLM_OK, "a connection without waiting");
	ok(llm_client_info(c) != NULL, "and now it is known who is there");
	llm_client_free(c);
	fake_stop(b);
}

/* What fails as it is started is told by the loop as anything is. */
static void nonblocking_nobody(void)
{
	llm_options o = LLM_OPTIONS_INIT;
	o.socket_path = "/tmp/llmclient-test-nobody/sock";
	o.flags = LLM_F_NONBLOCK;
	llm_client *c = client_with(&o);
	llm_stream *s = ask(c, "hi");
	struct pollfd fd = {.fd = llm_client_fd(c), .events = POLLIN};
	const llm_event *ev;
	is_int(poll(&fd, 1, 5000), 1, "the descriptor is ready");
	is_int(llm_client_process(c), 1, "there is something to read");
	is_int(llm_stream_next(s, &ev), LLM_E_UNREACHABLE, "that nobody is there");
	is_int(poll(&fd, 1, 0), 0, "and then it is not ready any more");
	llm_client_free(c);
}

static int count_text(const llm_event *ev, void *arg)
{
	int *n = arg;
	*n += llm_event_type_of(ev) == LLM_EV_TEXT;
	return 0;
}

static int free_stream(const llm_event *ev, void *arg)
{
	llm_stream **s = arg;
	(void)ev;
	llm_stream_free(*s);
	*s = NULL;
	return 0;
}

static int free_client(const llm_event *ev, void *arg)
{
	llm_client **c = arg;
	(void)ev;
	llm_client_free(*c);
	*c = NULL;
	return 0;
}

static void callbacks(void)
{
	struct fake_broker *b = fake_start(NULL);
	llm_options o = options_for(b);
	o.flags = LLM_F_NONBLOCK;
	llm_client *c = client_with(&o);
	int n = 0;
	llm_stream *counted = ask(c, "hi"), *freed = ask(c, "hi");
	llm_stream_set_callback(counted, count_text, &n);
	llm_stream_set_callback(freed, free_stream, &freed);
	const llm_event *ev;
	for (int i = 0; i < 100 && (freed || llm_stream_next(counted, &ev) != 0); i++) {
		wait_for(c);
		llm_client_process(c);
	}
	is_int(n, 1, "a callback gets the text");
	ok(freed == NULL, "and may free its stream");

	llm_stream *last = ask(c, "hi");
	llm_stream_set_callback(last, free_client, &c);
	for (int i = 0; i < 100 && c; i++) {
		wait_for(c);
		llm_client_process(c);
	}
	ok(c == NULL, "and even the client");
	fake_stop(b);
}

static void run_may_free(void)
{
	struct fake_broker *b = fake_start(NULL);
	llm_client *c = client_for(b);
	llm_stream *s = ask(c, "hi");
	is_int(llm_stream_run(s, free_stream, &s), LLM_E_CANCELLED, "a stream freed while it runs");
	is_str(llm_error_message(llm_last_error(c)), "success", "is nobody's fault");
	s = ask(c, "hi");
	is_int(llm_stream_run(s, free_client, &c), LLM_E_CANCELLED, "so is a client");
	fake_stop(b);
}

/* ---- other threads ---- */

static void silent_script(struct fake_call *c, void *arg)
{
	(void)arg;
	fake_text(c->to, "wait");
}

static void *cancel_soon(void *arg)
{
	poll(NULL, 0, 30);
	llm_stream_cancel(arg);
	llm_stream_cancel(arg);
	return NULL;
}

static void *wake_soon(void *arg)
{
	poll(NULL, 0, 30);
	llm_client_wake(arg);
	return NULL;
}

static void from_threads(void)
{
	const struct fake_options o = {.script = silent_script};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	pthread_t thread;
	llm_stream *s = ask(c, "hi");
	const llm_event *ev;
	is_int(llm_stream_next(s, &ev), 1, "something comes");
	if (pthread_create(&thread, NULL, cancel_soon, s) != 0)
		bail("no thread");
	is_int(drain(s), LLM_E_CANCELLED, "another thread cancels a read that blocks");
	pthread_join(thread, NULL);
	ok(fake_wait_cancels(b, 1), "the broker is told");
	is_str(llm_result_text(llm_stream_result(s)), "wait", "what had come is kept");
	llm_stream_free(s);

	if (pthread_create(&thread, NULL, wake_soon, c) != 0)
		bail("no thread");
	is_int(llm_client_wait(c, 5000), 1, "another thread wakes a wait");
	pthread_join(thread, NULL);
	is_int(llm_client_wait(c, 10), 0, "once");
	llm_client_wake(c);
	is_int(llm_client_wait(c, 5000), 1, "a wake before the wait is not lost");

	s = ask(c, "hi");
	is_int(llm_client_wait(c, 5000), 1, "a wait ends when there is something");
	llm_stream_free(s);
	ok(fake_wait_cancels(b, 2), "freeing cancels");
	is_str(llm_ask(c, NULL, NULL), NULL, "a question that is none");
	llm_client_free(c);
	fake_stop(b);
}

/* ---- forks ---- */

static int in_child(llm_client *c, llm_stream *s)
{
	const llm_event *ev;
	llm_request *r = question("hi");
	int wrong = 0;
	wrong += llm_stream_next(s, &ev) != LLM_E_FORKED;
	wrong += llm_stream_start(c, r) != NULL;
	wrong += llm_chat(c, r) != NULL;
	wrong += llm_client_process(c) != LLM_E_FORKED;
	wrong += llm_client_wait(c, 0) != LLM_E_FORKED;
	wrong += llm_client_connect(c) != LLM_E_FORKED;
	wrong += llm_client_fd(c) != LLM_E_FORKED;
	wrong += llm_error_code(llm_last_error(c)) != LLM_E_FORKED;
	wrong += llm_error_code(llm_stream_error(s)) != LLM_E_FORKED;
	wrong += strlen(llm_error_message(llm_last_error(c))) == 0;
	llm_stream_cancel(s);
	llm_client_wake(c);
	llm_stream_free(s);
	llm_client_free(c);
	llm_request_free(r);
	return wrong;
}

static void slow_script(struct fake_call *c, void *arg)
{
	struct fake_to *first = arg;
	if (c->nth == 0)
		*first = c->to;
	fake_text(c->to, "a");
	if (c->nth == 1) {
		fake_text(*first, "b");
		fake_end(*first);
		fake_end(c->to);
	}
}

static void forks(void)
{
	struct fake_to first;
	int status = -1;
	const struct fake_options o = {.script = slow_script, .arg = &first};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_stream *s = ask(c, "hi");
	const llm_event *ev;
	is_int(llm_stream_next(s, &ev), 1, "a stream is under way");
	const pid_t child = fork();
	if (child == 0) {
		/* by a signal where all is well: what the threads that it has not held is no leak of its own */
		const int wrong = in_child(c, s);
		if (wrong == 0)
			kill(getpid(), SIGKILL);
		_exit(wrong);
	}
	waitpid(child, &status, 0);
	is_int(WIFSIGNALED(status) ? 0 : WEXITSTATUS(status), 0,
		"in the child everything is refused");
	llm_stream *second = ask(c, "hi");
	is_int(drain(s), 0, "the parent's stream goes on");
	is_str(llm_result_text(llm_stream_result(s)), "ab", "whole");
	is_int(drain(second), 0, "and so does the client");
	is_int(fake_cancels(b), 0, "the child has said nothing");
	is_int(fake_connections(b), 1, "nor was anything lost");
	llm_client_free(c);
	fake_stop(b);
}

int main(void)
{
	interleaved();
	more_than_fit();
	nonblocking();
	nonblocking_connect();
	nonblocking_nobody();
	callbacks();
	run_may_free();
	from_threads();
	forks();
	return tap_done();
}
