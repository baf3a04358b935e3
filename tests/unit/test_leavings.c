/* test_leavings.c - who may have how much go on, when he is gone? */
#include "brokerd/exchange/leavings.h"
#include "tests/lib/tap.h"

#define ROOM ((size_t)4000)

static size_t take_all(struct leavings *all, struct leavings *his, size_t bytes)
{
	size_t n = 0;
	while (leavings_take(all, his, bytes, ROOM))
		n++;
	return n;
}

static void test_places(void)
{
	struct leavings all = {0}, a = {0}, b = {0}, c = {0};
	is_uint(take_all(&all, &a, 0), EXCHANGES_LEFT / 2, "one alone has a half");
	is_uint(take_all(&all, &b, 0), EXCHANGES_LEFT / 4, "the next one half of the rest");
	is_uint(take_all(&all, &a, 0), 0, "the first no more");
	is_uint(take_all(&all, &c, 0), EXCHANGES_LEFT / 8, "and a third one half of that");
	leavings_give(&all, &a, 0);
	is_uint(take_all(&all, &a, 0), 0, "what he gives back is not his alone");
	is_uint(take_all(&all, &c, 0), 1, "another has it");
	while (a.n > 0)
		leavings_give(&all, &a, 0);
	ok(take_all(&all, &b, 0) > 0, "where there is more room each may have more");
	ok(all.n == a.n + b.n + c.n, "all are counted");
}

static void test_many(void)
{
	static struct leavings each[EXCHANGES_LEFT + 1];
	struct leavings all = {0};
	size_t n = 0;
	for (size_t i = 0; i <= EXCHANGES_LEFT; i++)
		n += leavings_take(&all, &each[i], 0, ROOM);
	is_uint(n, EXCHANGES_LEFT, "of many one each, up to the end");
}

static void test_bytes(void)
{
	struct leavings all = {0}, a = {0}, b = {0};
	ok(!leavings_take(&all, &a, 1001, ROOM), "more than is there for all");
	ok(all.n == 0 && all.bytes == 0 && a.n == 0 && a.bytes == 0, "leaves nothing behind");
	ok(leavings_take(&all, &a, 500, ROOM), "a half of it goes");
	ok(!leavings_take(&all, &a, 1, ROOM), "and no more of his");
	ok(leavings_take(&all, &a, 0, ROOM), "but what has none");
	ok(leavings_take(&all, &b, 250, ROOM), "another has his part");
	ok(!leavings_take(&all, &b, 1, ROOM), "no more than that");
	leavings_give(&all, &a, 500);
	ok(leavings_take(&all, &b, 250, ROOM), "when the first has ended there is room");
	leavings_give(&all, &a, 0);
	leavings_give(&all, &b, 250);
	leavings_give(&all, &b, 250);
	ok(all.n == 0 && all.bytes == 0 && b.bytes == 0, "and in the end all of it");
}

int main(void)
{
	test_places();
	test_many();
	test_bytes();
	return tap_done();
}
