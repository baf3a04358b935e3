/* cmd_wire.c - how does a tool's own file of settings come to lead to the broker, and back?
 * What is to be written is made of what was there before llmb was first asked, and shown; taking back gives exactly that,
 * or, where others have written since, what is there without what is ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libllmclient/cli/bridge_at.h"
#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/secret.h"
#include "libllmclient/cli/textdiff.h"
#include "libllmclient/cli/tool_env.h"
#include "libllmclient/cli/wire_record.h"
#include "libllmclient/cli/wire_tool.h"
#include "protocol/base/utf8.h"

#define TEXTS_BYTES ((size_t)64 << 20)

struct wire {
	struct common common;
	bool is_list, is_undo, is_yes, is_force;
	const char *bridge;
	struct text_list models;
};

/* One of the tool's files, and what is to become of it. */
struct change {
	const struct wire_tool *tool;
	size_t nth;
	const char *path;
	struct wire_record record;
	struct settings_file file;
	struct buf before, after; /* of the file without ours and with it; to be kept */
	bool is_gone;             /* the file itself goes */
};

struct job {
	const struct wire *options;
	const struct wire_tool *tool;
	struct arena arena;
	struct change changes[WIRE_FILES_MAX];
	size_t n;
	int lock; /* while it writes; -1: nobody else is held up */
};

static void job_done(struct job *j)
{
	for (size_t i = 0; i < j->n; i++) {
		wire_record_done(&j->changes[i].record);
		settings_done(&j->changes[i].file);
		buf_done(&j->changes[i].before);
		buf_done(&j->changes[i].after);
	}
	arena_done(&j->arena);
	if (j->lock >= 0)
		close(j->lock);
}

static int say_fault(const struct job *j, const struct fault *why)
{
	return say_failure(&j->options->common, EXIT_BAD, "%s",
		why->message[0] ? why->message : err_info(why->err)->sentence);
}

/* ---- what is there ---- */

/* A home that is nowhere (of a service, or a mistake) is not for us to make. */
static int check_home(const struct job *j, const char *path)
{
	struct stat st;
	const char *home = getenv("HOME");
	if (!path)
		return say_failure(&j->options->common, EXIT_BAD, "HOME is not set");
	if (!utf8_is_valid(span_str(path)))
		return say_failure(&j->options->common, EXIT_BAD,
			"%s: a path that is not UTF-8 cannot be recorded", path);
	if (home && span_starts(span_str(path), span_str(home)) && stat(home, &st) != 0)
		return say_failure(
			&j->options->common, EXIT_BAD, "your home, %s, is not there", home);
	return EXIT_GOOD;
}

static int change_open(struct job *j, size_t nth)
{
	struct fault why = FAULT_NONE;
	struct change *c = &j->changes[nth];
	*c = (struct change){.tool = j->tool, .nth = nth};
	buf_init(&c->before, SETTINGS_BYTES_MAX * 2);
	buf_init(&c->after, SETTINGS_BYTES_MAX * 2);
	j->n = nth + 1;
	c->path = wire_file_path(j->tool->files[nth], &j->arena);
	const int code = check_home(j, c->path);
	if (code)
		return code;
	enum err err = wire_record_read(&c->record, j->tool->name, nth, &why);
	if (!err)
		err = settings_read(&c->file, c->record.is_there ? c->record.path : c->path, &why);
	if (!err) /* the two belong together, unless the first record came in between */
		err = wire_record_check(&c->record, &why);
	return err ? say_fault(j, &why) : EXIT_GOOD;
}

static int job_open(struct job *j, const struct wire *o, const struct wire_tool *tool)
{
	int code = EXIT_GOOD;
	*j = (struct job){.options = o, .tool = tool, .lock = -1};
	arena_init(&j->arena, TEXTS_BYTES);
	const int held = wire_record_hold();
	for (size_t i = 0; !code && i < WIRE_FILES_MAX && tool->files[i]; i++)
		code = change_open(j, i);
	if (held >= 0)
		close(held);
	return code;
}

static bool is_as_written(const struct change *c)
{
	return c->record.is_there && c->file.is_there &&
	       span_eq(buf_view(&c->file.text), buf_view(&c->record.after.text));
}

