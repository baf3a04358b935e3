/* top_feed.c - a table of questions, and what is taken of each answer. */
#include "libllmclient/cli/top_feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "protocol/base/num.h"

#define SECOND_US    INT64_C(1000000)
#define ANSWER_BYTES ((size_t)16 * 1024 * 1024)
#define GROUPS_MAX   256

static int64_t wall_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * SECOND_US + t.tv_nsec / 1000;
}

int64_t top_clock_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND_US + t.tv_nsec / 1000;
}

/* ---- the questions ---- */

static void ask_follow(struct top_feed *f, struct json_out *o)
{
	if (f->after >= 0)
		json_pair_i64(o, "after", f->after);
	else
		json_pair_i64(o, "wait_ms", 0);
}

/* Of whom what is shown is: sums are open to more people than calls are. */
static void put_user(struct top_feed *f, struct json_out *o)
{
	char uid[24];
	if (f->frame.is_all)
		return;
	(void)snprintf(uid, sizeof uid, "%" PRId64, f->frame.uid);
	json_pair_str(o, "user", span_str(uid));
}

static void ask_usage(struct top_feed *f, struct json_out *o)
{
	const time_t now = time(NULL);
	struct tm day;
	put_user(f, o);
	if (!localtime_r(&now, &day))
		return;
	day.tm_hour = day.tm_min = day.tm_sec = 0;
	day.tm_isdst = -1;
	json_pair_i64(o, "since_s", (int64_t)mktime(&day));
}

static void ask_before(struct top_feed *f, struct json_out *o)
{
	put_user(f, o);
	json_pair_i64(o, "since_s", (f->began_us - TOP_MINUTE_US) / SECOND_US);
}

/* ---- the answers ---- */

static struct top_group *group_of(struct top_feed *f, struct top_group *groups, int64_t uid,
	struct span app, struct span model)
{
	for (size_t i = 0; i < f->frame.n_groups; i++) {
		if (groups[i].uid == uid && span_eq(groups[i].app, app) &&
			span_eq(groups[i].model, model))
			return &groups[i];
	}
	if (f->frame.n_groups == GROUPS_MAX)
		return NULL;
	struct top_group *g = &groups[f->frame.n_groups++];
	*g = (struct top_group){.app = app, .model = model, .uid = uid};
	return g;
}

/* "test/m", where it is known who answers; else as it was asked for. */
static struct span model_of(struct top_feed *f, struct json row)
{
	const struct span provider = text_of(row, "provider", &f->arena);
	const struct span target = text_of(row, "target_model", &f->arena);
	if (provider.n == 0)
		return text_of(row, "model", &f->arena);
	const size_t n = provider.n + 1 + target.n;
	char *whole = arena_bytes(&f->arena, n);
	if (!whole)
		return SPAN("");
	memcpy(whole, provider.p, provider.n);
	whole[provider.n] = '/';
	memcpy(whole + provider.n + 1, target.p, target.n);
	return span_of(whole, n);
}

static void add_open(struct top_feed *f, struct top_group *groups, struct json row)
{
	const int64_t age_us = number_of(row, "age_us"), output = number_of(row, "output");
	const struct span model = model_of(f, row);
	struct top_group *g =
		group_of(f, groups, number_of(row, "uid"), text_of(row, "app", &f->arena), model);
	if (!g)
		return;
	g->calls++;
	g->waiting += json_is_true(json_member(row, "waiting"));
	if (age_us > g->oldest_us)
		g->oldest_us = age_us;
	if (output > 0)
		g->output_tokens = num_add_sat(g->output_tokens, output);
	else if (number_of(row, "text_bytes") > 0)
		g->text_bytes = num_add_sat(g->text_bytes, number_of(row, "text_bytes"));
	f->frame.listed++;
}

static void forget_open(struct top_feed *f)
{
	f->frame.groups = NULL;
	f->frame.n_groups = 0;
	f->frame.listed = 0;
	f->frame.open = f->frame.waiting = -1;
	arena_done(&f->arena);
}

