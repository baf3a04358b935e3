/* pack.c - one reader of heads serves the walker, which trusts nothing, and the cursors, which trust
 * the walker and still stop at the end. */
#include "protocol/pack.h"

#include <inttypes.h>
#include <math.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/json.h"
#include "protocol/base/mem.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

/* ---- heads ---- */

/* The first bytes of a value, understood. */
struct head {
	enum pack_kind kind;
	bool is_negative; /* int: `bits` is an int64_t; else it is a uint64_t */
	size_t bytes;     /* of the head itself, numbers included */
	uint64_t n;       /* str, bin, ext: bytes after the head; array: values; map: pairs */
	uint64_t bits;    /* bool, int */
	double real;
};

enum head_result { HEAD_OK, HEAD_CUT, HEAD_RESERVED };

static uint64_t big_endian(const unsigned char *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static void set_int(struct head *h, int64_t v)
{
	h->kind = PACK_INT;
	h->is_negative = v < 0;
	h->bits = (uint64_t)v;
}

/* What the byte says where a number of `width` bytes, already read, follows it. */
static void read_wide(struct head *h, unsigned char c, uint64_t v)
{
	float single;
	uint32_t low;
	switch (c) {
	case 0xca:
		h->kind = PACK_FLOAT;
		low = (uint32_t)v;
		memcpy(&single, &low, sizeof single);
		h->real = (double)single;
		break;
	case 0xcb:
		h->kind = PACK_FLOAT;
		memcpy(&h->real, &v, sizeof h->real);
		break;
	case 0xd0:
		set_int(h, (int8_t)v);
		break;
	case 0xd1:
		set_int(h, (int16_t)v);
		break;
	case 0xd2:
		set_int(h, (int32_t)v);
		break;
	case 0xd3:
		set_int(h, (int64_t)v);
		break;
	default: /* 0xcc to 0xcf */
		h->kind = PACK_INT;
		h->bits = v;
	}
}

/* Rows for 0xc0 to 0xdf: the kind, and how many bytes of length or number follow. */
static const struct {
	unsigned char kind, width;
} wide[32] = {
	[0x00] = {PACK_NIL,   0},
	[0x02] = {PACK_BOOL,  0},
	[0x03] = {PACK_BOOL,  0},
	[0x04] = {PACK_BIN,   1},
	[0x05] = {PACK_BIN,   2},
	[0x06] = {PACK_BIN,   4},
	[0x07] = {PACK_EXT,   1},
	[0x08] = {PACK_EXT,   2},
	[0x09] = {PACK_EXT,   4},
	[0x0a] = {PACK_FLOAT, 4},
	[0x0b] = {PACK_FLOAT, 8},
	[0x0c] = {PACK_INT,   1},
	[0x0d] = {PACK_INT,   2},
	[0x0e] = {PACK_INT,   4},
	[0x0f] = {PACK_INT,   8},
	[0x10] = {PACK_INT,   1},
	[0x11] = {PACK_INT,   2},
	[0x12] = {PACK_INT,   4},
	[0x13] = {PACK_INT,   8},
	[0x14] = {PACK_EXT,   0},
	[0x15] = {PACK_EXT,   0},
	[0x16] = {PACK_EXT,   0},
	[0x17] = {PACK_EXT,   0},
	[0x18] = {PACK_EXT,   0},
	[0x19] = {PACK_STR,   1},
	[0x1a] = {PACK_STR,   2},
	[0x1b] = {PACK_STR,   4},
	[0x1c] = {PACK_ARRAY, 2},
	[0x1d] = {PACK_ARRAY, 4},
	[0x1e] = {PACK_MAP,   2},
	[0x1f] = {PACK_MAP,   4},
};

static inline enum head_result read_head(
	const unsigned char *at, const unsigned char *end, struct head *h)
{
	*h = (struct head){.bytes = 1};
	if (at >= end)
		return HEAD_CUT;
	const unsigned char c = *at;
	if (c < 0x80) {
		h->kind = PACK_INT;
		h->bits = c;
		return HEAD_OK;
	}
	if (c >= 0xe0) {
		set_int(h, (int8_t)c);
		return HEAD_OK;
	}
	if (c < 0xc0) {
		h->kind = c < 0x90 ? PACK_MAP : c < 0xa0 ? PACK_ARRAY : PACK_STR;
		h->n = c < 0xa0 ? c & 0x0fu : c & 0x1fu;
		return HEAD_OK;
	}
	const size_t width = wide[c - 0xc0].width;
	h->kind = (enum pack_kind)wide[c - 0xc0].kind;
	if (h->kind == PACK_END)
		return HEAD_RESERVED;
	if ((size_t)(end - at) - 1 < width)
		return HEAD_CUT;
	h->bytes += width;
	const uint64_t v = big_endian(at + 1, width);
	switch (h->kind) {
	case PACK_INT:
	case PACK_FLOAT:
		read_wide(h, c, v);
		break;
	case PACK_BOOL:
		h->bits = c & 1;
		break;
	case PACK_EXT: /* one byte more, the type, which is nothing to us */
		h->n = (width ? v : UINT64_C(1) << (c - 0xd4)) + 1;
		break;
	case PACK_STR:
	case PACK_BIN:
	case PACK_ARRAY:
	case PACK_MAP:
		h->n = v;
		break;
	case PACK_NIL:
	case PACK_END:
		break;
	}
	return HEAD_OK;
}

/* How many values follow a head of this kind, and how many bytes. */
static uint64_t values_in(const struct head *h)
{
	return h->kind == PACK_ARRAY ? h->n : h->kind == PACK_MAP ? h->n * 2 : 0;
}

static uint64_t bytes_in(const struct head *h)
{
	return h->kind == PACK_STR || h->kind == PACK_BIN || h->kind == PACK_EXT ? h->n : 0;
}

/* ---- checking ---- */

/* Maps of up to this many pairs are compared key by key, which beats sorting. */
#define FEW_KEYS 12

/* The keys of all maps that are open, the innermost map's last. */
struct keys {
	struct span few[64];
	struct span *all; /* `few`, or on the heap */
	size_t n, room;
};

struct level {
	uint64_t left; /* values yet to come */
	bool is_map;
	size_t first_key; /* where its keys begin */
};

static enum err keys_push(struct keys *keys, struct span key)
{
	if (keys->n == keys->room) {
		const size_t room = keys->room * 2;
		struct span *heap = keys->all == keys->few ? NULL : keys->all;
		struct span *grown = mem_resize(heap, room * sizeof *grown);
		if (!grown)
			return ERR_NO_MEMORY;
		if (!heap)
			memcpy(grown, keys->few, sizeof keys->few);
		keys->all = grown;
		keys->room = room;
	}
	keys->all[keys->n++] = key;
	return OK;
}

static void keys_done(struct keys *keys)
{
	if (keys->all != keys->few)
		mem_free(keys->all);
}

static int by_bytes(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return x->n == 0 ? 0 : memcmp(x->p, y->p, x->n);
}

/* A key that is among `keys` twice, or an absent span. May change their order. */
static struct span repeated_key(struct span *keys, size_t n)
{
	if (n > FEW_KEYS) {
		qsort(keys, n, sizeof *keys, by_bytes);
		for (size_t i = 1; i < n; i++) {
			if (span_eq(keys[i - 1], keys[i]))
				return keys[i];
		}
		return SPAN_NONE;
	}
	for (size_t i = 1; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (span_eq(keys[i], keys[j]))
				return keys[i];
		}
	}
	return SPAN_NONE;
}

