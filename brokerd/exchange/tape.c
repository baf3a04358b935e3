/* tape.c - one buffer; an entry is a byte of track, a byte of frame type, 32 bits of length, and the body. */
#include "brokerd/exchange/tape.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "protocol/base/list.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

#define ENTRY_BYTES 6
#define NUMBERS     4 /* owner, warnings, and how long the names are */
#define HEAD_BYTES  (4 + TAPE_TAG_BYTES + 8 * (NUMBERS + USAGE_FIELDS))
/* in the order of struct llm_usage, all of one type */
#define USAGE_FIELDS (sizeof(struct llm_usage) / sizeof(int64_t))
#define VERSION      1

/* ---- all together ---- */

static void count(struct tape *t)
{
	if (!t->all || t->counted == t->bytes.cap)
		return;
	t->all->bytes = t->all->bytes - t->counted + t->bytes.cap;
	t->counted = t->bytes.cap;
}

static bool is_crowded(const struct tape *t)
{
	return t->all && t->all->bytes > (t->readers ? t->all->most : t->all->most / 4 * 3);
}

/* What all who read it have had; seldom, for the rest is copied. */
#define FORGET_BYTES (64 * KIB)
static void forget(struct tape *t)
{
	struct tape_reader *r;
	const size_t least = t->bytes.n / 2 > FORGET_BYTES ? t->bytes.n / 2 : FORGET_BYTES;
	size_t n = t->is_held ? t->held_at : t->bytes.n;
	LIST_EACH(t->readers, r) {
		n = r->at < n ? r->at : n;
		if (n < least)
			return;
	}
	struct buf rest = BUF_INIT(t->bytes.max);
	buf_span(&rest, span_skip(buf_view(&t->bytes), n));
	if (buf_error(&rest)) {
		buf_done(&rest);
		return; /* it stays as it is */
	}
	buf_done(&t->bytes);
	t->bytes = rest;
	t->held_at -= t->is_held ? n : 0;
	LIST_EACH(t->readers, r) {
		r->at -= n;
	}
	count(t);
}

void tape_drop(struct tape *t)
{
	assert(!t->readers);
	buf_done(&t->bytes);
	t->held_at = 0;
	t->is_broken = true;
	count(t);
}

/* ---- its beginning and its end ---- */

/* Where there is none to say what else it was. */
static const struct fault no_memory = {
	.err = ERR_NO_MEMORY, .retry_after_ms = -1, .message = "out of memory for an answer"};

struct tape *tape_new(void)
{
	struct tape *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->users = 1;
	buf_init(&t->bytes, 2 * LIMIT_BODY_BYTES);
	buf_init(&t->names, LIMIT_FRAME_BYTES);
	t->usage = USAGE_UNKNOWN;
	return t;
}

struct tape *tape_ref(struct tape *t)
{
	t->users++;
	return t;
}

void tape_unref(struct tape *t)
{
	if (!t || --t->users > 0)
		return;
	buf_done(&t->bytes);
	buf_done(&t->names);
	cache_copy_drop(t->of);
	count(t);
	free(t->own_why);
	free(t);
}

enum err tape_name(struct tape *t, struct span provider, struct span model)
{
	buf_clear(&t->names);
	buf_span(&t->names, provider);
	buf_span(&t->names, model);
	if (buf_error(&t->names))
		return buf_error(&t->names);
	t->provider = span_first(buf_view(&t->names), provider.n);
	t->model = span_skip(buf_view(&t->names), provider.n);
	return OK;
}

static void tell(struct tape *t)
{
	struct tape_reader *r;
	LIST_EACH(t->readers, r) {
		r->on_news(r);
	}
}

/* Or takes away what another answer has left for its id. */
static bool is_item(const struct llm_event *e)
{
	return e->type == EV_OPAQUE || e->type == EV_TOOL_START ||
	       (e->type == EV_PART && e->part.type == PART_OPAQUE);
}

