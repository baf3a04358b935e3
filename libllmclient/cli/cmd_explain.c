/* cmd_explain.c - where would a call go, where did one go, and why? */
#include <inttypes.h>
#include <stdio.h>

#include "libllmclient/cli/answer.h"
#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/cache_wishes.h"
#include "libllmclient/cli/commands.h"
#include "protocol/base/num.h"

struct explain {
	struct common common;
	const char *model, *op, *as, *profile, *socket, *session;
	struct text_list fallbacks, tags, needs;
	const char *prompt, *system;
	struct cache_wishes cache;                /* without its times of keeping */
	int64_t uid, input_tokens, output_tokens; /* -1: not said */
	double temperature;                       /* less than 0: not said */
};

/* ---- small things ---- */

/* "42 s", "1.5 s", "12 ms". */
static void put_ms(struct buf *out, int64_t ms)
{
	if (ms < 1000)
		buf_print(out, "%" PRId64 " ms", ms);
	else if (ms < 10000)
		buf_print(out, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms % 1000 / 100);
	else
		buf_print(out, "%" PRId64 " s", ms / 1000);
}

static void put_us(struct buf *out, int64_t us)
{
	put_ms(out, us / 1000 + (us % 1000 >= 500));
}

/* "openai/gpt-4o", "openai/gpt-4o with the key b". */
static void put_target(struct buf *out, struct json t, struct arena *a)
{
	const struct span key = text_of(t, "key", a);
	buf_print(out, "%.*s/%.*s", SPAN_ARG(text_of(t, "provider", a)),
		SPAN_ARG(text_of(t, "model", a)));
	if (key.n > 0)
		buf_print(out, " with the key %.*s", SPAN_ARG(key));
}

/* ---- where it would go ---- */

static bool is_out(struct json t)
{
	return json_kind(json_member(t, "out")) == JSON_STRING;
}

static void cell_ms(struct table *t, int64_t ms)
{
	OWNED(buf_done) struct buf text = BUF_INIT(64);
	if (ms >= 0)
		put_ms(&text, ms);
	table_cell(t, ms >= 0 ? buf_view(&text) : SPAN("-"));
}

/* How it fares, in as few words as can be. */
static void cell_state(struct table *t, struct json target, struct arena *a)
{
	OWNED(buf_done) struct buf text = BUF_INIT(256);
	const struct span state = text_of(target, "state", a);
	if (span_is(state, "open")) {
		buf_text(&text, "rests ");
		put_ms(&text, number_of(target, "until_ms"));
	} else if (span_is(state, "half_open")) {
		buf_text(&text, "is tried again");
	} else if (span_is(state, "probed")) {
		buf_text(&text, "is being tried");
	} else {
		buf_text(&text, state.n > 0 ? "well" : "here");
	}
	table_cell(t, buf_view(&text));
}

static void cell_limits(struct table *t, struct json target, struct arena *a)
{
	OWNED(buf_done) struct buf text = BUF_INIT(256);
	const int64_t wait_ms = number_of(target, "wait_ms");
	buf_span(&text, text_of(target, "limits", a));
	if (wait_ms >= 0) {
		buf_byte(&text, ' ');
		put_ms(&text, wait_ms);
	}
	table_cell(t, buf_view(&text));
}

static void put_row(struct table *t, size_t number, struct json target, struct arena *a)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SAY_BYTES_MAX);
	const struct span list = text_of(target, "list", a), key = text_of(target, "key", a);
	const int64_t nusd = number_of(target, "cost_nusd");
	if (span_is(list, "usual"))
		table_i64(t, (int64_t)number);
	else
		table_cell(t, list);
	buf_print(&text, "%.*s/%.*s", SPAN_ARG(text_of(target, "provider", a)),
		SPAN_ARG(text_of(target, "model", a)));
	table_cell(t, buf_view(&text));
	table_cell(t, key.n > 0 ? key : SPAN("-"));
	cell_state(t, target, a);
	cell_ms(t, number_of(target, "first_ms"));
	cell_ms(t, number_of(target, "p95_ms"));
	table_i64(t, number_of(target, "in_flight"));
	buf_clear(&text);
	put_usd(&text, nusd);
	table_cell(t, nusd >= 0 ? buf_view(&text) : SPAN("-"));
	cell_limits(t, target, a);
}

