/* cmd_relay.c - what would a public API have said to this body? */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libllmclient/cli/answer.h"
#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/cache_wishes.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/header_line.h"
#include "libllmclient/cli/interrupt.h"
#include "libllmclient/cli/outcome.h"

#define BODY_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct relay {
	struct common common;
	bool is_head_shown;
	const char *method, *query, *content_type;
	struct text_list headers;
	const char *provider; /* of a native call */
	struct cache_wishes cache;
};

#define RELAY_AT(field) offsetof(struct relay, field)
static const struct option_row rows[] = {
	{'i',  "include",      NULL,            "print the status and the headers first",               OPTION_FLAG,
         RELAY_AT(is_head_shown)												     },
	{'X',  "method",       "METHOD",        "GET, POST, DELETE (default: POST, and GET of models)",
         OPTION_TEXT,												RELAY_AT(method)},
	{'q',  "query",        "QUERY",         "what follows the question mark: alt=sse",              OPTION_TEXT,
         RELAY_AT(query)													     },
	{'H',  "header",       "'NAME: VALUE'", "a header of the call; may repeat",                     OPTION_LIST,
         RELAY_AT(headers)													   },
	{'\0', "content-type", "TYPE",          "of the body (default: application/json)",              OPTION_TEXT,
         RELAY_AT(content_type)												      },
	{'\0', "native",       "PROVIDER",
         "this provider's own endpoint, which nobody translates: PATH is its",                          OPTION_TEXT,
         RELAY_AT(provider)													  },
	CACHE_WISHES_ROWS(relay, cache),
};

struct shown {
	const struct relay *o;
	int status;
};

/* ---- what comes ---- */

static void put_line(struct json_out *out, struct buf *b)
{
	json_close(out, '}');
	buf_byte(b, '\n');
	say_out(b);
}

static const char *const told_headers[] = {"content-type", "x-request-id", "request-id",
	"x-llm-broker-target", "x-llm-broker-class", "x-llm-broker-warning", "x-llm-broker-cache",
	"retry-after", "x-should-retry"};

static void show_head_json(const llm_event *ev)
{
	OWNED(buf_done) struct buf b = BUF_INIT(SAY_BYTES_MAX);
	struct json_out out = json_to(&b);
	json_open(&out, '{');
	json_pair_str(&out, "type", SPAN("head"));
	json_pair_i64(&out, "status", llm_event_status(ev));
	json_key(&out, "headers");
	json_open(&out, '{');
	for (size_t i = 0; i < COUNT_OF(told_headers); i++)
		json_pair_str(
			&out, told_headers[i], span_str(llm_event_header(ev, told_headers[i])));
	json_close(&out, '}');
	put_line(&out, &b);
}

static void show_head(struct shown *s, const llm_event *ev)
{
	OWNED(buf_done) struct buf b = BUF_INIT(SAY_BYTES_MAX);
	s->status = llm_event_status(ev);
	if (s->o->common.is_json) {
		show_head_json(ev);
		return;
	}
	if (!s->o->is_head_shown)
		return;
	buf_print(&b, "HTTP %d\n", s->status);
	for (size_t i = 0; i < COUNT_OF(told_headers); i++) {
		const char *value = llm_event_header(ev, told_headers[i]);
		if (value)
			buf_print(&b, "%s: %s\n", told_headers[i], value);
	}
	buf_byte(&b, '\n');
	say_text(b.p, b.n); /* what others wrote is in it */
}

static void show_bytes(const struct shown *s, const llm_event *ev)
{
	OWNED(buf_done) struct buf b = BUF_INIT(SAY_BYTES_MAX);
	size_t n;
	const char *bytes = llm_event_detail(ev, &n);
	if (s->o->common.is_json) {
		struct json_out out = json_to(&b);
		json_open(&out, '{');
		json_pair_str(&out, "type", SPAN("data"));
		json_key(&out, "base64");
		json_put_base64(&out, SPAN_NONE, span_of(bytes, n));
		put_line(&out, &b);
		return;
	}
	if (is_terminal(STDOUT_FILENO)) {
		say_text(bytes, n);
		return;
	}
	buf_put(&b, bytes, n); /* to a file or a pipe they go as they are */
	say_out(&b);
}

static int on_event(const llm_event *ev, void *context)
{
	struct shown *s = context;
	switch (llm_event_type_of(ev)) {
	case LLM_EV_HEAD:
		show_head(s, ev);
		break;
	case LLM_EV_RAW:
		show_bytes(s, ev);
		break;
	default:
		break;
	}
	return 0;
}

