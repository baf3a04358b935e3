/* load.c - how does the broker answer many calls, seen by its clients?
 * Speaks the frames of the wire itself, without the client library. Keeps so many calls in flight over
 * so many connections, each call replaced as it ends; or begins them at a fixed rate, whatever the
 * answers do, and then counts from when a call was due, so that a stall is felt by all that it held up;
 * or in bursts, each of which begins when the one before it has ended.
 * Or it only stays there, while others look at the broker's memory. A call is a unified request, or the
 * body of a public API to be relayed. One line of JSON on stdout. */
#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "protocol/control.h"
#include "protocol/frame.h"
#include "tests/lib/gauge.h"
#include "tests/lib/pace.h"

#define SCRATCH 262144

struct load {
	/* the question */
	const char *socket, *model;
	const char *cache;   /* how far the answer may be one that was kept; NULL: not said */
	const char *surface; /* relayed on it; NULL: a unified request */
	int64_t calls, connections, prompt_bytes, rate, bursts, warm_ms, run_ms, cpu, watch;
	bool is_stream, is_idle, is_hold, is_once;
	struct buf call; /* the packed body of its frame */
	/* the engine */
	struct ev_loop *loop;
	ev_timer phase;
	ev_io input, tick;
	struct client *clients;
	struct slot *free_slots; /* at a fixed rate: those that wait to be due */
	int64_t n_open;          /* clients that were welcomed */
	int64_t n_resting;       /* in bursts: calls that have ended of this one */
	struct pace pace;        /* at a fixed rate */
	char scratch[SCRATCH];
	/* what was seen */
	struct gauge gauge;
	int64_t connecting_ns;
	int64_t n_begun; /* streams whose first token came, of a run that holds */
	char first_fault[1280];
};

/* One call at a time; its number is its place among its client's. */
struct slot {
	struct client *client;
	struct slot *next_free;
	uint32_t number;
	int64_t due_ns;
	int64_t used_bytes; /* of the credit */
	int64_t token_ns;   /* when its last token came; 0: none did */
	bool is_open, has_text;
	bool is_known; /* an answer of its was read to its end, and was one */
	struct bench_reader reader;
};

struct client {
	struct load *load;
	ev_io io;
	struct buf in, out;
	size_t sent;
	struct slot *slots;
	uint32_t n_slots;
};

static void on_client_ready(struct ev_loop *loop, ev_io *w, int events);

/* ---- what is sent ---- */

/* The question as a unified request. */
static void put_request(const struct load *l, struct span prompt, struct buf *out)
{
	struct part text = {.type = PART_TEXT, .text = prompt};
	struct message message = {.role = ROLE_USER, .parts = &text, .n_parts = 1};
	request_pack(&(struct llm_request){.model = span_str(l->model),
			     .messages = &message,
			     .n_messages = 1,
			     .is_stream = l->is_stream},
		out);
}

/* Where a surface has the model and the words of a question. */
static const struct language {
	const char *surface, *path, *model, *words, *end;
} languages[] = {
	{"openai.chat",        "/v1/chat/completions", "{\"model\":\"",
         "\",\"messages\":[{\"role\":\"user\",\"content\":\"",                             "\"}]"},
	{"openai.responses",   "/v1/responses",        "{\"model\":\"", "\",\"input\":\"", "\""  },
	{"anthropic.messages", "/v1/messages",         "{\"model\":\"",
         "\",\"max_tokens\":1024,\"messages\":[{\"role\":\"user\",\"content\":\"",         "\"}]"},
};

static const struct language *language_of(const char *surface)
{
	for (size_t i = 0; i < COUNT_OF(languages); i++) {
		if (strcmp(surface, languages[i].surface) == 0)
			return &languages[i];
	}
	bench_die("nobody wrote down how to ask on the surface %s", surface);
}

/* The question in the surface's own language. */
static void put_body(const struct load *l, struct span prompt, struct buf *out)
{
	const struct language *in = language_of(l->surface);
	buf_text(out, in->model);
	buf_text(out, l->model);
	buf_text(out, in->words);
	buf_span(out, prompt);
	buf_text(out, in->end);
	buf_text(out, l->is_stream ? ",\"stream\":true}" : "}");
}

