/* journal.h - what must survive a crash of the broker?
 * A preallocated, memory-mapped file of checked records. Writing one is a copy into the map: it
 * survives kill -9 at once, a power cut up to the last sync. A worker moves settled records in
 * groups into the ledger; the space is used again. */
#ifndef BROKERD_LEDGER_JOURNAL_H
#define BROKERD_LEDGER_JOURNAL_H
#include "brokerd/ledger/record.h"
#include "brokerd/loop/worker.h"

struct journal;
struct ledger;

/* Opens state_dir/journal, making it if it is absent, and replays what a former process left: whole
 * rows go to the ledger, a reservation without a settlement becomes an exchange row with outcome
 * `unknown`. Blocks: it is called once, at start. NULL: *why (ERR_STORAGE_FULL, ERR_IO) says what to
 * do; nothing was lost. */
struct journal *journal_open(const char *state_dir, struct ledger *ledger, struct loop *l,
	struct workers *w, struct fault *why);
void journal_close(struct journal *j); /* moves all that is settled, waits for it, unmaps */

/* Before the first byte goes upstream. ERR_STORAGE_FULL: nothing may be sent. */
enum err journal_reserve(
	struct journal *j, const struct reserve_record *r, struct fault *why) MUST_USE;

/* An attempt has ended. Space for it was set aside by the reservation: it does not fail while that
 * is open and attempts stay below ATTEMPTS_RESERVED. */
enum err journal_attempt(
	struct journal *j, const struct attempt_record *r, struct fault *why) MUST_USE;

/* An exchange has ended, reserved or not. After a reservation it does not fail. */
enum err journal_settle(
	struct journal *j, const struct exchange_record *r, struct fault *why) MUST_USE;

/* May paid requests be sent? False while the disk is full; it recovers by itself. */
bool journal_is_writable(const struct journal *j);

/* Moves what is settled to the ledger now; on_done when it is there (asking `usage` wants that). */
struct journal_reply {
	void (*on_done)(void *context, enum err err, const struct fault *why);
	void *context;
};
void journal_flush(struct journal *j, struct journal_reply reply);

#define ATTEMPTS_RESERVED 16

#endif
