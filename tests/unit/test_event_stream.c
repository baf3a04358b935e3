/* test_event_stream.c - which messages a stream of bytes holds, however it is cut. */
#include "brokerd/dialect/event_stream.h"

#include <stdlib.h>

#include "brokerd/dialect/crc32.h"
#include "protocol/limits.h"
#include "tests/lib/aws_message.h"
#include "tests/lib/tap.h"

#define BYTES(literal)                       \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/* Each message as "type|event|exception|code|text|payload;", the absent as "-". */
static enum err on_message(void *context, const struct event_message *m, struct fault *why)
{
	struct buf *log = context;
	const struct span all[] = {m->type, m->event, m->exception, m->code, m->text, m->payload};
	(void)why;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		buf_span(log, span_is_set(all[i]) ? all[i] : SPAN("-"));
		buf_byte(log, i + 1 < COUNT_OF(all) ? '|' : ';');
	}
	return span_is(m->payload, "stop") ? ERR_CANCELLED : OK;
}

static enum err run(struct span input, size_t step, struct buf *log, struct fault *why)
{
	OWNED(event_stream_done) struct event_stream s;
	const struct event_stream_sink sink = {on_message, log};
	enum err err = OK;
	event_stream_init(&s);
	while (!err && input.n > 0) {
		/* each piece a copy of its own, so that what is kept of it too long is found */
		const struct span piece = span_first(input, step);
		char *copy = malloc(piece.n);
		memcpy(copy, piece.p, piece.n);
		err = event_stream_feed(&s, span_of(copy, piece.n), &sink, why);
		free(copy);
		input = span_skip(input, piece.n);
	}
	return err ? err : event_stream_end(&s, why);
}

#define DELTA                                                                         \
	"\x00\x00\x00\x94\x00\x00\x00\x57\xb4\xab\x9a\xee\x0b:event-type\x07\x00\x11" \
	"contentBlockDelta\x0d:content-type\x07\x00\x10"                              \
	"application/json\x0d:message-type\x07\x00\x05"                               \
	"event{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}}\x1f\x94\x46\x57"
#define DELTA_SAYS \
	"event|contentBlockDelta|-|-|-|{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}};"
#define EMPTY "\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff"

/* as published, and as computed by the vendor's own library */
static const struct {
	const char *name;
	struct span input;
	const char *want;
} streams[] = {
	{"nothing",                   BYTES(""),				       ""           },
	{"an empty message",          BYTES(EMPTY),                                    "-|-|-|-|-|;"},
	{"a payload alone",
         BYTES("\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}"
		      "\xc3\x65\x39\x36"),
         "-|-|-|-|-|{'foo':'bar'};"								 },
	{"an event",                  BYTES(DELTA),				    DELTA_SAYS   },
	{"an exception",
         BYTES("\x00\x00\x00\x90\x00\x00\x00\x61\x8e\x91\xa9\xb7\x0f:exception-"
		      "type\x07\x00\x13"
		      "throttlingException\x0d:content-type\x07\x00\x10"
		      "application/json\x0d:message-type\x07\x00\x09"
		      "exception{\"message\":\"Too many requests\"}\xe6\x7f\x80\x05"),
         "exception|-|throttlingException|-|-|{\"message\":\"Too many requests\"};"                 },
	{"three, one behind another", BYTES(DELTA EMPTY DELTA),
         DELTA_SAYS "-|-|-|-|-|;" DELTA_SAYS							},
};

static void test_table(void)
{
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		for (size_t step = 1; step <= streams[i].input.n + 1; step++) {
			OWNED(buf_done) struct buf log = BUF_INIT(4096);
			struct fault why;
			const enum err err = run(streams[i].input, step, &log, &why);
			buf_byte(&log, '\0');
			if (err || strcmp(log.p, streams[i].want) != 0)
				is_str(log.p, streams[i].want, "%s, %zu at a time: %s",
					streams[i].name, step, err_info(err)->word);
		}
		ok(true, "%s", streams[i].name);
	}
}

