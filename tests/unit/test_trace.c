/* test_trace.c - the last requests are there, whole or with how much is missing, and no others. */
#include "brokerd/exchange/trace.h"

#include <stdio.h>

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

static void name(char id[REQUEST_ID_BYTES], unsigned number)
{
	(void)snprintf(id, REQUEST_ID_BYTES, "req_%026u", number);
}

static struct trace_step attempt(unsigned number)
{
	return (struct trace_step){.what = TRACE_ATTEMPT,
		.at_us = 10,
		.provider = SPAN("one"),
		.model = SPAN("m"),
		.key = SPAN(""),
		.us = 7,
		.number = number,
		.outcome = OUTCOME_FAILED,
		.err = ERR_OVERLOADED,
		.http_status = 503,
		.connect_us = -1,
		.first_byte_us = 5,
		.nusd = -1};
}

/* "": nothing is known of it. */
static const char *told(const struct traces *t, const char *id)
{
	static char text[64 * 1024];
	OWNED(buf_done) struct buf json = BUF_INIT(sizeof text - 1);
	struct json_out o = json_to(&json);
	const bool is_known = trace_json(t, span_str(id), &o);
	ok(is_known || json.n == 0, "what is not known appends nothing");
	ok(!buf_error(&json), "it has an end");
	(void)snprintf(text, sizeof text, "%.*s", (int)json.n, json.n > 0 ? json.p : "");
	return text;
}

/* The member as it stands there. */
static struct json member(const char *text, const char *member_name)
{
	struct json j;
	struct fault why;
	if (!ok(json_scan(span_str(text), JSON_STRICT, &j, &why) == OK, "it is JSON"))
		return JSON_NONE;
	return json_member(j, member_name);
}

static size_t count(struct json list)
{
	size_t n = 0;
	for (struct json_walk w = json_each(list); json_next(&w);)
		n++;
	return n;
}

static void test_one(void)
{
	struct traces *t = traces_new();
	char id[REQUEST_ID_BYTES];
	name(id, 1);
	const uint64_t number = trace_begin(t, 1, id, 1000);
	struct trace_step s = attempt(1);
	trace_step(t, number, &s);
	is_str(told(t, id),
		"{\"id\":\"req_00000000000000000000000001\",\"from\":\"memory\",\"at_us\":1000,"
		"\"is_over\":false,\"steps\":[{\"step\":\"attempt\",\"at_us\":10,\"provider\":"
		"\"one\","
		"\"model\":\"m\",\"key\":\"\",\"us\":7,\"number\":1,\"outcome\":\"failed\","
		"\"class\":\"overloaded\",\"http_status\":503,\"first_byte_us\":5}],\"left_out\":"
		"0}",
		"under way, with what is known and nothing else");
	s = (struct trace_step){.what = TRACE_NEXT,
		.at_us = 20,
		.provider = SPAN("two"),
		.why = SPAN("a \xff \"b\"\x01"),
		.us = -1};
	trace_step(t, number, &s);
	s = (struct trace_step){.what = TRACE_PAUSE, .at_us = 21, .us = 500};
	trace_step(t, number, &s);
	const struct trace_end e = {.op = SPAN("chat"),
		.model = SPAN("smart"),
		.outcome = OUTCOME_OK,
		.attempts = 2,
		.total_us = 99,
		.ttft_us = 50,
		.queued_us = 0,
		.nusd = 12};
	trace_end(t, number, &e);
	is_str(told(t, id),
		"{\"id\":\"req_00000000000000000000000001\",\"from\":\"memory\",\"at_us\":1000,"
		"\"is_over\":true,\"op\":\"chat\",\"model\":\"smart\",\"outcome\":\"ok\","
		"\"attempts\":2,"
		"\"total_us\":99,\"ttft_us\":50,\"queued_us\":0,\"cost_nusd\":12,\"steps\":[{"
		"\"step\":"
		"\"attempt\",\"at_us\":10,\"provider\":\"one\",\"model\":\"m\",\"key\":\"\",\"us\":"
		"7,"
		"\"number\":1,\"outcome\":\"failed\",\"class\":\"overloaded\",\"http_status\":503,"
		"\"first_byte_us\":5},{\"step\":\"next\",\"at_us\":20,\"provider\":\"two\",\"why\":"
		"\"a "
		"\xef\xbf\xbd \\\"b\\\"\\u0001\"},{\"step\":\"pause\",\"at_us\":21,\"us\":500}],"
		"\"left_out\":0}",
		"over, with steps of other kinds; a foreign byte is no byte of JSON");
	is_str(told(t, "req_00000000000000000000000002"), "", "one that there was not");
	const struct {
		enum trace_what what;
		const char *word;
	} words[] = {
		{TRACE_HIT,   "hit"  },
		{TRACE_JOIN,  "join" },
		{TRACE_ALONE, "alone"},
		{TRACE_STALE, "stale"},
	};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		char wanted[64];
		s = (struct trace_step){.what = words[i].what, .at_us = 22, .us = -1};
		trace_step(t, number, &s);
		(void)snprintf(
			wanted, sizeof wanted, "{\"step\":\"%s\",\"at_us\":22}", words[i].word);
		ok(strstr(told(t, id), wanted) != NULL, "and %s", words[i].word);
	}
	is_str(told(t, ""), "", "nor one without a name");
	traces_free(t);
}

