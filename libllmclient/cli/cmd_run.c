/* cmd_run.c - how does a program that I start get its own way to the broker, and no other?
 * llmb makes a socket in a folder of its own, hands it to the broker with the name and the profile of whoever
 * comes on it, and connects once: the program has the path and the connection. For a program that speaks HTTP there
 * is a bridge, of its own where it must be, and its environment leads there. When it ends, all of that is gone. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libllmclient/cli/app_token.h"
#include "libllmclient/cli/beside.h"
#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/own_bridge.h"
#include "libllmclient/cli/run_place.h"
#include "libllmclient/cli/signals.h"
#include "libllmclient/cli/tool_args.h"

#define NAME_BYTES    128
#define AGENT_WAIT_MS 5000
#define TEXTS_BYTES   ((size_t)4 << 20)

struct run {
	struct common common;
	const char *profile, *given_name, *bridge, *model;
	bool is_asking, is_without_http;
	char name[NAME_BYTES]; /* under which it is known */
};

/* What the program gets. */
struct outfit {
	struct arena arena;
	char **argv;
	struct own_bridge bridge;
	struct app_token token;
	struct variable variables[TOOL_VARIABLES_MAX + 1];
	size_t n_variables;
};

static bool is_of_a_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '-' || c == '_';
}

/* The name that was given, which must be fit for an identity; else what is behind the program's last slash, of
 * which every byte that is in no name becomes an underscore. */
static int choose_name(const struct command *self, struct run *o, const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *from = o->given_name ? o->given_name : slash ? slash + 1 : program;
	const size_t n = strlen(from);
	for (size_t i = 0; i < n && i + 1 < sizeof o->name; i++) {
		if (o->given_name && !is_of_a_name(from[i]))
			return options_refuse(self,
				"--name \"%s\": letters, digits, dots, hyphens and underscores are "
				"wanted",
				from);
		o->name[i] = '_';
		if (is_of_a_name(from[i]))
			o->name[i] = from[i];
	}
	if (n == 0)
		return options_refuse(self, "\"%s\" has no name of its own: give --name", program);
	if (n >= sizeof o->name && o->given_name)
		return options_refuse(
			self, "--name: this is longer than %zu bytes", sizeof o->name - 1);
	return EXIT_GOOD;
}

static int hand_over(const struct run *o, const struct run_place *p)
{
	OWNED(buf_done) struct buf body = BUF_INIT(SAY_BYTES_MAX);
	const int fds[] = {p->listening, p->until[0]};
	struct json_out out = json_to(&body);
	char instance[24];
	(void)snprintf(instance, sizeof instance, "%ld", (long)getpid());
	json_open(&out, '{');
	json_pair_str(&out, "name", span_str(o->name));
	json_pair_str(&out, "instance", span_str(instance));
	if (o->profile)
		json_pair_str(&out, "profile", span_str(o->profile));
	json_close(&out, '}');
	buf_byte(&body, '\0');
	llm_client *c = broker_client(&o->common);
	char *answer = llm_admin_call_fds(c, "listener.add", body.p, fds, COUNT_OF(fds));
	const int code = answer ? EXIT_GOOD : say_error(&o->common, llm_last_error(c));
	llm_free(answer);
	llm_client_free(c);
	return code;
}

/* ---- the agent ---- */

/* In the child: becomes an agent on this terminal, for that program alone. It ends with llmb, and not by ^C, which
 * is for the program. */
static _Noreturn void become_agent(
	const struct run *o, const struct signals *s, pid_t parent, int ready)
{
	char only[NAME_BYTES + 16], number[16];
	const char *argv[] = {"llm-broker-agent", "--terminal", "--only", only, "--ready-fd",
		number, o->common.socket ? "--socket" : NULL, o->common.socket, NULL};
	(void)snprintf(only, sizeof only, "sandbox:%s", o->name);
	(void)snprintf(number, sizeof number, "%d", ready);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	signals_release(s);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(EXIT_BAD);
	if (fcntl(ready, F_SETFD, 0) == 0)
		beside_exec("llm-broker-agent", (char **)(uintptr_t)argv);
	say_err("llmb: cannot run llm-broker-agent: %s", strerror(errno));
	_exit(EXIT_BAD);
}

