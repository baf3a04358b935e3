/* evidence.c - the socket, then /proc through one folder descriptor, then: is it still alive? */
#include "brokerd/front/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "brokerd/front/owner.h"
#include "brokerd/front/project.h"
#include "brokerd/value/peer_id.h"
#include "protocol/base/buf.h"
#include "protocol/base/num.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define SENT_FDS     253 /* SCM_MAX_FD of the kernel: more are not in one message */
#define FILE_BYTES   ((size_t)64 * 1024)
#define MOUNTS_BYTES ((size_t)1024 * 1024)

/* ---- the socket ---- */

static void read_creds(int fd, struct evidence *e)
{
	struct ucred who;
	socklen_t size = sizeof who;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || size != sizeof who)
		return;
	e->has_creds = true;
	e->uid = who.uid;
	e->gid = who.gid;
	e->pid = who.pid;
	e->is_our_user = who.uid == geteuid();
}

/* What is longer than any label that we know how to read is none. */
static void read_label(int fd, struct evidence *e)
{
	socklen_t size = sizeof e->label - 1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERSEC, e->label, &size) != 0 || size >= sizeof e->label)
		size = 0;
	e->label[size] = '\0';
}

/* A handle for the process that connected. Kernels before 6.5 have none for a socket: there it is of who has
 * that number now, which must have the other end of it (owner.h). -1: it is gone. */
static int open_process(int fd, struct evidence *e)
{
	int process = -1;
	socklen_t size = sizeof process;
	e->is_proved = getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &size) == 0;
	if (e->is_proved)
		return process;
	if (errno != ENOPROTOOPT)
		return -1;
	return (int)syscall(SYS_pidfd_open, e->pid, 0);
}

void passed_close(struct passed *p, struct closer *closer)
{
	while (p->n > 0)
		closer_give(closer, p->fds[--p->n]);
}

static void take_sender(const struct cmsghdr *c, struct sender *out)
{
	struct ucred who;
	if (c->cmsg_len < CMSG_LEN(sizeof who))
		return;
	memcpy(&who, CMSG_DATA(c), sizeof who);
	*out = (struct sender){who.pid, who.uid};
}

static void take_control(const struct cmsghdr *c, struct passed *out, struct closer *closer)
{
	if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
		take_sender(c, &out->sender);
	if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < n; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
		if (out->n < PASSED_FDS)
			out->fds[out->n++] = fd;
		else
			closer_give(closer, fd);
	}
	if (n > PASSED_FDS)
		passed_close(out, closer);
}

/* There is room for all that a message may have: what there is none for, the kernel would close on our thread. */
ssize_t evidence_recv(int fd, void *to, size_t n, struct passed *out, struct closer *closer)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(SENT_FDS * sizeof(int))];
	} control;
	struct iovec piece = {to, n};
	struct msghdr m = {.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};
	*out = (struct passed){.n = 0};
	const ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	for (struct cmsghdr *c = got < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		take_control(c, out, closer);
	if (got >= 0 && (m.msg_flags & MSG_CTRUNC))
		passed_close(out, closer);
	return got;
}

void evidence_refuse_fds(int fd)
{
	const int no = 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof no);
}

void evidence_want_fds(int fd)
{
	const int yes = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &yes, sizeof yes);
}

bool evidence_is_without_fds(int fd)
{
	int may_come = 1;
	socklen_t size = sizeof may_come;
	return getsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &may_come, &size) == 0 && !may_come;
}

bool evidence_ask_senders(int fd)
{
	const int yes = 1;
	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == 0;
}

bool evidence_is_alive(int process)
{
	struct pollfd p = {.fd = process, .events = POLLIN};
	return poll(&p, 1, 0) == 0;
}

/* ---- files of a process ---- */

