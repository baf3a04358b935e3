/* test_drift.c - once for each model and day. */
#include "brokerd/ledger/drift.h"

#include <stdio.h>

#include "tests/lib/tap.h"

#define HOST SPAN("host")

int main(void)
{
	static struct drifts d;
	char name[16];
	ok(drift_is_news(&d, HOST, SPAN("a"), 0), "the first day of all");
	ok(!drift_is_news(&d, HOST, SPAN("a"), 0), "once a day");
	ok(drift_is_news(&d, HOST, SPAN("b"), 0), "for each model");
	ok(drift_is_news(&d, SPAN("other"), SPAN("a"), 0), "and provider");
	ok(drift_is_news(&d, SPAN("hos"), SPAN("ta"), 0), "whose names are apart");
	ok(drift_is_news(&d, HOST, SPAN("a"), 1), "the next day again");
	ok(!drift_is_news(&d, HOST, SPAN("a"), 1), "once");
	ok(drift_is_news(&d, HOST, SPAN("a"), 0), "also where the clock went back");
	for (size_t i = 0; i < DRIFTS_MAX; i++) {
		(void)snprintf(name, sizeof name, "m%zu", i);
		(void)drift_is_news(&d, HOST, span_str(name), 2);
	}
	ok(!drift_is_news(&d, HOST, SPAN("m0"), 2), "as many are remembered as fit");
	ok(drift_is_news(&d, HOST, SPAN("a"), 0), "then the oldest is forgotten");
	ok(drift_is_news(&d, SPAN_NONE, SPAN_NONE, 2), "no name is one, too");
	return tap_done();
}
