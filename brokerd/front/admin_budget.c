/* admin_budget.c - what is used of the limits, and those that are set by hand.
 * These stand in a file of the state folder, as sections like those of the configuration, and are loaded with it. It
 * is the file that is changed, one change after the other: where the configuration is bad, it tells all the same what
 * was set. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "brokerd/config/keys.h"
#include "brokerd/config/limits_file.h"
#include "brokerd/config/state_file.h"
#include "brokerd/front/admin_call.h"
#include "protocol/base/list.h"

#define NAME_MAX_BYTES 64
#define LANE           4 /* of the workers: one write of that file after the other */

static enum err no_limit(struct span name, struct fault *why)
{
	return fault_param(why, ERR_INVALID_ARGUMENT, "name",
		"there is no limit \"%.*s\": `llmb budget list` shows them",
		SPAN_ARG(span_first(name, NAME_MAX_BYTES)));
}

enum err admin_budget_list(struct admin_call *a, struct json body, struct fault *why)
{
	struct span name = SPAN_NONE;
	const enum err err = admin_read_text(a, body, "name", &name, why);
	if (err)
		return err;
	const struct limit_now now = {loop_now_us(a->organs->loop), loop_wall_us(a->organs->loop),
		loop_boot_us(a->organs->loop)};
	if (span_is_set(name) && !config_limit(a->organs->config, name))
		return no_limit(name, why);
	limiter_json(a->organs->limiter, name, &now, &a->json);
	if (a->json.n > 0)
		buf_cut(&a->json, a->json.n - 1); /* its brace: there is one thing more */
	buf_print(&a->json, ",\"waiting\":%zu", turns_n(a->organs->turns));
	if (a->env->config_fault.err) {
		buf_text(&a->json, ",\"config_fault\":");
		struct json_out o = json_to(&a->json);
		json_put_str(&o, span_str(a->env->config_fault.message));
	}
	buf_byte(&a->json, '}');
	admin_done(a);
	return OK;
}

/* ---- those that are set by hand ---- */

/* What keys are made of, and no line of its own. */
static bool is_key(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((text.p[i] < 'a' || text.p[i] > 'z') && text.p[i] != '_')
			return false;
	}
	return text.n > 0;
}

/* A text that can stand on a line of the file. */
static bool is_line(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return false;
	}
	return text.n > 0;
}

/* ---- what is left of what was said before ---- */

/* "day". */
static bool period_from(struct span word, enum period *to)
{
	for (enum period p = PERIOD_HOUR; p <= PERIOD_MONTH; p++) {
		*to = p;
		if (span_is(word, period_name(p)))
			return true;
	}
	return false;
}

static bool is_of_period(struct span value, enum period period)
{
	struct budget_rule b;
	struct fault unused = FAULT_NONE;
	return budget_read(value, &b, &unused) == OK && b.period == period;
}

static bool is_budget(struct span key)
{
	return span_is(key, "budget") || span_is(key, "soft_budget");
}

/* Does a budget take the place of a former one, or any other key? One of another period does not. */
static bool is_in_place_of(
	struct admin_call *a, struct json now, struct span key, struct span former)
{
	struct budget_rule b;
	struct fault unused = FAULT_NONE;
	struct span text;
	if (!is_budget(key))
		return true;
	if (json_kind(now) == JSON_ARRAY) {
		for (struct json_walk w = json_each(now); json_next(&w);) {
			if (is_in_place_of(a, w.value, key, former))
				return true;
		}
		return false;
	}
	return json_utf8(now, &a->arena, &text) == OK && budget_read(text, &b, &unused) == OK &&
	       is_of_period(former, b.period);
}

/* "each", "budget", or "budget/day" for that period's alone. */
static bool is_taken_back(struct admin_call *a, struct span key, struct span former)
{
	for (struct json_walk w = json_each(json_member(a->asked, "without")); json_next(&w);) {
		struct span what;
		if (json_utf8(w.value, &a->arena, &what) != OK)
			continue;
		const struct span word = span_cut(&what, '/');
		enum period p;
		if (!span_eq(word, key))
			continue;
		if (!span_is_set(what) || (period_from(what, &p) && is_of_period(former, p)))
			return true;
	}
	return false;
}