/* By hand, or because the last writing of it was cut short. */
static bool is_back_already(const struct change *c)
{
	return c->record.is_there && c->file.is_there == c->record.was_there &&
	       span_eq(buf_view(&c->file.text), buf_view(&c->record.before.text));
}

/* The file without ours, to `before`. */
static int make_before(struct job *j, struct change *c)
{
	struct fault why = FAULT_NONE;
	bool is_unchanged = true;
	const struct wire_record *r = &c->record;
	if (!r->is_there || !c->file.is_there || is_back_already(c)) {
		buf_span(&c->before, buf_view(&c->file.text));
		return EXIT_GOOD;
	}
	if (is_as_written(c)) {
		buf_span(&c->before, buf_view(&r->before.text));
		return EXIT_GOOD;
	}
	if (wire_file_take(c->tool->files[c->nth], buf_view(&r->before.text),
		    buf_view(&r->after.text), buf_view(&c->file.text), &c->before, &is_unchanged,
		    &why))
		return say_failure(&j->options->common, EXIT_BAD,
			"%s has been changed since, and cannot be taken apart (%s): what was there "
			"before is in %s",
			c->file.path, why.message, wire_record_backup(r));
	if (is_unchanged || j->options->is_force)
		return EXIT_GOOD;
	OWNED(buf_done) struct buf shown = BUF_INIT(SAY_BYTES_MAX);
	textdiff_put(buf_view(&r->after.text), buf_view(&c->file.text), "as it was written",
		c->file.path, &shown);
	say_out(&shown);
	return say_failure(&j->options->common, EXIT_BAD,
		"%s: what `llmb wire` wrote has been changed since, as shown; --force takes it out "
		"as it is "
		"now. What was there before is in %s",
		c->file.path, wire_record_backup(r));
}

/* ---- showing and asking ---- */

static bool is_changing(const struct change *c)
{
	return c->is_gone ? c->file.is_there
			  : !span_eq(buf_view(&c->file.text), buf_view(&c->after));
}

static size_t show(const struct job *j, bool is_undo)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	size_t n = 0;
	for (size_t i = 0; i < j->n; i++) {
		const struct change *c = &j->changes[i];
		const struct span now = buf_view(&c->file.text);
		if (!is_changing(c))
			continue;
		n++;
		textdiff_put(now, is_undo ? buf_view(&c->before) : buf_view(&c->after),
			c->file.is_there ? c->file.path : "/dev/null",
			c->is_gone ? "/dev/null" : c->file.path, &out);
	}
	if (j->options->common.is_json)
		return n;
	say_out(&out);
	return n;
}

static int ask(const struct job *j)
{
	if (j->options->is_yes)
		return EXIT_GOOD;
	if (j->options->common.is_json || !may_ask(&j->options->common))
		return say_failure(&j->options->common, EXIT_USAGE,
			"nobody can be asked here (no terminal, --json or --no-input): nothing was "
			"written; --yes writes it");
	if (secret_confirm("llmb: write this?"))
		return EXIT_GOOD;
	say_err("llmb: nothing was written");
	return EXIT_BAD;
}

static void say_result(const struct job *j, const char *status, const char *sentence)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	struct json_out o = json_to(&out);
	if (!j->options->common.is_json) {
		if (!j->options->common.is_quiet)
			say_err("llmb: %s%s", sentence,
				strcmp(status, "wired") == 0 ? j->tool->next : "");
		return;
	}
	json_open(&o, '{');
	json_pair_str(&o, "tool", span_str(j->tool->name));
	json_pair_str(&o, "status", span_str(status));
	json_key(&o, "files");
	json_open(&o, '[');
	for (size_t i = 0; i < j->n; i++)
		json_put_str(&o, span_str(j->changes[i].file.path));
	json_close(&o, ']');
	json_close(&o, '}');
	buf_byte(&out, '\n');
	say_out(&out);
}

/* ---- there ---- */

