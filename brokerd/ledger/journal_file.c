/* journal_file.c - the lock is on the file itself, and so is gone with the process. */
#include "brokerd/ledger/journal_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/ledger/record.h"
#include "brokerd/log/log.h"
#include "brokerd/value/crc32c.h"

#define FILE_NAME    "journal"
#define FILE_VERSION 1
#define HALF_MIN     ((uint64_t)64 * 1024) /* what a file may say of itself */
#define HALF_MAX     ((uint64_t)1024 * 1024 * 1024)
#define READ_FIRST   ((size_t)16 * 1024) /* most often there is nothing to take over */
#define READ_MOST    ((size_t)1024 * 1024)

static const char magic[16] = "llm-broker jnl\n";

/* The first page. `sequence` is the one word of it that changes. */
struct page {
	char magic[16];
	uint32_t version; /* little-endian, as all of it */
	uint32_t crc;     /* of the page up to `sequence`, this word as zero */
	uint64_t half_bytes;
	uint64_t sequence;
};

void journal_store(unsigned char *at, uint64_t word)
{
	void *aligned = at;
	atomic_store_explicit((_Atomic uint64_t *)aligned, word, memory_order_release);
}

void journal_file_note(struct journal_file *f, uint64_t sequence)
{
	f->sequence = sequence;
	journal_store(f->map + offsetof(struct page, sequence), htole64(sequence));
}

static enum err place_fault(
	const struct journal_place *at, const char *doing, int os, struct fault *why)
{
	if (os == ENOSPC || os == EDQUOT || os == EFBIG)
		return fault_set(why, ERR_STORAGE_FULL,
			"%s %s/" FILE_NAME " failed: %s. It needs %zu MiB: free some space", doing,
			at->state_dir, strerror(os),
			(JOURNAL_PAGE_BYTES + 2 * JOURNAL_HALF_BYTES) >> 20);
	return fault_set(why, ERR_IO,
		"%s %s/" FILE_NAME
		" failed: %s. The state folder and its files must be writable by "
		"the user that runs llm-brokerd",
		doing, at->state_dir, os == ELOOP ? "it is a symbolic link" : strerror(os));
}

static enum err file_check(const struct journal_place *at, int fd, struct fault *why)
{
	struct stat st, named;
	if (fstat(fd, &st) != 0)
		return place_fault(at, "opening", errno, why);
	if (!S_ISREG(st.st_mode))
		return fault_set(why, ERR_IO,
			"%s/" FILE_NAME " is not a regular file: move it away", at->state_dir);
	if (st.st_uid != geteuid())
		return fault_set(why, ERR_IO,
			"%s/" FILE_NAME
			" belongs to uid %u, and llm-brokerd runs as uid %u: give it "
			"the file, or another state folder",
			at->state_dir, (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & 077) != 0 && fchmod(fd, 0600) != 0)
		return place_fault(at, "closing to others", errno, why);
	/* the second look is for a file that was set aside between open and lock */
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 ||
		fstatat(at->dir, FILE_NAME, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
		named.st_ino != st.st_ino || named.st_dev != st.st_dev)
		return fault_set(why, ERR_IO,
			"another llm-brokerd uses the state folder %s: stop it, or start this one "
			"with another --state-dir",
			at->state_dir);
	return OK;
}

static uint32_t page_sum(const struct page *page)
{
	struct page p = *page;
	p.crc = 0;
	return htole32(crc32c(0, &p, offsetof(struct page, sequence)));
}

/* Space that is really there: a write into a hole of a full disk would be a SIGBUS. */
static int file_reserve(int fd, size_t bytes)
{
	int failed;
	do
		failed = posix_fallocate(fd, 0, (off_t)bytes);
	while (failed == EINTR);
	return failed;
}

