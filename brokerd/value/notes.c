/* notes.c - three short arrays in the arena, grown by doubling. */
#include "brokerd/value/notes.h"

#include <stdarg.h>
#include <stdio.h>

void notes_init(struct notes *n, struct arena *a)
{
	*n = (struct notes){.arena = a, .wants_reasoning_text = true, .n_choices = 1};
}

/* Room for one more element of `size` bytes; NULL: out of memory. The old array stays in the arena,
 * which is at most as much again. */
static void *grown(struct arena *a, const void *old, size_t n, size_t *cap, size_t size)
{
	const size_t more = *cap ? *cap * 2 : 8;
	char *array = arena_array(a, more, size);
	if (!array)
		return NULL;
	if (n > 0)
		memcpy(array, old, n * size);
	*cap = more;
	return array;
}

static enum err PRINTF_LIKE(4, 0)
	warn(struct notes *n, const char *code, const char *param, const char *format, va_list args)
{
	char text[2048], whole[1024]; /* the cut comes between characters */
	struct warning w = {.code = span_str(code)};
	if (n->n_warnings == n->cap_warnings) {
		void *array = grown(n->arena, n->warnings, n->n_warnings, &n->cap_warnings,
			sizeof *n->warnings);
		if (!array)
			return ERR_NO_MEMORY;
		n->warnings = array;
	}
	(void)vsnprintf(text, sizeof text, format, args);
	fault_text(whole, sizeof whole, span_str(text));
	enum err err = arena_dup(n->arena, span_str(whole), &w.message);
	if (!err)
		err = arena_dup(n->arena, span_str(param), &w.param);
	if (!err)
		n->warnings[n->n_warnings++] = w;
	return err;
}

enum err notes_warn(struct notes *n, const char *code, const char *param, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const enum err err = warn(n, code, param, format, args);
	va_end(args);
	return err;
}

enum err notes_unsupported(struct notes *n, const struct llm_request *r, const char *code,
	const char *param, struct fault *why, const char *format, ...)
{
	char text[1024];
	enum err err;
	va_list args;
	va_start(args, format);
	if (r->on_unsupported == UNSUPPORTED_REJECT) {
		(void)vsnprintf(text, sizeof text, format, args);
		err = fault_param(why, ERR_INVALID_REQUEST, param, "%s", text);
		if (why)
			fault_text(why->code, sizeof why->code, span_str("unsupported_parameter"));
	} else {
		err = warn(n, code, param, format, args);
	}
	va_end(args);
	return err;
}

static struct span theirs(const struct rename *renames, size_t n, struct span ours)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(renames[i].ours, ours))
			return renames[i].theirs;
	}
	return ours;
}

struct span notes_tool_theirs(const struct notes *n, struct span ours)
{
	return theirs(n->tools, n->n_tools, ours);
}

struct span notes_tool_ours(const struct notes *n, struct span theirs_)
{
	for (size_t i = 0; i < n->n_tools; i++) {
		if (span_eq(n->tools[i].theirs, theirs_))
			return n->tools[i].ours;
	}
	return theirs_;
}

struct span notes_id_theirs(const struct notes *n, struct span ours)
{
	return theirs(n->ids, n->n_ids, ours);
}

/* One row more at the end of an array of renames. */
static enum err rename_add(struct arena *a, struct rename **array, size_t *n, size_t *cap,
	struct span ours, struct span theirs_)
{
	struct rename row;
	if (*n == *cap) {
		void *more = grown(a, *array, *n, cap, sizeof row);
		if (!more)
			return ERR_NO_MEMORY;
		*array = more;
	}
	enum err err = arena_dup(a, ours, &row.ours);
	if (!err)
		err = arena_dup(a, theirs_, &row.theirs);
	if (!err)
		(*array)[(*n)++] = row;
	return err;
}

enum err notes_rename_tool(struct notes *n, struct span ours, struct span theirs_)
{
	return rename_add(n->arena, &n->tools, &n->n_tools, &n->cap_tools, ours, theirs_);
}

enum err notes_rename_id(struct notes *n, struct span ours, struct span theirs_)
{
	return rename_add(n->arena, &n->ids, &n->n_ids, &n->cap_ids, ours, theirs_);
}
