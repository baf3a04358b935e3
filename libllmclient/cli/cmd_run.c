/* cmd_run.c - how does a program that I start get its own way to the broker, and no other?
 * llmb makes a socket in a folder of its own, hands it to the broker with the name and the profile of whoever
 * comes on it, and connects once: the program has the path and the connection. When it ends, both are gone. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"

struct run {
	struct common common;
	const char *profile, *name;
	bool is_asking;
};

/* Where the program's socket is, while it runs. */
struct place {
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
	if (!base || base[0] != '/' || strlen(base) > 40)
		base = P_tmpdir;
	(void)snprintf(p->folder, sizeof p->folder, "%s/llmb-run-XXXXXX", base);
	if (!mkdtemp(p->folder)) {
		p->folder[0] = '\0';
		return false;
	}
	(void)snprintf(p->path, sizeof p->path, "%s/sock", p->folder);
	memcpy(address.sun_path, p->path, strlen(p->path) + 1);
	p->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->connected = socket(AF_UNIX, SOCK_STREAM, 0); /* the program inherits it */
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

/* The program's name as an identity: what is behind its last slash, of what may be in one. */
static void put_name(const struct run *o, const char *program, struct json_out *out)
{
	char name[128];
	const char *slash = strrchr(program, '/');
	size_t n = 0;
	for (const char *c = o->name ? o->name
			     : slash ? slash + 1
				     : program;
		*c && n + 1 < sizeof name; c++)
		name[n++] = strchr("/ \t\n", *c) ? '_' : *c;
	name[n] = '\0';
	json_pair_str(out, "name", span_str(name));
}

static int hand_over(const struct run *o, const char *program, const struct place *p)
{
	OWNED(buf_done) struct buf body = BUF_INIT(SAY_BYTES_MAX);
	const int fds[] = {p->listening, p->until[0]};
	struct json_out out = json_to(&body);
	char instance[24];
	(void)snprintf(instance, sizeof instance, "%ld", (long)getpid());
	json_open(&out, '{');
	put_name(o, program, &out);
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

/* In the child: becomes the program. */
static _Noreturn void become(char **argv, const struct place *p)
{
	char number[16];
	(void)snprintf(number, sizeof number, "%d", p->connected);
	if (setenv("LLM_BROKER_SOCKET", p->path, 1) == 0 && setenv("LLM_BROKER_FD", number, 1) == 0)
		execvp(argv[0], argv);
	say_err("llmb: cannot run %s: %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* An agent on this terminal, for that program alone; -1: none. */
static pid_t start_agent(const struct run *o, const char *program)
{
	char only[160];
	const char *slash = strrchr(program, '/');
	if (!o->is_asking)
		return -1;
	(void)snprintf(only, sizeof only, "sandbox:%s",
		o->name ? o->name
		: slash ? slash + 1
			: program);
	const pid_t pid = fork();
	if (pid == 0) {
		if (o->common.socket)
			execlp("llm-broker-agent", "llm-broker-agent", "--terminal", "--only", only,
				"--socket", o->common.socket, (char *)NULL);
		else
			execlp("llm-broker-agent", "llm-broker-agent", "--terminal", "--only", only,
				(char *)NULL);
		say_err("llmb: cannot run llm-broker-agent: %s", strerror(errno));
		_exit(EXIT_BAD);
	}
	return pid;
}

/* Signals of the terminal are the program's; we wait for its end. */
static int wait_for(pid_t program)
{
	int status = 0;
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	while (waitpid(program, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_program(const struct run *o, char **argv, struct place *p)
{
	const pid_t agent = start_agent(o, argv[0]);
	const pid_t program = fork();
	if (program == 0)
		become(argv, p);
	int code = program < 0 ? say_failure(&o->common, EXIT_BAD,
					 "cannot start another process: %s", strerror(errno))
			       : wait_for(program);
	if (agent > 0) {
		(void)kill(agent, SIGTERM);
		(void)waitpid(agent, NULL, 0);
	}
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
	if (!place_make(&p))
		code = say_failure(
			&o.common, EXIT_BAD, "cannot make a socket for it: %s", strerror(errno));
	else
		code = hand_over(&o, words[0], &p);
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
         RUN(profile)  },
	{'\0', "name",    "NAME", "under which it is known; without it, the program's", OPTION_TEXT,
         RUN(name)     },
	{'\0', "ask",     NULL,   "ask here, when it wants to use the broker",          OPTION_FLAG,
         RUN(is_asking)},
};

const struct command command_run = {
	.name = "run",
	.args = "-- PROGRAM [ARGUMENT...]",
	.summary = "start a program with a way to the broker that is its own",
	.examples = "  llmb run --profile small -- bwrap --unshare-all --ro-bind / / my-agent\n"
		    "  llmb run --ask -- ./downloaded-thing\n",
	.notes = "The program finds its connection in LLM_BROKER_FD, which works in any sandbox "
		 "that keeps\n"
		 "descriptors, and its socket in LLM_BROKER_SOCKET. Both end with it.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
