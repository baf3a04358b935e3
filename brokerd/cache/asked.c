/* asked.c - a table of one place for each hash, in which what came twice takes the place of what was there. */
#include "brokerd/cache/asked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "brokerd/value/crc32c.h"
#include "protocol/base/table.h"
#include "protocol/limits.h"

#define LONGEST_BYTES (256 * KIB) /* of a body */

#define ENDS_BYTES (8 * KIB) /* of which so much is hashed, at either end: all of it is compared */

/* Sums are no secret, but under the key of the table's hash nobody can aim at another's place. */
static uint64_t hash_of(const struct asked_of *of)
{
	const struct span first = span_first(of->body, ENDS_BYTES);
	const struct span rest = span_skip(of->body, first.n);
	const struct span last = span_skip(rest, rest.n - span_first(rest, ENDS_BYTES).n);
	const uint64_t parts[] = {table_hash(of->who.p, of->who.n),
		crc32c(0, of->name_space.p, of->name_space.n), (uint64_t)of->op, of->body.n,
		crc32c(crc32c(0, first.p, first.n), last.p, last.n)};
	return table_hash(parts, sizeof parts);
}

static bool is_same(const struct asked_body *one, uint64_t hash, const struct asked_of *of)
{
	return one->hash == hash && one->op == of->op && span_eq(one->who, of->who) &&
	       span_eq(one->name_space, of->name_space) && span_eq(one->body, of->body);
}

struct asked_body *asked_find(const struct askeds *a, const struct asked_of *of)
{
	if (a->n == 0 || of->body.n == 0 || of->body.n > LONGEST_BYTES)
		return NULL;
	const uint64_t hash = hash_of(of);
	struct asked_body *one = a->slots[hash % ASKED_SLOTS];
	if (!one || !is_same(one, hash, of))
		return NULL;
	one->users++;
	return one;
}

void asked_unref(struct asked_body *one)
{
	if (!one || --one->users > 0)
		return;
	arena_done(&one->arena);
	free(one);
}

static void drop(struct askeds *a, size_t slot)
{
	struct asked_body *one = a->slots[slot];
	if (!one)
		return;
	a->slots[slot] = NULL;
	a->n--;
	a->bytes -= one->bytes;
	asked_unref(one);
}

/* NULL: there is no memory for it, or it would take too much. */
static struct asked_body *read_again(const struct asked_of *of, uint64_t hash, size_t most)
{
	struct asked_body *one = calloc(1, sizeof *one);
	if (!one)
		return NULL;
	one->users = 1;
	one->op = of->op;
	one->hash = hash;
	arena_init(&one->arena, most);
	if (arena_dup(&one->arena, of->who, &one->who) == OK &&
		arena_dup(&one->arena, of->name_space, &one->name_space) == OK &&
		arena_dup(&one->arena, of->body, &one->body) == OK &&
		request_unpack_op(of->op, one->body, &one->arena, &one->request, NULL) == OK) {
		one->bytes = sizeof *one + one->arena.total;
		return one;
	}
	asked_unref(one);
	return NULL;
}

void asked_keep(struct askeds *a, const struct asked_of *of, struct opt_i64 max_tokens,
	const struct cache_core *core)
{
	const size_t most = a->most / 4; /* of one */
	if (of->body.n == 0 || of->body.n > LONGEST_BYTES || of->body.n > most ||
		of->read_bytes > most)
		return;
	const uint64_t hash = hash_of(of);
	const size_t slot = hash % ASKED_SLOTS;
	if (a->next[slot] != hash) {
		a->next[slot] = hash;
		return;
	}
	struct asked_body *one = read_again(of, hash, most);
	if (!one)
		return;
	drop(a, slot);
	one->max_tokens = max_tokens;
	one->core = *core;
	while (a->n > 0 && a->bytes + one->bytes > a->most)
		drop(a, a->hand++ % ASKED_SLOTS);
	a->slots[slot] = one;
	a->n++;
	a->bytes += one->bytes;
}

void askeds_clear(struct askeds *a)
{
	for (size_t slot = 0; slot < ASKED_SLOTS; slot++) {
		drop(a, slot);
		a->next[slot] = 0;
	}
	a->generation++;
	assert(a->n == 0 && a->bytes == 0);
}
