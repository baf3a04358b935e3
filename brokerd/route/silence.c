/* silence.c - the longest of a few: they are looked through where somebody was left waiting, and nowhere else. */
#include "brokerd/route/silence.h"

#include <stdbool.h>

#include "protocol/base/num.h"

void silence_add(struct silence *s, int64_t took_us, int64_t now_us)
{
	s->took_us[s->n % SILENCE_KNOWN] = took_us < 0            ? 0
					   : took_us > UINT32_MAX ? UINT32_MAX
								  : (uint32_t)took_us;
	/* beyond two rounds the number says no more than that the ring is full */
	s->n = s->n + 1 < 2 * SILENCE_KNOWN ? s->n + 1 : SILENCE_KNOWN;
	s->last_us = now_us;
}

int64_t silence_us(const struct silence *s, int64_t unknown_us, int64_t now_us)
{
	const bool is_known =
		s->n >= SILENCE_KNOWN && num_add_sat(s->last_us, SILENCE_FRESH_US) >= now_us;
	const int64_t least_us = is_known ? SILENCE_LEAST_US : unknown_us;
	int64_t longest_us = 0;
	for (unsigned i = 0; i < s->n && i < SILENCE_KNOWN; i++)
		longest_us = s->took_us[i] > longest_us ? s->took_us[i] : longest_us;
	return longest_us > least_us / SILENCE_TIMES ? SILENCE_TIMES * longest_us : least_us;
}
