/* pack.h - is this msgpack sound, what does it say, and how is it written?
 * The only user of msgpack-c, which writes; reading is a cursor over bytes that pack_check has
 * walked. Pure functions of bytes: nothing is allocated but in the caller's buf or arena. */
#ifndef PROTOCOL_PACK_H
#define PROTOCOL_PACK_H
#include <stdint.h>

#include "protocol/base/arena.h"
#include "protocol/base/buf.h"

enum pack_kind {
	PACK_END, /* nothing is left */
	PACK_NIL,
	PACK_BOOL,
	PACK_INT, /* signed or unsigned */
	PACK_FLOAT,
	PACK_STR,
	PACK_BIN,
	PACK_ARRAY,
	PACK_MAP,
	PACK_EXT, /* carried, never interpreted */
};

/* A cursor. Copy it to look ahead. */
struct pack_in {
	const unsigned char *at, *end;
};

/* Checks that `bytes` is exactly one value and nothing after it: every count it declares is there,
 * depth and number of values are within limits.h, map keys are str and differ, every str is UTF-8,
 * no reserved byte. Allocates nothing that the input's size does not bound.
 * ERR_MALFORMED (with the offset), ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err pack_check(struct span bytes, struct fault *why) MUST_USE;

/* A cursor before the one value of checked bytes. */
struct pack_in pack_from(struct span checked);

/* ---- reading; each takes one value, or returns false and stays where it is ---- */
enum pack_kind pack_kind(const struct pack_in *in);
bool pack_nil(struct pack_in *in);
bool pack_bool(struct pack_in *in, bool *out);
bool pack_i64(struct pack_in *in, int64_t *out);  /* also a float without a fraction that fits */
bool pack_u64(struct pack_in *in, uint64_t *out); /* an integer of 0 or more */
bool pack_u32(struct pack_in *in, uint32_t *out);
bool pack_f64(struct pack_in *in, double *out); /* also an integer; finite only */
bool pack_str(struct pack_in *in, struct span *out);
bool pack_bin(struct pack_in *in, struct span *out);  /* a str does too */
bool pack_array(struct pack_in *in, uint32_t *count); /* its elements follow */
bool pack_map(struct pack_in *in, uint32_t *count);   /* its keys and values follow in turn */
struct span pack_skip(struct pack_in *in);            /* one whole value, and its bytes */

/* Appends one value as JSON text: integers exactly, doubles as the shortest text that reads back the
 * same, bin as base64. False, and half a text may have been appended: an ext or a float that is not
 * finite has no JSON, or the bytes were not checked. Running out of memory sticks to the buf. */
bool pack_to_json(struct pack_in *in, struct buf *out);

/* "a string", "an array", "nothing": for sentences. Never NULL. */
const char *pack_kind_name(enum pack_kind kind);

/* ---- writing; failures stick to the buf ---- */
void pack_put_nil(struct buf *out);
void pack_put_bool(struct buf *out, bool v);
void pack_put_i64(struct buf *out, int64_t v); /* in the shortest form */
void pack_put_f64(struct buf *out, double v);
void pack_put_str(struct buf *out, struct span text); /* valid UTF-8 */
void pack_put_text(struct buf *out, const char *text);
void pack_put_bin(struct buf *out, struct span bytes);
void pack_put_array(struct buf *out, size_t count);
void pack_put_map(struct buf *out, size_t count);
void pack_put_raw(struct buf *out, struct span packed); /* a value as pack_skip gave it */

/* A map whose number of pairs is known only at its end: the count is patched in. */
struct pack_open {
	size_t mark;
	uint32_t count;
};
struct pack_open pack_open_map(struct buf *out);
void pack_close_map(struct buf *out, const struct pack_open *m);
/* key and value in one; the absent (an absent span, a false `is_set`) is left out */
void pack_pair_str(struct buf *out, struct pack_open *m, const char *key, struct span text);
void pack_pair_bin(struct buf *out, struct pack_open *m, const char *key, struct span bytes);
void pack_pair_i64(struct buf *out, struct pack_open *m, const char *key, int64_t v);
void pack_pair_f64(struct buf *out, struct pack_open *m, const char *key, double v);
void pack_pair_bool(struct buf *out, struct pack_open *m, const char *key, bool v);
void pack_key(
	struct buf *out, struct pack_open *m, const char *key); /* the value is put after it */

#endif
