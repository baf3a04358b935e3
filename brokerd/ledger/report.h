/* report.h - what do the ledger's rows add up to?
 * What `llmb usage` asks, answered as JSON. On the thread that may touch the ledger, or its reader. */
#ifndef BROKERD_LEDGER_REPORT_H
#define BROKERD_LEDGER_REPORT_H
#include "brokerd/ledger/ledger.h"
#include "brokerd/ledger/selection.h"

#define REPORT_BY_MAX 4

enum report_of {
	REPORT_REQUESTS, /* what callers asked for, whoever answered it in the end */
	REPORT_BILLED, /* attempts that their provider may bill: of a request, each time that one was asked, if it
	                    served it, used something, or its end was not seen; no lists and counts of tokens */
};

struct report {
	struct selection of;
	enum report_of what;
	enum dim by[REPORT_BY_MAX];
	size_t n_by; /* 0: the total alone */
};

/* Reads "day,model", or "none": ERR_INVALID_ARGUMENT names what it can be. */
enum err report_by(struct report *r, struct span words, struct fault *why) MUST_USE;

/* Appends {"by":[...],"rows":[{"keys":[...],"key","requests","failed","unknown","input","cache_read","cache_write",
 * "output","reasoning","cost_nusd","unpriced","compared","ours_nusd","theirs_nusd","drifted","charged_nusd","cached","saved_nusd",
 * "prompt_saved_nusd"}...],
 * "total":{the same without keys}}. Requests are what `what` says. `key` is there where there is one. By time rows go
 * upwards; the last of several is by cost and requests, the most first, if it is no time. A key that is not known is "".
 * Tokens are in disjoint classes: `input` is uncached, of any medium; `output` is visible, of any medium. Cost is the
 * provider's own figure where it gave one, else ours; `compared` counts the requests where both are known, whose sums
 * are `ours_nusd` and `theirs_nusd`, and `drifted` those of them that price_drifts says are too far apart.
 * `charged_nusd` is what budgets counted where the cost is not known. `cached` counts the requests whose answer no provider gave,
 * and `saved_nusd` is what these would have cost. `prompt_saved_nusd` is what providers' own caches saved by the prices
 * then, or, below 0, cost: price_prompt_saved_nusd.
 * null: nothing of it is known; sums stop at INT64_MAX. `unpriced` counts requests that used something at an unknown
 * price. ERR_TOO_BIG: more rows than fit; ERR_CANCELLED: ledger_heed; ERR_IO. */
enum err report_usage(
	struct ledger *g, const struct report *r, struct buf *json, struct fault *why) MUST_USE;

/* How good what is expected of requests before they are sent is: appends {"rows":[{"model","requests",
 * "mean_error_pct","p50_error_pct","p90_error_pct","bounded","mean_use_pct","p50_use_pct","p90_use_pct"}...]}. An error is of
 * the input expected against all input that the provider reports, in percent of that: the mean with its sign, the
 * others without. A use is of the output reported against the output expected. Of attempts that ended well; in steps of
 * 0.1 percent, errors beyond 1,000 as 1,000. null: there are none. */
enum err report_estimates(
	struct ledger *g, const struct selection *of, struct buf *json, struct fault *why) MUST_USE;

/* For SQL: sum_known, which stops at the ends; share, the permille that so many of a hundred values do not exceed;
 * drifts, which is price_drifts; prompt_saved, which is price_prompt_saved_nusd. */
int report_setup(struct sqlite3 *db);

#endif
