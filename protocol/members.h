/* members.h - how does a map become a struct, and a struct a map, one row a member?
 * For the bodies of protocol/ alone. A table's rows say each member's name, how it is read, how it is
 * written and in which kinds of the object it belongs; what is wrong is said with its path. Nothing is
 * allocated but in the caller's arena and buf. */
#ifndef PROTOCOL_MEMBERS_H
#define PROTOCOL_MEMBERS_H
#include <stdint.h>

#include "protocol/base/arena.h"
#include "protocol/base/buf.h"
#include "protocol/pack.h"

/* Where a value stands: a chain on the C stack, from the innermost outwards. It becomes a path,
 * "messages[3].content", only where something is wrong. */
struct at {
	const struct at *up; /* NULL: the outermost value, which has no name */
	struct span name;    /* of a member; absent: an element */
	size_t index;        /* of an element */
};
struct at at_member(const struct at *up, struct span name);
struct at at_index(const struct at *up, size_t index);

struct extra;

struct reader {
	struct arena *a;
	struct fault *why;
	enum err bad; /* the class of a value that is wrong */
	/* What becomes of members that no row has: kept in `unknown` as JSON under their path from
	 * `owner`; refused; or, with neither, skipped. */
	struct extra *unknown;
	const struct at *owner;
	bool is_closed;
};

/* Says what is wrong at a place and returns `err`. */
enum err reader_refuse(const struct reader *r, const struct at *at, enum err err,
	const char *format, ...) PRINTF_LIKE(4, 5);
/* "a str is wanted, not an array" */
enum err reader_wrong(
	const struct reader *r, const struct at *at, const struct pack_in *in, const char *wanted);
enum err reader_no_memory(const struct reader *r);

struct member {
	const char *name;
	enum err (*read)(struct reader *r, const struct at *at, struct pack_in *in, void *field);
	/* writes key and value, or nothing where the field says that it is absent */
	void (*write)(struct buf *out, struct pack_open *m, const char *name, const void *field);
	size_t offset;     /* of the field; 0 also for what takes the whole struct */
	uint32_t allowed;  /* in which kinds of the object, a bit each; 0: in all */
	uint32_t required; /* in which it must be */
};

/* The two functions of a row: AS(label, text) reads a label and writes a text. */
#define AS(reader, writer) member_read_##reader, member_write_##writer

/* Reads a map; nil is absent. Afterwards, if `seen` is not NULL, it has a bit for each row that was
 * there, at most 64, and what is allowed or required is for members_check to see once the object's
 * kind is known; else kind 0 is checked at once. */
enum err members_read(struct reader *r, const struct at *at, struct pack_in *in,
	const struct member *rows, size_t n, void *object, uint64_t *seen) MUST_USE;

/* Are the members that are there allowed, and the required ones there, in an object of kind `kind`?
 * `what` and `word` are the object, for the sentence: "a part of type", "text". */
enum err members_check(const struct reader *r, const struct at *at, const struct member *rows,
	size_t n, uint64_t seen, unsigned kind, const char *what, const char *word) MUST_USE;

/* Appends the map. */
void members_write(struct buf *out, const struct member *rows, size_t n, const void *object);

/* An array of at most `limit` elements, which follow; `out` gets room for them in the arena. */
enum err member_read_array(struct reader *r, const struct at *at, struct pack_in *in, size_t limit,
	size_t size, void *out_pointer, size_t *count) MUST_USE;

/* Which of the words this str is; refused with all of them. */
enum err member_read_word(struct reader *r, const struct at *at, struct pack_in *in,
	const char *const *words, size_t n, size_t *which) MUST_USE;

/* Two names of a list that are equal, found without comparing each with each. */
struct numbered_name {
	struct span name;
	size_t index;
};
/* The lowest index that repeats an earlier one, or SIZE_MAX. Changes the order of the list. */
size_t members_repeated(struct numbered_name *list, size_t n);

/* Refuses the name of a JSON member that some readers take for another: json_name_is_clear. */
enum err member_check_clear(const struct reader *r, const struct at *at, struct span name) MUST_USE;

/* ---- readers of one kind of field; `field` points to the type in brackets ---- */
#define READER(name) \
	enum err name(struct reader *r, const struct at *at, struct pack_in *in, void *field)
READER(member_read_text);  /* [struct span] any str */
READER(member_read_name);  /* [struct span] a str that is not empty */
READER(member_read_label); /* [struct span] the same, at most LIMIT_LABEL_BYTES, no control byte */
READER(member_read_bytes); /* [struct span] bin or str */
READER(member_read_i64);   /* [int64_t] */
READER(member_read_count); /* [int64_t] 0 or more */
READER(member_read_u32);   /* [uint32_t] */
READER(member_read_bool);  /* [bool] */
READER(member_read_opt_i64);      /* [struct opt_i64] */
READER(member_read_opt_f64);      /* [struct opt_f64] */
READER(member_read_opt_bool);     /* [struct opt_bool] */
READER(member_read_json);         /* [struct span] a str that is JSON text */
READER(member_read_json_object);  /* [struct span] the same, an object */
READER(member_read_json_merged);  /* [struct span] the same, any value, each name once */
READER(member_read_json_options); /* [struct span] the same, an object, each name once */
READER(member_read_extra);        /* [struct extra] {"family", "members": [[name, json], ...]} */

/* ---- and writers ---- */
#define WRITER(name) \
	void name(struct buf *out, struct pack_open *m, const char *key, const void *field)
WRITER(member_write_text);  /* [struct span] if it is set */
WRITER(member_write_bytes); /* [struct span] as bin, if it is set */
/* the same for members that must be there: the absent as empty */
WRITER(member_write_required_text);
WRITER(member_write_required_bytes);
WRITER(member_write_i64);      /* [int64_t] */
WRITER(member_write_count);    /* [int64_t] if it is 0 or more */
WRITER(member_write_positive); /* [int64_t] if it is more than 0 */
WRITER(member_write_u32);      /* [uint32_t] */
WRITER(member_write_nonzero);  /* [uint32_t] if it is not 0 */
WRITER(member_write_bool);     /* [bool] if it is true */
WRITER(member_write_opt_i64);
WRITER(member_write_opt_f64);
WRITER(member_write_opt_bool);
WRITER(member_write_extra);

/* Objects that stand in several bodies. */
READER(member_read_opaque);  /* [struct opaque] */
WRITER(member_write_opaque); /* if its family is set */
READER(member_read_part);    /* [struct part] */
WRITER(member_write_part);
READER(member_read_surface);  /* [struct surface_call] */
WRITER(member_write_surface); /* if its surface or provider is set */

/* Arrays of str, and of [str, str]. */
enum err member_read_texts(struct reader *r, const struct at *at, struct pack_in *in, size_t limit,
	struct span **out, size_t *n) MUST_USE;
void member_write_texts(struct buf *out, const struct span *texts, size_t n);
struct string_pair;
enum err member_read_pairs(struct reader *r, const struct at *at, struct pack_in *in,
	struct string_pair **out, size_t *n) MUST_USE;
void member_write_pairs(struct buf *out, const struct string_pair *pairs, size_t n);

#endif
