/* answer.c - every event as a line of JSON, or as what a person wants to see of it. */
#include "libllmclient/cli/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libllmclient/cli/interrupt.h"

/* ---- JSON ---- */

static void put_count(struct json_out *out, const char *name, int64_t v)
{
	if (v >= 0)
		json_pair_i64(out, name, v);
}

void show_usage_json(struct json_out *out, const llm_usage *u)
{
	json_key(out, "usage");
	json_open(out, '{');
	put_count(out, "input", llm_usage_input_tokens(u));
	put_count(out, "cached", llm_usage_cached_tokens(u));
	put_count(out, "cache_write", llm_usage_cache_write_tokens(u));
	put_count(out, "output", llm_usage_output_tokens(u));
	put_count(out, "reasoning", llm_usage_reasoning_tokens(u));
	put_count(out, "cost_nusd", llm_usage_cost_nanousd(u));
	put_count(out, "ttft_us", llm_usage_ttft_us(u));
	put_count(out, "total_us", llm_usage_total_us(u));
	if (llm_usage_cache(u))
		json_pair_str(out, "cache", span_str(llm_usage_cache(u)));
	put_count(out, "cache_age_s", llm_usage_cache_age_s(u));
	if (llm_usage_cache_score(u) >= 0) {
		char score[32];
		(void)snprintf(score, sizeof score, "%.4g", llm_usage_cache_score(u));
		json_pair_raw(out, "cache_score", span_str(score));
	}
	put_count(out, "saved_nusd", llm_usage_saved_nanousd(u));
	if (llm_usage_kept(u))
		json_pair_bool(out, "kept", true);
	json_close(out, '}');
}

static void put_tools(struct json_out *out, const llm_result *a)
{
	if (llm_result_tool_calls(a) == 0)
		return;
	json_key(out, "tool_calls");
	json_open(out, '[');
	for (size_t i = 0; i < llm_result_tool_calls(a); i++) {
		json_open(out, '{');
		json_pair_str(out, "id", span_str(llm_result_tool_id(a, i)));
		json_pair_str(out, "name", span_str(llm_result_tool_name(a, i)));
		json_pair_str(out, "arguments", span_str(llm_result_tool_args(a, i)));
		json_close(out, '}');
	}
	json_close(out, ']');
}

static void json_result(const llm_result *a, const char *type)
{
	OWNED(buf_done) struct buf b = BUF_INIT(SAY_BYTES_MAX);
	struct json_out out = json_to(&b);
	json_open(&out, '{');
	json_pair_str(&out, "type", span_str(type));
	json_pair_str(&out, "text", span_str(llm_result_text(a)));
	json_pair_str(&out, "reasoning", span_str(llm_result_reasoning(a)));
	json_pair_str(&out, "refusal", span_str(llm_result_refusal(a)));
	json_pair_str(&out, "provider", span_str(llm_result_provider(a)));
	json_pair_str(&out, "model", span_str(llm_result_model(a)));
	json_pair_str(&out, "stop_reason", span_str(llm_result_stop_reason(a)));
	put_tools(&out, a);
	show_usage_json(&out, llm_result_usage(a));
	json_close(&out, '}');
	buf_byte(&b, '\n');
	say_out(&b);
}

static const char *type_name(llm_event_type type)
{
	switch (type) {
	case LLM_EV_TEXT:
		return "text";
	case LLM_EV_REASONING:
		return "reasoning";
	case LLM_EV_REFUSAL:
		return "refusal";
	case LLM_EV_STATUS:
		return "status";
	case LLM_EV_WARNING:
		return "warning";
	case LLM_EV_TOOL_END:
		return "tool_call";
	case LLM_EV_NONE:
	case LLM_EV_TOOL_START:
	case LLM_EV_TOOL_ARGS:
	case LLM_EV_USAGE:
	case LLM_EV_DONE:
	case LLM_EV_RAW:
	case LLM_EV_HEAD:
	case LLM_EV_PART:
	case LLM_EV_ITEM:
		return NULL;
	}
	return NULL;
}

static void json_event(const llm_event *ev)
{
	const llm_event_type type = llm_event_type_of(ev);
	const char *name = type_name(type);
	OWNED(buf_done) struct buf b = BUF_INIT(SAY_BYTES_MAX);
	struct json_out out = json_to(&b);
	size_t n;
	if (!name)
		return;
	const char *text = type == LLM_EV_TEXT ? llm_event_text(ev, &n) : llm_event_detail(ev, &n);
	json_open(&out, '{');
	json_pair_str(&out, "type", span_str(name));
	if (type == LLM_EV_TOOL_END) {
		json_pair_str(&out, "id", span_str(llm_event_tool_id(ev)));
		json_pair_str(&out, "name", span_str(llm_event_tool_name(ev)));
		json_pair_str(&out, "arguments", span_str(llm_event_tool_args(ev)));
	} else {
		json_pair_str(&out, "status", span_str(llm_event_status_word(ev)));
		json_pair_str(&out, "code", span_str(llm_event_warning_code(ev)));
		json_pair_str(&out, "param", span_str(llm_event_warning_param(ev)));
		json_pair_str(&out, "text", span_of(text, n));
	}
	json_close(&out, '}');
	buf_byte(&b, '\n');
	say_out(&b);
}

