/* test_cache.c - what is kept, where, for how long, and what is left of it when the file is not as it was? */
#include "brokerd/cache/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/cache/entry.h"
#include "brokerd/log/log.h"
#include "protocol/base/buf.h"
#include "tests/lib/cache_ask.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"
#include "tests/lib/whole_file.h"

#define SECOND_US INT64_C(1000000)
#define NOW_S     (loop_wall_us(loop) / SECOND_US)

static struct loop *loop;
static struct workers *workers;
static struct cache *cache;
static char dir[] = "/tmp/test_cache.XXXXXX";
static char cache_dir[64], path[80], log_path[64];
static const unsigned char key[CACHE_SEAL_BYTES] = "0123456789abcdef0123456789abcde";
static const unsigned char other_key[CACHE_SEAL_BYTES] = "another key, of another vault...";
static const struct cache_limits both = {1 << 20, 1 << 20, 1 << 18};
static const struct cache_limits disk_alone = {0, 1 << 20, 1 << 18};
static const struct cache_limits memory_alone = {1 << 20, 0, 1 << 18};

static struct cache_key key_of(unsigned id)
{
	struct cache_key k = {"a key of an answer, number"};
	memcpy(k.bytes + 28, &id, sizeof id);
	return k;
}

static void settle(void)
{
	do {
		loop_virtual_settle(loop);
	} while (workers_pending(workers) > 0);
}

/* Until what waits is written. */
static void wait_written(void)
{
	settle();
	loop_virtual_advance(loop, SECOND_US / 2);
	settle();
}

static void begin(const struct cache_limits *limits, const unsigned char *with)
{
	cache = cache_new(loop, workers, cache_dir);
	if (!cache)
		bail("no memory");
	cache_limit(cache, limits);
	if (with)
		cache_open(cache, with);
	settle();
}

static void end(void)
{
	cache_close(cache);
	settle();
	cache_free(cache);
	cache = NULL;
}

/* As if killed: what was written is there. */
static void again(const struct cache_limits *limits, const unsigned char *with)
{
	wait_written();
	end();
	begin(limits, with);
}

static bool put_of(unsigned id, const char *body, uint64_t scope, int64_t at_s, int64_t kept_s)
{
	const struct cache_key k = key_of(id);
	const struct cache_entry e = {.scope = scope,
		.at_s = at_s,
		.fresh_s = at_s + 60,
		.kept_s = kept_s,
		.about = SPAN("what is told"),
		.body = span_str(body)};
	return cache_put(cache, &k, &e, NOW_S);
}

static bool put(unsigned id, const char *body)
{
	return put_of(id, body, 1, NOW_S, NOW_S + 3600);
}

static const char *got_at(unsigned id, int64_t now_s)
{
	static char text[100];
	struct cache_entry e;
	const struct cache_key k = key_of(id);
	if (!cache_ask(cache, &k, now_s, settle, &e))
		return "miss";
	if (!span_is(e.about, "what is told"))
		return "not what is told";
	(void)snprintf(text, sizeof text, "%.*s", (int)(e.body.n < 90 ? e.body.n : 90), e.body.p);
	return text;
}

static const char *got(unsigned id)
{
	return got_at(id, NOW_S);
}

static struct cache_stats stats(void)
{
	struct cache_stats s;
	cache_stats(cache, &s);
	return s;
}

/* How often the log has it. */
static int said(const char *what)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(16 * MIB);
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

static void read_file(struct buf *out)
{
	buf_clear(out);
	if (!whole_file(path, out))
		bail("%s cannot be read", path);
}

static void write_file(struct span bytes)
{
	(void)unlink(path); /* a file that was cut and is written anew waits for the disk */
	(void)mkdir(cache_dir, 0700);
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n || close(fd) != 0)
		bail("%s cannot be written", path);
}

static void flip(size_t at)
{
	unsigned char c = 0;
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread(fd, &c, 1, (off_t)at) != 1)
		bail("%s cannot be read", path);
	c ^= 0x20;
	if (pwrite(fd, &c, 1, (off_t)at) != 1 || close(fd) != 0)
		bail("%s cannot be written", path);
}