/* All that the broker has set up and has a key for. */
static bool list_models(const struct wire *o, struct text_list *to, struct arena *a)
{
	struct answer answer;
	if (!broker_try(&o->common, "models", &answer))
		return false;
	const struct json models = json_member(answer.json, "models");
	for (struct json_walk w = json_each(models); json_next(&w) && to->n < LIST_MAX;) {
		const struct span id = text_of(w.value, "id", a);
		if (id.n > 0 && json_kind(json_member(w.value, "has_key")) != JSON_FALSE)
			to->items[to->n++] = arena_str(a, id);
		if (to->n > 0 && !to->items[to->n - 1])
			to->n--; /* out of memory */
	}
	answer_done(&answer);
	return to->n > 0;
}

static int say_next(const struct job *j, const struct bridge_at *at)
{
	if (bridge_at_look(at) != BRIDGE_SERVES && !j->options->common.is_quiet)
		say_err("llmb: no bridge that serves you listens at %s yet: run "
			"`llm-broker-bridge`, or enable "
			"llm-broker-bridge.socket where systemd has it",
			at->base);
	say_result(j, "wired", "written; next: ");
	return EXIT_GOOD;
}

/* As the record was before we began, for what it is of was not written. */
static void restore_record(struct wire_record *r, struct span before, struct span after)
{
	struct fault unwanted = FAULT_NONE;
	if (before.p ? wire_record_keep(r, before, after, &unwanted)
		     : wire_record_forget(r, &unwanted))
		say_err("llmb: %s", unwanted.message);
}

static enum err keep(struct change *c, struct fault *why)
{
	return wire_record_keep(&c->record, buf_view(&c->before), buf_view(&c->after), why);
}

/* The folder that came with it, for it to go with it. It is written by now, and recorded. */
static int note_folder(struct job *j, struct change *c)
{
	struct fault why = FAULT_NONE;
	if (!c->file.made[0] || c->record.made[0])
		return EXIT_GOOD;
	(void)snprintf(c->record.made, sizeof c->record.made, "%s", c->file.made);
	return keep(c, &why) ? say_fault(j, &why) : EXIT_GOOD;
}

static int write_one(struct job *j, struct change *c)
{
	struct fault why = FAULT_NONE;
	struct wire_record *r = &c->record;
	const bool is_first = !r->is_there, was_there = r->was_there;
	const char *before = is_first ? NULL : arena_str(&j->arena, buf_view(&r->before.text));
	const char *after = is_first ? NULL : arena_str(&j->arena, buf_view(&r->after.text));
	enum err err = is_first || (before && after)
			       ? OK
			       : fault_set(&why, ERR_NO_MEMORY, "out of memory");
	if (!err)
		err = settings_check(&c->file, &why);
	if (!err)
		err = wire_record_check(r, &why);
	if (err)
		return say_fault(j, &why);
	if (is_first)
		(void)snprintf(r->path, sizeof r->path, "%s", c->path);
	if (is_first || !c->file.is_there)
		r->was_there = c->file.is_there;
	err = keep(c, &why);
	if (!err)
		err = settings_write(&c->file, buf_view(&c->after), &why);
	if (!err)
		return note_folder(j, c);
	const int code = say_fault(j, &why);
	r->was_there = was_there;
	restore_record(r, span_str(before), span_str(after));
	return code;
}

/* From here on no other llmb is in between. */
static int lock(struct job *j)
{
	struct fault why = FAULT_NONE;
	return wire_record_lock(&j->changes[0].record, &j->lock, &why) ? say_fault(j, &why)
								       : EXIT_GOOD;
}

static int make_after(struct job *j, const struct wiring *w, struct change *c)
{
	struct fault why = FAULT_NONE;
	const struct wire_record *r = &c->record;
	if (r->is_there && strcmp(r->path, c->path) != 0)
		return say_failure(&j->options->common, EXIT_BAD,
			"%s is wired in %s: `llmb wire %s --undo` first", c->tool->name, r->path,
			c->tool->name);
	const int code = make_before(j, c);
	if (code)
		return code;
	if (wire_file_put(c->tool->files[c->nth], w, buf_view(&c->before), &c->after, &why))
		return say_failure(&j->options->common, EXIT_BAD,
			"%s cannot be changed safely: %s. Nothing was written", c->file.path,
			why.message[0] ? why.message : err_info(why.err)->sentence);
	if (c->after.n > SETTINGS_BYTES_MAX)
		return say_failure(&j->options->common, EXIT_BAD,
			"%s would be longer than %zu bytes. Nothing was written", c->file.path,
			SETTINGS_BYTES_MAX);
	return EXIT_GOOD;
}

