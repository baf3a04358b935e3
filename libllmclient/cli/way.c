/* way.c - name by name from the root on, as the kernel would walk it. */
#include "libllmclient/cli/way.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel has it */

struct way {
	char *to; /* so far, without a slash at its end; PATH_MAX */
	char rest[PATH_MAX];
	int n_links;
};

static enum err fail(struct fault *why, const char *path, int number)
{
	return fault_set(why, ERR_IO, "%s: %s", path, strerror(number));
}

static bool is_believed(uid_t owner)
{
	return owner == 0 || owner == geteuid();
}

/* Others may write into one with a sticky bit, but not take away or rename what is root's there. */
static bool can_others_change(const struct stat *st)
{
	const bool is_open =
		(st->st_mode & S_IWOTH) != 0 || ((st->st_mode & S_IWGRP) != 0 && st->st_gid != 0);
	return st->st_uid != 0 || (is_open && (st->st_mode & S_ISVTX) == 0);
}

static void cut_last(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
}

/* The next name of what is left. */
static struct span take_name(struct span *rest)
{
	while (rest->n > 0 && rest->p[0] == '/')
		*rest = span_skip(*rest, 1);
	return span_cut(rest, '/');
}

static bool add_name(char *to, struct span name)
{
	const size_t n = strlen(to);
	const int more = snprintf(to + n, PATH_MAX - n, "/%.*s", SPAN_ARG(name));
	return more > 0 && (size_t)more < PATH_MAX - n;
}

/* What the link says goes before the rest. */
static enum err follow_link(
	struct way *w, const struct stat *st, struct span rest, struct fault *why)
{
	char said[PATH_MAX], all[PATH_MAX];
	struct stat unused;
	if (!is_believed(st->st_uid))
		return fault_set(why, ERR_DENIED,
			"%s is a link of user %u, who would choose what is written", w->to,
			(unsigned)st->st_uid);
	const ssize_t n = readlink(w->to, said, sizeof said);
	if (n < 0 || ++w->n_links > LINKS_MAX)
		return fail(why, w->to, n < 0 ? errno : ELOOP);
	if (stat(w->to, &unused) != 0)
		return errno == ENOENT
			       ? fault_set(why, ERR_IO, "%s is a link that leads nowhere", w->to)
			       : fail(why, w->to, errno);
	if ((size_t)snprintf(all, sizeof all, "%.*s/%.*s", (int)n, said, SPAN_ARG(rest)) >=
		sizeof all)
		return fail(why, w->to, ENAMETOOLONG);
	memcpy(w->rest, all, sizeof all);
	cut_last(w->to);
	if (said[0] == '/')
		w->to[0] = '\0';
	return OK;
}

static enum err check_folder(const char *path, const struct stat *st, struct fault *why)
{
	if (geteuid() != 0 || !S_ISDIR(st->st_mode) || !can_others_change(st))
		return OK;
	return fault_set(why, ERR_DENIED,
		"%s: others can change what is in this folder, and root goes through none of "
		"those: do it as its user",
		path);
}

/* One name further. */
static enum err step(
	struct way *w, struct span name, struct span rest, bool *is_there, struct fault *why)
{
	struct stat st;
	if (span_is(name, ".") || name.n == 0)
		return OK;
	if (span_is(name, "..")) {
		cut_last(w->to);
		return OK;
	}
	if (!add_name(w->to, name))
		return fail(why, w->to, ENAMETOOLONG);
	if (!*is_there)
		return OK;
	if (lstat(w->to, &st) == 0)
		return S_ISLNK(st.st_mode) ? follow_link(w, &st, rest, why)
					   : check_folder(w->to, &st, why);
	*is_there = false;
	return errno == ENOENT ? OK : fail(why, w->to, errno);
}

enum err way_follow(const char *path, char to[PATH_MAX], bool *is_there, struct fault *why)
{
	struct way w = {.to = to};
	struct stat st;
	enum err err = OK;
	to[0] = '\0';
	*is_there = true;
	if (path[0] != '/' || strlen(path) >= sizeof w.rest)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"%.200s: this is no path from the root on, or too long", path);
	(void)snprintf(w.rest, sizeof w.rest, "%s", path);
	if (lstat("/", &st) == 0)
		err = check_folder("/", &st, why);
	for (struct span rest = span_str(w.rest); !err && rest.n > 0;) {
		const int links = w.n_links;
		const struct span name = take_name(&rest);
		err = step(&w, name, rest, is_there, why);
		if (w.n_links != links)
			rest = span_str(w.rest);
	}
	return err;
}
