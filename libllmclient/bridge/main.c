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
#define NAMES_MAX  32
#define DRAIN_S    30.0 /* for streams that are under way, as the broker has it */
#define LOOK_S     0.05

struct options {
	const char *socket;
	const char *addresses[LISTENERS_MAX], *origins[NAMES_MAX], *hosts[NAMES_MAX];
	size_t n_addresses, n_origins, n_hosts;
	bool is_token_required, is_for_one;
	int ready; /* a descriptor that is told where we listen; -1: none */
};

struct run {
	struct ev_loop *loop;
	struct bridge bridge;
	struct server *server;
	struct listeners *listeners;
	struct ev_signal term, interrupt;
	struct ev_timer draining;
	double give_up;
};

static const char usage[] =
	"llm-broker-bridge: lets programs that know a base URL use language models through the "
	"broker\n"
	"\n"
	"  llm-broker-bridge [--listen ADDR:PORT | --listen unix:PATH]... [--socket PATH]\n"
	"\n"
	"  --listen ADDR:PORT     of this host: 127.0.0.1:8411, [::1]:8411 (default: these, and\n"
	"                         $XDG_RUNTIME_DIR/llm-broker/http)\n"
	"  --listen unix:PATH     a socket in the file system; may repeat, both\n"
	"  --socket PATH          of the broker\n"
	"  --allow-origin ORIGIN  a web page that may ask, as https://app.test; may repeat\n"
	"  --allow-host NAME      another name of this host; may repeat\n"
	"  --require-token        only for programs that show an app token (`llmb token new APP`)\n"
	"  --for-one              for `llmb run`: the broker's socket says who comes, and nobody "
	"is "
	"named\n"
	"                         there beside it\n"
	"  --ready-fd N           for `llmb run`: where it listens goes there, one line each, and "
	"then its end\n"
	"  --version, --help\n"
	"\n"
	"Programs: `llmb env` prints what to set. Keys stay with the broker; where a program has "
	"one "
	"it may show\n"
	"an app token, and whatever else it sends there is passed over.\n";

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

/* 0: go on; else one more than the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"listen",        required_argument, NULL, 'l'},
		{"socket",        required_argument, NULL, 's'},
		{"allow-origin",  required_argument, NULL, 'o'},
		{"allow-host",    required_argument, NULL, 'n'},
		{"require-token", no_argument,       NULL, 't'},
		{"for-one",       no_argument,       NULL, '1'},
		{"ready-fd",      required_argument, NULL, 'r'},
		{"version",       no_argument,       NULL, 'V'},
		{"help",          no_argument,       NULL, 'h'},
		{NULL,            0,                 NULL, 0  },
	};
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
		switch (c) {
		case 'l':
			if (o->n_addresses == LISTENERS_MAX)
				return 1 + refuse(optarg, "is one address too many");
			o->addresses[o->n_addresses++] = optarg;
			break;
		case 's':
			o->socket = optarg;
			break;
		case 'o':
			if (o->n_origins == NAMES_MAX)
				return 1 + refuse(optarg, "is one origin too many");
			o->origins[o->n_origins++] = optarg;
			break;
		case 'n':
			if (o->n_hosts == NAMES_MAX)
				return 1 + refuse(optarg, "is one name too many");
			o->hosts[o->n_hosts++] = optarg;
			break;
		case 'r':
			o->ready = read_descriptor(optarg);
			if (o->ready < 0)
				return 1 + refuse(optarg, "is no open descriptor above 2");
			break;
		case '1':
			o->is_for_one = true;
			break;
		case 't':
			o->is_token_required = true;
			break;
		case 'V':
			puts("llm-broker-bridge " LLM_BROKER_VERSION);
			return 1;
		case 'h':
			fputs(usage, stdout);
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

static void on_stop(struct ev_loop *loop, struct ev_signal *w, int events)
{
	struct run *r = w->data;
	(void)events;
	if (!r->listeners) { /* told twice */
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	notify("STOPPING=1");
	listeners_close(r->listeners);
	r->listeners = NULL;
	r->give_up = ev_now(loop) + DRAIN_S;
	ev_timer_start(loop, &r->draining);
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
	say_where(r->listeners, o->ready);
	notify("READY=1");
	ev_run(r->loop, 0);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options o = {.ready = -1};
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
		.is_for_one = o.is_for_one
        };
	r.term.data = r.interrupt.data = &r;
	ev_signal_init(&r.term, on_stop, SIGTERM);
	ev_signal_init(&r.interrupt, on_stop, SIGINT);
	ev_signal_start(r.loop, &r.term);
	ev_signal_start(r.loop, &r.interrupt);
	ev_timer_init(&r.draining, on_draining, 0, LOOK_S);
	const int code = serve(&r, &o);
	listeners_close(r.listeners);
	server_free(r.server);
	lines_free(r.bridge.lines);
	ev_default_destroy();
	return code;
}
