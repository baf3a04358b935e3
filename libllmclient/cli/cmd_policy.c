/* cmd_policy.c - which rules are there, and what would they say? */
#include <inttypes.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/peer.h"

struct policy {
	struct common common;
	const char *as, *model, *op, *profile, *socket;
	int64_t uid;
};

/* ---- the rules ---- */

/* A rule as it would be written. */
static void put_rule(struct buf *out, struct json rule, struct arena *arena)
{
	static const struct {
		const char *member, *key;
	} lists[] = {
		{"kind",         "kind"        },
		{"id",           "name"        },
		{"user",         "user"        },
		{"socket",       "socket"      },
		{"profile",      "profile"     },
		{"operation",    "operation"   },
		{"model",        "model"       },
		{"except_model", "except_model"},
		{"native",       "native"      },
	};
	static const char *const numbers[] = {
		"max_input", "max_output", "max_calls", "max_connections"};
	buf_print(out, "[policy \"%.*s\"]%s\n", SPAN_ARG(text_of(rule, "name", arena)),
		json_is_true(json_member(rule, "builtin")) ? "  # built in" : "");
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		const struct json list = json_member(rule, lists[i].member);
		for (struct json_walk w = json_each(list); json_next(&w);) {
			buf_print(out, "%s = ", lists[i].key);
			(void)json_text_to(w.value, out);
			buf_byte(out, '\n');
		}
	}
	if (!json_is(json_member(rule, "allow"), "yes"))
		buf_print(out, "allow = %.*s\n", SPAN_ARG(text_of(rule, "allow", arena)));
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		const int64_t v = number_of(rule, numbers[i]);
		if (v >= 0)
			buf_print(out, "%s = %" PRId64 "\n", numbers[i], v);
	}
	const int64_t cost_nusd = number_of(rule, "max_cost_nusd");
	if (cost_nusd >= 0) {
		buf_text(out, "max_cost = ");
		put_usd(out, cost_nusd);
		buf_byte(out, '\n');
	}
	static const char *const words[] = {"resend", "cache", "cache_scope"};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		const struct span word = text_of(rule, words[i], arena);
		if (word.n > 0)
			buf_print(out, "%s = %.*s\n", words[i], SPAN_ARG(word));
	}
	const struct json semantic = json_member(rule, "cache_semantic");
	if (span_is_set(semantic.text))
		buf_print(out, "cache_semantic = %.*s\n", SPAN_ARG(semantic.text));
	buf_byte(out, '\n');
}

static void say_rules(const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const struct json rules = json_member(answer->json, "rules");
	for (struct json_walk w = json_each(rules); json_next(&w);)
		put_rule(&out, w.value, &arena);
	say_out(&out);
}

static int run_show(const struct command *self, int argc, char **argv)
{
	return broker_show(self, argc, argv, "policy.show", say_rules);
}

/* ---- what they would say ---- */

static void say_test(const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const struct json j = answer->json;
	const bool is_allowed = json_is_true(json_member(j, "allowed"));
	buf_print(&out, "%.*s %s %.*s", SPAN_ARG(text_of(j, "who", &arena)),
		is_allowed ? "may" : "may not", SPAN_ARG(text_of(j, "op", &arena)));
	if (json_kind(json_member(j, "rule")) == JSON_STRING)
		buf_print(&out, ", by [policy \"%.*s\"]", SPAN_ARG(text_of(j, "rule", &arena)));
	buf_byte(&out, '\n');
	put_grant(&out, json_member(j, "grant"), &arena);
	if (!is_allowed)
		buf_print(&out, "%.*s\n", SPAN_ARG(text_of(j, "why", &arena)));
	const struct json targets = json_member(j, "targets");
	for (struct json_walk w = json_each(targets); json_next(&w);) {
		const bool is_usable = json_is_true(json_member(w.value, "allowed"));
		buf_print(&out, "%-8s %.*s%s%.*s\n", is_usable ? "allowed" : "denied",
			SPAN_ARG(text_of(w.value, "id", &arena)), is_usable ? "" : ": ",
			SPAN_ARG(text_of(w.value, "why", &arena)));
	}
	const struct span route = text_of(j, "route", &arena);
	if (route.n > 0)
		buf_print(&out, "no route: %.*s\n", SPAN_ARG(route));
	say_out(&out);
}

static void put_text(struct question *q, const char *name, const char *text)
{
	if (text)
		json_pair_str(&q->out, name, span_str(text));
}

/* Is there a target, where a model was asked for, that it may use? */
static bool has_target(struct json j)
{
	const struct json targets = json_member(j, "targets");
	bool has_any = json_kind(targets) != JSON_ARRAY;
	for (struct json_walk w = json_each(targets); json_next(&w);)
		has_any = has_any || json_is_true(json_member(w.value, "allowed"));
	return has_any;
}

static int run_test(const struct command *self, int argc, char **argv)
{
	struct policy o = {.uid = -1};
	struct question q;
	struct answer answer;
	char **words;
	int n;
	int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	question_begin(&q);
	put_text(&q, "as", o.as);
	put_text(&q, "model", o.model);
	put_text(&q, "op", o.op);
	put_text(&q, "profile", o.profile);
	put_text(&q, "socket", o.socket);
	if (o.uid >= 0)
		json_pair_i64(&q.out, "uid", o.uid);
	if (!broker_ask(&o.common, "policy.test", &q, &answer))
		return answer.exit_code;
	if (o.common.is_json)
		say_answer(&answer);
	else
		say_test(&answer);
	const bool is_allowed =
		json_is_true(json_member(answer.json, "allowed")) && has_target(answer.json);
	code = is_allowed ? EXIT_GOOD : EXIT_DENIED;
	answer_done(&answer);
	return code;
}

#define POLICY(field) offsetof(struct policy, field)
static const struct option_row test_rows[] = {
	{'\0', "as",      "WHO",     "KIND:NAME, as `llmb app list` has it; without it, this program",
         OPTION_TEXT,												POLICY(as)     },
	{'m',  "model",   "MODEL",   "may it use that, and where would it lead?",                      OPTION_TEXT,
         POLICY(model)													      },
	{'\0', "op",      "NAME",    "an operation; without it, chat",                                 OPTION_TEXT,  POLICY(op)     },
	{'\0', "profile", "PROFILE", "as one to whom that was given",                                  OPTION_TEXT,  POLICY(profile)},
	{'\0', "on",      "SOCKET",  "main, sandbox, app or handed",                                   OPTION_TEXT,  POLICY(socket) },
	{'\0', "uid",     "N",       "as another user",						OPTION_COUNT, POLICY(uid)    },
};

static const struct command policy_show = {
	.name = "policy show",
	.args = "",
	.summary = "the rules, in the order in which they are asked",
	.run = run_show,
};

static const struct command policy_test = {
	.name = "policy test",
	.args = "",
	.summary = "what would be said of somebody, and by which rule",
	.examples = "  llmb policy test --as flatpak:org.gnome.Builder -m openai/gpt-4o\n"
		    "  llmb policy test --as app:notes --op embed\n",
	.notes = "Exit status 3: it would be denied.\n",
	.rows = test_rows,
	.n_rows = COUNT_OF(test_rows),
	.run = run_test,
};

static const struct command *const subcommands[] = {&policy_show, &policy_test};

const struct command command_policy = {
	.name = "policy",
	.args = "show|test",
	.summary = "who may do what",
	.run = run_group,
	.subcommands = subcommands,
	.n_subcommands = COUNT_OF(subcommands),
};
