/* client.c - connections come and go under one epoll descriptor; calls find their way onto them. */
#include "libllmclient/src/client.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libllmclient/src/call.h"
#include "libllmclient/src/clock.h"
#include "protocol/base/json.h"
#include "protocol/base/list.h"
#include "protocol/base/mem.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

#define READS_MAX  16    /* of one connection at a time: the others want their turn */
#define LISTEN_MS  5000  /* where nobody says how long: until a broker listens */
#define WELCOME_MS 45000 /* and until it answers, as long as another may drain before it */

/* ---- forks ---- */

bool client_is_forked(const struct llm_client *c)
{
	if (c->own_page)
		return *(const volatile unsigned char *)c->own_page == 0;
	return getpid() != c->pid;
}

static void mark_process(struct llm_client *c)
{
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	c->pid = getpid();
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return;
	if (madvise(page, size, MADV_WIPEONFORK) != 0) {
		munmap(page, size);
		return;
	}
	c->own_page = page;
	*c->own_page = 1;
}

/* ---- making and freeing ---- */

int client_fail(struct llm_client *c, const struct fault *why)
{
	return error_set(&c->error, why);
}

static bool copy_text(const char *from, char **to)
{
	if (!from)
		return true;
	const size_t n = strlen(from) + 1;
	*to = mem_resize(NULL, n);
	if (*to)
		memcpy(*to, from, n);
	return *to != NULL;
}

static bool client_init(struct llm_client *c)
{
	const struct llm_options *o = &c->options;
	struct epoll_event woken = {.events = EPOLLIN, .data.ptr = NULL};

	buf_init(&c->info, MIB);
	buf_init(&c->models, LIMIT_BODY_BYTES);
	mark_process(c);
	if (!copy_text(o->socket_path, &c->socket_path) || !copy_text(o->app_name, &c->app_name))
		return false;
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return c->epoll_fd >= 0 && c->wake_fd >= 0 &&
	       epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->wake_fd, &woken) == 0;
}

