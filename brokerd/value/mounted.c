/* mounted.c - upwards from the folder to the one that the kernel calls the root of a mount. */
#include "brokerd/value/mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Kernels before 5.8 do not say; and the folder above it is on another device then. */
#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif

static bool look(const char *path, struct statx *out)
{
	return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
		       out) == 0;
}

static bool is_mount(const char *path)
{
	char above[PATH_MAX + 4];
	struct statx own, other;
	const size_t n = strnlen(path, PATH_MAX);
	if (!look(path, &own))
		return false;
	if (own.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
		return (own.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	memcpy(above, path, n);
	memcpy(above + n, "/..", 4);
	return look(above, &other) && (own.stx_dev_major != other.stx_dev_major ||
					      own.stx_dev_minor != other.stx_dev_minor);
}

void mounted_note(struct mounted *m, const char *folder)
{
	char *path = realpath(folder, NULL);
	m->at[0] = '\0';
	if (!path)
		return;
	char *end = path + strlen(path);
	while (end > path + 1 && !is_mount(path)) {
		while (*--end != '/')
			;
		*end = '\0';
	}
	if (end > path + 1) /* the root of all is always there */
		memcpy(m->at, path, (size_t)(end - path) + 1);
	free(path);
}

enum err mounted_check(const struct mounted *m, struct fault *why)
{
	if (m->at[0] == '\0' || is_mount(m->at))
		return OK;
	return fault_set(why, ERR_IO, "nothing is mounted on %s", m->at);
}
