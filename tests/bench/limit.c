/* limit.c - what does it cost to take what a call may use, and to settle it, as limits and callers grow in number?
 *
 * No loop and no journal (limits.c has these): limiter_take and limiter_settle alone, in microseconds of this thread, for
 * as many limits as fit it and as many identities as have called before, each call another's. Besides: what an
 * identity's first call costs when so many are known, what a refusal with its sentence costs, and what the loop waits
 * for when a configuration comes anew. Prints Markdown. */
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/limit/limiter.h"
#include "tests/lib/bench.h"

#define SECOND_US INT64_C(1000000)
#define NOON_US   (INT64_C(1795953600) * SECOND_US)
#define GROUP     64
#define GROUPS    800
#define MIB       ((size_t)1024 * 1024)

static const unsigned limits[] = {0, 1, 5, 15};
static const unsigned identities[] = {1, 100, 10000, 40000};

/* Of each kind of limit one after the other. */
static const char *const kinds[] = {
	"each = app\nbudget = 1000/day\nzone = Europe/Berlin\n",
	"requests = 100000000/minute\n",
	"each = app\neach = model\ntokens = 90000000000/minute\n",
	"each = user\nconcurrency = 10000\n",
	"budget = 100000/month\nsoft_budget = 1/day\nwindow = rolling\n",
	"each = app\nrequests = 1000000/hour\nconcurrency = 900\n",
};

struct bench {
	struct limiter *limiter;
	int64_t now_us;
	uint64_t state;
};

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static struct limit_now now(const struct bench *b)
{
	return (struct limit_now){b->now_us, NOON_US + b->now_us, b->now_us};
}

static void configure(struct bench *b, unsigned n)
{
	struct fault why = FAULT_NONE;
	OWNED(buf_done) struct buf text = BUF_INIT(MIB);
	for (unsigned i = 0; i < n; i++)
		buf_print(&text, "[limit \"l%u\"]\n%s", i, kinds[i % COUNT_OF(kinds)]);
	struct config *c = config_parse(buf_view(&text), "bench", &why);
	if (!c)
		bench_die("%s", why.message);
	const struct limit_now at = now(b);
	limiter_configure(b->limiter, c, &at);
	config_unref(c);
}

static void begin(struct bench *b, unsigned n)
{
	*b = (struct bench){
		.limiter = limiter_new(), .now_us = INT64_C(86400) * SECOND_US, .state = 1};
	configure(b, n);
}

static void subject_of(unsigned i, char app[24], struct limit_subject *out)
{
	(void)snprintf(app, 24, "flatpak:org.app%u", i);
	*out = (struct limit_subject){.app = span_str(app),
		.policy = SPAN("host"),
		.provider = SPAN("openai"),
		.key = SPAN(""),
		.model = SPAN("gpt-4o-mini"),
		.asked = SPAN("openai/gpt-4o-mini"),
		.uid = 1000 + i % 10};
}

/* A call of each identity; how long the slowest hundredth of them waits for its first. */
static void know(struct bench *b, unsigned n, int64_t *half_ns, int64_t *most_ns)
{
	int64_t *ns = calloc(n, sizeof *ns);
	const struct limit_need need = {400, 1000, 700000};
	const struct limit_use use = {380, 240, 201000};
	if (!ns)
		bench_die("no memory");
	for (unsigned i = 0; i < n; i++) {
		char app[24];
		struct limit_subject s;
		struct limit_hold h = {.n = 0};
		struct limit_answer a;
		subject_of(i, app, &s);
		b->now_us += 10;
		const struct limit_now at = now(b);
		const int64_t from = bench_now_ns();
		limiter_take(b->limiter, &s, &need, &at, &h, &a);
		limiter_settle(&h, &use, &at);
		ns[i] = bench_now_ns() - from;
	}
	qsort(ns, n, sizeof *ns, by_size);
	*half_ns = ns[n / 2];
	*most_ns = ns[n - 1 - n / 100];
	free(ns);
}

