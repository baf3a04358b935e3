/* counts.h - what was asked since the start, summed by who answered?
 * Counters for a monitor that looks in now and then: calls, their time, tokens and cost, by operation, provider, model and
 * class of error. Of names that callers choose there is no end: of series there is one, and what comes later is counted in
 * one more, "_other". No clock, no I/O. */
#ifndef BROKERD_LEDGER_COUNTS_H
#define BROKERD_LEDGER_COUNTS_H
#include "brokerd/ledger/record.h"
#include "protocol/base/json.h"

#define COUNTS_SERIES 256

struct counts;
struct counts_series;

/* NULL: out of memory. */
struct counts *counts_new(void);
void counts_free(struct counts *c);

/* An exchange has ended. NULL is fine. Returns where it was counted. */
struct counts_series *counts_add(struct counts *c, const struct exchange_record *r);
/* One more like another, of the same names, kind of end and source, that was counted there. */
void counts_add_like(struct counts *c, struct counts_series *s, const struct exchange_record *r);

/* Families, one object each, into an array that is open: {name, type, help, [bounds: [number]], series: [{labels: {}, value},
 * or {labels, buckets: [count], sum, count}]}. Buckets are cumulative, and the last, of all, is `count`. Labels have no text
 * of a prompt, no key and no caller; a model is one that has answered. NULL: none. */
void counts_json(const struct counts *c, struct json_out *o);

#endif
