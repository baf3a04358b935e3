/* gemini_home.c - a folder of links, and one file that is a copy with one member more. */
#include "libllmclient/cli/gemini_home.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libllmclient/cli/json_edit.h"
#include "libllmclient/cli/settings_file.h"

#define NAME     "/gemini"
#define INSIDE   "/.gemini"
#define SETTINGS "settings.json"
#define WANTED   "\"gemini-api-key\""

static const struct json_path selected = {
	{"security", "auth", "selectedType"}
};

static enum err fail(struct fault *why, const char *path)
{
	return fault_set(why, ERR_IO, "%s: %s", path, strerror(errno));
}

/* What the user has there, but for the settings. */
static enum err link_all(const char *from, const char *to, struct fault *why)
{
	char target[PATH_MAX], link[PATH_MAX];
	enum err err = OK;
	DIR *d = opendir(from);
	if (!d)
		return errno == ENOENT ? OK : fail(why, from);
	for (const struct dirent *e; !err && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
			strcmp(e->d_name, SETTINGS) == 0)
			continue;
		const int n = snprintf(target, sizeof target, "%s/%s", from, e->d_name),
			  m = snprintf(link, sizeof link, "%s/%s", to, e->d_name);
		if (n < 0 || m < 0 || (size_t)n >= sizeof target || (size_t)m >= sizeof link ||
			symlink(target, link) != 0)
			err = fail(why, from);
	}
	closedir(d);
	return err;
}

/* The user's, with what is needed in them; *is_needed is false where it is there already. */
static enum err make_settings(const char *from, struct buf *out, bool *is_needed, struct fault *why)
{
	char path[PATH_MAX + 64];
	struct settings_file own;
	struct json_document d = {.root = JSON_NONE};
	(void)snprintf(path, sizeof path, "%s/" SETTINGS, from);
	enum err err = settings_read(&own, path, why);
	if (!err)
		err = json_document_open(&d, buf_view(&own.text), why);
	*is_needed = !err && !span_is(json_document_at(&d, &selected), WANTED);
	if (*is_needed)
		err = json_document_put(&d, &selected, SPAN(WANTED), out, why);
	json_document_done(&d);
	settings_done(&own);
	return err;
}

static enum err write_settings(const char *to, struct span text, struct fault *why)
{
	char path[PATH_MAX + 64];
	struct settings_file f;
	(void)snprintf(path, sizeof path, "%s/" SETTINGS, to);
	enum err err = settings_read(&f, path, why);
	if (!err)
		err = settings_write(&f, text, why);
	settings_done(&f);
	return err;
}

enum err gemini_home_make(const char *folder, struct arena *a, const char **path, struct fault *why)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SETTINGS_BYTES_MAX * 2);
	char from[PATH_MAX], home[PATH_MAX], to[PATH_MAX + sizeof INSIDE];
	const char *given = getenv(GEMINI_HOME), *own = given && given[0] ? given : getenv("HOME");
	bool is_needed;
	*path = NULL;
	if (!own || own[0] != '/')
		return fault_set(why, ERR_INVALID_ARGUMENT, "HOME is not set");
	if ((size_t)snprintf(from, sizeof from, "%s" INSIDE, own) >= sizeof from)
		return fault_set(why, ERR_INVALID_ARGUMENT, "HOME is too long");
	(void)snprintf(home, sizeof home, "%s" NAME, folder);
	(void)snprintf(to, sizeof to, "%s" INSIDE, home);
	enum err err = make_settings(from, &text, &is_needed, why);
	if (err || !is_needed)
		return err;
	if (mkdir(home, 0700) != 0 || mkdir(to, 0700) != 0)
		return fail(why, to);
	err = link_all(from, to, why);
	if (!err)
		err = write_settings(to, buf_view(&text), why);
	if (err)
		return err;
	*path = arena_str(a, span_str(home));
	return *path ? OK : fault_set(why, ERR_NO_MEMORY, "out of memory");
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	(void)remove(path); /* what is left there is in the way of nobody */
	return 0;
}

void gemini_home_remove(const char *folder)
{
	char home[PATH_MAX];
	struct stat st;
	if ((size_t)snprintf(home, sizeof home, "%s" NAME, folder) < sizeof home &&
		lstat(home, &st) == 0)
		(void)nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