static void remove_all(void)
{
	(void)unlink(path);
	(void)rmdir(cache_dir);
}

/* ---- what is kept ---- */

static void check_memory(void)
{
	begin(&memory_alone, NULL);
	is_str(got(1), "miss", "nothing is there at first");
	ok(put(1, "one"), "what is put is kept");
	is_str(got(1), "one", "and is there");
	is_str(got(2), "miss", "and nothing else");
	put(1, "another");
	is_str(got(1), "another", "what is put anew is there instead");
	cache_remove(cache, &(struct cache_key){"no such key"});
	const struct cache_key k = key_of(1);
	const uint64_t generation = cache_generation(cache);
	put(5, "five");
	ok(cache_generation(cache) == generation, "nothing was removed");
	cache_remove(cache, &k);
	ok(cache_generation(cache) != generation, "and now something was");
	is_str(got(1), "miss", "what is removed is not");
	ok(!put_of(3, "three", 1, NOW_S, NOW_S), "what is over is not kept");
	is_str(got(3), "miss", "and is not there");
	put(4, "four");
	put_of(4, "old", 1, NOW_S, NOW_S - 1);
	is_str(got(4), "miss", "nor is what was in its place");
	put_of(5, "five", 1, NOW_S, NOW_S + 100);
	is_str(got_at(5, NOW_S + 99), "five", "one is kept as long as it says");
	is_str(got_at(5, NOW_S + 100), "miss", "and no longer");
	is_uint(stats().expired, 1, "which is counted");
	put(6, "six");
	wait_written();
	ok(access(cache_dir, F_OK) != 0, "without a key nothing is on disk");
	const struct cache_limits less = {1 << 20, 0, 10};
	cache_limit(cache, &less);
	is_str(got(6), "miss", "a lower limit for one holds for what is there");
	ok(!put(7, "seven is longer"), "and for what comes");
	is_str(got(7), "miss", "which is not there");
	end();
}

static void check_clock(void)
{
	struct cache_entry e;
	const struct cache_key k = key_of(1);
	begin(&both, key);
	const int64_t now_s = NOW_S;
	put_of(1, "ahead", 1, now_s + 500, now_s + 1000);
	for (int i = 0; i < 2; i++) {
		ok(cache_ask(cache, &k, now_s, settle, &e),
			"one that seems to be of later is there");
		is_int(e.at_s, now_s, "and as old as nothing");
		is_int(e.kept_s, now_s + 1000, "but goes when it said");
		again(&disk_alone, key);
	}
	is_str(got_at(1, now_s - 100000), "ahead", "a clock that was put back keeps it");
	is_str(got_at(1, now_s + 1000), "miss", "one that goes on ends it");
	end();
	remove_all();
}

static void check_disk(void)
{
	begin(&both, key);
	for (unsigned i = 0; i < 100; i++) {
		char body[32];
		(void)snprintf(body, sizeof body, "a secret answer %u", i);
		put(i, body);
	}
	is_str(got(7), "a secret answer 7", "what waits to be written is there");
	again(&disk_alone, key);
	is_uint(stats().n_disk, 100, "another process finds all that was written");
	ok(stats().is_open, "and says that it does");
	is_str(got(7), "a secret answer 7", "and reads it");
	is_uint(stats().hits_disk, 1, "from disk");
	is_str(got(100), "miss", "what was not put is not there");
	struct stat st;
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "nobody else can read the file");
	ok(stat(cache_dir, &st) == 0 && (st.st_mode & 0777) == 0700, "nor the folder");
	OWNED(buf_done) struct buf bytes = BUF_INIT(16 * MIB);
	read_file(&bytes);
	ok(span_find(buf_view(&bytes), SPAN("secret")) == bytes.n,
		"it does not say what was answered");
	ok(span_find(buf_view(&bytes), SPAN("a key of an")) == bytes.n, "nor to what");
	const struct cache_key k = key_of(7);
	cache_remove(cache, &k);
	put(8, "another answer");
	again(&disk_alone, key);
	is_str(got(7), "miss", "what was removed stays so");
	is_str(got(8), "another answer", "what was put anew is the newer one");
	is_uint(stats().n_disk, 99, "alone");
	again(&both, key);
	is_str(got(9), "a secret answer 9", "one is read from disk");
	is_str(got(9), "a secret answer 9", "and again");
	is_uint(stats().hits_disk, 1, "once from there");
	is_uint(stats().hits_memory, 1, "and then from memory");
	end();
	remove_all();
}

