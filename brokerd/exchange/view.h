/* view.h - what is a call that is open doing just now?
 * Plain values for who looks at all of them at once; nothing of what was asked or answered. No I/O. */
#ifndef BROKERD_EXCHANGE_VIEW_H
#define BROKERD_EXCHANGE_VIEW_H
#include "brokerd/exchange/exchange.h"

/* Texts live as long as the exchange stays in its state. */
struct exchange_view {
	const struct peer_id *peer;
	const char *id, *app, *op;
	const char *state;                  /* a word of exchange.c's table */
	struct span surface, model;         /* absent: ours; not known yet */
	struct span provider, target_model; /* of the target in hand; absent: there is none yet */
	bool is_stream;
	bool is_waiting; /* for a limit */
	uint32_t attempts;
	int64_t begun_wall_us, age_us;
	int64_t ttft_us;       /* -1: nothing has come yet */
	int64_t output_tokens; /* that its provider has counted so far; -1: not known */
	int64_t text_bytes;    /* of the answer so far; none of one that is another's */
};

void exchange_look(const struct exchange *x, struct exchange_view *out);

/* The one that began first of those that are open, and the next; NULL: no more. */
const struct exchange *exchange_oldest(const struct organs *o);
const struct exchange *exchange_younger(const struct exchange *x);

#endif
