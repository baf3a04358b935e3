/* bytes.h - how do numbers lie in the vault's bytes? Little endian, read and written one by one.
 * A reader or writer that runs out says so once, at its end. */
#ifndef BROKERD_VAULT_BYTES_H
#define BROKERD_VAULT_BYTES_H
#include <stdint.h>

#include "protocol/base/span.h"

struct reader {
	struct span rest;
	bool is_short; /* more was asked than there was; all that is read after it is zero or absent */
};

static inline struct span read_span(struct reader *r, uint64_t n)
{
	if (r->is_short || n > r->rest.n) {
		r->is_short = true;
		return SPAN_NONE;
	}
	const struct span s = span_first(r->rest, (size_t)n);
	r->rest = span_skip(r->rest, (size_t)n);
	return s;
}

/* `n` bytes, at most 8. */
static inline uint64_t read_number(struct reader *r, size_t n)
{
	const struct span s = read_span(r, n);
	uint64_t v = 0;
	for (size_t i = 0; i < s.n; i++)
		v |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
	return v;
}

static inline void read_bytes(struct reader *r, unsigned char *to, size_t n)
{
	const struct span s = read_span(r, n);
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	else
		memset(to, 0, n);
}

struct writer {
	unsigned char *p;
	size_t n, max;
	bool is_full; /* something did not fit; nothing was written from then on */
};

static inline void write_bytes(struct writer *w, const void *bytes, size_t n)
{
	if (w->is_full || n > w->max - w->n) {
		w->is_full = true;
		return;
	}
	if (n > 0)
		memcpy(w->p + w->n, bytes, n);
	w->n += n;
}

/* The low `n` bytes of `v`. */
static inline void write_number(struct writer *w, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned char byte = (unsigned char)(v >> (8 * i));
		write_bytes(w, &byte, 1);
	}
}

#endif
