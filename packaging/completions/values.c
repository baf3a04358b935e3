/* values.c - by what an argument is called; and those sets that are fixed, by option. */
#include "packaging/completions/values.h"

#include <stdio.h>
#include <string.h>

#include "brokerd/config/builtin.h"
#include "libllmclient/cli/wire_tool.h"
#include "protocol/base/owned.h"

#define OPERATIONS "chat complete embed rerank count moderate"
#define SOCKETS    "main sandbox app handed"

/* clang-format off */
/* By option, where its argument's name does not say it; NULL: of any command. */
static const struct {
	const char *command, *option, *value;
} options[] = {
	{NULL, "cache", "off read write on refresh only"},
	{"ask", "attach", "@files"},
	{"ask", "reasoning", "none minimal low medium high xhigh max"},
	{"embed", "type", "query document classification clustering similarity code_query"},
	{"env", "shell", "sh fish csh json"},
	{"explain", "op", OPERATIONS},
	{"explain", "on", SOCKETS},
	{"explain", "as", "@apps"},
	{"explain", "needs", "images audio video files tools schema reasoning"},
	{"policy test", "on", SOCKETS},
	{"policy test", "as", "@apps"},
	{"app add", "profile", "@profiles"},
	{"run", "profile", "@profiles"},
	{"budget set", "app", "@apps"},
	{"budget set", "provider", "@providers"},
	{"budget set", "model", "@models"},
	{"budget set", "each", "app user policy provider key model"},
	{"relay", "method", "GET POST DELETE"},
	{"reconcile", "output", "table json csv"},
	{"usage",             "by",
		"app model provider key user unit container project policy kind surface op hour day month"},
	{"usage", "app", "@apps"},
	{"usage", "model", "@models"},
	{"usage", "provider", "@providers"},
	{"usage", "kind", "host service app flatpak snap container sandbox token"},
	{"usage", "project", "@folders"},
	{"usage", "op", OPERATIONS},
	{"usage", "export", "csv jsonl"},
	{"tail", "app", "@apps"},
	{"tail", "model", "@models"},
	{"tail", "provider", "@providers"},
	{"tail", "op", OPERATIONS},
	{"tail", "outcome", "ok failed cancelled unknown"},
	{"llm-broker-agent", "only", "@apps"},
	{"llm-broker-bridge", "idle-exit", "never"},
};

/* By its argument. */
static const struct {
	const char *arg, *value;
} arguments[] = {
	{"FILE", "@files"},
	{"PATH", "@files"},
	{"DIR", "@folders"},
	{"MODEL", "@models"},
	{"PROVIDER", "@providers"},
	{"PROFILE", "@profiles"},
};

/* By command, what its words are; of the others those of a fixed set say so by themselves: "recovery|key-file". */
static const struct {
	const char *command, *value;
} words[] = {
	{"key add", "@providers"},
	{"key rotate", "@providers"},
	{"key rm", "@providers"},
	{"key test", "@providers"},
	{"models", "@providers"},
	{"reconcile", "@providers"},
	{"app allow", "@apps"},
	{"app revoke", "@apps"},
	{"app forget", "@apps"},
	{"cache warm", "@files"},
	{"catalogue import", "@files"},
	{"relay", "openai.chat openai.completions openai.responses anthropic.messages gemini.generate "
		"openai.embeddings openai.moderations rerank models"},
	{"run", "@program"},
};

/* clang-format on */

static void set(char to[VALUE_BYTES], const char *value)
{
	(void)snprintf(to, VALUE_BYTES, "%s", value);
}

static void add(char to[VALUE_BYTES], const char *word)
{
	const size_t n = strlen(to);
	(void)snprintf(to + n, VALUE_BYTES - n, "%s%s", n > 0 ? " " : "", word);
}

/* A broker knows the providers that are set up; which are built in is known before one runs. */
static void set_providers(char to[VALUE_BYTES])
{
	size_t n;
	const struct builtin *rows = builtin_rows(&n);
	set(to, "@providers");
	for (size_t i = 0; i < n; i++)
		add(to, rows[i].name);
}

static void set_either(char to[VALUE_BYTES], const char *value)
{
	if (strcmp(value, "@providers") == 0)
		set_providers(to);
	else
		set(to, value);
}

void value_of_option(const struct command *c, const struct option_row *row, char to[VALUE_BYTES])
{
	set(to, "");
	for (size_t i = 0; i < COUNT_OF(options); i++) {
		if (strcmp(row->name, options[i].option) == 0 &&
			(!options[i].command || strcmp(c->name, options[i].command) == 0)) {
			set_either(to, options[i].value);
			return;
		}
	}
	for (size_t i = 0; i < COUNT_OF(arguments); i++) {
		if (strcmp(row->arg, arguments[i].arg) == 0)
			set_either(to, arguments[i].value);
	}
}

static void set_tools(char to[VALUE_BYTES])
{
	size_t n;
	const struct wire_tool *tools = wire_tools(&n);
	for (size_t i = 0; i < n; i++)
		add(to, tools[i].name);
}

void value_of_words(const struct command *c, char to[VALUE_BYTES])
{
	set(to, "");
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (strcmp(c->name, words[i].command) == 0)
			set_either(to, words[i].value);
	}
	if (strcmp(c->name, "wire") == 0)
		set_tools(to);
	if (to[0] || strpbrk(c->args, "[ ") || !strchr(c->args, '|'))
		return;
	set(to, c->args);
	for (char *at = to; *at; at++) {
		if (*at == '|')
			*at = ' ';
	}
}
