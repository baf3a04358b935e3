/* cmd_run.c - how does a program that I start get its own way to the broker, and no other?
 * llmb makes a socket in a folder of its own, hands it to the broker with the name and the profile of whoever
 * comes on it, and connects once: the program has the path and the connection. When it ends, both are gone. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"

#define NAME_BYTES    128
#define AGENT_WAIT_MS 5000

struct run {
	struct common common;
	const char *profile, *given_name;
	bool is_asking;
	char name[NAME_BYTES]; /* under which it is known */
};

/* Where the program's socket is, while it runs. */
struct place {
	const char *base; /* where its folder is made */
	char folder[64], path[80];
	int listening, connected;
	int until[2]; /* the broker has the first; who has the second keeps the socket */
};

static void place_done(struct place *p)
{
	const int all[] = {p->listening, p->connected, p->until[0], p->until[1]};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (all[i] >= 0)
			close(all[i]);
	}
	if (p->path[0])
		(void)unlink(p->path);
	if (p->folder[0])
		(void)rmdir(p->folder);
}

/* In the user's own runtime folder, else in the place for temporary files: for its owner alone. */
static bool place_make(struct place *p)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *base = getenv("XDG_RUNTIME_DIR");
	*p = (struct place){
		.listening = -1, .connected = -1, .until = {-1, -1}
        };
	p->base = base && base[0] == '/' && strlen(base) <= 40 ? base : P_tmpdir;
	(void)snprintf(p->folder, sizeof p->folder, "%s/llmb-run-XXXXXX", p->base);
	if (!mkdtemp(p->folder)) {
		p->folder[0] = '\0';
		return false;
	}
	(void)snprintf(p->path, sizeof p->path, "%s/sock", p->folder);
	memcpy(address.sun_path, p->path, strlen(p->path) + 1);
	p->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->connected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return p->listening >= 0 && p->connected >= 0 &&
	       bind(p->listening, (const struct sockaddr *)&address, sizeof address) == 0 &&
	       listen(p->listening, 64) == 0 && pipe2(p->until, O_CLOEXEC) == 0;
}

static bool place_connect(struct place *p)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, p->path, strlen(p->path) + 1);
	return connect(p->connected, (const struct sockaddr *)&address, sizeof address) == 0;
}

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

static int hand_over(const struct run *o, const struct place *p)
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

/* ---- signals ---- */

/* Those that end a program, and the one that says that a child has ended: held back, and read from a descriptor. */
struct signals {
	sigset_t before;
	int fd;
};

static bool signals_hold(struct signals *s)
{
	static const int held[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGCHLD};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < COUNT_OF(held); i++)
		(void)sigaddset(&set, held[i]);
	(void)signal(SIGCHLD, SIG_DFL); /* where it is ignored a child leaves no status */
	(void)sigprocmask(SIG_BLOCK, &set, &s->before);
	s->fd = signalfd(-1, &set, SFD_CLOEXEC);
	return s->fd >= 0;
}

static void signals_release(const struct signals *s)
{
	(void)sigprocmask(SIG_SETMASK, &s->before, NULL);
}

/* The next one; 0: none. */
static int signals_next(const struct signals *s, bool *is_the_terminals)
{
	struct signalfd_siginfo got;
	if (read(s->fd, &got, sizeof got) != (ssize_t)sizeof got)
		return 0;
	*is_the_terminals = got.ssi_code > 0;
	return (int)got.ssi_signo;
}

/* ---- the agent ---- */

/* In the child: becomes an agent on this terminal, for that program alone. It ends with llmb, and not by ^C, which
 * is for the program. */
