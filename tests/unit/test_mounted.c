/* test_mounted.c - is a folder's disk missed once it is unmounted, and found once one is there? */
#include "brokerd/value/mounted.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/tap.h"

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void check_unmounted(const char *at, const char *folder)
{
	struct mounted m;
	struct fault why = FAULT_NONE;
	char place[128], below[128];
	snprintf(place, sizeof place, "%s", in_dir(at));
	snprintf(below, sizeof below, "%s", in_dir(folder));
	if (mount("tmpfs", place, "tmpfs", 0, "size=1m,mode=700") != 0)
		bail("mount: %s", strerror(errno));
	mkdir(below, 0700);
	mounted_note(&m, below);
	is_str(m.at, place, "%s: where its disk is mounted", folder);
	is_err(mounted_check(&m, &why), OK, "it is there");
	umount(place);
	is_err(mounted_check(&m, &why), ERR_IO, "then it is not: %s", why.message);
	ok(strstr(why.message, place) != NULL, "which names it");
	mkdir(below, 0700);
	is_err(mounted_check(&m, &why), ERR_IO, "whatever else is in its place");
	if (mount("tmpfs", place, "tmpfs", 0, "size=1m,mode=700") != 0)
		bail("mount: %s", strerror(errno));
	is_err(mounted_check(&m, &why), OK, "another one will do");
	umount(place);
	if (strcmp(at, folder) != 0)
		rmdir(below);
}

int main(void)
{
	struct mounted m;
	struct fault why = FAULT_NONE;
	snprintf(dir, sizeof dir, "/tmp/test_mounted.XXXXXX");
	if (!mkdtemp(dir))
		bail("no folder in /tmp");
	mounted_note(&m, "/");
	is_str(m.at, "", "the root of all is always there");
	is_err(mounted_check(&m, &why), OK, "so it is never missed");
	mounted_note(&m, in_dir("nowhere"));
	is_err(mounted_check(&m, &why), OK, "nor is what was not there");
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
		mount(NULL, "/", "none", MS_REC | MS_PRIVATE, NULL) != 0) {
		skip("only root can mount");
	} else {
		mkdir(in_dir("disk"), 0700);
		check_unmounted("disk", "disk");
		check_unmounted("disk", "disk/state");
		rmdir(in_dir("disk"));
	}
	rmdir(dir);
	return tap_done();
}