/* However much there is to say of it. */
static void test_bounds(void)
{
	struct traces *t = traces_new();
	char id[REQUEST_ID_BYTES], long_text[3000];
	memset(long_text, 'x', sizeof long_text);
	name(id, 7);
	const uint64_t number = trace_begin(t, 1, id, 0);
	struct trace_step s = attempt(1);
	for (unsigned i = 0; i < 300; i++) {
		s.number = i + 1;
		trace_step(t, number, &s);
	}
	struct json steps = member(told(t, id), "steps");
	const size_t n = count(steps);
	int64_t left_out = -1;
	ok(json_i64(member(told(t, id), "left_out"), &left_out), "so many are left out");
	is_uint(n + (size_t)left_out, 300, "all are counted");
	ok(n >= 30 && n < 300, "%zu are kept", n);
	int64_t first = 0;
	struct json_walk w = json_each(member(told(t, id), "steps"));
	ok(json_next(&w) && json_i64(json_member(w.value, "number"), &first) && first == 1,
		"the first ones are");
	/* a long one does not fit, a short one behind it would */
	s.provider = s.model = s.why = span_of(long_text, sizeof long_text);
	trace_step(t, number, &s);
	s = (struct trace_step){.what = TRACE_PAUSE, .us = 1};
	trace_step(t, number, &s);
	is_uint(count(member(told(t, id), "steps")), n, "nothing is told behind a gap");

	name(id, 8);
	const uint64_t other = trace_begin(t, 1, id, 0);
	s = attempt(1);
	s.provider = s.model = s.key = s.why = span_of(long_text, sizeof long_text);
	trace_step(t, other, &s);
	struct json_walk one = json_each(member(told(t, id), "steps"));
	ok(json_next(&one), "long texts are cut, and not left out");
	OWNED(buf_done) struct buf text = BUF_INIT(4096);
	ok(json_text_to(json_member(one.value, "why"), &text) && text.n == TRACE_WHY_BYTES,
		"at %zu bytes", text.n);
	const struct trace_end e = {.op = span_of(long_text, sizeof long_text),
		.model = span_of(long_text, sizeof long_text),
		.why = span_of(long_text, sizeof long_text),
		.outcome = OUTCOME_UNKNOWN,
		.err = ERR_TIMEOUT,
		.total_us = -1,
		.ttft_us = -1,
		.queued_us = -1,
		.nusd = -1};
	trace_end(t, other, &e);
	ok(json_is(member(told(t, id), "outcome"), "unknown"), "and so is what it ended with");
	ok(json_is_nil(member(told(t, id), "cost_nusd")), "what is not known is not there");
	traces_free(t);
}

/* Those that were out leave room for what happened. */
static void test_out(void)
{
	struct traces *t = traces_new();
	char id[REQUEST_ID_BYTES];
	name(id, 1);
	const uint64_t number = trace_begin(t, 1, id, 0);
	const struct trace_step out = {.what = TRACE_OUT,
		.provider = SPAN("one"),
		.model = SPAN("m"),
		.why = SPAN("it is for other apps"),
		.us = -1};
	for (int i = 0; i < 1000; i++)
		trace_step(t, number, &out);
	const size_t n = count(member(told(t, id), "steps"));
	const struct trace_step s = attempt(1);
	for (int i = 0; i < 10; i++)
		trace_step(t, number, &s);
	is_uint(count(member(told(t, id), "steps")), n + 10, "all attempts are there");
	int64_t left_out = -1;
	ok(json_i64(member(told(t, id), "left_out"), &left_out) && n > 10 &&
			n + (size_t)left_out == 1000,
		"of the others %zu, and how many more there are", n);
	traces_free(t);
}

