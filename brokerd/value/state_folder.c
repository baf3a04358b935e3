/* state_folder.c - made from the root downwards, then looked at. */
#include "brokerd/value/state_folder.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err state_folder_make(const char *path, struct fault *why)
{
	char part[4096];
	struct stat st;
	const size_t n = strlen(path);
	if (n == 0 || n >= sizeof part)
		return fault_set(why, ERR_INVALID_ARGUMENT, "the state folder's path is too long");
	memcpy(part, path, n + 1);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return fault_set(why, ERR_IO, "cannot make the folder %s: %s", part,
				strerror(errno));
		*slash = '/';
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return fault_set(
			why, ERR_IO, "cannot make the state folder %s: %s", path, strerror(errno));
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return fault_set(why, ERR_IO, "the state folder %s is no folder", path);
	/* whose it is runs a broker on it: the system's, as a rule, and what root took from him would be missed there */
	if (st.st_uid != geteuid() && geteuid() == 0)
		return fault_set(why, ERR_IO,
			"the state folder %s belongs to uid %u, and root needs one of his own: "
			"name another (--state-dir); the system's broker is started by `systemctl "
			"start llm-broker.socket`",
			path, (unsigned)st.st_uid);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return fault_set(why, ERR_IO,
			"the state folder %s must belong to uid %u and be writable by it alone: "
			"`chown %u %s; chmod 700 %s`",
			path, (unsigned)geteuid(), (unsigned)geteuid(), path, path);
	if (access(path, W_OK | X_OK) != 0)
		return fault_set(why, ERR_IO, "the state folder %s is not writable: %s", path,
			strerror(errno));
	return OK;
}