static void check_key(void)
{
	begin(&both, key);
	put(1, "one");
	wait_written();
	cache_close(cache);
	settle();
	is_str(got(1), "one", "locked: what is in memory is there");
	ok(!stats().is_open, "but the disk is not");
	put(2, "two");
	wait_written();
	cache_limit(cache, &disk_alone);
	is_str(got(2), "miss", "locked, and no memory: there is nothing");
	cache_open(cache, key);
	settle();
	is_str(got(1), "one", "open again: what was there is");
	is_str(got(2), "miss", "and what came meanwhile was not written");
	put(3, "three");
	again(&disk_alone, key);
	is_str(got(3), "three", "what is written is there again");
	cache_close(cache);
	cache_open(cache, key);
	settle();
	is_str(got(3), "three", "also where it was locked for no time at all");
	const int before = said("it is removed");
	again(&both, other_key);
	is_str(got(3), "miss", "another vault's answers are misses");
	is_int(said("it is removed"), before + 1, "which is said");
	put(4, "four");
	again(&both, other_key);
	is_str(got(4), "four", "and make room for its own");
	end();
	remove_all();
}

static void check_limits(void)
{
	static char body[3000];
	begin(&disk_alone, key);
	memset(body, 'x', sizeof body - 1);
	for (unsigned i = 0; i < 1000; i++) {
		put(i, body);
		if (i % 50 == 0)
			wait_written();
	}
	wait_written();
	struct stat st;
	ok(stat(path, &st) == 0 && st.st_size <= both.disk_bytes,
		"the file is as large as it may be: %lld", (long long)st.st_size);
	ok(stats().evicted > 500 && stats().n_disk > 200, "older ones went: %zu are left",
		stats().n_disk);
	is_uint(strlen(got(999)), 90, "the last is there");
	is_str(got(0), "miss", "the first is not");
	is_str(got(998), got(999), "as is the one before it");
	again(&disk_alone, key);
	ok(stats().n_disk > 200, "all that is left is found again: %zu", stats().n_disk);
	const struct cache_limits less = {0, 100000, 1 << 18};
	cache_limit(cache, &less);
	wait_written();
	ok(stat(path, &st) == 0 && st.st_size <= less.disk_bytes,
		"a lower limit makes it smaller: %lld", (long long)st.st_size);
	ok(stats().n_disk > 10 && stats().disk_bytes <= less.disk_bytes, "and leaves what it can");
	put(5000, "new");
	again(&less, key);
	is_str(got(5000), "new", "which still takes what is new");
	static char huge[60000];
	memset(huge, 'y', sizeof huge - 1);
	put(5001, huge);
	wait_written();
	is_str(got(5001), "miss", "but nothing that is more than half of it");
	const struct cache_limits short_ones = {0, 100000, 100};
	cache_limit(cache, &short_ones);
	wait_written();
	is_uint(stats().n_disk, 1, "a lower limit for one holds for what is there");
	const struct cache_limits none = {1 << 20, 0, 1 << 18};
	cache_limit(cache, &none);
	wait_written();
	ok(access(cache_dir, F_OK) != 0, "none at all: the file is gone, and its folder");
	cache_limit(cache, &both);
	put(1, "one");
	again(&disk_alone, key);
	is_str(got(1), "one", "and there again");
	end();
	remove_all();
}