/* Does the other side read what is meant? */
static bool is_as_meant(const struct load *l, struct span frame, struct span prompt,
	struct span body, struct fault *why)
{
	OWNED(arena_done) struct arena arena;
	struct frame back;
	struct call call = CALL_INIT;
	struct llm_request r = {0};
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	if (frame_take(&frame, &back, NULL, why) != OK || frame.n != 0 || back.type != FRAME_CALL ||
		call_unpack(back.body, &arena, &call, why) != OK)
		return false;
	if (l->surface)
		return call.kind == CALL_RELAY && span_is(call.surface.surface, l->surface) &&
		       span_eq(call.body, body);
	return request_unpack(call.body, &arena, &r, why) == OK && r.n_messages == 1 &&
	       r.messages[0].n_parts == 1 && span_eq(r.messages[0].parts[0].text, prompt) &&
	       span_is(r.model, l->model) && r.is_stream == l->is_stream;
}

/* Packs the question once, and makes sure that it says what is meant. */
static void pack_call(struct load *l)
{
	OWNED(buf_done) struct buf prompt = BUF_INIT(LIMIT_INLINE_BYTES);
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_INLINE_BYTES);
	OWNED(buf_done) struct buf frame = BUF_INIT(LIMIT_FRAME_BYTES + 4);
	struct fault why = FAULT_NONE;
	struct call call = CALL_INIT;

	bench_prompt(&prompt, (size_t)l->prompt_bytes);
	if (l->surface) {
		put_body(l, buf_view(&prompt), &body);
		call.kind = CALL_RELAY;
		call.surface = (struct surface_call){.surface = span_str(l->surface),
			.method = SPAN("POST"),
			.path = span_str(language_of(l->surface)->path)};
	} else {
		put_request(l, buf_view(&prompt), &body);
		call.kind = CALL_TYPED;
		call.op = LLM_OP_CHAT;
	}
	call.body = buf_view(&body);
	if (l->cache && !cache_wish_from(span_str(l->cache), &call.cache.wish))
		bench_die("--cache is off, read, write, on or refresh");
	call_pack(&call, &l->call);
	if (buf_error(&prompt) != OK || buf_error(&body) != OK || buf_error(&l->call) != OK ||
		frame_put(&frame, FRAME_CALL, 1, buf_view(&l->call)) != OK)
		bench_die("the question is too long for one frame");
	if (!is_as_meant(l, buf_view(&frame), buf_view(&prompt), buf_view(&body), &why))
		bench_die("the question does not survive its packing: %s", why.message);
}

/* Writes what waits; the rest goes when there is room. */
static void client_flush(struct client *c)
{
	while (c->sent < c->out.n) {
		const ssize_t n = send(c->io.fd, c->out.p + c->sent, c->out.n - c->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			bench_die("writing to the broker: %s", strerror(errno));
		c->sent += (size_t)n;
	}
	if (c->sent == c->out.n) {
		buf_clear(&c->out);
		c->sent = 0;
	}
	const int events = EV_READ | (c->sent < c->out.n ? EV_WRITE : 0);
	if (c->io.events != events) {
		ev_io_stop(c->load->loop, &c->io);
		ev_io_set(&c->io, c->io.fd, events);
		ev_io_start(c->load->loop, &c->io);
	}
}

static void client_put(struct client *c, enum frame_type type, uint32_t call, struct span body)
{
	if (frame_put(&c->out, type, call, body) != OK)
		bench_die("the broker does not read");
}

static void send_hello(struct client *c)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_FRAME_BYTES);
	hello_pack(&(struct hello){.version_min = PROTOCOL_VERSION,
			   .version_max = PROTOCOL_VERSION,
			   .client = SPAN("llm-broker-bench"),
			   .app_name = SPAN("bench")},
		&body);
	client_put(c, FRAME_HELLO, 0, buf_view(&body));
	client_flush(c);
}

static void grant_credit(struct slot *s)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_FRAME_BYTES);
	credit_pack(s->used_bytes, &body);
	client_put(s->client, FRAME_CREDIT, s->number, buf_view(&body));
	s->used_bytes = 0;
}

/* ---- a call ---- */

static void slot_begin(struct slot *s, int64_t due_ns)
{
	*s = (struct slot){.client = s->client,
		.number = s->number,
		.due_ns = due_ns,
		.is_open = true,
		.is_known = s->is_known};
	client_put(s->client, FRAME_CALL, s->number, buf_view(&s->client->load->call));
}

static _Noreturn void report(struct load *l);

