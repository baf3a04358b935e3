/* test_textdiff.c - are two texts shown as they differ, and does what is shown make one of the other? */
#include "libllmclient/cli/textdiff.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/tap.h"

#define MAX ((size_t)8 << 20)

/* clang-format off */
static const struct {
	const char *name, *before, *after, *want;
} cases[] = {
	{"the same", "a\nb\n", "a\nb\n", ""},
	{"from nothing", "", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
	{"to nothing", "a\n", "", "@@ -1 +0,0 @@\n-a\n"},
	{"no last line end", "a\nb", "a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"},
	{"in the middle", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
	 "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"},
	{"near ones are shown as one", "1\n2\n3\n4\n5\n6\n7\n8\n", "x\n2\n3\n4\n5\n6\n7\ny\n",
	 "@@ -1,8 +1,8 @@\n-1\n+x\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+y\n"},
	{"far ones apart", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "x\n2\n3\n4\n5\n6\n7\n8\ny\n",
	 "@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+y\n"},
	{"at both ends", "b\n", "a\nb\nc\n", "@@ -1 +1,3 @@\n+a\n b\n+c\n"},
};
/* clang-format on */

/* What a patch makes of a text: its lines are all of the second, in order, and what it takes is of the first. */
static void patch(struct span before, struct span diff, struct buf *out)
{
	size_t at = 1;
	(void)span_cut(&diff, '\n');
	(void)span_cut(&diff, '\n');
	while (diff.n > 0) {
		const struct span line = span_cut(&diff, '\n');
		if (line.p[0] == '@') {
			size_t begin = strtoul(line.p + 4, NULL, 10);
			const char *comma = strpbrk(line.p + 4, ", ");
			if (*comma == ',' && strtoul(comma + 1, NULL, 10) == 0)
				begin++;
			for (; at < begin; at++) {
				buf_span(out, span_cut(&before, '\n'));
				buf_byte(out, '\n');
			}
			continue;
		}
		if (line.p[0] != '+') {
			if (!span_eq(span_cut(&before, '\n'), span_skip(line, 1)))
				buf_text(out, "<what is shown is not there>");
			at++;
		}
		if (line.p[0] != '-') {
			buf_span(out, span_skip(line, 1));
			buf_byte(out, '\n');
		}
	}
	buf_span(out, before);
}

/* Lines of a few words, so that many are the same. */
static void make_text(struct buf *out, unsigned *seed, size_t lines, unsigned words)
{
	for (size_t i = 0; i < lines; i++) {
		*seed = *seed * 1103515245u + 12345u;
		buf_print(out, "w%u\n", (*seed >> 16) % words);
	}
}

static bool is_patched(unsigned seed, size_t lines_before, size_t lines_after, unsigned words)
{
	OWNED(buf_done) struct buf before = BUF_INIT(MAX);
	OWNED(buf_done) struct buf after = BUF_INIT(MAX);
	OWNED(buf_done) struct buf diff = BUF_INIT(MAX);
	OWNED(buf_done) struct buf made = BUF_INIT(MAX);
	make_text(&before, &seed, lines_before, words);
	make_text(&after, &seed, lines_after, words);
	textdiff_put(buf_view(&before), buf_view(&after), "a", "b", &diff);
	if (span_eq(buf_view(&before), buf_view(&after)))
		return diff.n == 0;
	patch(buf_view(&before), buf_view(&diff), &made);
	return span_eq(buf_view(&made), buf_view(&after));
}

int main(void)
{
	size_t wrong = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(MAX);
		static const char head[] = "--- a\n+++ b\n";
		textdiff_put(span_str(cases[i].before), span_str(cases[i].after), "a", "b", &out);
		const struct span all = buf_view(&out);
		const struct span shown = span_starts(all, SPAN("--- a\n+++ b\n"))
						  ? span_skip(all, sizeof head - 1)
						  : all;
		is_mem(shown.p, shown.n, cases[i].want, strlen(cases[i].want), "%s", cases[i].name);
	}
	for (unsigned seed = 1; seed <= 2000; seed++)
		wrong += !is_patched(seed, seed % 23, seed % 19, 2 + seed % 7);
	is_uint(wrong, 0, "2000 pairs of texts: each diff makes the second of the first");
	ok(is_patched(7, 3000, 3000, 1000000), "also where nearly all differs");
	return tap_done();
}
