/* test_elements.c - which elements an array holds, however it is cut; and that a stream which is one is read
 * while it comes. */
#include "brokerd/dialect/elements.h"

#include "brokerd/dialect/framing.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

/* Each with a semicolon, so that one text tells them all. */
static enum err on_element(void *context, struct span name, struct span text, struct fault *why)
{
	struct buf *log = context;
	(void)why;
	buf_text(log, span_is_set(name) ? "named=" : "");
	buf_span(log, text);
	buf_byte(log, ';');
	return span_is(text, "\"stop\"") ? ERR_CANCELLED : OK;
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	(void)body;
	(void)why;
	buf_text(context, "document");
	return OK;
}

static const struct row {
	const char *name, *input, *want;
	enum err end;
} rows[] = {
	{"two objects",                   "[{\"a\":1},\r\n{\"b\":2}]",         "{\"a\":1};{\"b\":2};",   OK                   },
	{"white space all over",          " \n[ {} , {\"a\" : [ ] }\n ] \r\n", "{};{\"a\" : [ ] };",     OK                   },
	{"none",			  "[]",				"",                       OK                   },
	{"arrays inside",                 "[[1,[2]],[]]",                      "[1,[2]];[];",            OK                   },
	{"brackets and commas in a text", "[{\"a\":\"],}[{\\\"\\\\\"}]",
         "{\"a\":\"],}[{\\\"\\\\\"};",								   OK                   },
	{"what is no object",             "[1,null ,\"a b\",-2.5e3]",          "1;null;\"a b\";-2.5e3;", OK                   },
	{"no end",			"[{\"a\":1},{\"b\":2}",              "{\"a\":1};{\"b\":2};",   ERR_STREAM_INCOMPLETE},
	{"no end of an element",          "[{\"a\":1},{\"b\":",                "{\"a\":1};",             ERR_STREAM_INCOMPLETE},
	{"something behind it",           "[{}] x",                            "{};",                    ERR_SERVER_ERROR     },
	{"a bracket too many",            "[}]",                               "};",                     OK                   },
	{"an object is a document",       "{\"a\":[1,2]}",                     "document",               OK                   },
	{"a word of the sink",            "[\"go\",\"stop\",1]",               "\"go\";\"stop\";",       ERR_CANCELLED        },
};

static enum err run(struct span input, size_t step, struct buf *log)
{
	const struct http_head head = {.status = 200};
	const struct framing_sink sink = {
		{on_element, log},
                on_document
        };
	struct framing f;
	struct fault why = FAULT_NONE;
	enum err err = OK;
	framing_init(&f, &head);
	f.has_elements = true;
	while (!err && input.n > 0) {
		err = framing_feed(&f, span_first(input, step), &sink, &why);
		input = span_skip(input, step < input.n ? step : input.n);
	}
	if (!err)
		err = framing_end(&f, &sink, &why);
	framing_done(&f);
	return err;
}

static void test_row(const struct row *row)
{
	static const size_t steps[] = {1, 2, 3, 7, 4096};
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		OWNED(buf_done) struct buf log = BUF_INIT(4 * KIB);
		is_err(run(span_str(row->input), steps[i], &log), row->end, "%s: its end",
			row->name);
		is_mem(log.p, log.n, row->want, strlen(row->want), "%s, %zu at a time", row->name,
			steps[i]);
	}
}

/* An array that never ends is refused where a stream of events would be. */
static void test_limit(void)
{
	OWNED(buf_done) struct buf log = BUF_INIT(LIMIT_BODY_BYTES * 2);
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES * 2);
	buf_byte(&text, '[');
	while (text.n <= LIMIT_SSE_TOTAL_BYTES)
		buf_text(&text, "{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"},");
	is_err(run(buf_view(&text), MIB, &log), ERR_SERVER_ERROR, "a stream that is too long");
	buf_clear(&text);
	buf_text(&text, "[{\"a\":\"");
	while (text.n <= LIMIT_REPLY_BYTES + 16)
		buf_text(&text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	is_err(run(buf_view(&text), MIB, &log), ERR_SERVER_ERROR, "an element that is");
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		test_row(&rows[i]);
	test_limit();
	return tap_done();
}
