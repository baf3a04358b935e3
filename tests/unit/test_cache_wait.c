/* test_cache_wait.c - what do those get who wait for a worker, for an answer that is read or one that is cleared, whatever
 * happens meanwhile? */
#include "brokerd/cache/cache.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "tests/lib/cache_ask.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"
#include "tests/lib/worker_inline.h"

#define READ_LANE  3
#define WRITE_LANE 6
#define SECOND_US  INT64_C(1000000)
#define NOW_S      (loop_wall_us(loop) / SECOND_US)
#define N_WAIT     3
#define MANY       200

static char dir[] = "/tmp/test_cache_wait.XXXXXX";
static char cache_dir[64], path[80];
static const unsigned char key[CACHE_SEAL_BYTES] = "0123456789abcdef0123456789abcde";
static const struct cache_limits disk_alone = {0, 1 << 20, 1 << 18};
static const struct cache_limits both = {1 << 20, 1 << 20, 1 << 18};
static struct loop *loop;
static struct workers *workers;
static struct cache *cache;
static struct cache_asked asked[MANY];

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

static void wait_written(void)
{
	settle();
	loop_virtual_advance(loop, SECOND_US / 2);
	settle();
}

static void put_of(unsigned id, const char *text, uint64_t scope)
{
	const struct cache_key k = key_of(id);
	const struct cache_entry e = {.scope = scope,
		.at_s = NOW_S,
		.fresh_s = NOW_S + 60,
		.kept_s = NOW_S + 60,
		.about = SPAN("told"),
		.body = span_str(text)};
	cache_put(cache, &k, &e, NOW_S);
}

static void put(unsigned id, const char *text)
{
	put_of(id, text, 7);
}

/* With `n` answers that are on disk alone. */
static void begin(const struct cache_limits *limits, unsigned n)
{
	struct fault why = FAULT_NONE;
	workers = workers_new(loop, 1, &why);
	cache = workers ? cache_new(loop, workers, cache_dir) : NULL;
	if (!cache)
		bail("no memory");
	cache_limit(cache, &disk_alone);
	cache_open(cache, key);
	settle();
	for (unsigned i = 1; i <= n; i++)
		put(i, "as it was");
	wait_written();
	cache_limit(cache, limits);
	worker_inline_hold(READ_LANE);
}

static void end(void)
{
	cache_close(cache);
	workers_free(workers);
	cache_free(cache);
	(void)unlink(path);
	(void)rmdir(cache_dir);
}

static void ask(struct cache_asked *a, unsigned id)
{
	const struct cache_key k = key_of(id);
	cache_ask_begin(a, cache, &k, NOW_S);
}

/* What has come to it, in a word. */
static const char *come(const struct cache_asked *a)
{
	if (a->found != CACHE_THERE)
		return a->found == CACHE_MISS ? "miss" : "nothing";
	return a->text;
}

/* ---- what happens while they wait ---- */

static void do_nothing(void)
{
}

static void do_remove(void)
{
	const struct cache_key k = key_of(1);
	cache_remove(cache, &k);
}

static void do_clear(void)
{
	const struct cache_filter all = {.is_of_scope = false};
	is_uint(cache_clear_now(cache, &all), 1, "one goes");
}

static void do_clear_scope(void)
{
	const struct cache_filter his = {true, 7};
	is_uint(cache_clear_now(cache, &his), 1, "his goes");
}

static void do_clear_other(void)
{
	const struct cache_filter his = {true, 8};
	is_uint(cache_clear_now(cache, &his), 0, "none of another goes");
}

static void do_put(void)
{
	put(1, "anew");
}

static void do_put_written(void)
{
	put(1, "anew");
	loop_virtual_advance(loop, SECOND_US / 2);
}

static void do_close(void)
{
	cache_close(cache);
}

static void do_close_and_open(void)
{
	cache_close(cache);
	cache_open(cache, key);
	loop_virtual_settle(loop);
}

static void do_let_go(void)
{
	cache_let_go(cache);
}

static void do_limit(void)
{
	const struct cache_limits none = {0, 0, 1 << 18};
	cache_limit(cache, &none);
}

static void do_limit_entry(void)
{
	const struct cache_limits few = {0, 1 << 20, 5};
	cache_limit(cache, &few);
}

