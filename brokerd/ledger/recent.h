/* recent.h - which calls have ended just now?
 * The last RECENT_ROWS of them, for who follows. A follower has his place: he waits at the end, and where he comes back so
 * late that rows before his place are gone, he is told how many. Nobody waits for him. No clock, no I/O. */
#ifndef BROKERD_LEDGER_RECENT_H
#define BROKERD_LEDGER_RECENT_H
#include "brokerd/ledger/record.h"

#define RECENT_ROWS ((size_t)1024)

struct recent;

/* `first` is the number of the first row, one that no former broker's rows had. NULL: out of memory. Has room for no row before
 * somebody follows. */
struct recent *recent_new(uint64_t first);
void recent_free(struct recent *r);

/* An exchange has ended. NULL is fine. */
void recent_add(struct recent *r, const struct exchange_record *row);

/* The number of the next row; from the first time on that this is asked, rows are kept. */
uint64_t recent_next(struct recent *r);

/* Is it the number of a row that has come or comes next, or of another broker's? */
bool recent_knows(const struct recent *r, uint64_t number);

/* The row of that number, or of the first one after it that is there, whose number *at is then; NULL: none has come. It
 * lives until the next is added. */
const struct exchange_record *recent_row(const struct recent *r, uint64_t *at);

/* The broker ends: nobody is to wait any more, and those who do are called. */
void recent_end(struct recent *r);
bool recent_is_ended(const struct recent *r);

/* Somebody who waits for rows. */
struct follower {
	struct follower *prev, *next;
	struct recent *recent; /* NULL while not waiting */
	void (*on_row)(struct follower *f);
};
/* on_row is called at each that comes, from inside recent_add: he may leave there, and puts off all else. */
void recent_await(struct recent *r, struct follower *f);
void recent_leave(struct follower *f); /* harmless where it does not wait */

#endif
