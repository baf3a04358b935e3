/* wire_record.c - three files, of which the one that names the two others is the last to come and the first to go. */
#include "libllmclient/cli/wire_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "protocol/base/json.h"

#define TEXT_BYTES ((size_t)64 * 1024)

static bool folder_of_records(char *to, size_t max)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n = -1;
	if (state && state[0] == '/')
		n = snprintf(to, max, "%s/llmb/wire", state);
	else if (home && home[0] == '/')
		n = snprintf(to, max, "%s/.local/state/llmb/wire", home);
	return n > 0 && (size_t)n < max;
}

static enum err name_of(
	char *to, size_t max, const char *tool, size_t nth, const char *end, struct fault *why)
{
	const bool is_good = folder_of_records(to, max);
	const size_t at = is_good ? strlen(to) : 0;
	const int n = is_good ? snprintf(to + at, max - at, "/%s-%zu.%s", tool, nth, end) : -1;
	return n > 0 && (size_t)n < max - at
		       ? OK
		       : fault_set(why, ERR_INVALID_ARGUMENT, "HOME is not set");
}

int wire_record_hold(void)
{
	char folder[PATH_MAX];
	const int fd = folder_of_records(folder, sizeof folder)
			       ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			       : -1;
	while (fd >= 0 && flock(fd, LOCK_SH) != 0 && errno == EINTR)
		continue;
	return fd;
}

static enum err open_one(
	struct settings_file *f, const char *tool, size_t nth, const char *end, struct fault *why)
{
	char path[PATH_MAX];
	*f = (struct settings_file){.is_there = false};
	const enum err err = name_of(path, sizeof path, tool, nth, end, why);
	return err ? err : settings_read(f, path, why);
}

static void text_of_member(struct json object, const char *name, char *to, size_t max)
{
	OWNED(buf_done) struct buf text = BUF_INIT(TEXT_BYTES);
	to[0] = '\0';
	if (json_text_to(json_member(object, name), &text))
		(void)snprintf(to, max, "%.*s", SPAN_ARG(buf_view(&text)));
}

static enum err understand(struct wire_record *r, const struct settings_file *f, struct fault *why)
{
	struct json said;
	struct fault wrong = FAULT_NONE;
	const enum err err = json_scan(buf_view(&f->text), JSON_STRICT, &said, &wrong);
	if (err)
		return fault_set(
			why, err, "%s is no record of llmb's (%s)", f->path, wrong.message);
	text_of_member(said, "path", r->path, sizeof r->path);
	text_of_member(said, "made", r->made, sizeof r->made);
	r->was_there = json_is_true(json_member(said, "was_there"));
	r->is_there = r->path[0] != '\0';
	return OK;
}

enum err wire_record_read(struct wire_record *r, const char *tool, size_t nth, struct fault *why)
{
	*r = (struct wire_record){.is_there = false};
	enum err err = open_one(&r->before, tool, nth, "before", why);
	if (!err)
		err = open_one(&r->after, tool, nth, "after", why);
	if (!err)
		err = open_one(&r->said, tool, nth, "json", why);
	return !err && r->said.is_there ? understand(r, &r->said, why) : err;
}

void wire_record_done(struct wire_record *r)
{
	settings_done(&r->before);
	settings_done(&r->after);
	settings_done(&r->said);
}

enum err wire_record_lock(struct wire_record *r, int *lock, struct fault *why)
{
	return settings_lock(&r->said, lock, why);
}

enum err wire_record_check(const struct wire_record *r, struct fault *why)
{
	enum err err = settings_check(&r->said, why);
	if (!err)
		err = settings_check(&r->before, why);
	return err ? err : settings_check(&r->after, why);
}

const char *wire_record_backup(const struct wire_record *r)
{
	return r->before.path;
}

static enum err rewrite(struct settings_file *f, struct span text, struct fault *why)
{
	const enum err err = settings_write(f, text, why);
	if (err)
		return err;
	f->is_there = true;
	buf_clear(&f->text);
	buf_span(&f->text, text);
	return buf_error(&f->text);
}

enum err wire_record_keep(
	struct wire_record *r, struct span before, struct span after, struct fault *why)
{
	OWNED(buf_done) struct buf text = BUF_INIT(TEXT_BYTES);
	struct json_out o = json_to(&text);
	json_open(&o, '{');
	json_pair_str(&o, "path", span_str(r->path));
	json_pair_bool(&o, "was_there", r->was_there);
	json_pair_str(&o, "made", span_str(r->made));
	json_close(&o, '}');
	buf_byte(&text, '\n');
	enum err err = buf_error(&text);
	if (!err)
		err = rewrite(&r->before, before, why);
	if (!err)
		err = rewrite(&r->after, after, why);
	if (!err)
		err = rewrite(&r->said, buf_view(&text), why);
	r->is_there = r->is_there || !err;
	return err;
}

static enum err remove_one(struct settings_file *f, struct fault *why)
{
	const enum err err = settings_remove(f, "", why);
	if (!err) {
		f->is_there = false;
		buf_clear(&f->text);
	}
	return err;
}

enum err wire_record_forget(struct wire_record *r, struct fault *why)
{
	enum err err = remove_one(&r->said, why);
	if (!err)
		err = remove_one(&r->before, why);
	if (!err)
		err = remove_one(&r->after, why);
	r->is_there = r->is_there && err;
	return err;
}
