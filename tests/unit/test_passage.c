/* test_passage.c - which bytes of a reply go on, and in which pieces? */
#include "brokerd/dialect/passage.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

/* A decoder that finds no fault but in what says "bad", and notes what it was given. */
struct ends {
	struct buf decoded, passed; /* pieces with a bar behind each */
};

static enum err decode(void *context, struct span bytes, struct fault *why)
{
	struct ends *e = context;
	buf_span(&e->decoded, bytes);
	buf_byte(&e->decoded, '|');
	return span_find(bytes, SPAN("bad")) < bytes.n
		       ? fault_set(why, ERR_SERVER_ERROR, "it is bad")
		       : OK;
}

static enum err pass_on(void *context, struct span bytes)
{
	struct ends *e = context;
	buf_span(&e->passed, bytes);
	buf_byte(&e->passed, '|');
	return OK;
}

#define COUNTS "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n"
#define NOT_COUNTS                                                                                 \
	"data: "                                                                                   \
	"{\"choices\":[{\"delta\":{\"content\":\"prompt_tokens\"}}],\"usage\":{\"prompt_tokens\":" \
	"1}}\n\n"

static const struct {
	const char *name, *type, *body, *passed;
	bool is_stream, wants_counts;
	enum err err;
} rows[] = {
	{"events, one by one",                  "text/event-stream",                "data: a\n\ndata: b\n\n",
         "data: a\n\n|data: b\n\n|",														  true,  false, OK},
	{"line ends as they are",               "text/event-stream; charset=utf-8",
         "data: a\r\n\r\n: c\n\ndata: b\n\n",								 "data: a\r\n\r\n|: c\n\n|data: b\n\n|", true,
         false,																		     OK},
	{"the last one without its empty line", "text/event-stream",                "data: a\n\ndata: b",
         "data: a\n\n|data: b|",														      true,  false, OK},
	{"an event that fails does not go on",  "text/event-stream",
         "data: a\n\ndata: bad\n\ndata: c\n\n",							       "data: a\n\n|",                         true,  false,
         ERR_SERVER_ERROR																	     },
	{"counts that nobody asked for",        "text/event-stream",
         "data: a\n\n" COUNTS "data: [DONE]\n\n",							     "data: a\n\n|data: [DONE]\n\n|",        true,
         false,																		     OK},
	{"counts that were asked for",          "text/event-stream",                "data: a\n\n" COUNTS,
         "data: a\n\n|" COUNTS "|",														   true,  true,  OK},
	{"counts beside content",               "text/event-stream",                NOT_COUNTS,               NOT_COUNTS "|",                         true,  false, OK},
	{"a whole reply is one piece",          "application/json",                 "{\"a\":\n\n1}",          "{\"a\":\n\n1}|",                       false,
         false,																		     OK},
	{"and nothing of one that fails",       "application/json",                 "{\"bad\":1}",            "",                                     false, false,
         ERR_SERVER_ERROR																	     },
};

static void try(size_t i, size_t step)
{
	struct ends ends = {BUF_INIT(64 * KIB), BUF_INIT(64 * KIB)};
	struct http_header type = {SPAN("content-type"), span_str(rows[i].type)};
	const struct http_head head = {.status = 200, .headers = &type, .n_headers = 1};
	const struct llm_request request = {.is_stream = rows[i].is_stream};
	const struct forwarded what = {
		.request = &request, .wants_usage_event = rows[i].wants_counts};
	const struct passage_sink sink = {decode, pass_on, &ends};
	struct passage p;
	struct fault why = FAULT_NONE;
	struct span rest = span_str(rows[i].body);
	enum err err = OK;
	passage_init(&p, &what, &head);
	while (!err && rest.n > 0) {
		err = passage_take(&p, span_first(rest, step), &sink, &why);
		rest = span_skip(rest, step < rest.n ? step : rest.n);
	}
	if (!err)
		err = passage_end(&p, &sink, &why);
	if (!err)
		err = passage_flush(&p, &sink);
	is_err(err, rows[i].err, "%s, %zu bytes at a time", rows[i].name, step);
	is_mem(ends.passed.p, ends.passed.n, rows[i].passed, strlen(rows[i].passed),
		"%s, %zu bytes at a time: what goes on", rows[i].name, step);
	passage_done(&p);
	buf_done(&ends.decoded);
	buf_done(&ends.passed);
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const bool is_bad_whole = !rows[i].is_stream && rows[i].err;
		try(i, SIZE_MAX);
		for (size_t step = 1; step < 8 && !is_bad_whole; step++)
			try(i, step);
	}
	return tap_done();
}
