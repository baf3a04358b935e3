/* ids.c - a hash of each id; where two meet, one is hashed again with a number. */
#include "brokerd/dialect/mistral/ids.h"

#include <stdlib.h>

#define ID_BYTES   9
#define ROUNDS_MAX 64

static bool is_legal(struct span id)
{
	for (size_t i = 0; i < id.n; i++) {
		const char c = id.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
			return false;
	}
	return id.n == ID_BYTES;
}

/* FNV-1a of the id and a number, mixed, in base 62. */
static void make(struct span id, unsigned number, char to[ID_BYTES])
{
	static const char digits[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ number;
	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (unsigned char)id.p[i]) * UINT64_C(0x100000001b3);
	h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
	h ^= h >> 31;
	for (int i = 0; i < ID_BYTES; i++, h /= 62)
		to[i] = digits[h % 62];
}

static int compare(struct span a, struct span b)
{
	const int by_bytes = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return by_bytes ? by_bytes : (a.n > b.n) - (a.n < b.n);
}

static int by_ours(const void *a, const void *b)
{
	return compare(((const struct rename *)a)->ours, ((const struct rename *)b)->ours);
}

/* Among equals, first the one that keeps its id, then by what they were. */
static int by_theirs(const void *a, const void *b)
{
	const struct rename *x = *(struct rename *const *)a, *y = *(struct rename *const *)b;
	const int by = compare(x->theirs, y->theirs);
	if (by)
		return by;
	const bool is_x_kept = span_eq(x->ours, x->theirs), is_y_kept = span_eq(y->ours, y->theirs);
	return is_x_kept != is_y_kept ? (is_x_kept ? -1 : 1) : compare(x->ours, y->ours);
}

static size_t collect(const struct history *h, struct rename *rows)
{
	size_t n = 0;
	for (size_t i = 0; i < h->n; i++) {
		const struct turn *t = &h->turns[i];
		if (!t->m || t->m->role == ROLE_TOOL)
			rows[n++].ours = t->id;
		for (size_t k = 0, c = 0; t->call_ids && k < t->m->n_parts; k++) {
			if (t->m->parts[k].type == PART_TOOL_CALL)
				rows[n++].ours = t->call_ids[c++];
		}
	}
	return n;
}

static size_t room_for(const struct history *h)
{
	size_t n = 0;
	for (size_t i = 0; i < h->n; i++)
		n += 1 + (h->turns[i].call_ids ? h->turns[i].m->n_parts : 0);
	return n;
}

/* Hashes again what met another. False: nothing did. */
static bool part(struct rename **sorted, size_t n, unsigned round)
{
	bool has_met = false;
	qsort(sorted, n, sizeof *sorted, by_theirs);
	for (size_t i = 1; i < n; i++) {
		if (!span_eq(sorted[i]->theirs, sorted[i - 1]->theirs))
			continue;
		make(sorted[i]->ours, round, (char *)(uintptr_t)sorted[i]->theirs.p);
		has_met = true;
	}
	return has_met;
}

enum err mistral_ids_plan(const struct history *h, struct notes *notes, struct mistral_ids *out)
{
	const size_t room = room_for(h);
	struct rename *rows = arena_array(notes->arena, room, sizeof *rows);
	struct rename **sorted = arena_array(notes->arena, room, sizeof *sorted);
	char *made = arena_alloc(notes->arena, room * ID_BYTES + 1);
	enum err err = OK;
	if (!rows || !sorted || !made)
		return ERR_NO_MEMORY;
	const size_t all = collect(h, rows);
	*out = (struct mistral_ids){.rows = rows};
	qsort(rows, all, sizeof *rows, by_ours);
	for (size_t i = 0; i < all; i++) {
		if (out->n == 0 || !span_eq(rows[out->n - 1].ours, rows[i].ours))
			rows[out->n++].ours = rows[i].ours;
	}
	for (size_t i = 0; i < out->n; i++) {
		sorted[i] = &rows[i];
		rows[i].theirs = rows[i].ours;
		if (is_legal(rows[i].ours))
			continue;
		make(rows[i].ours, 0, made + i * ID_BYTES);
		rows[i].theirs = span_of(made + i * ID_BYTES, ID_BYTES);
	}
	for (unsigned round = 1; round < ROUNDS_MAX && part(sorted, out->n, round); round++)
		;
	for (size_t i = 0; !err && i < out->n; i++) {
		if (!span_eq(rows[i].ours, rows[i].theirs))
			err = notes_rename_id(notes, rows[i].ours, rows[i].theirs);
	}
	return err;
}

struct span mistral_id(const struct mistral_ids *ids, struct span ours)
{
	const struct rename wanted = {.ours = ours};
	const struct rename *found =
		ids->n > 0 ? bsearch(&wanted, ids->rows, ids->n, sizeof *ids->rows, by_ours) : NULL;
	return found ? found->theirs : SPAN_NONE;
}