static void do_damage(void)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, "junk", 4, 1024 + 40) != 4 || close(fd) != 0)
		bail("%s", path);
}

static void do_cut(void)
{
	if (truncate(path, 1024) != 0)
		bail("%s", path);
}

static void do_unlink(void)
{
	if (unlink(path) != 0)
		bail("%s", path);
}

static void do_time(void)
{
	loop_virtual_advance(loop, SECOND_US);
}

static void do_over(void)
{
	for (size_t i = 0; i < N_WAIT; i++)
		asked[i].now_s += 60;
}

static void check_meanwhile(void)
{
	static const struct {
		const char *name;
		void (*happens)(void);
		const char *want, *later; /* by who waits; by who comes when all is over */
		bool is_soon;             /* it is told while the worker is still at it */
	} rows[] = {
		{"nothing",			    do_nothing,        "as it was", "as it was", false},
		{"it is removed",                      do_remove,         "miss",      "miss",      false},
		{"all are cleared",                    do_clear,          "miss",      "miss",      false},
		{"its scope is cleared",               do_clear_scope,    "miss",      "miss",      false},
		{"another's scope is cleared",         do_clear_other,    "as it was", "as it was", false},
		{"it is put anew",                     do_put,            "anew",      "anew",      false},
		{"it is put anew, and written",        do_put_written,    "miss",      "anew",      false},
		{"the vault is locked",                do_close,          "miss",      "miss",      true },
		{"it is locked, and unlocked",         do_close_and_open, "miss",      "as it was", true },
		{"the disk is let go of",              do_let_go,         "miss",      "miss",      true },
		{"nothing is to be on disk",           do_limit,          "miss",      "miss",      true },
		{"none so long is to be kept",         do_limit_entry,    "miss",      "miss",      false},
		{"it is damaged",                      do_damage,         "miss",      "miss",      false},
		{"the file is cut",                    do_cut,            "miss",      "miss",      false},
		{"the file loses its name",            do_unlink,         "as it was", "as it was", false},
		{"it takes too long",                  do_time,           "miss",      "as it was", true },
		{"it is over by the time it is there", do_over,           "miss",      "miss",      false},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct cache_asked later;
		begin(&disk_alone, 1);
		for (size_t k = 0; k < N_WAIT; k++)
			ask(&asked[k], 1);
		is_str(come(&asked[0]), "nothing", "%s: one waits for what is read", rows[i].name);
		cache_leave(&asked[1].wait);
		rows[i].happens();
		loop_virtual_settle(loop);
		is_str(come(&asked[0]), rows[i].is_soon ? "miss" : "nothing", "%s",
			rows[i].is_soon ? "he is told at once" : "he waits on");
		worker_inline_release();
		settle();
		is_str(come(&asked[0]), rows[i].want, "and has what there is");
		is_int(asked[2].found, asked[0].found, "as has who waits beside him");
		is_str(come(&asked[1]), "nothing", "who left is not told");
		ask(&later, 1);
		settle();
		is_str(come(&later), rows[i].later, "who comes later has what is there then");
		end();
		is_uint(loop_virtual_timers(loop), 0, "and no timer is left at the end");
	}
}

/* ---- how many, how much, how long ---- */

static void check_shared(void)
{
	struct cache_stats s;
	begin(&both, 1);
	for (size_t i = 0; i < MANY; i++)
		ask(&asked[i], 1);
	is_uint(workers_pending(workers), 1, "%d who wait for the same are one read", MANY);
	worker_inline_release();
	settle();
	size_t there = 0, same = 0;
	for (size_t i = 0; i < MANY; i++) {
		there += asked[i].found == CACHE_THERE;
		same += asked[i].entry.body.p == asked[0].entry.body.p;
	}
	is_uint(there, MANY, "all have it");
	is_uint(same, MANY, "each the same bytes");
	cache_stats(cache, &s);
	is_uint(s.hits_disk, MANY, "from disk");
	is_uint(s.n_memory, 1, "and it is in memory for others");
	ask(&asked[0], 1);
	is_str(come(&asked[0]), "as it was", "who need not wait");
	end();
}

