/* listener.c - accept, with one descriptor in reserve for the day there are none left. */
#include "brokerd/front/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "brokerd/log/log.h"

#define BACKLOG       511
#define ACCEPTS       32              /* in one turn */
#define FULL_PAUSE_US INT64_C(100000) /* how long a full table is left alone */
#define LOCK_TRIES    300             /* of 10 ms each: who starts beside us is done by then */
#define LOCK_PAUSE_NS 10000000
#define SEND_BUFFER   (1024 * 1024) /* small writes cost the kernel far more than their bytes */

struct listener {
	struct sessions *sessions;
	struct loop *loop;
	struct loop_io io;
	struct loop_timer again;
	int fd;
	int reserve; /* a descriptor that is closed to accept one more, and refuse it */
	bool is_ours;
	bool is_paused;
	dev_t device; /* of the path we made, so that only that one is unlinked */
	ino_t inode;
	struct peer_place place; /* of all who come here */
	struct loop_io until;    /* its other end is held by who made the socket */
	int until_fd;
	void (*on_end)(struct listener *l, void *context);
	void *context;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static void on_ready(struct loop_io *io, int ready);

static void on_again(struct loop_timer *t)
{
	struct listener *l = container_of(t, struct listener, again);
	if (!l->is_paused)
		loop_io_set(l->loop, &l->io, l->fd, LOOP_READ);
}

/* One that was handed in may be made to wait at any time, by whoever made it: then only who is there already is
 * accepted. One that was shut down would always be ready. */
static bool may_accept(struct listener *l)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN | POLLRDHUP};
	if (l->place.socket != PEER_SOCKET_HANDED)
		return true;
	const int flags = fcntl(l->fd, F_GETFL);
	if (flags < 0 || fcntl(l->fd, F_SETFL, flags | O_NONBLOCK) != 0 || poll(&p, 1, 0) != 1)
		return false;
	if (p.revents & (POLLRDHUP | POLLHUP))
		loop_io_stop(&l->io);
	return !(p.revents & (POLLRDHUP | POLLHUP));
}

/* No descriptor is left: one client is told so, the others wait a moment in the kernel's queue. */
static void refuse_full(struct listener *l)
{
	struct fault why = FAULT_NONE;
	fault_set(&why, ERR_OVERLOADED, "the broker has no descriptor left for a connection");
	log_warn("listener.full", "connections=%zu", l->sessions->n);
	close(l->reserve);
	const int fd =
		may_accept(l) ? accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
	if (fd >= 0)
		session_refuse(l->sessions, fd, &why);
	l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	loop_io_stop(&l->io);
	loop_timer_set(l->loop, &l->again, FULL_PAUSE_US);
}

static void on_ready(struct loop_io *io, int ready)
{
	struct listener *l = container_of(io, struct listener, io);
	const int most = l->place.socket == PEER_SOCKET_HANDED ? 1 : ACCEPTS;
	(void)ready;
	for (int i = 0; i < most && (i == 0 || !loop_is_late(l->loop)) && may_accept(l); i++) {
		const int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
				errno == ENOMEM)
				refuse_full(l);
			return;
		}
		const int size = SEND_BUFFER;
		if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0)
			log_debug("listener.sndbuf", "errno=%d", errno);
		loop_moved(l->loop);
		session_accept(l->sessions, fd, &l->place);
	}
}

static struct listener *listener_new(struct sessions *s, int fd, const struct peer_place *place)
{
	struct listener *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->sessions = s;
	l->place = *place;
	l->loop = s->organs->loop;
	l->fd = fd;
	l->until_fd = -1;
	l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	evidence_refuse_fds(fd);
	LOOP_CALLS(&l->io, on_ready, on_ready);
	LOOP_CALLS(&l->again, on_fire, on_again);
	loop_io_set(l->loop, &l->io, fd, LOOP_READ);
	return l;
}

/* Anybody who may read the folder can hold its lock: that must not keep us for ever, and not at all while others are
 * served (0 tries more). */