/* One cut at every byte, and the end at every byte. */
static void test_cuts(void)
{
	const struct span input = SPAN(DELTA EMPTY DELTA);
	size_t bad = 0;
	for (size_t at = 0; at <= input.n; at++) {
		OWNED(buf_done) struct buf log = BUF_INIT(4096);
		OWNED(event_stream_done) struct event_stream s;
		const struct event_stream_sink sink = {on_message, &log};
		struct fault why;
		event_stream_init(&s);
		enum err err = event_stream_feed(&s, span_first(input, at), &sink, &why);
		const bool is_whole = at == 0 || at == 148 || at == 164 || at == input.n;
		bad += err != OK;
		bad += event_stream_end(&s, &why) != (is_whole ? OK : ERR_STREAM_INCOMPLETE);
		err = event_stream_feed(&s, span_skip(input, at), &sink, &why);
		bad += err != OK || event_stream_end(&s, &why) != OK;
		buf_byte(&log, '\0');
		bad += strcmp(log.p, DELTA_SAYS "-|-|-|-|-|;" DELTA_SAYS) != 0;
	}
	is_uint(bad, 0, "cut at any byte it is the same, and an end within a message is known");
}

static void test_damage(void)
{
	const struct span input = SPAN(DELTA);
	size_t bad = 0;
	for (size_t at = 0; at < input.n; at++) {
		OWNED(buf_done) struct buf log = BUF_INIT(4096);
		struct fault why;
		char copy[148];
		memcpy(copy, input.p, input.n);
		copy[at] = (char)(copy[at] ^ 0x20);
		const enum err err = run(span_of(copy, sizeof copy), 1 + at % 7, &log, &why);
		bad += err != ERR_SERVER_ERROR || log.n > 0 || !strstr(why.message, "checksum");
	}
	is_uint(bad, 0, "a flipped bit is found at any place, before anything is believed");
}

static void put_prelude(struct buf *out, uint32_t total, uint32_t headers)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_byte(out, (char)(total >> shift & 0xff));
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_byte(out, (char)(headers >> shift & 0xff));
	const uint32_t sum = crc32_of(0, out->p, 8);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_byte(out, (char)(sum >> shift & 0xff));
}

static const struct {
	const char *name;
	uint32_t total, headers;
	enum err want;
	const char *words;
} preludes[] = {
	{"no room for its checksums", 15,                   0,          ERR_SERVER_ERROR,      "contradict"   },
	{"no length at all",          0,                    0,          ERR_SERVER_ERROR,      "contradict"   },
	{"more headers than message", 100,                  85,         ERR_SERVER_ERROR,      "contradict"   },
	{"headers beyond all bounds", 100,                  UINT32_MAX, ERR_SERVER_ERROR,      "contradict"   },
	{"headers that just fit",     100,                  84,         ERR_STREAM_INCOMPLETE, "in the middle"},
	{"the largest that may be",   24 * 1024 * 1024,     0,          ERR_STREAM_INCOMPLETE, "in the middle"},
	{"one byte more",             24 * 1024 * 1024 + 1, 0,          ERR_SERVER_ERROR,      "24 MiB"       },
	{"the largest there is",      UINT32_MAX,           0,          ERR_SERVER_ERROR,      "24 MiB"       },
};

static void test_preludes(void)
{
	for (size_t i = 0; i < COUNT_OF(preludes); i++) {
		OWNED(buf_done) struct buf bytes = BUF_INIT(64);
		OWNED(buf_done) struct buf log = BUF_INIT(64);
		struct fault why;
		put_prelude(&bytes, preludes[i].total, preludes[i].headers);
		is_err(run(buf_view(&bytes), 5, &log, &why), preludes[i].want, "%s",
			preludes[i].name);
		ok(strstr(why.message, preludes[i].words), "and says so: %s", why.message);
	}
}

