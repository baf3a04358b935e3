/* parts.h - what do the readers of reports share? */
#ifndef BROKERD_REPORTS_PARTS_H
#define BROKERD_REPORTS_PARTS_H
#include "brokerd/reports/reports.h"
#include "protocol/base/json.h"

/* A page: {"data": [bucket...], "has_more", "next_page"}. Hands out each bucket's `results`. */
enum err page_read(struct span page, struct arena *a, struct span *next,
	enum err (*on_bucket)(void *context, struct json bucket, struct fault *why), void *context,
	struct fault *why) MUST_USE;

/* "what" is not as the report's kind has it. */
enum err page_odd(struct fault *why, const char *what) MUST_USE;

/* A number, or a text that is one, times ten to the `places`: exact, half up. False: it is none. */
bool page_amount(struct json v, int places, struct arena *a, int64_t *out) MUST_USE;

/* A count of 0 or more; -1: it is not there, or is null. */
int64_t page_count(struct json object, const char *name);

/* A text; absent: it is not there, or is null. */
enum err page_text(
	struct json object, const char *name, struct arena *a, struct span *out) MUST_USE;

/* Amounts in anything but US dollars are not ours to convert. A currency that is not said is USD. */
enum err page_currency(struct json object, struct fault *why) MUST_USE;

#endif
