/* test_prompts.c - what is kept of prompts, for how long, and what is left of it where a writer was killed? */
#include "brokerd/store/prompts.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "protocol/base/buf.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"
#include "tests/lib/whole_file.h"

#define DAY_S  INT64_C(86400)
#define DAY_US (DAY_S * 1000000)

static struct loop *loop;
static struct workers *workers;
static struct prompts *store;
static char dir[] = "/tmp/test_prompts.XXXXXX";
static char store_dir[64], log_path[64];
static const unsigned char key[PROMPTS_KEY_BYTES] = "0123456789abcdef0123456789abcde";
static const unsigned char other[PROMPTS_KEY_BYTES] = "another key, of another vault...";
static const struct prompts_limits limits = {.bytes = 16 * MIB, .age_s = 8 * DAY_S};

struct told {
	struct prompts_wait wait;
	char text[400]; /* "class" or "at bytes text", of a long one its end */
};

static void on_done(struct prompts_wait *w, const struct prompt *found, const struct fault *why)
{
	struct told *t = container_of(w, struct told, wait);
	if (why->err)
		(void)snprintf(t->text, sizeof t->text, "%s", err_info(why->err)->word);
	else
		(void)snprintf(t->text, sizeof t->text, "%zu of %lld: %.*s", found->text.n,
			(long long)found->bytes, SPAN_ARG(span_first(found->text, 200)));
}

static void settle(void)
{
	while (workers_pending(workers) > 0)
		loop_virtual_settle(loop);
}

static void is_found(const char *id, const char *want, const char *name)
{
	struct told t = {.wait = {.on_done = on_done}};
	struct fault why;
	const enum err err = prompts_find(store, span_str(id), &t.wait, &why);
	if (err)
		(void)snprintf(t.text, sizeof t.text, "%s at once", err_info(err)->word);
	settle();
	is_str(t.text, want, "%s", name);
}

static void keep(const char *id, const char *text)
{
	prompts_keep(store, span_str(id), span_str(text));
	settle();
}

static void begin(const unsigned char *with, const struct prompts_limits *most)
{
	store = prompts_new(loop, workers, store_dir);
	if (!store)
		bail("no memory");
	prompts_limit(store, most);
	if (with)
		prompts_open(store, with);
	settle();
}

static void end(void)
{
	settle();
	prompts_free(store);
	store = NULL;
}

struct files {
	size_t n;
	long long bytes;
	char newest[400];
};

static struct files look(void (*act)(const char *path))
{
	struct files f = {.n = 0};
	unsigned long long highest = 0;
	DIR *d = opendir(store_dir);
	struct dirent *e;
	while (d && (e = readdir(d))) {
		char path[400];
		struct stat st;
		unsigned long long number;
		(void)snprintf(path, sizeof path, "%s/%s", store_dir, e->d_name);
		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		f.n++;
		f.bytes += st.st_size;
		if (sscanf(e->d_name, "prompts-%llu-", &number) == 1 && number > highest) {
			highest = number;
			memcpy(f.newest, path, sizeof path);
		}
		if (act)
			act(path);
	}
	if (d)
		closedir(d);
	return f;
}

static void is_sealed(const char *path)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(16 * MIB);
	struct stat st;
	ok(whole_file(path, &bytes) && stat(path, &st) == 0, "a file can be read");
	ok(span_find(buf_view(&bytes), SPAN("secret")) == bytes.n, "and says nothing");
	is_int(st.st_mode & 0777, 0600, "to nobody else anyway");
}

/* How often the log has it. */
static int said(const char *what)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(MIB);
	int n = 0;
	if (!whole_file(log_path, &bytes))
		bail("%s", log_path);
	for (struct span rest = buf_view(&bytes); rest.n > 0; n++) {
		const size_t at = span_find(rest, span_str(what));
		if (at == rest.n)
			break;
		rest = span_skip(rest, at + 1);
	}
	return n;
}

