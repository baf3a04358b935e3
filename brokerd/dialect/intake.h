/* intake.h - how does a caller's JSON become fields, one row a member?
 * What every reader of foreign requests shares. A table's rows say each member's name and how it is
 * read; what no row has is kept in order as an extra member of the family, so that the same family
 * gets it back byte for byte. What is wrong is refused with its path. Null is absent. Nothing is
 * allocated but in the arena; texts are valid UTF-8, for the whole body was scanned strictly. */
#ifndef BROKERD_DIALECT_INTAKE_H
#define BROKERD_DIALECT_INTAKE_H
#include "brokerd/value/notes.h"
#include "protocol/base/json.h"
#include "protocol/members.h"

struct intake {
	struct arena *arena;
	struct notes *notes; /* for warnings about what is taken otherwise than it was said */
	struct fault *why;
	struct span family; /* whose body it is */
};

struct intake_row {
	const char *name;
	enum err (*read)(struct intake *in, const struct at *at, struct json v, void *field);
	size_t offset; /* of the field; 0 also for what takes the whole object */
};

/* Scans the whole body, which the notes have then: strict JSON, one object, no name twice, in no spelling,
 * but inside schemas and arguments.
 * ERR_INVALID_REQUEST (also for what is no JSON), ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err intake_body(struct intake *in, struct span body, struct json *out) MUST_USE;

/* Reads an object. `unknown` takes the members that no row has, each as "`below`NAME" (below: "" or
 * "image_url."); NULL: they are refused, as is everywhere a name that is a row's but for its case.
 * ERR_INVALID_REQUEST, ERR_NO_MEMORY, or a reader's. */
enum err intake_object(struct intake *in, const struct at *at, struct json v,
	const struct intake_row *rows, size_t n, void *object, struct extra *unknown,
	const char *below) MUST_USE;

/* Adds one extra member; for readers that must keep what they cannot place. */
enum err intake_keep(struct intake *in, struct extra *to, const char *below, struct span name,
	struct span json) MUST_USE;

/* Readers for rows; the field's type is behind each. */
enum err intake_text(struct intake *, const struct at *, struct json, void *); /* struct span */
enum err intake_model(struct intake *, const struct at *, struct json,
	void *); /* struct span: a model's name, a label as on the wire; may be empty */
enum err intake_json(
	struct intake *, const struct at *, struct json, void *); /* struct span: the raw value */
enum err intake_object_json(
	struct intake *, const struct at *, struct json, void *); /* the same of an object */
enum err intake_value(
	struct intake *, const struct at *, struct json, void *); /* struct json: any value */
enum err intake_object_value(
	struct intake *, const struct at *, struct json, void *); /* the same of an object */
enum err intake_i64(struct intake *, const struct at *, struct json, void *);  /* struct opt_i64 */
enum err intake_f64(struct intake *, const struct at *, struct json, void *);  /* struct opt_f64 */
enum err intake_bool(struct intake *, const struct at *, struct json, void *); /* struct opt_bool */
enum err intake_flag(struct intake *, const struct at *, struct json, void *); /* bool */
enum err intake_ignore(
	struct intake *, const struct at *, struct json, void *); /* known, and not ours to keep */

enum err intake_base64(
	struct intake *, const struct at *, struct json, void *); /* struct span: the bytes */
/* struct span: the lifetime of a cache mark, {"type": "ephemeral", "ttl": "1h"}, "5m" unless said */
enum err intake_cache_control(struct intake *, const struct at *, struct json, void *);

/* An array, each of whose elements is read into a zeroed place of `size` bytes. `list` points to the
 * pointer that gets them. */
enum err intake_array(struct intake *in, const struct at *at, struct json v, size_t size,
	enum err (*read)(struct intake *in, const struct at *at, struct json v, void *element),
	void *list, size_t *n) MUST_USE;

/* An array of strings, or one string; and how many. */
enum err intake_texts(struct intake *in, const struct at *at, struct json v, struct span **list,
	size_t *n) MUST_USE;
/* An object of strings, in order. */
enum err intake_pairs(struct intake *in, const struct at *at, struct json v,
	struct string_pair **list, size_t *n) MUST_USE;

/* A piece of the path or the query that the request was sent to, percent-decoded into the arena.
 * Refused as the member "path" where that is no text, or has control bytes. */
enum err intake_unescape(struct intake *in, struct span text, struct span *out) MUST_USE;

/* How many elements an array has. */
size_t intake_count(struct json array);

/* Says what is wrong at a place and returns ERR_INVALID_REQUEST. "WANTED is wanted, not KIND" */
enum err intake_refuse(struct intake *in, const struct at *at, const char *format, ...)
	PRINTF_LIKE(3, 4);
enum err intake_wrong(struct intake *in, const struct at *at, struct json v, const char *wanted);
enum err intake_no_memory(struct intake *in);

/* Are `n` messages as many as one request may have? Else it is refused as "request_too_large". */
enum err intake_check_messages(struct intake *in, const struct at *at, size_t n) MUST_USE;

#endif