static bool is_left(struct admin_call *a, struct span key, struct span former)
{
	if (is_taken_back(a, key, former))
		return false;
	for (struct json_walk w = json_each(json_member(a->asked, "keys")); json_next(&w);) {
		if (span_eq(w.name, key) && is_in_place_of(a, w.value, key, former))
			return false;
	}
	return true;
}

static void put_left(struct admin_call *a, struct span former)
{
	while (former.n > 0) {
		const struct span line = span_cut(&former, '\n');
		const size_t n = span_index(line, ' '); /* key = value */
		if (is_left(a, span_first(line, n), span_skip(line, n + 3)))
			buf_print(&a->text, "%.*s\n", SPAN_ARG(line));
	}
}

static bool can_be_taken_back(struct admin_call *a, struct json said)
{
	struct span what;
	enum period unused;
	if (json_utf8(said, &a->arena, &what) != OK)
		return false;
	const struct span word = span_cut(&what, '/');
	if (span_is_set(what) && !(is_budget(word) && period_from(what, &unused)))
		return false;
	return keys_find("limit", word) != NULL;
}

static enum err check_without(struct admin_call *a, struct fault *why)
{
	const struct json without = json_member(a->asked, "without");
	bool is_good = !span_is_set(without.text) || json_kind(without) == JSON_ARRAY;
	for (struct json_walk w = json_each(without); is_good && json_next(&w);)
		is_good = can_be_taken_back(a, w.value);
	if (is_good)
		return OK;
	return fault_param(why, ERR_INVALID_ARGUMENT, "without",
		"what is taken back is a key of [limit], or a budget of one period as in "
		"budget/day");
}

/* ---- what is said now ---- */

static enum err put_key(struct admin_call *a, struct span key, struct json value, struct fault *why)
{
	struct span text;
	if (json_utf8(value, &a->arena, &text) != OK || !is_line(text) || !is_key(key))
		return fault_param(why, ERR_INVALID_ARGUMENT, "keys",
			"each is a key of [limit], with a text or a list of texts");
	buf_print(&a->text, "%.*s = %.*s\n", SPAN_ARG(key), SPAN_ARG(text));
	return OK;
}

/* {"budget": "5/day", "app": ["notes", "mail"]} */
static enum err put_keys(struct admin_call *a, struct json keys, struct fault *why)
{
	enum err err = OK;
	if (!span_is_set(keys.text))
		return OK;
	if (json_kind(keys) != JSON_OBJECT)
		return fault_param(why, ERR_INVALID_ARGUMENT, "keys", "this is an object");
	for (struct json_walk w = json_each(keys); !err && json_next(&w);) {
		if (json_kind(w.value) != JSON_ARRAY) {
			err = put_key(a, w.name, w.value, why);
			continue;
		}
		for (struct json_walk list = json_each(w.value); !err && json_next(&list);)
			err = put_key(a, w.name, list.value, why);
	}
	return err;
}

/* Would the configuration and these be good together, and is that limit for somebody? */
static enum err check(const struct admin_call *a, struct fault *why)
{
	static const char *const whom[] = {"policy", "provider", "key", "model"};
	const struct json keys = json_member(a->asked, "keys");
	struct config *c = config_load(a->env->config_path, true, why);
	if (!c)
		return why->err;
	enum err err = config_add_limits(c, buf_view(&a->text), NULL, why);
	const struct limit_rule *r = err ? NULL : config_limit(c, a->about);
	for (size_t i = 0; r && i < COUNT_OF(whom); i++) {
		const struct json said = json_member(keys, whom[i]);
		if (span_is_set(r->unfit) && span_is_set(said.text))
			err = fault_set(why, ERR_INVALID_ARGUMENT, "%.*s", SPAN_ARG(r->unfit));
	}
	config_unref(c);
	if (err == ERR_MISCONFIGURED)
		why->err = err = ERR_INVALID_ARGUMENT;
	return err;
}

/* ---- changes, one after the other ---- */