static _Noreturn void become_agent(
	const struct run *o, const struct signals *s, pid_t parent, int ready)
{
	char only[NAME_BYTES + 16], number[16];
	const char *const argv[] = {"llm-broker-agent", "--terminal", "--only", only, "--ready-fd",
		number, o->common.socket ? "--socket" : NULL, o->common.socket, NULL};
	(void)snprintf(only, sizeof only, "sandbox:%s", o->name);
	(void)snprintf(number, sizeof number, "%d", ready);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	signals_release(s);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(EXIT_BAD);
	if (fcntl(ready, F_SETFD, 0) == 0)
		execvp(argv[0], (char *const *)(uintptr_t)argv);
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

/* ---- the program ---- */

/* In the child: becomes the program. Where somebody is asked on this terminal it is none of the program's: it could
 * type the answer. */
static _Noreturn void become(
	const struct run *o, char **argv, const struct place *p, const struct signals *s)
{
	char number[16];
	(void)snprintf(number, sizeof number, "%d", p->connected);
	signals_release(s);
	if (o->is_asking)
		(void)setsid(); /* a child leads no group, so it can */
	if (setenv("LLM_BROKER_SOCKET", p->path, 1) == 0 &&
		setenv("LLM_BROKER_FD", number, 1) == 0 && fcntl(p->connected, F_SETFD, 0) == 0)
		execvp(argv[0], argv);
	say_err("llmb: cannot run %s: %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Passes signals on until it ends. What the terminal sends a program in our own session has already. */
static int wait_for(pid_t program, const struct run *o, const struct signals *s)
{
	bool is_the_terminals = false;
	int status = 0;
	while (waitpid(program, &status, WNOHANG) == 0) {
		const int number = signals_next(s, &is_the_terminals);
		if (number == 0 || number == SIGCHLD)
			continue;
		if (o->is_asking ? kill(-program, number) != 0 : !is_the_terminals)
			(void)kill(program, number);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int start_program(
	const struct run *o, char **argv, const struct place *p, const struct signals *s)
{
	const pid_t program = fork();
	if (program < 0)
		return say_failure(
			&o->common, EXIT_BAD, "cannot start another process: %s", strerror(errno));
	if (program == 0)
		become(o, argv, p, s);
	return wait_for(program, o, s);
}

static int run_program(const struct run *o, char **argv, const struct place *p)
{
	struct signals s;
	pid_t agent = -1;
	int code = EXIT_GOOD;
	if (!signals_hold(&s))
		return say_failure(
			&o->common, EXIT_BAD, "cannot wait for signals: %s", strerror(errno));
	if (o->is_asking)
		code = start_agent(o, &s, &agent);
	if (!code)
		code = start_program(o, argv, p, &s);
	stop_agent(agent);
	close(s.fd);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct run o = {.profile = NULL};
	struct place p;
	char **words;
	int n;
	int code = options_read_words(self, argc, argv, &o, 1, INT_MAX, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	code = choose_name(self, &o, words[0]);
	if (code)
		return code;
	if (!place_make(&p))
		code = say_failure(&o.common, EXIT_BAD, "cannot make a socket for it in %s: %s",
			p.base, strerror(errno));
	else
		code = hand_over(&o, &p);
	if (!code && !place_connect(&p))
		code = say_failure(
			&o.common, EXIT_BAD, "cannot connect to %s: %s", p.path, strerror(errno));
	if (!code)
		code = run_program(&o, words, &p);
	place_done(&p);
	return code;
}

#define RUN(field) offsetof(struct run, field)
static const struct option_row rows[] = {
	{'\0', "profile", "NAME", "the [policy] with that profile says what it may do", OPTION_TEXT,
         RUN(profile)   },
	{'\0', "name",    "NAME", "under which it is known; without it, the program's", OPTION_TEXT,
         RUN(given_name)},
	{'\0', "ask",     NULL,   "ask here, when it wants to use the broker",          OPTION_FLAG,
         RUN(is_asking) },
};

const struct command command_run = {
	.name = "run",
	.args = "-- PROGRAM [ARGUMENT...]",
	.summary = "start a program with a way to the broker that is its own",
	.examples = "  llmb run --profile small -- bwrap --unshare-all --new-session --ro-bind / / "
		    "my-agent\n"
		    "  llmb run --ask -- ./downloaded-thing\n",
	.notes = "The program finds its connection in LLM_BROKER_FD, which works in any sandbox "
		 "that keeps\n"
		 "descriptors, and its socket in LLM_BROKER_SOCKET. Both end with it.\n"
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
