/* test_sse.c - which events a stream of bytes holds, however it is cut. */
#include "brokerd/dialect/sse.h"

#include <stdlib.h>

#include "protocol/limits.h"
#include "tests/lib/tap.h"

/* Each event as "name=data;", so that one text tells them all. */
static enum err on_event(void *context, struct span name, struct span data, struct fault *why)
{
	struct buf *log = context;
	(void)why;
	if (span_is_set(name)) {
		buf_span(log, name);
		buf_byte(log, '=');
	}
	buf_span(log, data);
	buf_byte(log, ';');
	return span_is(data, "stop") ? ERR_CANCELLED : OK;
}

#define BYTES(literal)                       \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static const struct {
	const char *name;
	struct span input;
	const char *want;
} streams[] = {
	{"one event, CR LF",                    BYTES("data: {\"a\":1}\r\n\r\n"),                     "{\"a\":1};"           },
	{"a byte order mark",                   BYTES("\357\273\277data: x\n\n"),                     "x;"                   },
	{"part of a byte order mark is a line", BYTES("\357\273data: x\n\ndata: y\n\n"),              "y;"                   },
	{"two data lines",                      BYTES("data: a\ndata: b\n\n"),                        "a\nb;"                },
	{"three data lines, one empty",         BYTES("data: a\ndata\ndata: c\n\n"),                  "a\n\nc;"              },
	{"a comment",			   BYTES(": keep-alive\n\ndata: x\n\n"),                 "x;"                   },
	{"a comment inside an event",           BYTES("data: x\n: y\ndata: z\n\n"),                   "x\nz;"                },
	{"no space",			    BYTES("data:x\n\n"),                                  "x;"                   },
	{"two spaces",			  BYTES("data:  x\n\n"),                                " x;"                  },
	{"a name",			      BYTES("event: ping\ndata: {\"type\":\"ping\"}\n\n"),
         "ping={\"type\":\"ping\"};"											 },
	{"an error field",                      BYTES("error: {\"code\":500}\n\n"),                   "error={\"code\":500};"},
	{"the name goes with its event",        BYTES("event: a\ndata: 1\n\ndata: 2\n\n"),            "a=1;2;"               },
	{"lone CR",			     BYTES("data: x\r\rdata: y\r\r"),                      "x;y;"                 },
	{"mixed ends",			  BYTES("data: x\r\n\ndata: y\r\r\ndata: z\n\r\n"),     "x;y;z;"               },
	{"no empty line at the end",            BYTES("data: x\n"),                                   "x;"                   },
	{"no end of line at the end",           BYTES("data: x"),                                     "x;"                   },
	{"a character cut",                     BYTES("data: {\"t\":\"\xe2\x82\xac\"}\n\n"),
         "{\"t\":\"\xe2\x82\xac\"};"											 },
	{"no data, no event",                   BYTES("event: x\n\n"),                                ""                     },
	{"empty data",			  BYTES("data\n\n"),                                    ";"                    },
	{"empty data with a colon",             BYTES("data:\n\n"),                                   ";"                    },
	{"id, retry and unknown fields",        BYTES("id: 7\nretry: 1\nfoo\nfoo: bar\ndata: x\n\n"),
         "x;"														},
	{"fields are exact",                    BYTES("Data: a\n data: b\ndatax: c\n\n"),             ""                     },
	{"a NUL is a byte",                     BYTES("data: a\0b\n\n"),                              "a"                    },
	{"blank lines only",                    BYTES("\n\r\n\r\n"),                                  ""                     },
	{"nothing",			     BYTES(""),					    ""                     },
};

static enum err run(struct span input, size_t step, struct buf *log)
{
	OWNED(sse_done) struct sse s;
	const struct sse_sink sink = {on_event, log};
	enum err err = OK;
	sse_init(&s);
	while (!err && input.n > 0) {
		/* each piece a copy of its own, so that what is kept of it too long is found */
		const struct span piece = span_first(input, step);
		char *copy = malloc(piece.n);
		memcpy(copy, piece.p, piece.n);
		err = sse_feed(&s, span_of(copy, piece.n), &sink, NULL);
		free(copy);
		input = span_skip(input, piece.n);
	}
	return err ? err : sse_end(&s, &sink, NULL);
}

static void test_table(void)
{
	static const size_t steps[] = {1, 2, 3, 7, 64, 4096};
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		for (size_t j = 0; j < COUNT_OF(steps); j++) {
			OWNED(buf_done) struct buf log = BUF_INIT(4096);
			is_err(run(streams[i].input, steps[j], &log), OK, "%s: no fault",
				streams[i].name);
			buf_byte(&log, '\0');
			is_str(log.p, streams[i].want, "%s, %zu at a time", streams[i].name,
				steps[j]);
		}
	}
}

static void test_limits(void)
{
	OWNED(buf_done) struct buf log = BUF_INIT(64 * MIB);
	OWNED(sse_done) struct sse s;
	const struct sse_sink sink = {on_event, &log};
	struct fault why;
	const size_t piece = MIB;
	char *bytes = malloc(piece);
	enum err err = OK;
	size_t fed = 0;

	memset(bytes, 'x', piece);
	sse_init(&s);
	while (!err && fed <= LIMIT_SSE_LINE_BYTES) {
		err = sse_feed(&s, span_of(bytes, piece), &sink, &why);
		fed += piece;
	}
	is_err(err, ERR_SERVER_ERROR, "a line over its limit is the provider's fault");
	is_uint(fed, LIMIT_SSE_LINE_BYTES + piece, "and not before");
	ok(strstr(why.message, "32 MiB"), "the sentence has the limit");

	sse_done(&s);
	sse_init(&s);
	memset(bytes, '\n', piece);
	for (err = OK, fed = 0; !err && fed <= LIMIT_SSE_TOTAL_BYTES; fed += piece)
		err = sse_feed(&s, span_of(bytes, piece), &sink, &why);
	is_err(err, ERR_SERVER_ERROR, "so is a stream over its limit");
	is_uint(fed, LIMIT_SSE_TOTAL_BYTES + piece, "and not before");
	free(bytes);
}

static void test_sink(void)
{
	OWNED(buf_done) struct buf log = BUF_INIT(4096);
	is_err(run(SPAN("data: a\n\ndata: stop\n\ndata: b\n\n"), 4096, &log), ERR_CANCELLED,
		"the sink's word is passed up");
	is_mem(log.p, log.n, "a;stop;", (size_t)7, "and nothing comes after it");
}

int main(void)
{
	test_table();
	test_limits();
	test_sink();
	return tap_done();
}
