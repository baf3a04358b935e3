/* wire_tool.h - which tools have files of settings, and what has to be in them?
 * One table. Texts in, texts out: it reads and writes no file. */
#ifndef LIBLLMCLIENT_CLI_WIRE_TOOL_H
#define LIBLLMCLIENT_CLI_WIRE_TOOL_H
#include "libllmclient/cli/options.h"
#include "protocol/base/arena.h"
#include "protocol/base/buf.h"

#define WIRE_FILES_MAX 2

/* What a tool is to be told. */
struct wiring {
	const char *base;        /* of the bridge: "http://127.0.0.1:8411" */
	const char *key;         /* what stands where one is wanted */
	const char *model;       /* that it is to use; NULL: its own choice */
	struct text_list models; /* that it may offer, where it wants a list */
};

struct wire_file;

struct wire_tool {
	const char *name;
	const char *next; /* what to do then */
	bool wants_models;
	const struct wire_file *files[WIRE_FILES_MAX];
};

const struct wire_tool *wire_tools(size_t *n);
const struct wire_tool *wire_tool_find(const char *name); /* NULL: none of that name */

/* Where it is, by the environment, in `a`. NULL: no HOME, or out of memory. */
const char *wire_file_path(const struct wire_file *f, struct arena *a);

/* Appends `before` with what is needed in it. ERR_MALFORMED: it cannot be done safely, and why. */
enum err wire_file_put(const struct wire_file *f, const struct wiring *w, struct span before,
	struct buf *out, struct fault *why) MUST_USE;

/* Appends `now`, which others have changed since `after` was made of `before`, without what is ours. False: ours was
 * changed too, and was taken out as it is. ERR_MALFORMED: `now` is no such file any more. */
enum err wire_file_take(const struct wire_file *f, struct span before, struct span after,
	struct span now, struct buf *out, bool *is_ours_unchanged, struct fault *why) MUST_USE;

#endif
