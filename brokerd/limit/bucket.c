/* bucket.c - a unit is per_us parts, so that what grows back is one product and nothing is rounded away. */
#include "brokerd/limit/bucket.h"

#include <assert.h>
#include <stdlib.h>

static bucket_parts parts_of(const struct bucket *b, int64_t n)
{
	assert(n >= 0);
	return (bucket_parts)(n < BUCKET_UNITS_MAX ? n : BUCKET_UNITS_MAX) *
	       (bucket_parts)b->per_us;
}

void bucket_init(struct bucket *b, int64_t amount, int64_t per_us)
{
	assert(amount >= 0 && amount <= BUCKET_UNITS_MAX && (amount == 0 || per_us > 0));
	*b = (struct bucket){.amount = amount, .per_us = per_us};
}

void bucket_done(struct bucket *b)
{
	free(b->pieces);
	b->pieces = NULL;
	b->n = b->size = 0;
}

/* What is used at a moment that is not before at_us. */
static bucket_parts used_at(const struct bucket *b, int64_t now_us)
{
	if (b->used == 0 || now_us <= b->at_us)
		return b->used;
	const bucket_parts back =
		(bucket_parts)((uint64_t)now_us - (uint64_t)b->at_us) * (bucket_parts)b->amount;
	return back < b->used ? b->used - back : 0;
}

/* Takes parts away from the piece `i` and those before it; what they do not have is lost. */
static void eat(struct bucket *b, size_t i, bucket_parts parts)
{
	for (; parts > 0 && i > 0; i--) {
		struct bucket_piece *p = &b->pieces[i - 1];
		const bucket_parts bite = p->parts < parts ? p->parts : parts;
		p->parts -= bite;
		b->used -= bite;
		parts -= bite;
	}
	while (b->n > 0 && b->pieces[b->n - 1].parts == 0)
		b->n--;
}

static void advance(struct bucket *b, int64_t now_us)
{
	const bucket_parts left = used_at(b, now_us);
	eat(b, b->n, b->used - left);
	if (now_us > b->at_us)
		b->at_us = now_us;
}

/* Each two neighbours become one, of the later's rank: so an earlier one's can never give away a later one's. */
static void put_together(struct bucket *b)
{
	unsigned n = 0;
	for (unsigned i = 0; i < b->n; i += 2) {
		struct bucket_piece p = b->pieces[i];
		if (i + 1 < b->n) {
			p.rank = b->pieces[i + 1].rank;
			p.parts += b->pieces[i + 1].parts;
		}
		b->pieces[n++] = p;
	}
	b->n = n;
}

static void push(struct bucket *b, bucket_parts parts, uint64_t rank)
{
	if (b->n == b->size && b->size == BUCKET_PIECES)
		put_together(b);
	if (b->n == b->size) {
		b->size = b->size > 0 ? b->size * 2 : 4;
		b->pieces = reallocarray(b->pieces, b->size, sizeof *b->pieces);
		if (!b->pieces)
			abort();
	}
	b->pieces[b->n++] = (struct bucket_piece){rank, parts};
	b->used += parts;
}

/* How many pieces a turn's giving back reaches. */
static size_t up_to(const struct bucket *b, uint64_t turn)
{
	size_t low = 0, high = b->n;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (b->pieces[middle].rank <= turn * 2)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool bucket_is_full(const struct bucket *b, int64_t now_us)
{
	return used_at(b, now_us) == 0;
}

int64_t bucket_ready_us(const struct bucket *b, int64_t n, int64_t now_us)
{
	if (n == 0 || b->used == 0)
		return now_us;
	const bucket_parts used = used_at(b, now_us);
	const bucket_parts most = n < b->amount ? parts_of(b, b->amount - n) : 0;
	if (used <= most)
		return now_us;
	const bucket_parts amount = (bucket_parts)b->amount;
	const bucket_parts wait_us = (used - most + amount - 1) / amount;
	return wait_us < (bucket_parts)(INT64_MAX / 2 - now_us) ? now_us + (int64_t)wait_us
								: INT64_MAX / 2;
}

void bucket_take(struct bucket *b, int64_t n, uint64_t turn, int64_t now_us)
{
	assert(turn >= b->turn);
	b->turn = turn;
	if (b->amount == 0 || n == 0)
		return;
	advance(b, now_us);
	push(b, parts_of(b, n), turn * 2);
}

void bucket_give(struct bucket *b, int64_t n, uint64_t turn, int64_t now_us)
{
	if (b->amount == 0 || n == 0)
		return;
	advance(b, now_us);
	eat(b, up_to(b, turn), parts_of(b, n));
}

void bucket_owe(struct bucket *b, int64_t n, int64_t now_us)
{
	if (b->amount == 0 || n == 0)
		return;
	advance(b, now_us);
	const bucket_parts most = parts_of(b, b->amount) * BUCKET_DEBT;
	bucket_parts parts = parts_of(b, n);
	if (b->used >= most)
		return;
	if (parts > most - b->used)
		parts = most - b->used;
	push(b, parts, b->turn * 2 + 1);
}

int64_t bucket_used(const struct bucket *b, int64_t now_us)
{
	if (b->amount == 0)
		return 0;
	const bucket_parts per = (bucket_parts)b->per_us;
	return (int64_t)((used_at(b, now_us) + per - 1) / per);
}

/* As many units of another size, rounded up. */
static bucket_parts resized(bucket_parts parts, int64_t from_us, int64_t to_us)
{
	const bucket_parts from = (bucket_parts)from_us, to = (bucket_parts)to_us;
	return parts / from * to + (parts % from * to + from - 1) / from;
}

void bucket_set(struct bucket *b, int64_t amount, int64_t per_us, int64_t used, int64_t now_us)
{
	const uint64_t turn = b->turn;
	bucket_done(b);
	bucket_init(b, amount, per_us);
	bucket_take(b, used, 0, now_us);
	b->turn = turn;
}

void bucket_change(struct bucket *b, int64_t amount, int64_t per_us, int64_t now_us)
{
	const int64_t before_us = b->per_us;
	if (b->amount == amount && (amount == 0 || before_us == per_us))
		return;
	if (b->amount == 0 || amount == 0) {
		bucket_set(b, amount, per_us, 0, now_us);
		return;
	}
	advance(b, now_us);
	b->amount = amount;
	b->per_us = per_us;
	b->used = 0;
	for (unsigned i = 0; i < b->n; i++) {
		b->pieces[i].parts = resized(b->pieces[i].parts, before_us, per_us);
		b->used += b->pieces[i].parts;
	}
}
