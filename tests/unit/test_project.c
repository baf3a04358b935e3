/* test_project.c - which repository is found, and where nobody looks for one. */
#include "brokerd/front/project.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/front/evidence.h"
#include "protocol/base/err.h"
#include "tests/lib/tap.h"
#include "tests/lib/whole_file.h"

static const char mounts[] = "27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
			     "30 27 0:40 / /srv/a/remote rw - nfs4 server:/x rw\n"
			     "31 27 0:41 / /srv/a/with\\040blank rw - fuse.sshfs x rw\n"
			     "32 27 0:42 / /mnt/auto rw - autofs systemd-1 rw\n"
			     "33 32 8:2 / /mnt/auto rw - xfs /dev/sdb1 rw\n"
			     "34 27 0:43 / /fast rw - tmpfs tmpfs rw\n"
			     "nonsense\n";

static const struct {
	const char *name, *path;
	bool want;
} paths[] = {
	{"a folder at home",                      "/srv/a/notes",          true },
	{"the top",			       "/",                     true },
	{"a mount in memory",                     "/fast/x",               true },
	{"a network's",			   "/srv/a/remote",         false},
	{"below it",			      "/srv/a/remote/x/y",     false},
	{"beside it, with a longer name",         "/srv/a/remote2",        true },
	{"a program's, with a blank in its name", "/srv/a/with blank/x",   false},
	{"not that one",			  "/srv/a/with\\040blank", true },
	{"what is mounted when it is looked at",  "/mnt/auto/x",           false},
	{"no path",			       "(unreachable)/x",       false},
	{"nothing",			       "",                      false},
};

static void check_paths(void)
{
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		ok(project_is_reachable(span_str(paths[i].path), span_str(mounts)) == paths[i].want,
			"%s", paths[i].name);
	ok(!project_is_reachable(SPAN("/x"), SPAN("1 1 8:1 / / rw - nfs x rw\n")),
		"everything on a network");
	ok(project_is_reachable(SPAN("/x"), SPAN("1 1 8:1 / / rw - overlay x rw\n")),
		"a system that runs on layers");
}

static void check_names(void)
{
	char to[16];
	project_name(SPAN("/srve/notes"), to, sizeof to);
	is_str(to, "/srve/notes", "as it is");
	project_name(SPAN("/srve/notes/abcd"), to, sizeof to);
	is_str(to,
		"\xe2\x80\xa6"
		"e/notes/abcd",
		"its end, where it is too long");
	project_name(SPAN("/home/n\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f/abc"), to, sizeof to - 1);
	is_str(to, "\xe2\x80\xa6\xc3\xb6\xc3\xbc\xc3\x9f/abc", "and no half of a character");
	project_name(SPAN("/a\nb\xff"), to, sizeof to);
	is_str(to, "/a b?", "and no bytes that are no text");
}

static void check_units(void)
{
	static const struct {
		const char *cgroup, *unit;
	} units[] = {
		{"/user.slice/user-1.slice/user@1.service/app.slice/app-x.scope", "app-x.scope"   },
		{"/system.slice/backup.service/child",                            "backup.service"},
		{"/user.slice",						   ""              },
		{"",							      ""              },
	};
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		struct evidence e = {.unit = ""};
		evidence_read_unit(span_str(units[i].cgroup), &e);
		is_str(e.unit, units[i].unit, "the unit of %s", units[i].cgroup);
	}
}

/* ---- with real folders ---- */

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void make(const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (mkdir(path, 0700) != 0)
		bail("mkdir %s: %s", path, strerror(errno));
}

/* What is found for this process, in that folder. */
static const char *found(const char *name)
{
	static char to[128];
	OWNED(buf_done) struct buf text = BUF_INIT(4 * 1024 * 1024);
	char path[256];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	const int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (chdir(path) != 0 || self < 0 || !whole_file("/proc/self/mountinfo", &text))
		bail("%s: %s", path, strerror(errno));
	memset(to, 'x', sizeof to);
	project_find(self, buf_view(&text), to, sizeof to);
	close(self);
	return strncmp(to, dir, strlen(dir)) == 0 ? to + strlen(dir) : to;
}

static void check_folders(void)
{
	char path[256];
	OWNED(buf_done) struct buf text = BUF_INIT(4 * 1024 * 1024);
	if (!whole_file("/proc/self/mountinfo", &text) ||
		!project_is_reachable(span_str(dir), buf_view(&text))) {
		skip("/tmp is on a file system that is not looked at");
		return;
	}
	make("notes");
	make("notes/.git");
	make("notes/src");
	make("notes/src/deep");
	make("work");
	make("work/inner");
	make("none");
	snprintf(path, sizeof path, "%s/work/.git", dir);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	is_str(found("notes"), "/notes", "a repository");
	is_str(found("notes/src/deep"), "/notes", "from inside of it");
	is_str(found("notes/.git"), "/notes", "also from its own folder");
	is_str(found("work/inner"), "/work", "one that lies elsewhere has a file there");
	is_str(found("none"), "", "none");

	snprintf(path, sizeof path, "notes/d");
	for (int i = 0; i < 30; i++, strcat(path, "/d"))
		make(path);
	is_str(found("notes/d/d"), "/notes", "a few folders down");
	is_str(found("notes/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d"), "",
		"it is not looked for without end");

	make("gone");
	is_str(found("gone"), "", "a folder");
	snprintf(path, sizeof path, "%s/gone", dir);
	const int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char to[128];
	rmdir(path);
	project_find(self, buf_view(&text), to, sizeof to);
	is_str(to, "", "that is gone");
	close(self);
}

/* A file system that is mounted over what its path said before: the place that is held is not on what is seen there. */
static void check_mounts(void)
{
	char path[256], to[128];
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
		mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0) {
		skip("only root can mount");
		return;
	}
	snprintf(path, sizeof path, "%s/none", dir);
	if (mount("ramfs", path, "ramfs", 0, NULL) != 0) {
		skip("no ramfs here");
		return;
	}
	make("none/.git");
	is_str(found("none"), "", "a file system that is not on the list");

	/* let go of, it has no path any more that leads there */
	OWNED(buf_done) struct buf text = BUF_INIT(4 * 1024 * 1024);
	const int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	umount2(path, MNT_DETACH);
	if (!whole_file("/proc/self/mountinfo", &text))
		bail("mountinfo");
	project_find(self, buf_view(&text), to, sizeof to);
	is_str(to, "", "nor one that was taken away from under it");
	close(self);
}

int main(void)
{
	check_paths();
	check_names();
	check_units();
	snprintf(dir, sizeof dir, "/tmp/test_project.XXXXXX");
	if (!mkdtemp(dir))
		bail("no folder in /tmp");
	check_folders();
	check_mounts();
	if (chdir("/") != 0)
		bail("chdir");
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