static void put_table(struct buf *out, struct json targets, struct arena *a)
{
	static const char *const heads[] = {
		"", "target", "key", "state", "first", "p95", "busy", "usd", "limits"};
	struct table t;
	size_t n = 0;
	table_heads(&t, heads, COUNT_OF(heads), 1U << 4 | 1U << 5 | 1U << 6 | 1U << 7);
	for (struct json_walk w = json_each(targets); json_next(&w);) {
		if (!is_out(w.value))
			put_row(&t, ++n, w.value, a);
	}
	if (n > 0)
		table_end(&t, out);
	else
		buf_done(&t.cells);
}

/* What a table has no room for: why one rests or has to wait, and who is not asked. */
static void put_reasons(struct buf *out, struct json targets, struct arena *a)
{
	static const struct {
		const char *member, *words;
	} reasons[] = {
		{"because", "was last told"},
		{"limit",   "limits"       },
		{"why",     "not asked"    },
	};
	for (struct json_walk w = json_each(targets); json_next(&w);) {
		for (size_t i = 0; i < COUNT_OF(reasons); i++) {
			const struct span said = text_of(w.value, reasons[i].member, a);
			if (said.n == 0)
				continue;
			put_target(out, w.value, a);
			buf_print(out, ": %s: %.*s\n", reasons[i].words, SPAN_ARG(said));
		}
		if (json_is_true(json_member(w.value, "holds_prompt"))) {
			put_target(out, w.value, a);
			buf_text(out, ": holds the beginning of the session's prompt\n");
		}
	}
}

/* What the alias does beside choosing. */
static void put_habits(struct json j, struct buf *out)
{
	const int64_t hedge_ms = number_of(j, "hedge_ms");
	if (json_is(json_member(j, "hedge"), "p95"))
		buf_text(out, ", hedged when the first is late (p95)");
	else if (hedge_ms > 0)
		buf_print(out, ", hedged after %" PRId64 " ms", hedge_ms);
	if (json_kind(json_member(j, "resume")) == JSON_TRUE)
		buf_text(out, ", resumed when it breaks off");
}

/* Is its answer there? Nothing where nobody has asked that. */
static void put_cached(struct buf *out, struct json c, struct arena *a)
{
	const struct span source = text_of(c, "source", a), id = text_of(c, "request_id", a);
	const int64_t age_s = number_of(c, "age_s");
	if (json_kind(c) != JSON_OBJECT)
		return;
	if (span_is(source, "joined")) {
		buf_text(out, "another call is asking that just now");
		if (id.n > 0)
			buf_print(out, ", %.*s", SPAN_ARG(id));
		buf_text(out, ": it would read along\n");
	} else if (span_is(source, "disk")) {
		buf_text(out, "its answer is on disk, and is read when the call comes\n");
	} else if (source.n > 0) {
		buf_text(out, "its answer is kept, by ");
		put_target(out, c, a);
		buf_text(out, ", since ");
		put_age(out, age_s > 0 ? age_s : 0);
		buf_text(out, span_is(source, "stale")
				      ? "; it is stale, for when no target answers\n"
				      : "; no target would be asked\n");
	} else {
		buf_text(out, json_is_true(json_member(c, "is_looked_up"))
				      ? "its answer is not kept"
				      : "such a call is not looked up among those that are kept");
		buf_text(out, json_is_true(json_member(c, "is_compared"))
				      ? "; words near these may have one\n"
				      : "\n");
	}
}

