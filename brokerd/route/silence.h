/* silence.h - how long must nothing come from there, for it to mean something?
 * Longer than a model that is well has ever left anybody waiting of late; and as long as that is not known, longer than
 * most do. Only what came counts: how long somebody waited in vain says nothing of what is usual. Pure arithmetic: no clock,
 * no allocation, no I/O. Embed it by value, zeroed; there is nothing to free. Times are the loop's, 0 or more. */
#ifndef BROKERD_ROUTE_SILENCE_H
#define BROKERD_ROUTE_SILENCE_H
#include <stdint.h>

#define SILENCE_KNOWN 20u /* first contents: where so many came, what is usual is known, */
#define SILENCE_FRESH_US \
	INT64_C(600000000) /* unless the last is older: who is woken may take his time */
#define SILENCE_TIMES    3 /* the longest that one of them took, */
#define SILENCE_LEAST_US INT64_C(2000000) /* and no less than this */

struct silence {
	unsigned n;                      /* of those that came, all there were */
	int64_t last_us;                 /* when the last one did */
	uint32_t took_us[SILENCE_KNOWN]; /* after how long the last ones came: a ring */
};

/* First content came now, after so long. What took over an hour took UINT32_MAX. */
void silence_add(struct silence *s, int64_t took_us, int64_t now_us);

/* From the sending on. `unknown_us`: the least of it, where what is usual is not known. */
int64_t silence_us(const struct silence *s, int64_t unknown_us, int64_t now_us);

#endif