/* A read that takes too long comes to memory, and nobody waits for it. */
static void check_late(void)
{
	begin(&both, 1);
	ask(&asked[0], 1);
	loop_virtual_advance(loop, SECOND_US);
	is_str(come(&asked[0]), "miss", "who has waited a second has a miss");
	ask(&asked[1], 1);
	is_str(come(&asked[1]), "miss", "who comes then does not wait");
	worker_inline_release();
	settle();
	ask(&asked[2], 1);
	is_str(come(&asked[2]), "as it was", "when it is there after all, it is in memory");
	end();
}

/* A disk that does not answer holds no more than so many. */
static void check_crowd(void)
{
	size_t wait = 0, missed = 0;
	begin(&disk_alone, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		ask(&asked[i], i + 1);
		wait += asked[i].found == CACHE_COMES;
		missed += asked[i].found == CACHE_MISS;
	}
	is_uint(wait, 64, "so many are read at once at most");
	is_uint(missed, MANY - 64, "the others are misses");
	worker_inline_release();
	settle();
	size_t there = 0;
	for (unsigned i = 0; i < MANY; i++)
		there += asked[i].found == CACHE_THERE;
	is_uint(there, 64, "those that waited have theirs");
	ask(&asked[0], MANY);
	settle();
	is_str(come(&asked[0]), "as it was", "and there is room again");
	end();
}

/* A disk that takes nothing holds no more than so much, and what it has no room for is not kept there. */
static void check_backlog(void)
{
	enum { LONG_BYTES = 1 << 20, N_LONG = 100, FEWEST = 60, MOST = 64 };
	static const struct cache_limits large = {0, 256 << 20, 2 << 20};
	static char text[LONG_BYTES + 1];
	memset(text, 'x', LONG_BYTES);
	begin(&large, 0);
	worker_inline_hold(WRITE_LANE);
	for (unsigned i = 0; i < N_LONG; i++) {
		put(i, text);
		loop_virtual_advance(loop, SECOND_US / 2);
	}
	size_t there = 0, comes = 0;
	for (unsigned i = 0; i < N_LONG; i++) {
		ask(&asked[i], i);
		there += asked[i].found == CACHE_THERE;
		comes += asked[i].found == CACHE_COMES;
	}
	ok(there >= FEWEST && there <= MOST, "so many MiB wait for a disk that hangs: %zu", there);
	is_uint(comes, 0, "and none is read before it is written");
	is_uint(workers_pending(workers), 1, "in one job");
	worker_inline_release();
	settle();
	wait_written();
	put(N_LONG, "as it was");
	wait_written();
	struct cache_stats s;
	cache_stats(cache, &s);
	is_uint(s.n_disk, there + 1, "those are written then, and there is room again");
	end();
}

/* Who is told asks for another, and one who is told leaves another. */
struct chain {
	struct cache_wait wait;
	struct cache_asked other;
};

static void on_chain(struct cache_wait *w)
{
	struct chain *c = container_of(w, struct chain, wait);
	cache_leave(&asked[0].wait);
	ask(&c->other, 2);
}

static void check_inside(void)
{
	struct chain c = {.wait = {.on_come = on_chain}};
	struct cache_entry e;
	const struct cache_key k = key_of(1);
	begin(&disk_alone, 2);
	is_int(cache_get(cache, &k, NOW_S, &c.wait, &e), CACHE_COMES, "one waits");
	ask(&asked[0], 1);
	ask(&asked[1], 1);
	worker_inline_release();
	settle();
	is_str(come(&c.other), "as it was", "who is told may ask for another");
	is_str(come(&asked[0]), "nothing", "and make one leave that waits for the same");
	is_str(come(&asked[1]), "as it was", "the next one is told");
	end();
}

/* All ends while they wait. */
static void check_end(void)
{
	begin(&disk_alone, 1);
	for (size_t i = 0; i < N_WAIT; i++)
		ask(&asked[i], 1);
	end();
	is_str(come(&asked[0]), "nothing", "at the end nobody is told");
	ok(!asked[0].wait.read && !asked[2].wait.read, "nor waits");
	cache_leave(&asked[0].wait);

	begin(&disk_alone, 1);
	ask(&asked[0], 1);
	worker_inline_release();
	cache_close(cache);
	workers_free(workers);
	cache_free(cache);
	is_str(come(&asked[0]), "nothing", "nor where it was read by then");
	(void)unlink(path);
	(void)rmdir(cache_dir);
}

