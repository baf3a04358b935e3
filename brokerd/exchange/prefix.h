/* prefix.h - who holds the beginning of this request's prompt, and who will?
 * Between an exchange and holders.h. Looked for only where there is a choice, and by no rule that forbids it. */
#ifndef BROKERD_EXCHANGE_PREFIX_H
#define BROKERD_EXCHANGE_PREFIX_H
#include "brokerd/exchange/steps.h"
#include "brokerd/route/choose.h"

/* Says so in the views of the route's targets. */
void prefix_look(struct exchange *x, struct choose_view *views);

/* Does the target in hand? Looked for before. */
bool prefix_is_held(const struct exchange *x);
/* Those who ask later learn that the first one of the route is asked for that. */
void prefix_tell(struct exchange *x);

/* It is over: whoever answered has it now, where its usage says that it was kept, or all that is long enough is there. */
void prefix_note(struct exchange *x);

#endif