/* ---- for people ---- */

/* The line that the cursor is in is empty then. */
#define LINE_EMPTIED "\r\033[K"

static void end_waiting(struct show *s)
{
	if (s->is_waiting)
		say_passing(LINE_EMPTIED, SPAN(""));
	s->is_waiting = false;
}

/* Can a line of it be written over? */
static bool is_screen(int fd)
{
	const char *kind = getenv("TERM");
	return is_terminal(fd) && !(kind && strcmp(kind, "dumb") == 0);
}

/* Where it stands, on a screen alone, and only until the answer begins: the next place is written over it. */
static void show_place(struct show *s, const char *where)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SAY_BYTES_MAX);
	if (s->common->is_quiet || !is_screen(STDERR_FILENO) || (s->has_text && !s->ends_line))
		return;
	buf_print(&text, "waiting: %s", where);
	say_passing(LINE_EMPTIED, buf_view(&text));
	s->is_waiting = true;
}

void show_break(struct show *s)
{
	end_waiting(s);
	if (s->has_text && !s->ends_line && !s->common->is_json)
		say_text("\n", 1);
	s->has_text = false;
}

static void show_text(struct show *s, const char *text, size_t n)
{
	if (n == 0)
		return;
	say_text(text, n);
	s->has_text = true;
	s->ends_line = text[n - 1] == '\n';
}

/* A line on stderr does not begin in the middle of one on the same screen. */
static void show_aside(struct show *s, const char *what, const char *text)
{
	if (s->common->is_quiet)
		return;
	if (s->has_text && !s->ends_line && is_terminal(STDOUT_FILENO) &&
		is_terminal(STDERR_FILENO)) {
		say_text("\n", 1);
		s->ends_line = true;
	}
	say_err("%s: %s", what, text);
}

/* The broker's one sentence to a newcomer is for all; what else it does meanwhile is for the curious. */
static void show_status(struct show *s, const llm_event *ev)
{
	const char *word = llm_event_status_word(ev);
	const char *detail = llm_event_detail(ev, NULL);
	if (!word)
		return;
	if (strcmp(word, "offline") == 0)
		show_aside(s, "hint", detail);
	else if (s->common->is_verbose)
		show_aside(s, word, detail);
	else if (strcmp(word, "queued") == 0 && detail)
		show_place(s, detail);
}

static void show_warning(struct show *s, const llm_event *ev)
{
	char what[128];
	const char *code = llm_event_warning_code(ev), *param = llm_event_warning_param(ev);
	(void)snprintf(what, sizeof what, "warning (%s%s%s)", code ? code : "", param ? ": " : "",
		param ? param : "");
	show_aside(s, what, llm_event_detail(ev, NULL));
}

int show_event(const llm_event *ev, void *arg)
{
	struct show *s = arg;
	size_t n;
	if (s->common->is_json) {
		json_event(ev);
		return 0;
	}
	end_waiting(s);
	switch (llm_event_type_of(ev)) {
	case LLM_EV_TEXT: {
		const char *text = llm_event_text(ev, &n);
		show_text(s, text, n);
		break;
	}
	case LLM_EV_REFUSAL: {
		const char *text = llm_event_detail(ev, &n);
		show_text(s, text, n);
		break;
	}
	case LLM_EV_STATUS:
		show_status(s, ev);
		break;
	case LLM_EV_WARNING:
		show_warning(s, ev);
		break;
	case LLM_EV_TOOL_END:
		show_aside(s, llm_event_tool_name(ev), llm_event_tool_args(ev));
		break;
	case LLM_EV_NONE:
	case LLM_EV_REASONING:
	case LLM_EV_TOOL_START:
	case LLM_EV_TOOL_ARGS:
	case LLM_EV_USAGE:
	case LLM_EV_DONE:
	case LLM_EV_RAW:
	case LLM_EV_HEAD:
	case LLM_EV_PART:
	case LLM_EV_ITEM:
		break;
	}
	return 0;
}

static void put_tokens(struct buf *out, int64_t n, const char *what)
{
	if (n < 0)
		buf_print(out, "? %s", what);
	else
		buf_print(out, "%" PRId64 " %s", n, what);
}