static enum err malformed(struct fault *why, size_t offset, const char *what)
{
	return fault_set(why, ERR_MALFORMED, "byte %zu of the msgpack: %s", offset, what);
}

struct walker {
	const unsigned char *start, *at, *end;
	uint64_t owed, nodes; /* values declared: those yet to come, and all */
	struct level levels[LIMIT_PACK_DEPTH];
	size_t depth;
	struct keys *keys;
	struct fault *why;
};

/* Reads one head, and for str, bin and ext the bytes that are its own. */
static enum err walk_head(struct walker *w, struct head *h, struct span *text)
{
	const size_t offset = (size_t)(w->at - w->start);
	switch (read_head(w->at, w->end, h)) {
	case HEAD_OK:
		break;
	case HEAD_CUT:
		return malformed(w->why, offset, "it ends in the middle of a value");
	case HEAD_RESERVED:
		return malformed(w->why, offset, "0xc1 means nothing");
	}
	w->at += h->bytes;
	if (bytes_in(h) > (size_t)(w->end - w->at))
		return malformed(w->why, offset, "a length that is more than what is left");
	*text = span_of((const char *)w->at, (size_t)bytes_in(h));
	w->at += text->n;
	if (h->kind == PACK_STR && !utf8_is_valid(*text))
		return malformed(w->why, offset, "a str that is not UTF-8");
	return OK;
}