/* ---- what is listed meanwhile ---- */

struct listed {
	struct cache_telling telling;
	size_t n;
	bool is_done;
};

static void tell(struct cache_telling *t, const struct cache_key *k, const struct cache_entry *e,
	size_t body_bytes)
{
	(void)k;
	container_of(t, struct listed, telling)->n +=
		span_is(e->about, "told") && body_bytes == strlen("as it was");
}

static void on_listed(struct cache_telling *t)
{
	container_of(t, struct listed, telling)->is_done = true;
}

static void list(struct listed *l, size_t most)
{
	static const struct cache_filter all = {.is_of_scope = false};
	*l = (struct listed){
		.telling = {.tell = tell, .on_done = on_listed}
        };
	cache_each(cache, &all, most, &l->telling);
}

static void check_listed(void)
{
	static const struct {
		const char *name;
		void (*happens)(void);
		size_t n;
	} rows[] = {
		{"nothing happens",             do_nothing, MANY    },
		{"one is removed",              do_remove,  MANY - 1},
		{"one is put anew, as another", do_put,     MANY - 1},
		{"one is damaged",              do_damage,  MANY - 1},
		{"the vault is locked",         do_close,   0       },
		{"nothing is to be on disk",    do_limit,   0       },
	};
	struct listed l, few, left;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		begin(&disk_alone, MANY);
		list(&l, 1000);
		list(&few, 5);
		list(&left, 1000);
		loop_virtual_settle(loop);
		ok(!l.is_done && l.n == 0, "%s: a list waits for what is read", rows[i].name);
		cache_each_leave(&left.telling);
		rows[i].happens();
		worker_inline_release();
		settle();
		is_uint(l.n, rows[i].n, "and has what there is");
		ok(l.is_done && few.is_done && few.n <= 5, "one of few has no more");
		ok(!left.is_done && left.n == 0, "who left is not told");
		end();
	}
}

/* ---- what is cleared does not come back ---- */

static struct cache *killed[32];
static struct workers *killed_workers[32];
static size_t n_killed;

/* As if killed: another process finds what is on disk. */
static void again(void)
{
	struct fault why = FAULT_NONE;
	killed_workers[n_killed] = workers;
	killed[n_killed++] = cache;
	workers = workers_new(loop, 1, &why);
	cache = workers ? cache_new(loop, workers, cache_dir) : NULL;
	if (!cache)
		bail("no memory");
	cache_limit(cache, &disk_alone);
	cache_open(cache, key);
	settle();
}

static void end_all(void)
{
	end();
	for (; n_killed > 0; n_killed--) {
		workers_free(killed_workers[n_killed - 1]);
		cache_free(killed[n_killed - 1]);
	}
}

struct cleared {
	struct cache_clearing wait;
	int cause; /* -1: not told yet */
};

static void on_cleared(struct cache_clearing *t, int cause)
{
	container_of(t, struct cleared, wait)->cause = cause;
}

static void clear(struct cleared *t, uint64_t scope)
{
	const struct cache_filter f = {scope > 0, scope};
	*t = (struct cleared){.wait = {.on_done = on_cleared}, .cause = -1};
	(void)cache_clear(cache, &f, &t->wait);
}

static void put_two(void)
{
	begin(&disk_alone, 0);
	put_of(1, "his", 7);
	put_of(2, "another's", 8);
	wait_written();
}

static const char *find(unsigned id)
{
	static struct cache_asked a;
	ask(&a, id);
	worker_inline_release();
	settle();
	return come(&a);
}

static void do_scan(void)
{
	cache_let_go(cache);
	settle();
	worker_inline_hold(WRITE_LANE);
	cache_open(cache, key);
}

static void do_write(void)
{
	worker_inline_hold(WRITE_LANE);
	put_of(1, "his, again", 7);
	loop_virtual_advance(loop, SECOND_US / 2);
}

static void do_note_eight(void)
{
	static struct cleared t[8];
	cache_close(cache);
	for (uint64_t i = 0; i < COUNT_OF(t); i++)
		clear(&t[i], 100 + i);
	settle();
}