static void check_off(void)
{
	static const struct prompts_limits none = {.bytes = 16 * MIB};
	begin(key, &none);
	keep("req_1", "a secret");
	is_found("req_1", "unsupported at once", "off: none is kept");
	ok(access(store_dir, F_OK) != 0, "and there is not even a folder");
	is_uint(loop_virtual_timers(loop), 0, "nor a timer");
	prompts_keep(NULL, SPAN("req_1"), SPAN("x"));
	prompts_limit(store, &limits);
	keep("req_1", "a secret");
	is_int((int64_t)look(NULL).n, 1, "on: one is");
	prompts_limit(store, &none);
	settle();
	ok(access(store_dir, F_OK) != 0, "off again: what was kept is gone");
	end();
}

static void check_kept(void)
{
	begin(key, &limits);
	keep("req_1", "the first secret");
	keep("req_2", "the second secret");
	keep("req_empty", "");
	is_found("req_1", "16 of 16: the first secret", "one");
	is_found("req_2", "17 of 17: the second secret", "another");
	is_found("req_3", "not_found", "one that never was");
	is_found("req_", "not_found", "a part of an id");
	is_found("req_empty", "not_found", "nothing is nothing");
	look(is_sealed);
	is_int((int64_t)look(NULL).n, 1, "in one file");
	end();
	begin(key, &limits);
	is_found("req_1", "16 of 16: the first secret", "another process finds it");
	keep("req_4", "a fourth");
	is_int((int64_t)look(NULL).n, 1, "and writes in the same file");
	prompts_close(store);
	keep("req_5", "a fifth");
	keep("req_5", "a fifth");
	is_int(said("prompts are not kept: the vault"), 1, "locked: it is said, once");
	is_found("req_1", "locked at once", "locked: nothing is read");
	prompts_open(store, key);
	is_found("req_4", "8 of 8: a fourth", "open again");
	is_found("req_5", "not_found", "what came meanwhile is not kept");
	prompts_open(store, other);
	is_found("req_4", "not_found", "another vault's key does not open it");
	keep("req_6", "a sixth");
	is_found("req_6", "7 of 7: a sixth", "but what it sealed");
	end();
}

/* A record under another's id, as somebody with the disk could write it. */
static void check_bound(void)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(MIB);
	begin(key, &limits);
	keep("req_mine", "a secret");
	const struct files f = look(NULL);
	if (!whole_file(f.newest, &bytes))
		bail("%s", f.newest);
	memcpy(bytes.p + 5, "req_your", 8);
	const int fd = open(f.newest, O_WRONLY | O_CLOEXEC);
	if (pwrite(fd, bytes.p, bytes.n, 0) != (ssize_t)bytes.n)
		bail("%s", f.newest);
	close(fd);
	is_found("req_your", "not_found", "a record stands for no other request");
	end();
}

static void check_torn(void)
{
	begin(key, &limits);
	keep("req_1", "the first");
	const long long whole = look(NULL).bytes;
	keep("req_2", "the second");
	const struct files f = look(NULL);
	end();
	for (long long left = f.bytes - 1; left > whole; left -= 7) {
		if (truncate(f.newest, left) != 0)
			bail("%s", f.newest);
		begin(key, &limits);
		is_found("req_1", "9 of 9: the first", "what was whole is there");
		is_found("req_2", "not_found", "what broke off is not");
		keep("req_3", "the third");
		is_found("req_3", "9 of 9: the third", "and more can be written");
		end();
	}
	is_int((int64_t)look(NULL).n, 1, "all in one file");
}

static void check_age(void)
{
	begin(key, &limits);
	keep("req_0", "of the first day");
	for (int day = 1; day <= 20; day++) {
		char id[16];
		loop_virtual_advance(loop, DAY_US);
		(void)snprintf(id, sizeof id, "req_%d", day);
		keep(id, "of its day");
	}
	is_found("req_13", "10 of 10: of its day", "younger than it may be");
	is_found("req_12", "not_found", "as old as it may be: gone");
	ok(look(NULL).n <= 8, "with its file");
	loop_virtual_advance(loop, 8 * DAY_US);
	settle();
	is_int((int64_t)look(NULL).n, 0, "they go by themselves, where none comes");
	end();
}

