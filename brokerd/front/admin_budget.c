/* admin_budget.c - what is used of the limits, and those that are set by hand.
 * These stand in a file of the state folder, as sections like those of the configuration, and are loaded with it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "brokerd/config/limits_file.h"
#include "brokerd/config/state_file.h"
#include "brokerd/front/admin_call.h"

#define NAME_MAX_BYTES 64
#define LANE           6 /* of the workers: one file of the state folder after the other */

enum err admin_budget_list(struct admin_call *a, struct json body, struct fault *why)
{
	const struct span name = admin_text(a, body, "name");
	const struct limit_now now = {loop_now_us(a->organs->loop), loop_wall_us(a->organs->loop),
		loop_boot_us(a->organs->loop)};
	if (span_is_set(name) && !config_limit(a->organs->config, name))
		return fault_set(why, ERR_NOT_FOUND,
			"there is no limit \"%.*s\": `llmb budget list` shows them",
			SPAN_ARG(span_first(name, NAME_MAX_BYTES)));
	limiter_json(a->organs->limiter, name, &now, &a->json);
	if (a->json.n > 0)
		buf_cut(&a->json, a->json.n - 1); /* its brace: there is one thing more */
	buf_print(&a->json, ",\"waiting\":%zu}", turns_n(a->organs->turns));
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

static enum err read_name(
	struct admin_call *a, struct json body, struct span *name, struct fault *why)
{
	*name = admin_text(a, body, "name");
	if (!is_line(*name) || name->n > NAME_MAX_BYTES || span_index(*name, '"') < name->n ||
		span_index(*name, '\\') < name->n)
		return fault_param(why, ERR_INVALID_ARGUMENT, "name",
			"a limit has a name of 1 to %d bytes without quotes", NAME_MAX_BYTES);
	return OK;
}

static bool is_by_hand(const struct limit_rule *r)
{
	return span_is(r->said_at, LIMITS_SAID_AT);
}

/* All of them but the one of that name. False: there is none of that name. */
static bool put_others(const struct config *c, struct span name, struct buf *to)
{
	bool is_found = false;
	for (size_t i = 0; i < c->n_limits; i++) {
		const struct limit_rule *r = &c->limits[i];
		if (!is_by_hand(r))
			continue;
		if (span_eq(r->name, name))
			is_found = true;
		else
			limit_rule_print(r, to);
	}
	return is_found;
}

/* What was said of it before, but for the keys of which something is said now. */
static void put_former(const struct config *c, struct span name, struct json keys, struct buf *to)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMITS_BYTES);
	const struct limit_rule *r = config_limit(c, name);
	if (!r || !is_by_hand(r))
		return;
	limit_rule_print(r, &text);
	struct span left = buf_view(&text);
	(void)span_cut(&left, '\n'); /* its head */
	while (left.n > 0) {
		const struct span line = span_cut(&left, '\n');
		const struct span key = span_first(line, span_index(line, ' '));
		bool is_new = false;
		for (struct json_walk w = json_each(keys); json_next(&w);)
			is_new = is_new || span_eq(w.name, key);
		if (!is_new)
			buf_print(to, "%.*s\n", SPAN_ARG(line));
	}
}

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

/* Would the configuration and these be good together? */
static enum err check(const struct admin_call *a, struct fault *why)
{
	struct config *c = config_load(a->env->config_path, true, why);
	if (!c)
		return why->err;
	const enum err err = config_add_limits(c, buf_view(&a->text), LIMITS_SAID_AT, why);
	config_unref(c);
	return err;
}

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

static void write_done(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	a->env->is_writing_limits = false;
	if (a->why.err) {
		const struct fault why = a->why;
		admin_fail(a, why.err, &why);
		return;
	}
	a->env->reload(a->env);
	if (a->env->config_fault.err) {
		const struct fault why = a->env->config_fault;
		admin_fail(a, why.err, &why);
		return;
	}
	buf_text(&a->json, "{}");
	admin_done(a);
}

static enum err write_down(struct admin_call *a, struct fault *why)
{
	if (buf_error(&a->text))
		return fault_set(why, buf_error(&a->text), "these are too many limits");
	if (a->env->is_writing_limits)
		return fault_set(why, ERR_OVERLOADED,
			"another limit is being changed: try again in a moment");
	const enum err err = check(a, why);
	if (err)
		return err == ERR_MISCONFIGURED
			       ? fault_set(why, ERR_INVALID_ARGUMENT, "%s", why->message)
			       : err;
	a->env->is_writing_limits = true;
	a->job = (struct job){.run = write_run, .on_done = write_done};
	workers_submit(a->organs->workers, &a->job, LANE);
	return OK;
}

enum err admin_budget_set(struct admin_call *a, struct json body, struct fault *why)
{
	struct span name;
	enum err err = read_name(a, body, &name, why);
	if (err)
		return err;
	a->about = name;
	(void)put_others(a->organs->config, name, &a->text);
	buf_print(&a->text, "[limit \"%.*s\"]\n", SPAN_ARG(name));
	put_former(a->organs->config, name, json_member(body, "keys"), &a->text);
	err = put_keys(a, json_member(body, "keys"), why);
	return err ? err : write_down(a, why);
}

enum err admin_budget_remove(struct admin_call *a, struct json body, struct fault *why)
{
	struct span name;
	const enum err err = read_name(a, body, &name, why);
	if (err)
		return err;
	a->about = name;
	const struct limit_rule *r = config_limit(a->organs->config, name);
	if (!r)
		return fault_set(why, ERR_NOT_FOUND,
			"there is no limit \"%.*s\": `llmb budget list` shows them",
			SPAN_ARG(name));
	if (!put_others(a->organs->config, name, &a->text))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the limit \"%.*s\" is in %.*s: it is taken away there", SPAN_ARG(name),
			SPAN_ARG(r->said_at));
	return write_down(a, why);
}
