/* test_multi.c - is the glue right, with a curl that does what the real one does once in a while?
 * The curl_multi_* functions here take the place of libcurl's. */
#include "brokerd/transport/multi.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/tap.h"

/* ---- a curl of our own ---- */

static struct {
	curl_socket_callback on_socket;
	curl_multi_timer_callback on_timer;
	void *socket_data, *timer_data;
	long max_connections;
	void *assigned;
	int n_actions, last_what, depth, n_inside;
	curl_socket_t last_fd;
	CURLMcode answer; /* of the next action, or removal */
	CURL *done[4];    /* messages to come */
	size_t n_done;
	int n_removed;
	void (*in_action)(void); /* what it does inside of one */
} curl;

static CURLMsg message;
static struct loop *loop;
static struct multi *multi;

#undef curl_multi_setopt
CURLMcode curl_multi_setopt(CURLM *m, CURLMoption option, ...)
{
	va_list args;
	(void)m;
	va_start(args, option);
	switch ((int)option) {
	case CURLMOPT_SOCKETFUNCTION:
		curl.on_socket = va_arg(args, curl_socket_callback);
		break;
	case CURLMOPT_SOCKETDATA:
		curl.socket_data = va_arg(args, void *);
		break;
	case CURLMOPT_TIMERFUNCTION:
		curl.on_timer = va_arg(args, curl_multi_timer_callback);
		break;
	case CURLMOPT_TIMERDATA:
		curl.timer_data = va_arg(args, void *);
		break;
	case CURLMOPT_MAXCONNECTS:
		curl.max_connections = va_arg(args, long);
		break;
	}
	va_end(args);
	return CURLM_OK;
}

CURLM *curl_multi_init(void)
{
	return &curl;
}

CURLMcode curl_multi_cleanup(CURLM *m)
{
	(void)m;
	return CURLM_OK;
}

static void enter(void)
{
	curl.n_inside += curl.depth > 0;
	curl.depth++;
}

CURLMcode curl_multi_add_handle(CURLM *m, CURL *easy)
{
	(void)m;
	(void)easy;
	enter();
	curl.depth--;
	return curl.answer;
}

CURLMcode curl_multi_remove_handle(CURLM *m, CURL *easy)
{
	(void)m;
	(void)easy;
	enter();
	curl.depth--;
	curl.n_removed++;
	return CURLM_OK;
}

CURLMcode curl_multi_assign(CURLM *m, curl_socket_t fd, void *p)
{
	(void)m;
	(void)fd;
	curl.assigned = p;
	return CURLM_OK;
}

CURLMcode curl_multi_socket_action(CURLM *m, curl_socket_t fd, int what, int *n_running)
{
	(void)m;
	enter();
	curl.n_actions++;
	curl.last_fd = fd;
	curl.last_what = what;
	*n_running = 1;
	if (curl.in_action)
		curl.in_action();
	curl.depth--;
	return curl.answer;
}

CURLMsg *curl_multi_info_read(CURLM *m, int *left)
{
	(void)m;
	enter();
	curl.depth--;
	*left = 0;
	if (curl.n_done == 0)
		return NULL;
	message.msg = CURLMSG_DONE;
	message.easy_handle = curl.done[--curl.n_done];
	message.data.result = CURLE_OK;
	return &message;
}

const char *curl_multi_strerror(CURLMcode code)
{
	(void)code;
	return "an error of curl's";
}

CURLcode curl_easy_pause(CURL *easy, int what)
{
	(void)easy;
	(void)what;
	enter();
	curl.depth--;
	return CURLE_OK;
}

/* ---- the user of the glue ---- */

static int n_done, n_broken;
static char reason[64];

static void on_done(void *context, CURL *easy, CURLcode code)
{
	(void)context;
	(void)easy;
	(void)code;
	n_done++;
	ok(!multi_is_inside(multi), "what is done is said outside of curl");
}

static void on_broken(void *context, const char *why)
{
	(void)context;
	n_broken++;
	snprintf(reason, sizeof reason, "%s", why);
	ok(!multi_is_inside(multi), "so is that it broke");
	loop_stop(loop);
}