enum err tape_put(struct tape *t, enum tape_track track, const struct llm_event *e, size_t most)
{
	const size_t mark = t->bytes.n;
	char entry[ENTRY_BYTES] = {(char)track, (char)event_frame_type(e->type)};
	buf_put(&t->bytes, entry, sizeof entry);
	event_pack(e, &t->bytes);
	enum err err = buf_error(&t->bytes);
	count(t);
	const bool is_narrow = is_crowded(t);
	if (!err && (t->bytes.n > most || (is_narrow && !t->readers)))
		err = ERR_TOO_BIG;
	if (err) {
		t->bytes.err = OK;
		buf_cut(&t->bytes, mark);
		return err;
	}
	const uint32_t length = (uint32_t)(t->bytes.n - mark - ENTRY_BYTES);
	memcpy(t->bytes.p + mark + 2, &length, sizeof length);
	t->is_broken = t->is_broken || is_narrow;
	t->has_items = t->has_items || is_item(e);
	if (!t->is_held)
		tell(t);
	return OK;
}

void tape_hold(struct tape *t)
{
	assert(!t->is_held);
	t->is_held = true;
	t->held_at = t->bytes.n;
}

void tape_show(struct tape *t)
{
	if (!t->is_held)
		return;
	t->is_held = false;
	tell(t);
}

void tape_withdraw(struct tape *t)
{
	if (!t->is_held)
		return;
	struct tape_reader *r;
	buf_cut(&t->bytes, t->held_at);
	LIST_EACH(t->readers, r) {
		if (r->at > t->held_at)
			r->at = t->held_at;
	}
	t->is_held = t->has_content = t->is_forwarded = false;
}

struct span tape_bytes(const struct tape *t)
{
	return span_is_set(t->kept) ? t->kept : buf_view(&t->bytes);
}

size_t tape_held(const struct tape *t)
{
	return t->is_held ? t->bytes.n - t->held_at : 0;
}

void tape_end(struct tape *t, const struct fault *why)
{
	assert(!t->is_over);
	t->is_held = false;
	t->is_over = true;
	if (why->err) {
		t->own_why = malloc(sizeof *t->own_why);
		t->why = t->own_why ? t->own_why : &no_memory;
	}
	if (t->own_why)
		*t->own_why = *why;
	tell(t);
}

/* ---- readers ---- */

static void join(struct tape *t, struct tape_reader *r, size_t at)
{
	r->tape = tape_ref(t);
	r->at = at;
	LIST_PUSH(t->readers, r);
}

void tape_join(struct tape *t, struct tape_reader *r)
{
	join(t, r, 0);
}

void tape_join_end(struct tape *t, struct tape_reader *r)
{
	join(t, r, tape_bytes(t).n);
}

void tape_leave(struct tape_reader *r)
{
	struct tape *t = r->tape;
	if (!t)
		return;
	LIST_REMOVE(t->readers, r);
	r->prev = r->next = NULL;
	r->tape = NULL;
	if (t->on_left)
		t->on_left(t->context);
	tape_unref(t);
}

static size_t shown_end(const struct tape *t)
{
	return t->is_held ? t->held_at : tape_bytes(t).n;
}

static uint32_t length_at(const struct tape *t, size_t at)
{
	uint32_t length;
	assert(at + ENTRY_BYTES <= tape_bytes(t).n);
	memcpy(&length, tape_bytes(t).p + at + 2, sizeof length);
	return length;
}

bool tape_peek(struct tape_reader *r, enum tape_track track, int *frame_type, struct span *body)
{
	const struct tape *t = r->tape;
	while (r->at < shown_end(t)) {
		const char *entry = tape_bytes(t).p + r->at;
		const uint32_t length = length_at(t, r->at);
		if ((unsigned char)entry[0] & track) {
			*frame_type = (unsigned char)entry[1];
			*body = span_of(entry + ENTRY_BYTES, length);
			return true;
		}
		r->at += ENTRY_BYTES + length;
	}
	return false;
}

