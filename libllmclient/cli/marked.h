/* marked.h - how do lines of ours get into a text that we do not understand, and out again?
 * Between two marks, in TOML, YAML and files of variables, whose comments begin with #. Lines of others that say something
 * else under the same name are put aside as comments. What cannot surely be done so is refused. Pure. */
#ifndef LIBLLMCLIENT_CLI_MARKED_H
#define LIBLLMCLIENT_CLI_MARKED_H
#include "protocol/base/buf.h"

/* All of these append the new text to `out`. Lines of ours end in \n; in a text with \r\n they get that. `keys` end with
 * NULL. ERR_MALFORMED with the reason where it cannot be done; *out is to be thrown away then. */

/* `top` has the keys, outside all tables; `end` is the table of that name. */
enum err marked_put_toml(struct span text, const char *const *keys, struct span top,
	const char *table, struct span end, struct buf *out, struct fault *why) MUST_USE;

/* `lines` have the keys of the outermost mapping. */
enum err marked_put_yaml(struct span text, const char *const *keys, struct span lines,
	struct buf *out, struct fault *why) MUST_USE;

/* `items` ("- a: b\n  c: d\n") go into the list under that key of the outermost mapping; NULL: the text is that list. A
 * text with nothing in it gets `head` before them. */
enum err marked_put_yaml_items(struct span text, const char *key, struct span items,
	struct span head, struct buf *out, struct fault *why) MUST_USE;

/* NAME=VALUE lines. */
void marked_put_variables(
	struct span text, const char *const *keys, struct span lines, struct buf *out);

/* The text without lines of ours, and with those that were put aside. ERR_MALFORMED where one of two marks is gone: what
 * stands behind the other may be anybody's. */
enum err marked_take(struct span text, struct buf *out, struct fault *why) MUST_USE;

/* What of it is ours, or was put aside. */
void marked_ours(struct span text, struct buf *out);

/* Does one of the lines of `ours`, as marked_ours gave them, stand in it, marks and what was put aside apart? */
bool marked_has_any(struct span ours, struct span text);

#endif