static void on_stop(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

static void run_for(int64_t us)
{
	struct loop_timer stop = {.on_fire = on_stop};
	loop_timer_set(loop, &stop, us);
	loop_run(loop);
	loop_timer_stop(&stop);
}

static void begin(void)
{
	static const struct multi_events events = {on_done, NULL, on_broken, NULL};
	memset(&curl, 0, sizeof curl);
	n_done = n_broken = 0;
	reason[0] = '\0';
	loop = loop_new(NULL);
	multi = loop ? multi_new(loop, 160, &events, NULL) : NULL;
	if (!multi)
		bail("no multi");
}

static void end(void)
{
	multi_free(multi);
	loop_free(loop);
	is_int(curl.n_inside, 0, "curl was never called from inside itself");
}

static void timers(void)
{
	begin();
	is_int(curl.max_connections, 160, "the number of connections is fixed");
	curl.on_timer(&curl, 0, curl.timer_data);
	is_int(curl.n_actions, 0, "a timer of 0 does not call curl at once");
	run_for(0);
	is_int(curl.n_actions, 1, "but soon");
	is_int(curl.last_fd, CURL_SOCKET_TIMEOUT, "as a timeout");

	const int64_t began_us = loop_now_us(loop);
	curl.on_timer(&curl, 1000, curl.timer_data);
	curl.on_timer(&curl, 300, curl.timer_data);
	run_for(15000);
	is_int(curl.n_actions, 1, "three hundred milliseconds are more than fifteen");
	run_for(300000);
	is_int(curl.n_actions, 2, "and less than as many and fifteen");
	ok(loop_now_us(loop) - began_us < 1000000, "the later one was replaced");
	curl.on_timer(&curl, 1, curl.timer_data);
	curl.on_timer(&curl, -1, curl.timer_data);
	curl.on_timer(&curl, 0, curl.timer_data);
	curl.on_timer(&curl, -1, curl.timer_data);
	run_for(10000);
	is_int(curl.n_actions, 2, "minus one takes it away");
	end();
}

static int fd[2];

static void pair(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		bail("no socket pair");
}

static void remove_and_reuse(void)
{
	/* within one call: the socket is done with, closed, and its number is another's */
	const int old = fd[0];
	curl.in_action = NULL;
	curl.on_socket(NULL, fd[0], CURL_POLL_REMOVE, curl.socket_data, curl.assigned);
	multi_close_socket(multi, fd[0]);
	close(fd[1]);
	pair();
	is_int(fd[0], old, "the kernel gives the number again");
	curl.on_socket(NULL, fd[0], CURL_POLL_IN, curl.socket_data, NULL);
}

static void close_unsaid(void)
{
	/* curl forgets to say that it is done with it */
	curl.in_action = NULL;
	multi_close_socket(multi, fd[0]);
}

static void sockets(void)
{
	begin();
	pair();
	curl.on_socket(NULL, fd[0], CURL_POLL_OUT, curl.socket_data, NULL);
	ok(curl.assigned != NULL, "a socket is known again");
	curl.in_action = remove_and_reuse;
	run_for(1000);
	is_int(curl.n_actions, 1, "it was writable, once");
	is_int(curl.last_what, CURL_CSELECT_OUT, "and that was said");
	is_int(write(fd[1], "x", 1), 1, "the one that took its number is written to");
	curl.in_action = close_unsaid;
	run_for(1000);
	is_int(curl.n_actions, 2, "and is readable, until it is closed");
	is_int(curl.last_what, CURL_CSELECT_IN, "which was said");
	is_int(curl.last_fd, fd[0], "by its number");
	close(fd[1]);
	end();
}

static void messages(void)
{
	begin();
	int handles[3];
	for (size_t i = 0; i < COUNT_OF(handles); i++)
		curl.done[curl.n_done++] = &handles[i];
	curl.on_timer(&curl, 0, curl.timer_data);
	run_for(0);
	is_int(n_done, 3, "all that is done is taken, not one a turn");
	is_int(curl.n_removed, 3, "out of the multi first");
	curl.done[curl.n_done++] = &handles[0];
	is_int(multi_unpause(multi, &handles[0]), CURLE_OK, "an unpause goes well");
	is_int(n_done, 3, "an unpause that ends a transfer");
	run_for(0);
	is_int(n_done, 4, "says so soon");
	end();
}

static void an_error(void)
{
	int handle;
	begin();
	pair();
	curl.on_socket(NULL, fd[0], CURL_POLL_OUT, curl.socket_data, NULL);
	curl.answer = CURLM_INTERNAL_ERROR;
	run_for(100000);
	is_int(n_broken, 1, "an error of curl's breaks it, once");
	is_str(reason, "an error of curl's", "and is named");
	is_int(curl.n_actions, 1, "nothing is asked of it any more");
	ok(!multi_add(multi, &handle), "it takes no handle");
	multi_remove(multi, &handle);
	is_int(curl.n_removed, 1, "but gives them back");
	close(fd[1]);
	close(fd[0]);
	end();
}

static int n_moves;

static void move(void)
{
	if (n_moves-- > 0)
		multi_moved(multi);
}

static void circles(void)
{
	begin();
	pair();
	/* always writable, and curl does nothing about it: as several of its versions did */
	curl.on_socket(NULL, fd[0], CURL_POLL_OUT, curl.socket_data, NULL);
	n_moves = 1 << 30;
	curl.in_action = move;
	run_for(300000);
	is_int(n_broken, 0, "much to do is no circle");
	n_moves = 0;
	const int64_t began_us = loop_now_us(loop);
	run_for(MULTI_SPIN_US + 1000000);
	is_int(n_broken, 1, "a circle is noticed");
	ok(loop_now_us(loop) - began_us >= MULTI_SPIN_US, "after a while");
	is_str(reason, "curl runs in circles", "and named");
	const int before = curl.n_actions;
	run_for(10000);
	is_int(curl.n_actions, before, "and broken");
	close(fd[0]);
	close(fd[1]);
	end();
}

int main(void)
{
	timers();
	sockets();
	messages();
	an_error();
	circles();
	return tap_done();
}