/* ---- all of them ---- */

struct told {
	struct cache_telling telling;
	char text[400];
	bool is_done;
};

static void tell(struct cache_telling *telling, const struct cache_key *k,
	const struct cache_entry *e, size_t body_bytes)
{
	struct told *t = container_of(telling, struct told, telling);
	unsigned id;
	const size_t n = strlen(t->text);
	memcpy(&id, k->bytes + 28, sizeof id);
	(void)snprintf(t->text + n, sizeof t->text - n, "%s%u:%zu%s", n > 0 ? " " : "", id,
		body_bytes, span_is(e->about, "what is told") && !span_is_set(e->body) ? "" : "?");
}

static void on_told(struct cache_telling *telling)
{
	container_of(telling, struct told, telling)->is_done = true;
}

static const char *list(const struct cache_filter *f, size_t most)
{
	static struct told t;
	t = (struct told){
		.telling = {.tell = tell, .on_done = on_told}
        };
	cache_each(cache, f, most, &t.telling);
	while (!t.is_done)
		settle();
	return t.text;
}

static void check_all(void)
{
	static const struct cache_filter any = {.is_of_scope = false}, two = {true, 2},
					 three = {true, 3};
	begin(&both, key);
	put_of(1, "1", 1, NOW_S, NOW_S + 100);
	put_of(2, "22", 2, NOW_S, NOW_S + 100);
	put_of(3, "333", 1, NOW_S, NOW_S + 100);
	again(&both, key);
	put_of(4, "4444", 2, NOW_S, NOW_S + 100);
	is_str(got(2), "22", "one is in memory, too");
	is_str(list(&any, 10), "4:4 3:3 2:2 1:1", "all, the latest first, each once");
	is_str(list(&any, 2), "4:4 3:3", "as many as are wanted");
	is_str(list(&two, 10), "4:4 2:2", "those of one scope");
	is_str(list(&three, 10), "", "of another");
	is_uint(cache_clear_now(cache, &three), 0, "of which none can go");
	is_uint(cache_clear_now(cache, &two), 2, "two of the other go");
	is_str(list(&any, 10), "3:3 1:1", "and are gone");
	is_str(got(2), "miss", "from memory");
	again(&both, key);
	is_str(list(&any, 10), "3:3 1:1", "and from disk");
	is_str(got(1), "1", "one is in both");
	is_uint(cache_clear_now(cache, &any), 2, "all go, each counted once");
	put(9, "9");
	again(&both, key);
	is_str(list(&any, 10), "9:1", "what came then stays");
	is_str(got(9), "9", "and is in memory, too");
	cache_close(cache);
	settle();
	is_uint(cache_clear_now(cache, &any), 1, "locked: they go from memory");
	settle();
	cache_open(cache, key);
	settle();
	is_uint(stats().n_disk, 0, "and from disk");
	put_of(1, "1", 2, NOW_S, NOW_S + 100);
	put_of(2, "2", 3, NOW_S, NOW_S + 100);
	wait_written();
	cache_close(cache);
	(void)cache_clear_now(cache, &two);
	cache_open(cache, key);
	settle();
	is_str(list(&any, 10), "2:1", "locked: those of one scope go, too");
	loop_virtual_advance(loop, 300 * SECOND_US);
	settle();
	is_uint(stats().n_disk + stats().n_memory, 0, "when they are over they go by themselves");
	is_uint(loop_virtual_timers(loop), 0, "and nothing is waited for any more");
	end();
	remove_all();
}

/* ---- a file that is not as it was ---- */

/* A few answers whose file is a few kilobytes, and the file. */
static void make_file(struct buf *out)
{
	remove_all();
	begin(&disk_alone, key);
	for (unsigned i = 0; i < 3; i++) {
		char body[1200];
		memset(body, 'a' + (int)i, sizeof body - 1);
		body[i == 1 ? 1199 : 20] = '\0';
		put(i, body);
	}
	wait_written();
	end();
	read_file(out);
	/* the last is in one block, less than which it needs */
	buf_cut(out, out->n - CACHE_BLOCK_BYTES + cache_record_bytes(strlen("what is told"), 20));
}

