/* beside.c - what was installed together belongs together. */
#include "libllmclient/cli/beside.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void beside_exec(const char *name, char **argv)
{
	char own[PATH_MAX], path[PATH_MAX + NAME_MAX];
	const ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
	argv[0] = (char *)(uintptr_t)name;
	if (n > 0) {
		own[n] = '\0';
		char *slash = strrchr(own, '/');
		if (slash)
			*slash = '\0';
		const int length = snprintf(path, sizeof path, "%s/%s", own, name);
		if (slash && length > 0 && (size_t)length < sizeof path)
			execv(path, argv);
		if (errno != ENOENT)
			return; /* there is one, and it is the one that was meant */
	}
	execvp(name, argv);
}