static void say_route(const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena a;
	arena_init(&a, SAY_BYTES_MAX);
	const struct json j = answer->json, targets = json_member(j, "targets");
	const struct span strategy = text_of(j, "strategy", &a), none = text_of(j, "message", &a);
	const struct span op = text_of(j, "op", &a);
	if (!span_is(op, "chat"))
		buf_print(&out, "%.*s ", SPAN_ARG(op));
	buf_print(&out, "%.*s", SPAN_ARG(text_of(j, "asked", &a)));
	if (strategy.n > 0)
		buf_print(&out, ", an alias by %.*s", SPAN_ARG(strategy));
	put_habits(j, &out);
	buf_print(&out, ", for %.*s, with a prompt of about %" PRId64 " tokens\n",
		SPAN_ARG(text_of(j, "who", &a)), number_of(j, "input_tokens"));
	if (json_is(json_member(j, "answer"), "ask"))
		buf_text(&out, "a person is asked first\n");
	put_cached(&out, json_member(j, "cached"), &a);
	put_table(&out, targets, &a);
	put_reasons(&out, targets, &a);
	if (none.n > 0)
		buf_print(&out, "it would fail (%.*s): %.*s\n", SPAN_ARG(text_of(j, "class", &a)),
			SPAN_ARG(none));
	say_out(&out);
}

/* ---- where it went ---- */

static void put_outcome(struct buf *out, struct json j, struct arena *a)
{
	const struct span class = text_of(j, "class", a);
	buf_span(out, text_of(j, "outcome", a));
	if (class.n > 0)
		buf_print(out, " (%.*s)", SPAN_ARG(class));
}

static void put_cost(struct buf *out, struct json j)
{
	const int64_t nusd = number_of(j, "cost_nusd");
	if (nusd < 0)
		return;
	buf_text(out, ", ");
	put_usd(out, nusd);
	buf_text(out, " USD");
}

static void put_attempt(struct buf *out, struct json s, struct arena *a)
{
	const int64_t status = number_of(s, "http_status"), us = number_of(s, "us");
	const int64_t first_us = number_of(s, "first_byte_us");
	put_target(out, s, a);
	buf_text(out, ": ");
	put_outcome(out, s, a);
	if (status > 0)
		buf_print(out, ", HTTP %" PRId64, status);
	if (us >= 0) {
		buf_text(out, ", after ");
		put_us(out, us);
	}
	if (first_us >= 0) {
		buf_text(out, ", its first byte after ");
		put_us(out, first_us);
	}
	put_cost(out, s);
}

static void put_step(struct buf *out, struct json s, struct arena *a)
{
	const struct span what = text_of(s, "step", a), why = text_of(s, "why", a);
	const int64_t us = number_of(s, "us");
	buf_print(out, "%9" PRId64 " ms  ", number_of(s, "at_us") / 1000);
	if (span_is(what, "attempt")) {
		put_attempt(out, s, a);
	} else if (span_is(what, "pause")) {
		buf_text(out, "waits ");
		put_us(out, us);
	} else if (span_is(what, "join")) {
		buf_text(out, "reads along with a call that asks the same");
	} else if (span_is(what, "alone")) {
		buf_text(out, "goes on by itself");
	} else if (span_is(what, "hit") || span_is(what, "stale")) {
		put_target(out, s, a);
		buf_text(out, span_is(what, "hit") ? ": its answer was kept, "
						   : ": its answer was kept, and is stale, ");
		put_age(out, us > 0 ? us / 1000000 : 0);
		buf_text(out, " ago");
	} else {
		if (span_is(what, "next"))
			buf_text(out, "tries ");
		put_target(out, s, a);
		if (span_is(what, "queue")) {
			buf_text(out, ": waited ");
			put_us(out, us > 0 ? us : 0);
		} else if (span_is(what, "rest")) {
			buf_text(out, ": passed over");
		} else if (span_is(what, "out")) {
			buf_text(out, ": not asked");
		}
	}
	if (why.n > 0)
		buf_print(out, ": %.*s", SPAN_ARG(why));
	buf_byte(out, '\n');
}

