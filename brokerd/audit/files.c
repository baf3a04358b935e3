/* files.c - one rename a rotation, so that no crash leaves a hole among the numbers. */
#include "brokerd/audit/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/base/num.h"

#define PIECE_BYTES ((size_t)256 * 1024)
#define SPARE_BYTES ((size_t)4096) /* for what is written meanwhile */

int files_folder(const char *state_dir)
{
	return open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* The number of a name; 0: it is none of ours. */
static uint64_t number_of(const char *name)
{
	const struct span all = span_str(name), begin = SPAN(FILES_CURRENT ".");
	int64_t number;
	if (!span_starts(all, begin) || all.p[all.n - 1] == '.')
		return 0;
	const struct span digits = span_skip(all, begin.n);
	if (digits.p[0] < '1' || digits.p[0] > '9' || digits.n > 15 || !num_i64(digits, &number))
		return 0;
	return (uint64_t)number;
}

static void note(struct files *f, uint64_t number)
{
	size_t lowest = 0;
	if (f->n < FILES_MAX) {
		f->numbers[f->n++] = number;
		return;
	}
	for (size_t i = 1; i < f->n; i++)
		lowest = f->numbers[i] < f->numbers[lowest] ? i : lowest;
	if (number > f->numbers[lowest])
		f->numbers[lowest] = number;
}

bool files_list(int folder, struct files *out)
{
	const struct dirent *entry;
	out->n = 0;
	const int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(d))) {
		const uint64_t number = number_of(entry->d_name);
		if (number > 0)
			note(out, number);
	}
	closedir(d);
	qsort(out->numbers, out->n, sizeof *out->numbers, by_number);
	return true;
}

uint64_t files_expected(const struct files *f, const struct audit_limits *limits)
{
	if (f->n == 0)
		return 0;
	const uint64_t last = f->numbers[f->n - 1];
	return last > limits->files ? last - limits->files + 1 : 1;
}

const char *files_name(char to[FILES_NAME_BYTES], uint64_t number)
{
	if (number == 0)
		(void)snprintf(to, FILES_NAME_BYTES, "%s", FILES_CURRENT);
	else
		(void)snprintf(to, FILES_NAME_BYTES, "%s.%" PRIu64, FILES_CURRENT, number);
	return to;
}

int files_read(int folder, const char *name, struct buf *out)
{
	const int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n = 1;
	size_t piece = PIECE_BYTES;
	int cause = 0;
	if (fd < 0)
		return errno;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		cause = EINVAL;
	else if (st.st_size < (off_t)PIECE_BYTES)
		piece = (size_t)st.st_size +
			SPARE_BYTES; /* all its pages are overwritten in the end */
	else if (st.st_size < (off_t)FILES_READ_BYTES)
		(void)buf_reserve(
			out, (size_t)st.st_size + PIECE_BYTES); /* so that it does not move */
	while (n > 0 && !cause) {
		char *room = buf_reserve(out, piece);
		n = room ? read(fd, room, piece) : 0;
		if (!room)
			cause = EFBIG;
		else if (n > 0) {
			buf_commit(out, (size_t)n);
			piece = piece < PIECE_BYTES ? SPARE_BYTES
						    : piece; /* there is room for that */
		} else if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			cause = errno;
	}
	close(fd);
	return cause;
}

int files_rotate(int folder, uint64_t number, const struct audit_limits *limits)
{
	char name[FILES_NAME_BYTES];
	struct files all;
	/* never over another: that would be records lost */
	if (faccessat(folder, files_name(name, number), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return EEXIST;
	if (renameat(folder, FILES_CURRENT, folder, name) != 0)
		return errno;
	if (!files_list(folder, &all))
		return 0; /* what is too old goes another time */
	const uint64_t first = files_expected(&all, limits);
	for (size_t i = 0; i < all.n && all.numbers[i] < first; i++)
		(void)unlinkat(folder, files_name(name, all.numbers[i]), 0);
	return fsync(folder) == 0 ? 0 : errno;
}
