/* cmd_cache.c - which answers are kept, and what have they saved? */
#include <inttypes.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"

struct cache {
	struct common common;
	int64_t limit;
	const char *id;
};

static void put_tier(struct table *t, const char *name, struct json tier)
{
	OWNED(buf_done) struct buf used = BUF_INIT(SAY_BYTES_MAX);
	table_text(t, name);
	table_i64(t, number_of(tier, "entries"));
	buf_print(&used, "%.1f", (double)number_of(tier, "bytes") / (1 << 20));
	table_cell(t, buf_view(&used));
	table_i64(t, number_of(tier, "limit_bytes") >> 20);
	if (!json_is_nil(json_member(tier, "hits")))
		table_i64(t, number_of(tier, "hits"));
}

/* Why nothing, or not all, is on disk. */
static void say_disk(struct json disk)
{
	static const char *const notes[][2] = {
		{"absent",  "there is no vault yet, so nothing is on disk: llmb key add makes one"},
		{"locked",  "the vault is locked, so nothing is on disk: llmb vault unlock"       },
		{"damaged", "the vault cannot be used, so nothing is on disk: llmb vault status"  },
		{"reading", "the disk is being looked through: what is there is not counted yet"  },
		{"away",    "the disk is gone, so nothing is there"                               },
	};
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const struct span state = text_of(disk, "state", &arena);
	for (size_t i = 0; i < COUNT_OF(notes); i++) {
		if (span_is(state, notes[i][0]))
			say_err("note: %s", notes[i][1]);
	}
	if (span_is(state, "failing"))
		say_err("note: the disk takes no more: %.*s",
			SPAN_ARG(text_of(disk, "why", &arena)));
}

static void say_stats(const struct answer *answer)
{
	static const char *const heads[] = {"WHERE", "ANSWERS", "MIB", "OF", "HITS"};
	const bool is_counted = !json_is_nil(json_member(answer->json, "misses"));
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	const struct json disk = json_member(answer->json, "disk");
	table_heads(
		&t, heads, COUNT_OF(heads) - !is_counted, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4);
	put_tier(&t, "memory", json_member(answer->json, "memory"));
	put_tier(&t, "disk", disk);
	const struct json words = json_member(answer->json, "semantic");
	if (number_of(words, "limit_bytes") > 0)
		put_tier(&t, "semantic", words);
	table_end(&t, &out);
	if (is_counted)
		buf_print(&out,
			"misses %" PRId64 ", kept %" PRId64 ", evicted %" PRId64
			", expired %" PRId64 "\n",
			number_of(answer->json, "misses"), number_of(answer->json, "kept"),
			number_of(answer->json, "evicted"), number_of(answer->json, "expired"));
	say_out(&out);
	say_disk(disk);
	if (number_of(answer->json, "damaged") > 0)
		say_err("note: %" PRId64 " were damaged on disk, and asked for anew",
			number_of(answer->json, "damaged"));
}

static int run_stats(const struct command *self, int argc, char **argv)
{
	return broker_show(self, argc, argv, "cache.stats", say_stats);
}

/* ---- list ---- */

static void say_list(const struct answer *answer)
{
	static const char *const heads[] = {
		"ID", "SCOPE", "TARGET", "OP", "BYTES", "AGE_S", "FRESH_S"};
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	table_heads(&t, heads, COUNT_OF(heads), 1u << 4 | 1u << 5 | 1u << 6);
	const struct json entries = json_member(answer->json, "entries");
	for (struct json_walk w = json_each(entries); json_next(&w);) {
		table_cell(&t, text_of(w.value, "id", &arena));
		table_cell(&t, text_of(w.value, "scope", &arena));
		table_cell(&t, text_of(w.value, "target", &arena));
		table_cell(&t, text_of(w.value, "op", &arena));
		table_i64(&t, number_of(w.value, "bytes"));
		table_i64(&t, number_of(w.value, "age_s"));
		table_i64(&t, number_of(w.value, "fresh_s"));
	}
	table_end(&t, &out);
	say_out(&out);
}

static int run_list(const struct command *self, int argc, char **argv)
{
	struct cache o = {.limit = -1};
	struct question q;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	question_begin(&q);
	if (o.limit >= 0)
		json_pair_i64(&q.out, "limit", o.limit);
	return broker_tell(&o.common, "cache.list", &q, say_list);
}

/* ---- clear ---- */

static int run_clear(const struct command *self, int argc, char **argv)
{
	struct cache o = {.id = NULL};
	struct question q;
	struct answer answer;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	question_begin(&q);
	if (o.id)
		json_pair_str(&q.out, "id", span_str(o.id));
	if (!broker_ask(&o.common, "cache.clear", &q, &answer))
		return answer.exit_code;
	const int64_t removed = number_of(answer.json, "removed");
	const bool is_absent = o.id && removed == 0;
	if (o.common.is_json)
		say_answer(&answer);
	else if (is_absent)
		say_err("llmb: there is no answer %s: `llmb cache list` shows them by their ids",
			o.id);
	else if (!o.common.is_quiet)
		say_err("removed %" PRId64 " answer%s", removed, removed == 1 ? "" : "s");
	answer_done(&answer);
	return is_absent ? EXIT_BAD : EXIT_GOOD;
}

#define CACHE(field) offsetof(struct cache, field)
static const struct option_row list_rows[] = {
	{'n', "limit", "N", "no more than so many, the latest first (default: 100)", OPTION_COUNT,
         CACHE(limit)},
};

static const struct option_row clear_rows[] = {
	{'\0', "id", "ID", "only this one, as the list shows it", OPTION_TEXT, CACHE(id)},
};

static const struct command cache_stats = {
	.name = "cache stats",
	.args = "",
	.summary = "how many answers are kept, where, and how often they were asked for again",
	.notes = "semantic: how many of the chats among them may be answered in other words, too, "
		 "and have\n"
		 "been (cache_semantic in a [policy]).\n"
		 "Who runs the broker is told of all, everyone else of what is his own user's "
		 "alone,\n"
		 "and not how often anything was asked for.\n",
	.run = run_stats,
};

static const struct command cache_list = {
	.name = "cache list",
	.args = "",
	.summary = "which ones: with whom they are shared, who gave them, how old they are",
	.notes = "What was asked and what was answered is told to nobody.\n",
	.rows = list_rows,
	.n_rows = COUNT_OF(list_rows),
	.run = run_list,
};

static const struct command cache_clear = {
	.name = "cache clear",
	.args = "",
	.summary = "remove them all, in memory and on disk, or one of them",
	.notes = "Who runs the broker removes everybody's, everyone else what is his own user's "
		 "alone;\n"
		 "what the host shares, only who runs the broker.\n",
	.rows = clear_rows,
	.n_rows = COUNT_OF(clear_rows),
	.run = run_clear,
};

static const struct command *const subcommands[] = {
	&cache_stats, &cache_list, &cache_clear, &command_cache_warm};

const struct command command_cache = {
	.name = "cache",
	.args = "stats|list|clear|warm",
	.summary = "answers that are kept for those who ask the same",
	.run = run_group,
	.subcommands = subcommands,
	.n_subcommands = COUNT_OF(subcommands),
};
