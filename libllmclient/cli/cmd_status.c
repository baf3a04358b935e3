/* cmd_status.c - what is the broker doing? */
#include <inttypes.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"

#define RESTING_SHOWN ((size_t)8)

static void put_vault(struct buf *out, struct json vault, struct arena *a)
{
	const struct span state = text_of(vault, "state", a);
	buf_text(out, "vault     ");
	buf_span(out, state);
	if (span_is(state, "open"))
		buf_print(out, ", %" PRId64 " keys", number_of(vault, "keys"));
	if (json_is_true(json_member(vault, "passphrase")))
		buf_text(out, ", has a passphrase");
	if (json_is_true(json_member(vault, "unattended")))
		buf_text(out, ", opens unattended");
	buf_byte(out, '\n');
}

static void put_process(struct buf *out, struct json s)
{
	const struct json confined = json_member(s, "confined");
	const bool is_locked = json_is_true(json_member(s, "memory_locked"));
	buf_text(out, "process   ");
	buf_text(out, is_locked ? "keys are locked in memory" : "keys can be SWAPPED to disk");
	if (!json_is_nil(confined))
		buf_text(out, json_is_true(confined) ? ", confined" : ", NOT CONFINED");
	buf_byte(out, '\n');
}

/* Where there is something to mend; the rest is in --json. */
static void put_loop(struct buf *out, struct json loop)
{
	const int64_t stalls = number_of(loop, "stalls"), spins = number_of(loop, "spins");
	if (stalls > 0)
		buf_print(out,
			"STALLED   %" PRId64 " times, the longest turn took %" PRId64 " ms\n",
			stalls, number_of(loop, "longest_us") / 1000);
	if (spins > 0)
		buf_print(out, "SPUN      %" PRId64 " times: the log says who\n", spins);
}

static void put_providers(struct buf *out, struct json providers, struct arena *a)
{
	size_t n = 0;
	buf_text(out, "providers ");
	for (struct json_walk w = json_each(providers); json_next(&w);) {
		if (!json_is_true(json_member(w.value, "has_key")))
			continue;
		buf_text(out, n++ > 0 ? ", " : "");
		buf_span(out, text_of(w.value, "name", a));
	}
	buf_text(out, n > 0 ? "\n" : "none has a key yet: llmb key add PROVIDER\n");
}

/* "resting   openai/gpt-4o with the key b, for 42 s: ..."; of many, the first. */
static void put_resting(struct buf *out, struct json targets, struct arena *a)
{
	size_t n = 0;
	for (struct json_walk w = json_each(targets); json_next(&w);) {
		const struct json t = w.value;
		const struct span model = text_of(t, "model", a), key = text_of(t, "key", a);
		const int64_t until_ms = number_of(t, "until_ms");
		if (until_ms < 0 || n++ >= RESTING_SHOWN)
			continue;
		buf_print(out, "resting   %.*s%s%.*s", SPAN_ARG(text_of(t, "provider", a)),
			model.n > 0 ? "/" : "", SPAN_ARG(model));
		if (json_kind(json_member(t, "key")) == JSON_STRING)
			buf_print(out, " with %s%.*s", key.n > 0 ? "the key " : "its key",
				SPAN_ARG(key));
		buf_print(out, ", for %" PRId64 " s: %.*s\n", (until_ms + 999) / 1000,
			SPAN_ARG(text_of(t, "why", a)));
	}
	if (n > RESTING_SHOWN)
		buf_print(out, "resting   %zu more: llmb status --json\n", n - RESTING_SHOWN);
}

static void put_status(struct buf *out, struct json s, struct arena *a)
{
	const struct json config = json_member(s, "config"), you = json_member(s, "you");
	const struct json degraded = json_member(s, "degraded");
	buf_print(out, "broker    llm-brokerd %.*s, pid %" PRId64 ", up ",
		SPAN_ARG(text_of(s, "version", a)), number_of(s, "pid"));
	put_lasting(out, number_of(s, "uptime_s"));
	buf_print(out, "\nsocket    %.*s\n", SPAN_ARG(text_of(s, "socket", a)));
	buf_print(out, "state     %.*s\n", SPAN_ARG(text_of(s, "state_dir", a)));
	buf_print(out, "config    %.*s: ", SPAN_ARG(text_of(config, "path", a)));
	if (json_is_true(json_member(config, "ok")))
		buf_text(out, "ok\n");
	else
		buf_print(out, "%.*s\n", SPAN_ARG(text_of(config, "message", a)));
	put_vault(out, json_member(s, "vault"), a);
	put_process(out, s);
	buf_print(out,
		"traffic   %" PRId64 " connections, %" PRId64 " calls open, %" PRId64 " served\n",
		number_of(s, "connections"), number_of(s, "calls"), number_of(s, "served"));
	buf_print(out, "you       uid %" PRId64 ", %.*s\n", number_of(you, "uid"),
		SPAN_ARG(text_of(you, "program", a)));
	put_providers(out, json_member(s, "providers"), a);
	put_resting(out, json_member(s, "targets"), a);
	const struct span unwritten = text_of(json_member(s, "audit"), "message", a);
	if (unwritten.n > 0)
		buf_print(out, "AUDIT     is not written: %.*s\n", SPAN_ARG(unwritten));
	const struct json disk = json_member(json_member(s, "cache"), "disk");
	if (span_is(text_of(disk, "state", a), "failing"))
		buf_print(out, "CACHE     the disk takes no more: %.*s\n",
			SPAN_ARG(text_of(disk, "why", a)));
	put_loop(out, json_member(s, "loop"));
	if (!json_is_nil(degraded))
		buf_print(out, "DEGRADED  %.*s\n", SPAN_ARG(text_of(s, "degraded", a)));
}

static int run(const struct command *self, int argc, char **argv)
{
	struct common o = {.socket = NULL};
	struct answer answer;
	char **rest;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &rest);
	if (code != OPTIONS_GO_ON)
		return code;
	if (!broker_ask(&o, "status", NULL, &answer))
		return answer.exit_code;
	if (o.is_json) {
		say_answer(&answer);
	} else {
		OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
		OWNED(arena_done) struct arena arena;
		arena_init(&arena, SAY_BYTES_MAX);
		put_status(&out, answer.json, &arena);
		say_out(&out);
	}
	answer_done(&answer);
	return EXIT_GOOD;
}

const struct command command_status = {
	.name = "status",
	.args = "",
	.summary = "what the broker is doing, and how it sees you",
	.run = run,
};
