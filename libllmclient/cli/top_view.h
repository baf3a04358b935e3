/* top_view.h - how does what the broker does now look, as lines or as an object?
 * Pure: it knows no terminal but by its width. What others wrote comes through cells.h. */
#ifndef LIBLLMCLIENT_CLI_TOP_VIEW_H
#define LIBLLMCLIENT_CLI_TOP_VIEW_H
#include "libllmclient/cli/minute.h"
#include "protocol/base/json.h"

/* Calls that are open, of one user, application and model. */
struct top_group {
	struct span app, model;
	int64_t uid, calls, waiting, oldest_us;
	int64_t output_tokens; /* that providers have counted so far */
	int64_t text_bytes;    /* of the others' answers so far */
};

/* Figures less than 0 are not known. */
struct top_frame {
	int64_t at_s;        /* since 1970 */
	const char *trouble; /* what keeps it from being known now; NULL: nothing */
	bool is_all;         /* else of one user's alone, */
	int64_t uid;         /* which one's */
	int64_t open, waiting, uptime_s, stalls, longest_us;
	int64_t today_nusd, today_calls, today_unpriced;
	int64_t missed;                 /* calls that ended without being told of */
	struct minute_sums now, minute; /* of ten seconds, of sixty */
	const struct top_group *groups;
	size_t n_groups;
	int64_t listed; /* calls that are in them */
};

#define TOP_NOW_US    INT64_C(10000000)
#define TOP_MINUTE_US INT64_C(60000000)

/* Lines that end in a newline, none wider than `columns`, at most `lines` of them (SIZE_MAX: all). */
void top_text(const struct top_frame *f, size_t columns, size_t lines, struct buf *out);

/* One object, without a newline. */
void top_json(const struct top_frame *f, struct buf *out);

#endif
