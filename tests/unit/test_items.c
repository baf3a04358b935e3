/* test_items.c - what is kept for callers that drop it, and for how long? */
#include "brokerd/store/items.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/loop/loop.h"
#include "protocol/base/buf.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

#define NOW INT64_C(1795305600)
#define DAY INT64_C(86400)

static struct loop *loop;
static struct workers *workers;
static char dir[] = "/tmp/test_items.XXXXXX";
static char path[64], old[64];
static const unsigned char key[ITEMS_KEY_BYTES] = "0123456789abcdef0123456789abcde";
static const unsigned char other[ITEMS_KEY_BYTES] = "another key, of another vault...";

static void settle(void)
{
	while (workers_pending(workers) > 0)
		loop_virtual_settle(loop);
}

static struct items *make(size_t bytes)
{
	struct items *s = items_new(workers, path,
		(struct items_limits){.bytes = bytes, .value_bytes = bytes / 2, .age_s = 30 * DAY});
	if (!s)
		bail("no memory");
	return s;
}

static struct items *make_open(size_t bytes, const unsigned char *with)
{
	struct items *s = make(bytes);
	items_open(s, with, NOW);
	settle();
	return s;
}

static void is_value(struct items *s, uid_t uid, const char *id, const char *want, const char *name)
{
	const struct span got = items_get(s, uid, span_str(id), NOW);
	if (want)
		is_mem(got.p, got.n, want, strlen(want), "%s", name);
	else
		ok(!span_is_set(got), "%s", name);
}

static void put(struct items *s, const char *id, const char *value)
{
	items_put(s, 1000, span_str(id), span_str(value), NOW);
}

static void test_memory(void)
{
	struct items *s = make(1000);
	size_t bytes;
	put(s, "call_1", "one");
	put(s, "call_2", "two");
	is_value(s, 1000, "call_1", "one", "what was put");
	is_value(s, 1000, "call_3", NULL, "what was not");
	is_value(s, 1001, "call_1", NULL, "another user's");
	put(s, "call_1", "uno");
	is_value(s, 1000, "call_1", "uno", "in place of an earlier one");
	is_uint(items_count(s, &bytes), 2, "two are there");
	is_uint(bytes, 6, "of six bytes");
	put(s, "call_2", "");
	is_value(s, 1000, "call_2", NULL, "an empty one takes it away");
	put(s, "call_3", "");
	is_uint(items_count(s, &bytes), 1, "and leaves nothing itself");
	ok(!items_is_open(s), "without a key");
	ok(access(path, F_OK) != 0, "there is no file");
	items_free(s);
}

static void test_bounds(void)
{
	struct items *s = make(1000);
	char text[501] = "";
	size_t bytes;
	memset(text, 'x', 400);
	put(s, "a", text);
	put(s, "b", text);
	put(s, "c", text);
	is_value(s, 1000, "a", NULL, "the oldest went");
	is_value(s, 1000, "c", text, "the newest did not");
	memset(text, 'x', 500);
	items_put(s, 1000, SPAN("d"), span_of(text, 501), NOW);
	is_value(s, 1000, "d", NULL, "one that is too long is not kept");
	is_uint(items_count(s, &bytes), 2, "two are there");
	ok(!span_is_set(items_get(s, 1000, SPAN("c"), NOW + 31 * DAY)), "a month later");
	is_uint(items_count(s, &bytes), 0, "all are gone");
	items_free(s);
}

static void test_restart(void)
{
	struct items *s = make_open(4000, key);
	struct stat st;
	put(s, "call_1", "one");
	put(s, "call_2", "two");
	put(s, "call_1", "uno");
	settle();
	is_int(stat(path, &st), 0, "there is a file");
	is_int(st.st_mode & 0777, 0600, "of its owner's alone");
	items_free(s);

	s = make(4000);
	put(s, "call_2", "due");
	put(s, "call_3", "tre");
	items_open(s, key, NOW);
	put(s, "call_4", "quattro");
	settle();
	is_value(s, 1000, "call_1", "uno", "the latest of what was kept");
	is_value(s, 1000, "call_2", "due", "what came before the file was read is newer");
	is_value(s, 1000, "call_4", "quattro", "so is what came meanwhile");
	settle();
	items_free(s);

	s = make(4000);
	items_begin(s, key, NOW);
	is_value(s, 1000, "call_4", "quattro", "it was written after, and a start has it at once");
	is_value(s, 1000, "call_3", NULL, "what came without a key was not");
	items_free(s);

	s = make_open(4000, other);
	is_value(s, 1000, "call_1", NULL, "under another vault's key nothing opens");
	items_close(s);
	put(s, "call_5", "locked");
	settle();
	items_free(s);
	s = make_open(4000, key);
	is_value(s, 1000, "call_5", NULL, "nor is anything written under a locked one");
	is_value(s, 1000, "call_1", "uno", "the others are still there");
	items_free(s);
}

