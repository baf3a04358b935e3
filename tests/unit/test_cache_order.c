/* test_cache_order.c - in any order of things, with a worker at its own pace, disks that fail and kill -9: is what is got what
 * was put last? */
#include "brokerd/cache/cache.h"

#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "protocol/base/buf.h"
#include "protocol/base/sanitized.h"
#include "tests/lib/cache_ask.h"
#include "tests/lib/tap.h"
#include "tests/lib/whole_file.h"

#define N_KEYS     200
#define N_STEPS    20000
#define N_KILLED   25
#define SECOND_US  INT64_C(1000000)
#define BODY_BYTES 6000
#define FEW_BYTES  (20 * KIB)
#define N_ASKED    40
#define SCOPES     4
#define CLEARED    (UINT32_C(1) << 31) /* and of which scope */

static char dir[] = "/tmp/test_cache_order.XXXXXX";
static char cache_dir[64], path[80], log_path[64];
static const unsigned char key[CACHE_SEAL_BYTES] = "0123456789abcdef0123456789abcde";
static struct loop *loop;
static struct workers *workers;
static struct cache *cache;
static struct loop_timer timer;
static uint64_t state = 3;
static uint32_t last[N_KEYS]; /* the version that was put last; 0: it was removed, or never put */
static uint32_t gone[N_KEYS]; /* no version up to that may be there */
static char body[BODY_BYTES];

static uint32_t random_below(uint32_t n)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(state >> 33) % n;
}

static int64_t now_s(void)
{
	return loop_wall_us(loop) / SECOND_US;
}

static struct cache_key key_of(uint32_t id)
{
	struct cache_key k = {{0}};
	memcpy(k.bytes + 7, &id, sizeof id);
	return k;
}

static void on_timer(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop);
}

static void turn(int64_t us)
{
	loop_timer_set(loop, &timer, us);
	loop_run(loop);
}

static void turn_idle(void)
{
	do {
		turn(1000);
	} while (workers_pending(workers) > 0);
}

/* Until what waited for company is written, too. */
static void turn_written(void)
{
	turn(250000);
	turn_idle();
}

static void begin(void)
{
	struct fault why = FAULT_NONE;
	timer = (struct loop_timer){.on_fire = on_timer};
	loop = loop_new(&why);
	workers = loop ? workers_new(loop, 2, &why) : NULL;
	cache = workers ? cache_new(loop, workers, cache_dir) : NULL;
	if (!cache)
		bail("%s", why.message);
}

static void end(void)
{
	workers_free(workers);
	cache_free(cache);
	loop_timer_stop(&timer);
	loop_free(loop);
}

static void limit(int64_t memory_bytes, int64_t disk_bytes)
{
	const struct cache_limits l = {memory_bytes, disk_bytes, 1 << 20};
	cache_limit(cache, &l);
}

/* Says its key, and its version all along. */
static void put(uint32_t id, uint32_t version, size_t bytes)
{
	const struct cache_key k = key_of(id);
	for (size_t i = 0; i + 8 <= bytes; i += 8) {
		memcpy(body + i, &id, 4);
		memcpy(body + i + 4, &version, 4);
	}
	const struct cache_entry e = {.scope = id % SCOPES,
		.at_s = now_s(),
		.fresh_s = now_s() + 60,
		.kept_s = now_s() + 3600,
		.about = SPAN("told"),
		.body = span_of(body, bytes / 8 * 8)};
	cache_put(cache, &k, &e, now_s());
}

/* UINT32_MAX: it is no answer of ours. */
static uint32_t version_of(uint32_t id, const struct cache_entry *e)
{
	uint32_t version = UINT32_MAX;
	if (e->body.n < 8 || e->scope != id % SCOPES || !span_is(e->about, "told"))
		return UINT32_MAX;
	memcpy(&version, e->body.p + 4, 4);
	for (size_t i = 0; i + 8 <= e->body.n; i += 8) {
		if (memcmp(e->body.p + i, &id, 4) != 0 ||
			memcmp(e->body.p + i + 4, &version, 4) != 0)
			return UINT32_MAX;
	}
	return version;
}

/* Who asks, and waits while all else goes on. */
struct asked {
	struct cache_wait wait;
	uint32_t id, version; /* 0: a miss */
	bool waits;
};

static void ask_once(struct asked *a)
{
	const struct cache_key k = key_of(a->id);
	struct cache_entry e;
	const enum cache_found found = cache_get(cache, &k, now_s(), &a->wait, &e);
	a->waits = found == CACHE_COMES;
	a->version = found == CACHE_THERE ? version_of(a->id, &e) : 0;
}

