/* project.c - from the folder upwards, by descriptors of places. */
#include "brokerd/front/project.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/front/evidence.h"
#include "protocol/base/err.h"

#define DEPTH_MAX 24 /* folders that are looked into */

/* What was mounted by whoever set up the host, where nobody else can: its layers may be anything, but for overlays it is
 * what a whole system runs on. */
static bool answers_at_once(struct span type)
{
	return evidence_is_plain(type) || span_is(type, "overlay");
}

static int octal(struct span s)
{
	int v = 0;
	for (size_t i = 1; i < 4; i++) {
		if (i >= s.n || s.p[i] < '0' || s.p[i] > '7')
			return -1;
		v = v * 8 + (s.p[i] - '0');
	}
	return v;
}

/* Is a path at a mount point, or below it? Blanks and backslashes are \040 and \134 in the point. */
static bool is_below(struct span path, struct span point)
{
	if (span_is(point, "/"))
		return true;
	while (point.n > 0) {
		const int code = point.p[0] == '\\' ? octal(point) : -1;
		const char c = code >= 0 ? (char)code : point.p[0];
		if (path.n == 0 || path.p[0] != c)
			return false;
		path = span_skip(path, 1);
		point = span_skip(point, code >= 0 ? 4 : 1);
	}
	return path.n == 0 || path.p[0] == '/';
}

bool project_is_reachable(struct span path, struct span mounts)
{
	if (!span_starts(path, SPAN("/")))
		return false;
	while (mounts.n > 0) {
		struct span rest = span_cut(&mounts, '\n'), point = SPAN_NONE;
		for (int i = 0; i < 5; i++) /* number, parent, device, root, and the mount point */
			point = span_cut(&rest, ' ');
		const size_t dash = span_find(rest, SPAN(" - "));
		struct span type = dash < rest.n ? span_skip(rest, dash + 3) : SPAN_NONE;
		if (point.n > 0 && is_below(path, point) && !answers_at_once(span_cut(&type, ' ')))
			return false;
	}
	return true;
}

void project_name(struct span path, char *to, size_t size)
{
	const struct span mark = SPAN("\xe2\x80\xa6");
	char text[PATH_MAX + 8];
	if (path.n < size) {
		fault_text(to, size, path);
		return;
	}
	path = span_skip(path, path.n - (size - 1 - mark.n));
	while (path.n > 0 && ((unsigned char)path.p[0] & 0xc0) == 0x80)
		path = span_skip(path, 1); /* of a character that was cut */
	(void)snprintf(text, sizeof text, "%.*s%.*s", SPAN_ARG(mark), SPAN_ARG(path));
	fault_text(to, size, span_str(text));
}

static bool read_path(int folder, const char *name, char *to, size_t size)
{
	const ssize_t n = readlinkat(folder, name, to, size - 1);
	to[n > 0 ? n : 0] = '\0';
	return n > 0 && (size_t)n < size - 1 && !span_ends(span_str(to), SPAN(" (deleted)"));
}

/* Is what is open on a mount that is there, as its path says, and where does it lie? */
static bool is_found(int place, struct span mounts, char *path, size_t size)
{
	char self[32];
	struct statx st;
	(void)snprintf(self, sizeof self, "/proc/self/fd/%d", place);
	return statx(place, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) == 0 &&
	       (st.stx_mask & STATX_MNT_ID) &&
	       answers_at_once(evidence_mount_type(mounts, (int64_t)st.stx_mnt_id)) &&
	       read_path(AT_FDCWD, self, path, size) &&
	       project_is_reachable(span_str(path), mounts);
}

/* Does it hold a `.git`? A file system that is mounted on that is not asked: its place is enough. */
static bool has_repository(int place)
{
	const int git = openat(place, ".git", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (git < 0)
		return false;
	close(git);
	return true;
}

static struct span above(struct span path)
{
	while (path.n > 0 && path.p[path.n - 1] != '/')
		path.n--;
	if (path.n > 1)
		path.n--;
	return path;
}

/* Takes `place`. */
static void climb(int place, struct span path, char *to, size_t size)
{
	for (int depth = 0; place >= 0 && depth < DEPTH_MAX; depth++) {
		errno = 0;
		if (has_repository(place)) {
			project_name(path, to, size);
			break;
		}
		if (errno != ENOENT || path.n <= 1)
			break;
		const int parent = openat(place, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(place);
		place = parent;
		path = above(path);
	}
	if (place >= 0)
		close(place);
}

void project_find(int process, struct span mounts, char *to, size_t size)
{
	char path[PATH_MAX];
	to[0] = '\0';
	if (!read_path(process, "cwd", path, sizeof path) ||
		!project_is_reachable(span_str(path), mounts))
		return;
	const int place = openat(process, "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place < 0)
		return;
	if (is_found(place, mounts, path, sizeof path)) /* it may be another one by now */
		climb(place, span_str(path), to, size);
	else
		close(place);
}
