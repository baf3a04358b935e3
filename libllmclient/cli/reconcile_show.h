/* reconcile_show.h - how does a comparison of two sides' costs appear?
 * A table for people, one JSON object, or CSV; notes on stderr, in JSON inside the object. */
#ifndef LIBLLMCLIENT_CLI_RECONCILE_SHOW_H
#define LIBLLMCLIENT_CLI_RECONCILE_SHOW_H
#include "libllmclient/cli/reconcile.h"
#include "libllmclient/cli/say.h"

enum reconcile_form {
	RECONCILE_TABLE,
	RECONCILE_JSON,
	RECONCILE_CSV,
};

struct reconcile_view {
	const struct common *common;
	enum reconcile_form form;
	const char *provider, *zone;
	const char *source; /* whose figures theirs are: "export.csv", "openai's cost reports" */
	int64_t first_day, last_day;
	const struct tolerance *tolerance;
	struct buf notes; /* lines, each with its line end */
};

void reconcile_show(struct reconcile_view *v, const struct reconciled *r);

#endif
