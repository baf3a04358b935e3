/* small_journal.c - the first page of a journal, byte by byte, as files out there have it. */
#include "tests/lib/small_journal.h"

#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "brokerd/value/crc32c.h"

void small_journal_make(const char *dir, size_t half_bytes)
{
	unsigned char page[40] = "llm-broker jnl\n"; /* and the last sequence: 0 */
	char path[256];
	memcpy(page + 16, &(uint32_t){htole32(1)}, 4); /* version */
	memcpy(page + 24, &(uint64_t){htole64(half_bytes)}, 8);
	memcpy(page + 20, &(uint32_t){htole32(crc32c(0, page, 32))}, 4); /* of it all so far */

	snprintf(path, sizeof path, "%s/journal", dir);
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, page, sizeof page) != (ssize_t)sizeof page ||
		ftruncate(fd, (off_t)(4096 + 2 * half_bytes)) != 0 || close(fd) != 0) {
		perror(path);
		abort();
	}
}
