/* cmd_tail.c - which calls end, as they do? */
#include <inttypes.h>
#include <stddef.h>
#include <time.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"

#define EXIT_NO_BROKER 4

enum { APP, MODEL, PROVIDER, OP, OUTCOME, CHOICES };
static const char *const ways[CHOICES] = {"app", "model", "provider", "op", "outcome"};

struct tail {
	struct common common;
	const char *only[CHOICES];
	int64_t after; /* where the next answer goes on; -1: at what comes */
};

/* On one line, whatever it is. */
static void put_word(struct buf *out, struct json row, const char *name, struct arena *a)
{
	const struct span text = text_of(row, name, a);
	for (size_t i = 0; i < text.n; i++) {
		const unsigned char c = (unsigned char)text.p[i];
		buf_byte(out, c < ' ' || c == 0x7f ? '?' : (char)c);
	}
}

static void put_time(struct buf *out, int64_t at_us)
{
	const time_t at = (time_t)(at_us / 1000000);
	struct tm t;
	char text[16];
	if (localtime_r(&at, &t) && strftime(text, sizeof text, "%H:%M:%S", &t) > 0)
		buf_text(out, text);
}

static void put_tokens(struct buf *out, int64_t n)
{
	if (n >= 0)
		buf_i64(out, n);
	else
		buf_byte(out, '?');
}

/* "12:01:03 ok      chat openai/gpt-4o  0.53 s  12 > 5 tokens  0.000123 USD  notes". */
static void put_row(struct buf *out, struct json row, struct arena *a)
{
	const int64_t total_us = number_of(row, "total_us");
	const bool is_good = span_is(text_of(row, "outcome", a), "ok");
	put_time(out, number_of(row, "at_us") + (total_us > 0 ? total_us : 0));
	buf_byte(out, ' ');
	put_word(out, row,
		is_good && text_of(row, "cache", a).n > 0 ? "cache"
		: is_good                                 ? "outcome"
							  : "error",
		a);
	buf_byte(out, ' ');
	put_word(out, row, "op", a);
	buf_byte(out, ' ');
	if (text_of(row, "provider", a).n > 0) {
		put_word(out, row, "provider", a);
		buf_byte(out, '/');
		put_word(out, row, "target_model", a);
	} else {
		put_word(out, row, "model", a);
	}
	if (total_us >= 0)
		buf_print(out, "  %" PRId64 ".%02" PRId64 " s", total_us / 1000000,
			total_us % 1000000 / 10000);
	if (number_of(row, "input") >= 0 || number_of(row, "output") >= 0) {
		buf_text(out, "  ");
		put_tokens(out, number_of(row, "input"));
		buf_text(out, " > ");
		put_tokens(out, number_of(row, "output"));
		buf_text(out, " tokens");
	}
	if (number_of(row, "cost_nusd") >= 0) {
		buf_text(out, "  ");
		put_usd(out, number_of(row, "cost_nusd"));
		buf_text(out, " USD");
	}
	buf_text(out, "  ");
	put_word(out, row, "app", a);
	buf_byte(out, '\n');
}

static void say_missed(const struct tail *t, struct json answer)
{
	const struct json missed = json_member(answer, "missed");
	const int64_t n = number_of(answer, "missed");
	OWNED(buf_done) struct buf out = BUF_INIT(256);
	if (n == 0 || json_kind(missed) == JSON_ABSENT)
		return;
	if (t->common.is_json) {
		buf_text(&out, "{\"missed\":");
		buf_span(&out, missed.text);
		buf_text(&out, "}\n");
		say_out(&out);
	} else if (n > 0) {
		say_err("llmb: %" PRId64 " calls ended meanwhile that could not be shown", n);
	} else {
		say_err("llmb: calls ended meanwhile that could not be shown");
	}
}

static void say_rows(const struct tail *t, struct json answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	say_missed(t, answer);
	for (struct json_walk w = json_each(json_member(answer, "rows")); json_next(&w);) {
		if (t->common.is_json) {
			buf_span(&out, w.value.text);
			buf_byte(&out, '\n');
		} else {
			put_row(&out, w.value, &arena);
		}
	}
	if (out.n > 0)
		say_out(&out);
}

static int follow(struct tail *t, llm_client *c)
{
	for (;;) {
		struct question q;
		struct answer answer;
		question_begin(&q);
		if (t->after >= 0)
			json_pair_i64(&q.out, "after", t->after);
		for (size_t i = 0; i < CHOICES; i++) {
			if (t->only[i])
				json_pair_str(&q.out, ways[i], span_str(t->only[i]));
		}
		if (!broker_ask_on(c, &t->common, "usage.follow", &q, &answer))
			return answer.exit_code;
		say_rows(t, answer.json);
		t->after = number_of(answer.json, "next");
		const bool is_ended = json_is_true(json_member(answer.json, "ended"));
		answer_done(&answer);
		if (is_ended) /* asked again, another one would be started */
			return say_failure(&t->common, EXIT_NO_BROKER, "the broker ends");
	}
}

static int run(const struct command *self, int argc, char **argv)
{
	struct tail t = {.after = -1};
	char **rest;
	int n;
	const int code = options_read_words(self, argc, argv, &t, 0, 0, &n, &rest);
	if (code != OPTIONS_GO_ON)
		return code;
	llm_client *c = broker_client(&t.common);
	const int status = follow(&t, c);
	llm_client_free(c);
	return status;
}

#define TAIL(field) offsetof(struct tail, field)
/* clang-format off */
static const struct option_row rows[] = {
	{'\0', "app",      "NAME", "of that application; * stands for anything",           OPTION_TEXT, TAIL(only[APP])},
	{'m',  "model",    "NAME", "asked for by that name, or answered by that model",    OPTION_TEXT, TAIL(only[MODEL])},
	{'\0', "provider", "NAME", "of that provider",                                     OPTION_TEXT, TAIL(only[PROVIDER])},
	{'\0', "op",       "NAME", "of that operation: chat, embed",                       OPTION_TEXT, TAIL(only[OP])},
	{'\0', "outcome",  "WORD", "that ended so: ok, failed, cancelled, unknown, or a class of error", OPTION_TEXT, TAIL(only[OUTCOME])},
};
/* clang-format on */

const struct command command_tail = {
	.name = "tail",
	.args = "",
	.summary = "calls as they end, until Ctrl-C",
	.examples = "  llmb tail --app 'editor*'\n"
		    "  llmb tail --json --outcome failed\n",
	.notes = "Of your own; of all, where you run the broker.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