static void begin_all(struct load *l)
{
	for (int64_t i = 0; i < l->connections; i++) {
		struct client *c = &l->clients[i];
		for (uint32_t k = 0; k < c->n_slots; k++)
			slot_begin(&c->slots[k], bench_now_ns());
		client_flush(c);
	}
}

static void end_burst(struct load *l)
{
	l->n_resting = 0;
	if (--l->bursts == 0)
		report(l);
	begin_all(l);
}

/* Begins the next call here: now, or when one is due. */
static void slot_next(struct slot *s)
{
	struct load *l = s->client->load;
	const int64_t now_ns = bench_now_ns();
	int64_t due_ns;
	if (l->is_once || l->is_hold)
		return;
	if (l->bursts > 0) {
		if (++l->n_resting == l->calls)
			end_burst(l);
	} else if (l->rate == 0) {
		slot_begin(s, now_ns);
	} else if (pace_take(&l->pace, now_ns, &due_ns)) {
		slot_begin(s, due_ns);
	} else {
		s->next_free = l->free_slots;
		l->free_slots = s;
	}
}

/* The one answer to the one question of --once. */
static void report_once(const struct load *l, const struct slot *s)
{
	const int64_t now_ns = bench_now_ns();
	printf("{\"answered_at_ns\": %" PRId64 ", \"call_us\": %.3f, \"connect_us\": %.3f}\n",
		now_ns, (double)(now_ns - s->due_ns) / 1000,
		(double)(s->due_ns - l->connecting_ns) / 1000);
	exit(EXIT_SUCCESS);
}

static void slot_end(struct slot *s)
{
	struct load *l = s->client->load;
	if (!s->has_text)
		bench_die("an answer ended well, and had no text");
	s->is_open = false;
	s->is_known = true;
	if (l->is_once)
		report_once(l, s);
	if (l->is_hold)
		bench_die("a stream that was to be held came to its end");
	gauge_call(&l->gauge, s->due_ns);
	slot_next(s);
}

static void slot_fail(struct slot *s, const struct fault *why)
{
	struct load *l = s->client->load;
	char text[sizeof l->first_fault];
	const int n = snprintf(text, sizeof text, "%s: %s", err_info(why->err)->word, why->message);
	if (l->is_once || l->is_hold)
		bench_die("%s", text);
	if (l->first_fault[0] == '\0' && n > 0)
		memcpy(l->first_fault, text, sizeof text);
	s->is_open = false;
	gauge_error(&l->gauge);
	slot_next(s);
}

static void slot_text(struct slot *s, struct span text)
{
	struct load *l = s->client->load;
	int64_t ns;
	s->has_text |= text.n > 0;
	if (!l->is_stream)
		return;
	while (bench_next_stamp(&s->reader, &text, &ns)) {
		l->n_begun += s->token_ns == 0;
		gauge_token(&l->gauge, s->due_ns, ns, &s->token_ns);
	}
}

/* ---- what is received ---- */

static void took(struct slot *s, const struct frame *f)
{
	s->used_bytes += f->length;
	if ((size_t)s->used_bytes >= LIMIT_CREDIT_BYTES / 2)
		grant_credit(s);
}

/* Of a whole answer only the first of its kind is read: whoever asks a provider by hand reads none, and what a client makes
 * of an answer is his own time. */
static bool is_passed(const struct slot *s, const struct frame *f)
{
	return s && s->is_open && s->is_known && !s->client->load->is_stream &&
	       (f->type == FRAME_EVENT || f->type == FRAME_END);
}

static struct slot *slot_of(struct client *c, const struct frame *f)
{
	return f->call > 0 && f->call <= c->n_slots ? &c->slots[f->call - 1] : NULL;
}

static bool pass_known(struct slot *s, const struct frame *f)
{
	if (!is_passed(s, f))
		return false;
	if (f->type == FRAME_EVENT)
		took(s, f);
	s->has_text |= f->type == FRAME_EVENT;
	if (f->type == FRAME_END)
		slot_end(s);
	return true;
}

