/* cmd_config.c - is the configuration good? Asked of llm-brokerd itself, which need not be running. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libllmclient/cli/beside.h"
#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/say.h"

struct config {
	struct common common;
	char *file;
	char found[PATH_MAX]; /* where none is named: what the broker that runs has read, */
	char state[PATH_MAX]; /* and where its limits are that were set by hand; else empty */
};

/* Of the broker that runs; one that does not is not started for it. */
static void find_file(struct config *o)
{
	llm_options options = LLM_OPTIONS_INIT;
	struct json status;
	struct span path;
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	options.socket_path = o->common.socket;
	options.app_name = "llmb";
	options.flags = LLM_F_NO_AUTOSTART;
	llm_client *c = llm_client_new(&options);
	char *text = c ? llm_admin_call(c, "status", NULL) : NULL;
	if (text && json_scan(span_str(text), JSON_STRICT, &status, NULL) == OK) {
		path = text_of(json_member(status, "config"), "path", &arena);
		if (path.n > 0 && path.n < sizeof o->found) {
			fault_text(o->found, sizeof o->found, path);
			o->file = o->found;
		}
		path = text_of(status, "state_dir", &arena);
		if (o->file && path.n > 0 && path.n < sizeof o->state)
			fault_text(o->state, sizeof o->state, path);
	}
	llm_free(text);
	llm_client_free(c);
}

static bool is_missing(const char *path)
{
	return access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Neither the file nor the folder of others beside it. */
static bool is_nothing(struct span path)
{
	static const char beside[] = "broker.conf.d";
	char file[PATH_MAX], folder[PATH_MAX + sizeof beside];
	if (path.n == 0 || path.n >= sizeof file)
		return false;
	fault_text(file, sizeof file, path);
	const char *slash = strrchr(file, '/');
	(void)snprintf(
		folder, sizeof folder, "%.*s%s", slash ? (int)(slash + 1 - file) : 0, file, beside);
	return is_missing(file) && is_missing(folder);
}

static void become_check(struct config *o, int out)
{
	static char check[] = "--check", config[] = "--config", state[] = "--state-dir",
		    name[] = "llm-brokerd";
	char *argv[7] = {name, check};
	size_t n = 2;
	if (o->file) {
		argv[n++] = config;
		argv[n++] = o->file;
	}
	if (o->state[0]) {
		argv[n++] = state;
		argv[n++] = o->state;
	}
	if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
		_exit(127);
	beside_exec("llm-brokerd", argv);
	_exit(127);
}

/* Runs it and keeps what it says. Returns its exit status, or -1. */
static int check(struct config *o, struct buf *said)
{
	int ends[2], status = 0;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	const pid_t child = fork();
	if (child == 0)
		become_check(o, ends[1]);
	close(ends[1]);
	for (;;) {
		char *room = buf_reserve(said, 4096);
		const ssize_t n = room && child > 0 ? read(ends[0], room, 4096) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_commit(said, (size_t)n);
	}
	close(ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int tell(const struct config *o, int status, struct span said)
{
	static const char ok[] = ": ok";
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(buf_done) struct buf none = BUF_INIT(SAY_BYTES_MAX);
	const size_t end = said.n >= strlen(ok) ? said.n - strlen(ok) : 0;
	const bool is_one_line = span_index(said, '\n') == said.n; /* else it is of what is there */
	if (status == 0 && is_one_line && span_is(span_skip(said, end), ok) &&
		is_nothing(span_first(said, end))) {
		buf_print(&none, "%.*s: there is none: the defaults hold",
			SPAN_ARG(span_first(said, end)));
		said = buf_view(&none);
	}
	if (o->common.is_json) {
		struct json_out json = json_to(&out);
		json_open(&json, '{');
		json_pair_bool(&json, "ok", status == 0);
		json_pair_str(&json, "path", span_str(o->file));
		json_pair_str(&json, "message", said);
		json_close(&json, '}');
		buf_byte(&out, '\n');
		say_out(&out);
	} else if (status == 0) {
		buf_print(&out, "%.*s\n", SPAN_ARG(said));
		say_out(&out);
	} else {
		say_err("%.*s", SPAN_ARG(said));
	}
	return status == 0 ? EXIT_GOOD : EXIT_BAD;
}

static int run_check(const struct command *self, int argc, char **argv)
{
	struct config o = {.file = NULL};
	OWNED(buf_done) struct buf said = BUF_INIT((size_t)1024 * 1024);
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (!o.file)
		find_file(&o);
	if (o.file == o.found && is_nothing(span_str(o.found))) {
		buf_print(&said, "%s: ok", o.found);
		return tell(&o, 0, buf_view(&said));
	}
	const int status = check(&o, &said);
	if (status == 127 || status < 0)
		return say_failure(&o.common, EXIT_BAD,
			"llm-brokerd cannot be run; it belongs beside llmb or in PATH");
	return tell(&o, status, span_trim(buf_view(&said)));
}

static int run_reload(const struct command *self, int argc, char **argv)
{
	struct config o = {.file = NULL};
	struct answer answer;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (!broker_ask(&o.common, "config.reload", NULL, &answer))
		return answer.exit_code;
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const bool is_good = json_is_true(json_member(answer.json, "ok"));
	if (o.common.is_json)
		say_answer(&answer);
	else if (is_good)
		say_err("%.*s: it holds now", SPAN_ARG(text_of(answer.json, "path", &arena)));
	else
		say_err("%.*s: the former one still holds",
			SPAN_ARG(text_of(answer.json, "message", &arena)));
	answer_done(&answer);
	return is_good ? EXIT_GOOD : EXIT_BAD;
}

static const struct option_row rows[] = {
	{'c', "config", "FILE", "that file, and its folder's broker.conf.d/*.conf", OPTION_TEXT,
         offsetof(struct config, file)},
};

static const struct command config_check = {
	.name = "config check",
	.args = "",
	.summary = "is it good, and if not, what is wrong in which line; needs no broker",
	.notes = "Without --config: the file of the broker that runs, else the one that would be "
		 "read "
		 "here.\nThe limits that were set by hand are loaded with it, and so looked at "
		 "too.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run_check,
};

static const struct command config_reload = {
	.name = "config reload",
	.args = "",
	.summary = "let the broker read it again; a bad one changes nothing",
	.run = run_reload,
};

static const struct command *const subcommands[] = {&config_check, &config_reload};

const struct command command_config = {
	.name = "config",
	.args = "check|reload",
	.summary = "is the broker's configuration good, and does it hold?",
	.run = run_group,
	.subcommands = subcommands,
	.n_subcommands = COUNT_OF(subcommands),
};
