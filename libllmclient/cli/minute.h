/* minute.h - what do the calls that have ended just now come to?
 * A bounded number of them, the last ones; rates and percentiles of any time up to now that they reach back to. All times
 * are of one wall clock, the caller's to read. */
#ifndef LIBLLMCLIENT_CLI_MINUTE_H
#define LIBLLMCLIENT_CLI_MINUTE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MINUTE_CALLS ((size_t)16384)

struct minute_call {
	int64_t ended_us;
	int64_t ttft_us, total_us, tokens; /* -1: not known */
	bool is_good, is_cached;
};

struct minute {
	struct minute_call *calls; /* MINUTE_CALLS, in the order in which they were told */
	size_t n;                  /* that are there */
	size_t next;               /* where the next one goes */
	int64_t since_us;          /* before that nothing is known */
};

/* False: out of memory. */
bool minute_init(struct minute *m, int64_t now_us);
void minute_done(struct minute *m);

void minute_add(struct minute *m, const struct minute_call *call);

/* Times are of good answers; -1: there was none. */
struct minute_sums {
	int64_t calls, failed, cached, tokens;
	int64_t calls_milli_s, tokens_milli_s; /* a second, in thousandths */
	int64_t ttft_p50_us, ttft_p99_us, total_p50_us, total_p99_us;
	int64_t cached_permille; /* of all calls; -1: there was none */
};

/* Of those that ended in the `span_us` before now; rates are by the part of it that is known of, at least a second. */
void minute_sum(const struct minute *m, int64_t now_us, int64_t span_us, struct minute_sums *out);

#endif
