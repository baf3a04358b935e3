/* buf.h - where do bytes gather whose number is not known beforehand?
 * A growing byte buffer with a ceiling. The first failure sticks: appends after it do nothing, and
 * buf_error says why, so that a writer checks once, at its end. No I/O. */
#ifndef PROTOCOL_BASE_BUF_H
#define PROTOCOL_BASE_BUF_H
#include <stdint.h>

#include "protocol/base/err.h"
#include "protocol/base/span.h"

struct buf {
	char *p;
	size_t n;   /* bytes held */
	size_t cap; /* bytes allocated */
	size_t max; /* the ceiling on n */
	enum err err;
};

/* An empty one; nothing is allocated until the first append. `ceiling` comes from limits.h. */
#define BUF_INIT(ceiling) ((struct buf){.p = NULL, .n = 0, .cap = 0, .max = (ceiling), .err = OK})

void buf_init(struct buf *b, size_t ceiling);
void buf_done(struct buf *b); /* frees; the struct is empty and usable again */

/* OK, ERR_TOO_BIG (the ceiling) or ERR_NO_MEMORY; what was appended before stays. */
enum err buf_error(const struct buf *b) MUST_USE;

void buf_print(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_i64(struct buf *b, int64_t v); /* in decimal */

/* Room for `n` more bytes at the returned address, to be counted by buf_commit; NULL on failure. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n); /* at most what was reserved */

/* Where there is room already, which is mostly so, nothing is called. */
static inline void buf_put(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	char *to = n <= b->cap - b->n && !b->err ? b->p + b->n : buf_reserve(b, n);
	if (!to)
		return;
	memcpy(to, bytes, n);
	b->n += n;
}

static inline void buf_span(struct buf *b, struct span s)
{
	buf_put(b, s.p, s.n);
}

static inline void buf_text(struct buf *b, const char *text) /* a C string */
{
	buf_put(b, text, strlen(text));
}

static inline void buf_byte(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

/* Drops the first `n` bytes. Moves the rest: drop in large steps. */
void buf_drop(struct buf *b, size_t n);
void buf_cut(struct buf *b, size_t n); /* keeps the first `n` bytes */
void buf_clear(struct buf *b);         /* empties it, keeps the memory, forgets the failure */

/* Moves all that `from` holds behind what `to` has, without copying it where `to` is empty. What failed
 * in `from` fails in `to`; `from` is empty afterwards. */
void buf_move(struct buf *to, struct buf *from);

/* A view; valid until the next append, drop or done. Never absent. */
struct span buf_view(const struct buf *b);

/* Overwrites the bytes held and beyond with zeroes before freeing: for secrets on their way. What
 * growing left behind is out of its reach: buf_reserve the whole before the secret goes in. */
void buf_wipe(struct buf *b);

#endif
