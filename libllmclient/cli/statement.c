/* statement.c - an array of rows, and a hash of where each is. */
#include "libllmclient/cli/statement.h"

#include <stdlib.h>

#include "protocol/base/num.h"
#include "protocol/base/owned.h"
#include "protocol/base/utf8.h"

#define NAMES_BYTES ((size_t)64 * 1024 * 1024)
#define NAME_BYTES  ((size_t)512) /* what is longer is no name, and is cut */

const struct spend spend_none = {
	.tokens = {-1, -1, -1, -1},
          .requests = -1
};

static void add_known(int64_t *to, int64_t more)
{
	if (more >= 0)
		*to = *to < 0 ? more : num_add_sat(*to, more);
}

void spend_add(struct spend *to, const struct spend *more)
{
	to->nusd = num_add_sat(to->nusd, more->nusd);
	to->has_cost |= more->has_cost;
	for (size_t i = 0; i < SPEND_CLASSES; i++) {
		to->class_nusd[i] = num_add_sat(to->class_nusd[i], more->class_nusd[i]);
		add_known(&to->tokens[i], more->tokens[i]);
	}
	add_known(&to->requests, more->requests);
	to->unpriced = num_add_sat(to->unpriced, more->unpriced);
	to->unknown = num_add_sat(to->unknown, more->unknown);
}

int64_t spend_tokens(const struct spend *s)
{
	int64_t sum = -1;
	for (size_t i = 0; i < SPEND_CLASSES; i++)
		add_known(&sum, s->tokens[i]);
	return sum;
}

void statement_init(struct statement *s)
{
	*s = (struct statement){.n = 0};
	arena_init(&s->arena, NAMES_BYTES);
}

void statement_done(struct statement *s)
{
	free(s->rows);
	free(s->slots);
	arena_done(&s->arena);
	*s = (struct statement){.n = 0};
}

/* FNV-1a: whoever has the file chose its names, and only waits for himself. */
static uint32_t mix(uint32_t h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT32_C(16777619);
	return (h ^ 0xff) * UINT32_C(16777619);
}

static uint32_t hash_of(const struct spend *r)
{
	uint32_t h = mix(UINT32_C(2166136261), &r->day, sizeof r->day);
	h = mix(h, r->model.p, r->model.n);
	return mix(h, r->key.p, r->key.n);
}

static bool is_same(const struct spend *a, const struct spend *b)
{
	return a->day == b->day && span_eq(a->model, b->model) && span_eq(a->key, b->key);
}

/* The slot of that row, or the free one where it goes. */
static size_t slot_of(const struct statement *s, const struct spend *row)
{
	size_t i = hash_of(row) & (s->n_slots - 1);
	while (s->slots[i] != 0 && !is_same(&s->rows[s->slots[i] - 1], row))
		i = (i + 1) & (s->n_slots - 1);
	return i;
}

/* Room for one more row, the hash at most half full. */
static enum err make_room(struct statement *s)
{
	if (s->n < s->size)
		return OK;
	const size_t size = s->size > 0 ? s->size * 2 : 256;
	struct spend *rows = realloc(s->rows, size * sizeof *rows);
	if (!rows)
		return ERR_NO_MEMORY;
	s->rows = rows;
	uint32_t *slots = calloc(size * 2, sizeof *slots);
	if (!slots)
		return ERR_NO_MEMORY;
	free(s->slots);
	s->slots = slots;
	s->n_slots = size * 2;
	s->size = size;
	for (size_t i = 0; i < s->n; i++)
		s->slots[slot_of(s, &s->rows[i])] = (uint32_t)i + 1;
	return OK;
}

/* A name as it can be shown: cut where it is no name any more. */
static enum err clean(struct span name, struct buf *out)
{
	struct utf8_repair repair = {0};
	if (!span_is_set(name))
		return OK;
	utf8_repair(&repair, span_first(span_trim(name), NAME_BYTES), out);
	utf8_repair_end(&repair, out);
	for (size_t i = 0; i < out->n; i++) {
		if ((unsigned char)out->p[i] < 0x20 || out->p[i] == 0x7f)
			out->p[i] = ' ';
	}
	return buf_error(out);
}

enum err statement_add(struct statement *s, const struct spend *row, struct fault *why)
{
	OWNED(buf_done) struct buf model = BUF_INIT(4 * NAME_BYTES), key = BUF_INIT(4 * NAME_BYTES);
	struct spend r = *row;
	enum err err = clean(row->model, &model);
	if (!err)
		err = clean(row->key, &key);
	if (!err)
		err = make_room(s);
	if (err)
		return fault_set(why, ERR_NO_MEMORY, "out of memory");
	r.model = buf_view(&model);
	r.key = span_is_set(row->key) ? buf_view(&key) : SPAN_NONE;
	const size_t at = slot_of(s, &r);
	if (s->slots[at] != 0) {
		spend_add(&s->rows[s->slots[at] - 1], &r);
		return OK;
	}
	if (s->n == STATEMENT_ROWS_MAX)
		return fault_set(why, ERR_TOO_BIG,
			"there are more than %zu different days, models and keys: give a shorter "
			"time by --since and --until",
			STATEMENT_ROWS_MAX);
	if (arena_dup(&s->arena, r.model, &r.model) || arena_dup(&s->arena, r.key, &r.key))
		return fault_set(why, ERR_NO_MEMORY, "the names take too much memory");
	s->rows[s->n++] = r;
	s->slots[at] = (uint32_t)s->n;
	return OK;
}
