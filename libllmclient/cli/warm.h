/* warm.h - are the answers to these requests kept, and what comes of asking for those that are not?
 * A few at once, on one connection. Which ones: warm_line.h says how a line is read. */
#ifndef LIBLLMCLIENT_CLI_WARM_H
#define LIBLLMCLIENT_CLI_WARM_H
#include "libllmclient/cli/cache_wishes.h"
#include "protocol/base/buf.h"

#define WARM_JOBS_MAX 64

struct warm {
	const struct common *common;
	struct cache_wishes cache;       /* `wish` is "on", "refresh", or "only": nobody is asked */
	int64_t jobs;                    /* at once: 1 to WARM_JOBS_MAX */
	bool is_batch;                   /* behind calls that people wait for */
	const struct text_list *headers; /* "NAME: VALUE", of each */
	const char *token; /* of the application whose answers they are to be; NULL: llmb's own */
};

struct warm_sums {
	int64_t warmed;  /* a provider was asked, and its answer is kept */
	int64_t there;   /* it was kept, or another call asked for it at that moment */
	int64_t missing; /* it is not kept, and nobody was to be asked */
	int64_t failed;
	int64_t cost_nusd;   /* of what was asked, as far as it is known */
	struct buf failures; /* the elements of a JSON list: {"line", "class", "message"} */
};

/* Asks for each line of `text` that is not empty; for none where nothing would be kept, and, where that is not to be known before,
 * for no more after a first answer that is not. A failure is told on stderr with its number, from 1, and the next is asked.
 * EXIT_GOOD; EXIT_BAD where any failed; or what to exit with where the broker is not there, which ends it: that has been told. */
int warm_all(const struct warm *w, struct span text, struct warm_sums *sums);

#endif
