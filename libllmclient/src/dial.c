/* dial.c - the order: an inherited socket, one that is named, the user's, the sandbox's, the system's. */
#include "libllmclient/src/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/base/num.h"
#include "protocol/limits.h"

#define FIRST_PAUSE_MS 5
#define LAST_PAUSE_MS  100
#define NOBODY         65534 /* as the kernel shows a user who has no number in a user namespace */

/* ---- where ---- */

static enum err out_of_memory(struct fault *why)
{
	return fault_set(why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
}

/* "FOLDER/REST" in the dial's arena; NULL: out of memory. */
static const char *join(struct dial *d, const char *folder, const char *rest)
{
	const size_t n = strlen(folder) + strlen(rest) + 2;
	char *path = arena_alloc(&d->arena, n);
	if (path)
		(void)snprintf(path, n, "%s/%s", folder, rest);
	return path;
}

/* The folder of this user's sockets; NULL: there is none. */
static const char *runtime_folder(char *made, size_t size)
{
	const char *named = secure_getenv("XDG_RUNTIME_DIR");
	struct stat st;
	if (named && named[0] == '/')
		return named;
	(void)snprintf(made, size, "/run/user/%lu", (unsigned long)geteuid());
	if (stat(made, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		return made;
	return NULL;
}

static enum err find_places(struct dial *d, bool may_start, struct fault *why)
{
	char made[32];
	const char *folder = runtime_folder(made, sizeof made);
	if (folder) {
		const char *user = join(d, folder, "llm-broker/sock");
		const char *sandbox = join(d, folder, "llm-broker-sandbox/sock");
		if (!user || !sandbox)
			return out_of_memory(why);
		d->places[d->n_places++] = user;
		d->places[d->n_places++] = sandbox;
		d->home = user;
	} else if (geteuid() == 0) {
		d->home = SYSTEM_SOCKET;
	}
	d->places[d->n_places++] = SYSTEM_SOCKET;
	if (!may_start)
		d->home = NULL;
	return OK;
}

static bool is_stream_socket(int fd)
{
	int domain = 0, type = 0;
	socklen_t n = sizeof domain, m = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &m) == 0 && domain == AF_UNIX &&
	       type == SOCK_STREAM;
}

/* A descriptor that came through exec has no CLOEXEC flag; giving it one marks it as taken. */
static enum err take_inherited(struct dial *d, const char *number, struct fault *why)
{
	int64_t fd;
	if (!num_i64(span_str(number), &fd) || fd < 3 || fd > INT_MAX || !is_stream_socket((int)fd))
		return fault_set(why, ERR_UNREACHABLE,
			"LLM_BROKER_FD=%.20s is not an open Unix stream socket", number);
	const int flags = fcntl((int)fd, F_GETFD);
	if (flags < 0 || (flags & FD_CLOEXEC))
		return fault_set(why, ERR_UNREACHABLE,
			"LLM_BROKER_FD=%.20s is taken: this process may make one connection of it, "
			"once",
			number);
	if (fcntl((int)fd, F_SETFD, flags | FD_CLOEXEC) < 0)
		return fault_set(
			why, ERR_UNREACHABLE, "LLM_BROKER_FD=%.20s: %s", number, strerror(errno));
	d->fd = (int)fd;
	d->is_inherited = true;
	return OK;
}

enum err dial_begin(struct dial *d, const struct dial_options *o, int64_t now_ms, int64_t due_ms,
	struct fault *why)
{
	*d = (struct dial){.fd = -1,
		.due_ms = due_ms,
		.again_ms = now_ms,
		.pause_ms = FIRST_PAUSE_MS,
		.begun = AUTOSTART_NONE};
	arena_init(&d->arena, 4 * KIB * KIB);
	if (o->fd >= 0) {
		d->fd = o->fd;
		return OK;
	}
	const char *path = o->socket_path;
	if (!path) {
		const char *inherited = secure_getenv("LLM_BROKER_FD");
		if (inherited && inherited[0])
			return take_inherited(d, inherited, why);
		path = secure_getenv("LLM_BROKER_SOCKET");
	}
	if (path && path[0]) {
		d->places[d->n_places++] = arena_str(&d->arena, span_str(path));
		return d->places[0] ? OK : out_of_memory(why);
	}
	return find_places(d, o->may_start, why);
}

void dial_done(struct dial *d)
{
	autostart_done(&d->begun);
	arena_done(&d->arena);
}

/* ---- who answers ---- */

/* Whether users are translated here, so that there may be some that have no number. Without /proc it is not known. */
static bool is_in_user_namespace(void)
{
	static const char everybody[] = "         0          0 4294967295\n";
	char map[sizeof everybody];
	const int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, map, sizeof map);
	if (fd >= 0)
		close(fd);
	return n > 0 && ((size_t)n != sizeof map - 1 || memcmp(map, everybody, (size_t)n) != 0);
}

/* Can nobody but root, who may have no number here, and ourselves have put there what is in it? Another user who has no
 * number looks the same, so where everybody may make folders, as in /tmp, it is not known whose they are. */
static bool is_closed(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == NOBODY || st->st_uid == geteuid()) &&
	       (st->st_mode & 022) == 0;
}

