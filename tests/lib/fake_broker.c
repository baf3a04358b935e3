/* fake_broker.c - one thread, one poll over its connections, one script. */
#include "tests/lib/fake_broker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/tap.h"

#define CONNECTIONS_MAX 64
#define UPLOADS_MAX     32

/* A call whose body is still coming. */
struct upload {
	uint32_t number;
	struct buf call; /* its call frame's body */
	struct buf body;
};

struct connection {
	int fd;
	struct buf in;
	struct upload uploads[UPLOADS_MAX];
	size_t n_uploads;
};

struct fake_broker {
	struct fake_options options;
	char folder[64], path[80];
	int listener, quit[2];
	pthread_t thread;
	struct connection connections[CONNECTIONS_MAX];
	size_t n_connections;
	bool is_dripping;
	atomic_int n_accepted, n_calls, n_cancels, n_begun, n_pieces;
	atomic_llong credit;
};

/* ---- sending ---- */

void fake_bytes(struct fake_to to, const void *bytes, size_t n)
{
	const char *at = bytes;
	while (n > 0) {
		const size_t piece = to.broker && to.broker->is_dripping ? 1 : n;
		const ssize_t sent = send(to.fd, at, piece, MSG_NOSIGNAL);
		if (sent <= 0)
			return; /* the client has left: its own test says whether it should have */
		at += sent;
		n -= (size_t)sent;
	}
}

static void send_buf(struct fake_to to, struct buf *b)
{
	if (buf_error(b))
		bail("the fake broker cannot pack a frame");
	fake_bytes(to, b->p, b->n);
	buf_done(b);
}

void fake_event(struct fake_to to, const struct llm_event *e)
{
	struct buf b = BUF_INIT(LIMIT_FRAME_BYTES + 4);
	const size_t mark = frame_begin(&b, (enum frame_type)event_frame_type(e->type), to.number);
	event_pack(e, &b);
	if (frame_finish(&b, mark))
		bail("the fake broker cannot pack an event");
	send_buf(to, &b);
}

void fake_text(struct fake_to to, const char *text)
{
	struct llm_event e = {.type = EV_TEXT, .text = span_str(text)};
	fake_event(to, &e);
}

void fake_status(struct fake_to to, const char *word, const char *detail)
{
	struct llm_event e = {.type = EV_STATUS};
	e.status.word = span_str(word);
	e.status.detail = span_str(detail);
	fake_event(to, &e);
}

void fake_end(struct fake_to to)
{
	struct llm_event finish = {.type = EV_FINISH};
	finish.finish.finish = FINISH_STOP;
	struct llm_event end = {.type = EV_END};
	end.end = (struct reply_end){
		.usage = USAGE_UNKNOWN,
		.provider = SPAN("fake"),
		.model = SPAN("echo"),
		.request_id = SPAN("req_1"),
		.ttft_us = 120,
		.total_us = 3400,
		.attempts = 1,
		.is_kept = true,
	};
	end.end.usage.input = 10;
	end.end.usage.cache_read = 2;
	end.end.usage.output = 30;
	end.end.usage.reasoning = 4;
	end.end.usage.cost_nusd = 5600;
	fake_event(to, &finish);
	fake_event(to, &end);
}

void fake_fault(struct fake_to to, enum err err, const char *sentence)
{
	struct fault fault;
	fault_set(&fault, err, "%s", sentence);
	struct llm_event e = {.type = EV_FAULT, .fault = &fault};
	fake_event(to, &e);
}

void fake_goaway(struct fake_to to)
{
	struct buf b = BUF_INIT(KIB);
	const struct goaway goaway = {.reason = SPAN("drain"), .grace_ms = -1};
	const size_t mark = frame_begin(&b, FRAME_GOAWAY, 0);
	goaway_pack(&goaway, &b);
	if (frame_finish(&b, mark))
		bail("the fake broker cannot pack a goaway");
	send_buf(to, &b);
}

void fake_json(struct fake_to to, const char *json)
{
	struct llm_event e = {.type = EV_RAW, .text = span_str(json)};
	fake_event(to, &e);
	fake_end(to);
}

void fake_drip(struct fake_to to, bool is_on)
{
	to.broker->is_dripping = is_on;
}

void fake_hang_up(struct fake_to to)
{
	shutdown(to.fd, SHUT_RDWR);
}

static void welcome(struct fake_to to)
{
	const int64_t credit_bytes = to.broker->options.credit_bytes;
	struct buf b = BUF_INIT(KIB);
	const struct welcome w = {
		.version = PROTOCOL_VERSION,
		.broker = SPAN("fake 1.0"),
		.identity = SPAN("{\"uid\":1000}"),
		.credit_bytes = credit_bytes ? credit_bytes : (int64_t)LIMIT_CREDIT_BYTES,
		.max_body_bytes = (int64_t)LIMIT_BODY_BYTES,
	};
	const size_t mark = frame_begin(&b, FRAME_WELCOME, 0);
	welcome_pack(&w, &b);
	if (frame_finish(&b, mark))
		bail("the fake broker cannot pack a welcome");
	send_buf(to, &b);
}

