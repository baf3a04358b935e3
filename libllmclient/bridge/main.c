/* main.c - serves until it is told to stop, then ends what is under way. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libllmclient/bridge/listeners.h"
#include "protocol/base/num.h"

#define EXIT_USAGE 2
#define COLUMN     26 /* where what an option does begins */
#define NAMES_MAX  32
#define DRAIN_S    30.0 /* for streams that are under way, as the broker has it */
#define LOOK_S     0.05
#define IDLE_US    INT64_C(300000000) /* of one that a service manager started, as the broker has it */
#define IDLE_MAX   (INT64_C(365) * 86400 * 1000000)

struct options {
	const char *socket;
	const char *addresses[LISTENERS_MAX], *origins[NAMES_MAX], *hosts[NAMES_MAX];
	size_t n_addresses, n_origins, n_hosts;
	bool is_token_required, is_for_one, has_metrics;
	int ready;       /* a descriptor that is told where we listen; -1: none */
	int64_t idle_us; /* with nobody connected, until it ends; 0: never; -1: nothing is said */
};

struct run {
	struct ev_loop *loop;
	struct bridge bridge;
	struct server *server;
	struct listeners *listeners;
	struct ev_signal term, interrupt;
	struct ev_timer draining, idle;
	double give_up, idle_s;
};

static const char usage_head[] =
	"llm-broker-bridge: lets programs that know a base URL use language models through the "
	"broker\n"
	"\n"
	"  llm-broker-bridge [--listen ADDR:PORT | --listen unix:PATH]... [--socket PATH]\n"
	"\n";

static const char usage_tail[] =
	"\n"
	"Without --listen it has the sockets that a service manager hands over, and --idle-exit is "
	"5m\n"
	"where nothing is said; else 127.0.0.1:8411, [::1]:8411 and "
	"$XDG_RUNTIME_DIR/llm-broker/http.\n"
	"Programs: `llmb env` prints what to set. Keys stay with the broker; where a program has "
	"one "
	"it may show\n"
	"an app token, and whatever else it sends there is passed over.\n";

#define OPTIONS_DEF "libllmclient/bridge/options.def"
#include "protocol/base/options_table.def"

static void print_usage(void)
{
	fputs(usage_head, stdout);
	print_options(COLUMN);
	fputs(usage_tail, stdout);
}

static int refuse(const char *what, const char *why)
{
	fprintf(stderr, "llm-broker-bridge: %s %s (llm-broker-bridge --help)\n", what, why);
	return EXIT_USAGE;
}

/* Not one of the first three; -1: it is none. */
static int read_descriptor(const char *text)
{
	int64_t v;
	return num_i64(span_str(text), &v) && v > STDERR_FILENO && v <= INT32_MAX &&
			       fcntl((int)v, F_GETFD) >= 0
		       ? (int)v
		       : -1;
}

/* As `idle_exit` of the broker's configuration, or seconds. -1: it is none. */
static int64_t read_idle(const char *text)
{
	const struct span t = span_str(text);
	int64_t v;
	if (span_is(t, "never"))
		return 0;
	if (!num_duration_us(t, &v) && (!num_i64(t, &v) || v < 0 || !num_mul(v, 1000000, &v)))
		return -1;
	return v <= IDLE_MAX ? v : -1;
}

/* 0: go on; else one more than the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
		switch (c) {
		case LISTEN:
			if (o->n_addresses == LISTENERS_MAX)
				return 1 + refuse(optarg, "is one address too many");
			o->addresses[o->n_addresses++] = optarg;
			break;
		case SOCKET:
			o->socket = optarg;
			break;
		case ALLOW_ORIGIN:
			if (o->n_origins == NAMES_MAX)
				return 1 + refuse(optarg, "is one origin too many");
			o->origins[o->n_origins++] = optarg;
			break;
		case ALLOW_HOST:
			if (o->n_hosts == NAMES_MAX)
				return 1 + refuse(optarg, "is one name too many");
			o->hosts[o->n_hosts++] = optarg;
			break;
		case READY_FD:
			o->ready = read_descriptor(optarg);
			if (o->ready < 0)
				return 1 + refuse(optarg, "is no open descriptor above 2");
			break;
		case IDLE_EXIT:
			o->idle_us = read_idle(optarg);
			if (o->idle_us < 0)
				return 1 + refuse(optarg, "is no time for --idle-exit: 90s, 5m and "
							  "never are");
			break;
		case FOR_ONE:
			o->is_for_one = true;
			break;
		case REQUIRE_TOKEN:
			o->is_token_required = true;
			break;
		case METRICS:
			o->has_metrics = true;
			break;
		case VERSION:
			puts("llm-broker-bridge " LLM_BROKER_VERSION);
			return 1;
		case HELP:
		case 'h':
			print_usage();
			return 1;
		case ':':
			return 1 + refuse(argv[optind - 1], "wants a value");
		default:
			return 1 + refuse(argv[optind - 1], "is no option");
		}
	}
	return optind < argc ? 1 + refuse(argv[optind], "is no option") : 0;
}

/* A datagram to the service manager, where there is one. */
static void notify(const char *text)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	const size_t n = path ? strlen(path) : 0;
	if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	const ssize_t sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	(void)sent; /* the manager's loss */
	close(fd);
}