/* In a sandbox that does not know root, he is the kernel's nobody. Who listens in a folder that is none of ours, and that
 * its owner alone may write to, was put there by him; and that folder was put here by whoever made the sandbox, if
 * every one above it is closed as well, and no link leads there, which may have led elsewhere a moment ago. */
static bool is_from_outside(uid_t uid, const char *path)
{
	struct stat st;
	char folder[PATH_MAX], real[PATH_MAX];
	const char *slash = strrchr(path, '/');
	if (uid != NOBODY || !slash || slash == path || (size_t)(slash - path) >= sizeof folder)
		return false;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	if (!realpath(folder, real) || strcmp(folder, real) != 0 || stat(folder, &st) != 0 ||
		st.st_uid != NOBODY || st.st_uid == geteuid() || !is_in_user_namespace())
		return false;
	char *end = folder + strlen(folder);
	do {
		*end = '\0';
		if (stat(folder[0] ? folder : "/", &st) != 0 || !is_closed(&st))
			return false;
		end = strrchr(folder, '/');
	} while (end);
	return true;
}

/* Root runs the system's broker, and systemd opens sockets for it; any other user is a stranger who
 * would read what is asked. */
static enum err check_peer(int fd, const char *path, struct fault *why)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t n = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
		return fault_set(why, ERR_UNREACHABLE, "%s: nobody can tell who listens there: %s",
			path, strerror(errno));
	if (peer.uid == 0 || peer.uid == geteuid() || is_from_outside(peer.uid, path))
		return OK;
	return fault_set(why, ERR_UNREACHABLE,
		"%s is served by user %lu, who is neither root nor you: not trusted", path,
		(unsigned long)peer.uid);
}

/* A path too long for a socket address is reached through its folder's descriptor. */
static int connect_path(int fd, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const size_t n = strlen(path);
	if (n < sizeof to.sun_path) {
		memcpy(to.sun_path, path, n + 1);
		return connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
	}
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	if (!slash || slash == path || (size_t)(slash - path) >= sizeof folder)
		return ENAMETOOLONG;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	const int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return errno;
	const int written =
		snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d/%s", at, slash + 1);
	int error = ENAMETOOLONG;
	if (written > 0 && (size_t)written < sizeof to.sun_path)
		error = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
	close(at);
	return error;
}

/* ERR_MORE: somebody listens there, and is too busy just now. *is_absent: nobody does, which is
 * nobody's fault. */
static enum err try_place(const char *path, int *out, bool *is_absent, struct fault *why)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fault_set(why, ERR_IO, "no socket can be opened: %s", strerror(errno));
	const int error = connect_path(fd, path);
	enum err err = OK;
	*is_absent = error == ENOENT || error == ECONNREFUSED;
	if (error == EAGAIN || error == EINTR)
		err = ERR_MORE;
	else if (error)
		err = fault_set(why, ERR_UNREACHABLE, "%s: %s", path, strerror(error));
	else
		err = check_peer(fd, path, why);
	if (err) {
		close(fd);
		return err;
	}
	*out = fd;
	return OK;
}

/* ---- one try ---- */

