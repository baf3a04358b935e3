/* minute.c - a ring of calls, and the nearest rank among those that are young enough. */
#include "libllmclient/cli/minute.h"

#include <stdlib.h>

#include "protocol/base/num.h"

#define SECOND_US INT64_C(1000000)

bool minute_init(struct minute *m, int64_t now_us)
{
	*m = (struct minute){.calls = calloc(MINUTE_CALLS, sizeof *m->calls), .since_us = now_us};
	return m->calls != NULL;
}

void minute_done(struct minute *m)
{
	free(m->calls);
	*m = (struct minute){.calls = NULL};
}

void minute_add(struct minute *m, const struct minute_call *call)
{
	if (m->n ==
		MINUTE_CALLS) { /* before the end of the one that goes nothing is known from now on */
		if (m->calls[m->next].ended_us > m->since_us)
			m->since_us = m->calls[m->next].ended_us;
	} else {
		m->n++;
	}
	m->calls[m->next] = *call;
	m->next = (m->next + 1) % MINUTE_CALLS;
}

static int compare(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* The smallest of which that many hundredths are no greater. */
static int64_t rank(const int64_t *sorted, size_t n, size_t percent)
{
	return n > 0 ? sorted[(n * percent + 99) / 100 - 1] : -1;
}

static int64_t per_second(int64_t n, int64_t span_us)
{
	return num_mul_div(n, 1000 * SECOND_US, span_us);
}

void minute_sum(const struct minute *m, int64_t now_us, int64_t span_us, struct minute_sums *out)
{
	int64_t *const ttft = calloc(MINUTE_CALLS, sizeof *ttft), *const total =
									  calloc(MINUTE_CALLS,
										  sizeof *total);
	size_t n_ttft = 0, n_total = 0;
	*out = (struct minute_sums){.cached_permille = -1};
	for (size_t i = 0; i < m->n; i++) {
		const struct minute_call *c = &m->calls[i];
		if (c->ended_us <= now_us - span_us)
			continue;
		out->calls++;
		out->failed += !c->is_good;
		out->cached += c->is_cached;
		out->tokens = num_add_sat(out->tokens, c->tokens > 0 ? c->tokens : 0);
		if (c->is_good && c->ttft_us >= 0 && ttft)
			ttft[n_ttft++] = c->ttft_us;
		if (c->is_good && c->total_us >= 0 && total)
			total[n_total++] = c->total_us;
	}
	const int64_t known_us = now_us - m->since_us < span_us ? now_us - m->since_us : span_us;
	const int64_t by_us = known_us < SECOND_US ? SECOND_US : known_us;
	out->calls_milli_s = per_second(out->calls, by_us);
	out->tokens_milli_s = per_second(out->tokens, by_us);
	if (out->calls > 0)
		out->cached_permille = out->cached * 1000 / out->calls;
	if (ttft)
		qsort(ttft, n_ttft, sizeof *ttft, compare);
	if (total)
		qsort(total, n_total, sizeof *total, compare);
	out->ttft_p50_us = rank(ttft, n_ttft, 50);
	out->ttft_p99_us = rank(ttft, n_ttft, 99);
	out->total_p50_us = rank(total, n_total, 50);
	out->total_p99_us = rank(total, n_total, 99);
	free(ttft);
	free(total);
}