static int wire(struct job *j)
{
	const struct wire *o = j->options;
	struct bridge_at at;
	struct wiring w = {.key = KEY_PLACEHOLDER, .models = o->models};
	int code = EXIT_GOOD;
	bridge_at_usual(&at);
	if (o->bridge)
		(void)bridge_at_add(&at, span_str(o->bridge));
	w.base = at.base;
	w.model = o->models.n > 0 ? o->models.items[0] : NULL;
	if (j->tool->wants_models && w.models.n == 0 && !list_models(o, &w.models, &j->arena))
		return say_failure(&o->common, EXIT_BAD,
			"the broker does not say which models there are: name them by -m MODEL");
	for (size_t i = 0; !code && i < j->n; i++)
		code = make_after(j, &w, &j->changes[i]);
	if (code)
		return code;
	if (show(j, false) == 0) {
		say_result(j, "wired", "it is written already; next: ");
		return EXIT_GOOD;
	}
	code = ask(j);
	if (!code)
		code = lock(j);
	for (size_t i = 0; !code && i < j->n; i++)
		code = write_one(j, &j->changes[i]);
	return code ? code : say_next(j, &at);
}

/* ---- and back ---- */

/* Nothing but what we made is in it. */
static bool is_ours_alone(const struct change *c)
{
	const struct span left = span_trim(buf_view(&c->before));
	return !c->record.was_there && (left.n == 0 || span_is(left, "{}"));
}

static int take_back_one(struct job *j, struct change *c)
{
	struct fault why = FAULT_NONE;
	if (!c->record.is_there)
		return EXIT_GOOD;
	enum err err = wire_record_check(&c->record, &why);
	if (!err && c->is_gone)
		err = settings_remove(&c->file, c->record.made, &why);
	else if (!err && c->file.is_there && is_changing(c))
		err = settings_write(&c->file, buf_view(&c->before), &why);
	else if (!err)
		err = settings_check(&c->file, &why);
	if (!err)
		err = wire_record_forget(&c->record, &why);
	return err ? say_fault(j, &why) : EXIT_GOOD;
}

static int undo(struct job *j)
{
	int code = EXIT_GOOD;
	size_t n = 0;
	for (size_t i = 0; !code && i < j->n; i++) {
		struct change *c = &j->changes[i];
		if (!c->record.is_there) {
			buf_span(&c->after, buf_view(&c->file.text)); /* as it is */
			continue;
		}
		n++;
		code = make_before(j, c);
		c->is_gone = is_ours_alone(c);
		buf_span(&c->after, buf_view(&c->before));
	}
	if (code)
		return code;
	if (n == 0)
		return say_failure(&j->options->common, EXIT_BAD,
			"`llmb wire` has written nothing for %s", j->tool->name);
	if (show(j, true) > 0)
		code = ask(j);
	if (!code)
		code = lock(j);
	for (size_t i = j->n; !code && i-- > 0;) /* the first made the folder */
		code = take_back_one(j, &j->changes[i]);
	if (!code)
		say_result(j, "unwired", "taken back");
	return code;
}

/* ---- all of them ---- */

static const char *state_of(const struct job *j)
{
	bool is_wired = false, is_changed = false, is_there = false;
	for (size_t i = 0; i < j->n; i++) {
		const struct change *c = &j->changes[i];
		is_wired = is_wired || c->record.is_there;
		is_changed = is_changed || (c->record.is_there && !is_as_written(c));
		is_there = is_there || c->file.is_there;
	}
	return is_changed ? "wired, changed since"
	       : is_wired ? "wired"
	       : is_there ? "not wired"
			  : "no file";
}