/* Waits until the agent says that it waits for questions. */
static int wait_ready(const struct run *o, const struct signals *s, int ready)
{
	struct pollfd p[] = {
		{.fd = ready, .events = POLLIN},
                {.fd = s->fd, .events = POLLIN}
        };
	bool is_the_terminals;
	char byte;
	int n;
	do
		n = poll(p, COUNT_OF(p), AGENT_WAIT_MS);
	while (n < 0 && errno == EINTR);
	if (p[0].revents & POLLIN && read(ready, &byte, 1) == 1)
		return EXIT_GOOD;
	if (n <= 0)
		return say_failure(&o->common, EXIT_BAD,
			"the agent does not wait for questions yet after %d s: nothing was started",
			AGENT_WAIT_MS / 1000);
	const int number = p[1].revents ? signals_next(s, &is_the_terminals) : 0;
	if (number && number != SIGCHLD)
		return 128 + number;
	return say_failure(&o->common, EXIT_BAD,
		"the agent ended, so that nobody would be asked: nothing was started");
}

static int start_agent(const struct run *o, const struct signals *s, pid_t *agent)
{
	const pid_t parent = getpid();
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0 || (*agent = fork()) < 0)
		return say_failure(
			&o->common, EXIT_BAD, "cannot start an agent: %s", strerror(errno));
	if (*agent == 0)
		become_agent(o, s, parent, ends[1]);
	close(ends[1]);
	const int code = wait_ready(o, s, ends[0]);
	close(ends[0]);
	return code;
}

