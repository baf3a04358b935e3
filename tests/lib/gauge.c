/* gauge.c - both clocks are read at both ends, and only there. */
#include "tests/lib/gauge.h"

#include <inttypes.h>
#include <stdio.h>

void gauge_begin(struct gauge *t)
{
	t->is_on = true;
	t->cpu_began_ns = bench_cpu_ns(t->watched);
	t->began_ns = bench_now_ns();
}

void gauge_call(struct gauge *t, int64_t due_ns)
{
	if (!t->is_on)
		return;
	t->calls++;
	histogram_add(&t->call, bench_now_ns() - due_ns);
}

void gauge_error(struct gauge *t)
{
	t->errors += t->is_on;
}

void gauge_token(struct gauge *t, int64_t due_ns, int64_t stamp_ns, int64_t *last_ns)
{
	const int64_t now_ns = bench_now_ns(), before_ns = *last_ns;
	*last_ns = now_ns;
	if (!t->is_on)
		return;
	t->tokens++;
	histogram_add(&t->token_delay, now_ns - stamp_ns);
	if (before_ns > 0)
		histogram_add(&t->token_gap, now_ns - before_ns);
	else
		histogram_add(&t->first_token, now_ns - due_ns);
}

void gauge_unanswered(struct gauge *t, int64_t due_ns, int64_t end_ns)
{
	t->unanswered++;
	histogram_add(&t->call, end_ns - due_ns);
}

static void print_ratio(const char *name, double value, uint64_t by)
{
	if (by > 0)
		printf(", \"%s\": %.3f", name, value / (double)by);
	else
		printf(", \"%s\": null", name);
}

void gauge_print(const struct gauge *t)
{
	const double seconds = (double)(bench_now_ns() - t->began_ns) * 1e-9;
	const double cpu_us = (double)(bench_cpu_ns(t->watched) - t->cpu_began_ns) * 1e-3;
	printf("\"seconds\": %.4f, \"calls\": %" PRIu64 ", \"errors\": %" PRIu64
	       ", \"tokens\": %" PRIu64 ", \"unanswered\": %" PRIu64,
		seconds, t->calls, t->errors, t->tokens, t->unanswered);
	printf(", \"calls_per_second\": %.1f, \"tokens_per_second\": %.1f, \"cores\": %.4f",
		(double)t->calls / seconds, (double)t->tokens / seconds, cpu_us * 1e-6 / seconds);
	print_ratio("cpu_us_per_call", cpu_us, t->calls);
	print_ratio("cpu_us_per_token", cpu_us, t->tokens);
	histogram_print(&t->call, "call");
	histogram_print(&t->first_token, "first_token");
	histogram_print(&t->token_delay, "token_delay");
	histogram_print(&t->token_gap, "token_gap");
}
