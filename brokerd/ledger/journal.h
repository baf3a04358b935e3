/* journal.h - what must survive a crash of the broker?
 * A preallocated, memory-mapped file of checked records. Writing one is a copy into the map: it
 * survives kill -9 at once, a power cut up to the last sync. A worker moves what has ended in groups
 * into the ledger; the space is used again.
 *
 * A file system that cannot be written any more (an error has made it read-only, a device is gone) is let go: journal and
 * ledger close their files, so that it can be unmounted and repaired, and what is under way goes on being recorded in
 * memory. Every second they are looked for anew, as they were or others; what memory has goes there then, and all goes on.
 * Where they are lost again within a minute, that takes twice as long the next time, up to a minute. */
#ifndef BROKERD_LEDGER_JOURNAL_H
#define BROKERD_LEDGER_JOURNAL_H
#include "brokerd/ledger/record.h"
#include "brokerd/loop/worker.h"

struct journal;
struct ledger;

/* Opens state_dir/journal, making it if it is absent, and replays what a former process left: whole
 * rows go to the ledger; a reservation without a settlement becomes an exchange row with outcome
 * `unknown`, and each attempt that it announced and that is not recorded an attempt row likewise, at the
 * estimate; the exchange costs what its attempts do together. A file with records that cannot be read (a
 * newer version's, or damaged) is kept as journal.old-N, and the log says so.
 * Blocks: it is called once, at start. NULL: *why (ERR_STORAGE_FULL, ERR_IO) says what to do; nothing
 * was lost. Another llm-brokerd on the same folder is such a case. */
struct journal *journal_open(const char *state_dir, struct ledger *ledger, struct loop *l,
	struct workers *w, struct fault *why);

/* What becomes of its disk: from the loop, never from inside a call. */
struct journal_watch {
	/* Journal and ledger were let go: *why says for what. Called again where it is for something else by now. */
	void (*on_away)(void *context, const struct fault *why);
	void (*on_back)(void *context); /* and all goes on */
	void *context;
};
void journal_watch(struct journal *j, struct journal_watch watch);

/* Moves all that has ended, waits for it, answers what flushes are open, unmaps. Before the ledger is
 * closed and the workers are freed. NULL is fine. What cannot be moved stays in the file; what is
 * still reserved will be `unknown`. Where the file was let go it is looked for once more; what it does not come to have then is
 * lost, and the log says so. */
void journal_close(struct journal *j);

/* A journal holds the reservations of some 2,200 exchanges at a time, and some 30,000 records that the
 * disk has not taken yet. */

/* Before the first byte of an attempt goes upstream: says where it goes and sets space aside for
 * ATTEMPTS_RESERVED attempts and the settlement. Called again with the same id before each further
 * attempt, it says where that one goes, and space for it is there. Where it is beside the one announced before, both are
 * under way; no third one may be. ERR_STORAGE_FULL, for the disk is full or cannot be
 * written: nothing may be sent. */
enum err journal_reserve(
	struct journal *j, const struct reserve_record *r, struct fault *why) MUST_USE;

/* An attempt has ended. It does not fail where it was announced by journal_reserve, nor while there
 * were fewer than ATTEMPTS_RESERVED of that exchange; else ERR_STORAGE_FULL. */
enum err journal_attempt(
	struct journal *j, const struct attempt_record *r, struct fault *why) MUST_USE;

/* An exchange has ended, reserved or not. After a reservation it does not fail; else
 * ERR_STORAGE_FULL. */
enum err journal_settle(
	struct journal *j, const struct exchange_record *r, struct fault *why) MUST_USE;

/* The same of one that was not reserved and is like the last of that form, but for its id and its at_us. */
enum err journal_settle_like(struct journal *j, const struct exchange_record *r,
	struct record_form *form, struct fault *why) MUST_USE;

/* May paid requests be sent: would a reservation find room, and survive? False while the disk is full and the
 * journal too, or where its file was let go; it recovers by itself. */
bool journal_is_writable(const struct journal *j);

/* Moves what has ended to the ledger now; on_done, always later, when all that was written before
 * is there (asking `usage` wants that), or with what the ledger's failure was. */
struct journal_reply {
	void (*on_done)(void *context, enum err err, const struct fault *why);
	void *context;
};
void journal_flush(struct journal *j, struct journal_reply reply);

#define ATTEMPTS_RESERVED 3

#endif