enum tape_track tape_track_at(const struct tape_reader *r)
{
	return (enum tape_track)(unsigned char)tape_bytes(r->tape).p[r->at];
}

void tape_take(struct tape_reader *r)
{
	struct tape *t = r->tape;
	r->at += ENTRY_BYTES + length_at(t, r->at);
	if (r->at >= FORGET_BYTES && (t->is_broken || (t->is_over && is_crowded(t))))
		forget(t);
}

bool tape_is_read(const struct tape *t, size_t most)
{
	const struct tape_reader *r;
	const bool is_for_all = t->is_broken;
	LIST_EACH(t->readers, r) {
		if ((tape_bytes(t).n - r->at <= most) != is_for_all)
			return !is_for_all;
	}
	return is_for_all || t->readers == NULL;
}

/* ---- as it is kept ---- */

static void put_u64(struct buf *out, uint64_t n)
{
	char bytes[8];
	num_put_le(bytes, n, sizeof bytes);
	buf_put(out, bytes, sizeof bytes);
}

/* The host's own byte order is in the lengths of entries: a cache does not move between hosts. */
void tape_pack(const struct tape *t, struct buf *out)
{
	int64_t usage[USAGE_FIELDS];
	const char head[4] = {VERSION, (char)t->is_forwarded, (char)t->finish, (char)t->has_items};
	memcpy(usage, &t->usage, sizeof usage);
	buf_put(out, head, sizeof head);
	buf_put(out, t->tag, sizeof t->tag);
	put_u64(out, t->owner);
	put_u64(out, t->warnings);
	put_u64(out, t->provider.n);
	put_u64(out, t->model.n);
	for (size_t i = 0; i < USAGE_FIELDS; i++)
		put_u64(out, (uint64_t)usage[i]);
	buf_span(out, t->provider);
	buf_span(out, t->model);
	buf_span(out, tape_bytes(t));
}

static bool is_entries(struct span s)
{
	while (s.n > 0) {
		uint32_t length;
		if (s.n < ENTRY_BYTES)
			return false;
		memcpy(&length, s.p + 2, sizeof length);
		const unsigned char track = (unsigned char)s.p[0];
		if (track == 0 || track > TAPE_BOTH || length > s.n - ENTRY_BYTES)
			return false;
		s = span_skip(s, ENTRY_BYTES + length);
	}
	return true;
}

struct tape *tape_unpack(struct span packed, struct cache_copy *of)
{
	uint64_t numbers[NUMBERS + USAGE_FIELDS];
	if (packed.n < HEAD_BYTES || packed.p[0] != VERSION)
		return NULL;
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		numbers[i] = num_get_le(packed.p + 4 + TAPE_TAG_BYTES + 8 * i, 8);
	struct span rest = span_skip(packed, HEAD_BYTES);
	const unsigned char finish = (unsigned char)packed.p[2];
	if (finish > FINISH_OTHER || numbers[2] > rest.n || numbers[3] > rest.n - numbers[2])
		return NULL;
	const struct span provider = span_first(rest, (size_t)numbers[2]);
	rest = span_skip(rest, provider.n);
	const struct span model = span_first(rest, (size_t)numbers[3]);
	rest = span_skip(rest, model.n);
	struct tape *t = is_entries(rest) ? tape_new() : NULL;
	if (!t)
		return NULL;
	t->is_forwarded = packed.p[1] != 0;
	t->has_items = packed.p[3] != 0;
	t->finish = (enum finish)finish;
	memcpy(t->tag, packed.p + 4, sizeof t->tag);
	t->owner = numbers[0];
	t->warnings = (uint32_t)numbers[1];
	memcpy(&t->usage, numbers + NUMBERS, sizeof t->usage);
	t->kept = rest;
	t->of = of ? cache_copy_hold(of) : NULL;
	t->provider = provider;
	t->model = model;
	t->has_content = t->is_over = true;
	return t;
}
