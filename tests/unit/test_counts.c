/* test_counts.c - is all counted, under names that have an end? */
#include "brokerd/ledger/counts.h"

#include <stdio.h>

#include "tests/lib/tap.h"

static const struct exchange_record base = {
	.op = "chat",
	.model = "fast",
	.provider = "gemini",
	.target_model = "flash",
	.outcome = OUTCOME_OK,
	.total_us = 30000,
	.queued_us = -1,
	.usage = {.input = 10, .output = 5, .cost_nusd = 1500000001},
};

static struct json told(struct counts *c, struct buf *to)
{
	struct json_out o = json_to(to);
	struct json all = JSON_NONE;
	struct fault why;
	buf_clear(to);
	json_open(&o, '[');
	counts_json(c, &o);
	json_close(&o, ']');
	const struct json_rules rules = {.max_depth = 8, .has_unique_names = true};
	if (json_scan(buf_view(to), rules, &all, &why))
		bail("%s", why.message);
	return all;
}

static struct json family(struct json all, const char *name)
{
	for (struct json_walk w = json_each(all); json_next(&w);) {
		if (json_is(json_member(w.value, "name"), name))
			return json_member(w.value, "series");
	}
	return JSON_NONE;
}

static struct json nth(struct json list, size_t n)
{
	struct json_walk w = json_each(list);
	while (json_next(&w)) {
		if (n-- == 0)
			return w.value;
	}
	return JSON_NONE;
}

static size_t length(struct json list)
{
	size_t n = 0;
	for (struct json_walk w = json_each(list); json_next(&w);)
		n++;
	return n;
}

static void is_raw(struct json v, const char *want, const char *what)
{
	char text[512];
	(void)snprintf(text, sizeof text, "%.*s", SPAN_ARG(v.text));
	is_str(text, want, "%s", what);
}

#define DURATION "gen_ai_client_operation_duration_seconds"
#define TOKENS   "gen_ai_client_token_usage"

static void one_call(void)
{
	OWNED(buf_done) struct buf text = BUF_INIT(4 * (size_t)1024 * 1024);
	struct counts *c = counts_new();
	counts_add(c, &base);
	const struct json all = told(c, &text);
	const struct json d = nth(family(all, DURATION), 0);
	is_raw(json_member(d, "labels"),
		"{\"gen_ai_operation_name\":\"chat\",\"gen_ai_provider_name\":\"gcp.gemini\","
		"\"gen_ai_request_model\":\"fast\",\"gen_ai_response_model\":\"flash\"}",
		"labels, by the names of the conventions; none that is empty");
	is_raw(json_member(d, "buckets"), "[0,0,1,1,1,1,1,1,1,1,1,1,1,1]",
		"buckets are cumulative");
	is_raw(json_member(d, "sum"), "0.030000", "a sum in seconds");
	is_raw(json_member(d, "count"), "1", "a count");
	is_int((int64_t)length(family(all, TOKENS)), 2, "tokens that come, and that go");
	is_raw(json_member(nth(family(all, TOKENS), 0), "sum"), "10", "input");
	is_raw(json_member(nth(family(all, TOKENS), 1), "sum"), "5", "output");
	is_raw(json_member(nth(family(all, "llm_broker_cost_usd_total"), 0), "value"),
		"1.500000001", "what it cost, to the nano-dollar");
	is_raw(json_member(nth(family(all, "llm_broker_calls_total"), 0), "value"), "1",
		"by outcome");
	is_int((int64_t)length(family(all, "llm_broker_queue_seconds_total")), 0,
		"who did not wait is not there");
	counts_free(c);
}