static void group(struct bench *b, unsigned n_identities, int64_t *take_ns, int64_t *settle_ns)
{
	static struct limit_hold holds[GROUP];
	static char apps[GROUP][24];
	struct limit_subject s[GROUP];
	struct limit_answer a;
	const struct limit_need need = {400, 1000, 700000};
	const struct limit_use use = {380, 240, 201000};
	for (unsigned i = 0; i < GROUP; i++) {
		b->state = b->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
		subject_of((unsigned)(b->state >> 33) % n_identities, apps[i], &s[i]);
		holds[i] = (struct limit_hold){.n = 0};
	}
	int64_t from = bench_thread_ns();
	for (unsigned i = 0; i < GROUP; i++) {
		b->now_us += 10;
		const struct limit_now at = now(b);
		limiter_take(b->limiter, &s[i], &need, &at, &holds[i], &a);
		if (a.verdict != LIMIT_HELD)
			bench_die("refused: %s", a.why.message);
	}
	*take_ns = bench_thread_ns() - from;
	from = bench_thread_ns();
	for (unsigned i = 0; i < GROUP; i++) {
		b->now_us += 10;
		const struct limit_now at = now(b);
		limiter_settle(&holds[i], &use, &at);
	}
	*settle_ns = bench_thread_ns() - from;
}

static double us(int64_t ns)
{
	return (double)ns / 1000;
}

static void measure(unsigned n_limits, unsigned n_identities)
{
	static int64_t take_ns[GROUPS], settle_ns[GROUPS], both_ns[GROUPS];
	struct bench b;
	int64_t half_ns, most_ns;
	begin(&b, n_limits);
	know(&b, n_identities, &half_ns, &most_ns);
	for (int i = 0; i < GROUPS; i++) {
		group(&b, n_identities, &take_ns[i], &settle_ns[i]);
		both_ns[i] = take_ns[i] + settle_ns[i];
	}
	qsort(take_ns, GROUPS, sizeof *take_ns, by_size);
	qsort(settle_ns, GROUPS, sizeof *settle_ns, by_size);
	qsort(both_ns, GROUPS, sizeof *both_ns, by_size);
	const int64_t from = bench_now_ns();
	configure(&b, n_limits);
	const int64_t reload_ns = bench_now_ns() - from;
	printf("| %u | %u | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", n_limits,
		n_identities, us(take_ns[GROUPS / 2]) / GROUP, us(settle_ns[GROUPS / 2]) / GROUP,
		us(both_ns[GROUPS / 2]) / GROUP, us(both_ns[GROUPS * 99 / 100]) / GROUP,
		us(half_ns), us(most_ns), us(reload_ns) / 1000);
	limiter_free(b.limiter);
}

static void measure_refusal(void)
{
	static int64_t ns[GROUPS];
	struct bench b;
	char app[24];
	struct limit_subject s;
	struct limit_answer a;
	const struct limit_need need = {400, 1000, INT64_C(2000) * 1000000000};
	begin(&b, 5);
	subject_of(0, app, &s);
	for (int i = 0; i < GROUPS; i++) {
		const int64_t from = bench_now_ns();
		for (unsigned k = 0; k < GROUP; k++) {
			struct limit_hold h = {.n = 0};
			const struct limit_now at = now(&b);
			limiter_take(b.limiter, &s, &need, &at, &h, &a);
			if (a.verdict != LIMIT_SPENT)
				bench_die("let through");
		}
		ns[i] = bench_now_ns() - from;
	}
	qsort(ns, GROUPS, sizeof *ns, by_size);
	printf("\nA refusal with its sentence: %.2f us.\n", us(ns[GROUPS / 2]) / GROUP);
	limiter_free(b.limiter);
}

int main(int argc, char **argv)
{
	bench_options(argc, argv,
		"limit: what do taking and settling cost, as limits and callers grow in number?",
		NULL, 0);
	printf("| limits | identities | take, us | settle, us | both, us | both, 99 %% | first "
	       "call, us | "
	       "first call, 99 %% | reload, ms |\n"
	       "| --: | --: | --: | --: | --: | --: | --: | --: | --: |\n");
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		for (size_t k = 0; k < COUNT_OF(identities); k++)
			measure(limits[i], identities[k]);
	}
	measure_refusal();
	return 0;
}