/* Counts the value in the array or map that it is in. */
static enum err walk_into(struct walker *w, const struct head *h, struct span text, size_t offset)
{
	w->owed--;
	if (w->depth == 0)
		return OK;
	struct level *l = &w->levels[w->depth - 1];
	const bool is_key = l->is_map && l->left % 2 == 0;
	l->left--;
	if (!is_key)
		return OK;
	if (h->kind != PACK_STR)
		return malformed(w->why, offset, "a map's key is no str");
	const enum err err = keys_push(w->keys, text);
	return err ? fault_set(w->why, err, "out of memory for a map's keys") : OK;
}

/* Begins an array or a map, if the values that it declares can be there. */
static enum err walk_open(struct walker *w, const struct head *h, size_t offset)
{
	const uint64_t inside = values_in(h);
	w->owed += inside;
	w->nodes += inside;
	if (w->owed > (size_t)(w->end - w->at))
		return malformed(w->why, offset, "more values are declared than bytes are left");
	if (w->nodes > LIMIT_PACK_NODES)
		return fault_set(w->why, ERR_TOO_BIG,
			"byte %zu of the msgpack: more than %d values", offset, LIMIT_PACK_NODES);
	if (h->kind != PACK_ARRAY && h->kind != PACK_MAP)
		return OK;
	if (w->depth == LIMIT_PACK_DEPTH)
		return fault_set(w->why, ERR_TOO_BIG,
			"byte %zu of the msgpack: more than %d arrays and maps inside one another",
			offset, LIMIT_PACK_DEPTH);
	w->levels[w->depth++] = (struct level){inside, h->kind == PACK_MAP, w->keys->n};
	return OK;
}

/* Ends the arrays and maps that are full, innermost first. */
static enum err walk_close(struct walker *w, size_t offset)
{
	while (w->depth > 0 && w->levels[w->depth - 1].left == 0) {
		const struct level *l = &w->levels[--w->depth];
		if (!l->is_map)
			continue;
		const struct span twice =
			repeated_key(w->keys->all + l->first_key, w->keys->n - l->first_key);
		w->keys->n = l->first_key;
		if (span_is_set(twice))
			return fault_set(w->why, ERR_MALFORMED,
				"byte %zu of the msgpack: a map ends that has the key \"%.*s\" "
				"twice",
				offset, SPAN_ARG(span_first(twice, 64)));
	}
	return OK;
}

static enum err walk(struct span bytes, struct keys *keys, struct fault *why)
{
	const unsigned char *start = (const unsigned char *)bytes.p;
	struct walker w;

	/* its levels are set as they are opened */
	w.start = w.at = start;
	w.end = start + bytes.n;
	w.owed = w.nodes = 1;
	w.depth = 0;
	w.keys = keys;
	w.why = why;
	while (w.owed > 0) {
		const size_t offset = (size_t)(w.at - w.start);
		struct head h;
		struct span text;
		enum err err = walk_head(&w, &h, &text);
		if (!err)
			err = walk_into(&w, &h, text, offset);
		if (!err)
			err = walk_open(&w, &h, offset);
		if (!err)
			err = walk_close(&w, offset);
		if (err)
			return err;
	}
	if (w.at != w.end)
		return malformed(why, (size_t)(w.at - w.start), "bytes after the value");
	return OK;
}

enum err pack_check(struct span bytes, struct fault *why)
{
	struct keys keys;
	keys.all = keys.few;
	keys.n = 0;
	keys.room = COUNT_OF(keys.few);
	const enum err err = walk(bytes.p ? bytes : SPAN(""), &keys, why);
	keys_done(&keys);
	return err;
}

/* ---- reading ---- */

struct pack_in pack_from(struct span checked)
{
	const unsigned char *p = (const unsigned char *)checked.p;
	return (struct pack_in){p, checked.n > 0 ? p + checked.n : p};
}

/* The head of the next value, if there is one and all of it is there. */
static bool next(const struct pack_in *in, struct head *h)
{
	return read_head(in->at, in->end, h) == HEAD_OK &&
	       bytes_in(h) <= (size_t)(in->end - in->at) - h->bytes;
}