/* Reads what is open to its end into `to`, and closes it; false: it cannot be read, or is too long. */
static bool read_open(int fd, struct buf *to)
{
	ssize_t n = -1;
	buf_clear(to);
	while (fd >= 0 && buf_reserve(to, 4096)) {
		n = read(fd, to->p + to->n, 4096);
		if (n <= 0)
			break;
		to->n += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return n == 0 && !buf_error(to);
}

static bool read_all(int folder, const char *name, struct buf *to)
{
	return read_open(openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), to);
}

/* One that somebody has leased is not waited for: it cannot be read. */
static bool read_file(const char *path, struct buf *to)
{
	return read_open(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), to);
}

static bool read_link(int folder, const char *name, char *to, size_t size)
{
	const ssize_t n = readlinkat(folder, name, to, size - 1);
	to[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static enum seen compare_ns(int folder, int own, const char *name)
{
	char theirs[64], ours[64];
	if (!read_link(folder, name, theirs, sizeof theirs) ||
		!read_link(own, name, ours, sizeof ours))
		return SEEN_NOT;
	return strcmp(theirs, ours) == 0 ? SEEN_SAME : SEEN_OTHER;
}

static void read_program(int folder, struct evidence *e)
{
	char target[512];
	if (!read_link(folder, "exe", target, sizeof target))
		return;
	const char *slash = strrchr(target, '/');
	fault_text(e->program, sizeof e->program, span_str(slash ? slash + 1 : target));
}

void evidence_read_cgroup(struct span text, struct evidence *out)
{
	while (text.n > 0) {
		struct span path = span_cut(&text, '\n');
		const struct span number = span_cut(&path, ':'), controllers = span_cut(&path, ':');
		const bool is_unified = span_is(number, "0") && controllers.n == 0;
		if (!span_is_set(path) || path.n >= sizeof out->cgroup ||
			(!is_unified && !span_is(controllers, "name=systemd")))
			continue;
		/* with both, systemd's own has the units */
		if (is_unified && out->cgroup[0] != '\0' && path.n <= 1)
			continue;
		fault_text(out->cgroup, sizeof out->cgroup, path);
	}
}

/* A folder that we are in as well says nothing of it: we may all be in one container, or in one service. */
static void skip_shared(const char *own, struct evidence *out)
{
	size_t n = 0, end = 0;
	while (own[n] != '\0' && own[n] == out->cgroup[n])
		if (own[n++] == '/')
			end = n;
	const bool is_whole = (own[n] == '\0' || own[n] == '/') &&
			      (out->cgroup[n] == '\0' || out->cgroup[n] == '/');
	end = is_whole ? n : end;
	memmove(out->cgroup, out->cgroup + end, strlen(out->cgroup + end) + 1);
}

void evidence_read_unit(struct span cgroup, struct evidence *out)
{
	while (cgroup.n > 0) {
		const struct span part = span_cut(&cgroup, '/');
		if (span_ends(part, SPAN(".service")) || span_ends(part, SPAN(".scope")))
			fault_text(out->unit, sizeof out->unit, part);
	}
}

static void read_cgroup(int folder, int own, struct evidence *e)
{
	OWNED(buf_done) struct buf text = BUF_INIT(FILE_BYTES);
	struct evidence ours = {0};
	if (read_all(own, "cgroup", &text))
		evidence_read_cgroup(buf_view(&text), &ours);
	if (!read_all(folder, "cgroup", &text))
		return;
	evidence_read_cgroup(buf_view(&text), e);
	e->is_in_system = span_starts(span_str(e->cgroup), SPAN("/system.slice/"));
	evidence_read_unit(span_str(e->cgroup), e);
	skip_shared(ours.cgroup, e);
}

/* How many words are in a line. */
static size_t words_in(struct span line)
{
	size_t n = 0;
	for (size_t i = 0; i < line.n; i++)
		n += line.p[i] > ' ' && (i == 0 || line.p[i - 1] <= ' ');
	return n;
}

/* The second of four. */
static bool is_effective(struct span value, int64_t *uid)
{
	(void)span_cut(&value, '\t');
	return span_is_set(value) && num_i64(span_cut(&value, '\t'), uid);
}

void evidence_read_status(struct span text, struct evidence *out, uid_t *uid)
{
	while (text.n > 0) {
		struct span value = span_cut(&text, '\n');
		const struct span name = span_cut(&value, ':');
		int64_t v = 0;
		if (!span_is_set(value))
			continue;
		value = span_trim(value);
		if (span_is(name, "Uid") && is_effective(value, &v))
			*uid = (uid_t)v;
		if (span_is(name, "NSpid"))
			out->is_nested = words_in(value) > 1;
		if (span_is(name, "Seccomp"))
			out->n_filters = span_is(value, "0") ? 0 : INT64_MAX;
		if (span_is(name, "Seccomp_filters") && num_i64(value, &v) && v > 0)
			out->n_filters = v;
	}
}

/* One line: its number, where it is mounted, and the type of its file system. False: it is none. */
static bool read_mount(struct span line, int64_t *number, struct span *point, struct span *type)
{
	const struct span id = span_cut(&line, ' ');
	for (int i = 0; i < 4; i++) /* parent, device, root, and the mount point */
		*point = span_cut(&line, ' ');
	const size_t dash = span_find(line, SPAN(" - "));
	if (dash == line.n || !num_i64(id, number))
		return false;
	line = span_skip(line, dash + 3);
	*type = span_cut(&line, ' ');
	return true;
}

int64_t evidence_root_mount(struct span text)
{
	int64_t last = 0, number;
	struct span point, type;
	while (text.n > 0) {
		if (read_mount(span_cut(&text, '\n'), &number, &point, &type) &&
			span_is(point, "/"))
			last = number;
	}
	return last;
}

struct span evidence_mount_type(struct span text, int64_t wanted)
{
	int64_t number;
	struct span point, type;
	while (text.n > 0) {
		if (read_mount(span_cut(&text, '\n'), &number, &point, &type) && number == wanted)
			return type;
	}
	return SPAN_NONE;
}

/* ---- what a Flatpak says of itself ---- */

static bool is_id(struct span s)
{
	return s.n > 0 && s.n <= 255 && peer_is_plain(s);
}

bool evidence_read_flatpak(struct span text, struct evidence *out)
{
	struct span section = SPAN_NONE;
	while (text.n > 0) {
		struct span value = span_trim(span_cut(&text, '\n'));
		if (span_starts(value, SPAN("["))) {
			section = value;
			continue;
		}
		const struct span key = span_trim(span_cut(&value, '='));
		if (!span_is_set(value) || !is_id(span_trim(value)))
			continue;
		if (span_is(key, "name") &&
			(span_is(section, "[Application]") || span_is(section, "[Runtime]")))
			fault_text(out->flatpak_id, sizeof out->flatpak_id, span_trim(value));
		if (span_is(key, "instance-id") && span_is(section, "[Instance]"))
			fault_text(out->flatpak_instance, sizeof out->flatpak_instance,
				span_trim(value));
	}
	return out->flatpak_id[0] != '\0';
}

bool evidence_is_plain(struct span type)
{
	static const char *const types[] = {"tmpfs", "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs",
		"zfs", "squashfs", "erofs"};
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (span_is(type, types[i]))
			return true;
	}
	return false;
}

/* Is what is open (as a place, not yet as a file) on such a file system? Its mount is pinned: nothing can come over
 * it any more. */
static bool is_plain(int process, int place)
{
	OWNED(buf_done) struct buf mounts = BUF_INIT(MOUNTS_BYTES);
	struct statx st;
	if (statx(place, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) != 0 ||
		!(st.stx_mask & STATX_MNT_ID) || !read_all(process, "mountinfo", &mounts))
		return false;
	return evidence_is_plain(evidence_mount_type(buf_view(&mounts), (int64_t)st.stx_mnt_id));
}

/* A place on such a file system that is a regular file, read. */
static enum flatpak_file read_claim(int place, struct evidence *e)
{
	OWNED(buf_done) struct buf text = BUF_INIT(FILE_BYTES);
	char path[32];
	struct stat st;
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", place);
	if (fstat(place, &st) != 0 || !S_ISREG(st.st_mode) || !read_file(path, &text))
		return FLATPAK_BAD;
	return evidence_read_flatpak(buf_view(&text), e) ? FLATPAK_SOUND : FLATPAK_BAD;
}

static void read_flatpak(int process, struct evidence *e)
{
	const int root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return;
	if (is_plain(process, root)) {
		const int place = openat(root, ".flatpak-info", O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (place < 0)
			e->flatpak = errno == ENOENT ? FLATPAK_NONE : FLATPAK_UNREAD;
		else if (is_plain(process, place))
			e->flatpak = read_claim(place, e);
		if (place >= 0)
			close(place);
	}
	close(root);
}

/* ---- all of it ---- */

/* Is its root mounted as that of the first process is? Who may not look into namespaces can see that. */
static enum seen compare_root_mount(int process)
{
	OWNED(buf_done) struct buf theirs = BUF_INIT(MOUNTS_BYTES), firsts = BUF_INIT(MOUNTS_BYTES);
	if (!read_all(process, "mountinfo", &theirs) || !read_file("/proc/1/mountinfo", &firsts))
		return SEEN_NOT;
	const int64_t a = evidence_root_mount(buf_view(&theirs));
	const int64_t b = evidence_root_mount(buf_view(&firsts));
	return a == 0 || b == 0 ? SEEN_NOT : a == b ? SEEN_SAME : SEEN_OTHER;
}

/* In a container the first process has some, and all have them from it: who has more was given a filter of his own. */
static bool has_own_filter(const struct evidence *e)
{
	OWNED(buf_done) struct buf text = BUF_INIT(FILE_BYTES);
	struct evidence first = {.n_filters = 0};
	uid_t uid;
	if (e->n_filters > 0 && read_file("/proc/1/status", &text))
		evidence_read_status(buf_view(&text), &first, &uid);
	return e->n_filters > first.n_filters;
}

static enum seen read_uid_map(struct span text)
{
	struct span words[3];
	struct span line = span_trim(text);
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		line = span_trim(line);
		words[i] = span_cut(&line, ' ');
	}
	return !span_is_set(line) && span_is(words[0], "0") && span_is(words[1], "0") &&
			       span_is(words[2], "4294967295")
		       ? SEEN_SAME
		       : SEEN_OTHER;
}

static void read_project(int folder, struct evidence *e)
{
	OWNED(buf_done) struct buf mounts = BUF_INIT(MOUNTS_BYTES);
	if (read_all(folder, "mountinfo", &mounts))
		project_find(folder, buf_view(&mounts), e->project, sizeof e->project);
}

static void read_process(int folder, int own, struct evidence *e, uid_t *uid)
{
	OWNED(buf_done) struct buf text = BUF_INIT(FILE_BYTES);
	char root[8];
	read_program(folder, e);
	e->user_ns = compare_ns(folder, own, "ns/user");
	e->mount_ns = compare_ns(folder, own, "ns/mnt");
	e->pid_ns = compare_ns(folder, own, "ns/pid");
	if (read_link(folder, "root", root, sizeof root))
		e->root = strcmp(root, "/") == 0 ? SEEN_SAME : SEEN_OTHER;
	read_cgroup(folder, own, e);
	if (read_all(folder, "uid_map", &text))
		e->uid_map = read_uid_map(buf_view(&text));
	if (read_all(folder, "status", &text))
		evidence_read_status(buf_view(&text), e, uid);
	e->has_filter = has_own_filter(e);
	if (e->mount_ns == SEEN_NOT)
		e->root_mount = compare_root_mount(folder);
	if (e->mount_ns == SEEN_OTHER)
		read_flatpak(folder, e);
	if (e->mount_ns == SEEN_SAME && e->root == SEEN_SAME)
		read_project(folder, e);
}

int evidence_gather(int fd, struct evidence *out)
{
	char path[32];
	uid_t uid = (uid_t)-1;
	*out = (struct evidence){.uid = (uid_t)-1, .gid = (gid_t)-1, .pid = -1};
	read_creds(fd, out);
	if (!out->has_creds)
		return -1;
	read_label(fd, out);
	if (out->pid <= 0)
		return -1; /* it is in none of the namespaces that we see */
	const int process = open_process(fd, out);
	(void)snprintf(path, sizeof path, "/proc/%d", (int)out->pid);
	const int folder = process < 0 ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const int own = folder < 0 ? -1 : open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct evidence said = *out;
	const enum seen owner =
		said.is_proved || folder < 0 ? SEEN_SAME : owner_of_peer(folder, fd);
	said.is_proved = owner == SEEN_SAME;
	if (own >= 0 && owner != SEEN_OTHER) {
		read_process(folder, own, &said, &uid);
		said.has_process = evidence_is_alive(process) && uid == said.uid;
	}
	if (said.has_process)
		*out = said;
	const bool is_kept = out->has_process && !out->is_proved;
	const int all[] = {is_kept ? -1 : process, folder, own};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (all[i] >= 0)
			close(all[i]);
	}
	return is_kept ? process : -1;
}