static void put_time(struct buf *out, int64_t us)
{
	if (us < 0)
		return;
	if (us < INT64_C(10000000))
		buf_print(out, " · %" PRId64 " ms", us / 1000);
	else
		buf_print(out, " · %" PRId64 ".%" PRId64 " s", us / 1000000, us / 100000 % 10);
}

void put_age(struct buf *out, int64_t age_s)
{
	static const struct {
		int64_t s;
		const char *name;
	} units[] = {
		{86400, "d"  },
                {3600,  "h"  },
                {60,    "min"}
        };
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (age_s >= units[i].s) {
			buf_print(out, "%" PRId64 " %s", age_s / units[i].s, units[i].name);
			return;
		}
	}
	buf_print(out, "%" PRId64 " s", age_s);
}

/* Where the answer comes from, if no provider gave it. */
static void put_origin(struct buf *out, const llm_usage *u)
{
	const char *source = llm_usage_cache(u);
	const int64_t age_s = llm_usage_cache_age_s(u);
	if (!source)
		return;
	if (strcmp(source, "joined") == 0) {
		buf_text(out, " · shared with another call");
		return;
	}
	if (strcmp(source, "semantic") == 0)
		buf_print(out, " · of other words, %.2f", llm_usage_cache_score(u));
	else if (strcmp(source, "stale") == 0)
		buf_text(out, " · stale");
	buf_text(out, " · kept ");
	put_age(out, age_s > 0 ? age_s : 0);
	buf_text(out, " ago");
}

static void show_cost(const struct show *s, const llm_result *a)
{
	const llm_usage *u = llm_result_usage(a);
	const char *provider = llm_result_provider(a), *model = llm_result_model(a);
	OWNED(buf_done) struct buf line = BUF_INIT(SAY_BYTES_MAX);
	if (s->common->is_quiet ||
		!(s->is_cost_wanted || s->common->is_verbose || is_terminal(STDERR_FILENO)))
		return;
	buf_print(&line, "%s/%s · ", provider ? provider : "?", model ? model : "?");
	put_tokens(&line, llm_usage_input_tokens(u), "in, ");
	put_tokens(&line, llm_usage_output_tokens(u), "out · ");
	if (llm_usage_cost_nanousd(u) < 0) {
		buf_text(&line, "price unknown");
	} else {
		put_usd(&line, llm_usage_cost_nanousd(u));
		buf_text(&line, " USD");
	}
	put_time(&line, llm_usage_total_us(u));
	put_origin(&line, u);
	buf_byte(&line, '\0');
	if (!buf_error(&line))
		say_err("%s", line.p);
}

void show_other_words(const struct common *o, const llm_usage *u)
{
	const char *source = llm_usage_cache(u);
	if (!o->is_quiet && source && strcmp(source, "semantic") == 0)
		say_err("note: this is the answer to other words, which may mean the same (%.2f); "
			"--cache=refresh asks these",
			llm_usage_cache_score(u));
}

static void show_account(struct show *s, const llm_result *a)
{
	const char *stop = llm_result_stop_reason(a);
	if (stop && strcmp(stop, "length") == 0)
		show_aside(s, "note", "the answer was cut at the token limit: see --max-tokens");
	else if (stop && strcmp(stop, "content_filter") == 0)
		show_aside(s, "note", "the provider's content filter ended the answer");
	show_other_words(s->common, llm_result_usage(a));
	show_cost(s, a);
}

void show_end(struct show *s, const llm_result *a)
{
	if (s->common->is_json) {
		json_result(a, "done");
		return;
	}
	show_break(s);
	show_account(s, a);
}

void show_result(struct show *s, const llm_result *a)
{
	const char *text = llm_result_text(a);
	if (s->common->is_json) {
		json_result(a, "answer");
		return;
	}
	if (llm_result_refusal(a))
		show_text(s, llm_result_refusal(a), strlen(llm_result_refusal(a)));
	show_text(s, text, strlen(text));
	for (size_t i = 0; i < llm_result_tool_calls(a); i++)
		show_aside(s, llm_result_tool_name(a, i), llm_result_tool_args(a, i));
	show_break(s);
	show_account(s, a);
}

int show_stream(struct show *s, llm_client *c, llm_stream *stream)
{
	if (!stream)
		return say_error(s->common, llm_last_error(c));
	interrupt_stops(stream);
	const int code = llm_stream_run(stream, show_event, s);
	interrupt_stops(NULL);
	if (code == LLM_OK) {
		show_end(s, llm_stream_result(stream));
		return EXIT_GOOD;
	}
	show_break(s);
	if (code == LLM_E_CANCELLED) {
		if (!s->common->is_quiet)
			say_err("cancelled");
		return EXIT_INTERRUPTED;
	}
	return say_error(s->common, llm_stream_error(stream));
}
