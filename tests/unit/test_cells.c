/* test_cells.c - what comes through to a terminal, and in how many columns? */
#include "libllmclient/cli/cells.h"

#include "tests/lib/tap.h"

/* clang-format off */
static const struct {
	const char *name, *text;
	size_t columns;
	const char *want;
	size_t taken;
} rows[] = {
	{"it fits", "openai/gpt", 20, "openai/gpt", 10},
	{"it just fits", "abc", 3, "abc", 3},
	{"it is cut", "abcd", 3, "abc", 3},
	{"nothing fits", "abcd", 0, "", 0},
	{"at a character", "a\xc3\xa9\xc3\xa9", 2, "a\xc3\xa9", 2},
	{"broad ones take two", "\xe6\x97\xa5\xe6\x9c\xac", 3, "\xe6\x97\xa5", 2},
	{"so do pictures", "\xf0\x9f\x98\x80!", 3, "\xf0\x9f\x98\x80!", 3},
	{"accents take none", "e\xcc\x81x", 2, "e\xcc\x81x", 2},
	{"one alone is shown as what it is", "\xcc\x81x", 2, "?x", 2},
	{"escapes", "a\x1b[2Jb", 20, "a?[2Jb", 6},
	{"all that is a control", "\x07\r\n\t\x7f", 20, "?????", 5},
	{"eight-bit controls", "\xc2\x9b" "31m", 20, "?31m", 4},
	{"other directions", "a\xe2\x80\xae" "b\xe2\x81\xa6", 20, "a?b?", 4},
	{"bytes that are no text", "a\xff\xc3z", 20, "a??z", 4},
	{"half of a character", "a\xe6\x97", 20, "a??", 3},
	{"a surrogate", "\xed\xa0\x80", 20, "???", 3},
};
/* clang-format on */

int main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(4096);
		const size_t taken = cells_put(&out, span_str(rows[i].text), rows[i].columns);
		is_mem(out.p, out.n, rows[i].want, strlen(rows[i].want), "%s", rows[i].name);
		is_uint(taken, rows[i].taken, "%s: its columns", rows[i].name);
	}
	OWNED(buf_done) struct buf out = BUF_INIT(4096);
	cells_pad(&out, SPAN("\xe6\x97\xa5"), 4);
	cells_pad(&out, SPAN("abcdef"), 3);
	buf_byte(&out, '\0');
	is_str(out.p, "\xe6\x97\xa5  abc", "filled, and cut");
	buf_clear(&out);
	for (int i = 0; i < 100; i++)
		buf_text(&out, i > 0 ? "\xcc\x81" : "e");
	OWNED(buf_done) struct buf seen = BUF_INIT(4096);
	is_uint(cells_put(&seen, buf_view(&out), SIZE_MAX), 1 + 11,
		"of accents without end a few join");
	return tap_done();
}