static enum err use_socket(struct dial *d, int *fd, struct fault *why)
{
	const int own = d->fd;
	d->fd = -1;
	if (own < 0)
		return fault_set(why, ERR_UNREACHABLE,
			"the one socket that this client was given is used up");
	const int flags = fcntl(own, F_GETFL);
	if (!is_stream_socket(own) || flags < 0 || fcntl(own, F_SETFL, flags | O_NONBLOCK) < 0 ||
		fcntl(own, F_SETFD, FD_CLOEXEC) < 0) {
		close(own);
		return fault_set(why, ERR_UNREACHABLE,
			"descriptor %d is not a connected Unix stream socket", own);
	}
	*fd = own;
	return OK;
}

static enum err wait_more(struct dial *d, int64_t now_ms)
{
	d->again_ms = now_ms + d->pause_ms;
	if (d->again_ms > d->due_ms)
		d->again_ms = d->due_ms;
	d->pause_ms = d->pause_ms * 2 > LAST_PAUSE_MS ? LAST_PAUSE_MS : d->pause_ms * 2;
	return ERR_MORE;
}

/* The sentence that helps: a place that is there but closed to us says more than one that is not. */
static void keep_reason(struct fault *kept, const struct fault *found, bool is_absent)
{
	if (kept->err == OK || !is_absent)
		*kept = *found;
}

static enum err nobody(const struct dial *d, const struct fault *reason, struct fault *why)
{
	if (d->n_places == 1)
		return fault_set(why, ERR_UNREACHABLE,
			"no broker: %s; start one with `llmb daemon`", reason->message);
	return fault_set(why, ERR_UNREACHABLE,
		"no broker listens (%s): start one with `llmb daemon`, or enable llm-broker.socket",
		reason->message);
}

/* The first of the first n places where somebody listens: *at. ERR_MORE: there is one, and it is too busy just
 * now. ERR_UNREACHABLE: *reason. ERR_IO. */
static enum err try_places(
	const struct dial *d, size_t n, size_t *at, int *fd, struct fault *reason)
{
	for (size_t i = 0; i < n; i++) {
		struct fault found = FAULT_NONE;
		bool is_absent = false;
		const enum err err = try_place(d->places[i], fd, &is_absent, &found);
		if (err == ERR_IO)
			*reason = found;
		if (!err || err == ERR_MORE || err == ERR_IO) {
			*at = i;
			return err;
		}
		keep_reason(reason, &found, is_absent);
	}
	return ERR_UNREACHABLE;
}

/* Where a later place has answered, the earlier ones are looked at once more: a broker that was just beginning binds
 * them in this order, and who comes by the sandbox's is taken for less than he is. */
static enum err find(const struct dial *d, int *fd, struct fault *reason)
{
	size_t at = 0;
	int better = -1;
	struct fault ignored = FAULT_NONE;
	const enum err err = try_places(d, d->n_places, &at, fd, reason);
	if (err || at == 0)
		return err;
	const enum err again = try_places(d, at, &at, &better, &ignored);
	if (again && again != ERR_MORE)
		return OK;
	close(*fd);
	*fd = better;
	return again;
}

/* Has one started where nobody listens for `reason`, or hears what has become of that. */
static enum err start_once(struct dial *d, const struct fault *reason, struct fault *why)
{
	const enum err err = d->has_started ? autostart_look(&d->begun, why)
					    : autostart(&d->begun, d->home, why);
	d->has_started = !err;
	if (err != ERR_UNREACHABLE)
		return err;
	const struct fault obstacle = *why;
	d->home = NULL;
	return fault_set(why, ERR_UNREACHABLE, "no broker: %.400s; and none is started, for %.400s",
		reason->message, obstacle.message);
}

enum err dial_try(struct dial *d, int64_t now_ms, int *fd, struct fault *why)
{
	struct fault reason = FAULT_NONE;

	if (d->n_places == 0)
		return use_socket(d, fd, why);
	const enum err found = find(d, fd, &reason);
	if (found == ERR_IO)
		*why = reason;
	if (!found || found == ERR_IO)
		return found;
	const bool is_busy = found == ERR_MORE;
	if (!is_busy && d->home) {
		const enum err err = start_once(d, &reason, why);
		if (err)
			return err;
	}
	if (!is_busy && !d->has_started)
		return nobody(d, &reason, why);
	if (now_ms < d->due_ms)
		return wait_more(d, now_ms);
	if (is_busy)
		return fault_set(why, ERR_TIMEOUT,
			"a broker listens, but has not taken the connection in time");
	return autostart_late(&d->begun, d->home, why);
}