static void give_credit(struct fake_to to, int64_t bytes)
{
	struct buf b = BUF_INIT(KIB);
	const size_t mark = frame_begin(&b, FRAME_CREDIT, to.number);
	credit_pack(bytes, &b);
	if (frame_finish(&b, mark))
		bail("the fake broker cannot pack credit");
	send_buf(to, &b);
}

/* ---- receiving ---- */

static void answer(struct fake_broker *b, struct fake_call *c)
{
	struct fault why = FAULT_NONE;
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	if (c->call.kind == CALL_TYPED &&
		request_unpack_op(c->call.op, c->body, &arena, &c->request, &why)) {
		fake_fault(c->to, why.err, why.message);
		return;
	}
	c->nth = atomic_fetch_add(&b->n_calls, 1);
	if (b->options.script) {
		b->options.script(c, b->options.arg);
		return;
	}
	fake_text(c->to, "hello");
	fake_end(c->to);
}

static void drop_upload(struct connection *n, struct upload *u)
{
	if (!u)
		return;
	buf_done(&u->call);
	buf_done(&u->body);
	*u = n->uploads[--n->n_uploads];
}

static void on_call(struct fake_broker *b, struct connection *n, const struct frame *f)
{
	struct fault why = FAULT_NONE;
	struct fake_call c = {
		.to = {b, n->fd, f->call}
        };
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, MIB);
	atomic_fetch_add(&b->n_begun, 1);
	if (call_unpack(f->body, &arena, &c.call, &why)) {
		fake_fault(c.to, why.err, why.message);
		return;
	}
	if (span_is_set(c.call.body)) {
		c.body = c.call.body;
		answer(b, &c);
		return;
	}
	if (n->n_uploads == UPLOADS_MAX)
		bail("the fake broker has too many bodies on their way");
	struct upload *u = &n->uploads[n->n_uploads++];
	*u = (struct upload){f->call, BUF_INIT(LIMIT_FRAME_BYTES), BUF_INIT(LIMIT_BODY_BYTES)};
	buf_span(&u->call, f->raw);
	c.body = buf_view(&u->body);
	if (b->options.piece && b->options.piece(&c, b->options.arg))
		drop_upload(n, u);
}

static struct upload *find_upload(struct connection *n, uint32_t number)
{
	for (size_t i = 0; i < n->n_uploads; i++) {
		if (n->uploads[i].number == number)
			return &n->uploads[i];
	}
	return NULL;
}

static void on_data(struct fake_broker *b, struct connection *n, const struct frame *f)
{
	struct data data;
	struct fault why = FAULT_NONE;
	struct fake_call c = {
		.to = {b, n->fd, f->call}
        };
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, MIB);
	if (data_unpack(f->body, &data, &why))
		bail("the client's data: %s", why.message);
	atomic_fetch_add(&b->n_pieces, 1);
	struct upload *u = find_upload(n, f->call);
	if (!u)
		return; /* of a call that has ended */
	buf_span(&u->body, data.bytes);
	if (buf_error(&u->body))
		bail("the client's body is longer than any may be");
	if (!b->options.is_stingy)
		give_credit(c.to, f->length);
	if (call_unpack(pack_from(buf_view(&u->call)), &arena, &c.call, &why))
		bail("the client's call: %s", why.message);
	c.body = buf_view(&u->body);
	const bool is_over = b->options.piece && b->options.piece(&c, b->options.arg);
	if (!is_over && data.is_last)
		answer(b, &c);
	if (is_over || data.is_last)
		drop_upload(n, u);
}

static void on_frame(struct fake_broker *b, struct connection *n, const struct frame *f)
{
	const struct fake_to to = {b, n->fd, f->call};
	struct fault why = FAULT_NONE;
	int64_t bytes = 0;
	switch ((enum frame_type)f->type) {
	case FRAME_HELLO:
		welcome(to);
		break;
	case FRAME_CALL:
		on_call(b, n, f);
		break;
	case FRAME_DATA:
		on_data(b, n, f);
		break;
	case FRAME_CANCEL:
		drop_upload(n, find_upload(n, f->call));
		fake_fault(to, ERR_CANCELLED, "cancelled");
		atomic_fetch_add(&b->n_cancels, 1);
		break;
	case FRAME_CREDIT:
		if (credit_unpack(f->body, &bytes, &why))
			bail("the client's credit: %s", why.message);
		atomic_fetch_add(&b->credit, bytes);
		break;
	case FRAME_WELCOME:
	case FRAME_HEAD:
	case FRAME_EVENT:
	case FRAME_END:
	case FRAME_FAULT:
	case FRAME_GOAWAY:
		bail("the client sent a %s frame", frame_name(f->type));
	}
}

