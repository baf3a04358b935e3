/* whole_file.c - reads until nothing comes. */
#include "tests/lib/whole_file.h"

#include <fcntl.h>
#include <unistd.h>

bool whole_file(const char *path, struct buf *out)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;
	if (fd < 0)
		return false;
	while (n > 0) {
		char *to = buf_reserve(out, 65536);
		n = to ? read(fd, to, 65536) : -1;
		if (n > 0)
			buf_commit(out, (size_t)n);
	}
	close(fd);
	return n == 0;
}