static void take_open(struct top_feed *f, struct json answer)
{
	forget_open(f);
	struct top_group *groups = arena_array(&f->arena, GROUPS_MAX, sizeof *groups);
	f->frame.groups = groups;
	f->frame.open = number_of(answer, "open");
	f->frame.waiting = number_of(answer, "waiting");
	f->frame.is_all = json_is_true(json_member(answer, "all"));
	f->frame.uid = number_of(answer, "uid");
	f->has_seen = true;
	for (struct json_walk w = json_each(json_member(answer, "rows")); groups && json_next(&w);)
		add_open(f, groups, w.value);
}

static int64_t tokens_of(int64_t input, int64_t output)
{
	if (input < 0 || output < 0)
		return input < 0 ? output : input;
	return num_add_sat(input, output);
}

static void take_follow(struct top_feed *f, struct json answer)
{
	const int64_t missed = number_of(answer, "missed");
	for (struct json_walk w = json_each(json_member(answer, "rows")); json_next(&w);) {
		const int64_t total_us = number_of(w.value, "total_us");
		const struct minute_call c = {
			.ended_us = num_add_sat(
				number_of(w.value, "at_us"), total_us > 0 ? total_us : 0),
			.ttft_us = number_of(w.value, "ttft_us"),
			.total_us = total_us,
			.tokens = tokens_of(
				number_of(w.value, "input"), number_of(w.value, "output")),
			.is_good = json_is(json_member(w.value, "outcome"), "ok"),
			.is_cached = json_kind(json_member(w.value, "cache")) == JSON_STRING,
		};
		minute_add(&f->minute, &c);
	}
	if (missed > 0)
		f->frame.missed = num_add_sat(f->frame.missed, missed);
	f->after = number_of(answer, "next");
	if (json_is_true(
		    json_member(answer, "ended"))) { /* the next one is asked of another broker */
		f->after = -1;
		f->asks[TOP_FOLLOW].due_us = top_clock_us() + SECOND_US;
		fault_text(f->asks[TOP_FOLLOW].trouble, TOP_TROUBLE_BYTES, SPAN("the broker ends"));
	}
}

static void take_status(struct top_feed *f, struct json answer)
{
	const struct json loop = json_member(answer, "loop");
	f->frame.uptime_s = number_of(answer, "uptime_s");
	f->frame.stalls = number_of(loop, "stalls");
	f->frame.longest_us = number_of(loop, "longest_us");
}

static void take_usage(struct top_feed *f, struct json answer)
{
	const struct json total = json_member(answer, "total");
	f->frame.today_calls = number_of(total, "requests");
	f->frame.today_nusd = number_of(total, "cost_nusd");
	if (f->frame.today_nusd < 0 && number_of(total, "unpriced") == 0)
		f->frame.today_nusd = 0; /* nothing has cost anything */
	f->frame.today_unpriced = number_of(total, "unpriced");
}

/* Which of a row's values is which: -1, there is no such column. */
enum column { AT, TOTAL, TTFT, OUTCOME, CACHE, INPUTS, COLUMNS = INPUTS + 11 };
static const char *const columns[COLUMNS] = {"at_us", "total_us", "ttft_us", "outcome", "cache",
	"input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write", "audio_input",
	"image_input", "output", "reasoning", "audio_output", "image_output"};

static void take_row(struct top_feed *f, const int *place, struct json row)
{
	struct json values[COLUMNS];
	int64_t figures[COLUMNS], tokens = -1;
	int at = 0;
	for (size_t c = 0; c < COLUMNS; c++)
		values[c] = JSON_NONE;
	for (struct json_walk w = json_each(row); json_next(&w); at++) {
		for (size_t c = 0; c < COLUMNS; c++) {
			if (place[c] == at)
				values[c] = w.value;
		}
	}
	for (size_t c = 0; c < COLUMNS; c++) {
		if (!json_i64(values[c], &figures[c]))
			figures[c] = -1;
	}
	for (size_t c = INPUTS; c < COLUMNS; c++)
		tokens = tokens_of(tokens, figures[c]);
	const struct minute_call call = {
		.ended_us = num_add_sat(figures[AT], figures[TOTAL] > 0 ? figures[TOTAL] : 0),
		.ttft_us = figures[TTFT],
		.total_us = figures[TOTAL],
		.tokens = tokens,
		.is_good = json_is(values[OUTCOME], "ok"),
		.is_cached = json_kind(values[CACHE]) == JSON_STRING,
	};
	if (call.ended_us < f->began_us)
		minute_add(&f->minute, &call);
}

