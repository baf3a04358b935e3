/* cmd_env.c - what has a shell to set, so that the programs it starts use the broker? */
#include <stdlib.h>
#include <string.h>

#include "libllmclient/cli/bridge_at.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/say.h"
#include "libllmclient/cli/tool_env.h"

#define TEXTS_BYTES ((size_t)1 << 20)

struct env {
	struct common common;
	const char *shell, *model;
	struct text_list bridges;
};

/* ---- in each shell's words ---- */

/* Between single quotes; each byte of `escaped` as `before` and itself. */
static void put_quoted(struct buf *out, const char *text, const char *escaped, const char *before)
{
	buf_byte(out, '\'');
	for (; *text; text++) {
		if (strchr(escaped, *text))
			buf_text(out, before);
		buf_byte(out, *text);
		if (*text == '\'' && before[0] == '\'')
			buf_byte(out, '\'');
	}
	buf_byte(out, '\'');
}

/* A semicolon, for whoever lets the shell make one line of it. */
static void put_sh(struct buf *out, const struct variable *v)
{
	if (!v->value) {
		buf_print(out, "unset %s;\n", v->name);
		return;
	}
	buf_print(out, "export %s=", v->name);
	put_quoted(out, v->value, "'", "'\\");
	buf_text(out, ";\n");
}

/* The user's universal one stays what it is, in all sessions and for good: an empty one hides it here, for fish hands on what is
 * universal also behind one that is not exported. */
static void put_fish(struct buf *out, const struct variable *v)
{
	if (!v->value) {
		buf_print(out, "set -qU %s; and set -gx %s ''; or set -eg %s;\n", v->name, v->name,
			v->name);
		return;
	}
	buf_print(out, "set -gx %s ", v->name);
	put_quoted(out, v->value, "'\\", "\\");
	buf_text(out, ";\n");
}

/* It looks for its history in quotes too, and ends them with the line, unless there is a backslash. */
static void put_csh(struct buf *out, const struct variable *v)
{
	OWNED(buf_done) struct buf quoted = BUF_INIT(SAY_BYTES_MAX);
	if (!v->value) {
		buf_print(out, "unsetenv %s;\n", v->name);
		return;
	}
	put_quoted(&quoted, v->value, "'", "'\\");
	buf_print(out, "setenv %s ", v->name);
	for (size_t i = 0; i < quoted.n; i++) {
		if (quoted.p[i] == '!' || quoted.p[i] == '\n')
			buf_byte(out, '\\');
		buf_byte(out, quoted.p[i]);
	}
	buf_text(out, ";\n");
}

static void put_json(struct buf *out, const struct variable *v, size_t n)
{
	struct json_out o = json_to(out);
	json_open(&o, '{');
	for (size_t i = 0; i < n; i++) {
		json_key(&o, v[i].name);
		if (v[i].value)
			json_put_str(&o, span_str(v[i].value));
		else
			json_put_null(&o);
	}
	json_close(&o, '}');
	buf_byte(out, '\n');
}

static const struct shell {
	const char *name;
	void (*put)(struct buf *out, const struct variable *v); /* NULL: JSON */
} shells[] = {
	{"sh",   put_sh  },
	{"fish", put_fish},
	{"csh",  put_csh },
	{"json", NULL    },
	{"bash", put_sh  },
	{"zsh",  put_sh  },
	{"dash", put_sh  },
	{"ksh",  put_sh  },
	{"tcsh", put_csh },
};

static const struct shell *find_shell(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(shells); i++) {
		if (strcmp(shells[i].name, name) == 0)
			return &shells[i];
	}
	return NULL;
}

/* The one that was said, or the user's own. NULL: there is none of that name. */
static const struct shell *choose_shell(const struct env *o)
{
	const char *own = getenv("SHELL");
	const char *slash = own ? strrchr(own, '/') : NULL;
	if (o->common.is_json)
		return find_shell("json");
	if (o->shell)
		return find_shell(o->shell);
	const struct shell *found = slash ? find_shell(slash + 1) : NULL;
	return found ? found : &shells[0];
}

