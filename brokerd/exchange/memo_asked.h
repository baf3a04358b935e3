/* memo_asked.h - was the body of this call read before, and its answer found?
 * Of typed calls alone: what comes in a public API's words is read as JSON each time. */
#ifndef BROKERD_EXCHANGE_MEMO_ASKED_H
#define BROKERD_EXCHANGE_MEMO_ASKED_H
#include "brokerd/exchange/memo.h"

struct organs;

/* Reads its body into the flight's request, or finds it read: its members are others' as well then, and stay as they are. What
 * is wrong with it is in `why`. */
enum err memo_read_request(struct exchange *x, struct fault *why) MUST_USE;
/* The core of its key, where that is known with it, for the request as policy has bounded it. */
bool memo_asked_core(struct exchange *x, struct cache_core *out);
/* Its answer was found: when that was so twice, its body need not be read again. */
void memo_note_found(struct exchange *x);

/* Bodies as they were read and calls as they were told are forgotten, all of them: what is kept has other keys from now on, or
 * nothing of it is to stay. */
void memo_forget_asked(struct organs *o);

#endif