/* What ended before this began to look; of a page of rows, which is as much as there is in a minute as a rule. */
static void take_before(struct top_feed *f, struct json answer)
{
	int place[COLUMNS], at = 0;
	for (size_t c = 0; c < COLUMNS; c++)
		place[c] = -1;
	for (struct json_walk w = json_each(json_member(answer, "columns")); json_next(&w); at++) {
		for (size_t c = 0; c < COLUMNS; c++) {
			if (json_is(w.value, columns[c]))
				place[c] = at;
		}
	}
	for (struct json_walk w = json_each(json_member(answer, "rows")); json_next(&w);)
		take_row(f, place, w.value);
	if (json_is_nil(json_member(answer, "next")))
		f->minute.since_us = f->began_us - TOP_MINUTE_US;
}

/* ---- the table ---- */

/* clang-format off */
static const struct {
	const char *op;
	void (*ask)(struct top_feed *f, struct json_out *o); /* NULL: it takes nothing */
	void (*take)(struct top_feed *f, struct json answer);
	int64_t again_us;   /* after its answer; -1: once is enough */
	bool is_after_open; /* it must be known for whom */
} questions[TOP_QUESTIONS] = {
	[TOP_OPEN]   = {"usage.open",   NULL,       take_open,   SECOND_US,     false},
	[TOP_FOLLOW] = {"usage.follow", ask_follow, take_follow, 0,             false},
	[TOP_STATUS] = {"status",       NULL,       take_status, 2 * SECOND_US, false},
	[TOP_USAGE]  = {"usage",        ask_usage,  take_usage,  5 * SECOND_US, true },
	[TOP_BEFORE] = {"usage.export", ask_before, take_before, -1,            true },
};
/* clang-format on */

/* What it told before is not known to be so any more. */
static void forget(struct top_feed *f, enum top_question q)
{
	if (q == TOP_OPEN)
		forget_open(f);
	else if (q == TOP_FOLLOW)
		f->after = -1;
	else if (q == TOP_STATUS)
		f->frame.uptime_s = f->frame.stalls = f->frame.longest_us = -1;
	else if (q == TOP_USAGE)
		f->frame.today_nusd = f->frame.today_calls = f->frame.today_unpriced = -1;
}

static void fail(struct top_feed *f, enum top_question q, const llm_error *e)
{
	struct top_ask *a = &f->asks[q];
	const int code = llm_error_code(e);
	if (q == TOP_OPEN && !f->has_seen && f->exit_code == EXIT_GOOD)
		f->exit_code = say_error(f->common, e);
	forget(f, q);
	a->is_settled = true;
	a->is_refused = questions[q].again_us < 0 || code == LLM_E_DENIED;
	a->due_us = top_clock_us() + SECOND_US;
	if (questions[q].again_us >= 0)
		fault_text(a->trouble, sizeof a->trouble, span_str(llm_error_message(e)));
}

/* What takes long to answer, as a day of many calls does, is asked less often. */
static int64_t pause_us(enum top_question q, int64_t took_us)
{
	const int64_t again_us = questions[q].again_us, least_us = num_mul_sat(took_us, 20);
	return again_us > 0 && least_us > again_us ? least_us : again_us;
}

static void take(struct top_feed *f, enum top_question q)
{
	struct top_ask *a = &f->asks[q];
	struct json answer = JSON_NONE;
	a->is_settled = true;
	a->trouble[0] = '\0';
	a->is_refused = questions[q].again_us < 0;
	a->due_us = top_clock_us() + pause_us(q, top_clock_us() - a->asked_us);
	if (!buf_error(&a->text) &&
		json_scan(buf_view(&a->text), JSON_STRICT, &answer, NULL) == OK) {
		questions[q].take(f, answer);
		return;
	}
	forget(f, q);
	a->due_us = top_clock_us() + SECOND_US;
	fault_text(a->trouble, sizeof a->trouble, SPAN("the broker's answer is not JSON"));
}

static void drain(struct top_feed *f, enum top_question q)
{
	struct top_ask *a = &f->asks[q];
	const llm_event *ev;
	size_t n;
	int got;
	while ((got = llm_stream_next(a->stream, &ev)) > 0) {
		if (llm_event_type_of(ev) != LLM_EV_RAW)
			continue;
		const char *bytes = llm_event_detail(ev, &n);
		buf_put(&a->text, bytes, n);
	}
	if (got == LLM_E_AGAIN)
		return;
	if (got == LLM_OK)
		take(f, q);
	else
		fail(f, q, llm_stream_error(a->stream));
	llm_stream_free(a->stream);
	a->stream = NULL;
}