static void test_wrap(void)
{
	struct traces *t = traces_new();
	uint64_t first = 0;
	char id[REQUEST_ID_BYTES];
	for (unsigned i = 0; i < TRACES_MAX + 3; i++) {
		name(id, i);
		const uint64_t number = trace_begin(t, 1, id, i);
		if (i == 0)
			first = number;
		const struct trace_step s = attempt(i + 1);
		trace_step(t, number, &s);
	}
	/* what comes late of one that is forgotten is not taken for another's */
	const struct trace_step late = attempt(9999);
	trace_step(t, first, &late);
	const struct trace_end e = {.op = SPAN("chat"), .outcome = OUTCOME_OK};
	trace_end(t, first, &e);
	for (unsigned i = 0; i < 3; i++) {
		name(id, i);
		is_str(told(t, id), "", "the oldest is forgotten");
	}
	for (unsigned i = 3; i < TRACES_MAX + 3; i++) {
		if (i > 4 && i < TRACES_MAX)
			continue; /* those in between are like them */
		int64_t number = 0;
		name(id, i);
		const struct json steps = member(told(t, id), "steps");
		struct json_walk w = json_each(steps);
		ok(json_next(&w) && json_i64(json_member(w.value, "number"), &number) &&
				number == i + 1 && !json_next(&w),
			"request %u is there, with its own step alone", i);
		ok(!json_is_true(member(told(t, id), "is_over")), "and not over");
	}
	traces_free(t);
}

/* So many begin, of one owner's: with the numbers from `first` on. */
static void begin(struct traces *t, uint64_t owner, unsigned first, unsigned n)
{
	char id[REQUEST_ID_BYTES];
	for (unsigned i = first; i < first + n; i++) {
		name(id, i);
		(void)trace_begin(t, owner, id, i);
	}
}

/* How many of those are known; and are they the newest of them? */
static unsigned known(const struct traces *t, unsigned first, unsigned n)
{
	OWNED(buf_done) struct buf json = BUF_INIT(4096);
	char id[REQUEST_ID_BYTES];
	unsigned there = 0;
	bool has_gap = false;
	for (unsigned i = first; i < first + n; i++) {
		struct json_out o = json_to(&json);
		name(id, i);
		buf_clear(&json);
		const bool is_there = trace_json(t, span_str(id), &o);
		has_gap = has_gap || (there > 0 && !is_there);
		there += is_there;
	}
	ok(!has_gap, "of those from %u on the newest are known", first);
	return there;
}

/* Whoever makes many loses his own. */
static void test_fair(void)
{
	const unsigned max = (unsigned)TRACES_MAX;
	struct traces *t = traces_new();
	begin(t, 1, 0, 10);
	begin(t, 2, 10000, 5000);
	is_uint(known(t, 0, 10), 10, "who has few keeps them while another makes thousands");
	is_uint(known(t, 10000, 5000), max - 10, "who has those that are left");
	begin(t, 3, 20000, 5000);
	is_uint(known(t, 0, 10), 10, "and while two do");
	is_uint(known(t, 10000, 5000) + known(t, 20000, 5000), max - 10, "who share them,");
	is_uint(known(t, 20000, 5000), (max - 10) / 2, "each as many");
	begin(t, 1, 10, 2000);
	is_uint(known(t, 0, 2010), (max + 2) / 3, "whoever comes later has his part");
	traces_free(t);

	/* as many owners as there are lines, and more */
	t = traces_new();
	for (unsigned i = 0; i < 3 * max; i++)
		begin(t, i, i, 1);
	is_uint(known(t, 0, 3 * max), max, "of many with one each the newest are known");
	begin(t, 3 * max - 1, 3 * max, 5000);
	is_uint(known(t, 3 * max, 5000), 1, "one more of one of these costs him his");
	is_uint(known(t, 2 * max, max - 1), max - 1, "and nobody else");
	traces_free(t);
}

static void test_none(void)
{
	const struct trace_step s = attempt(1);
	const struct trace_end e = {.op = SPAN("chat")};
	is_uint(trace_begin(NULL, 1, "req_1", 0), 0, "without memory there is no number");
	trace_step(NULL, 0, &s);
	trace_end(NULL, 0, &e);
	is_str(told(NULL, "req_1"), "", "and nothing is known");
	traces_free(NULL);
	struct traces *t = traces_new();
	trace_step(t, 0, &s);
	trace_step(t, 5, &s);
	is_str(told(t, "req_1"), "", "nor of one that never began");
	traces_free(t);
}

int main(void)
{
	test_one();
	test_bounds();
	test_out();
	test_wrap();
	test_fair();
	test_none();
	return tap_done();
}