static void close_own(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void free_streams(struct llm_client *c)
{
	while (c->streams) {
		struct llm_stream *s = c->streams;
		LIST_REMOVE(c->streams, s);
		stream_free(s);
	}
}

static void free_links(struct llm_client *c)
{
	while (c->links) {
		struct link *l = c->links;
		LIST_REMOVE(c->links, l);
		link_free(l);
	}
}

void client_destroy(struct llm_client *c)
{
	free_streams(c);
	free_links(c);
	if (c->is_dialling)
		dial_done(&c->dial);
	close_own(c->options.fd);
	close_own(c->epoll_fd);
	close_own(c->wake_fd);
	if (c->own_page)
		munmap(c->own_page, (size_t)sysconf(_SC_PAGESIZE));
	buf_done(&c->info);
	buf_done(&c->models);
	mem_free(c->socket_path);
	mem_free(c->app_name);
	mem_free(c);
}

llm_client *llm_client_new(const llm_options *opt)
{
	static const struct llm_options defaults = LLM_OPTIONS_INIT;
	struct llm_client *c = mem_zeroed(sizeof *c);
	if (!c)
		return NULL;
	c->options = defaults;
	if (opt)
		memcpy(&c->options, opt, opt->size < sizeof *opt ? opt->size : sizeof *opt);
	if (c->options.max_retries < 0)
		c->options.max_retries = 0;
	c->error = ERROR_NONE;
	c->epoll_fd = c->wake_fd = -1;
	atomic_init(&c->has_cancels, false);
	atomic_init(&c->has_wake, false);
	if (!client_init(c)) {
		c->options.fd = -1; /* stays its owner's: there is no client */
		client_destroy(c);
		return NULL;
	}
	return c;
}

/* The kernel tells the broker that we are gone, and the broker cancels what is open. */
void llm_client_free(llm_client *c)
{
	if (!c)
		return;
	if (c->in_callback) {
		c->is_doomed = true;
		return;
	}
	client_destroy(c);
}

const llm_error *llm_last_error(const llm_client *c)
{
	static const struct llm_error no_client = {
		LLM_E_NOMEM,
		{.err = ERR_NO_MEMORY,
                  .retry_after_ms = -1,
                  .message = "there is no client: llm_client_new() returned NULL"}
        };
	if (!c)
		return &no_client;
	return client_is_forked(c) ? &error_forked : &c->error;
}

/* ---- what comes ---- */

static void forget_link(struct llm_client *c, struct link *l)
{
	LIST_REMOVE(c->links, l);
	if (c->link == l)
		c->link = NULL;
}

void client_lose(struct llm_client *c, struct link *l, const struct fault *why)
{
	const int64_t now_ms = clock_ms();
	struct llm_stream *s;

	forget_link(c, l);
	if (l->state == LINK_GREETING && c->is_wanted) {
		c->is_wanted = false;
		client_fail(c, why);
	}
	LIST_EACH(c->streams, s) {
		if (s->link == l)
			stream_lost(s, why, now_ms);
		else if (l->state == LINK_GREETING)
			stream_unwelcome(s, why, now_ms);
	}
	link_free(l);   /* the kernel takes it out of the epoll set */
	client_poke(c); /* what has failed is told, wherever this was found */
}

/* What llm_client_info() tells. */
static enum err keep_info(struct llm_client *c, const struct welcome *w)
{
	struct json_out out = json_to(&c->info);
	buf_clear(&c->info);
	json_open(&out, '{');
	json_pair_str(&out, "broker", w->broker);
	json_pair_i64(&out, "protocol", w->version);
	json_key(&out, "features");
	json_open(&out, '[');
	for (size_t i = 0; i < w->features.n; i++)
		json_put_str(&out, w->features.names[i]);
	json_close(&out, ']');
	json_pair_i64(&out, "max_body_bytes", w->max_body_bytes);
	json_pair_raw(&out, "identity", w->identity);
	json_close(&out, '}');
	buf_byte(&c->info, '\0');
	return buf_error(&c->info);
}

static enum err on_welcome(
	struct llm_client *c, struct link *l, const struct frame *f, struct fault *why)
{
	struct welcome welcome;
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, LIMIT_FRAME_BYTES * 4);
	if (l->state != LINK_GREETING)
		return fault_set(why, ERR_PROTOCOL, "the broker welcomed us twice");
	const enum err err = welcome_unpack(f->body, &arena, &welcome, why);
	if (err)
		return err;
	if (keep_info(c, &welcome))
		return fault_set(why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
	l->credit_bytes = welcome.credit_bytes;
	l->max_body_bytes = welcome.max_body_bytes;
	l->state = LINK_UP;
	c->is_wanted = false;
	return OK;
}

/* A frame for the connection itself. */
static enum err on_connection(
	struct llm_client *c, struct link *l, const struct frame *f, struct fault *why)
{
	struct llm_event e;
	OWNED(arena_done) struct arena arena;
	enum err err;

	arena_init(&arena, 64 * KIB);
	switch (f->type) {
	case FRAME_WELCOME:
		return on_welcome(c, l, f, why);
	case FRAME_GOAWAY:
		l->state = LINK_LEAVING;
		return OK;
	case FRAME_FAULT:
		err = event_unpack(FRAME_FAULT, f->body, &arena, &e, why);
		if (err)
			return err;
		*why = *e.fault;
		return why->err ? why->err : ERR_INTERNAL;
	default: /* any number may come here, not only an enumerator */
		return fault_set(why, ERR_PROTOCOL,
			"the broker sent a frame of type %d (%s) for no call", f->type,
			frame_name(f->type));
	}
}

static struct llm_stream *find_stream(
	const struct llm_client *c, const struct link *l, uint32_t call)
{
	struct llm_stream *s;
	LIST_EACH(c->streams, s) {
		if (s->link == l && s->call == call)
			return s;
	}
	return NULL;
}

static size_t count_live(const struct llm_client *c, const struct link *l)
{
	const struct llm_stream *s;
	size_t n = 0;
	LIST_EACH(c->streams, s)
		n += s->link == l;
	return n;
}

/* The last of a call that was cancelled from here. */
static void on_stranger(const struct llm_client *c, struct link *l, const struct frame *f)
{
	const bool is_last = f->type == FRAME_END || f->type == FRAME_FAULT;
	if (is_last && l->n_open > count_live(c, l))
		l->n_open--;
}

static enum err on_frame(struct llm_client *c, struct link *l, const struct frame *f,
	int64_t now_ms, struct fault *why)
{
	if (f->call == 0)
		return on_connection(c, l, f, why);
	struct llm_stream *s = find_stream(c, l, f->call);
	if (s)
		return stream_receive(s, f, now_ms, why);
	if (f->call > l->last_call)
		return fault_set(why, ERR_PROTOCOL,
			"the broker answered call %" PRIu32 ", which was never made", f->call);
	on_stranger(c, l, f);
	return OK;
}

static enum err senseless(struct fault *why)
{
	return fault_set(why, ERR_PROTOCOL,
		"what came from the broker makes no sense (%s): something else may listen at its "
		"socket",
		why->message);
}

/* Every whole frame of what was read. */
static enum err take_frames(struct llm_client *c, struct link *l, int64_t now_ms, struct fault *why)
{
	struct span rest = link_received(l);
	struct frame f;
	enum err err;
	while ((err = link_take(&rest, &f, why)) == OK) {
		err = on_frame(c, l, &f, now_ms, why);
		if (err)
			return err;
	}
	if (err != ERR_MORE)
		return err == ERR_NO_MEMORY ? err : senseless(why);
	link_drop(l, rest);
	return OK;
}

/* Reads what is there. False: the link is lost. */
static bool receive(struct llm_client *c, struct link *l, int64_t now_ms)
{
	struct fault why = FAULT_NONE;
	for (int i = 0; i < READS_MAX; i++) {
		enum err err = link_read(l, &why);
		if (err == ERR_MORE)
			break;
		const bool is_drained = l->in.n < l->in.cap;
		if (!err)
			err = take_frames(c, l, now_ms, &why);
		if (err) {
			client_lose(c, l, &why);
			return false;
		}
		if (is_drained)
			break;
	}
	if (l->state == LINK_LEAVING && c->link == l)
		c->link = NULL;
	return true;
}

static void watch(const struct llm_client *c, struct link *l, bool is_out)
{
	struct epoll_event e = {
		.events = EPOLLIN | (is_out ? (uint32_t)EPOLLOUT : 0), .data.ptr = l};
	if (is_out != l->is_watched_out && epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, l->fd, &e) == 0)
		l->is_watched_out = is_out;
}