static void write_run(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	const int dir = open(a->env->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const enum err err =
		dir < 0 ? ERR_IO : state_file_put(dir, LIMITS_FILE, buf_view(&a->text));
	if (err)
		fault_set(&a->why, err, "%s/" LIMITS_FILE " cannot be written: %s",
			a->env->state_dir, strerror(errno));
	if (dir >= 0)
		close(dir);
}

static void write_done(struct job *j);

/* Changes the text of the file, and has it written. */
static enum err begin(struct admin_call *a, struct fault *why)
{
	OWNED(buf_done) struct buf all = BUF_INIT(LIMITS_BYTES);
	enum err err = limits_file_read(a->env->state_dir, &all, why);
	if (!err)
		err = a->change(a, buf_view(&all), why);
	if (!err && (buf_error(&a->text) || a->text.n > LIMITS_BYTES))
		err = fault_set(why, ERR_TOO_BIG, "these are too many limits");
	if (err)
		return err;
	a->env->is_writing_limits = true;
	a->job = (struct job){.run = write_run, .on_done = write_done};
	workers_submit(a->organs->workers, &a->job, LANE);
	return OK;
}

/* The next one that waits, if it can begin; else the one behind it. */
static void begin_next(struct admin_env *env)
{
	struct admin_call *a, *after;
	LIST_EACH_SAFE(env->calls, a, after) {
		struct fault why = FAULT_NONE;
		if (!a->change || !a->is_in_line)
			continue;
		a->is_in_line = false;
		const enum err err = begin(a, &why);
		if (!err)
			return;
		admin_fail(a, err, &why);
	}
}

static void write_done(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	struct admin_env *env = a->env;
	env->is_writing_limits = false;
	if (!a->why.err)
		env->reload(env);
	if (!a->why.err && env->config_fault.err)
		fault_set(&a->why, ERR_MISCONFIGURED,
			"that is written down, but the configuration cannot be loaded: %.900s",
			env->config_fault.message);
	buf_text(&a->json, "{}");
	if (a->why.err) {
		const struct fault why = a->why;
		admin_fail(a, why.err, &why);
	} else {
		admin_done(a);
	}
	begin_next(env);
}

/* Now, or when those who came before it are through. */
static enum err line_up(
	struct admin_call *a, struct json body, admin_change *change, struct fault *why)
{
	struct span copy;
	a->about = admin_text(a, body, "name");
	if (!is_line(a->about) || a->about.n > NAME_MAX_BYTES ||
		span_index(a->about, '"') < a->about.n || span_index(a->about, '\\') < a->about.n)
		return fault_param(why, ERR_INVALID_ARGUMENT, "name",
			"a limit has a name of 1 to %d bytes without quotes", NAME_MAX_BYTES);
	/* the request's own bytes do not last */
	if (arena_dup(&a->arena, body.text, &copy) || json_scan(copy, JSON_STRICT, &a->asked, why))
		return fault_set(why, ERR_NO_MEMORY, "no memory for the change");
	a->change = change;
	a->is_in_line = a->env->is_writing_limits;
	return a->is_in_line ? OK : begin(a, why);
}

static enum err change_set(struct admin_call *a, struct span all, struct fault *why)
{
	OWNED(buf_done) struct buf former = BUF_INIT(LIMITS_BYTES);
	bool is_found;
	enum err err = check_without(a, why);
	if (!err)
		err = limits_file_split(
			a->env->state_dir, all, a->about, &a->text, &former, &is_found, why);
	if (err)
		return err;
	buf_print(&a->text, "[limit \"%.*s\"]\n", SPAN_ARG(a->about));
	put_left(a, buf_view(&former));
	err = put_keys(a, json_member(a->asked, "keys"), why);
	return err ? err : check(a, why);
}

enum err admin_budget_set(struct admin_call *a, struct json body, struct fault *why)
{
	return line_up(a, body, change_set, why);
}

/* Where there is one less, nothing can be worse than it was. */
static enum err change_remove(struct admin_call *a, struct span all, struct fault *why)
{
	OWNED(buf_done) struct buf former = BUF_INIT(LIMITS_BYTES);
	bool is_found;
	const enum err err = limits_file_split(
		a->env->state_dir, all, a->about, &a->text, &former, &is_found, why);
	if (err || is_found)
		return err;
	const struct limit_rule *r = config_limit(a->organs->config, a->about);
	if (!r || r->is_by_hand)
		return no_limit(a->about, why);
	return fault_set(why, ERR_INVALID_ARGUMENT,
		"the limit \"%.*s\" is in %.*s: it is taken away there", SPAN_ARG(r->name),
		SPAN_ARG(r->said_at));
}

enum err admin_budget_remove(struct admin_call *a, struct json body, struct fault *why)
{
	return line_up(a, body, change_remove, why);
}
