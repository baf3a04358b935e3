/* test_closer.c - is what is given to a closer closed, and is nobody waited for? */
#include "brokerd/front/closer.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/tap.h"

#define PIPES 300

/* Waits until the other end of a pipe is closed. */
static bool is_closed(int fd)
{
	char byte;
	const bool is_end = read(fd, &byte, 1) == 0;
	close(fd);
	return is_end;
}

static void closes(struct closer *c, const char *name)
{
	int ends[PIPES][2];
	size_t n = 0;
	for (size_t i = 0; i < PIPES; i++) {
		if (pipe(ends[i]) != 0)
			abort();
		closer_give(c, ends[i][1]);
	}
	for (size_t i = 0; i < PIPES; i++)
		n += is_closed(ends[i][0]);
	is_uint(n, UINT64_C(300), "%s", name);
}

int main(void)
{
	struct closer *c = closer_new();
	ok(c != NULL, "there is one");
	ok(!closer_is_full(c), "with nothing to do");
	closes(c, "all are closed");
	closes(c, "and once more");
	closer_free(c);
	closer_free(closer_new());
	closer_free(NULL);
	int ends[2];
	if (pipe(ends) != 0)
		abort();
	closer_give(NULL, ends[1]);
	ok(write(ends[1], "x", 1) == 1, "without one it stays");
	return tap_done();
}