static void on_draining(struct ev_loop *loop, struct ev_timer *t, int events)
{
	struct run *r = container_of(t, struct run, draining);
	(void)events;
	if (server_drain(r->server) || ev_now(loop) >= r->give_up)
		ev_break(loop, EVBREAK_ALL);
}

/* Nobody new is taken: who comes now waits for the next one, where a service manager has the sockets. */
static void stop(struct run *r)
{
	notify("STOPPING=1");
	ev_timer_stop(r->loop, &r->idle);
	listeners_close(r->listeners);
	r->listeners = NULL;
	r->give_up = ev_now(r->loop) + DRAIN_S;
	ev_timer_start(r->loop, &r->draining);
}

static void on_stop(struct ev_loop *loop, struct ev_signal *w, int events)
{
	struct run *r = w->data;
	(void)events;
	if (r->listeners)
		stop(r);
	else /* told twice */
		ev_break(loop, EVBREAK_ALL);
}

static void wait_idle(struct run *r, double more_s)
{
	ev_timer_set(&r->idle, more_s, 0);
	ev_timer_start(r->loop, &r->idle);
}

/* Somebody may have been here meanwhile. */
static void on_idle(struct ev_loop *loop, struct ev_timer *t, int events)
{
	struct run *r = container_of(t, struct run, idle);
	const double since = server_empty_since(r->server);
	const double more_s = since < 0 ? r->idle_s : since + r->idle_s - ev_now(loop);
	(void)events;
	if (more_s > 0)
		wait_idle(r, more_s);
	else
		stop(r);
}

/* As many descriptors as connections need: each has three at the broker. */
static void raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* To whoever started us and waits for it, or to people. */
static void say_where(const struct listeners *l, int ready)
{
	OWNED(buf_done) struct buf text = BUF_INIT(4096);
	listeners_describe(l, &text);
	if (ready >= 0) {
		ssize_t n; /* a pipe takes as much as this at once */
		do
			n = write(ready, text.p, text.n);
		while (n < 0 && errno == EINTR);
		close(ready);
		return;
	}
	for (struct span rest = buf_view(&text); rest.n > 0;) {
		const struct span line = span_cut(&rest, '\n');
		if (line.n > 0)
			fprintf(stderr, "llm-broker-bridge: listening at %.*s\n", SPAN_ARG(line));
	}
}

static int serve(struct run *r, const struct options *o)
{
	struct fault why = FAULT_NONE;
	r->server = r->bridge.lines ? server_new(&r->bridge, &why) : NULL;
	if (r->server)
		r->listeners =
			listeners_open(r->loop, r->server, o->addresses, o->n_addresses, &why);
	if (!r->listeners) {
		fprintf(stderr, "llm-broker-bridge: %s\n", why.err ? why.message : "out of memory");
		return why.err == ERR_INVALID_ARGUMENT ? EXIT_USAGE : EXIT_FAILURE;
	}
	const int64_t usual_us = listeners_are_handed(r->listeners) ? IDLE_US : 0;
	r->idle_s = (double)(o->idle_us < 0 ? usual_us : o->idle_us) / 1e6;
	if (r->idle_s > 0)
		wait_idle(r, r->idle_s);
	say_where(r->listeners, o->ready);
	notify("READY=1");
	ev_run(r->loop, 0);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options o = {.ready = -1, .idle_us = -1};
	struct run r = {.loop = NULL};
	const int over = read_options(argc, argv, &o);
	if (over)
		return over - 1;
	raise_limit();
	signal(SIGPIPE, SIG_IGN);
	r.loop = ev_default_loop(EVFLAG_NOENV);
	if (!r.loop) {
		fprintf(stderr, "llm-broker-bridge: no event loop can be made\n");
		return EXIT_FAILURE;
	}
	r.bridge = (struct bridge){
		.loop = r.loop,
		.lines = lines_new(r.loop, o.socket),
		.door = {o.origins, o.n_origins, o.hosts, o.n_hosts},
		.is_token_required = o.is_token_required,
		.has_metrics = o.has_metrics,
		.is_for_one = o.is_for_one
        };
	r.term.data = r.interrupt.data = &r;
	ev_signal_init(&r.term, on_stop, SIGTERM);
	ev_signal_init(&r.interrupt, on_stop, SIGINT);
	ev_signal_start(r.loop, &r.term);
	ev_signal_start(r.loop, &r.interrupt);
	ev_timer_init(&r.draining, on_draining, 0, LOOK_S);
	ev_init(&r.idle, on_idle);
	const int code = serve(&r, &o);
	listeners_close(r.listeners);
	server_free(r.server);
	lines_free(r.bridge.lines);
	ev_default_destroy();
	return code;
}