static void on_come(struct cache_wait *w)
{
	ask_once(container_of(w, struct asked, wait));
}

/* The version, when it is there; 0: a miss. */
static uint32_t got(uint32_t id)
{
	struct asked a = {.wait = {.on_come = on_come}, .id = id};
	ask_once(&a);
	while (a.waits)
		turn(0);
	return a.version;
}

/* Some of whom nobody waits for them. */
static struct asked asked[N_ASKED];
static unsigned come_wrong, come_there, come_missed;

static void come(struct asked *a)
{
	ask_once(a);
	come_there += a->version != 0;
	come_missed += a->version == 0 && !a->waits;
	come_wrong += a->version != 0 && a->version != last[a->id];
}

static void on_come_later(struct cache_wait *w)
{
	struct asked *a = container_of(w, struct asked, wait);
	come(a);
	come_wrong += a->waits;
}

static void ask(uint32_t id)
{
	struct asked *a = &asked[random_below(N_ASKED)];
	cache_leave(&a->wait);
	*a = (struct asked){.wait = {.on_come = on_come_later}, .id = id};
	come(a);
}

static void clear_scope(uint32_t scope)
{
	const struct cache_filter f = {true, scope};
	(void)cache_clear_now(cache, &f);
	for (uint32_t i = 0; i < N_KEYS; i++)
		last[i] = i % SCOPES == scope ? 0 : last[i];
}

static void clear_all(void)
{
	const struct cache_filter f = {.is_of_scope = false};
	(void)cache_clear_now(cache, &f);
	memset(last, 0, sizeof last);
}

/* One that lists, while all else goes on. */
static struct cache_telling listing;
static unsigned listed_wrong, listed, n_lists;

static void on_listed(struct cache_telling *t)
{
	n_lists += t == &listing;
}

static void tell(struct cache_telling *t, const struct cache_key *k, const struct cache_entry *e,
	size_t body_bytes)
{
	uint32_t id;
	memcpy(&id, k->bytes + 7, sizeof id);
	listed++;
	listed_wrong += t != &listing || id >= N_KEYS || e->scope != id % SCOPES ||
			body_bytes > BODY_BYTES || last[id] == 0;
}

static void change_state(void)
{
	switch (random_below(6)) {
	case 0:
		cache_close(cache);
		turn(random_below(2000));
		break;
	case 1:
		cache_let_go(cache);
		break;
	case 2:
		clear_scope(random_below(SCOPES));
		break;
	case 3:
		limit(random_below(2) ? 0 : 200000, 100000 + random_below(200000));
		break;
	case 4:
		clear_all();
		break;
	case 5:
		cache_close(cache);
		end();
		begin();
		limit(random_below(2) ? 0 : 200000, 250000);
		break;
	}
	cache_open(cache, key);
}

static void check_any_order(void)
{
	unsigned wrong = 0, hits = 0;
	begin();
	limit(200000, 250000);
	cache_open(cache, key);
	for (uint32_t i = 1; i <= N_STEPS; i++) {
		const uint32_t id = random_below(N_KEYS), what = random_below(1000);
		if (what < 400) {
			put(id, i, 8 + random_below(random_below(10) == 0 ? BODY_BYTES - 8 : 1500));
			last[id] = i;
		} else if (what < 750) {
			ask(id);
		} else if (what < 950) {
			const uint32_t version = got(id);
			wrong += version != 0 && version != last[id];
			hits += version != 0;
		} else if (what < 990) {
			const struct cache_key k = key_of(id);
			cache_remove(cache, &k);
			last[id] = 0;
		} else if (what < 994) {
			const struct cache_filter f = {random_below(2) == 0, random_below(SCOPES)};
			cache_each_leave(&listing);
			listing = (struct cache_telling){.tell = tell, .on_done = on_listed};
			cache_each(cache, &f, 50, &listing);
		} else if (what < 997) {
			turn(random_below(3000));
		} else {
			change_state();
		}
		if (what % 20 == 0)
			turn(0);
	}
	is_uint(wrong, 0, "what is got is what was put last, or a miss");
	is_uint(listed_wrong, 0, "and so is what is listed: %u", listed);
	ok(listed > 100 && n_lists > 10, "in %u lists", n_lists);
	is_uint(come_wrong, 0, "and what comes to who waits, when it comes");
	ok(hits > N_STEPS / 20, "many are there: %u", hits);
	ok(come_there > N_STEPS / 20, "and come: %u", come_there);
	diag("to who waits: %u there, %u missed", come_there, come_missed);
	turn_written();
	end();
}