/* Where sending fails, what the broker said before it closed is the better reason. */
void client_flush(struct llm_client *c, struct link *l)
{
	struct fault why = FAULT_NONE;
	if (!link_flush(l, &why))
		watch(c, l, link_pending(l) > 0 || l->is_room_wanted);
	else if (receive(c, l, clock_ms()))
		client_lose(c, l, &why);
}

/* The socket has room again: bodies go on. */
static void send_bodies(struct llm_client *c, struct link *l)
{
	struct llm_stream *s;
	struct fault why = FAULT_NONE;
	LIST_EACH(c->streams, s) {
		if (s->link == l && s->has_body && stream_send_body(s, &why)) {
			client_lose(c, l, &why);
			return;
		}
	}
	client_flush(c, l);
}

static bool is_linked(const struct llm_client *c, const struct link *l)
{
	const struct link *each;
	LIST_EACH(c->links, each) {
		if (each == l)
			return true;
	}
	return false;
}

static void serve(struct llm_client *c, struct link *l, uint32_t events, int64_t now_ms)
{
	if ((events & ~(uint32_t)EPOLLOUT) && !receive(c, l, now_ms))
		return;
	if (events & EPOLLOUT)
		l->is_room_wanted = false; /* whoever wants it comes again after this step */
	if (link_pending(l) > 0 || (events & EPOLLOUT))
		send_bodies(c, l);
	if (is_linked(c, l) && l->state == LINK_LEAVING && l->n_open == 0) {
		forget_link(c, l);
		link_free(l);
	}
}

/* ---- connecting ---- */