static void client_event(struct client *c, const struct frame *f)
{
	OWNED(arena_done) struct arena arena;
	struct llm_event event;
	struct fault why = FAULT_NONE;
	struct slot *s = slot_of(c, f);

	if (pass_known(s, f))
		return;
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	const enum err err = event_unpack(f->type, f->body, &arena, &event, &why);
	if (err == ERR_MORE)
		return;
	if (err != OK)
		bench_die("what the broker sent cannot be read: %s", why.message);
	if (f->call == 0 && event.type == EV_FAULT)
		bench_die("the broker ends the connection: %s", event.fault->message);
	if (!s || !s->is_open)
		bench_die("the broker answers call %" PRIu32 ", which is not open", f->call);
	if (event.type == EV_END) {
		slot_end(s);
	} else if (event.type == EV_FAULT) {
		slot_fail(s, event.fault);
	} else {
		if (event.type == EV_TEXT || event.type == EV_RAW)
			slot_text(s, event.text);
		took(s, f);
	}
}

static void start_calls(struct load *l);

static void client_frame(struct client *c, const struct frame *f)
{
	switch (f->type) {
	case FRAME_WELCOME:
		if (++c->load->n_open == c->load->connections)
			start_calls(c->load);
		break;
	case FRAME_EVENT:
	case FRAME_HEAD:
	case FRAME_DATA:
	case FRAME_END:
	case FRAME_FAULT:
		client_event(c, f);
		break;
	default:
		bench_die("a %s frame was not expected", frame_name(f->type));
	}
}

/* Of a frame that is not read its length is enough, as who asks by hand has it of the provider. */
static enum err next_frame(struct client *c, struct span *in, struct frame *f, struct fault *why)
{
	if (frame_glance(*in, f) && is_passed(slot_of(c, f), f)) {
		*in = span_skip(*in, FRAME_PREFIX_BYTES + f->length);
		return OK;
	}
	return frame_take(in, f, NULL, why);
}

/* Most reads end with a frame: then nothing is copied and nothing kept. */
static void client_read(struct client *c)
{
	char *scratch = c->load->scratch;
	const ssize_t n = recv(c->io.fd, scratch, SCRATCH, MSG_DONTWAIT);
	struct frame frame;
	struct fault why = FAULT_NONE;
	enum err err;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		bench_die("the broker closed the connection: %s", n < 0 ? strerror(errno) : "end");
	struct span in = span_of(scratch, (size_t)n);
	if (c->in.n > 0) {
		buf_span(&c->in, in);
		in = buf_view(&c->in);
	}
	while ((err = next_frame(c, &in, &frame, &why)) == OK)
		client_frame(c, &frame);
	if (err != ERR_MORE)
		bench_die("what the broker sent is no frame: %s", why.message);
	if (c->in.n > 0)
		buf_drop(&c->in, c->in.n - in.n);
	else
		buf_span(&c->in, in);
	if (buf_error(&c->in) != OK)
		bench_die("out of memory");
	client_flush(c);
}

static void on_client_ready(struct ev_loop *loop, ev_io *w, int events)
{
	struct client *c = container_of(w, struct client, io);
	(void)loop;
	if (events & EV_WRITE)
		client_flush(c);
	if (events & EV_READ)
		client_read(c);
}

/* ---- the run ---- */

/* At a fixed rate: what was due and has no answer, begun or not. Returns how many were not. */
static int64_t count_unanswered(struct load *l)
{
	const int64_t end_ns = bench_now_ns(), backlog = pace_backlog(&l->pace, end_ns);
	int64_t due_ns;
	while (pace_take(&l->pace, end_ns, &due_ns))
		gauge_unanswered(&l->gauge, due_ns, end_ns);
	for (int64_t i = 0; i < l->connections; i++) {
		const struct client *c = &l->clients[i];
		for (uint32_t k = 0; k < c->n_slots; k++) {
			if (c->slots[k].is_open)
				gauge_unanswered(&l->gauge, c->slots[k].due_ns, end_ns);
		}
	}
	return backlog;
}