static enum err file_make(
	const struct journal_place *at, int fd, struct page *page, struct fault *why)
{
	int flags;
	/* where files are copied when written, space is only there if this one is not */
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_NOCOW_FL;
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	const int failed = file_reserve(fd, JOURNAL_PAGE_BYTES + 2 * JOURNAL_HALF_BYTES);
	if (failed)
		return place_fault(at, "making", failed, why);
	*page = (struct page){.version = htole32(FILE_VERSION),
		.half_bytes = htole64(JOURNAL_HALF_BYTES),
		.sequence = htole64(1)};
	memcpy(page->magic, magic, sizeof magic);
	page->crc = page_sum(page);
	if (pwrite(fd, page, sizeof *page, 0) != (ssize_t)sizeof *page || fsync(fd) != 0 ||
		fsync(at->dir) != 0)
		return place_fault(at, "making", errno, why);
	return OK;
}

enum file_state {
	FILE_FRESH, /* nothing was ever written to it */
	FILE_OURS,
	FILE_FOREIGN, /* another version's, or damaged */
};

static enum file_state page_judge(const struct page *page, ssize_t n)
{
	static const struct page nothing;
	const uint64_t half_bytes = le64toh(page->half_bytes);
	if (n == 0 || memcmp(page, &nothing, (size_t)n) == 0)
		return FILE_FRESH;
	if (n < (ssize_t)sizeof *page || memcmp(page->magic, magic, sizeof magic) != 0 ||
		le32toh(page->version) != FILE_VERSION || page->crc != page_sum(page) ||
		half_bytes < HALF_MIN || half_bytes > HALF_MAX ||
		half_bytes % JOURNAL_PAGE_BYTES != 0)
		return FILE_FOREIGN;
	return FILE_OURS;
}

/* Keeps the file under another name. Never over another file. */
static enum err file_set_aside(
	const struct journal_place *at, const char *reason, struct fault *why)
{
	for (unsigned n = 1; n < 1000; n++) {
		char name[32], text[512];
		(void)snprintf(name, sizeof name, FILE_NAME ".old-%u", n);
		if (linkat(at->dir, FILE_NAME, at->dir, name, 0) != 0) {
			if (errno == EEXIST)
				continue;
			return place_fault(at, "setting aside", errno, why);
		}
		if (unlinkat(at->dir, FILE_NAME, 0) != 0)
			return place_fault(at, "setting aside", errno, why);
		log_warn("journal.set_aside", "file=%s why=%s", name,
			log_quote(text, sizeof text, span_str(reason)));
		return OK;
	}
	return fault_set(why, ERR_IO,
		"%s holds 999 files " FILE_NAME ".old-N: llm-brokerd makes one where its journal "
		"cannot be read (%s). Move them away",
		at->state_dir, reason);
}

static enum err file_map(struct journal_file *f, const struct journal_place *at,
	const struct page *page, struct fault *why)
{
	f->sequence = le64toh(page->sequence);
	f->half_bytes = (size_t)le64toh(page->half_bytes);
	const size_t bytes = JOURNAL_PAGE_BYTES + 2 * f->half_bytes;
	/* every time: a copy or a backup may have brought back holes */
	const int failed = file_reserve(f->fd, bytes);
	if (failed)
		return place_fault(at, "extending", failed, why);
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (map == MAP_FAILED)
		return place_fault(at, "mapping", errno, why);
	f->map = map;
	f->halves[0] = f->map + JOURNAL_PAGE_BYTES;
	f->halves[1] = f->halves[0] + f->half_bytes;
	return OK;
}

/* ERR_MORE: what was there is set aside, and there is nothing now. */
static enum err file_try(struct journal_file *f, const struct journal_place *at, struct fault *why)
{
	struct page page = {0};
	*f = (struct journal_file){
		.fd = openat(at->dir, FILE_NAME,
			O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600)};
	if (f->fd < 0)
		return place_fault(at, "opening", errno, why);
	enum err err = file_check(at, f->fd, why);
	if (err)
		return err;
	const ssize_t n = pread(f->fd, &page, sizeof page, 0);
	if (n < 0)
		return place_fault(at, "reading", errno, why);
	switch (page_judge(&page, n)) {
	case FILE_FOREIGN:
		err = file_set_aside(at, "it is another version's, or damaged", why);
		return err ? err : ERR_MORE;
	case FILE_FRESH:
		err = file_make(at, f->fd, &page, why);
		break;
	case FILE_OURS:
		break;
	}
	return err ? err : file_map(f, at, &page, why);
}