/* False: the client has closed. */
static bool serve(struct fake_broker *b, struct connection *n)
{
	struct frame f;
	struct fault why = FAULT_NONE;
	char *room = buf_reserve(&n->in, 64 * KIB);
	const ssize_t got = recv(n->fd, room, 64 * KIB, 0);
	if (got <= 0)
		return false;
	buf_commit(&n->in, (size_t)got);
	struct span rest = buf_view(&n->in);
	enum err err;
	while ((err = frame_take(&rest, &f, NULL, &why)) == OK)
		on_frame(b, n, &f);
	if (err != ERR_MORE)
		bail("the client's frame: %s", why.message);
	buf_drop(&n->in, n->in.n - rest.n);
	return true;
}

static void drop(struct fake_broker *b, size_t i)
{
	struct connection *n = &b->connections[i];
	while (n->n_uploads > 0)
		drop_upload(n, n->uploads);
	buf_done(&n->in);
	close(n->fd);
	b->connections[i] = b->connections[--b->n_connections];
}

static void take_connection(struct fake_broker *b)
{
	const int fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	const int nth = atomic_fetch_add(&b->n_accepted, 1);
	if ((b->options.greet && b->options.greet(fd, nth, b->options.arg)) ||
		b->n_connections == CONNECTIONS_MAX) {
		close(fd);
		return;
	}
	struct connection *n = &b->connections[b->n_connections++];
	*n = (struct connection){.fd = fd, .in = BUF_INIT(4 * MIB)};
}

static void *run(void *arg)
{
	struct fake_broker *b = arg;
	struct pollfd fds[CONNECTIONS_MAX + 2];
	for (;;) {
		fds[0] = (struct pollfd){.fd = b->quit[0], .events = POLLIN};
		fds[1] = (struct pollfd){.fd = b->listener, .events = POLLIN};
		const size_t n = b->n_connections;
		for (size_t i = 0; i < n; i++)
			fds[2 + i] = (struct pollfd){.fd = b->connections[i].fd, .events = POLLIN};
		if (poll(fds, n + 2, -1) < 0 && errno != EINTR)
			bail("poll: %s", strerror(errno));
		if (fds[0].revents)
			return NULL;
		for (size_t i = n; i > 0; i--) {
			if (fds[1 + i].revents && !serve(b, &b->connections[i - 1]))
				drop(b, i - 1);
		}
		if (fds[1].revents)
			take_connection(b);
	}
}

/* ---- its life ---- */

struct fake_broker *fake_start(const struct fake_options *o)
{
	struct fake_broker *b = calloc(1, sizeof *b);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (!b)
		bail("no memory for a fake broker");
	if (o)
		b->options = *o;
	snprintf(b->folder, sizeof b->folder, "/tmp/llmclient-test-XXXXXX");
	if (!mkdtemp(b->folder))
		bail("mkdtemp: %s", strerror(errno));
	snprintf(b->path, sizeof b->path, "%s/sock", b->folder);
	memcpy(at.sun_path, b->path, strlen(b->path) + 1);
	b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (b->listener < 0 || bind(b->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
		listen(b->listener, 16) != 0 || pipe(b->quit) != 0 ||
		pthread_create(&b->thread, NULL, run, b) != 0)
		bail("a fake broker cannot start: %s", strerror(errno));
	return b;
}

void fake_stop(struct fake_broker *b)
{
	if (write(b->quit[1], "q", 1) != 1)
		bail("the fake broker cannot be stopped");
	pthread_join(b->thread, NULL);
	while (b->n_connections > 0)
		drop(b, b->n_connections - 1);
	close(b->listener);
	close(b->quit[0]);
	close(b->quit[1]);
	unlink(b->path);
	rmdir(b->folder);
	free(b);
}

const char *fake_socket(const struct fake_broker *b)
{
	return b->path;
}

int fake_connections(struct fake_broker *b)
{
	return atomic_load(&b->n_accepted);
}

int fake_calls(struct fake_broker *b)
{
	return atomic_load(&b->n_calls);
}

int fake_begun(struct fake_broker *b)
{
	return atomic_load(&b->n_begun);
}

int fake_pieces(struct fake_broker *b)
{
	return atomic_load(&b->n_pieces);
}

int fake_cancels(struct fake_broker *b)
{
	return atomic_load(&b->n_cancels);
}

int64_t fake_credit(struct fake_broker *b)
{
	return atomic_load(&b->credit);
}

bool fake_wait_cancels(struct fake_broker *b, int n)
{
	for (int i = 0; i < 3000; i++) {
		if (fake_cancels(b) >= n)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}