static _Noreturn void report(struct load *l)
{
	/* calls that were due, and for which no place was free */
	const int64_t backlog = l->rate > 0 ? count_unanswered(l) : 0;
	printf("{");
	gauge_print(&l->gauge);
	printf(", \"backlog\": %" PRId64, backlog);
	printf(", \"own_cpu_s\": %.3f}\n", (double)bench_cpu_ns(0) * 1e-9);
	if (l->first_fault[0] != '\0')
		fprintf(stderr, "load: the first fault: %s\n", l->first_fault);
	exit(l->gauge.errors > 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void on_phase(struct ev_loop *loop, ev_timer *w, int events)
{
	struct load *l = container_of(w, struct load, phase);
	(void)events;
	if (l->gauge.is_on)
		report(l);
	gauge_begin(&l->gauge);
	ev_timer_set(w, (double)l->run_ms * 1e-3, 0);
	ev_timer_start(loop, w);
}

static void say_ready(const struct load *l)
{
	printf("{\"ready\": %" PRId64 "}\n", l->is_hold ? l->n_begun : l->n_open);
	fflush(stdout);
}

/* Have all streams begun that are to be held? */
static void on_look(struct ev_loop *loop, ev_timer *w, int events)
{
	struct load *l = container_of(w, struct load, phase);
	(void)events;
	if (l->n_begun == l->calls) {
		say_ready(l);
		ev_timer_stop(loop, w);
	} else if (bench_now_ns() - l->connecting_ns > l->run_ms * 1000000) {
		bench_die("only %" PRId64 " of %" PRId64 " streams began in time", l->n_begun,
			l->calls);
	}
}

/* At a fixed rate: begins what is due, where a place is free. */
static void on_tick(struct ev_loop *loop, ev_io *w, int events)
{
	struct load *l = container_of(w, struct load, tick);
	uint64_t ticks;
	(void)loop, (void)events;
	if (read(w->fd, &ticks, sizeof ticks) < 0)
		return;
	const int64_t now_ns = bench_now_ns();
	while (l->free_slots && pace_next_ns(&l->pace) <= now_ns) {
		struct slot *s = l->free_slots;
		l->free_slots = s->next_free;
		slot_next(s);
		client_flush(s->client);
	}
}

static void start_pace(struct load *l)
{
	const long tick_ns = (long)(1000000000 / l->rate < 50000 ? 50000 : 1000000000 / l->rate);
	const struct itimerspec every = {
		.it_interval = {.tv_sec = tick_ns / 1000000000, .tv_nsec = tick_ns % 1000000000},
		.it_value = {.tv_nsec = 1                             },
	};
	const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) != 0)
		bench_die("the timer: %s", strerror(errno));
	ev_io_init(&l->tick, on_tick, fd, EV_READ);
	ev_io_start(l->loop, &l->tick);
	l->pace = (struct pace){.rate = l->rate, .began_ns = bench_now_ns()};
}

static void start_calls(struct load *l)
{
	if (l->is_idle) {
		say_ready(l);
		return;
	}
	if (l->rate > 0)
		start_pace(l);
	if (l->is_hold)
		ev_timer_init(&l->phase, on_look, 0.01, 0.01);
	else
		ev_timer_init(&l->phase, on_phase, (double)l->warm_ms * 1e-3, 0);
	if (l->bursts > 0)
		gauge_begin(&l->gauge);
	else if (!l->is_once)
		ev_timer_start(l->loop, &l->phase);
	if (l->rate == 0) {
		begin_all(l);
		return;
	}
	for (int64_t i = 0; i < l->connections; i++) {
		struct client *c = &l->clients[i];
		for (uint32_t k = 0; k < c->n_slots; k++)
			slot_next(&c->slots[k]);
		client_flush(c);
	}
}