/* A name longer than a label may be is cut at a character. */
static struct span label(const char *text)
{
	const struct span all = span_str(text);
	struct span rest = all;
	if (all.n == 0 || !utf8_is_valid(all))
		return SPAN_NONE;
	while (rest.n > 0 && all.n - rest.n + (size_t)utf8_length(rest) <= LIMIT_LABEL_BYTES)
		rest = span_skip(rest, (size_t)utf8_length(rest));
	return span_first(all, all.n - rest.n);
}

static enum err say_hello(const struct llm_client *c, struct link *l)
{
	const struct hello hello = {
		.version_min = PROTOCOL_VERSION,
		.version_max = PROTOCOL_VERSION,
		.client = SPAN("libllmclient " LLM_BROKER_VERSION),
		.app_name = label(c->app_name),
	};
	const size_t mark = frame_begin(&l->out, FRAME_HELLO, 0);
	hello_pack(&hello, &l->out);
	return frame_finish(&l->out, mark);
}

static enum err add_link(struct llm_client *c, int fd, struct fault *why)
{
	struct link *l = link_new(fd);
	if (!l || say_hello(c, l)) {
		link_free(l);
		return fault_set(why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
	}
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0) {
		link_free(l);
		return fault_set(why, ERR_IO, "epoll: %s", strerror(errno));
	}
	l->hello_due_ms = c->options.connect_timeout_ms == 0 ? clock_due_ms(clock_ms(), WELCOME_MS)
							     : c->dial.due_ms;
	LIST_PUSH(c->links, l);
	c->link = l;
	return OK;
}

static void fail_waiting(struct llm_client *c, const struct fault *why, int64_t now_ms)
{
	struct llm_stream *s;
	client_fail(c, why);
	c->is_wanted = false;
	LIST_EACH(c->streams, s) {
		if (s->state == STREAM_WAITING)
			stream_lost(s, why, now_ms);
	}
	client_poke(c); /* as above: it may be found as a call is started, outside of any step */
}

static enum err begin_dialling(struct llm_client *c, int64_t now_ms, struct fault *why)
{
	const struct dial_options o = {
		.socket_path = c->socket_path,
		.fd = c->options.fd,
		.may_start = !(c->options.flags & LLM_F_NO_AUTOSTART),
	};
	const int timeout_ms = c->options.connect_timeout_ms;
	const int64_t due_ms = clock_due_ms(now_ms, timeout_ms == 0 ? LISTEN_MS : timeout_ms);
	const enum err err = dial_begin(&c->dial, &o, now_ms, due_ms, why);
	if (err) {
		dial_done(&c->dial);
		return err;
	}
	c->is_dialling = true;
	return OK;
}

/* One try. Afterwards there is a link, or the dial goes on, or those who waited have failed. */
static void dial(struct llm_client *c, int64_t now_ms)
{
	struct fault why = FAULT_NONE;
	int fd = -1;
	enum err err = OK;

	if (!c->is_dialling)
		err = begin_dialling(c, now_ms, &why);
	if (!err && now_ms < c->dial.again_ms)
		return;
	if (!err) {
		c->options.fd = -1; /* the dial's now, and then the link's */
		err = dial_try(&c->dial, now_ms, &fd, &why);
	}
	if (err == ERR_MORE)
		return;
	if (!err)
		err = add_link(c, fd, &why);
	if (c->is_dialling)
		dial_done(&c->dial);
	c->is_dialling = false;
	if (err)
		fail_waiting(c, &why, now_ms);
}

static bool is_due(const struct llm_stream *s, int64_t now_ms)
{
	return s->state == STREAM_WAITING && now_ms >= s->retry_ms;
}

static bool wants_link(const struct llm_client *c, int64_t now_ms)
{
	const struct llm_stream *s;
	if (c->is_wanted && !c->link)
		return true;
	LIST_EACH(c->streams, s) {
		if (is_due(s, now_ms))
			return true;
	}
	return false;
}

/* Puts every stream whose time has come, and that fits, onto the link. On some kernels the broker knows who calls
 * only by what is sent after it has looked: after the welcome. */