static void test_headers(void)
{
	static const struct aws_header all[] = {
		{"a",             0, BYTES("")                                },
		{"b",             1, BYTES("")                                },
		{"c",             2, BYTES("\x01")                            },
		{"d",             3, BYTES("\x01\x02")                        },
		{"e",             4, BYTES("\x01\x02\x03\x04")                },
		{"f",             5, BYTES("\x01\x02\x03\x04\x05\x06\x07\x08")},
		{"g",             6, BYTES("bytes")                           },
		{":event-type",   6, BYTES("bytes, and so no type")           },
		{":message-type", 7, BYTES("event")                           },
		{"h",             8, BYTES("\x01\x02\x03\x04\x05\x06\x07\x08")},
		{"",              9, BYTES("0123456789abcdef")                },
		{":error-code",   7, BYTES("")                                },
	};
	OWNED(buf_done) struct buf bytes = BUF_INIT(4096);
	OWNED(buf_done) struct buf log = BUF_INIT(4096);
	struct fault why;
	aws_message_put(&bytes, all, COUNT_OF(all), SPAN("x"));
	is_err(run(buf_view(&bytes), 4096, &log, &why), OK, "headers of all types");
	is_mem(log.p, log.n, "event|-|-||-|x;", (size_t)15, "and texts alone are read");

	static const struct {
		const char *name;
		struct aws_header header;
	} broken[] = {
		{"a type that there is not",   {"a", 10, BYTES("")}              },
		{"a value that is too short",  {"a", 5, BYTES("1234567")}        },
		{"a time that is too short",   {"a", 8, BYTES("1234567")}        },
		{"a UUID that is too short",   {"a", 9, BYTES("0123456789abcde")}},
		{"a number that is not there", {"a", 2, BYTES("")}               },
		{"a byte behind the last one", {"a", 0, BYTES("\x05")}           },
	};
	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		buf_clear(&bytes);
		buf_clear(&log);
		aws_message_put(&bytes, &broken[i].header, 1, SPAN("x"));
		is_err(run(buf_view(&bytes), 4096, &log, &why), ERR_SERVER_ERROR, "%s",
			broken[i].name);
		is_uint(log.n, 0, "and nothing is given of it");
	}
}

static void test_limits(void)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(32 * MIB);
	OWNED(buf_done) struct buf log = BUF_INIT(64 * MIB);
	OWNED(event_stream_done) struct event_stream s;
	const struct event_stream_sink sink = {on_message, &log};
	struct fault why;
	char *payload = calloc(1, LIMIT_EVENT_MESSAGE_BYTES - 16);
	enum err err = OK;
	size_t fed = 0;
	aws_message_put(&bytes, NULL, 0, span_of(payload, LIMIT_EVENT_MESSAGE_BYTES - 16));
	is_err(run(buf_view(&bytes), MIB + 1, &log, &why), OK, "the largest message in pieces");
	is_uint(log.n, LIMIT_EVENT_MESSAGE_BYTES - 16 + 11, "all of it");

	event_stream_init(&s);
	while (!err && fed <= LIMIT_SSE_TOTAL_BYTES) {
		buf_clear(&log);
		err = event_stream_feed(&s, buf_view(&bytes), &sink, &why);
		fed += bytes.n;
	}
	is_err(err, ERR_SERVER_ERROR, "a stream over its limit is the provider's fault");
	ok(strstr(why.message, "64 MiB"), "the sentence has the limit");
	free(payload);
}

static void test_sink(void)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(4096);
	OWNED(buf_done) struct buf log = BUF_INIT(4096);
	struct fault why;
	aws_lines_put(&bytes, SPAN("a one\nerror:Oops it broke\nb stop\nc two\n"));
	is_err(run(buf_view(&bytes), 4096, &log, &why), ERR_CANCELLED,
		"the sink's word is passed up");
	buf_byte(&log, '\0');
	is_str(log.p, "event|a|-|-|-|one;error|-|-|Oops|it broke|;event|b|-|-|-|stop;",
		"and nothing comes after it");
}

int main(void)
{
	is_uint(crc32_of(0, "123456789", 9), 0xcbf43926, "the checksum's check value");
	is_uint(crc32_of(crc32_of(0, "1234", 4), "56789", 5), 0xcbf43926, "in two pieces");
	is_uint(crc32_of(0, "", 0), 0, "of nothing");
	test_table();
	test_cuts();
	test_damage();
	test_preludes();
	test_headers();
	test_limits();
	test_sink();
	return tap_done();
}
