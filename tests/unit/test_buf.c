/* test_buf.c - what a buffer holds, and what it says when it is full. */
#include "protocol/base/buf.h"

#include <stdint.h>
#include <stdlib.h>

#include "tests/lib/tap.h"

/* Out of memory is a result here, not the end. The name is the sanitizer's. */
const char *__asan_default_options(void); /* NOLINT(bugprone-reserved-identifier) */
const char *__asan_default_options(void)  /* NOLINT(bugprone-reserved-identifier) */
{
	return "allocator_may_return_null=1";
}

static void holds(const struct buf *b, const char *want, const char *name)
{
	const struct span got = buf_view(b);
	is_mem(got.p, got.n, want, strlen(want), "%s", name);
}

static void appends(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(1000);
	ok(span_is_set(buf_view(&b)) && buf_view(&b).n == 0, "new: empty, and not absent");
	is_err(buf_error(&b), OK, "new: no error");
	buf_put(&b, NULL, 0);
	buf_span(&b, SPAN_NONE);
	buf_text(&b, "");
	holds(&b, "", "nothing appended, nothing held");
	buf_put(&b, "ab", 2);
	buf_span(&b, SPAN("cd"));
	buf_text(&b, "ef");
	buf_byte(&b, 'g');
	buf_print(&b, "-%d-%s", 7, "x");
	holds(&b, "abcdefg-7-x", "in order");
	buf_i64(&b, INT64_MIN);
	holds(&b, "abcdefg-7-x-9223372036854775808", "the least number");
	buf_cut(&b, 3);
	buf_i64(&b, INT64_MAX);
	holds(&b, "abc9223372036854775807", "cut, and the greatest number");
	buf_cut(&b, 3);
	buf_i64(&b, 0);
	buf_i64(&b, -10);
	holds(&b, "abc0-10", "none, and a small one below");
	buf_cut(&b, 3);
	buf_i64(&b, INT64_MAX);
	buf_drop(&b, 3);
	holds(&b, "9223372036854775807", "dropped from the front");
	buf_drop(&b, 0);
	buf_drop(&b, b.n);
	holds(&b, "", "dropped all");
	is_err(buf_error(&b), OK, "still no error");
}

/* Each way to append, at and over a ceiling that is just met. */
static const struct {
	const char *name;
	size_t ceiling;
	enum err want;
} full[] = {
	{"one byte more than fits", 4, ERR_TOO_BIG},
	{"just what fits",          5, OK         },
	{"one byte to spare",       6, OK         },
};

static void ceilings(void)
{
	for (size_t i = 0; i < COUNT_OF(full); i++) {
		for (int way = 0; way < 5; way++) {
			OWNED(buf_done) struct buf b = BUF_INIT(full[i].ceiling);
			buf_byte(&b, 'a');
			switch (way) {
			case 0:
				buf_put(&b, "1234", 4);
				break;
			case 1:
				buf_text(&b, "1234");
				break;
			case 2:
				buf_print(&b, "%d", 1234);
				break;
			case 3:
				buf_i64(&b, 1234);
				break;
			default:
				for (const char *c = "1234"; *c; c++)
					buf_byte(&b, *c);
			}
			is_err(buf_error(&b), full[i].want, "%s, way %d", full[i].name, way);
			if (full[i].want == OK)
				holds(&b, "a1234", full[i].name);
			else
				holds(&b, way == 4 ? "a123" : "a", full[i].name);
		}
	}
}

static void long_print(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(5000);
	buf_print(&b, "%05000d", 42);
	is_err(buf_error(&b), OK, "print: a long text that just fits");
	is_uint(buf_view(&b).n, 5000, "print: all of it");
	ok(span_ends(buf_view(&b), SPAN("00042")), "print: with its end");
	for (int n = 250; n < 260; n++) {
		OWNED(buf_done) struct buf just = BUF_INIT((size_t)n);
		buf_print(&just, "%0*d", n, 7);
		ok(buf_view(&just).n == (size_t)n && just.p[n - 1] == '7', "print: %d bytes", n);
	}
	buf_print(&b, "%s", "");
	is_err(buf_error(&b), OK, "print: nothing fits always");
}

