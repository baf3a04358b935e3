/* test_scrub.c - is the key found wherever the pieces are cut, and nothing else touched? */
#include "brokerd/transport/scrub.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/tap.h"

#define ROOM ((size_t)1 << 16)

/* Feeds `text` in pieces that end at the given places and gathers what comes out. */
static size_t run(struct span needle, struct span text, const size_t *cuts, size_t n_cuts,
	struct buf *out, size_t *most_held)
{
	OWNED(buf_done) struct buf room = BUF_INIT(ROOM);
	struct scrub s = {0};
	size_t from = 0;
	*most_held = 0;
	for (size_t i = 0; i <= n_cuts; i++) {
		const size_t to = i < n_cuts ? cuts[i] : text.n;
		/* a copy of its own, so that a sanitizer sees who reads beyond it */
		char *piece = malloc(to - from + 1);
		if (!piece)
			bail("no memory");
		memcpy(piece, text.p + from, to - from);
		buf_span(out, scrub_feed(&s, needle, span_of(piece, to - from), &room));
		free(piece);
		from = to;
		if (s.held > *most_held)
			*most_held = s.held;
	}
	buf_span(out, scrub_end(&s, needle));
	return s.n_found;
}

static const struct {
	const char *name, *needle, *text, *want;
	size_t n_found;
} rows[] = {
	{"nothing there",            "sk-key", "an answer",           "an answer",           0},
	{"the key alone",            "sk-key", "sk-key",              "******",              1},
	{"at the start",             "sk-key", "sk-key!",             "******!",             1},
	{"at the end",               "sk-key", "its sk-key",          "its ******",          1},
	{"in the middle",            "sk-key", "a sk-key b",          "a ****** b",          1},
	{"several",                  "sk-key", "sk-keysk-key,sk-key", "************,******", 3},
	{"a beginning of it",        "sk-key", "sk-ke",               "sk-ke",               0},
	{"a false start before it",  "sk-key", "sk-ksk-key",          "sk-k******",          1},
	{"it repeats within itself", "abab",   "abababab",            "********",            2},
	{"and is cut",               "abab",   "ababab",              "****ab",              1},
	{"a run of one letter",      "aaa",    "aaaaaaa",             "******a",             2},
	{"one byte",                 "x",      "axbx",                "a*b*",                2},
	{"overlapping starts",       "aab",    "aaaab",               "aa***",               1},
	{"no key",		   "",       "as it is",            "as it is",            0},
	{"no text",                  "sk-key", "",                    "",                    0},
};

static void every_cut(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct span needle = span_str(rows[i].needle), text = span_str(rows[i].text);
		size_t n_wrong = 0, most_held;
		for (size_t a = 0; a <= text.n; a++) {
			for (size_t b = a; b <= text.n; b++) {
				OWNED(buf_done) struct buf out = BUF_INIT(ROOM);
				const size_t cuts[] = {a, b};
				const size_t n = run(needle, text, cuts, 2, &out, &most_held);
				if (n != rows[i].n_found || !span_is(buf_view(&out), rows[i].want))
					n_wrong++;
			}
		}
		is_uint(n_wrong, 0, "%s: right in three pieces, cut anywhere", rows[i].name);

		size_t each[64];
		for (size_t b = 0; b + 1 < text.n; b++)
			each[b] = b + 1;
		OWNED(buf_done) struct buf out = BUF_INIT(ROOM);
		const size_t n_cuts = text.n > 1 ? text.n - 1 : 0;
		const size_t n = run(needle, text, each, n_cuts, &out, &most_held);
		is_uint(n, rows[i].n_found, "%s: found byte by byte", rows[i].name);
		is_mem(out.p, out.n, rows[i].want, strlen(rows[i].want), "%s: right byte by byte",
			rows[i].name);
		ok(needle.n == 0 || most_held < needle.n, "%s: less than a key is held",
			rows[i].name);
	}
}

/* Against the plainest way of doing it, on texts of two letters that nearly match all the time. */
static void like_the_plain_way(void)
{
	uint32_t seed = 1;
	size_t n_wrong = 0;
	for (int round = 0; round < 20000; round++) {
		char text[40], needle[6], want[40];
		seed = seed * 1664525 + 1013904223;
		const size_t n_needle = 1 + (seed >> 8) % sizeof needle;
		for (size_t i = 0; i < n_needle; i++) {
			seed = seed * 1664525 + 1013904223;
			needle[i] = seed >> 16 & 1 ? 'a' : 'b';
		}
		for (size_t i = 0; i < sizeof text; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = want[i] = seed >> 16 & 1 ? 'a' : 'b';
		}
		size_t n_want = 0;
		for (size_t i = 0; i + n_needle <= sizeof text;) {
			if (memcmp(text + i, needle, n_needle) != 0) {
				i++;
				continue;
			}
			memset(want + i, '*', n_needle);
			i += n_needle;
			n_want++;
		}
		size_t cuts[3], most_held;
		for (size_t i = 0; i < 3; i++) {
			const size_t from = i ? cuts[i - 1] : 0;
			seed = seed * 1664525 + 1013904223;
			cuts[i] = from + (seed >> 8) % (sizeof text - from + 1);
		}
		OWNED(buf_done) struct buf out = BUF_INIT(ROOM);
		const size_t n = run(span_of(needle, n_needle), span_of(text, sizeof text), cuts, 3,
			&out, &most_held);
		if (n != n_want || !span_eq(buf_view(&out), span_of(want, sizeof want)))
			n_wrong++;
	}
	is_uint(n_wrong, 0, "as the plain way finds them, in 20,000 random texts");
}

static void what_is_whole_goes_on_at_once(void)
{
	OWNED(buf_done) struct buf room = BUF_INIT(ROOM);
	const struct span needle = SPAN("sk-key"), piece = SPAN("data: x\n\n");
	struct scrub s = {0};
	const struct span out = scrub_feed(&s, needle, piece, &room);
	ok(out.p == piece.p && out.n == piece.n, "a clean piece goes on as it is, uncopied");
	is_uint(s.held, 0, "and whole");
	const struct span tail = scrub_feed(&s, needle, SPAN("ends in sk"), &room);
	is_mem(tail.p, tail.n, "ends in ", 8, "only what may be a key waits");
	is_uint(s.held, 2, "two bytes of it");
	is_mem(scrub_end(&s, needle).p, 2, "sk", 2, "and comes at the end");
	is_uint(s.held, 0, "nothing is left");
}

static void no_room(void)
{
	OWNED(buf_done) struct buf room = BUF_INIT(4);
	struct scrub s = {0};
	const struct span out = scrub_feed(&s, SPAN("key"), SPAN("the key is long"), &room);
	is_uint(out.n, 0, "with no room nothing goes on");
	is_err(buf_error(&room), ERR_TOO_BIG, "and the buffer says so");
}

int main(void)
{
	every_cut();
	like_the_plain_way();
	what_is_whole_goes_on_at_once();
	no_room();
	return tap_done();
}
