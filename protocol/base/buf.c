/* buf.c - grows by doubling, never beyond the ceiling. */
#include "protocol/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "protocol/base/mem.h"

#define FIRST_BYTES 256

void buf_init(struct buf *b, size_t ceiling)
{
	*b = BUF_INIT(ceiling);
}

void buf_done(struct buf *b)
{
	mem_free(b->p);
	*b = BUF_INIT(b->max);
}

enum err buf_error(const struct buf *b)
{
	return b->err;
}

/* Makes room for `n` more bytes. False: that failed, and sticks. */
static bool grow(struct buf *b, size_t n)
{
	if (n > b->max - b->n) {
		b->err = ERR_TOO_BIG;
		return false;
	}
	/* who asks for much at first knows how much it will be */
	size_t cap = b->cap ? b->cap : n > FIRST_BYTES ? n : FIRST_BYTES;
	while (cap < b->n + n)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max)
		cap = b->max;
	char *grown = mem_resize(b->p, cap);
	if (!grown) {
		b->err = ERR_NO_MEMORY;
		return false;
	}
	b->p = grown;
	b->cap = cap;
	return true;
}

char *buf_reserve(struct buf *b, size_t n)
{
	if (b->err || ((n > b->cap - b->n || !b->p) && !grow(b, n)))
		return NULL;
	return b->p + b->n;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->n);
	b->n += n;
}

void buf_print(struct buf *b, const char *format, ...)
{
	/* vsnprintf insists on a NUL, for which there may be no room under the ceiling */
	char brief[256], *text = brief;
	va_list args;
	if (b->err)
		return;
	va_start(args, format);
	const int n = vsnprintf(brief, sizeof brief, format, args);
	va_end(args);
	if (n >= (int)sizeof brief) {
		text = mem_resize(NULL, (size_t)n + 1);
		if (text) {
			va_start(args, format);
			vsnprintf(text, (size_t)n + 1, format, args);
			va_end(args);
		}
	}
	if (n < 0 || !text) {
		b->err = ERR_NO_MEMORY;
		return;
	}
	buf_put(b, text, (size_t)n);
	if (text != brief)
		mem_free(text);
}

void buf_i64(struct buf *b, int64_t v)
{
	char digits[24];
	size_t at = sizeof digits;
	uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (v < 0)
		digits[--at] = '-';
	buf_put(b, digits + at, sizeof digits - at);
}

void buf_drop(struct buf *b, size_t n)
{
	assert(n <= b->n);
	if (n == 0)
		return;
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
}

void buf_cut(struct buf *b, size_t n)
{
	assert(n <= b->n);
	b->n = n;
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->err = OK;
}

void buf_move(struct buf *to, struct buf *from)
{
	if (!to->err)
		to->err = from->err;
	if (to->n == 0 && !to->err && from->n <= to->max) {
		mem_free(to->p);
		to->p = from->p;
		to->n = from->n;
		to->cap = from->cap < to->max ? from->cap : to->max;
		from->p = NULL;
	} else {
		buf_put(to, from->p, from->n);
	}
	buf_done(from);
}

struct span buf_view(const struct buf *b)
{
	return (struct span){b->p ? b->p : "", b->n};
}

void buf_wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_done(b);
}