static int connect_once(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof at.sun_path)
		bench_die("%s is too long a path for a socket", path);
	memcpy(at.sun_path, path, strlen(path) + 1);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		bench_die("a socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	const int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* For --once nobody need listen yet. */
static int connect_to(const struct load *l)
{
	const struct timespec pause = {.tv_nsec = 100000};
	for (;;) {
		const int fd = connect_once(l->socket);
		if (fd >= 0)
			return fd;
		if (!l->is_once || (errno != ENOENT && errno != ECONNREFUSED) ||
			bench_now_ns() - l->connecting_ns > l->run_ms * 1000000)
			bench_die("%s: %s", l->socket, strerror(errno));
		nanosleep(&pause, NULL);
	}
}

static void client_init(struct client *c, struct load *l, uint32_t n_slots)
{
	*c = (struct client){.load = l, .n_slots = n_slots};
	buf_init(&c->in, 2 * LIMIT_FRAME_BYTES);
	buf_init(&c->out, LIMIT_CREDIT_MAX_BYTES);
	c->slots = calloc(n_slots ? n_slots : 1, sizeof *c->slots);
	if (!c->slots)
		bench_die("out of memory");
	for (uint32_t i = 0; i < n_slots; i++)
		c->slots[i] = (struct slot){.client = c, .number = i + 1};
	const int fd = connect_to(l);
	ev_io_init(&c->io, on_client_ready, fd, EV_READ);
	ev_io_start(l->loop, &c->io);
	send_hello(c);
}

static void on_input(struct ev_loop *loop, ev_io *w, int events)
{
	char bytes[64];
	(void)events;
	if (read(w->fd, bytes, sizeof bytes) <= 0)
		ev_break(loop, EVBREAK_ALL);
}

static void check_options(const struct load *l)
{
	if (!l->socket)
		bench_die("--socket is missing");
	if (l->is_hold && !l->is_stream)
		bench_die("--hold is for --stream");
	if (l->is_idle + l->is_hold + l->is_once + (l->rate > 0) + (l->bursts > 0) > 1)
		bench_die("only one of --idle, --hold, --once, --rate and --bursts");
	if (!l->is_idle && (l->calls + l->connections - 1) / l->connections > LIMIT_CALLS)
		bench_die(
			"a connection takes %d calls: more --connections are needed", LIMIT_CALLS);
	if (l->connections > l->calls && !l->is_idle)
		bench_die("more connections than calls: --idle is for clients that do not call");
}

int main(int argc, char **argv)
{
	static struct load l = {.model = "bench/bench-1",
		.calls = 1,
		.connections = 1,
		.prompt_bytes = 1024,
		.warm_ms = 200,
		.run_ms = 1000,
		.cpu = -1};
	const struct bench_option options[] = {
		{"socket",       NULL,            &l.socket,  NULL,         0,  0,         "the broker's"                            },
		{"model",        NULL,            &l.model,   NULL,         0,  0,         "whom to ask"                             },
		{"surface",      NULL,            &l.surface, NULL,         0,  0,         "a public API's, to be relayed"           },
		{"cache",        NULL,            &l.cache,   NULL,         0,  0,         "off, read, write, on: of the same answer"},
		{"calls",        &l.calls,        NULL,       NULL,         1,  100000,    "in flight at once"                       },
		{"connections",  &l.connections,  NULL,       NULL,         1,  100000,    "over which they go"                      },
		{"prompt-bytes", &l.prompt_bytes, NULL,       NULL,         0,  100000,    "length of the question"                  },
		{"rate",         &l.rate,         NULL,       NULL,         0,  1000000,   "calls begun a second; 0: as they end"    },
		{"bursts",       &l.bursts,       NULL,       NULL,         0,  1000000,
                 "of all calls at once, and no more; 0: as they end"                                                                 },
		{"stream",       NULL,            NULL,       &l.is_stream, 0,  0,         "ask for streams"                         },
		{"idle",         NULL,            NULL,       &l.is_idle,   0,  0,         "say hello, and stay until stdin ends"    },
		{"hold",         NULL,            NULL,       &l.is_hold,   0,  0,         "begin streams, and stay until stdin ends"},
		{"once",         NULL,            NULL,       &l.is_once,   0,  0,         "one call, as soon as somebody listens"   },
		{"warm-ms",      &l.warm_ms,      NULL,       NULL,         1,  600000,    "not measured"                            },
		{"run-ms",       &l.run_ms,       NULL,       NULL,         1,  600000,    "measured"                                },
		{"watch",        &l.watch,        NULL,       NULL,         0,  INT32_MAX, "the process whose time to take"          },
		{"pin",          &l.cpu,          NULL,       NULL,         -1, 1023,      "the processor to stay on"                },
	};
	bench_options(argc, argv, "calls through the broker", options, COUNT_OF(options));
	check_options(&l);
	signal(SIGPIPE, SIG_IGN);
	bench_pin(l.cpu);
	bench_raise_files();
	l.gauge.watched = (pid_t)l.watch;
	buf_init(&l.call, LIMIT_FRAME_BYTES);
	pack_call(&l);
	l.loop = ev_default_loop(EVFLAG_NOENV);
	l.clients = calloc((size_t)l.connections, sizeof *l.clients);
	if (!l.loop || !l.clients)
		bench_die("out of memory");
	if (l.is_idle || l.is_hold) {
		ev_io_init(&l.input, on_input, STDIN_FILENO, EV_READ);
		ev_io_start(l.loop, &l.input);
	}
	l.connecting_ns = bench_now_ns();
	for (int64_t i = 0; i < l.connections; i++) {
		const int64_t calls = l.is_idle ? 0 : l.calls;
		const int64_t mine = calls / l.connections + (i < calls % l.connections);
		client_init(&l.clients[i], &l, (uint32_t)mine);
	}
	ev_run(l.loop, 0);
	return EXIT_SUCCESS;
}