static void show_end_json(const llm_stream *stream)
{
	OWNED(buf_done) struct buf b = BUF_INIT(SAY_BYTES_MAX);
	struct json_out out = json_to(&b);
	json_open(&out, '{');
	json_pair_str(&out, "type", SPAN("end"));
	json_pair_str(&out, "request_id", span_str(llm_stream_request_id(stream)));
	show_usage_json(&out, llm_result_usage(llm_stream_result(stream)));
	put_line(&out, &b);
}

/* ---- what is sent ---- */

static int add_body(const struct command *self, const struct relay *o, llm_request *r)
{
	OWNED(buf_done) struct buf body = BUF_INIT(BODY_BYTES_MAX);
	if (is_terminal(STDIN_FILENO))
		return options_refuse(
			self, "the body is read from stdin: llmb relay openai.chat < body.json");
	const enum err err = fd_read(STDIN_FILENO, &body);
	if (err == ERR_IO)
		return say_failure(
			&o->common, EXIT_BAD, "stdin cannot be read: %s", strerror(errno));
	if (err)
		return say_failure(&o->common, EXIT_USAGE, "the body is longer than %zu MiB",
			BODY_BYTES_MAX >> 20);
	(void)llm_relay_body(r, o->content_type, body.p, body.n);
	return EXIT_GOOD;
}

static int send(const struct relay *o, const llm_request *r)
{
	struct shown shown = {.o = o};
	llm_client *c = broker_client(&o->common);
	llm_stream *stream = llm_stream_start(c, r);
	int code = LLM_OK, exit_code = EXIT_GOOD;
	if (stream) {
		interrupt_stops(stream);
		code = llm_stream_run(stream, on_event, &shown);
		interrupt_stops(NULL);
	}
	if (!stream)
		exit_code = say_error(&o->common, llm_last_error(c));
	else if (code == LLM_E_CANCELLED)
		exit_code = EXIT_INTERRUPTED;
	else if (code != LLM_OK)
		exit_code = say_error(&o->common, llm_stream_error(stream));
	else if (o->common.is_json)
		show_end_json(stream);
	else
		show_other_words(&o->common, llm_result_usage(llm_stream_result(stream)));
	llm_stream_free(stream);
	llm_client_free(c);
	/* a provider's own endpoint says in its status that it failed, and the call is none the worse */
	return exit_code == EXIT_GOOD && shown.status >= 400 ? 7 : exit_code;
}

static bool has_body(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
	       strcmp(method, "PATCH") == 0;
}

static int relay(const struct command *self, const struct relay *o, int n, char **words)
{
	const char *surface = o->provider ? o->provider : words[0];
	const char *path = o->provider ? words[0] : n > 1 ? words[1] : NULL;
	const bool is_list = !o->provider && strcmp(surface, "models") == 0;
	const char *method = o->method ? o->method : is_list ? "GET" : "POST";
	llm_request *r = o->provider ? llm_native_new(o->provider, method, path, o->query)
				     : llm_relay_new(surface, method, path, o->query);
	int code = EXIT_GOOD;
	cache_wishes_put(&o->cache, r); /* failures stick, and are told when asked */
	header_lines_put(r, &o->headers);
	if (has_body(method))
		code = add_body(self, o, r);
	if (code == EXIT_GOOD)
		code = send(o, r);
	llm_request_free(r);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct relay o = {.method = NULL};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 2, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	int wrong = header_lines_check(self, &o.headers);
	if (!wrong)
		wrong = cache_wishes_check(self, &o.cache, "--cache-");
	return wrong ? wrong : relay(self, &o, n, words);
}

const struct command command_relay = {
	.name = "relay",
	.args = "SURFACE [PATH]",
	.summary = "what a public API would have said to a body",
	.examples = "  llmb relay openai.chat < body.json\n"
		    "  llmb relay anthropic.messages < body.json\n"
		    "  llmb relay gemini.generate /v1beta/models/openai/gpt-5.4:generateContent < "
		    "body.json\n"
		    "  llmb relay models\n"
		    "  llmb relay --native openai /v1/files -X GET\n",
	.notes = "The body on stdin is that API's own, and so is what is printed: the model in it "
		 "may be any\n"
		 "that `llmb models` lists, whoever's it is. An error is printed as that API has "
		 "it, and\n"
		 "told on stderr.\n"
		 "Surfaces: openai.chat openai.completions openai.responses anthropic.messages\n"
		 "gemini.generate openai.embeddings openai.moderations rerank models\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
