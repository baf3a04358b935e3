/* test_ndjson.c - which lines a stream of bytes holds, however it is cut; and what tells lines from a
 * document. */
#include "brokerd/dialect/ndjson.h"

#include <stdlib.h>

#include "brokerd/dialect/framing.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

/* Each line with a semicolon, so that one text tells them all. */
static enum err on_line(void *context, struct span name, struct span line, struct fault *why)
{
	struct buf *log = context;
	(void)why;
	buf_text(log, span_is_set(name) ? "named=" : "");
	buf_span(log, line);
	buf_byte(log, ';');
	return span_is(line, "stop") ? ERR_CANCELLED : OK;
}

static const struct {
	const char *name, *input, *want;
} streams[] = {
	{"two lines",                  "{\"a\":1}\n{\"b\":2}\n",     "{\"a\":1};{\"b\":2};"     },
	{"no LF at the end",           "{\"a\":1}\n{\"b\":2}",       "{\"a\":1};{\"b\":2};"     },
	{"CR LF",		      "x\r\ny\r\n",                 "x;y;"                     },
	{"blank lines",                "\n\r\n  \nx\n\n\ny\n \n",    "x;y;"                     },
	{"blank lines only",           "\n\r\n\n",                   ""                         },
	{"nothing",		    "",			   ""                         },
	{"white space around a value", " x \t\n",                    "x;"                       },
	{"a CR alone ends no line",    "x\ry\n",                     "x\ry;"                    },
	{"a character cut",            "{\"t\":\"\xe2\x82\xac\"}\n", "{\"t\":\"\xe2\x82\xac\"};"},
};

static enum err run(struct span input, size_t step, struct buf *log)
{
	OWNED(ndjson_done) struct ndjson n;
	const struct sse_sink sink = {on_line, log};
	enum err err = OK;
	ndjson_init(&n);
	while (!err && input.n > 0) {
		/* each piece a copy of its own, so that what is kept of it too long is found */
		const struct span piece = span_first(input, step);
		char *copy = malloc(piece.n);
		memcpy(copy, piece.p, piece.n);
		err = ndjson_feed(&n, span_of(copy, piece.n), &sink, NULL);
		free(copy);
		input = span_skip(input, piece.n);
	}
	return err ? err : ndjson_end(&n, &sink, NULL);
}

static void test_table(void)
{
	static const size_t steps[] = {1, 2, 3, 7, 4096};
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		for (size_t j = 0; j < COUNT_OF(steps); j++) {
			OWNED(buf_done) struct buf log = BUF_INIT(4096);
			is_err(run(span_str(streams[i].input), steps[j], &log), OK, "%s: no fault",
				streams[i].name);
			buf_byte(&log, '\0');
			is_str(log.p, streams[i].want, "%s, %zu at a time", streams[i].name,
				steps[j]);
		}
	}
}

static void test_sink(void)
{
	OWNED(buf_done) struct buf log = BUF_INIT(4096);
	is_err(run(SPAN("a\nstop\nb\n"), 4096, &log), ERR_CANCELLED,
		"the sink's word is passed up");
	is_mem(log.p, log.n, "a;stop;", (size_t)7, "and nothing comes after it");
}

/* `filler` again and again until it is refused: how much was taken. */
static size_t fill(char filler, struct fault *why)
{
	OWNED(buf_done) struct buf log = BUF_INIT(64 * MIB);
	OWNED(ndjson_done) struct ndjson n;
	const struct sse_sink sink = {on_line, &log};
	char *bytes = malloc(MIB);
	size_t fed = 0;
	enum err err = OK;
	memset(bytes, filler, MIB);
	ndjson_init(&n);
	while (!err && fed <= 2 * LIMIT_SSE_TOTAL_BYTES) {
		err = ndjson_feed(&n, span_of(bytes, MIB), &sink, why);
		fed += MIB;
	}
	free(bytes);
	is_err(err, ERR_SERVER_ERROR, "too much is the provider's fault");
	return fed;
}

static void test_limits(void)
{
	struct fault why = FAULT_NONE;
	is_uint(fill('x', &why), LIMIT_SSE_LINE_BYTES + MIB, "a line has a ceiling");
	ok(strstr(why.message, "32 MiB"), "which the sentence names");
	is_uint(fill('\n', &why), LIMIT_SSE_TOTAL_BYTES + MIB, "and so has a stream");
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	struct buf *log = context;
	(void)why;
	buf_text(log, "document=");
	buf_span(log, body);
	return OK;
}

static const struct {
	const char *type, *body, *want;
} replies[] = {
	{"application/x-ndjson",                "\n{}\n{}\n",   "{};{};"       },
	{"application/x-ndjson; charset=utf-8", "{}\n{}",       "{};{};"       },
	{"Application/JSONL",                   "{}",           "{};"          },
	{"application/json",                    "{}\n",         "document={}\n"},
	{"",				    "{}\n",         "document={}\n"},
	{"application/x-ndjson",                "data: {}\n\n", "{};"          },
	{"application/x-ndjson",                "",             ""             },
};

static void test_framing(void)
{
	for (size_t i = 0; i < COUNT_OF(replies); i++) {
		OWNED(buf_done) struct buf log = BUF_INIT(4096);
		OWNED(framing_done) struct framing f;
		struct http_header type = {SPAN("content-type"), span_str(replies[i].type)};
		const struct http_head head = {200, &type, 1};
		const struct framing_sink sink = {
			{on_line, &log},
                        on_document
                };
		struct span rest = span_str(replies[i].body);
		enum err err = OK;
		framing_init(&f, &head);
		for (; !err && rest.n > 0; rest = span_skip(rest, 1))
			err = framing_feed(&f, span_first(rest, 1), &sink, NULL);
		if (!err)
			err = framing_end(&f, &sink, NULL);
		is_err(err, OK, "\"%s\" is no fault", replies[i].type);
		buf_byte(&log, '\0');
		is_str(log.p, replies[i].want, "\"%s\" of type \"%s\"", replies[i].body,
			replies[i].type);
	}
}

int main(void)
{
	test_table();
	test_sink();
	test_limits();
	test_framing();
	return tap_done();
}
