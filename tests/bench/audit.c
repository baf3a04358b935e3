/* audit.c - what does a record cost the loop?
 *
 * The time that audit_record takes of the loop's thread, a group of records a turn: of one that is written, of
 * a denial that is counted, and of one that finds the queue full. Prints Markdown. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/audit/audit.h"
#include "brokerd/log/log.h"
#include "tests/lib/bench.h"

#define GROUP  256 /* what is allowed is written one by one up to that */
#define ROUNDS 400

static const struct peer_id somebody = {.uid = 1000,
	.pid = 4321,
	.kind = PEER_KIND_FLATPAK,
	.confidence = PEER_PROC,
	.is_claim = true,
	.name = "org.gnome.Builder",
	.profile = "editors",
	.program = "gnome-builder",
	.app = "Builder"};

struct bench {
	struct loop *loop;
	struct workers *workers;
	struct loop_timer timer;
	struct audit *audit;
	char dir[32];
	int64_t ns[ROUNDS];
};

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void on_fire(struct loop_timer *t)
{
	loop_stop(container_of(t, struct bench, timer)->loop);
}

static void begin(struct bench *b)
{
	struct fault why = FAULT_NONE;
	*b = (struct bench){.dir = "/tmp/bench_audit.XXXXXX", .timer = {.on_fire = on_fire}};
	b->loop = loop_new(&why);
	b->workers = b->loop && mkdtemp(b->dir) ? workers_new(b->loop, 1, &why) : NULL;
	if (!b->workers)
		bench_die("cannot begin: %s", why.message);
}

static void end(struct bench *b)
{
	char command[64];
	workers_free(b->workers);
	audit_close(b->audit);
	loop_free(b->loop);
	(void)snprintf(command, sizeof command, "rm -rf %s", b->dir);
	if (system(command) != 0)
		bench_die("cannot remove %s", b->dir);
}

/* A log that is new, as what may be written one by one is so much and no more. */
static void renew(struct bench *b)
{
	char path[64];
	audit_close(b->audit);
	(void)snprintf(path, sizeof path, "%s/audit.log", b->dir);
	(void)unlink(path);
	b->audit = audit_open(b->workers, b->loop, b->dir, AUDIT_LIMITS);
	if (!b->audit)
		bench_die("no memory");
}

static void group(struct bench *b, const struct audit_event *e, int round)
{
	const int64_t from = bench_now_ns();
	for (int i = 0; i < GROUP; i++)
		audit_record(b->audit, e);
	b->ns[round] = bench_now_ns() - from;
}

/* The loop turns, and the worker writes. */
static void turn(struct bench *b)
{
	loop_timer_set(b->loop, &b->timer, 2000);
	loop_run(b->loop);
	while (workers_pending(b->workers) > 0) {
		loop_timer_set(b->loop, &b->timer, 1000);
		loop_run(b->loop);
	}
}

static void say(struct bench *b, const char *name)
{
	qsort(b->ns, ROUNDS, sizeof *b->ns, by_size);
	printf("| %s | %.2f | %.2f | %llu |\n", name, (double)b->ns[ROUNDS / 2] / GROUP / 1000,
		(double)b->ns[ROUNDS * 99 / 100] / GROUP / 1000,
		(unsigned long long)audit_lost(b->audit));
}

static void measure_written(const struct audit_event *e, const char *name)
{
	struct bench b;
	begin(&b);
	for (int i = 0; i < ROUNDS; i++) {
		renew(&b);
		group(&b, e, i);
		turn(&b);
	}
	say(&b, name);
	end(&b);
}

static void measure_at_once(const struct audit_event *e, const char *name)
{
	struct bench b;
	begin(&b);
	renew(&b);
	for (int i = 0; i < ROUNDS; i++)
		group(&b, e, i);
	say(&b, name);
	end(&b);
}

int main(int argc, char **argv)
{
	bench_options(argc, argv, "audit: what does a record cost the loop?", NULL, 0);
	if (sodium_init() < 0)
		bench_die("no libsodium");
	log_init(LOG_LEVEL_ERROR, STDERR_FILENO);
	const struct audit_event written = {.what = "grant.add",
		.who = &somebody,
		.subject = SPAN("anthropic/claude-haiku-4-5"),
		.detail = SPAN("for 30 days, up to 5.00 USD")};
	const struct audit_event denied = {.what = "denied.call",
		.who = &somebody,
		.verdict = AUDIT_DENIED,
		.err = ERR_DENIED,
		.subject = SPAN("key.add"),
		.detail = SPAN("no rule of the policy allows it")};
	const struct audit_event own = {.what = "vault.lock", .detail = SPAN("idle")};
	printf("| audit_record | median, us | p99, us | lost |\n| --- | --- | --- | --- |\n");
	measure_written(&written, "a record that is written");
	measure_at_once(&denied, "a denial that is counted");
	measure_at_once(&own, "one of the broker's own, the queue being full");
	return 0;
}