static bool lock_in_time(int folder, int tries)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	while (flock(folder, LOCK_EX | LOCK_NB) != 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || tries-- == 0)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* Makes the socket's folder where it is missing, for its owner alone, and locks it, so that of two
 * brokers which start at once only one replaces a dead socket. The lock goes with the descriptor. */
static enum err lock_folder(const char *path, int tries, int *out, struct fault *why)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	snprintf(folder, sizeof folder, "%s", path);
	char *slash = strrchr(folder, '/');
	if (slash == folder)
		slash[1] = '\0';
	else if (slash)
		*slash = '\0';
	else
		snprintf(folder, sizeof folder, ".");
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return fault_set(why, ERR_IO, "cannot make the folder %s for the socket: %s",
			folder, strerror(errno));
	*out = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	if (*out < 0 || fstat(*out, &st) != 0)
		return fault_set(why, ERR_IO, "cannot open the socket's folder %s: %s", folder,
			strerror(errno));
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		return fault_set(why, ERR_IO,
			"anybody may write to the socket's folder %s, and so put another socket in "
			"the place of ours: `chmod o-w %s`",
			folder, folder);
	if (!lock_in_time(*out, tries))
		return fault_set(why, ERR_IO, "cannot lock the socket's folder %s: %s", folder,
			errno == EWOULDBLOCK ? "another program holds it" : strerror(errno));
	return OK;
}

/* Is anybody listening there? */
static bool is_answered(const struct sockaddr_un *address)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	const int rc = connect(fd, (const struct sockaddr *)address, sizeof *address);
	const bool is_there = rc == 0 || errno == EAGAIN || errno == EINPROGRESS;
	close(fd);
	return is_there;
}

/* What is bound there is told of before anybody can connect, for who has may take it away at once. */
static enum err bind_path(int fd, const char *path, struct stat *made, struct fault *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"%s is there and is no socket: remove it, or choose another "
				"--socket",
				path);
		if (is_answered(&address)) {
			fault_set(why, ERR_INVALID_ARGUMENT,
				"a broker already listens on %s: `llmb status` asks it", path);
			memcpy(why->code, "in_use", sizeof "in_use");
			return ERR_INVALID_ARGUMENT;
		}
		if (unlink(path) != 0)
			return fault_set(
				why, ERR_IO, "cannot replace %s: %s", path, strerror(errno));
	}
	/* the mode is the folder's and this one's: never open, not even for a moment */
	const mode_t before = umask(0177);
	const int rc = bind(fd, (const struct sockaddr *)&address, sizeof address);
	const int error = errno;
	umask(before);
	if (rc != 0)
		return fault_set(why, ERR_IO, "cannot listen on %s: %s", path, strerror(error));
	if (lstat(path, made) != 0)
		return fault_set(
			why, ERR_IO, "%s was taken away at once: %s", path, strerror(errno));
	return OK;
}

enum err listener_bind(struct sessions *s, const char *path, const struct peer_place *place,
	struct listener **out, struct fault *why)
{
	struct stat st;
	*out = NULL;
	if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the socket's path is longer than the %zu bytes that the kernel takes: %s",
			sizeof((struct sockaddr_un *)0)->sun_path - 1, path);
	int folder = -1;
	const int tries = place->socket == PEER_SOCKET_APP ? 0 : LOCK_TRIES;
	enum err err = lock_folder(path, tries, &folder, why);
	if (err) {
		if (folder >= 0)
			close(folder);
		return err;
	}
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		close(folder);
		return fault_set(why, ERR_IO, "cannot make a socket: %s", strerror(errno));
	}
	err = bind_path(fd, path, &st, why);
	const bool has_path = !err;
	if (!err && listen(fd, BACKLOG) != 0)
		err = fault_set(why, ERR_IO, "cannot listen on %s: %s", path, strerror(errno));
	close(folder);
	struct listener *l = err ? NULL : listener_new(s, fd, place);
	if (!l) {
		if (has_path)
			unlink(path);
		close(fd);
		return err ? err : fault_set(why, ERR_NO_MEMORY, "out of memory for a socket");
	}
	snprintf(l->path, sizeof l->path, "%s", path);
	l->is_ours = true;
	l->device = st.st_dev;
	l->inode = st.st_ino;
	*out = l;
	return OK;
}