static void sticks(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(3);
	buf_text(&b, "ab");
	buf_text(&b, "cd");
	buf_text(&b, "e");
	buf_byte(&b, 'f');
	buf_print(&b, "g");
	ok(!buf_reserve(&b, 1), "a failed one reserves nothing");
	holds(&b, "ab", "what came before the failure stays, what came after does not");
	is_err(buf_error(&b), ERR_TOO_BIG, "and the failure");
	buf_clear(&b);
	buf_text(&b, "xyz");
	holds(&b, "xyz", "clear: usable again");
	is_err(buf_error(&b), OK, "clear: forgets the failure");
	buf_done(&b);
	buf_text(&b, "123");
	holds(&b, "123", "done: usable again, with its ceiling");
	buf_text(&b, "4");
	is_err(buf_error(&b), ERR_TOO_BIG, "done: the ceiling stayed");
}

static void reserves(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(10000);
	char *to = buf_reserve(&b, 0);
	ok(to != NULL, "reserve: no room at all is not a failure");
	to = buf_reserve(&b, 10000);
	if (!to)
		bail("no memory");
	memset(to, 'x', 10000);
	buf_commit(&b, 9999);
	is_uint(b.n, 9999, "reserve: counts what was committed");
	ok(buf_reserve(&b, 1) != NULL, "reserve: up to the ceiling");
	ok(!buf_reserve(&b, 2), "reserve: not over it");
	is_err(buf_error(&b), ERR_TOO_BIG, "reserve: and says so");

	struct buf none = BUF_INIT(0);
	buf_put(&none, "", 0);
	is_err(buf_error(&none), OK, "a ceiling of 0: nothing fits in");
	buf_byte(&none, 'a');
	is_err(buf_error(&none), ERR_TOO_BIG, "a ceiling of 0: a byte does not");
	buf_done(&none);

	struct buf huge = BUF_INIT(SIZE_MAX);
	buf_byte(&huge, 'a');
	ok(!buf_reserve(&huge, SIZE_MAX - 1), "no ceiling: all of the memory there is not");
	is_err(buf_error(&huge), ERR_NO_MEMORY, "no ceiling: out of memory");
	holds(&huge, "a", "no ceiling: what was there stays");
	buf_done(&huge);
}

static void grows(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT((size_t)1 << 20);
	size_t moves = 0, cap = 0;
	for (size_t i = 0; i < (size_t)1 << 20; i++) {
		buf_byte(&b, (char)(i * 7));
		moves += b.cap != cap;
		cap = b.cap;
	}
	size_t wrong = 0;
	for (size_t i = 0; i < b.n; i++)
		wrong += b.p[i] != (char)(i * 7);
	is_uint(b.n, (size_t)1 << 20, "a megabyte in single bytes");
	is_uint(wrong, 0, "all of them right");
	ok(moves <= 13, "in few steps: %zu", moves);
	ok(b.cap <= b.max, "never more memory than the ceiling");
	buf_wipe(&b);
	ok(b.p == NULL && b.n == 0 && b.max == (size_t)1 << 20, "wipe: empty, the ceiling stays");
	buf_wipe(&b);
}

static void moves(void)
{
	OWNED(buf_done) struct buf to = BUF_INIT(8);
	OWNED(buf_done) struct buf from = BUF_INIT(1000);
	buf_move(&to, &from);
	holds(&to, "", "move: nothing");
	buf_text(&from, "abcd");
	const char *where = from.p;
	buf_move(&to, &from);
	ok(to.p == where && to.cap <= to.max, "move: into an empty one without a copy");
	holds(&to, "abcd", "move: all of it");
	holds(&from, "", "move: and none is left");
	buf_text(&from, "ef");
	buf_move(&to, &from);
	holds(&to, "abcdef", "move: behind what was there");
	buf_text(&from, "ghi");
	buf_move(&to, &from);
	is_err(buf_error(&to), ERR_TOO_BIG, "move: not over the ceiling");
	buf_clear(&to);
	buf_text(&from, "123456789");
	buf_move(&to, &from);
	is_err(buf_error(&to), ERR_TOO_BIG, "move: nor into an empty one");
	buf_clear(&to);
	from = BUF_INIT(1);
	buf_text(&from, "12");
	buf_move(&to, &from);
	is_err(buf_error(&to), ERR_TOO_BIG, "move: what failed there fails here");
	is_err(buf_error(&from), OK, "move: and is forgotten there");
}

int main(void)
{
	moves();
	appends();
	ceilings();
	long_print();
	sticks();
	reserves();
	grows();
	return tap_done();
}
