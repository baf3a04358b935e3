/* json_edit.h - how is one member of a JSON document set or taken out, and the rest of it left as it is?
 * Byte for byte: comments, order, odd spaces. Documents of settings may have comments and commas too many, as editors
 * allow them. Pure. */
#ifndef LIBLLMCLIENT_CLI_JSON_EDIT_H
#define LIBLLMCLIENT_CLI_JSON_EDIT_H
#include "protocol/base/json.h"

#define JSON_PATH_MAX 4

/* Names from the outermost object on; NULL ends it where it is shorter. */
struct json_path {
	const char *name[JSON_PATH_MAX];
};

struct json_document {
	struct span text; /* as it is */
	struct buf plain; /* the same length, and no comment in it */
	struct json root; /* in `plain`; absent: there is nothing in the text but comments */
};

/* ERR_MALFORMED where it is none, or no object. `text` must outlive it. */
enum err json_document_open(struct json_document *d, struct span text, struct fault *why) MUST_USE;
void json_document_done(struct json_document *d);

/* What is there, as it stands in the text; absent: nothing. */
struct span json_document_at(const struct json_document *d, const struct json_path *path);

/* Are two values the same but for spaces, as they stand? */
bool json_is_same_text(struct span a, struct span b);

/* The text with `value` (JSON) at that place, laid out as its neighbours are. ERR_MALFORMED: what should be an object on
 * the way is none. */
enum err json_document_put(const struct json_document *d, const struct json_path *path,
	struct span value, struct buf *out, struct fault *why) MUST_USE;

/* The text where the value at that place, which is there, is `text` as it stands: comments, spaces and all. */
enum err json_document_splice(const struct json_document *d, const struct json_path *path,
	struct span text, struct buf *out) MUST_USE;

/* The text without it; what is not there is no mistake. */
void json_document_take(
	const struct json_document *d, const struct json_path *path, struct buf *out);

#endif
