/* cmd_audit.c - who was allowed what, and is that what was written? */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/when.h"

#define EXIT_LOCKED 5

struct audit {
	struct common common;
	const char *since, *what, *head;
	int64_t limit;
};

/* ---- what was recorded ---- */

static void table_time(struct table *t, int64_t at_us)
{
	const time_t at = (time_t)(at_us / 1000000);
	struct tm local;
	char text[32] = "-";
	if (at_us >= 0 && localtime_r(&at, &local))
		(void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
	table_text(t, text);
}

/* "notes (uid 1000)", "flatpak org.gnome.Builder (uid 1000)"; the broker itself is nobody. */
static void table_who(struct table *t, struct json who, struct arena *arena)
{
	OWNED(buf_done) struct buf b = BUF_INIT(4096);
	const struct span kind = text_of(who, "kind", arena), name = text_of(who, "name", arena);
	const struct span program = text_of(who, "program", arena);
	const int64_t uid = number_of(who, "uid");
	if (kind.n > 0 && !span_is(kind, "host") && !span_is(kind, "unknown"))
		buf_print(&b, "%.*s ", SPAN_ARG(kind));
	if (json_is_true(json_member(who, "claim")))
		buf_text(&b, "(it says) ");
	buf_span(&b, name.n > 0 ? name : program);
	if (uid >= 0)
		buf_print(&b, "%s(uid %" PRId64 ")", b.n > 0 ? " " : "", uid);
	table_cell(t, b.n > 0 ? buf_view(&b) : SPAN("broker"));
}

static void table_verdict(struct table *t, struct json record, struct arena *arena)
{
	OWNED(buf_done) struct buf b = BUF_INIT(4096);
	const struct span class = text_of(record, "class", arena);
	const int64_t count = number_of(record, "count");
	buf_span(&b, text_of(record, "verdict", arena));
	if (class.n > 0 && !span_is(class, "denied"))
		buf_print(&b, ": %.*s", SPAN_ARG(class));
	if (count > 0)
		buf_print(&b, ", %" PRId64 " times", count);
	table_cell(t, buf_view(&b));
}

static void say_records(const struct audit *o, const struct answer *answer)
{
	static const char *const head[] = {
		"NUMBER", "TIME", "WHAT", "VERDICT", "WHO", "SUBJECT", "DETAIL"};
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	table_begin(&t, COUNT_OF(head), 0x1);
	for (size_t i = 0; i < COUNT_OF(head); i++)
		table_text(&t, head[i]);
	for (struct json_walk w = json_each(json_member(answer->json, "records")); json_next(&w);) {
		table_i64(&t, number_of(w.value, "seq"));
		table_time(&t, number_of(w.value, "at_us"));
		table_cell(&t, text_of(w.value, "what", &arena));
		table_verdict(&t, w.value, &arena);
		table_who(&t, json_member(w.value, "who"), &arena);
		table_cell(&t, text_of(w.value, "subject", &arena));
		table_cell(&t, text_of(w.value, "detail", &arena));
	}
	table_end(&t, &out);
	say_out(&out);
	if (json_is_true(json_member(answer->json, "more")) && !o->common.is_quiet)
		say_err("note: there are older ones; --limit shows more of them");
	if (number_of(answer->json, "unreadable") > 0)
		say_err("note: %" PRId64 " lines are no records: see `llmb audit verify`",
			number_of(answer->json, "unreadable"));
	const struct span fault = text_of(answer->json, "message", &arena);
	if (fault.n > 0)
		say_err("note: what is recorded now waits, for %.*s", SPAN_ARG(fault));
}

static int run_list(const struct command *self, int argc, char **argv)
{
	struct audit o = {.limit = -1};
	struct question q;
	struct answer answer;
	int64_t since_s = -1;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (o.since && !read_time(o.since, &since_s))
		return options_refuse(self, "--since %s: 24h, 7d or 2026-01-31 is wanted", o.since);
	question_begin(&q);
	if (since_s >= 0)
		json_pair_i64(&q.out, "since_s", since_s);
	if (o.what)
		json_pair_str(&q.out, "what", span_str(o.what));
	if (o.limit >= 0)
		json_pair_i64(&q.out, "limit", o.limit);
	if (!broker_ask(&o.common, "audit.list", &q, &answer))
		return answer.exit_code;
	if (o.common.is_json)
		say_answer(&answer);
	else
		say_records(&o, &answer);
	answer_done(&answer);
	return EXIT_GOOD;
}

/* ---- whether it is what was written ---- */

static void say_verified(const struct audit *o, const struct answer *answer)
{
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const struct span said = text_of(answer->json, "message", &arena);
	const struct span head = text_of(answer->json, "head", &arena);
	const int64_t broken_off = number_of(answer->json, "broken_off");
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	if (!json_is_true(json_member(answer->json, "ok"))) {
		say_err("llmb: %.*s", SPAN_ARG(said));
		return;
	}
	buf_print(&out, "%.*s\n", SPAN_ARG(said));
	if (head.n > 0)
		buf_print(&out, "head %.*s (number %" PRId64 ")\n", SPAN_ARG(head),
			number_of(answer->json, "last"));
	say_out(&out);
	if (broken_off > 0 && !o->common.is_quiet)
		say_err("note: epochs that end without their last record: %" PRId64
			" (the broker was killed then, or records were cut away)",
			broken_off);
}

static int run_verify(const struct command *self, int argc, char **argv)
{
	struct audit o = {.head = NULL};
	struct question q;
	struct answer answer;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	question_begin(&q);
	if (o.head)
		json_pair_str(&q.out, "head", span_str(o.head));
	if (!broker_ask(&o.common, "audit.verify", &q, &answer))
		return answer.exit_code;
	if (o.common.is_json)
		say_answer(&answer);
	else
		say_verified(&o, &answer);
	const bool is_ok = json_is_true(json_member(answer.json, "ok"));
	const bool is_locked = json_is(json_member(answer.json, "result"), "locked");
	answer_done(&answer);
	return is_ok ? EXIT_GOOD : is_locked ? EXIT_LOCKED : EXIT_BAD;
}

/* ---- the commands ---- */

#define AUDIT(field) offsetof(struct audit, field)
static const struct option_row list_rows[] = {
	{'\0', "since", "TIME", "from then on: 24h, 7d, or a day: 2026-01-31",         OPTION_TEXT,
         AUDIT(since)},
	{'\0', "what",  "WORD", "of one kind: key.add; or key, for all that begin so", OPTION_TEXT,
         AUDIT(what) },
	{'\0', "limit", "N",    "the newest N, 1 to 1000; 100 where nothing is said",  OPTION_COUNT,
         AUDIT(limit)},
};

static const struct option_row verify_rows[] = {
	{'\0', "head", "HASH", "one that was seen before must still be in the chain", OPTION_TEXT,
         AUDIT(head)},
};

static const struct command audit_list = {
	.name = "audit list",
	.args = "",
	.summary = "what was recorded lately, the newest last",
	.examples = "  llmb audit --since 7d --what key\n"
		    "  llmb audit --what denied --json\n",
	.rows = list_rows,
	.n_rows = COUNT_OF(list_rows),
	.run = run_list,
};

static const struct command audit_verify = {
	.name = "audit verify",
	.args = "",
	.summary = "is the log what was written?",
	.examples = "  llmb audit verify\n"
		    "  llmb audit verify --head 5f0c...\n",
	.notes = "Exit status 1: it is not, and the first record that is wrong is named. 5: the "
		 "vault "
		 "is\nnot open, and MACs cannot be checked. Whether the end was cut away can only "
		 "be "
		 "told\nby a hash that was seen before: the broker's own log has one every 15 "
		 "minutes.\n",
	.rows = verify_rows,
	.n_rows = COUNT_OF(verify_rows),
	.run = run_verify,
};

/* Without a word it is the list. */
static int run(const struct command *self, int argc, char **argv)
{
	const bool is_list = argc < 2 || (argv[1][0] == '-' && strcmp(argv[1], "--help") != 0 &&
						 strcmp(argv[1], "-h") != 0);
	return is_list ? run_list(&audit_list, argc, argv) : run_group(self, argc, argv);
}

static const struct command *const subcommands[] = {&audit_list, &audit_verify};

const struct command command_audit = {
	.name = "audit",
	.args = "[list|verify]",
	.summary = "who was allowed what, and is that what was written",
	.run = run,
	.subcommands = subcommands,
	.n_subcommands = COUNT_OF(subcommands),
};
