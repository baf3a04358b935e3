/* broker.c - one client, one question, one answer. */
#include "libllmclient/cli/broker.h"

#include <stdlib.h>

#define QUESTION_BYTES      ((size_t)256 * 1024)
#define LONG_QUESTION_BYTES ((size_t)32 * 1024 * 1024) /* the broker says how much it takes */

static llm_client *client_with(const llm_options *options)
{
	llm_client *c = llm_client_new(options);
	if (!c) {
		say_err("llmb: %s, or too many open files", llm_strerror(LLM_E_NOMEM));
		exit(EXIT_BAD);
	}
	return c;
}

static llm_options options_of(const struct common *o)
{
	llm_options options = LLM_OPTIONS_INIT;
	options.socket_path = o->socket;
	options.app_name = "llmb";
	return options;
}

llm_client *broker_client(const struct common *o)
{
	const llm_options options = options_of(o);
	return client_with(&options);
}

llm_client *broker_loop_client(const struct common *o)
{
	llm_options options = options_of(o);
	options.flags |= LLM_F_NONBLOCK;
	return client_with(&options);
}

llm_client *broker_watching_client(const struct common *o)
{
	llm_options options = options_of(o);
	options.flags |= LLM_F_NONBLOCK | LLM_F_NO_AUTOSTART;
	options.max_retries = 0;
	return client_with(&options);
}

void question_begin(struct question *q)
{
	buf_init(&q->text, QUESTION_BYTES);
	/* a secret may go in: growing would leave copies of it behind */
	(void)buf_reserve(&q->text, QUESTION_BYTES);
	q->out = json_to(&q->text);
	json_open(&q->out, '{');
}

void question_begin_long(struct question *q)
{
	buf_init(&q->text, LONG_QUESTION_BYTES);
	q->out = json_to(&q->text);
	json_open(&q->out, '{');
}

void question_texts(struct question *q, const char *name, const struct text_list *list)
{
	json_key(&q->out, name);
	json_open(&q->out, '[');
	for (size_t i = 0; i < list->n; i++)
		json_put_str(&q->out, span_str(list->items[i]));
	json_close(&q->out, ']');
}

void answer_done(struct answer *a)
{
	llm_free(a->text);
	a->text = NULL;
}

static bool ask(
	llm_client *c, const struct common *o, const char *op, const char *json, struct answer *a)
{
	struct fault why = FAULT_NONE;
	*a = (struct answer){.text = llm_admin_call(c, op, json)};
	if (!a->text) {
		a->exit_code = say_error(o, llm_last_error(c));
	} else if (json_scan(span_str(a->text), JSON_STRICT, &a->json, &why)) {
		a->exit_code = say_failure(
			o, EXIT_BAD, "the broker's answer is not JSON: %s", why.message);
		answer_done(a);
	}
	return a->text != NULL;
}

bool broker_ask_on(
	llm_client *c, const struct common *o, const char *op, struct question *q, struct answer *a)
{
	bool is_good;
	if (!q)
		return ask(c, o, op, "{}", a);
	json_close(&q->out, '}');
	buf_byte(&q->text, '\0');
	if (buf_error(&q->text)) {
		*a = (struct answer){.exit_code = say_failure(o, EXIT_USAGE,
					     "what was given is longer than it may be")};
		is_good = false;
	} else {
		is_good = ask(c, o, op, q->text.p, a);
	}
	buf_wipe(&q->text);
	return is_good;
}

bool broker_ask(const struct common *o, const char *op, struct question *q, struct answer *a)
{
	llm_client *c = broker_client(o);
	const bool is_good = broker_ask_on(c, o, op, q, a);
	llm_client_free(c);
	return is_good;
}

bool broker_try(const struct common *o, const char *op, struct answer *a)
{
	llm_client *c = broker_client(o);
	*a = (struct answer){.text = llm_admin_call(c, op, "{}")};
	llm_client_free(c);
	if (a->text && json_scan(span_str(a->text), JSON_STRICT, &a->json, NULL) == OK)
		return true;
	answer_done(a);
	return false;
}

void say_answer(const struct answer *a)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	buf_span(&out, a->json.text);
	buf_byte(&out, '\n');
	say_out(&out);
}

struct span text_of(struct json object, const char *name, struct arena *arena)
{
	struct span text;
	if (json_utf8(json_member(object, name), arena, &text) || !span_is_set(text))
		return SPAN("");
	return text;
}

int64_t number_of(struct json object, const char *name)
{
	int64_t v;
	return json_i64(json_member(object, name), &v) ? v : -1;
}

int broker_tell(const struct common *o, const char *op, struct question *q,
	void (*say)(const struct answer *a))
{
	struct answer answer;
	if (!broker_ask(o, op, q, &answer))
		return answer.exit_code;
	if (o->is_json)
		say_answer(&answer);
	else
		say(&answer);
	answer_done(&answer);
	return EXIT_GOOD;
}

int broker_show(const struct command *self, int argc, char **argv, const char *op,
	void (*say)(const struct answer *a))
{
	struct common o = {.is_json = false};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	return code == OPTIONS_GO_ON ? broker_tell(&o, op, NULL, say) : code;
}

void broker_warn(const struct answer *answer)
{
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const struct span warning = text_of(answer->json, "warning", &arena);
	if (warning.n > 0)
		say_err("note: %.*s", SPAN_ARG(warning));
}

int broker_change(const struct common *o, const char *op, struct question *q,
	const struct change_words *words)
{
	struct answer answer;
	if (!broker_ask(o, op, q, &answer))
		return answer.exit_code;
	const bool is_absent = json_kind(json_member(answer.json, "found")) == JSON_FALSE;
	if (o->is_json)
		say_answer(&answer);
	else if (is_absent)
		say_err("llmb: %s %s%s", words->absent, words->word,
			words->hint ? words->hint : "");
	else if (!o->is_quiet)
		say_err("%s", words->done);
	if (!o->is_json)
		broker_warn(&answer);
	answer_done(&answer);
	return is_absent ? EXIT_BAD : EXIT_GOOD;
}