/* Each is what it was, or a miss. Returns how many are there, -1: one is wrong. */
static int look(void)
{
	int n = 0;
	for (unsigned i = 0; i < 3; i++) {
		char want[91];
		const char *is = got(i);
		memset(want, 'a' + (int)i, sizeof want);
		want[i == 1 ? 90 : 20] = '\0';
		if (strcmp(is, want) == 0)
			n++;
		else if (strcmp(is, "miss") != 0)
			return -1;
	}
	return n;
}

/* By the first bytes of its key, whichever tier it is in. */
static bool is_found(unsigned id, const struct cache_filter *f)
{
	const struct cache_key k = key_of(id);
	const struct span begins =
		span_of((const char *)k.bytes, 29); /* where they begin to differ */
	struct cache_key found;
	return cache_find(cache, f, begins, &found) && memcmp(&found, &k, sizeof k) == 0;
}

static void check_found(void)
{
	const struct cache_filter all = {.is_of_scope = false},
				  second = {.is_of_scope = true, .scope = 2};
	begin(&both, key);
	put_of(1, "one", 1, NOW_S, NOW_S + 3600);
	put_of(2, "two", 2, NOW_S, NOW_S + 3600);
	ok(is_found(1, &all) && is_found(2, &all), "what is kept is found by a part of its key");
	ok(!is_found(3, &all), "what is not is not");
	ok(!is_found(1, &second) && is_found(2, &second), "nor what is of another scope");
	again(&disk_alone, key);
	ok(is_found(1, &all) && is_found(2, &all), "what is on disk alone is found, too");
	ok(!is_found(1, &second) && !is_found(3, &all), "and no more than that");
	const struct cache_key k = key_of(1);
	cache_remove(cache, &k);
	ok(!is_found(1, &all), "what is removed is gone");
	is_str(got(2), "two", "alone");
	end();
	remove_all();
}

/* The same figures whoever holds them: memory alone, memory and what waits, or the disk alone. */
static void check_counted(void)
{
	const struct cache_filter all = {.is_of_scope = false},
				  second = {.is_of_scope = true, .scope = 2},
				  third = {.is_of_scope = true, .scope = 3};
	struct cache_stats s, alone;
	begin(&both, key);
	put_of(1, "one", 1, NOW_S, NOW_S + 3600);
	put_of(2, "two", 2, NOW_S, NOW_S + 3600);
	put_of(3, "three", 2, NOW_S, NOW_S + 3600);
	cache_count(cache, &second, &s);
	ok(s.n_memory == 2 && s.n_disk == 2, "of one scope are counted, also those that wait");
	cache_count(cache, &all, &s);
	ok(s.n_memory == 3 && s.memory_bytes == stats().memory_bytes, "and all");
	wait_written();
	cache_count(cache, &second, &s);
	ok(s.n_memory == 2 && s.n_disk == 2, "written they are as many");
	cache_count(cache, &third, &s);
	ok(s.n_memory == 0 && s.n_disk == 0 && s.memory_bytes == 0 && s.disk_bytes == 0,
		"of another scope there are none");
	again(&disk_alone, key);
	is_str(got(1), "one", "somebody asks");
	cache_count(cache, &second, &alone);
	ok(alone.n_memory == 0 && alone.n_disk == 2 && alone.disk_bytes > 0 &&
			alone.disk_bytes < stats().disk_bytes,
		"on disk alone, too");
	is_uint(alone.hits_disk + alone.misses + alone.puts, 0, "and nothing of what others ask");
	ok(stats().is_open && !stats().is_read, "the disk was looked through");
	end();
	remove_all();
}