/* ---- what is said beside it ---- */

static void say_seen(const struct bridge_at *at)
{
	const char *where = at->base[0] ? at->base : at->socket;
	switch (bridge_at_look(at)) {
	case BRIDGE_SERVES:
		return;
	case BRIDGE_FOREIGN:
		say_err("llmb: another user listens at %s and would see all that is said: start a "
			"bridge "
			"of your own by `llm-broker-bridge --listen 127.0.0.1:PORT`, and say `llmb "
			"env "
			"--bridge 127.0.0.1:PORT`",
			where);
		return;
	case BRIDGE_REFUSING:
		say_err("llmb: the bridge at %s does not serve you: start one of your own by "
			"`llm-broker-bridge --listen 127.0.0.1:PORT`, and say `llmb env --bridge "
			"127.0.0.1:PORT`",
			where);
		return;
	case BRIDGE_NONE:
		say_err("llmb: no bridge listens at %s yet: run `llm-broker-bridge`, or enable "
			"llm-broker-bridge.socket where systemd has it",
			where);
		return;
	}
}

static int run(const struct command *self, int argc, char **argv)
{
	struct env o = {.shell = NULL};
	struct variable v[TOOL_VARIABLES_MAX];
	struct bridge_at at = {.base = ""};
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	char **words;
	int n_words;
	arena_init(&arena, TEXTS_BYTES);
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n_words, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	const struct shell *shell = choose_shell(&o);
	if (!shell)
		return options_refuse(
			self, "--shell \"%s\": sh, fish, csh or json is wanted", o.shell);
	for (size_t i = 0; i < o.bridges.n; i++) {
		if (!bridge_at_add(&at, span_str(o.bridges.items[i])))
			return options_refuse(self,
				"--bridge \"%s\": an address of this host is wanted, such "
				"as " BRIDGE_USUAL " or unix:/run/x",
				o.bridges.items[i]);
	}
	if (o.bridges.n == 0)
		bridge_at_usual(&at);
	const struct reach to = {
		.base = at.base, .socket = at.socket, .key = KEY_PLACEHOLDER, .model = o.model};
	const size_t n = tool_env(&to, NULL, &arena, v);
	if (!shell->put)
		put_json(&out, v, n);
	for (size_t i = 0; shell->put && i < n; i++)
		shell->put(&out, &v[i]);
	say_out(&out);
	if (!o.common.is_quiet)
		say_seen(&at);
	return EXIT_GOOD;
}

#define ENV(field) offsetof(struct env, field)
static const struct option_row rows[] = {
	{'\0', "shell",  "SHELL", "sh, fish, csh or json (default: by $SHELL)", OPTION_TEXT,
         ENV(shell)  },
	{'m',  "model",  "MODEL", "for programs that take one from a variable", OPTION_TEXT,
         ENV(model)  },
	{'\0', "bridge", "ADDR",
         "where it listens: 127.0.0.1:PORT, [::1]:PORT, unix:PATH; may repeat", OPTION_LIST,
         ENV(bridges)},
};

const struct command command_env = {
	.name = "env",
	.args = "",
	.summary = "print what leads a shell's programs to the broker",
	.examples = "  eval \"$(llmb env)\"\n"
		    "  llmb env --shell fish | source\n"
		    "  eval `llmb env --shell csh`\n",
	.notes =
		"For OpenAI's, Anthropic's and Google's libraries and what is made of them, Claude "
		"Code, aider,\n"
		"Copilot CLI and others. No key is printed: where one must be, a word stands that "
		"means nothing\n"
		"(`llmb token new APP` makes one that names a program). Variables with keys of "
		"providers are unset,\n"
		"and those that lead past the broker. Codex, Gemini CLI, opencode, pi, Continue "
		"and Zed want more\n"
		"than variables: `llmb run`, or `llmb wire`.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