/* A disk that takes no more from some place on. */
static void check_full(void)
{
	struct rlimit was, few;
	struct cache_stats s;
	OWNED(buf_done) struct buf log = BUF_INIT(MIB);
	if (getrlimit(RLIMIT_FSIZE, &was) != 0 || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		bail("rlimit");
	begin();
	limit(0, 1 << 20);
	cache_open(cache, key);
	clear_all();
	put(1, 1, 1000);
	turn_written();
	is_uint(got(1), 1, "one is on a disk");
	few = was;
	few.rlim_cur = FEW_BYTES;
	(void)setrlimit(RLIMIT_FSIZE, &few);
	for (uint32_t i = 2; i < 42; i++)
		put(i, i, 1000);
	turn_written();
	cache_stats(cache, &s);
	ok(s.disk_bytes <= (int64_t)FEW_BYTES, "a full one takes no more: %lld",
		(long long)s.disk_bytes);
	ok(s.n_disk > 0, "but goes on with the room it has");
	unsigned wrong = 0;
	for (uint32_t i = 1; i < 42; i++)
		wrong += got(i) != 0 && got(i) != i;
	is_uint(wrong, 0, "nothing is what it is not");
	(void)setrlimit(RLIMIT_FSIZE, &was);
	ok(whole_file(log_path, &log) &&
			span_find(buf_view(&log), SPAN("are not kept on disk")) < log.n,
		"which is said");
	limit(0, (1 << 20) + 1);
	for (uint32_t i = 2; i < 42; i++)
		put(i, i + 100, 1000);
	turn_written();
	is_uint(got(41), 141, "when there is room again, they are kept again");

	/* an answer that cannot be removed must not be found again: all of them go */
	(void)setrlimit(RLIMIT_FSIZE, &few);
	const struct cache_key k = key_of(41);
	cache_remove(cache, &k);
	turn_written();
	(void)setrlimit(RLIMIT_FSIZE, &was);
	cache_close(cache);
	cache_open(cache, key);
	turn_written();
	is_uint(got(41), 0, "one that could not be erased is not found again");
	is_uint(got(40), 0, "nor is any other");
	put(7, 77, 100);
	turn_written();
	is_uint(got(7), 77, "but what is new is kept");
	end();
}

static void say(int to, uint32_t what, uint32_t version)
{
	uint32_t said[2] = {what, version};
	if (write(to, said, sizeof said) != (ssize_t)sizeof said)
		_exit(1);
}

struct cleared {
	struct cache_clearing wait;
	int to;
	uint32_t scope, version;
	bool is_told, is_last; /* it is killed as soon as it is told */
};

static void on_cleared(struct cache_clearing *w, int cause)
{
	struct cleared *t = container_of(w, struct cleared, wait);
	if (cause)
		_exit(1);
	say(t->to, CLEARED + t->scope, t->version);
	t->is_told = true;
	if (t->is_last)
		(void)raise(SIGKILL);
}

static void clear_surely(int to, uint32_t version, bool is_last)
{
	const uint32_t scope = random_below(SCOPES + 1); /* the last stands for all */
	const struct cache_filter f = {scope < SCOPES, scope};
	struct cleared t = {.wait = {.on_done = on_cleared},
		.to = to,
		.scope = scope,
		.version = version,
		.is_last = is_last};
	(void)cache_clear(cache, &f, &t.wait);
	while (!t.is_told)
		turn(0);
}

/* In a child, until it is killed: at any moment, or when it has cleared something for the n-th time. */
static void live(int to, uint32_t n)
{
	begin();
	limit(100000, 150000);
	cache_open(cache, key);
	turn(2000);
	for (uint32_t i = 1;; i++) {
		const uint32_t id = random_below(N_KEYS);
		say(to, id, i);
		put(id, i, 8 + random_below(3000));
		if (i % 10 == 0)
			turn(random_below(500));
		if (i % 150 == 0)
			clear_surely(to, i, --n == 0);
	}
}

/* Every version up to that went for good. */
static void heed(uint32_t scope, uint32_t version)
{
	for (uint32_t i = 0; i < N_KEYS; i++)
		gone[i] = scope == SCOPES || i % SCOPES == scope ? version : gone[i];
}

static void check_killed(void)
{
	unsigned wrong = 0, damaged = 0, back = 0;
	size_t found = 0;
	for (unsigned round = 0; round < N_KILLED; round++) {
		int ends[2];
		uint32_t said[2];
		if (pipe2(ends, O_CLOEXEC) != 0)
			bail("pipe");
		state += round;
		memset(gone, 0, sizeof gone);
		const bool is_by_itself = round % 2 == 0;
		const pid_t child = fork();
		if (child == 0)
			live(ends[1], is_by_itself ? 1 + random_below(8) : 0);
		(void)close(ends[1]);
		const struct timespec a_while = {0, 5000000 + (long)random_below(40000000)};
		(void)nanosleep(&a_while, NULL);
		/* what it says while it lives must be read, for it waits for that */
		const unsigned most = 300 + random_below(2000);
		for (unsigned n = 0; is_by_itself || n < most; n++) {
			if (read(ends[0], said, sizeof said) != (ssize_t)sizeof said)
				break;
			if (said[0] >= CLEARED)
				heed(said[0] - CLEARED, said[1]);
		}
		(void)kill(child, SIGKILL);
		while (read(ends[0], said, sizeof said) == (ssize_t)sizeof said) {
			if (said[0] >= CLEARED)
				heed(said[0] - CLEARED, said[1]);
		}
		int how;
		(void)waitpid(child, &how, 0);
		if (!WIFSIGNALED(how))
			bail("the child has ended by itself");
		(void)close(ends[0]);
		begin();
		limit(0, 150000);
		cache_open(cache, key);
		turn_idle();
		for (uint32_t i = 0; i < N_KEYS; i++) {
			const uint32_t version = got(i);
			found += version != 0;
			wrong += version == UINT32_MAX;
			back += version != 0 && version <= gone[i];
		}
		struct cache_stats s;
		cache_stats(cache, &s);
		damaged += s.damaged > 0;
		clear_all();
		turn_idle();
		end();
	}
	is_uint(wrong, 0, "killed %d times while it wrote: no answer is what it was not", N_KILLED);
	is_uint(back, 0, "and none that was cleared is there again");
	ok(found > N_KILLED, "and some are there: %zu", found);
	diag("rounds with a torn one: %u", damaged);
}

/* One that there is no memory for is not read this time; nothing else comes of it. */
static void check_no_memory(void)
{
#if ADDRESS_SANITIZED || THREAD_SANITIZED
	skip("a sanitizer takes all addresses there are");
#else
	enum { LARGE_BYTES = 32 * 1024 * 1024 };
	struct rlimit was, few;
	unsigned long pages = 0;
	struct cache_stats s;
	char *large = calloc(1, LARGE_BYTES);
	const struct cache_key one = key_of(1);
	const struct cache_entry e = {.kept_s = INT64_MAX, .body = span_of(large, LARGE_BYTES)};
	struct cache_entry out;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!large || !f || getrlimit(RLIMIT_AS, &was) != 0)
		bail("cannot begin");
	begin();
	const struct cache_limits l = {0, 128 << 20, 64 << 20};
	cache_limit(cache, &l);
	cache_open(cache, key);
	clear_all();
	cache_put(cache, &one, &e, now_s());
	turn_written();
	if (fscanf(f, "%lu", &pages) != 1)
		bail("statm");
	(void)fclose(f);
	few = was;
	few.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + LARGE_BYTES / 4;
	(void)setrlimit(RLIMIT_AS, &few);
	const bool is_read = cache_ask(cache, &one, now_s(), turn_idle, &out);
	(void)setrlimit(RLIMIT_AS, &was);
	ok(!is_read, "an answer there is no memory for is a miss");
	ok(cache_ask(cache, &one, now_s(), turn_idle, &out) && out.body.n == LARGE_BYTES,
		"what is on disk stays there");
	cache_stats(cache, &s);
	is_uint(s.damaged, 0, "and is as it was");
	clear_all();
	turn_written();
	end();
	free(large);
#endif
}

int main(void)
{
	if (sodium_init() < 0 || !mkdtemp(dir))
		bail("cannot begin");
	(void)snprintf(cache_dir, sizeof cache_dir, "%s/state", dir);
	(void)snprintf(path, sizeof path, "%s/answers", cache_dir);
	(void)snprintf(log_path, sizeof log_path, "%s/log", dir);
	log_init(LOG_LEVEL_WARN, open(log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	check_any_order();
	check_full();
	check_killed();
	check_no_memory();
	(void)unlink(path);
	(void)rmdir(cache_dir);
	(void)unlink(log_path);
	(void)rmdir(dir);
	return tap_done();
}