static void check_flipped(void)
{
	OWNED(buf_done) struct buf good = BUF_INIT(MIB);
	unsigned wrong = 0, most = 0, least = 3, open_wrong = 0;
	make_file(&good);
	for (size_t i = 0; i < good.n; i++) {
		write_file(buf_view(&good));
		flip(i);
		begin(&disk_alone, key);
		const int n = look();
		wrong += n < 0;
		most += n == 3;
		least = n >= 0 && (unsigned)n < least ? (unsigned)n : least;
		put(9, "new");
		wait_written();
		wrong += strcmp(got(9), "new") != 0;
		end();
	}
	is_uint(wrong, 0,
		"flipped at any of %zu bytes, no answer is another, and what is new is kept",
		good.n);
	ok(most > 0 && least == 0,
		"where nothing lies all three are there, and none where it begins");
	write_file(buf_view(&good));
	begin(&disk_alone, key);
	for (size_t i = 0; i < good.n; i++) {
		flip(i);
		open_wrong += look() < 0;
		flip(i);
		if (i % 64 == 63) { /* what was damaged is erased */
			end();
			write_file(buf_view(&good));
			begin(&disk_alone, key);
		}
	}
	is_uint(open_wrong, 0, "nor while it is open");
	end();
}

static void check_cut(void)
{
	OWNED(buf_done) struct buf good = BUF_INIT(MIB);
	unsigned wrong = 0, open_wrong = 0, none = 0;
	make_file(&good);
	for (size_t i = 0; i < good.n; i++) {
		write_file(span_first(buf_view(&good), i));
		begin(&disk_alone, key);
		const int n = look();
		wrong += n < 0 || n == 3;
		none += n == 0;
		put(9, "new");
		again(&disk_alone, key);
		wrong += strcmp(got(9), "new") != 0;
		end();
	}
	is_uint(wrong, 0,
		"cut at any of %zu lengths, what is left is right, and what is new is kept",
		good.n);
	ok(none > 1024 && none < good.n, "some of it is left");
	for (size_t i = 0; i < good.n; i += 7) {
		write_file(buf_view(&good));
		begin(&disk_alone, key);
		if (truncate(path, (off_t)i) != 0)
			bail("truncate");
		const int n = look();
		open_wrong += n < 0 || n == 3;
		put(9, "new");
		wait_written();
		open_wrong += strcmp(got(9), "new") != 0;
		end();
	}
	is_uint(open_wrong, 0, "the same when it is cut while it is open");
}

/* A record in another's place, another file's record in this one, blocks in another order. */
static void check_moved(void)
{
	OWNED(buf_done)
	struct buf good = BUF_INIT(MIB), other = BUF_INIT(MIB), made = BUF_INIT(MIB);
	make_file(&other);
	make_file(&good);
	is_uint(good.n, other.n, "two files of the same answers are of one length");
	const size_t blocks = good.n / CACHE_BLOCK_BYTES;
	unsigned wrong = 0, from_other = 0;
	for (size_t i = 1; i <= blocks; i++) {
		for (size_t k = 1; k <= blocks; k++) {
			const size_t n = good.n - i * CACHE_BLOCK_BYTES;
			const size_t room = good.n - k * CACHE_BLOCK_BYTES;
			const size_t moved = n < room ? n : room;
			if (i == k)
				continue;
			buf_clear(&made);
			buf_span(&made, buf_view(&good));
			memcpy(made.p + k * CACHE_BLOCK_BYTES, good.p + i * CACHE_BLOCK_BYTES,
				moved);
			write_file(buf_view(&made));
			begin(&disk_alone, key);
			wrong += look() < 0;
			wrong += stats().n_disk > 3;
			end();
		}
	}
	is_uint(wrong, 0, "records in each other's places are misses");
	buf_clear(&made);
	buf_span(&made, buf_view(&other));
	memcpy(made.p, good.p, CACHE_BLOCK_BYTES);
	write_file(buf_view(&made));
	begin(&disk_alone, key);
	from_other = (unsigned)stats().n_disk;
	end();
	is_uint(from_other, 0, "another file's records, under the same key, are none here");
}