enum err listener_adopt(struct sessions *s, int fd, const struct peer_place *place,
	struct listener **out, struct fault *why)
{
	int is_listening = 0, type = 0;
	socklen_t size = sizeof is_listening, type_size = sizeof type;
	struct sockaddr_un address = {0};
	socklen_t length = sizeof address;
	*out = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0 || !is_listening ||
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0 ||
		type != SOCK_STREAM || getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
		address.sun_family != AF_UNIX)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"descriptor %d is no listening Unix stream socket", fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
		return fault_set(why, ERR_IO, "descriptor %d: %s", fd, strerror(errno));
	struct listener *l = listener_new(s, fd, place);
	if (!l)
		return fault_set(why, ERR_NO_MEMORY, "out of memory for a socket");
	if (length > offsetof(struct sockaddr_un, sun_path) && address.sun_path[0] == '/')
		snprintf(l->path, sizeof l->path, "%.*s", (int)sizeof address.sun_path - 1,
			address.sun_path);
	*out = l;
	return OK;
}

/* Only a pipe has a size, and none that is only a place (O_PATH); what fstat says may be what a program of the caller's
 * says. */
enum err listener_check_until(int fd, struct fault *why)
{
	const int flags = fcntl(fd, F_GETFL);
	if (fcntl(fd, F_GETPIPE_SZ) > 0 && flags >= 0 && (flags & O_ACCMODE) != O_WRONLY)
		return OK;
	return fault_set(why, ERR_INVALID_ARGUMENT,
		"the second descriptor is no pipe's end to read from, whose other end would be "
		"closed when the socket is to go");
}

static void on_until(struct loop_io *io, int ready)
{
	struct listener *l = container_of(io, struct listener, until);
	(void)ready;
	l->on_end(l, l->context);
}

void listener_until(struct listener *l, int fd, void (*on_end)(struct listener *l, void *context),
	void *context)
{
	l->until_fd = fd;
	l->on_end = on_end;
	l->context = context;
	LOOP_CALLS(&l->until, on_ready, on_until);
	loop_io_set(l->loop, &l->until, fd, LOOP_READ);
}

void listener_pause(struct listener *l)
{
	l->is_paused = true;
	loop_io_stop(&l->io);
	loop_timer_stop(&l->again);
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	listener_pause(l);
	if (l->is_ours && listener_is_reachable(l))
		unlink(l->path);
	closer_give(l->sessions->closer, l->fd); /* who waits to be accepted may have sent some */
	if (l->reserve >= 0)
		close(l->reserve);
	loop_io_stop(&l->until);
	if (l->until_fd >= 0)
		closer_give(l->sessions->closer, l->until_fd);
	free(l);
}

const char *listener_path(const struct listener *l)
{
	return l->path;
}

bool listener_is_reachable(const struct listener *l)
{
	struct stat st;
	return !l->is_ours ||
	       (stat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode);
}

bool listener_would_go(const struct listener *l)
{
	return l->is_ours || l->place.socket == PEER_SOCKET_HANDED;
}

const struct peer_place *listener_place(const struct listener *l)
{
	return &l->place;
}

void listener_set_profile(struct listener *l, const char *profile)
{
	struct fault why = FAULT_NONE;
	if (strcmp(l->place.profile, profile) == 0)
		return;
	fault_set(&why, ERR_DENIED,
		"the socket that this connection came by was given another profile");
	sessions_end_of(l->sessions, &l->place, &why);
	fault_text(l->place.profile, sizeof l->place.profile, span_str(profile));
}