static size_t file_bytes(const char *name)
{
	struct stat st;
	return stat(name, &st) == 0 ? (size_t)st.st_size : 0;
}

static size_t load(char *to)
{
	const int fd = open(path, O_RDONLY);
	const ssize_t n = read(fd, to, file_bytes(path));
	if (n < 0 || close(fd))
		bail("cannot read");
	return (size_t)n;
}

static void save(const char *from, size_t n)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (write(fd, from, n) != (ssize_t)n || close(fd))
		bail("cannot write");
}

/* Wherever the file breaks off, or a byte is wrong: what stands before it is read. */
static void test_torn(void)
{
	struct items *s = make_open(4000, key);
	size_t bad = 0;
	unlink(path);
	put(s, "one", "1111");
	settle();
	const size_t first = file_bytes(path);
	put(s, "two", "2222");
	settle();
	const size_t all = file_bytes(path);
	items_free(s);
	for (size_t n = all - 1; n > 0; n--) {
		if (truncate(path, (off_t)n))
			bail("cannot cut");
		s = make_open(4000, key);
		const bool has_one = span_is_set(items_get(s, 1000, SPAN("one"), NOW));
		const bool has_two = span_is_set(items_get(s, 1000, SPAN("two"), NOW));
		bad += has_one != (n >= first) || has_two;
		items_free(s);
	}
	is_uint(bad, 0, "cut at every byte");
	unlink(path);
	s = make_open(4000, key);
	put(s, "one", "1111");
	settle();
	items_free(s);
	char whole[256];
	if (first > sizeof whole || load(whole) != first)
		bail("cannot read");
	for (size_t i = 0; i < first; i++) {
		whole[i] ^= 1;
		save(whole, first);
		s = make_open(4000, key);
		bad += span_is_set(items_get(s, 1000, SPAN("one"), NOW));
		items_free(s);
		whole[i] ^= 1;
	}
	is_uint(bad, 0, "every bit is authenticated");
	unlink(path);
}

/* Wherever a crash broke the file off, what is kept afterwards is there at the start after next. */
static void test_behind_a_tear(void)
{
	char whole[512];
	struct items *s = make_open(4000, key);
	put(s, "one", "1111");
	settle();
	const size_t first = file_bytes(path);
	put(s, "two", "2222");
	settle();
	items_free(s);
	const size_t all = load(whole);
	size_t bad = 0;
	for (size_t n = 0; n <= all; n++) {
		save(whole, n);
		s = make_open(4000, key);
		put(s, "three", "3333");
		put(s, "four", "4444");
		settle();
		items_free(s);
		s = make_open(4000, key);
		bad += span_is_set(items_get(s, 1000, SPAN("one"), NOW)) != (n >= first);
		bad += span_is_set(items_get(s, 1000, SPAN("two"), NOW)) != (n == all);
		bad += !span_is_set(items_get(s, 1000, SPAN("three"), NOW));
		bad += !span_is_set(items_get(s, 1000, SPAN("four"), NOW));
		items_free(s);
	}
	is_uint(bad, 0, "cut at every byte, and written on");
	/* what a disk makes of blocks that never came */
	memset(whole + all - 20, 0, 20);
	save(whole, all);
	s = make_open(4000, key);
	put(s, "three", "3333");
	settle();
	items_free(s);
	s = make_open(4000, key);
	is_value(s, 1000, "one", "1111", "before zeroes");
	is_value(s, 1000, "three", "3333", "and behind them");
	items_free(s);
	unlink(path);
}

