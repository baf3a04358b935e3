/* test_responses.c - what is kept of answers, for whom, and for how long? */
#include "brokerd/store/responses.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/base/buf.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"
#include "tests/lib/whole_file.h"

#define NOW INT64_C(1795305600)
#define DAY INT64_C(86400)

static struct loop *loop;
static struct workers *workers;
static char dir[] = "/tmp/test_responses.XXXXXX";
static char store_dir[64];
static const unsigned char key[RESPONSES_KEY_BYTES] = "0123456789abcdef0123456789abcde";
static const unsigned char other[RESPONSES_KEY_BYTES] = "another key, of another vault...";
static const struct responses_limits limits = {.bytes = 1024 * MIB, .age_s = 30 * DAY};

/* What an operation told, as text: "ok: id<previous=json, ..." or the class and the id it names. */
struct told {
	struct responses_wait wait;
	char text[4096];
};

static void on_done(
	struct responses_wait *w, const struct response *list, size_t n, const struct fault *why)
{
	struct told *t = container_of(w, struct told, wait);
	size_t at = (size_t)snprintf(t->text, sizeof t->text,
		"%s%s%s:", why->err ? err_info(why->err)->word : "ok", why->param[0] ? " " : "",
		why->param);
	for (size_t i = 0; i < n && at < sizeof t->text - 200; i++)
		at += (size_t)snprintf(t->text + at, sizeof t->text - at, " %.*s<%.*s=%.*s",
			SPAN_ARG(list[i].id), SPAN_ARG(list[i].previous), SPAN_ARG(list[i].json));
}

static void settle(void)
{
	while (workers_pending(workers) > 0)
		loop_virtual_settle(loop);
}

static void is_told(struct told *t, enum err begun, const char *want, const char *name)
{
	if (begun)
		(void)snprintf(t->text, sizeof t->text, "%s at once", err_info(begun)->word);
	settle();
	is_str(t->text, want, "%s", name);
}

static void put(struct responses *s, uid_t uid, const char *id, const char *previous,
	const char *json, const char *want)
{
	struct told t = {.wait = {.on_done = on_done}};
	struct fault why;
	const struct response r = {.id = span_str(id),
		.previous = previous ? span_str(previous) : SPAN_NONE,
		.json = span_str(json),
		.at_s = NOW};
	is_told(&t, responses_put(s, uid, &r, &t.wait, &why), want, id);
}

static void get(struct responses *s, uid_t uid, const char *id, bool with_chain, int64_t now_s,
	const char *want, const char *name)
{
	struct told t = {.wait = {.on_done = on_done}};
	struct fault why;
	is_told(&t, responses_get(s, uid, span_str(id), with_chain, now_s, &t.wait, &why), want,
		name);
}

static struct responses *make(const unsigned char *with, const struct responses_limits *most)
{
	struct responses *s = responses_new(workers, store_dir);
	if (!s)
		bail("no memory");
	responses_open(s, with, most);
	settle();
	return s;
}

/* Does something for each file; how many there were. */
static size_t each_file(void (*act)(const char *path))
{
	DIR *d = opendir(store_dir);
	struct dirent *e;
	size_t n = 0;
	while (d && (e = readdir(d))) {
		char path[400];
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", store_dir, e->d_name);
		n++;
		if (act)
			act(path);
	}
	if (d)
		closedir(d);
	return n;
}

static void is_sealed(const char *path)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(MIB);
	struct stat st;
	ok(whole_file(path, &bytes) && stat(path, &st) == 0, "a file can be read");
	ok(span_find(buf_view(&bytes), SPAN("secret")) == bytes.n, "and says nothing");
	is_int(st.st_mode & 0777, 0600, "to nobody else anyway");
}

static void spoil(const char *path)
{
	const int fd = open(path, O_WRONLY);
	ok(fd >= 0 && pwrite(fd, "x", 1, 40) == 1 && close(fd) == 0, "a byte is changed");
}

static void cut(const char *path)
{
	ok(truncate(path, 30) == 0, "a file is cut");
}

static void wipe(const char *path)
{
	if (unlink(path) != 0)
		bail("cannot remove %s", path);
}

static void check_chain(void)
{
	struct responses *s = make(key, &limits);
	put(s, 1000, "r1", NULL, "{\"a\":\"secret\"}", "ok:");
	put(s, 1000, "r2", "r1", "{}", "ok:");
	put(s, 1000, "r3", "r2", "[]", "ok:");
	get(s, 1000, "r3", true, NOW, "ok: r3<r2=[] r2<r1={} r1<={\"a\":\"secret\"}", "a chain");
	get(s, 1000, "r3", false, NOW, "ok: r3<r2=[]", "one of it");
	get(s, 1001, "r3", true, NOW, "not_found r3:", "another user's is none");
	get(s, 1000, "r4", true, NOW, "not_found r4:", "what never was");
	put(s, 1000, "r2", "r1", "{\"b\":1}", "ok:");
	get(s, 1000, "r2", false, NOW, "ok: r2<r1={\"b\":1}", "the later of two of one name");
	get(s, 1000, "r3", true, NOW + 30 * DAY,
		"ok: r3<r2=[] r2<r1={\"b\":1} r1<={\"a\":\"secret\"}", "as old as may be");
	get(s, 1000, "r3", true, NOW + 30 * DAY + 1, "not_found r3:", "too old");
	each_file(is_sealed);
	responses_close(s);
	get(s, 1000, "r3", true, NOW, "locked at once", "without a key");
	put(s, 1000, "r9", NULL, "{}", "locked at once");
	responses_open(s, key, &limits);
	struct told t = {.wait = {.on_done = on_done}};
	struct fault why;
	is_told(&t, responses_remove(s, 1001, SPAN("r1"), &t.wait, &why),
		"not_found:", "another user removes nothing");
	is_told(&t, responses_remove(s, 1000, SPAN("r1"), &t.wait, &why),
		"ok: r1<={\"a\":\"secret\"}", "one is removed");
	get(s, 1000, "r3", true, NOW, "not_found r1: r3<r2=[] r2<r1={\"b\":1}",
		"what it went on from is gone");
	is_told(&t, responses_get(s, 1000, SPAN("r3"), false, NOW, &t.wait, &why), "ok: r3<r2=[]",
		"who stays is told");
	t.text[0] = '\0';
	if (responses_get(s, 1000, SPAN("r3"), false, NOW, &t.wait, &why) == OK)
		responses_leave(&t.wait);
	settle();
	is_str(t.text, "", "who left is not told");
	responses_free(s);
}