/* ---- a process that is named by a handle ---- */

/* As the kernel calls what such a descriptor is of; no file's path begins so. */
static bool is_process(int fd)
{
	char path[32], target[64];
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return read_link(AT_FDCWD, path, target, sizeof target) &&
	       (strcmp(target, "anon_inode:[pidfd]") == 0 ||
		       span_starts(span_str(target), SPAN("pidfd:")));
}

/* -1: it has been reaped; 0: it is in none of our namespaces. */
static int64_t pid_of(int process)
{
	OWNED(buf_done) struct buf text = BUF_INIT(FILE_BYTES);
	char path[40];
	int64_t pid = -1;
	(void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", process);
	if (!read_file(path, &text))
		return -1;
	for (struct span rest = buf_view(&text); rest.n > 0;) {
		struct span value = span_cut(&rest, '\n');
		if (span_is(span_cut(&value, ':'), "Pid") && !num_i64(span_trim(value), &pid))
			pid = -1;
	}
	return pid;
}

/* Of the task itself, for there is no socket to ask. */
static void read_own_label(int folder, struct evidence *e)
{
	OWNED(buf_done) struct buf text = BUF_INIT(FILE_BYTES);
	if (!read_all(folder, "attr/current", &text))
		return;
	const struct span label =
		span_trim(span_first(buf_view(&text), span_index(buf_view(&text), '\0')));
	if (label.n < sizeof e->label)
		fault_text(e->label, sizeof e->label, label);
}

enum look evidence_of_process(int process, struct evidence *out)
{
	char path[32];
	uid_t uid = (uid_t)-1;
	struct evidence e = {.gid = (gid_t)-1};
	if (!is_process(process))
		return LOOK_NO_PROCESS;
	const int64_t pid = pid_of(process);
	if (pid <= 0 || pid > INT32_MAX)
		return LOOK_GONE;
	(void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
	const int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const int own = folder < 0 ? -1 : open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (own >= 0) {
		read_process(folder, own, &e, &uid);
		read_own_label(folder, &e);
	}
	if (own >= 0)
		close(own);
	if (folder >= 0)
		close(folder);
	/* it has had that pid all the while */
	if (own < 0 || uid == (uid_t)-1 || !evidence_is_alive(process))
		return LOOK_GONE;
	e.has_creds = e.has_process = e.is_proved = true;
	e.uid = uid;
	e.pid = (pid_t)pid;
	e.is_our_user = uid == geteuid();
	*out = e;
	return LOOK_SEEN;
}
