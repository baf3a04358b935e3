/* main.c - options, the process made safe, and a broker run in it. */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "brokerd/broker.h"
#include "brokerd/config/cache_check.h"
#include "brokerd/config/catalogue_file.h"
#include "brokerd/config/config.h"
#include "brokerd/config/limits_file.h"
#include "brokerd/config/price_check.h"
#include "brokerd/environment.h"
#include "brokerd/heap.h"
#include "brokerd/log/log.h"
#include "brokerd/policy/covered.h"
#include "brokerd/policy/policy.h"
#include "brokerd/vault/source_helper.h"
#include "protocol/base/owned.h"
#include "protocol/base/sanitized.h"

#define EXIT_USAGE   2
#define COLUMN       22 /* where what an option does begins */
#define FILES_WANTED 16384
#define LOCKS_WANTED ((rlim_t)64 * 1024 * 1024)

struct options {
	const char *config, *socket, *state_dir;
	bool is_check;
};

static const char usage_head[] =
	"llm-brokerd: one daemon a host that holds the keys of language-model providers\n"
	"\n"
	"  llm-brokerd [--config FILE] [--socket PATH] [--state-dir DIR]\n"
	"  llm-brokerd --check [--config FILE] [--state-dir DIR]\n"
	"\n";

static const char usage_tail[] =
	"\n"
	"It stays in the foreground and logs to stderr. SIGTERM finishes open calls, SIGHUP reads\n"
	"the configuration again, SIGUSR1 locks the vault.\n";

#define OPTIONS_DEF "brokerd/options.def"
#include "protocol/base/options_table.def"

static void print_usage(void)
{
	fputs(usage_head, stdout);
	print_options(COLUMN);
	fputs(usage_tail, stdout);
}

/* No core, no tracer of the same user, no swap of a dump: before anything else. */
static void make_undumpable(void)
{
#if !defined(BROKER_PERMIT_CORE) && !ADDRESS_SANITIZED
	const struct rlimit none = {0, 0};
	if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		abort();
#endif
}

#if !defined(BROKER_PERMIT_CORE) && !defined(BROKER_UNCONFINED)

/* The number behind `name` in a status file of /proc; -1 where it cannot be read. */
static long status_number(const char *path, const char *name)
{
	char line[256];
	long found = -1;
	FILE *f = fopen(path, "re");
	if (!f)
		return found;
	while (found < 0 && fgets(line, sizeof line, f)) {
		if (strncmp(line, name, strlen(name)) == 0)
			found = strtol(line + strlen(name), NULL, 10);
	}
	(void)fclose(f);
	return found;
}

/* A tracer who was there before the program stays, and has its registers if not its memory: there must be
 * none but root's, from whom nothing is kept anyway. */
static bool is_traced(void)
{
	char path[64];
	const long tracer = status_number("/proc/self/status", "TracerPid:");
	if (tracer <= 0 || geteuid() == 0)
		return false;
	(void)snprintf(path, sizeof path, "/proc/%ld/status", tracer);
	if (status_number(path, "Uid:") == 0)
		return false;
	fprintf(stderr,
		"llm-brokerd: process %ld traces this one and could use its keys: start it "
		"untraced\n",
		tracer);
	return true;
}

#else

static bool is_traced(void)
{
	return false;
}

#endif

/* Whoever started us may have closed these; a file or socket of ours must not take their place, or
 * the log would be written into it. */
static void fill_standard_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		abort();
	close(fd);
}

static void raise_limit(unsigned what, const char *event, rlim_t wanted)
{
	struct rlimit limit;
	if (getrlimit(what, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (setrlimit(what, &limit) != 0)
		log_warn(event, "soft=%llu", (unsigned long long)limit.rlim_cur);
}

/* Every client costs a descriptor, and so does every stream; every open key some locked pages. */
static void raise_limits(void)
{
	raise_limit(RLIMIT_NOFILE, "limits.files", FILES_WANTED);
	raise_limit(RLIMIT_MEMLOCK, "limits.locks", LOCKS_WANTED);
}

/* BASE/llm-broker/NAME, or HOME/FALLBACK/llm-broker/NAME. NULL: neither is known. */
static char *user_path(const char *variable, const char *fallback, const char *name)
{
	const char *base = getenv(variable);
	const char *home = getenv("HOME");
	char *path = NULL;
	if (base && base[0] == '/') {
		if (asprintf(&path, "%s/llm-broker%s", base, name) < 0)
			return NULL;
		return path;
	}
	if (!fallback)
		return NULL;
	if (!home || home[0] != '/') {
		const struct passwd *pw = getpwuid(geteuid());
		home = pw ? pw->pw_dir : NULL;
	}
	if (!home || asprintf(&path, "%s/%s/llm-broker%s", home, fallback, name) < 0)
		return NULL;
	return path;
}

/* The paths that were not named: the system's for root, the user's for everybody else. */
static bool fill_paths(struct options *o, struct broker_options *b)
{
	const bool is_system = geteuid() == 0;
	b->is_config_required = o->config != NULL;
	b->config_path = o->config   ? o->config
			 : is_system ? "/etc/llm-broker/broker.conf"
				     : user_path("XDG_CONFIG_HOME", ".config", "/broker.conf");
	b->state_dir = o->state_dir ? o->state_dir
		       : is_system  ? "/var/lib/llm-broker"
				    : user_path("XDG_STATE_HOME", ".local/state", "");
	b->socket_path = o->socket   ? o->socket
			 : is_system ? "/run/llm-broker/sock"
				     : user_path("XDG_RUNTIME_DIR", NULL, "/sock");
	if (!b->config_path || !b->state_dir) {
		fputs("llm-brokerd: no home folder is known: name --config and --state-dir\n",
			stderr);
		return false;
	}
	if (!b->socket_path && b->service.n_fds == 0) {
		fputs("llm-brokerd: XDG_RUNTIME_DIR is not set: name --socket PATH\n", stderr);
		return false;
	}
	return true;
}

/* Against what is imported, as far as one may read that, else against what is built in. */
static enum err check_prices(
	const struct broker_options *b, const struct config *c, struct fault *why)
{
	struct catalogue *catalogue;
	struct fault unusable = FAULT_NONE;
	(void)!catalogue_load(b->state_dir, &catalogue, &unusable);
	if (!catalogue)
		return OK;
	catalogue_set_day(catalogue, time(NULL) / 86400);
	const enum err err = config_check_prices(c, catalogue, why);
	catalogue_unref(catalogue);
	return err;
}

/* What was set by hand, as far as one may read that: it is loaded with the configuration, or stops it. */
static enum err check_limits(const struct broker_options *b, struct config *c, struct fault *why)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof path, "%.4000s/" LIMITS_FILE, b->state_dir);
	return access(path, R_OK) == 0 ? limits_file_add(c, b->state_dir, why) : OK;
}