static void send_waiting(struct llm_client *c, struct link *l, int64_t now_ms)
{
	struct llm_stream *s;
	if (l->state != LINK_UP)
		return;
	LIST_EACH(c->streams, s) {
		struct fault why = FAULT_NONE;
		if (!is_due(s, now_ms))
			continue;
		if (l->n_open >= LIMIT_CALLS || l->last_call == UINT32_MAX) {
			c->link = NULL; /* full: the next ones get another */
			return;
		}
		if (stream_send(s, l, &why)) {
			stream_lost(s, &why, now_ms);
			client_poke(c);
		}
	}
}

void client_connect(struct llm_client *c, int64_t now_ms)
{
	/* a link that is full makes room for another, so this ends */
	while (wants_link(c, now_ms)) {
		if (!c->link)
			dial(c, now_ms);
		struct link *l = c->link;
		if (!l)
			return; /* on its way, or failed */
		send_waiting(c, l, now_ms);
		const bool is_full = c->link != l;
		client_flush(c, l);
		if (!is_full)
			return; /* what waits now waits for the welcome, or for its time */
	}
}

void client_look(struct llm_client *c)
{
	struct link *l = c->link;
	if (!l)
		return;
	const uint64_t before = l->n_received;
	if (!receive(c, l, clock_ms()))
		return;
	if (l->n_received > before)
		client_poke(c); /* nobody would be woken for it: it is not in the socket any more */
	if (c->link)
		client_flush(c, c->link);
}

/* ---- time, and one step ---- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t client_due_ms(const struct llm_client *c)
{
	const struct llm_stream *s;
	const struct link *l;
	int64_t due_ms = c->is_dialling ? c->dial.again_ms : NEVER_MS;
	LIST_EACH(c->links, l) {
		if (l->state == LINK_GREETING)
			due_ms = earlier(due_ms, l->hello_due_ms);
	}
	LIST_EACH(c->streams, s)
		due_ms = earlier(due_ms, stream_due_ms(s));
	return due_ms;
}

static void check_time(struct llm_client *c, int64_t now_ms)
{
	struct llm_stream *s;
	struct link *l, *after;
	struct fault why;
	LIST_EACH_SAFE(c->links, l, after) {
		if (l->state != LINK_GREETING || now_ms < l->hello_due_ms)
			continue;
		fault_set(&why, ERR_TIMEOUT,
			"something listens at the broker's socket, but has not welcomed us in "
			"time");
		client_lose(c, l, &why);
	}
	LIST_EACH(c->streams, s)
		stream_check_time(s, now_ms);
}

static void stop_cancelled(struct llm_client *c)
{
	struct llm_stream *s;
	struct fault why;
	fault_set(&why, ERR_CANCELLED, "%s", err_info(ERR_CANCELLED)->sentence);
	LIST_EACH(c->streams, s) {
		if (atomic_load(&s->is_cancelled))
			stream_stop(s, &why);
	}
}

static void note_wake(struct llm_client *c)
{
	uint64_t n;
	(void)!read(c->wake_fd, &n, sizeof n); /* whatever it counted */
	if (atomic_exchange(&c->has_wake, false))
		c->is_woken = true;
	if (atomic_exchange(&c->has_cancels, false))
		stop_cancelled(c);
}

int client_wait_ms(const struct llm_client *c, int64_t timeout_ms)
{
	const int64_t due_ms = client_due_ms(c);
	int64_t left_ms = timeout_ms < 0 ? INT_MAX : timeout_ms;
	if (due_ms == NEVER_MS)
		return timeout_ms < 0 ? -1 : (int)earlier(left_ms, INT_MAX);
	const int64_t due_in_ms = due_ms - clock_ms();
	left_ms = earlier(left_ms, due_in_ms > 0 ? due_in_ms : 0);
	return (int)earlier(left_ms, INT_MAX);
}

void client_step(struct llm_client *c, int64_t timeout_ms)
{
	struct epoll_event events[16];
	const int n = epoll_wait(
		c->epoll_fd, events, (int)COUNT_OF(events), client_wait_ms(c, timeout_ms));
	const int64_t now_ms = clock_ms();
	for (int i = 0; i < n; i++) {
		struct link *l = events[i].data.ptr;
		if (!l)
			note_wake(c);
		else if (is_linked(c, l)) /* and not lost by what came before it */
			serve(c, l, events[i].events, now_ms);
	}
	check_time(c, now_ms);
	client_connect(c, now_ms);
}
