/* bucket.h - may this much be had now, and if not, when?
 * A rate whose whole amount may be had at once and grows back evenly. What a take did not use is given back as if it
 * had never been taken: what has grown back in the meantime is not given a second time, which would let through
 * more than the rate. No clock, no I/O. */
#ifndef BROKERD_LIMIT_BUCKET_H
#define BROKERD_LIMIT_BUCKET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKET_UNITS_MAX INT64_C(1000000000000) /* that a take has; more is as much */
#define BUCKET_DEBT      10 /* times its amount: what the truth can put on it besides, at the most */
#define BUCKET_PIECES    64 /* of what is not back: of more takes, neighbours are put together */

/* A unit in parts: so many that in a microsecond `amount` of them grow back. */
__extension__ typedef unsigned __int128 bucket_parts;

struct bucket {
	int64_t amount; /* 1 to BUCKET_UNITS_MAX; 0: there is no such limit, and all may be had */
	int64_t per_us; /* in which all of it grows back; the parts of a unit */
	int64_t at_us;  /* as of when `used` is */
	bucket_parts used;
	uint64_t turn; /* the last that took */
	/* whose it is, by twice the turn: of that take, or of takes up to it that are as one by now; one more than
	 * that: nobody's, and no giving back reaches it. The oldest first; what grows back is the newest's first,
	 * for that is what would be there if the older had not been. */
	struct bucket_piece {
		uint64_t rank;
		bucket_parts parts;
	} * pieces;
	unsigned n, size;
};

void bucket_init(struct bucket *b, int64_t amount, int64_t per_us); /* a full one */
void bucket_done(struct bucket *b);

/* When `n` (0 or more) may be had: `now_us`, at once. More than the whole may be had when all of it is there, and puts
 * it in debt: so a call that is too large for it is not refused for ever. */
int64_t bucket_ready_us(const struct bucket *b, int64_t n, int64_t now_us);

/* Whether it is there or not. Turns only grow; now_us too. */
void bucket_take(struct bucket *b, int64_t n, uint64_t turn, int64_t now_us);
/* Of what `turn` took, what it did not use. */
void bucket_give(struct bucket *b, int64_t n, uint64_t turn, int64_t now_us);
/* What was used besides: a debt of now, with which there are BUCKET_DEBT times the whole used at the most. */
void bucket_owe(struct bucket *b, int64_t n, int64_t now_us);

bool bucket_is_full(const struct bucket *b, int64_t now_us);
/* Units that were had and are not back, rounded up; more than `amount` in debt. */
int64_t bucket_used(const struct bucket *b, int64_t now_us);

/* Another amount and time; as many units are used as before, by the same. */
void bucket_change(struct bucket *b, int64_t amount, int64_t per_us, int64_t now_us);

/* The same, but so much is used, and whoever took before gives back of that. */
void bucket_set(struct bucket *b, int64_t amount, int64_t per_us, int64_t used, int64_t now_us);

#endif