static void stop_agent(pid_t agent)
{
	if (agent <= 0)
		return;
	(void)kill(agent, SIGTERM);
	while (waitpid(agent, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* ---- its way by HTTP ---- */

/* Those of a profile, and those about whom somebody is asked, are known by their socket: a bridge of their own that
 * calls there is they. */
static bool is_known_by_its_socket(const struct run *o)
{
	return o->profile || o->is_asking;
}

/* The one that was named, or the usual one, which is of the usual broker. False: there is none for us. */
static bool find_bridge(const struct run *o, struct bridge_at *at)
{
	*at = (struct bridge_at){.base = ""};
	if (!o->bridge && (o->common.socket || getenv("LLM_BROKER_SOCKET")))
		return false;
	if (o->bridge)
		(void)bridge_at_add(at, span_str(o->bridge));
	else
		bridge_at_usual(at);
	return bridge_at_look(at) == BRIDGE_SERVES;
}

static int choose_bridge(const struct run *o, const struct run_place *p, const struct signals *s,
	struct own_bridge *b)
{
	*b = (struct own_bridge){.pid = 0};
	if (is_known_by_its_socket(o))
		return own_bridge_start(b, &o->common, OWN_BRIDGE_FOR_ONE, p->path, p->http, s);
	if (find_bridge(o, &b->at))
		return EXIT_GOOD;
	if (o->bridge)
		return say_failure(&o->common, EXIT_BAD,
			"no bridge that serves you listens at %s: nothing was started", o->bridge);
	return own_bridge_start(b, &o->common, OWN_BRIDGE_FOR_ALL, o->common.socket, p->http, s);
}

static int equip(const struct run *o, char **argv, const struct run_place *p,
	const struct signals *s, struct outfit *f)
{
	struct variable settings;
	struct fault why = FAULT_NONE;
	f->argv = argv;
	if (o->is_without_http)
		return EXIT_GOOD;
	int code = choose_bridge(o, p, s, &f->bridge);
	if (!code && !is_known_by_its_socket(o))
		code = app_token_new(&f->token, &o->common, o->name);
	if (code)
		return code;
	const struct reach to = {.base = f->bridge.at.base,
		.socket = f->bridge.at.socket,
		.key = f->token.text,
		.model = o->model};
	f->n_variables = tool_env(&to, tool_name(argv[0]), &f->arena, f->variables);
	f->argv = tool_args(argv, &to, &f->arena);
	if (!f->argv || f->n_variables == 0)
		return say_failure(&o->common, EXIT_BAD, "%s", llm_strerror(LLM_E_NOMEM));
	if (tool_settings(argv[0], &to, p->folder, &f->arena, &settings, &why))
		return say_failure(&o->common, EXIT_BAD, "cannot make settings for %s: %s", argv[0],
			why.message);
	if (settings.value)
		f->variables[f->n_variables++] = settings;
	return EXIT_GOOD;
}

/* In the child. */
static bool put_on(const struct outfit *f)
{
	bool is_good = true;
	for (size_t i = 0; i < f->n_variables; i++) {
		const struct variable *v = &f->variables[i];
		is_good = is_good &&
			  (v->value ? setenv(v->name, v->value, 1) : unsetenv(v->name)) == 0;
	}
	return is_good;
}

/* ---- the program ---- */

/* In the child: becomes the program. Where somebody is asked on this terminal it is none of the program's: it could
 * type the answer. */
static _Noreturn void become(const struct run *o, const struct outfit *f, const struct run_place *p,
	const struct signals *s)
{
	char number[16];
	(void)snprintf(number, sizeof number, "%d", p->connected);
	signals_release(s);
	if (o->is_asking)
		(void)setsid(); /* a child leads no group, so it can */
	if (put_on(f) && setenv("LLM_BROKER_SOCKET", p->path, 1) == 0 &&
		setenv("LLM_BROKER_FD", number, 1) == 0 && fcntl(p->connected, F_SETFD, 0) == 0)
		execvp(f->argv[0], f->argv);
	const int failed = errno;
	say_err("llmb: cannot run %s: %s", f->argv[0], strerror(failed));
	_exit(failed == ENOENT ? 127 : 126);
}

/* The terminal's ^Z stops all of our group. A program that stops itself alone would leave nobody there to give the
 * terminal back to the shell; where no shell waits for that the kernel lets none stop so. */
static void stop_too(const struct run *o)
{
	const int terminal = o->is_asking ? -1 : open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0)
		return;
	if (tcgetpgrp(terminal) == getpgrp())
		(void)kill(0, SIGTSTP);
	close(terminal);
}

/* Passes signals on until it ends. What the terminal sends a program in our own session has already. */
static int wait_for(pid_t program, const struct run *o, const struct signals *s)
{
	bool is_the_terminals = false;
	int status = 0;
	for (pid_t seen; (seen = waitpid(program, &status, WNOHANG | WUNTRACED)) == 0 ||
			 (seen == program && WIFSTOPPED(status));) {
		if (seen == program) {
			stop_too(o);
			continue;
		}
		const int number = signals_next(s, &is_the_terminals);
		if (number == 0 || number == SIGCHLD)
			continue;
		if (o->is_asking ? kill(-program, number) != 0 : !is_the_terminals)
			(void)kill(program, number);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int start_program(const struct run *o, const struct outfit *f, const struct run_place *p,
	const struct signals *s)
{
	const pid_t program = fork();
	if (program < 0)
		return say_failure(
			&o->common, EXIT_BAD, "cannot start another process: %s", strerror(errno));
	if (program == 0)
		become(o, f, p, s);
	return wait_for(program, o, s);
}

static int run_program(const struct run *o, char **argv, const struct run_place *p)
{
	struct signals s;
	struct outfit f = {.n_variables = 0};
	pid_t agent = -1;
	int code = EXIT_GOOD;
	arena_init(&f.arena, TEXTS_BYTES);
	app_token_init(&f.token);
	if (!signals_hold(&s))
		return say_failure(
			&o->common, EXIT_BAD, "cannot wait for signals: %s", strerror(errno));
	if (o->is_asking)
		code = start_agent(o, &s, &agent);
	if (!code)
		code = equip(o, argv, p, &s, &f);
	if (!code)
		code = start_program(o, &f, p, &s);
	app_token_revoke(&f.token);
	own_bridge_stop(&f.bridge);
	stop_agent(agent);
	arena_done(&f.arena);
	close(s.fd);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct run o = {.profile = NULL};
	struct run_place p;
	char **words;
	int n;
	int code = options_read_words(self, argc, argv, &o, 1, INT_MAX, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	struct bridge_at unused = {.base = ""};
	if (o.bridge && (!bridge_at_add(&unused, span_str(o.bridge)) || !unused.base[0]))
		return options_refuse(self,
			"--bridge \"%s\": an address of this host is wanted, such as " BRIDGE_USUAL,
			o.bridge);
	if (o.bridge && (is_known_by_its_socket(&o) || o.is_without_http))
		return options_refuse(
			self, "--bridge goes with neither --profile, --ask nor --no-http");
	code = choose_name(self, &o, words[0]);
	if (code)
		return code;
	if (!run_place_make(&p))
		code = say_failure(&o.common, EXIT_BAD, "cannot make a socket for it in %s: %s",
			p.base, strerror(errno));
	else
		code = hand_over(&o, &p);
	if (!code && !run_place_connect(&p))
		code = say_failure(
			&o.common, EXIT_BAD, "cannot connect to %s: %s", p.path, strerror(errno));
	if (!code)
		code = run_program(&o, words, &p);
	run_place_done(&p);
	return code;
}

#define RUN(field) offsetof(struct run, field)
static const struct option_row rows[] = {
	{'\0', "profile", "NAME",  "the [policy] with that profile says what it may do", OPTION_TEXT,
         RUN(profile)											   },
	{'\0', "name",    "NAME",  "under which it is known; without it, the program's", OPTION_TEXT,
         RUN(given_name)											},
	{'\0', "ask",     NULL,    "ask here, when it wants to use the broker",          OPTION_FLAG,
         RUN(is_asking)											 },
	{'m',  "model",   "MODEL", "that it is to use, where it can be told",            OPTION_TEXT, RUN(model)},
	{'\0', "bridge",  "ADDR",
         "of a bridge that runs (default: " BRIDGE_USUAL ", or one of its own)",         OPTION_TEXT,
         RUN(bridge)											    },
	{'\0', "no-http", NULL,    "no bridge, and its environment as it is",            OPTION_FLAG,
         RUN(is_without_http)										   },
};

const struct command command_run = {
	.name = "run",
	.args = "-- PROGRAM [ARGUMENT...]",
	.summary = "start a program with a way to the broker that is its own",
	.examples = "  llmb run -- claude\n"
		    "  llmb run -- codex exec \"what is this?\"\n"
		    "  llmb run --profile small -- bwrap --unshare-all --new-session --ro-bind / / "
		    "my-agent\n"
		    "  llmb run --ask -- ./downloaded-thing\n",
	.notes =
		"A program that knows a base URL finds the bridge by its environment (see `llmb "
		"env`), and no\n"
		"provider's key there. Where no bridge listens, or it must be told from others "
		"(--profile, --ask),\n"
		"it has one of its own, at a free port and at a socket. Codex gets options, Gemini "
		"CLI and opencode\n"
		"settings.\n"
		"A program that knows the broker finds its connection in LLM_BROKER_FD, which "
		"works "
		"in any sandbox\n"
		"that keeps descriptors, and its socket in LLM_BROKER_SOCKET. All of that ends "
		"with "
		"it.\n"
		"Signals that end a program are passed on to it. With --ask it runs in a session "
		"of its\n"
		"own, without this terminal, on which it could type the answer.\n"
		"Exit status: the program's; 128 and the signal's number where one ended it; 127 "
		"where\n"
		"there is no such program, 126 where it cannot be run.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