static int list(const struct wire *o)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	struct json_out json = json_to(&out);
	struct table t;
	size_t n;
	const struct wire_tool *tools = wire_tools(&n);
	table_begin(&t, 3, 0);
	table_text(&t, "TOOL");
	table_text(&t, "STATE");
	table_text(&t, "FILE");
	json_open(&json, '{');
	json_key(&json, "tools");
	json_open(&json, '[');
	for (size_t i = 0; i < n; i++) {
		struct job j;
		const int code = job_open(&j, o, &tools[i]);
		const char *state = code ? "unreadable" : state_of(&j), *path = j.changes[0].path;
		table_text(&t, tools[i].name);
		table_text(&t, state);
		table_text(&t, path ? path : "-");
		json_open(&json, '{');
		json_pair_str(&json, "tool", span_str(tools[i].name));
		json_pair_str(&json, "status", span_str(state));
		json_pair_str(&json, "file", path ? span_str(path) : SPAN_NONE);
		json_close(&json, '}');
		job_done(&j);
	}
	json_close(&json, ']');
	json_close(&json, '}');
	buf_byte(&out, '\n');
	OWNED(buf_done) struct buf shown = BUF_INIT(SAY_BYTES_MAX);
	table_end(&t, &shown);
	say_out(o->common.is_json ? &out : &shown);
	return EXIT_GOOD;
}

static int refuse_tool(const struct command *self, const char *name)
{
	const char *names[16];
	size_t n;
	const struct wire_tool *tools = wire_tools(&n);
	for (size_t i = 0; i < n; i++)
		names[i] = tools[i].name;
	const char *near = nearest_word(name, names, n);
	if (near)
		return options_refuse(
			self, "there is no tool \"%s\" here; is %s meant?", name, near);
	return options_refuse(
		self, "there is no tool \"%s\" here: `llmb wire --list` has them", name);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct wire o = {.bridge = NULL};
	struct bridge_at at = {.base = ""};
	struct job j;
	char **words;
	int n;
	int code = options_read_words(self, argc, argv, &o, 0, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (o.bridge && (!bridge_at_add(&at, span_str(o.bridge)) || !at.base[0]))
		return options_refuse(self,
			"--bridge \"%s\": an address of this host is wanted, such as " BRIDGE_USUAL,
			o.bridge);
	if (o.is_list)
		return n == 0 ? list(&o) : options_refuse(self, "--list goes without a tool");
	if (n == 0)
		return options_refuse(self, "TOOL is missing");
	const struct wire_tool *tool = wire_tool_find(words[0]);
	if (!tool)
		return refuse_tool(self, words[0]);
	code = job_open(&j, &o, tool);
	if (!code)
		code = o.is_undo ? undo(&j) : wire(&j);
	job_done(&j);
	return code;
}

#define WIRE(field) offsetof(struct wire, field)
static const struct option_row rows[] = {
	{'\0', "list",   NULL,    "the tools, and which are wired",                              OPTION_FLAG, WIRE(is_list) },
	{'\0', "undo",   NULL,    "give back what was there",                                    OPTION_FLAG, WIRE(is_undo) },
	{'y',  "yes",    NULL,    "write without asking; without a terminal that is needed",     OPTION_FLAG,
         WIRE(is_yes)												       },
	{'m',  "model",  "MODEL", "that it is to use, or may offer; may repeat",                 OPTION_LIST,
         WIRE(models)												       },
	{'\0', "bridge", "ADDR",  "where it listens (default: " BRIDGE_USUAL ")",                OPTION_TEXT,
         WIRE(bridge)												       },
	{'\0', "force",  NULL,    "take out what llmb wrote also where somebody has changed it",
         OPTION_FLAG,											 WIRE(is_force)},
};

const struct command command_wire = {
	.name = "wire",
	.args = "TOOL",
	.summary = "write a tool's own settings, so that it uses the broker",
	.examples = "  llmb wire codex\n"
		    "  llmb wire opencode -m local/llama -m openai/gpt-4o\n"
		    "  llmb wire codex --undo\n"
		    "  llmb wire --list\n",
	.notes = "What will be written is shown first. Only what is needed is changed, and all "
		 "else kept byte for "
		 "byte;\n"
		 "a file that cannot be changed safely is left alone. --undo gives back exactly "
		 "what was there; "
		 "where\n"
		 "the file has been changed since, it takes out what is llmb's and keeps the rest. "
		 "What was there "
		 "is kept\n"
		 "in ~/.local/state/llmb/wire until then.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
