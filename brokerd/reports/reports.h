/* reports.h - how is a provider asked what was spent, and what does its answer say?
 * Its reports of costs and of usage by day, for whoever administers an organisation there. Pages of bytes in,
 * figures out: no socket, no key, no clock. */
#ifndef BROKERD_REPORTS_REPORTS_H
#define BROKERD_REPORTS_REPORTS_H
#include "brokerd/value/http.h"

/* One figure of a report. */
struct report_row {
	int64_t at_s;      /* when its day begins, UTC */
	struct span model; /* or what else cost something; "" where it is not said */
	/* of costs: of "input", "cache_read", "cache_write" or "output"; NULL: of none, or it is not said */
	const char *tokens;
	int64_t cost_nusd; /* less than 0: a credit */
	/* of usage; -1: not said */
	struct span key; /* the provider's id of it; absent: none was used, or it is not said */
	int64_t requests, input, cache_read, cache_write, output;
};

struct report_sink {
	/* A result other than OK ends the page with it. The row's spans die when it returns. */
	enum err (*on_row)(void *context, const struct report_row *row, bool is_cost);
	void *context;
};

/* One of the reports that an API has. */
struct report_kind {
	const char *path;  /* below the provider's host */
	const char *query; /* what is always in it */
	int days_max;      /* that a page may have */
	bool is_cost;
};

struct report_api {
	const char *name;       /* as `reports` in the configuration has it */
	const char *key_advice; /* what kind of key it wants, where one gets it */
	const struct report_kind *reports;
	size_t n_reports;
	/* Appends the bounds of the time to a query. */
	void (*put_time)(struct buf *query, int64_t since_s, int64_t until_s);
	struct http_header header; /* that goes along; name absent: none */
	/* A page. *next: where the next one begins, in `a`; absent: there is none. ERR_SERVER_ERROR: it is no
	 * such report. */
	enum err (*read)(const struct report_kind *r, struct span page,
		const struct report_sink *sink, struct arena *a, struct span *next,
		struct fault *why);
};

/* NULL: there is none of that name. */
const struct report_api *report_api_find(struct span name);

/* The address of a page: path and query. `page` absent: the first. */
void report_url(const struct report_api *api, const struct report_kind *r, int64_t since_s,
	int64_t until_s, struct span page, struct buf *out);

extern const struct report_api report_api_openai, report_api_anthropic;

#endif