enum pack_kind pack_kind(const struct pack_in *in)
{
	struct head h;
	return next(in, &h) ? h.kind : PACK_END;
}

const char *pack_kind_name(enum pack_kind kind)
{
	switch (kind) {
	case PACK_END:
		return "nothing";
	case PACK_NIL:
		return "nil";
	case PACK_BOOL:
		return "a bool";
	case PACK_INT:
		return "an integer";
	case PACK_FLOAT:
		return "a float";
	case PACK_STR:
		return "a str";
	case PACK_BIN:
		return "a bin";
	case PACK_ARRAY:
		return "an array";
	case PACK_MAP:
		return "a map";
	case PACK_EXT:
		return "an ext";
	}
	return "nothing";
}

bool pack_nil(struct pack_in *in)
{
	if (in->at >= in->end || *in->at != 0xc0)
		return false;
	in->at++;
	return true;
}

bool pack_bool(struct pack_in *in, bool *out)
{
	struct head h;
	if (!next(in, &h) || h.kind != PACK_BOOL)
		return false;
	*out = h.bits != 0;
	in->at += h.bytes;
	return true;
}

bool pack_i64(struct pack_in *in, int64_t *out)
{
	struct head h;
	if (!next(in, &h))
		return false;
	if (h.kind == PACK_FLOAT) {
		/* 2^63 itself does not fit */
		if (!(h.real >= -0x1p63 && h.real < 0x1p63) || (double)(int64_t)h.real != h.real)
			return false;
		*out = (int64_t)h.real;
	} else if (h.kind == PACK_INT && (h.is_negative || h.bits <= INT64_MAX)) {
		*out = (int64_t)h.bits;
	} else {
		return false;
	}
	in->at += h.bytes;
	return true;
}

bool pack_u64(struct pack_in *in, uint64_t *out)
{
	struct head h;
	if (!next(in, &h) || h.kind != PACK_INT || h.is_negative)
		return false;
	*out = h.bits;
	in->at += h.bytes;
	return true;
}

