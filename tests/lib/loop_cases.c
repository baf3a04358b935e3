/* loop_cases.c - a fake broker on one side, and on the other a loop that has more to do than to wait. */
#include "tests/lib/loop_cases.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/fake_client.h"

#define TICK_MS    5
#define SLOW_MS    10000 /* so that a loop in which nothing happens is seen to be one */
#define LONG_MS    20000
#define STREAMS    300 /* more than one connection has room for */
#define BODY_BYTES (1 * MIB)

void rig_ready(struct rig *r)
{
	r->n_ready++;
	if (r->on_ready)
		r->on_ready(r);
}

void rig_error(struct rig *r, int code)
{
	r->code = code;
}

void rig_tick(struct rig *r)
{
	r->n_ticks++;
	if (r->on_tick)
		r->on_tick(r);
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Turns until it is so; false: it is not, after long. */
static bool turn_until(struct rig *r, bool (*is_so)(struct rig *r))
{
	const int64_t until_ms = now_ms() + LONG_MS;
	while (!is_so(r)) {
		if (now_ms() > until_ms)
			return false;
		r->kind->turn(r);
	}
	return true;
}

/* So many more ticks, in which nothing may go wrong. */
static void let_tick(struct rig *r, int n)
{
	const int until = r->n_ticks + n;
	r->kind->tick(r, TICK_MS);
	while (r->n_ticks < until)
		r->kind->turn(r);
}

static llm_client *client_at(const char *socket)
{
	llm_options o = LLM_OPTIONS_INIT;
	o.socket_path = socket;
	o.connect_timeout_ms = -1; /* so that no timer is there but those that a case is about */
	o.flags = LLM_F_NONBLOCK | LLM_F_NO_AUTOSTART;
	return client_with(&o);
}

/* A rig that watches a client of this socket. */
static struct rig *rig_at(const struct rig_kind *kind, const char *socket)
{
	struct rig *r = kind->make();
	r->kind = kind;
	r->client = client_at(socket);
	is_int(kind->watch(r, r->client), LLM_OK, "it is watched");
	kind->tick(r, SLOW_MS);
	return r;
}

static void leave(struct rig *r)
{
	r->kind->unwatch(r);
	r->kind->unwatch(r); /* a second time does nothing */
	llm_client_free(r->client);
	r->kind->drop(r);
}

/* ---- two answers, and a clock ---- */

struct heard {
	llm_stream *s;
	int got; /* of llm_stream_next(), the last time */
	int n_texts;
};

struct pair {
	struct fake_to to[2];
	atomic_int n_kept; /* of them, as the broker's thread counts */
	struct fake_broker *broker;
	struct heard heard[2];
};

static void read_one(struct heard *h)
{
	const llm_event *ev;
	if (!h->s)
		return;
	while ((h->got = llm_stream_next(h->s, &ev)) > 0)
		h->n_texts += llm_event_type_of(ev) == LLM_EV_TEXT;
}

static void read_pair(struct rig *r)
{
	struct pair *p = r->arg;
	read_one(&p->heard[0]);
	read_one(&p->heard[1]);
}

static bool are_over(struct rig *r)
{
	const struct pair *p = r->arg;
	return p->heard[0].got != LLM_E_AGAIN && p->heard[1].got != LLM_E_AGAIN;
}

/* Keeps whom to answer, and begins none. */
static void keep_script(struct fake_call *c, void *arg)
{
	struct pair *p = arg;
	if (c->nth < 2)
		p->to[c->nth] = c->to;
	else
		fake_end(c->to);
	atomic_fetch_add(&p->n_kept, 1);
}

static bool have_come(struct rig *r)
{
	struct pair *p = r->arg;
	return atomic_load(&p->n_kept) == 2;
}

static bool have_begun(struct rig *r)
{
	const struct pair *p = r->arg;
	return p->heard[0].n_texts > 0 && p->heard[1].n_texts > 0;
}

/* Two questions that the broker has. */
static struct rig *ask_pair(const struct rig_kind *kind, struct pair *p)
{
	const struct fake_options o = {.script = keep_script, .arg = p};
	memset(p, 0, sizeof *p);
	atomic_init(&p->n_kept, 0);
	p->broker = fake_start(&o);
	struct rig *r = rig_at(kind, fake_socket(p->broker));
	r->arg = p;
	r->on_ready = read_pair;
	for (int i = 0; i < 2; i++) {
		p->heard[i].s = ask(r->client, "hi");
		p->heard[i].got = LLM_E_AGAIN;
	}
	kind->tick(r, TICK_MS);
	ok(turn_until(r, have_come), "both questions come to the broker");
	return r;
}

static void side_by_side(const struct rig_kind *kind)
{
	static const char *const pieces[] = {"one ", "two ", "three"};
	struct pair p;
	struct rig *r = ask_pair(kind, &p);
	let_tick(r, 5);
	is_int(p.heard[0].n_texts + p.heard[1].n_texts, 0, "the clock ticks while nothing comes");
	for (int i = 0; i < 3; i++) {
		fake_text(p.to[0], pieces[i]);
		fake_text(p.to[1], pieces[2 - i]);
		let_tick(r, 2);
	}
	fake_end(p.to[1]);
	fake_end(p.to[0]);
	ok(turn_until(r, are_over), "both end");
	is_int(p.heard[0].got + p.heard[1].got, 0, "well");
	is_str(llm_result_text(llm_stream_result(p.heard[0].s)), "one two three", "the first");
	is_str(llm_result_text(llm_stream_result(p.heard[1].s)), "threetwo one ", "the second");
	leave(r);
	fake_stop(p.broker);
}

static void *cancel_second(void *arg)
{
	struct pair *p = arg;
	llm_stream_cancel(p->heard[1].s);
	return NULL;
}

static void cancelled(const struct rig_kind *kind)
{
	struct pair p;
	pthread_t thread;
	struct rig *r = ask_pair(kind, &p);
	fake_text(p.to[0], "a");
	fake_text(p.to[1], "b");
	ok(turn_until(r, have_begun), "both have begun");
	if (pthread_create(&thread, NULL, cancel_second, &p) != 0)
		bail("no thread");
	fake_text(p.to[0], "c");
	fake_end(p.to[0]);
	ok(turn_until(r, are_over), "both end");
	pthread_join(thread, NULL);
	is_int(p.heard[0].got, 0, "one well");
	is_int(p.heard[1].got, LLM_E_CANCELLED, "the other as another thread wanted");
	ok(fake_wait_cancels(p.broker, 1), "which the broker is told");
	is_str(llm_result_text(llm_stream_result(p.heard[0].s)), "ac", "the one is whole");
	leave(r);
	fake_stop(p.broker);
}

/* What the broker has begun to answer is lost with it; the other is asked again when it is time to. */
static void lost(const struct rig_kind *kind)
{
	struct pair p;
	struct rig *r = ask_pair(kind, &p);
	fake_text(p.to[0], "a");
	let_tick(r, 3);
	const int n_ticks = r->n_ticks;
	kind->tick(r, SLOW_MS);
	fake_hang_up(p.to[0]);
	ok(turn_until(r, are_over), "both end");
	is_int(r->n_ticks, n_ticks, "by the adapter's own timer");
	is_int(p.heard[0].got, LLM_E_IO, "one with the connection");
	is_int(p.heard[1].got, 0, "the other well");
	is_int(fake_connections(p.broker), 2, "on a new one");
	leave(r);
	fake_stop(p.broker);
}

/* ---- very many ---- */

struct crowd {
	struct fake_to to[STREAMS];
	struct heard heard[STREAMS];
};

static void crowd_script(struct fake_call *c, void *arg)
{
	struct crowd *crowd = arg;
	crowd->to[c->nth] = c->to;
	for (int piece = 0; c->nth == STREAMS - 1 && piece < 3; piece++) {
		for (int i = 0; i < STREAMS; i++) {
			fake_text(crowd->to[i], "x");
			if (piece == 2)
				fake_end(crowd->to[i]);
		}
	}
}

static int count_text(const llm_event *ev, void *arg)
{
	struct heard *h = arg;
	h->n_texts += llm_event_type_of(ev) == LLM_EV_TEXT;
	return 0;
}

static void read_crowd(struct rig *r)
{
	struct crowd *crowd = r->arg;
	for (int i = 0; i < STREAMS; i++)
		read_one(&crowd->heard[i]);
}

static bool is_crowd_over(struct rig *r)
{
	const struct crowd *crowd = r->arg;
	for (int i = 0; i < STREAMS; i++) {
		if (crowd->heard[i].got == LLM_E_AGAIN)
			return false;
	}
	return true;
}

static void very_many(const struct rig_kind *kind)
{
	static struct crowd crowd;
	const struct fake_options o = {.script = crowd_script, .arg = &crowd};
	struct fake_broker *b = fake_start(&o);
	struct rig *r = rig_at(kind, fake_socket(b));
	int n_good = 0;
	r->arg = &crowd;
	r->on_ready = read_crowd;
	for (int i = 0; i < STREAMS; i++) {
		crowd.heard[i] = (struct heard){.s = ask(r->client, "hi"), .got = LLM_E_AGAIN};
		if (i % 2) /* the others are read */
			llm_stream_set_callback(crowd.heard[i].s, count_text, &crowd.heard[i]);
	}
	ok(turn_until(r, is_crowd_over), "%d answers end", STREAMS);
	for (int i = 0; i < STREAMS; i++)
		n_good += crowd.heard[i].got == 0 && crowd.heard[i].n_texts == 3;
	is_int(n_good, STREAMS, "each with all of its pieces");
	leave(r);
	fake_stop(b);
}

/* ---- nobody there ---- */

static void read_heard(struct rig *r)
{
	read_one(r->arg);
}

static bool is_over(struct rig *r)
{
	const struct heard *h = r->arg;
	return h->got != LLM_E_AGAIN;
}

/* By callback or read: what failed as it was started is told in the loop. */
static void unreachable(const struct rig_kind *kind)
{
	for (int has_callback = 0; has_callback < 2; has_callback++) {
		struct rig *r = rig_at(kind, "/tmp/llmclient-test-nobody/sock");
		struct heard h = {.s = ask(r->client, "hi"), .got = LLM_E_AGAIN};
		if (has_callback)
			llm_stream_set_callback(h.s, count_text, &h);
		r->arg = &h;
		r->on_ready = read_heard;
		kind->tick(r, SLOW_MS);
		ok(turn_until(r, is_over), "it ends, though nothing can come");
		is_int(r->n_ticks, 0, "at once");
		is_int(h.got, LLM_E_UNREACHABLE, "and says why");
		leave(r);
	}
}

/* ---- time ---- */

static void silent_script(struct fake_call *c, void *arg)
{
	(void)arg;
	fake_text(c->to, "wait");
}

static void silence(const struct rig_kind *kind)
{
	const struct fake_options o = {.script = silent_script};
	struct fake_broker *b = fake_start(&o);
	llm_options options = options_for(b);
	struct rig *r = kind->make();
	r->kind = kind;
	options.flags = LLM_F_NONBLOCK;
	options.idle_timeout_ms = 200;
	r->client = client_with(&options);
	is_int(kind->watch(r, r->client), LLM_OK, "it is watched");
	kind->tick(r, SLOW_MS);
	struct heard h = {.s = ask(r->client, "hi"), .got = LLM_E_AGAIN};
	r->arg = &h;
	r->on_ready = read_heard;
	const int64_t begun_ms = now_ms();
	ok(turn_until(r, is_over), "a silence ends");
	is_int(r->n_ticks, 0, "by the adapter's own timer");
	const int64_t took_ms = now_ms() - begun_ms;
	is_int(h.got, LLM_E_TIMEOUT, "by its time-out");
	ok(took_ms >= 199, "after %d ms, not before its time", (int)took_ms);
	ok(r->n_ready < 20, "in %d steps, not by spinning", r->n_ready);
	leave(r);
	fake_stop(b);
}

static void ask_hasty(struct rig *r)
{
	struct pair *p = r->arg;
	llm_request *q = question("hi");
	if (llm_request_timeout_ms(q, 60) != LLM_OK)
		bail("no time-out");
	p->heard[1].s = llm_stream_start(r->client, q);
	llm_request_free(q);
	r->on_tick = NULL;
	r->kind->tick(r, SLOW_MS);
}

static bool waits(struct rig *r)
{
	const struct pair *p = r->arg;
	return p->heard[0].n_texts > 0;
}

static bool is_hasty_over(struct rig *r)
{
	const struct pair *p = r->arg;
	return p->heard[1].got != LLM_E_AGAIN;
}

/* The timer is set for the first question's two minutes; the second, from elsewhere in the loop, has less. */
static void brought_forward(const struct rig_kind *kind)
{
	const struct fake_options o = {.script = silent_script};
	struct fake_broker *b = fake_start(&o);
	struct rig *r = rig_at(kind, fake_socket(b));
	struct pair p;
	memset(&p, 0, sizeof p);
	p.heard[0] = (struct heard){.s = ask(r->client, "hi"), .got = LLM_E_AGAIN};
	p.heard[1].got = LLM_E_AGAIN;
	r->arg = &p;
	r->on_ready = read_pair;
	ok(turn_until(r, waits), "one waits");
	r->on_tick = ask_hasty;
	kind->tick(r, TICK_MS);
	ok(turn_until(r, is_hasty_over), "another ends");
	is_int(r->n_ticks, 1, "by the adapter's own timer");
	is_int(p.heard[1].got, LLM_E_TIMEOUT, "when its own time is over");
	is_int(p.heard[0].got, LLM_E_AGAIN, "the first one waits on");
	leave(r);
	fake_stop(b);
}

/* ---- a body that the broker takes piece by piece ---- */

struct upload {
	struct heard heard;
	size_t sent_bytes;
	atomic_size_t arrived_bytes;
	int n_offers;
};

static bool piece_came(struct fake_call *c, void *arg)
{
	struct upload *u = arg;
	atomic_store(&u->arrived_bytes, c->body.n);
	return false;
}

static void offer(struct rig *r)
{
	static const char bytes[BODY_BYTES];
	struct upload *u = r->arg;
	if (u->sent_bytes < sizeof bytes) {
		const int64_t taken = llm_stream_body(
			u->heard.s, bytes + u->sent_bytes, sizeof bytes - u->sent_bytes, 1);
		if (taken < 0)
			bail("llm_stream_body: %s", llm_error_message(llm_last_error(r->client)));
		u->sent_bytes += (size_t)taken;
		u->n_offers++;
	}
	read_one(&u->heard);
}

static bool is_upload_over(struct rig *r)
{
	const struct upload *u = r->arg;
	return u->heard.got != LLM_E_AGAIN;
}

static void body(const struct rig_kind *kind)
{
	struct upload u = {.heard.got = LLM_E_AGAIN};
	const struct fake_options o = {.piece = piece_came, .arg = &u, .credit_bytes = 16 * KIB};
	struct fake_broker *b = fake_start(&o);
	struct rig *r = rig_at(kind, fake_socket(b));
	llm_request *q = llm_relay_new("openai.chat", "POST", NULL, NULL);
	if (!q || llm_relay_body_later(q, NULL, BODY_BYTES) != LLM_OK)
		bail("no request");
	u.heard.s = llm_stream_start(r->client, q);
	llm_request_free(q);
	r->arg = &u;
	r->on_ready = offer;
	ok(turn_until(r, is_upload_over), "a body in pieces is answered");
	is_int(u.heard.got, 0, "well");
	is_uint(atomic_load(&u.arrived_bytes), BODY_BYTES, "when all of it is there");
	ok(u.n_offers > 10, "after it was offered %d times", u.n_offers);
	leave(r);
	fake_stop(b);
}

/* ---- away in the middle of it ---- */

static void part(struct rig *r)
{
	r->kind->unwatch(r);
	llm_client_free(r->client);
	r->client = NULL;
	r->on_ready = r->on_tick = NULL;
	r->n_ready_before = r->n_ready;
}

static int part_in_callback(const llm_event *ev, void *arg)
{
	(void)ev;
	part(arg);
	return 0;
}

static bool is_parted(struct rig *r)
{
	return r->client == NULL;
}

/* Inside of a stream's callback, of on_ready, and of something else in the loop. */
static void parted(const struct rig_kind *kind)
{
	static const char *const places[] = {
		"a stream's callback", "on_ready", "a timer's callback"};
	for (int place = 0; place < 3; place++) {
		struct fake_broker *b = fake_start(NULL);
		struct rig *r = rig_at(kind, fake_socket(b));
		llm_stream *s = ask(r->client, "hi");
		if (!ask(r->client, "and")) /* goes with its client */
			bail("no stream");
		if (place == 0)
			llm_stream_set_callback(s, part_in_callback, r);
		r->on_ready = place == 1 ? part : NULL;
		r->on_tick = place == 2 ? part : NULL;
		kind->tick(r, TICK_MS);
		ok(turn_until(r, is_parted), "the client goes in %s", places[place]);
		let_tick(r, 3);
		is_int(r->n_ready, r->n_ready_before, "nothing of it comes afterwards");
		is_int(r->code, 0, "and the loop goes on");
		leave(r); /* stopped and gone: nothing is left to do */
		fake_stop(b);
	}
}

static void again(const struct rig_kind *kind)
{
	struct fake_broker *b = fake_start(NULL);
	struct rig *r = rig_at(kind, fake_socket(b));
	for (int i = 0; i < 3; i++) {
		struct heard h = {.s = ask(r->client, "hi"), .got = LLM_E_AGAIN};
		r->arg = &h;
		r->on_ready = read_heard;
		ok(turn_until(r, is_over) && h.got == 0, "answer %d", i);
		part(r);
		r->client = client_at(fake_socket(b));
		is_int(kind->watch(r, r->client), LLM_OK, "the next client is watched");
	}
	leave(r);
	fake_stop(b);
}

static void no_client(const struct rig_kind *kind)
{
	struct rig *r = kind->make();
	r->kind = kind;
	is_int(kind->watch(r, NULL), LLM_E_INVAL, "no client is no client");
	kind->unwatch(r);
	kind->drop(r);
}

/* ---- from elsewhere ---- */

static void *wake(void *arg)
{
	llm_client_wake(arg);
	return NULL;
}

static bool is_ready(struct rig *r)
{
	return r->n_ready > 0;
}

static void woken(const struct rig_kind *kind)
{
	pthread_t thread;
	struct rig *r = rig_at(kind, "/tmp/llmclient-test-nobody/sock");
	let_tick(r, 3);
	is_int(r->n_ready, 0, "nothing has happened");
	kind->tick(r, SLOW_MS);
	if (pthread_create(&thread, NULL, wake, r->client) != 0)
		bail("no thread");
	ok(turn_until(r, is_ready), "another thread wakes the loop");
	pthread_join(thread, NULL);
	let_tick(r, 3);
	is_int(r->n_ready, 1, "once");
	leave(r);
}

static void forked(const struct rig_kind *kind)
{
	int status = -1;
	struct rig *r = rig_at(kind, "/tmp/llmclient-test-nobody/sock");
	llm_client_wake(r->client); /* so that there is something to see, for both */
	const pid_t child = fork();
	if (child == 0) {
		kind->in_child(r);
		let_tick(r, 3);
		/* by a signal where all is well: what others have on the heap is no leak of the child's */
		if (r->code == LLM_E_FORKED && r->n_ready == 0)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "in a child on_error is told");
	ok(turn_until(r, is_ready), "the parent's loop goes on");
	is_int(r->code, 0, "well");
	leave(r);
}

void loop_cases(const struct rig_kind *kind)
{
	side_by_side(kind);
	cancelled(kind);
	lost(kind);
	very_many(kind);
	unreachable(kind);
	silence(kind);
	brought_forward(kind);
	body(kind);
	parted(kind);
	again(kind);
	no_client(kind);
	woken(kind);
	forked(kind);
}