static void check_strange(void)
{
	static const struct {
		const char *name;
		int kind;
	} things[] = {
		{"an empty file",               0},
                {"a text",                      1},
                {"a link to a file",            2},
                {"a pipe",                      3},
		{"a second name of a file",     4},
                {"a very long file of nothing", 5}
        };
	char victim[80];
	(void)snprintf(victim, sizeof victim, "%s/victim", dir);
	for (size_t i = 0; i < COUNT_OF(things); i++) {
		remove_all();
		(void)mkdir(cache_dir, 0700);
		FILE *f = fopen(victim, "we");
		if (!f || fputs("keep me", f) < 0 || fclose(f) != 0)
			bail("%s", victim);
		int failed = 0;
		switch (things[i].kind) {
		case 0:
		case 1:
		case 5:
			write_file(
				things[i].kind == 1 ? SPAN("LLMBANSW, or so it says") : SPAN(""));
			if (things[i].kind == 5)
				failed = truncate(path, (off_t)1 << 40);
			break;
		case 2:
			failed = symlink(victim, path);
			break;
		case 3:
			failed = mkfifo(path, 0600);
			break;
		case 4:
			failed = link(victim, path);
			break;
		}
		if (failed)
			bail("%s cannot be made", things[i].name);
		begin(&disk_alone, key);
		put(1, "one");
		again(&disk_alone, key);
		is_str(got(1), "one", "%s in its place makes room", things[i].name);
		struct stat st;
		ok(lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
				st.st_size < 10000,
			"for a file of ours");
		ok(stat(victim, &st) == 0 && st.st_size == 7, "and what it led to is as it was");
		end();
	}
	remove_all();
	(void)mkdir(cache_dir, 0700);
	(void)mkdir(path, 0700);
	begin(&both, key);
	put(1, "one");
	wait_written();
	is_str(got(1), "one", "a folder in its place leaves memory");
	ok(said("are not kept on disk") > 0, "and is said");
	ok(stats().disk_cause != 0, "and known");
	(void)rmdir(path);
	put(2, "two");
	wait_written();
	put(3, "three");
	again(&disk_alone, key);
	is_str(got(3), "three", "when it is gone, answers are kept again");
	is_int(stats().disk_cause, 0, "and nothing is wrong");
	end();
	remove_all();
}

static void put_many(unsigned from, unsigned to)
{
	static char body[3000];
	memset(body, 'x', sizeof body - 1);
	for (unsigned id = from; id < to; id++)
		put(id, body);
	wait_written();
}