static bool is_due(const struct top_feed *f, enum top_question q, int64_t now_us)
{
	const struct top_ask *a = &f->asks[q];
	return !a->stream && !a->is_refused && now_us >= a->due_us &&
	       (!questions[q].is_after_open || f->frame.open >= 0);
}

static void ask(struct top_feed *f, enum top_question q)
{
	struct top_ask *a = &f->asks[q];
	struct question question;
	buf_clear(&a->text);
	a->asked_us = top_clock_us();
	question_begin(&question);
	if (questions[q].ask)
		questions[q].ask(f, &question.out);
	json_close(&question.out, '}');
	buf_byte(&question.text, '\0');
	llm_request *r = llm_admin_new(questions[q].op, question.text.p);
	a->stream = r ? llm_stream_start(f->client, r) : NULL;
	llm_request_free(r);
	buf_done(&question.text);
	if (!a->stream)
		fail(f, q, llm_last_error(f->client));
}

void top_feed_init(struct top_feed *f, const struct common *o)
{
	*f = (struct top_feed){.common = o, .client = broker_watching_client(o), .after = -1};
	f->began_us = wall_us();
	if (!minute_init(&f->minute, f->began_us)) {
		say_err("llmb: %s", llm_strerror(LLM_E_NOMEM));
		exit(EXIT_BAD);
	}
	f->frame.uid = -1;
	arena_init(&f->arena, ANSWER_BYTES);
	for (enum top_question q = 0; q < TOP_QUESTIONS; q++) {
		buf_init(&f->asks[q].text, ANSWER_BYTES);
		forget(f, q);
	}
}

void top_feed_done(struct top_feed *f)
{
	for (enum top_question q = 0; q < TOP_QUESTIONS; q++) {
		llm_stream_free(f->asks[q].stream);
		buf_done(&f->asks[q].text);
	}
	llm_client_free(f->client);
	minute_done(&f->minute);
	arena_done(&f->arena);
}

void top_feed_step(struct top_feed *f)
{
	(void)llm_client_process(f->client); /* of what fails each stream tells */
	for (enum top_question q = 0; q < TOP_QUESTIONS; q++) {
		if (f->asks[q].stream)
			drain(f, q);
	}
	const int64_t now_us = top_clock_us();
	for (enum top_question q = 0; q < TOP_QUESTIONS; q++) {
		if (is_due(f, q, now_us))
			ask(f, q);
	}
}

int top_feed_timeout_ms(const struct top_feed *f)
{
	const int64_t now_us = top_clock_us();
	int least_ms = llm_client_timeout_ms(f->client);
	for (enum top_question q = 0; q < TOP_QUESTIONS; q++) {
		const struct top_ask *a = &f->asks[q];
		if (a->stream || a->is_refused || (questions[q].is_after_open && f->frame.open < 0))
			continue;
		const int64_t left_us = a->due_us > now_us ? a->due_us - now_us : 0;
		const int left_ms = (int)((left_us + 999) / 1000);
		if (least_ms < 0 || left_ms < least_ms)
			least_ms = left_ms;
	}
	return least_ms;
}

bool top_feed_is_whole(const struct top_feed *f)
{
	for (enum top_question q = 0; q < TOP_QUESTIONS; q++) {
		if (!f->asks[q].is_settled)
			return false;
	}
	return true;
}

const struct top_frame *top_feed_frame(struct top_feed *f)
{
	const int64_t now_us = wall_us();
	f->frame.at_s = now_us / SECOND_US;
	f->frame.trouble = NULL;
	for (enum top_question q = 0; q < TOP_QUESTIONS && !f->frame.trouble; q++) {
		if (f->asks[q].trouble[0])
			f->frame.trouble = f->asks[q].trouble;
	}
	minute_sum(&f->minute, now_us, TOP_NOW_US, &f->frame.now);
	minute_sum(&f->minute, now_us, TOP_MINUTE_US, &f->frame.minute);
	return &f->frame;
}
