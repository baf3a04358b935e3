/* names.c - one question to a broker that is there, and one member of each thing in its answer. */
#include "libllmclient/cli/names.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "libllmclient/cli/broker.h"

#define WAIT_MS 900
#define WAIT_S  1

static const struct names {
	const char *what, *op;
	const char *list, *member;
} table[] = {
	{"models",    "models",      "models",    "id"     },
	{"providers", "status",      "providers", "name"   },
	{"profiles",  "policy.show", "rules",     "profile"},
	{"apps",      "app.list",    "seen",      "who"    },
};

static bool is_line(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	}
	return text.n > 0;
}

/* A text, or a list of them. */
static void put(struct json value, struct buf *out)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SAY_BYTES_MAX);
	if (json_kind(value) == JSON_ARRAY) {
		for (struct json_walk w = json_each(value); json_next(&w);)
			put(w.value, out);
		return;
	}
	if (json_kind(value) != JSON_STRING || !json_text_to(value, &text) ||
		!is_line(buf_view(&text)))
		return;
	buf_span(out, buf_view(&text));
	buf_byte(out, '\n');
}

static void print(const struct names *of, const char *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	struct json json;
	if (json_scan(span_str(answer), JSON_STRICT, &json, NULL) != OK)
		return;
	for (struct json_walk w = json_each(json_member(json, of->list)); json_next(&w);)
		put(json_member(w.value, of->member), &out);
	say_out(&out);
}

static int ask(const struct names *of)
{
	llm_options options = LLM_OPTIONS_INIT;
	options.app_name = "llmb";
	options.flags = LLM_F_NO_AUTOSTART;
	options.connect_timeout_ms = options.request_timeout_ms = options.idle_timeout_ms = WAIT_MS;
	options.max_retries = 0;
	llm_client *c = llm_client_new(&options);
	char *answer = c ? llm_admin_call(c, of->op, NULL) : NULL;
	if (answer)
		print(of, answer);
	const int code = answer ? EXIT_GOOD : EXIT_BAD;
	llm_free(answer);
	llm_client_free(c);
	return code;
}

/* Not by the signal itself: a shell would tell of that. */
static void on_alarm(int signal)
{
	(void)signal;
	_exit(EXIT_BAD);
}

int names_print(const char *what)
{
	/* a connection that was handed to this shell is for a program of its, and would not outlive our end in mid-frame */
	if (getenv("LLM_BROKER_FD") && !getenv("LLM_BROKER_SOCKET"))
		return EXIT_BAD;
	(void)unsetenv("LLM_BROKER_FD");
	(void)signal(SIGALRM, on_alarm);
	alarm(WAIT_S); /* whatever it waits for */
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		if (span_is(span_str(what), table[i].what))
			return ask(&table[i]);
	}
	return EXIT_USAGE;
}