/* What it says, and is not heeded. */
static void say_idle(const struct broker_options *b, const struct config *c)
{
	OWNED(buf_done) struct buf lines = BUF_INIT(MIB);
	cache_check(c, &lines);
	policy_say_covered(c, &lines);
	for (struct span rest = buf_view(&lines); rest.n > 0;) {
		const struct span line = span_cut(&rest, '\n');
		printf("%s: %.*s\n", b->config_path, SPAN_ARG(line));
	}
}

static int check_config(const struct broker_options *b)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_load(b->config_path, !b->is_config_required, &why);
	if (c && (policy_check(c, &why) != OK || check_limits(b, c, &why) != OK ||
			 check_prices(b, c, &why) != OK)) {
		config_unref(c);
		c = NULL;
	}
	if (!c) {
		fprintf(stderr, "%s\n", why.message);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		if (p->missing && !p->is_builtin)
			printf("%s: [provider \"%.*s\"] cannot be used before it has %s = ...\n",
				b->config_path, SPAN_ARG(p->name), p->missing);
	}
	for (size_t i = 0; i < c->n_limits; i++) {
		const struct limit_rule *r = &c->limits[i];
		if (span_is_set(r->unfit))
			printf("%s/" LIMITS_FILE ": [limit \"%.*s\"] stays, but %.*s\n",
				b->state_dir, SPAN_ARG(r->name), SPAN_ARG(r->unfit));
	}
	say_idle(b, c);
	printf("%s: ok\n", b->config_path);
	config_unref(c);
	return EXIT_SUCCESS;
}

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
	int which;
	while ((which = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (which) {
		case CONFIG:
			o->config = optarg;
			break;
		case SOCKET:
			o->socket = optarg;
			break;
		case STATE_DIR:
			o->state_dir = optarg;
			break;
		case CHECK:
			o->is_check = true;
			break;
		case VERSION:
			puts("llm-brokerd " LLM_BROKER_VERSION);
			return EXIT_SUCCESS;
		case 'h':
		case HELP:
			print_usage();
			return EXIT_SUCCESS;
		default:
			fputs("try `llm-brokerd --help`\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "llm-brokerd: what is \"%s\"? Try `llm-brokerd --help`\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

static int serve(const struct broker_options *b)
{
	struct fault why = FAULT_NONE;
	raise_limits();
	struct broker *broker = broker_new(b, &why);
	if (!broker) {
		fprintf(stderr, "llm-brokerd: %s\n", why.message);
		return EXIT_FAILURE;
	}
	heap_settle();
	broker_run(broker);
	broker_free(broker);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct broker_options b = {0};

	make_undumpable();
	environment_renew(argv);
	heap_begin();
	fill_standard_descriptors();
	if (is_traced())
		return EXIT_FAILURE;
	if (argc == 2 && strcmp(argv[1], SOURCE_HELPER_OPTION) == 0)
		return source_helper_main();
	const int status = parse_options(argc, argv, &options);
	if (status >= 0)
		return status;
	service_read(&b.service);
	if (!fill_paths(&options, &b))
		return EXIT_FAILURE;
	log_init(LOG_LEVEL_INFO, -1);
	environment_scrub();
	setlocale(LC_ALL, "C");
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0) {
		fputs("llm-brokerd: the cryptographic library does not start\n", stderr);
		return EXIT_FAILURE;
	}
	const int code = options.is_check ? check_config(&b) : serve(&b);
	service_done(&b.service);
	return code;
}