/* "Again" is said when there is more than was, not when what is new went in the place of what was old. */
static void check_full(void)
{
	struct rlimit was, few;
	const int failed = said("are not kept on disk"), well = said("kept on disk again");
	if (getrlimit(RLIMIT_FSIZE, &was) != 0 || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		bail("rlimit");
	log_set_level(LOG_LEVEL_INFO);
	begin(&disk_alone, key);
	put_many(0, 20);
	const size_t n_before = stats().n_disk;
	struct stat st;
	if (stat(path, &st) != 0)
		bail("%s", path);
	few = was;
	few.rlim_cur = (rlim_t)st.st_size;
	(void)setrlimit(RLIMIT_FSIZE, &few);
	put_many(20, 60);
	is_int(stats().disk_cause, EFBIG, "a disk that is full is known to be");
	is_int(said("are not kept on disk"), failed + 1, "and said");
	put_many(60, 61);
	ok(strcmp(got(60), "miss") != 0, "what is new goes in the place of what was there");
	is_int(stats().disk_cause, EFBIG, "which is no more room");
	loop_virtual_advance(loop, 6 * SECOND_US);
	put_many(61, 62);
	put_many(62, 63);
	ok(strcmp(got(62), "miss") != 0, "nor is it later, while the disk is full");
	is_int(said("are not kept on disk") - failed, 1, "said once");
	is_int(said("kept on disk again") - well, 0, "and not that it is well");
	(void)setrlimit(RLIMIT_FSIZE, &was);
	loop_virtual_advance(loop, 6 * SECOND_US);
	put_many(70, 71);
	is_int(stats().disk_cause, 0, "a few seconds after there is room it is used");
	is_int(said("kept on disk again") - well, 1, "which is said");
	put_many(71, 110);
	ok(strcmp(got(70), "miss") != 0 && stats().n_disk > n_before + 30,
		"for all that comes: %zu", stats().n_disk);
	end();
	log_set_level(LOG_LEVEL_WARN);
	remove_all();
}

/* A sparse file of our own, far longer than it may be, is cut before it is read. */
static void check_stretched(void)
{
	OWNED(buf_done) struct buf good = BUF_INIT(MIB);
	struct stat st;
	make_file(&good);
	if (truncate(path, (off_t)1 << 40) != 0)
		bail("truncate");
	begin(&disk_alone, key);
	is_int(look(), 3, "a file that was stretched has what it had");
	ok(stat(path, &st) == 0 && st.st_size <= disk_alone.disk_bytes,
		"and is as long as it may be");
	end();
	remove_all();
}

static void check_let_go(void)
{
	char aside[80];
	(void)snprintf(aside, sizeof aside, "%s/aside", dir);
	begin(&disk_alone, key);
	put(1, "one");
	wait_written();
	cache_let_go(cache);
	settle();
	unsigned open_files = 0;
	DIR *d = opendir("/proc/self/fd");
	for (struct dirent *e; d && (e = readdir(d));) {
		char link_path[300], target[200];
		(void)snprintf(link_path, sizeof link_path, "/proc/self/fd/%s", e->d_name);
		const ssize_t n = readlink(link_path, target, sizeof target);
		open_files += n > 0 && span_starts(span_of(target, (size_t)n), span_str(cache_dir));
	}
	if (d)
		(void)closedir(d);
	is_uint(open_files, 0, "a disk that is let go of has no file open");
	is_str(got(1), "miss", "and answers nothing");
	if (rename(cache_dir, aside) != 0)
		bail("rename");
	put(2, "two");
	wait_written();
	wait_written();
	is_str(got(2), "two", "what is put finds another in its place");
	cache_let_go(cache);
	settle();
	remove_all();
	if (rename(aside, cache_dir) != 0)
		bail("rename");
	put(3, "three");
	const struct cache_key k = key_of(3);
	cache_remove(cache, &k);
	put(4, "four");
	wait_written();
	wait_written();
	is_str(got(1), "one", "or the one that was there");
	is_str(got(3), "miss", "without what was removed meanwhile");
	is_str(got(4), "four", "with what was put");
	cache_let_go(cache);
	cache_open(cache, key);
	settle();
	is_str(got(4), "four", "or it is opened, when it is there again");
	end();
	remove_all();
}

int main(void)
{
	if (sodium_init() < 0 || !mkdtemp(dir))
		bail("cannot begin");
	(void)snprintf(cache_dir, sizeof cache_dir, "%s/state", dir);
	(void)snprintf(path, sizeof path, "%s/answers", cache_dir);
	(void)snprintf(log_path, sizeof log_path, "%s/log", dir);
	const int log_fd = open(log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	log_init(LOG_LEVEL_WARN, log_fd);
	struct fault why = FAULT_NONE;
	loop = loop_new(&why);
	workers = loop ? workers_new(loop, 1, &why) : NULL;
	if (!workers)
		bail("%s", why.message);
	check_memory();
	check_clock();
	check_disk();
	check_key();
	check_limits();
	check_all();
	check_found();
	check_counted();
	check_full();
	check_strange();
	check_stretched();
	check_let_go();
	check_flipped();
	check_cut();
	check_moved();
	workers_free(workers);
	loop_free(loop);
	remove_all();
	char victim[80];
	(void)snprintf(victim, sizeof victim, "%s/victim", dir);
	(void)unlink(victim);
	(void)unlink(log_path);
	(void)rmdir(dir);
	return tap_done();
}