static void bounds_and_unknowns(void)
{
	OWNED(buf_done) struct buf text = BUF_INIT(4 * (size_t)1024 * 1024);
	struct counts *c = counts_new();
	struct exchange_record r = base;
	r.usage = USAGE_UNKNOWN;
	r.total_us = 10000; /* a bound is in its bucket */
	counts_add(c, &r);
	r.total_us = INT64_C(100000000);
	r.queued_us = 2500000;
	counts_add(c, &r);
	const struct json all = told(c, &text);
	const struct json d = nth(family(all, DURATION), 0);
	is_raw(json_member(d, "buckets"), "[1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "one is beyond all");
	is_raw(json_member(d, "count"), "2", "and counted");
	is_int((int64_t)length(family(all, TOKENS)), 0, "tokens nobody counted are not 0");
	is_raw(json_member(nth(family(all, "llm_broker_cost_unknown_total"), 0), "value"), "2",
		"nor is the cost");
	is_raw(json_member(nth(family(all, "llm_broker_queue_seconds_total"), 0), "value"),
		"2.500000", "who waited, and how long");
	counts_free(c);
}

static void no_text_of_callers(void)
{
	OWNED(buf_done) struct buf text = BUF_INIT(4 * (size_t)1024 * 1024);
	struct counts *c = counts_new();
	struct exchange_record r = base;
	r.outcome = OUTCOME_FAILED;
	r.err = ERR_NOT_FOUND;
	(void)snprintf(r.model, sizeof r.model, "my secret");
	(void)snprintf(r.target_model, sizeof r.target_model, "my secret");
	counts_add(c, &r);
	r.outcome = OUTCOME_CANCELLED;
	r.err = ERR_CANCELLED;
	for (int i = 0; i < 2 * COUNTS_SERIES; i++) {
		(void)snprintf(r.target_model, sizeof r.target_model, "my secret %d", i);
		counts_add(c, &r);
	}
	r.outcome = OUTCOME_FAILED;
	r.err = ERR_DENIED;
	r.provider[0] = '\0';
	counts_add(c, &r);
	const struct json all = told(c, &text);
	ok(span_find(buf_view(&text), SPAN("secret")) == text.n,
		"what has not answered yet, or was asked of nobody, is no label");
	is_int((int64_t)length(family(all, DURATION)), 3, "errors are apart");
	counts_free(c);
}

static void known_models(void)
{
	OWNED(buf_done) struct buf text = BUF_INIT(4 * (size_t)1024 * 1024);
	struct counts *c = counts_new();
	struct exchange_record r = base;
	counts_add(c, &r);
	r.outcome = OUTCOME_FAILED;
	r.err = ERR_SERVER_ERROR;
	counts_add(c, &r);
	is_int((int64_t)length(family(told(c, &text), DURATION)), 2, "its errors are apart");
	ok(span_find(buf_view(&text), SPAN("server_error")) < text.n, "by their class");
	const struct span rest =
		span_skip(buf_view(&text), span_find(buf_view(&text), SPAN("server_error")) - 300);
	ok(span_find(rest, span_str(base.target_model)) < rest.n,
		"what has answered is known by its name then");
	counts_free(c);
}

static void kept_answers(void)
{
	OWNED(buf_done) struct buf text = BUF_INIT(4 * (size_t)1024 * 1024);
	struct counts *c = counts_new();
	struct exchange_record r = base;
	(void)snprintf(r.cache, sizeof r.cache, "hit");
	counts_add(c, &r);
	const struct json all = told(c, &text);
	is_int((int64_t)length(family(all, TOKENS)), 0, "a kept answer used no tokens");
	ok(json_is(json_member(json_member(nth(family(all, DURATION), 0), "labels"),
			   "llm_broker_cache"),
		   "hit"),
		"and is told from others");
	counts_free(c);
}

static void names_have_an_end(void)
{
	OWNED(buf_done) struct buf text = BUF_INIT(16 * (size_t)1024 * 1024);
	struct counts *c = counts_new();
	struct exchange_record r = base;
	for (int i = 0; i < COUNTS_SERIES + 100; i++) {
		(void)snprintf(r.target_model, sizeof r.target_model, "m%d", i);
		counts_add(c, &r);
	}
	counts_add(c, &base);
	const struct json d = family(told(c, &text), DURATION);
	is_int((int64_t)length(d), COUNTS_SERIES + 1, "so many series, and one more");
	const struct json other = nth(d, COUNTS_SERIES);
	ok(json_is(json_member(json_member(other, "labels"), "gen_ai_response_model"), "_other"),
		"which is of all others");
	is_raw(json_member(other, "count"), "101", "and counts them");
	(void)snprintf(r.target_model, sizeof r.target_model, "m0");
	counts_add(c, &r);
	is_raw(json_member(nth(family(told(c, &text), DURATION), 0), "count"), "2",
		"one that was there before goes on");
	counts_free(c);
}

int main(void)
{
	one_call();
	bounds_and_unknowns();
	no_text_of_callers();
	known_models();
	kept_answers();
	names_have_an_end();
	counts_add(NULL, &base);
	counts_free(NULL);
	return tap_done();
}