static void check_size(void)
{
	static const struct prompts_limits small = {.bytes = MIB, .age_s = 8 * DAY_S};
	static char text[3 * MIB];
	memset(text, 'x', sizeof text - 1);
	begin(key, &small);
	text[10000] = '\0';
	long long most = 0;
	for (int i = 0; i < 500; i++) {
		char id[16];
		(void)snprintf(id, sizeof id, "req_%d", i);
		keep(id, text);
		const long long bytes = look(NULL).bytes;
		most = bytes > most ? bytes : most;
	}
	ok(most <= (long long)MIB && most > (long long)MIB * 7 / 8, "bounded, and used: %lld",
		most);
	ok(look(NULL).n <= 18, "in few files: %zu", look(NULL).n);
	struct told t = {.wait = {.on_done = on_done}};
	struct fault why;
	is_err(prompts_find(store, SPAN("req_499"), &t.wait, &why), OK, "the newest");
	settle();
	ok(strncmp(t.text, "10000 of 10000: xxx", 19) == 0, "is whole");
	is_found("req_0", "not_found", "the oldest is gone");

	text[10000] = 'x';
	memcpy(text + MIB / 4 - 1, "\xc3\xa4", 2); /* a letter of two bytes, where it is cut */
	keep("req_long", text);
	is_err(prompts_find(store, SPAN("req_long"), &t.wait, &why), OK, "a long one");
	settle();
	char want[64];
	(void)snprintf(want, sizeof want, "%d of %d: xxx", (int)MIB / 4 - 1, (int)sizeof text - 1);
	ok(strncmp(t.text, want, strlen(want)) == 0, "its beginning is kept: %.40s", t.text);
	ok(look(NULL).bytes <= (long long)MIB, "within the bound");

	/* more than can be written: they are dropped, and memory is bounded */
	text[10000] = '\0';
	for (int i = 0; i < 3000; i++)
		prompts_keep(store, SPAN("req_many"), span_str(text));
	settle();
	keep("req_after", "later");
	is_found("req_after", "5 of 5: later", "then it goes on");
	is_int(said("more came than could be written"), 1, "and it is said that some are not kept");
	end();
}

