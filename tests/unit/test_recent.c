/* test_recent.c - what is a follower told, and what has he missed? */
#include "brokerd/ledger/recent.h"

#include <stdio.h>

#include "tests/lib/tap.h"

static int n_called;

static void on_row(struct follower *f)
{
	(void)f;
	n_called++;
}

static void add(struct recent *r, int number)
{
	struct exchange_record row = {.outcome = OUTCOME_OK, .total_us = number};
	recent_add(r, &row);
}

int main(void)
{
	struct recent *r = recent_new(5000);
	struct follower one = {.on_row = on_row}, two = {.on_row = on_row};
	uint64_t at = 0;
	add(r, 7);
	ok(!recent_row(r, &at), "nothing is kept before somebody follows");
	at = recent_next(r);
	ok(!recent_row(r, &at), "he begins with what comes");
	ok(recent_knows(r, at) && !recent_knows(r, at + 1) && recent_knows(r, 5000) &&
			!recent_knows(r, 4999),
		"a place is of this broker, or of another");
	add(r, 1);
	add(r, 2);
	is_int(recent_row(r, &at)->total_us, 1, "the first");
	at++;
	is_int(recent_row(r, &at)->total_us, 2, "the second");
	at++;
	ok(!recent_row(r, &at), "no third");

	const uint64_t place = at;
	for (size_t i = 0; i < RECENT_ROWS; i++)
		add(r, 100 + (int)i);
	is_int(recent_row(r, &at)->total_us, 100, "as many are kept");
	is_int((int64_t)(at - place), 0, "and nothing is missed");
	for (int i = 0; i < 5; i++)
		add(r, 9000 + i);
	is_int(recent_row(r, &at)->total_us, 105,
		"who is late goes on with the first that is there");
	is_int((int64_t)(at - place), 5, "and knows how many he has missed");

	recent_await(r, &one);
	recent_await(r, &two);
	add(r, 1);
	is_int(n_called, 2, "who waits is called");
	recent_leave(&one);
	recent_leave(&one);
	add(r, 1);
	is_int(n_called, 3, "who has left is not");
	ok(!recent_is_ended(r), "it goes on");
	recent_end(r);
	is_int(n_called, 4, "at the end who waits is called");
	ok(recent_is_ended(r), "it has ended");
	recent_free(r);
	ok(!two.recent, "nobody waits for what is gone");
	recent_add(NULL, &(struct exchange_record){.total_us = 1});
	recent_end(NULL);
	recent_free(NULL);
	return tap_done();
}
