/* recall_ink.h - is this what was said, and where in it?
 * The bytes of a turn that can be seen, counted and summed up. Blanks are none: callers trim texts, and
 * join and part them. A medium is one byte that no text has. Pure arithmetic. */
#ifndef BROKERD_EXCHANGE_RECALL_INK_H
#define BROKERD_EXCHANGE_RECALL_INK_H
#include "protocol/request.h"

struct ink {
	int64_t n;
	int64_t sum; /* the same in every process, for it is kept; 0 or more */
};
#define INK_NONE ((struct ink){0, 0})

void ink_text(struct ink *ink, struct span text);
void ink_part(struct ink *ink, const struct part *p); /* its text, or its medium */
bool ink_eq(struct ink a, struct ink b);

/* How much of a text has its first `n` bytes of ink, and the blanks behind them; never a part of a
 * character where the text is UTF-8. */
size_t ink_end(struct span text, int64_t n);

#endif