static void put_head(struct buf *out, struct json j, struct arena *a)
{
	const struct span model = text_of(j, "model", a), message = text_of(j, "message", a);
	const int64_t first_us = number_of(j, "ttft_us"), queued_us = number_of(j, "queued_us");
	buf_print(out, "%.*s ", SPAN_ARG(text_of(j, "id", a)));
	if (!json_is_true(json_member(j, "is_over"))) {
		buf_text(out, "is under way\n");
		return;
	}
	buf_print(out, "%.*s%s%.*s: ", SPAN_ARG(text_of(j, "op", a)), model.n > 0 ? " " : "",
		SPAN_ARG(model));
	put_outcome(out, j, a);
	buf_text(out, " after ");
	put_us(out, number_of(j, "total_us"));
	if (first_us >= 0) {
		buf_text(out, ", its first content after ");
		put_us(out, first_us);
	}
	if (queued_us > 0) {
		buf_text(out, ", of that ");
		put_us(out, queued_us);
		buf_text(out, " in the queue");
	}
	const int64_t n = number_of(j, "attempts");
	buf_print(out, ", %" PRId64 " attempt%s", n, n == 1 ? "" : "s");
	put_cost(out, j);
	buf_byte(out, '\n');
	if (message.n > 0)
		buf_print(out, "%.*s\n", SPAN_ARG(message));
}

static void say_story(const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena a;
	arena_init(&a, SAY_BYTES_MAX);
	const struct json j = answer->json;
	put_head(&out, j, &a);
	const struct json steps = json_member(j, "steps");
	for (struct json_walk w = json_each(steps); json_next(&w);)
		put_step(&out, w.value, &a);
	const int64_t left_out = number_of(j, "left_out");
	if (left_out > 0)
		buf_print(&out, "and %" PRId64 " steps more, which are not known\n", left_out);
	say_out(&out);
	if (json_is(json_member(j, "from"), "ledger"))
		say_err("note: this is what the ledger has; waits, and why each next one was "
			"tried, "
			"are not known any more");
}

/* ---- the command ---- */

static void put_text(struct question *q, const char *name, const char *text)
{
	if (text)
		json_pair_str(&q->out, name, span_str(text));
}

/* Words may stand together, with commas between. */
static void put_list(struct question *q, const char *name, const struct text_list *list)
{
	if (list->n == 0)
		return;
	json_key(&q->out, name);
	json_open(&q->out, '[');
	for (size_t i = 0; i < list->n; i++) {
		struct span left = span_str(list->items[i]);
		while (span_is_set(left))
			json_put_str(&q->out, span_trim(span_cut(&left, ',')));
	}
	json_close(&q->out, ']');
}

static void put_count(struct question *q, const char *name, int64_t n)
{
	if (n >= 0)
		json_pair_i64(&q->out, name, n);
}

/* Is there one that would be asked? */
static bool has_target(struct json j)
{
	const struct json targets = json_member(j, "targets");
	for (struct json_walk w = json_each(targets); json_next(&w);) {
		if (!is_out(w.value))
			return json_is_nil(json_member(j, "class"));
	}
	return false;
}

static int explain_id(const struct explain *o, const char *id)
{
	struct question q;
	question_begin(&q);
	put_text(&q, "id", id);
	return broker_tell(&o->common, "request.explain", &q, say_story);
}

static int explain_model(const struct explain *o)
{
	struct question q;
	struct answer answer;
	question_begin(&q);
	put_text(&q, "model", o->model);
	put_text(&q, "op", o->op);
	put_text(&q, "as", o->as);
	put_text(&q, "profile", o->profile);
	put_text(&q, "socket", o->socket);
	put_text(&q, "session", o->session);
	put_count(&q, "uid", o->uid);
	put_count(&q, "input_tokens", o->input_tokens);
	put_count(&q, "output_tokens", o->output_tokens);
	put_text(&q, "prompt", o->prompt);
	put_text(&q, "system", o->system);
	put_text(&q, "cache", o->cache.wish);
	put_text(&q, "cache_namespace", o->cache.name_space);
	put_count(&q, "cache_max_age_s", cache_wishes_max_age_s(&o->cache));
	if (o->temperature >= 0) {
		json_key(&q.out, "temperature");
		json_put_f64(&q.out, o->temperature);
	}
	put_list(&q, "fallbacks", &o->fallbacks);
	put_list(&q, "tags", &o->tags);
	put_list(&q, "needs", &o->needs);
	if (!broker_ask(&o->common, "route.explain", &q, &answer))
		return answer.exit_code;
	if (o->common.is_json)
		say_answer(&answer);
	else
		say_route(&answer);
	const int code = has_target(answer.json) ? EXIT_GOOD : EXIT_DENIED;
	answer_done(&answer);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct explain o = {.uid = -1, .input_tokens = -1, .output_tokens = -1, .temperature = -1};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	const int wrong = cache_wishes_check(self, &o.cache, "--cache-");
	if (wrong)
		return wrong;
	if ((n > 0) == (o.model != NULL))
		return options_refuse(self, "which? -m MODEL, or the id of a request");
	return n > 0 ? explain_id(&o, words[0]) : explain_model(&o);
}

