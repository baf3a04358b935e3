/* pages.h - how far is a list followed that comes in pages?
 * Which page is in hand, and whether another is asked for after it. A provider that always has one more,
 * or has the same one again, is left at some time. Pure. */
#ifndef BROKERD_EXCHANGE_PAGES_H
#define BROKERD_EXCHANGE_PAGES_H
#include "protocol/base/arena.h"

#define PAGES_MAX 20

/* A zeroed struct stands at the beginning of a list. */
struct pages {
	struct span at;           /* where the page in hand begins; absent: it is the first */
	unsigned n;               /* that came */
	bool has_more;            /* the page in hand is one that has not come */
	bool is_cut;              /* the list goes on, and is not followed */
	struct span first;        /* entry of the list; absent: there is none yet */
	bool has_begun, is_again; /* the page in hand: has an entry; is the first one once more */
};

/* An entry of the page in hand. *is_new: it is none that has come before, as those of a page are that
 * begins like the first. ERR_NO_MEMORY. */
enum err pages_entry(struct pages *p, struct span id, struct arena *a, bool *is_new) MUST_USE;

/* The page in hand came, and said that it goes on at `more` (absent or empty: it does not), which is
 * copied to the arena. ERR_NO_MEMORY. */
enum err pages_turn(struct pages *p, struct span more, struct arena *a) MUST_USE;

#endif