enum err journal_file_open(
	struct journal_file *f, const struct journal_place *at, struct fault *why)
{
	enum err err = file_try(f, at, why);
	if (err == ERR_MORE) {
		journal_file_close(f);
		err = file_try(f, at, why);
	}
	if (err)
		journal_file_close(f);
	if (err == ERR_MORE)
		return fault_set(why, ERR_IO,
			"%s/" FILE_NAME " is changed by another program while llm-brokerd opens it",
			at->state_dir);
	return err;
}

enum err journal_file_read(const struct journal_file *f, const struct journal_place *at,
	unsigned half, unsigned char *to, struct fault *why)
{
	const off_t from = (off_t)(JOURNAL_PAGE_BYTES + half * f->half_bytes);
	struct record_reader reader = {.left = span_of(NULL, 0)};
	struct record record;
	size_t n = 0, passed = 0, wanted = READ_FIRST;
	enum record_next found;
	do {
		const size_t left = f->half_bytes - n;
		const ssize_t got =
			pread(f->fd, to + n, left < wanted ? left : wanted, from + (off_t)n);
		if (got <= 0)
			return place_fault(at, "reading", got < 0 ? errno : EIO, why);
		n += (size_t)got;
		wanted = wanted < READ_MOST ? 2 * wanted : READ_MOST;
		reader.left = span_of((const char *)to + passed, n - passed);
		while ((found = record_next(&reader, &record)) == RECORD_FOUND)
			;
		passed = n - reader.left.n;
	} while (n < f->half_bytes && (found != RECORD_END || reader.left.n < sizeof(uint64_t)));
	return OK;
}

enum err journal_file_prove(
	const struct journal_file *f, const struct journal_place *at, struct fault *why)
{
	unsigned char page[JOURNAL_PAGE_BYTES];
	for (unsigned i = 0; i < 3; i++) {
		const off_t from =
			i == 0 ? 0 : (off_t)(JOURNAL_PAGE_BYTES + (i - 1) * f->half_bytes);
		ssize_t n = pread(f->fd, page, sizeof page, from);
		if (n != (ssize_t)sizeof page)
			return place_fault(at, "reading", n < 0 ? errno : EIO, why);
		n = pwrite(f->fd, page, sizeof page, from);
		if (n != (ssize_t)sizeof page)
			return place_fault(at, "writing", n < 0 ? errno : EIO, why);
	}
	return fdatasync(f->fd) == 0 ? OK : place_fault(at, "syncing", errno, why);
}

void journal_file_close(struct journal_file *f)
{
	if (f->map)
		munmap(f->map, JOURNAL_PAGE_BYTES + 2 * f->half_bytes);
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct journal_file){.fd = -1};
}

enum err journal_file_replace(struct journal_file *f, const struct journal_place *at,
	const char *reason, struct fault *why)
{
	const uint64_t sequence = f->sequence;
	enum err err = file_set_aside(at, reason, why);
	journal_file_close(f);
	if (err == OK)
		err = journal_file_open(f, at, why);
	if (err == OK && f->sequence < sequence)
		journal_file_note(f, sequence);
	return err;
}

/* The space first, then the word that says that it is there: a kill in between leaves a longer file, and no
 * more. What lies in the middle, where the second half was, is of former rounds. */
enum err journal_file_grow(
	struct journal_file *f, const struct journal_place *at, struct fault *why)
{
	struct page page;
	if (f->half_bytes != JOURNAL_FORMER_BYTES)
		return OK;
	const int failed = file_reserve(f->fd, JOURNAL_PAGE_BYTES + 2 * JOURNAL_HALF_BYTES);
	if (failed) {
		log_warn("journal.small", "why=\"%s\" note=\"it holds fewer open requests\"",
			strerror(failed));
		return OK;
	}
	memcpy(&page, f->map, sizeof page);
	page.half_bytes = htole64(JOURNAL_HALF_BYTES);
	page.crc = page_sum(&page);
	if (pwrite(f->fd, &page, sizeof page, 0) != (ssize_t)sizeof page || fsync(f->fd) != 0)
		return place_fault(at, "extending", errno, why);
	munmap(f->map, JOURNAL_PAGE_BYTES + 2 * f->half_bytes);
	f->map = NULL;
	return file_map(f, at, &page, why);
}
