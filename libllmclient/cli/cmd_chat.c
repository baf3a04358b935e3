/* cmd_chat.c - a conversation, line by line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libllmclient/cli/answer.h"
#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/cache_wishes.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/interrupt.h"
#include "libllmclient/cli/secret.h"

struct chat {
	struct common common;
	const char *model, *system;
	bool is_usage;
	struct cache_wishes cache;
};

struct talk {
	const struct chat *options;
	llm_client *client;
	llm_request *history;
	char *model; /* as last said by /model; NULL: the default */
	bool is_terminal, is_over;
	int exit_code; /* of what went wrong last */
};

/* A new conversation; the model cannot change within one request. False: no memory. */
static bool begin(struct talk *t)
{
	llm_request_free(t->history);
	t->history = llm_request_new(t->model);
	if (!t->history)
		return false;
	if (t->options->system)
		(void)llm_request_system(t->history, t->options->system);
	cache_wishes_put(
		&t->options->cache, t->history); /* failures stick, and are told when asked */
	return true;
}

static void out_of_memory(struct talk *t)
{
	t->exit_code = say_failure(&t->options->common, EXIT_BAD, "%s", llm_strerror(LLM_E_NOMEM));
	t->is_over = true;
}

/* ---- what begins with a slash ---- */

static void slash_help(struct talk *t, const char *arg)
{
	(void)t;
	(void)arg;
	say_err("/clear         forget what was said\n"
		"/model [NAME]  ask another one from now on, and begin anew\n"
		"/quit          or Ctrl-D\n"
		"Ctrl-C         cancels an answer; a line that ends in \\ goes on in the next");
}

static void slash_clear(struct talk *t, const char *arg)
{
	(void)arg;
	if (!begin(t))
		out_of_memory(t);
}

static void slash_model(struct talk *t, const char *arg)
{
	if (arg[0] == '\0') {
		say_err("the model is %s", t->model ? t->model : "the host's default");
		return;
	}
	char *model = strdup(arg);
	if (!model) {
		out_of_memory(t);
		return;
	}
	free(t->model);
	t->model = model;
	slash_clear(t, "");
}

static void slash_quit(struct talk *t, const char *arg)
{
	(void)arg;
	t->is_over = true;
}

static const struct {
	const char *word;
	void (*run)(struct talk *t, const char *arg);
} slashes[] = {
	{"/help",  slash_help },
	{"/clear", slash_clear},
	{"/model", slash_model},
	{"/quit",  slash_quit },
	{"/exit",  slash_quit },
};

static void run_slash(struct talk *t, char *line)
{
	char *arg = strchr(line, ' ');
	if (arg)
		*arg++ = '\0';
	for (size_t i = 0; i < COUNT_OF(slashes); i++) {
		if (strcmp(line, slashes[i].word) == 0) {
			slashes[i].run(t, arg ? arg : "");
			return;
		}
	}
	say_err("there is no %s; /help lists what there is", line);
}

/* ---- what is said ---- */

/* The history grows by what was said and answered; what failed or was cancelled leaves no trace. */
static void say(struct talk *t, const char *line)
{
	struct show show = {.common = &t->options->common, .is_cost_wanted = t->options->is_usage};
	llm_request *asked = llm_request_copy(t->history);
	if (!asked) {
		out_of_memory(t);
		return;
	}
	(void)llm_request_user(asked, line);
	llm_stream *stream = llm_stream_start(t->client, asked);
	t->exit_code = show_stream(&show, t->client, stream);
	if (t->exit_code == EXIT_GOOD &&
		llm_request_result(asked, llm_stream_result(stream)) == LLM_OK) {
		llm_request_free(t->history);
		t->history = asked;
	} else {
		llm_request_free(asked);
	}
	llm_stream_free(stream);
	if (t->exit_code == EXIT_INTERRUPTED && !t->is_terminal)
		t->is_over = true; /* nobody is there to go on */
}

/* ---- lines ---- */

struct lines {
	char *text;
	size_t size;
};

/* One line, and those it goes on in, without its break. False: there is no more. */
static bool read_line(struct talk *t, struct lines *in, struct buf *out)
{
	buf_clear(out);
	for (;;) {
		if (t->is_terminal)
			(void)!write(STDERR_FILENO, out->n > 0 ? "… " : "> ", out->n > 0 ? 4 : 2);
		ssize_t n = getline(&in->text, &in->size, stdin);
		if (n < 0)
			return out->n > 0;
		if (in->text[n - 1] == '\n')
			n--;
		const bool goes_on = n > 0 && in->text[n - 1] == '\\';
		buf_put(out, in->text, (size_t)(goes_on ? n - 1 : n));
		buf_byte(out, goes_on ? '\n' : '\0');
		if (!goes_on)
			return !buf_error(out);
	}
}

static void talk(struct talk *t)
{
	struct lines in = {NULL, 0};
	OWNED(buf_done) struct buf line = BUF_INIT((size_t)32 * 1024 * 1024);
	if (t->is_terminal && !t->options->common.is_quiet)
		say_err("/help lists what there is beside talking; Ctrl-D ends");
	while (!t->is_over && read_line(t, &in, &line)) {
		if (line.p[0] == '/')
			run_slash(t, line.p);
		else if (line.p[0] != '\0')
			say(t, line.p);
	}
	free(in.text);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct chat o = {.model = NULL};
	struct talk t = {.options = &o};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	const int wrong = cache_wishes_check(self, &o.cache, "--cache-");
	if (wrong)
		return wrong;
	t.is_terminal = may_ask(&o.common);
	t.client = broker_client(&o.common);
	t.model = o.model ? strdup(o.model) : NULL;
	if ((o.model && !t.model) || !begin(&t))
		out_of_memory(&t);
	if (!t.is_over)
		talk(&t);
	llm_request_free(t.history);
	llm_client_free(t.client);
	free(t.model);
	return t.exit_code;
}

#define CHAT(field) offsetof(struct chat, field)
static const struct option_row rows[] = {
	{'m',  "model",  "MODEL", "whom to talk to: provider/model, a name or an alias",  OPTION_TEXT,
         CHAT(model)											       },
	{'s',  "system", "TEXT",  "instructions that come before all",                    OPTION_TEXT, CHAT(system)},
	{'\0', "usage",  NULL,    "tokens and cost on stderr, even if it is no terminal", OPTION_FLAG,
         CHAT(is_usage)											    },
	CACHE_WISHES_ROWS(chat, cache),
};

const struct command command_chat = {
	.name = "chat",
	.args = "",
	.summary = "a conversation; each line of stdin is said in turn",
	.examples = "  llmb chat\n"
		    "  llmb chat -m anthropic/claude-haiku-4-5 -s \"answer in rhymes\"\n",
	.notes = "/help, /clear, /model NAME and /quit are commands. Ctrl-C cancels an answer.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
