/* test_passage.c - which bytes of a reply go on, and in which pieces, however they come. */
#include "brokerd/dialect/passage.h"

#include "protocol/limits.h"
#include "tests/lib/tap.h"

/* What came out, a bar behind each piece; decoding fails where `bad` is in what is decoded. */
struct ears {
	struct buf heard, passed;
	const char *bad;
};

static enum err decode(void *context, struct span bytes, struct fault *why)
{
	struct ears *e = context;
	buf_span(&e->heard, bytes);
	if (e->bad && span_find(buf_view(&e->heard), span_str(e->bad)) < e->heard.n)
		return fault_set(why, ERR_OVERLOADED, "they said so");
	return OK;
}

static enum err pass_on(void *context, struct span bytes)
{
	struct ears *e = context;
	buf_span(&e->passed, bytes);
	buf_byte(&e->passed, '|');
	return OK;
}

#define COUNTS "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n"
#define NOT_COUNTS                                                                    \
	"data: {\"choices\":[{\"delta\":{\"content\":\"prompt_tokens\"}}],\"usage\":" \
	"{\"prompt_tokens\":1}}\n\n"

struct row {
	const char *name, *type;
	enum answer_form form;
	bool wants_counts;
	const char *bad; /* NULL: all is well */
	const char *input, *want;
};

static const struct row rows[] = {
	{"events, with their line ends",  "text/event-stream", ANSWER_SSE,   false, NULL,
         "data: a\n\n: hm\r\n\r\nevent: b\ndata: c\n\n",						"data: a\n\n|: hm\r\n\r\n|event: b\ndata: c\n\n|"},
	{"an event that lacks its end",   "text/event-stream", ANSWER_SSE,   false, NULL,
         "data: a\n\ndata: b\n",									"data: a\n\n|data: b\n|"                         },
	{"counts that nobody wants",      "text/event-stream", ANSWER_SSE,   false, NULL,
         "data: a\n\n" COUNTS "data: [DONE]\n\n",                                                       "data: a\n\n|data: [DONE]\n\n|"                  },
	{"counts that somebody wants",    "text/event-stream", ANSWER_SSE,   true,  NULL,
         "data: a\n\n" COUNTS,									  "data: a\n\n|" COUNTS "|"                        },
	{"counts beside content",         "text/event-stream", ANSWER_SSE,   false, NULL,   NOT_COUNTS,
         NOT_COUNTS "|"																  },
	{"an error is not passed on",     "text/event-stream", ANSWER_SSE,   false, "oops",
         "data: a\n\ndata: oops\n\ndata: b\n\n",							"data: a\n\n|"                                   },
	{"elements",		      "application/json",  ANSWER_LIST,  false, NULL,
         " [{\"a\":1},\r\n{\"b\":[2]} \n]\n",							   " [{\"a\":1}|,\r\n{\"b\":[2]}| \n]\n|"           },
	{"an element that is an error",   "application/json",  ANSWER_LIST,  false, "oops",
         "[{\"a\":1},{\"oops\":2}]",								    "[{\"a\":1}|"                                    },
	{"a whole reply is one piece",    "application/json",  ANSWER_WHOLE, false, NULL,
         "{\"a\":\n\n[1, 2]}",									  "{\"a\":\n\n[1, 2]}|"                            },
	{"and nothing of one that fails", "application/json",  ANSWER_WHOLE, false, "oops",
         "{\"oops\":1}",										""					       },
};

static void feed(const struct row *row, size_t step, struct ears *ears)
{
	struct http_header header = {SPAN("content-type"), span_str(row->type)};
	const struct http_head head = {.status = 200, .headers = &header, .n_headers = 1};
	const struct llm_request request = {.is_stream = row->form != ANSWER_WHOLE};
	const struct forwarded what = {
		.request = &request, .form = row->form, .wants_usage_event = row->wants_counts};
	const struct passage_sink sink = {decode, pass_on, ears};
	struct passage p;
	struct fault why = FAULT_NONE;
	enum err err = OK;
	passage_init(&p, &what, &head);
	for (struct span left = span_str(row->input); !err && left.n > 0;) {
		const struct span piece = span_first(left, step);
		err = passage_take(&p, piece, &sink, &why);
		left = span_skip(left, piece.n);
	}
	if (!err)
		err = passage_end(&p, &sink, &why);
	if (!err)
		err = passage_flush(&p, &sink);
	is_err(err, row->bad ? ERR_OVERLOADED : OK, "%s, %zu at a time: its end", row->name, step);
	passage_done(&p);
}

static void test_row(const struct row *row)
{
	static const size_t steps[] = {1, 2, 3, 5, 4096};
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		struct ears ears = {BUF_INIT(4 * KIB), BUF_INIT(4 * KIB), row->bad};
		feed(row, steps[i], &ears);
		is_mem(ears.passed.p, ears.passed.n, row->want, strlen(row->want),
			"%s, %zu at a time: what goes on", row->name, steps[i]);
		if (!row->bad)
			is_mem(ears.heard.p, ears.heard.n, row->input, strlen(row->input),
				"%s, %zu at a time: all is decoded", row->name, steps[i]);
		buf_done(&ears.heard);
		buf_done(&ears.passed);
	}
}

/* What is no array, though one was to come, goes on as it comes. */
static void test_no_list(void)
{
	const struct row row = {"an object in place of a list", "application/json", ANSWER_LIST,
		false, NULL, " {\"a\":[1]}", " {|\"a|\":|[1|]}|"};
	struct ears ears = {BUF_INIT(4 * KIB), BUF_INIT(4 * KIB), NULL};
	feed(&row, 2, &ears);
	is_mem(ears.passed.p, ears.passed.n, row.want, strlen(row.want), "%s", row.name);
	buf_done(&ears.heard);
	buf_done(&ears.passed);
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		test_row(&rows[i]);
	test_no_list();
	return tap_done();
}