/* A folder that cannot be written. */
static void check_failing(void)
{
	begin(key, &limits);
	const int fd = open(store_dir, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	keep("req_1", "the first");
	keep("req_2", "the second");
	is_int(said("prompts are not kept\" why="), 1, "it is said, once");
	is_found("req_1", "not_found", "none is there");
	(void)unlink(store_dir);
	keep("req_3", "the third");
	is_int(said("prompts are kept again"), 1, "and that it is better");
	is_found("req_3", "9 of 9: the third", "by itself");
	end();
}

/* What a clock that was ahead has written goes too. */
static void rename_ahead(const char *from, char to[400], int64_t s)
{
	unsigned long long number;
	if (sscanf(strrchr(from, '/'), "/prompts-%llu-", &number) != 1)
		bail("%s", from);
	(void)snprintf(to, 400, "%s/prompts-%llu-%lld", store_dir, number,
		(long long)(loop_wall_us(loop) / 1000000 + s));
	if (rename(from, to) != 0)
		bail("%s", from);
}

static void check_ahead(void)
{
	static const struct prompts_limits none = {.bytes = 16 * MIB};
	static const int64_t ahead_s[] = {7200, 100 * 365 * DAY_S};
	char first[400];
	for (size_t i = 0; i < COUNT_OF(ahead_s); i++) {
		begin(key, &limits);
		keep("req_1", "of a clock that was ahead");
		const struct files f = look(NULL);
		end();
		rename_ahead(f.newest, first, ahead_s[i]);
		begin(key, &limits);
		is_found("req_1", "25 of 25: of a clock that was ahead", "it is kept");
		keep("req_2", "the second");
		is_int((int64_t)look(NULL).n, 2, "and not written on");
		prompts_limit(store, &none);
		settle();
		is_int((int64_t)look(NULL).n, 0, "off: it is gone, and what came behind it");
		end();

		begin(key, &limits);
		keep("req_1", "of a clock that was ahead");
		const struct files again = look(NULL);
		end();
		rename_ahead(again.newest, first, ahead_s[i]);
		/* when it was written is of that clock too */
		const struct timespec ahead = {loop_wall_us(loop) / 1000000 + ahead_s[i], 0};
		const struct timespec both[] = {ahead, ahead};
		if (utimensat(AT_FDCWD, first, both, 0) != 0)
			bail("%s", first);
		begin(key, &limits);
		keep("req_2", "the second");
		loop_virtual_advance(loop, 7 * DAY_US);
		is_found("req_2", "10 of 10: the second", "what came behind it");
		end();
		begin(key, &limits); /* it is not young again in another process */
		loop_virtual_advance(loop, DAY_US + 2 * 3600 * INT64_C(1000000));
		settle();
		is_int((int64_t)look(NULL).n, 0, "each goes when it is too old");
		end();
	}
}

/* A clock that is behind for a while, as of a host that asks the net for the time, costs nothing. */
static void check_behind(void)
{
	begin(key, &limits);
	keep("req_1", "the first");
	end();
	loop_virtual_set_wall(loop, loop_wall_us(loop) - 1000 * DAY_US);
	begin(key, &limits);
	is_found("req_1", "9 of 9: the first", "it is there while the clock is behind");
	end();
	loop_virtual_set_wall(loop, loop_wall_us(loop) + 1000 * DAY_US);
	begin(key, &limits);
	is_found("req_1", "9 of 9: the first", "and after that");
	loop_virtual_advance(loop, 9 * DAY_US);
	settle();
	is_int((int64_t)look(NULL).n, 0, "until it is too old");
	end();
}

/* A file that cannot be removed: for a test that may be root's, a folder is in its place. */
static void check_stuck(void)
{
	static const struct prompts_limits none = {.bytes = 16 * MIB};
	for (int is_off = 0; is_off < 2; is_off++) {
		begin(key, &limits);
		keep("req_1", "the first");
		const struct files f = look(NULL);
		if (unlink(f.newest) != 0 || mkdir(f.newest, 0700) != 0)
			bail("%s", f.newest);
		if (is_off)
			prompts_limit(store, &none);
		settle();
		loop_virtual_advance(loop, 9 * DAY_US);
		settle();
		is_int(said("prompts that have to go cannot be removed"), is_off + 1,
			"it is said, once");
		if (rmdir(f.newest) != 0)
			bail("%s", f.newest);
		const int fd = open(f.newest, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		close(fd);
		loop_virtual_advance(loop, 2 * 3600 * INT64_C(1000000));
		settle();
		is_int((int64_t)look(NULL).n, 0, "it goes when it can");
		is_int(said("prompts are removed again"), is_off + 1, "and that is said");
		is_uint(loop_virtual_timers(loop), is_off ? 0 : 1, "nothing is waited for but age");
		end();
	}
}

static void remove_it(const char *path)
{
	(void)unlink(path);
}

int main(void)
{
	void (*const checks[])(void) = {check_off, check_kept, check_bound, check_torn, check_age,
		check_size, check_failing, check_ahead, check_behind, check_stuck};
	struct fault why = FAULT_NONE;
	if (!mkdtemp(dir))
		bail("no folder in /tmp");
	(void)snprintf(log_path, sizeof log_path, "%s/log", dir);
	log_init(LOG_LEVEL_INFO, open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	(void)snprintf(store_dir, sizeof store_dir, "%s/prompts", dir);
	loop = loop_new(&why);
	workers = workers_new(loop, 1, &why);
	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		checks[i]();
		look(remove_it);
		(void)rmdir(store_dir);
	}
	workers_free(workers);
	loop_free(loop);
	ok(said("secret") + said("the first") == 0, "the log has no word of them");
	(void)unlink(log_path);
	(void)rmdir(dir);
	return tap_done();
}