static void check_cleared(void)
{
	static const struct {
		const char *name;
		void (*before)(void);
		uint64_t scope;
		const char *other; /* what is left of another's */
	} rows[] = {
		{"open, one scope",             do_nothing,    7, "another's"},
		{"open, all",                   do_nothing,    0, "miss"     },
		{"being written, one scope",    do_write,      7, "another's"},
		{"being written, all",          do_write,      0, "miss"     },
		{"not yet looked through, one", do_scan,       7, "another's"},
		{"not yet looked through, all", do_scan,       0, "miss"     },
		{"locked, one scope",           do_close,      7, "another's"},
		{"locked, all",                 do_close,      0, "miss"     },
		{"locked, and the ninth",       do_note_eight, 7, "miss"     },
		{"let go of, one scope",        do_let_go,     7, "another's"},
		{"let go of, all",              do_let_go,     0, "miss"     },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct cleared t, none;
		put_two();
		rows[i].before();
		worker_inline_hold(WRITE_LANE);
		clear(&none, rows[i].scope);
		clear(&t, rows[i].scope);
		cache_clear_leave(&none.wait);
		loop_virtual_settle(loop);
		is_int(t.cause, -1, "%s: he is not told before a worker was at it", rows[i].name);
		worker_inline_release();
		settle();
		is_int(t.cause, 0, "he is told that it is done");
		is_int(none.cause, -1, "who left is not");
		again();
		is_str(find(1), "miss", "killed then, it is not there again");
		is_str(find(2), rows[i].other, "another's is");
		put_of(1, "anew", 7);
		wait_written();
		again();
		is_str(find(1), "anew", "what comes then is kept");
		end_all();
	}
}

/* What cannot be cleared is said, and cleared when it can be. */
static void check_not_cleared(void)
{
	struct cleared t;
	char aside[80], below[120];
	(void)snprintf(aside, sizeof aside, "%s/aside", dir);
	(void)snprintf(below, sizeof below, "%s/below", path);
	put_two();
	cache_close(cache);
	settle();
	if (rename(path, aside) != 0 || mkdir(path, 0700) != 0 || mkdir(below, 0700) != 0)
		bail("%s", path);
	clear(&t, 0);
	settle();
	ok(t.cause > 0, "a file that cannot be removed: he is told why");
	if (rmdir(below) != 0 || rmdir(path) != 0 || rename(aside, path) != 0)
		bail("%s", path);
	cache_open(cache, key);
	settle();
	is_str(find(1), "miss", "it is gone when it can be opened");
	end();

	put_two();
	cache_close(cache);
	settle();
	worker_inline_hold(WRITE_LANE);
	clear(&t, 0);
	end();
	is_int(t.cause, 0, "at the end he is told what became of it");
}

/* What is locked from its beginning to its end keeps what it has. */
static void check_kept(void)
{
	struct fault why = FAULT_NONE;
	put_two();
	cache_close(cache);
	workers_free(workers);
	cache_free(cache);
	workers = workers_new(loop, 1, &why);
	cache = workers ? cache_new(loop, workers, cache_dir) : NULL;
	if (!cache)
		bail("no memory");
	cache_limit(cache, &disk_alone);
	put(3, "of this run alone");
	cache_close(cache);
	workers_free(workers);
	cache_free(cache);
	workers = workers_new(loop, 1, &why);
	cache = workers ? cache_new(loop, workers, cache_dir) : NULL;
	if (!cache)
		bail("no memory");
	again();
	is_str(find(1), "his", "a run that was never unlocked leaves what there is");
	end_all();
}

int main(void)
{
	struct fault why = FAULT_NONE;
	if (sodium_init() < 0 || !mkdtemp(dir))
		bail("cannot begin");
	(void)snprintf(cache_dir, sizeof cache_dir, "%s/state", dir);
	(void)snprintf(path, sizeof path, "%s/answers", cache_dir);
	log_init(LOG_LEVEL_ERROR, -1);
	loop = loop_new(&why);
	if (!loop)
		bail("%s", why.message);
	check_meanwhile();
	check_shared();
	check_late();
	check_crowd();
	check_backlog();
	check_inside();
	check_end();
	check_listed();
	check_cleared();
	check_not_cleared();
	check_kept();
	loop_free(loop);
	(void)rmdir(dir);
	return tap_done();
}