#define EXPLAIN(field) offsetof(struct explain, field)
/* clang-format off */
static const struct option_row rows[] = {
	{'m',  "model",         "MODEL",   "where would a call for that go now, and in which order?", OPTION_TEXT, EXPLAIN(model)},
	{'\0', "op",            "WORD",    "chat (without it), complete, embed, rerank, count, moderate", OPTION_TEXT, EXPLAIN(op)},
	{'\0', "as",            "WHO",     "KIND:NAME, as `llmb app list` has it; without it, this program", OPTION_TEXT, EXPLAIN(as)},
	{'\0', "profile",       "PROFILE", "as one to whom that was given", OPTION_TEXT, EXPLAIN(profile)},
	{'\0', "on",            "SOCKET",  "main, sandbox, app or handed", OPTION_TEXT, EXPLAIN(socket)},
	{'\0', "uid",           "N",       "as another user", OPTION_COUNT, EXPLAIN(uid)},
	{'\0', "fallback",      "MODEL",   "the call names that too; may repeat", OPTION_LIST, EXPLAIN(fallbacks)},
	{'\0', "tag",           "WORD",    "it has that tag; may repeat", OPTION_LIST, EXPLAIN(tags)},
	{'\0', "session",       "WORD",    "it is of that session", OPTION_TEXT, EXPLAIN(session)},
	{'\0', "prompt",        "TEXT",    "of the very words: is the answer kept, or on its way?", OPTION_TEXT, EXPLAIN(prompt)},
	{'\0', "system",        "TEXT",    "with these instructions", OPTION_TEXT, EXPLAIN(system)},
	{'\0', "temperature",   "T",       "at that", OPTION_NUMBER, EXPLAIN(temperature)},
	{'\0', "cache",         "WISH",    "as of `llmb ask`: off, read, write, on, refresh, only", OPTION_TEXT, EXPLAIN(cache.wish)},
	{'\0', "cache-max-age", "TIME",    "as of `llmb ask`: 1h, 7d, 0", OPTION_TEXT, EXPLAIN(cache.max_age)},
	{'\0', "cache-namespace", "WORD",  "as of `llmb ask`", OPTION_TEXT, EXPLAIN(cache.name_space)},
	{'\0', "input-tokens",  "N",       "of its prompt, or of what it gives to embed; without it, 1000", OPTION_COUNT, EXPLAIN(input_tokens)},
	{'\0', "max-tokens",    "N",       "of the answer that it asks for", OPTION_COUNT, EXPLAIN(output_tokens)},
	{'\0', "output-tokens", "N",       "the same", OPTION_COUNT, EXPLAIN(output_tokens)},
	{'\0', "needs",         "WORDS",   "images, audio, video, files, tools, schema, reasoning; with commas", OPTION_LIST, EXPLAIN(needs)},
};
/* clang-format on */

const struct command command_explain = {
	.name = "explain",
	.args = "[REQUEST-ID]",
	.summary = "where a call would go, where one went, and why",
	.examples =
		"  llmb explain -m smart\n"
		"  llmb explain -m smart --as flatpak:org.gnome.Builder --needs images,tools\n"
		"  llmb explain -m vectors --op embed --input-tokens 5000\n"
		"  llmb explain -m smart --cache on --prompt \"how do I undo the last commit?\"\n"
		"  llmb explain req_01hzx8k2mv9t4w7y5q3p6r1c0d\n",
	.notes = "Nothing is asked of a provider. Exit status 3: no target would be asked.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
