/* num.h - what number does this text mean, and does the sum still fit?
 * Pure functions. Money is nano-dollars (1e-9 USD), time microseconds, both int64_t. */
#ifndef PROTOCOL_BASE_NUM_H
#define PROTOCOL_BASE_NUM_H
#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "protocol/base/err.h"

/* False where the result does not fit; *out is then left alone. */
bool num_add(int64_t a, int64_t b, int64_t *out) MUST_USE;
bool num_mul(int64_t a, int64_t b, int64_t *out) MUST_USE;

/* a + b, a * b, held at the ends of the range instead of wrapping. */
int64_t num_add_sat(int64_t a, int64_t b);
int64_t num_mul_sat(int64_t a, int64_t b);

/* a * b / c rounded half up, computed wide; a, b >= 0, c > 0; INT64_MAX where it does not fit. */
int64_t num_mul_div(int64_t a, int64_t b, int64_t c);

/* Decimal digits with an optional sign, all of the text, nothing else. */
bool num_i64(struct span text, int64_t *out) MUST_USE;

/* "250ms", "30s", "5m", "2h", "7d", "30 s": microseconds, 0 or more. A unit is needed. */
bool num_duration_us(struct span text, int64_t *out) MUST_USE;

/* "4096", "64 KiB", "2MiB", "1 GiB", "10 MB" (decimal): bytes. */
bool num_size_bytes(struct span text, int64_t *out) MUST_USE;

/* "5", "5.00", "5.00 USD", "$5": nano-dollars; at most nine digits behind the point. */
bool num_money_nusd(struct span text, int64_t *out) MUST_USE;

/* A decimal number as JSON writes one ("2.5e-07"), 0 or more, times ten to the `places`, half up. Digits
 * beyond the eighteenth are not kept. */
bool num_scaled(struct span number, int places, int64_t *out) MUST_USE;

/* "yes" "no" "on" "off" "true" "false" "1" "0", without case. */
bool num_bool(struct span text, bool *out) MUST_USE;

/* The lowest `n` bytes of a number, 8 at most, the lowest first: how numbers stand in files. */
static inline void num_put_le(void *to, uint64_t v, size_t n)
{
	const uint64_t low = htole64(v);
	if (n == sizeof low) {
		memcpy(to, &low, sizeof low);
		return;
	}
	for (size_t i = 0; i < n; i++)
		((unsigned char *)to)[i] = (unsigned char)(v >> (8 * i));
}

static inline uint64_t num_get_le(const void *from, size_t n)
{
	uint64_t v = 0;
	if (n == sizeof v) {
		memcpy(&v, from, sizeof v);
		return le64toh(v);
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)((const unsigned char *)from)[i] << (8 * i);
	return v;
}

#endif
