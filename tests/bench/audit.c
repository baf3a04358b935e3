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

#define GROUP  256
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
	struct audit *audit;
	struct loop_timer timer;
	struct audit_event event;
	bool is_drained; /* the loop turns between groups, and the worker writes */
	int rounds;
	int64_t ns[ROUNDS];
};

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void group(struct bench *b)
{
	const int64_t from = bench_now_ns();
	for (int i = 0; i < GROUP; i++)
		audit_record(b->audit, &b->event);
	b->ns[b->rounds++] = bench_now_ns() - from;
}

static void on_fire(struct loop_timer *t)
{
	struct bench *b = container_of(t, struct bench, timer);
	group(b);
	while (!b->is_drained && b->rounds < ROUNDS)
		group(b);
	if (b->rounds < ROUNDS)
		loop_timer_set(b->loop, t, 2000);
	else
		loop_stop(b->loop);
}

static void measure(const char *name, const struct audit_event *e, bool is_drained)
{
	char dir[] = "/tmp/bench_audit.XXXXXX", command[64];
	struct fault why = FAULT_NONE;
	struct bench *b = calloc(1, sizeof *b);
	b->loop = loop_new(&why);
	struct workers *w = b->loop ? workers_new(b->loop, 1, &why) : NULL;
	b->audit = w && mkdtemp(dir) ? audit_open(w, b->loop, dir, AUDIT_LIMITS) : NULL;
	if (!b->audit)
		bench_die("cannot begin: %s", why.message);
	b->event = *e;
	b->is_drained = is_drained;
	b->timer.on_fire = on_fire;
	loop_timer_set(b->loop, &b->timer, 0);
	loop_run(b->loop);
	qsort(b->ns, ROUNDS, sizeof *b->ns, by_size);
	printf("| %s | %.2f | %.2f | %llu |\n", name, (double)b->ns[ROUNDS / 2] / GROUP / 1000,
		(double)b->ns[ROUNDS * 99 / 100] / GROUP / 1000,
		(unsigned long long)audit_lost(b->audit));
	workers_free(w);
	audit_close(b->audit);
	loop_free(b->loop);
	free(b);
	(void)snprintf(command, sizeof command, "rm -rf %s", dir);
	if (system(command) != 0)
		bench_die("cannot remove %s", dir);
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
	printf("| audit_record | median, us | p99, us | lost |\n| --- | --- | --- | --- |\n");
	measure("a record that is written", &written, true);
	measure("a denial that is counted", &denied, true);
	measure("a record, the queue being full", &written, false);
	return 0;
}
