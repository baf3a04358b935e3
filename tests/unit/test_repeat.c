/* test_repeat.c - is a text known again, however it came? */
#include "brokerd/dialect/repeat.h"
#include "tests/lib/tap.h"

#define TEXT "It was the best of times, it was the worst of times."

static struct repeat come_in_pieces(struct span text, size_t step)
{
	struct repeat r = {.n = 0};
	while (text.n > 0) {
		const struct span piece = span_first(text, step);
		repeat_add(&r, piece);
		repeat_add(&r, SPAN(""));
		text = span_skip(text, piece.n);
	}
	return r;
}

static void known_again(size_t n)
{
	const struct span text = span_first(SPAN(TEXT), n);
	const struct repeat whole = come_in_pieces(text, SIZE_MAX);
	size_t wrong = 0;
	for (size_t step = 1; step < 20; step++) {
		const struct repeat pieces = come_in_pieces(text, step);
		const struct span rest = repeat_rest(&pieces, SPAN(TEXT));
		wrong += !repeat_eq(&pieces, &whole);
		wrong += !span_eq(rest, span_skip(SPAN(TEXT), n));
	}
	is_uint(wrong, 0, "%zu bytes, in pieces of any length", n);
}

static void told_apart(size_t n)
{
	char other[] = TEXT;
	const struct repeat came = come_in_pieces(span_first(SPAN(TEXT), n), 5);
	size_t taken = 0;
	for (size_t i = 0; i < n; i++) {
		other[i] ^= 1;
		taken += repeat_rest(&came, span_str(other)).n > 0;
		other[i] ^= 1;
	}
	is_uint(taken, 0, "%zu bytes of which one is another", n);
	is_uint(repeat_rest(&came, span_first(SPAN(TEXT), n - 1)).n, 0, "or is missing");
}

int main(void)
{
	const struct repeat none = {.n = 0};
	for (size_t n = 1; n < sizeof TEXT - 1; n++) {
		known_again(n);
		told_apart(n);
	}
	is_uint(repeat_rest(&none, SPAN(TEXT)).n, sizeof TEXT - 1, "nothing came: all is news");
	const struct repeat other = come_in_pieces(SPAN("It was the best"), 4);
	const struct repeat longer = come_in_pieces(SPAN("It was the best\0"), 4);
	ok(!repeat_eq(&other, &longer), "a zero byte more is another text");
	return tap_done();
}
