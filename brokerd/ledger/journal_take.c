/* journal_take.c - what the file and memory have goes to the ledger. */
#include "brokerd/ledger/journal_take.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "brokerd/ledger/journal_guard.h"
#include "brokerd/log/log.h"
#include "brokerd/value/state_folder.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; an older one refuses it, and is slower */
#endif

/* What it has, from a copy in memory. */
static enum err replay_file(const struct journal_file *f, const struct journal_place *at,
	const struct replay_source *memory, struct ledger *ledger, struct replayed *out,
	struct fault *why)
{
	const size_t n = f->half_bytes;
	struct replay_source from = *memory;
	enum err err = OK;
	unsigned char *copy =
		mmap(NULL, 2 * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return fault_set(why, ERR_NO_MEMORY, "no memory to read %s/journal", at->state_dir);
	for (unsigned i = 0; err == OK && i < 2; i++) {
		err = journal_file_read(f, at, i, copy + i * n, why);
		from.file[i] = span_of((const char *)copy + i * n, n);
	}
	if (err == OK)
		err = replay(&from, ledger, out, why);
	munmap(copy, 2 * n);
	return err;
}

enum err journal_take(struct journal_file *f, const struct journal_place *at,
	const struct replay_source *memory, struct ledger *ledger, struct replayed *out,
	struct fault *why)
{
	*out = (struct replayed){.why = FAULT_NONE};
	const enum err err = replay_file(f, at, memory, ledger, out, why);
	if (err)
		return err;
	if (out->rows > 0 || out->torn > 0)
		log_info("journal.replay", "rows=%zu unknown=%zu torn=%zu", out->rows, out->unknown,
			out->torn);
	if (out->sequence > f->sequence)
		f->sequence = out->sequence;
	return out->unreadable > 0 ? journal_file_replace(f, at, out->why.message, why) : OK;
}

void journal_let_go(struct journal_file *f, struct ledger *ledger)
{
	journal_file_close(f);
	ledger_let_go(ledger);
}

enum err journal_too_small(const struct journal_back *b, struct fault *why)
{
	return fault_set(why, ERR_STORAGE_FULL,
		"%s/journal is too small for what is under way: move it away, and a new one is "
		"made",
		b->state_dir);
}

static enum err take_file(struct journal_back *b, struct ledger *ledger,
	const struct journal_place *at, struct fault *why)
{
	enum err err = journal_take(&b->file, at, &b->memory, ledger, &b->was, why);
	if (err)
		return err;
	b->need_bytes += b->was.n_ended * RECORD_EXCHANGE_BYTES;
	if (b->need_bytes > b->file.half_bytes)
		return journal_too_small(b, why);
	b->kept = b->was.found[1] > b->was.found[0];
	journal_guard(&b->file);
	/* a first write to a page costs the loop more than all else that it has to do */
	(void)madvise(b->file.halves[1 - b->kept], b->need_bytes, MADV_POPULATE_WRITE);
	return OK;
}

enum err journal_take_back(struct journal_back *b, struct ledger *ledger, struct fault *why)
{
	struct journal_place at = {.state_dir = b->state_dir};
	b->file = (struct journal_file){.fd = -1};
	enum err err = mounted_check(b->where, why);
	if (err == OK)
		err = state_folder_make(b->state_dir, why); /* an empty disk does not have it */
	if (err)
		return err;
	at.dir = open(b->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at.dir < 0)
		return fault_set(why, ERR_IO, "the state folder %s cannot be used: %s",
			b->state_dir, strerror(errno));
	/* the journal first: what it cannot do is said in the system's words */
	err = journal_file_open(&b->file, &at, why);
	if (err == OK)
		err = journal_file_prove(&b->file, &at, why);
	if (err == OK)
		err = ledger_come_back(ledger, why);
	if (err == OK)
		err = take_file(b, ledger, &at, why);
	close(at.dir);
	if (err)
		journal_let_go(&b->file, ledger);
	return err;
}