static void test_another_key(void)
{
	struct items *s = make_open(4000, key);
	put(s, "one", "1111");
	settle();
	items_free(s);
	s = make_open(4000, other);
	put(s, "two", "2222");
	settle();
	items_free(s);
	s = make_open(4000, other);
	is_value(s, 1000, "one", NULL, "what the former key sealed is passed over");
	is_value(s, 1000, "two", "2222", "what came under this one is there");
	items_free(s);
	s = make_open(4000, key);
	is_value(s, 1000, "one", "1111", "the former key comes again");
	put(s, "three", "3333");
	settle();
	items_free(s);
	s = make_open(4000, key);
	is_value(s, 1000, "three", "3333", "and goes on");
	items_free(s);
	unlink(path);
}

static void test_taken_away(void)
{
	struct items *s = make_open(4000, key);
	size_t bytes;
	put(s, "one", "1111");
	put(s, "two", "2222");
	put(s, "one", "");
	settle();
	is_uint(items_count(s, &bytes), 1, "one is left");
	items_free(s);
	s = make(4000);
	items_begin(s, key, NOW);
	is_value(s, 1000, "one", NULL, "nor does a start bring it back");
	is_uint(items_count(s, &bytes), 1, "or anything of it");
	items_free(s);
	s = make(4000);
	items_open(s, key, NOW);
	put(s, "two", "");
	is_value(s, 1000, "two", NULL, "taken away while the file is read");
	settle();
	is_value(s, 1000, "two", NULL, "and when it was");
	is_uint(items_count(s, &bytes), 0, "none is left");
	settle();
	items_free(s);
	s = make_open(4000, key);
	is_value(s, 1000, "two", NULL, "for good");
	items_free(s);
	unlink(path);
}

/* A slow disk gathers more than the bound before it is written: all of it is a whole file. */
static void test_much_at_once(void)
{
	struct items *s = make_open(100000, key);
	char id[16], text[10001] = "";
	memset(text, 'x', 10000);
	for (int i = 0; i < 60; i++) {
		(void)snprintf(id, sizeof id, "call_%d", i);
		put(s, id, text);
	}
	settle();
	items_free(s);
	s = make_open(100000, key);
	is_value(s, 1000, "call_59", text, "the last is there");
	items_free(s);
	unlink(path);
	unlink(old);
}

static void test_two_files(void)
{
	struct items *s = make_open(1000, key);
	char id[16], text[101] = "";
	memset(text, 'x', 100);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(id, sizeof id, "call_%d", i);
		put(s, id, text);
		settle();
	}
	ok(file_bytes(path) <= 1300 && file_bytes(old) <= 1300 && file_bytes(old) > 0,
		"two files, neither much over the bound: %zu and %zu", file_bytes(path),
		file_bytes(old));
	items_free(s);
	s = make_open(1000, key);
	is_value(s, 1000, "call_39", text, "the last is there");
	is_value(s, 1000, "call_31", text, "and the one before those of the newer file");
	is_value(s, 1000, "call_0", NULL, "the first is not");
	items_free(s);
	unlink(path);
	unlink(old);
}

static void test_no_disk(void)
{
	struct items *s = make(1000);
	if (mkdir(path, 0700)) /* a folder where the file should be */
		bail("no folder");
	items_open(s, key, NOW);
	put(s, "a", "1");
	settle();
	is_value(s, 1000, "a", "1", "what cannot be written is in memory");
	items_free(s);
	if (rmdir(path))
		bail("it is not empty");
}

int main(void)
{
	struct fault why;
	if (sodium_init() < 0 || !mkdtemp(dir))
		bail("cannot begin");
	(void)snprintf(path, sizeof path, "%s/items", dir);
	(void)snprintf(old, sizeof old, "%s/items.old", dir);
	loop = loop_new(&why);
	workers = loop ? workers_new(loop, 1, &why) : NULL;
	if (!workers)
		bail("%s", why.message);
	test_memory();
	test_bounds();
	test_restart();
	unlink(path);
	test_torn();
	test_behind_a_tear();
	test_another_key();
	test_taken_away();
	test_much_at_once();
	test_two_files();
	test_no_disk();
	workers_free(workers);
	loop_free(loop);
	if (rmdir(dir))
		bail("something was left in %s", dir);
	return tap_done();
}