static void check_files(void)
{
	struct responses *s = make(other, &limits);
	get(s, 1000, "r3", false, NOW, "not_found:", "another vault's are none");
	responses_free(s);
	s = make(key, &limits);
	get(s, 1000, "r3", false, NOW, "ok: r3<r2=[]", "a later start finds them");
	each_file(spoil);
	get(s, 1000, "r3", false, NOW, "not_found:", "one that was changed is none");
	each_file(cut);
	get(s, 1000, "r3", false, NOW, "not_found:", "nor one that was cut");
	each_file(wipe);
	put(s, 1000, "a", "a", "{}", "ok:");
	get(s, 1000, "a", true, NOW, "too_big:", "one that goes on from itself");
	responses_free(s);
}

/* The oldest go first, by the clock of the files. */
static void check_bounds(void)
{
	const struct responses_limits small = {.bytes = 1, .age_s = 30 * DAY};
	struct responses *s = make(key, &limits);
	put(s, 1000, "b", NULL, "{}", "ok:");
	is_uint(each_file(NULL), (size_t)2, "two are there");
	responses_open(s, key, &small);
	settle();
	is_uint(each_file(NULL), (size_t)0, "more than is wanted");
	const struct responses_limits none = {.bytes = 1024 * MIB, .age_s = 0};
	responses_open(s, key, &none);
	ok(responses_is_open(s) && !responses_keeps(s), "it may be that none is to be kept");
	responses_free(s);
}

/* A day older than it was, by the file's clock. */
static void age(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		bail("no %s", path);
	const struct timespec at = {.tv_sec = st.st_mtime - DAY};
	const struct timespec both[2] = {at, at};
	if (utimensat(AT_FDCWD, path, both, 0) != 0)
		bail("cannot age %s", path);
}

/* Who has most gives way first, so that nobody can push out what others keep. */
static void check_shares(void)
{
	OWNED(buf_done) struct buf long_one = BUF_INIT(MIB);
	struct responses *s = make(key, &limits);
	put(s, 1001, "other's", NULL, "{}", "ok:");
	each_file(age);
	buf_byte(&long_one, '"');
	for (size_t i = 0; i < 30000; i++)
		buf_byte(&long_one, 'x');
	buf_put(&long_one, "\"", 2);
	put(s, 1000, "m1", NULL, long_one.p, "ok:");
	each_file(age);
	put(s, 1000, "m2", NULL, long_one.p, "ok:");
	responses_open(s, key, &(struct responses_limits){.bytes = 32 * KIB, .age_s = 30 * DAY});
	settle();
	is_uint(each_file(NULL), (size_t)2, "one goes");
	get(s, 1001, "other's", false, NOW, "ok: other's<={}",
		"not the oldest, which is another's");
	get(s, 1000, "m1", false, NOW, "not_found:", "but the older of who has most");
	responses_free(s);
	each_file(wipe);
}

/* A writer writes beside, and may be at it while files are counted. */
static void check_unfinished(void)
{
	char path[200];
	struct responses *s = make(key, &limits);
	put(s, 1000, "r", NULL, "{}", "ok:");
	each_file(wipe);
	(void)snprintf(path, sizeof path, "%s/%032d.new", store_dir, 0);
	const int fd = open(path, O_WRONLY | O_CREAT, 0600);
	ok(fd >= 0 && close(fd) == 0, "a file that is being written");
	responses_open(s, key, &limits);
	settle();
	is_uint(each_file(NULL), (size_t)1, "stays while somebody may be at it");
	age(path);
	responses_open(s, key, &limits);
	settle();
	is_uint(each_file(NULL), (size_t)0, "and goes when nobody can be");
	responses_free(s);
}

int main(void)
{
	struct fault why;
	if (sodium_init() < 0 || !mkdtemp(dir))
		bail("no folder");
	(void)snprintf(store_dir, sizeof store_dir, "%s/store/responses", dir);
	loop = loop_new(&why);
	workers = loop ? workers_new(loop, 1, &why) : NULL;
	if (!workers)
		bail("no loop");
	check_chain();
	check_files();
	check_bounds();
	check_shares();
	check_unfinished();
	workers_free(workers);
	loop_free(loop);
	each_file(wipe);
	(void)rmdir(store_dir);
	store_dir[strlen(store_dir) - strlen("/responses")] = '\0';
	(void)rmdir(store_dir);
	(void)rmdir(dir);
	return tap_done();
}