bool pack_u32(struct pack_in *in, uint32_t *out)
{
	struct pack_in ahead = *in;
	int64_t v;
	if (!pack_i64(&ahead, &v) || v < 0 || v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	*in = ahead;
	return true;
}

bool pack_f64(struct pack_in *in, double *out)
{
	struct head h;
	if (!next(in, &h))
		return false;
	if (h.kind == PACK_FLOAT && isfinite(h.real))
		*out = h.real;
	else if (h.kind == PACK_INT)
		*out = h.is_negative ? (double)(int64_t)h.bits : (double)h.bits;
	else
		return false;
	in->at += h.bytes;
	return true;
}

static void take_text(struct pack_in *in, const struct head *h, struct span *out)
{
	*out = span_of((const char *)in->at + h->bytes, (size_t)h->n);
	in->at += h->bytes + (size_t)h->n;
}

bool pack_str(struct pack_in *in, struct span *out)
{
	const size_t left = (size_t)(in->end - in->at), few = left > 0 ? *in->at & 0x1f : 0;
	if (left > few && (*in->at & 0xe0) == 0xa0) { /* most are short */
		*out = span_of((const char *)in->at + 1, few);
		in->at += 1 + few;
		return true;
	}
	struct head h;
	if (!next(in, &h) || h.kind != PACK_STR)
		return false;
	take_text(in, &h, out);
	return true;
}

bool pack_bin(struct pack_in *in, struct span *out)
{
	struct head h;
	if (!next(in, &h) || (h.kind != PACK_BIN && h.kind != PACK_STR))
		return false;
	take_text(in, &h, out);
	return true;
}

static bool take_count(struct pack_in *in, enum pack_kind kind, uint32_t *count)
{
	struct head h;
	if (!next(in, &h) || h.kind != kind)
		return false;
	*count = (uint32_t)h.n; /* no head holds more */
	in->at += h.bytes;
	return true;
}

bool pack_array(struct pack_in *in, uint32_t *count)
{
	return take_count(in, PACK_ARRAY, count);
}

bool pack_map(struct pack_in *in, uint32_t *count)
{
	return take_count(in, PACK_MAP, count);
}

struct span pack_skip(struct pack_in *in)
{
	struct pack_in ahead = *in;
	uint64_t owed = 1;
	while (owed > 0) {
		struct head h;
		if (!next(&ahead, &h))
			return SPAN_NONE;
		ahead.at += h.bytes + (size_t)bytes_in(&h);
		owed += values_in(&h) - 1;
		if (owed > (size_t)(ahead.end - ahead.at))
			return SPAN_NONE;
	}
	const struct span whole = span_of((const char *)in->at, (size_t)(ahead.at - in->at));
	*in = ahead;
	return whole;
}

/* ---- into JSON ---- */

static bool scalar_to_json(struct pack_in *in, struct json_out *to)
{
	struct head h;
	struct span text;
	if (!next(in, &h))
		return false;
	switch (h.kind) {
	case PACK_NIL:
		json_put_null(to);
		break;
	case PACK_BOOL:
		json_put_bool(to, h.bits != 0);
		break;
	case PACK_INT:
		if (h.is_negative || h.bits <= INT64_MAX) {
			json_put_i64(to, (int64_t)h.bits);
		} else {
			char digits[24];
			const int n = snprintf(digits, sizeof digits, "%" PRIu64, h.bits);
			json_put_raw(to, span_of(digits, (size_t)n));
		}
		break;
	case PACK_FLOAT:
		if (!isfinite(h.real))
			return false;
		json_put_f64(to, h.real);
		break;
	case PACK_STR:
		take_text(in, &h, &text);
		json_put_str(to, text);
		return true;
	case PACK_BIN:
		take_text(in, &h, &text);
		json_put_base64(to, SPAN_NONE, text);
		return true;
	case PACK_ARRAY:
	case PACK_MAP:
	case PACK_EXT:
	case PACK_END:
		return false;
	}
	in->at += h.bytes;
	return true;
}

static bool key_to_json(struct pack_in *in, struct json_out *to)
{
	struct span key;
	if (!pack_str(in, &key))
		return false;
	json_put_str(to, key);
	buf_byte(to->to, ':');
	to->has_value = false;
	return true;
}

bool pack_to_json(struct pack_in *in, struct buf *out)
{
	struct {
		uint32_t left; /* values, or pairs */
		char close;
	} levels[LIMIT_PACK_DEPTH];
	struct pack_in ahead = *in;
	struct json_out to = json_to(out);
	size_t depth = 0;

	do {
		uint32_t count;
		if (depth > 0) {
			levels[depth - 1].left--;
			if (levels[depth - 1].close == '}' && !key_to_json(&ahead, &to))
				return false;
		}
		const bool is_map = pack_map(&ahead, &count);
		if (is_map || pack_array(&ahead, &count)) {
			if (depth == LIMIT_PACK_DEPTH)
				return false;
			json_open(&to, is_map ? '{' : '[');
			levels[depth].left = count;
			levels[depth++].close = is_map ? '}' : ']';
		} else if (!scalar_to_json(&ahead, &to)) {
			return false;
		}
		while (depth > 0 && levels[depth - 1].left == 0)
			json_close(&to, levels[--depth].close);
	} while (depth > 0);
	*in = ahead;
	return true;
}

/* ---- writing ---- */

static int to_buf(void *out, const char *bytes, size_t n)
{
	buf_put(out, bytes, n);
	return 0; /* failures stick to the buf */
}

static msgpack_packer packer(struct buf *out)
{
	return (msgpack_packer){.data = out, .callback = to_buf};
}

/* msgpack has 32 bits for a length. */
static bool is_too_long(struct buf *out, size_t n)
{
	if (n <= UINT32_MAX)
		return false;
	if (!out->err)
		out->err = ERR_TOO_BIG;
	return true;
}

void pack_put_nil(struct buf *out)
{
	msgpack_packer to = packer(out);
	msgpack_pack_nil(&to);
}

void pack_put_bool(struct buf *out, bool v)
{
	msgpack_packer to = packer(out);
	if (v)
		msgpack_pack_true(&to);
	else
		msgpack_pack_false(&to);
}

/* Room for a few bytes; NULL as buf_reserve. */
static inline char *room(struct buf *out, size_t n)
{
	return n <= out->cap - out->n && !out->err ? out->p + out->n : buf_reserve(out, n);
}

/* Most numbers and texts are short: their heads are one byte. */
#define SHORT_TEXT   ((size_t)32)
#define SHORT_NUMBER INT64_C(0x80)

static inline bool is_short(int64_t v)
{
	return v >= 0 && v < SHORT_NUMBER;
}

static inline char *write_short(char *to, const char *text, size_t n)
{
	*to = (char)(0xa0 | n);
	if (n > 0)
		memcpy(to + 1, text, n);
	return to + 1 + n;
}

void pack_put_i64(struct buf *out, int64_t v)
{
	if (is_short(v)) {
		buf_byte(out, (char)v);
		return;
	}
	msgpack_packer to = packer(out);
	msgpack_pack_int64(&to, v);
}

void pack_put_f64(struct buf *out, double v)
{
	msgpack_packer to = packer(out);
	msgpack_pack_double(&to, v);
}

void pack_put_str(struct buf *out, struct span text)
{
	if (text.n < SHORT_TEXT) {
		char *to = room(out, 1 + text.n);
		if (to)
			out->n += (size_t)(write_short(to, text.p, text.n) - to);
		return;
	}
	msgpack_packer to = packer(out);
	if (is_too_long(out, text.n))
		return;
	msgpack_pack_str(&to, text.n);
	buf_span(out, text);
}

void pack_put_text(struct buf *out, const char *text)
{
	pack_put_str(out, span_str(text));
}

void pack_put_bin(struct buf *out, struct span bytes)
{
	msgpack_packer to = packer(out);
	if (is_too_long(out, bytes.n))
		return;
	msgpack_pack_bin(&to, bytes.n);
	buf_span(out, bytes);
}

void pack_put_array(struct buf *out, size_t count)
{
	msgpack_packer to = packer(out);
	if (!is_too_long(out, count))
		msgpack_pack_array(&to, count);
}

void pack_put_map(struct buf *out, size_t count)
{
	msgpack_packer to = packer(out);
	if (!is_too_long(out, count))
		msgpack_pack_map(&to, count);
}

void pack_put_raw(struct buf *out, struct span packed)
{
	buf_span(out, packed);
}

struct pack_open pack_open_map(struct buf *out)
{
	const struct pack_open m = {.mark = out->n};
	pack_put_map(out, 0);
	return m;
}

void pack_close_map(struct buf *out, const struct pack_open *m)
{
	if (buf_error(out))
		return;
	if (m->count < 16) {
		out->p[m->mark] = (char)(0x80 | m->count);
		return;
	}
	/* a longer head: make room for it in front of the pairs */
	const size_t more = m->count <= UINT16_MAX ? 2 : 4;
	if (!buf_reserve(out, more))
		return;
	char *const head = out->p + m->mark;
	memmove(head + 1 + more, head + 1, out->n - m->mark - 1);
	buf_commit(out, more);
	head[0] = (char)(more == 2 ? 0xde : 0xdf);
	for (size_t i = 0; i < more; i++)
		head[1 + i] = (char)(m->count >> 8 * (more - 1 - i));
}

void pack_key(struct buf *out, struct pack_open *m, const char *key)
{
	m->count++;
	pack_put_text(out, key);
}

void pack_pair_str(struct buf *out, struct pack_open *m, const char *key, struct span text)
{
	if (!span_is_set(text))
		return;
	const size_t n = strlen(key);
	if (n < SHORT_TEXT && text.n < SHORT_TEXT) { /* both at once */
		char *const from = room(out, 2 + n + text.n);
		m->count++;
		if (from)
			out->n += (size_t)(write_short(write_short(from, key, n), text.p, text.n) -
					   from);
		return;
	}
	pack_key(out, m, key);
	pack_put_str(out, text);
}

void pack_pair_bin(struct buf *out, struct pack_open *m, const char *key, struct span bytes)
{
	if (!span_is_set(bytes))
		return;
	pack_key(out, m, key);
	pack_put_bin(out, bytes);
}

void pack_pair_i64(struct buf *out, struct pack_open *m, const char *key, int64_t v)
{
	const size_t n = strlen(key);
	if (n < SHORT_TEXT && is_short(v)) {
		char *const from = room(out, 2 + n);
		m->count++;
		if (from) {
			char *to = write_short(from, key, n);
			*to++ = (char)v;
			out->n += (size_t)(to - from);
		}
		return;
	}
	pack_key(out, m, key);
	pack_put_i64(out, v);
}

void pack_pair_f64(struct buf *out, struct pack_open *m, const char *key, double v)
{
	pack_key(out, m, key);
	pack_put_f64(out, v);
}

void pack_pair_bool(struct buf *out, struct pack_open *m, const char *key, bool v)
{
	pack_key(out, m, key);
	pack_put_bool(out, v);
}
