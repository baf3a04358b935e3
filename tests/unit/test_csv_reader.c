/* test_csv_reader.c - the fields of files as programs write them, whole and byte by byte. */
#include <stdio.h>

#include "libllmclient/cli/csv_reader.h"
#include "tests/lib/tap.h"

/* Fields end in '|', records in '\n'. */
static enum err write_record(void *context, const struct csv_record *r, struct fault *why)
{
	struct buf *out = context;
	(void)why;
	for (size_t i = 0; i < r->n; i++) {
		buf_span(out, r->fields[i].text);
		buf_byte(out, '|');
	}
	buf_byte(out, '\n');
	return buf_error(out);
}

static enum err read_in_pieces(struct span text, size_t piece, struct buf *out, struct fault *why)
{
	OWNED(csv_reader_done) struct csv_reader c;
	enum err err = OK;
	csv_reader_init(&c, &(struct csv_sink){write_record, out});
	for (size_t i = 0; !err && i < text.n; i += piece)
		err = csv_reader_feed(&c, span_first(span_skip(text, i), piece), why);
	return err ? err : csv_reader_end(&c, why);
}

/* clang-format off */
static const struct {
	const char *name, *text, *want;
} reads[] = {
	{"commas",                      "a,b\n1,2\n",                 "a|b|\n1|2|\n"},
	{"CR LF",                       "a,b\r\n1,2\r\n",             "a|b|\n1|2|\n"},
	{"CR alone",                    "a,b\r1,2\r",                 "a|b|\n1|2|\n"},
	{"no end of the last line",     "a,b\n1,2",                   "a|b|\n1|2|\n"},
	{"a byte-order mark",           "\xef\xbb\xbf" "a,b\n1,2\n",  "a|b|\n1|2|\n"},
	{"a mark before quotes",        "\xef\xbb\xbf" "\"a\",b\n",   "a|b|\n"},
	{"semicolons",                  "a;b\n1,5;2\n",               "a|b|\n1,5|2|\n"},
	{"tabs",                        "a\tb\n1,5\t2;3\n",           "a|b|\n1,5|2;3|\n"},
	{"commas in a name",            "\"a;b;c\",d\n1,2\n",         "a;b;c|d|\n1|2|\n"},
	{"one column",                  "a\n1\n",                     "a|\n1|\n"},
	{"quotes",                      "a,b\n\"1,5\",\"x\"\n",       "a|b|\n1,5|x|\n"},
	{"quotes within",               "a\n\"say \"\"no\"\"\"\n",    "a|\nsay \"no\"|\n"},
	{"a line end within",           "a,b\n\"1\r\n2\",3\n",        "a|b|\n1\r\n2|3|\n"},
	{"a line end in the first line", "\"a\nb\",c\n1,2\n",         "a\nb|c|\n1|2|\n"},
	{"empty fields",                "a,b,c\n,,\n",                "a|b|c|\n|||\n"},
	{"an empty field in quotes",    "a\n\"\"\n",                  "a|\n|\n"},
	{"blank lines",                 "\n\na,b\n\n1,2\n\n",         "a|b|\n1|2|\n"},
	{"spaces are kept",             "a, b\n 1 ,2\n",              "a| b|\n 1 |2|\n"},
	{"nothing",                     "",                           ""},
};

static const struct {
	const char *name, *text;
	enum err want;
	const char *why;
} refused[] = {
	{"quotes that never end", "a,b\n1,\"2\n3\n", ERR_MALFORMED,
		"line 2, column 3: the quotes that begin here are never closed"},
	{"text behind quotes", "a,b\n\"1\"x,2\n", ERR_MALFORMED,
		"line 2, column 4: there is text behind the quotes that end a field: quotes inside one are written twice"},
	{"quotes in the middle", "a,b\r\n1,2\r\n3,4\"\r\n", ERR_MALFORMED,
		"line 3, column 4: there are quotes inside a field that does not begin with any: such a field is put in "
		"quotes, and those inside are written twice"},
	{"UTF-16", "\xff\xfe" "a", ERR_MALFORMED,
		"line 1, column 1: the file is in UTF-16: save it as CSV in UTF-8 and try again"},
};
/* clang-format on */

static void test_refused(struct span text, enum err want, const char *sentence, const char *name)
{
	OWNED(buf_done) struct buf out = BUF_INIT(CSV_RECORD_BYTES);
	struct fault why = FAULT_NONE;
	is_err(read_in_pieces(text, 1, &out, &why), want, "%s: refused", name);
	is_str(why.message, sentence, "%s: says where", name);
}

static void test_too_much(void)
{
	OWNED(buf_done) struct buf text = BUF_INIT(4 * CSV_RECORD_BYTES);
	OWNED(buf_done) struct buf out = BUF_INIT(4 * CSV_RECORD_BYTES);
	struct fault why = FAULT_NONE;
	buf_text(&text, "a,b\n\"");
	for (size_t i = 0; i < CSV_RECORD_BYTES + 10; i++)
		buf_byte(&text, 'x');
	is_err(read_in_pieces(buf_view(&text), 4096, &out, &why), ERR_TOO_BIG,
		"a record that never ends");
	buf_clear(&text);
	buf_text(&text, "a,b\n");
	for (size_t i = 0; i < CSV_FIELDS_MAX; i++)
		buf_byte(&text, ',');
	is_err(read_in_pieces(buf_view(&text), 4096, &out, &why), ERR_TOO_BIG,
		"a record of too many fields");
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(reads); i++) {
		for (size_t piece = 1; piece <= 64; piece *= 8) {
			OWNED(buf_done) struct buf out = BUF_INIT(CSV_RECORD_BYTES);
			struct fault why = FAULT_NONE;
			const struct span text = span_str(reads[i].text);
			const enum err err = read_in_pieces(text, piece, &out, &why);
			is_err(err, OK, "%s is read, %zu at a time: %s", reads[i].name, piece,
				why.message);
			is_mem(out.p, out.n, reads[i].want, strlen(reads[i].want), "%s: its fields",
				reads[i].name);
		}
	}
	for (size_t i = 0; i < COUNT_OF(refused); i++)
		test_refused(span_str(refused[i].text), refused[i].want, refused[i].why,
			refused[i].name);
	test_refused(SPAN("a,b\n1,\0\n"), ERR_MALFORMED,
		"line 2, column 3: there is a zero byte, so this is no text in UTF-8",
		"a zero byte");
	test_refused(SPAN("\x7f"
			  "ELF\0"),
		ERR_MALFORMED,
		"line 1, column 5: there is a zero byte, so this is no text in UTF-8", "a program");
	test_too_much();
	return tap_done();
}
