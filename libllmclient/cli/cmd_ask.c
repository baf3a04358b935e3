/* cmd_ask.c - one question, one answer. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "libllmclient/cli/answer.h"
#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/cache_wishes.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/interrupt.h"
#include "libllmclient/cli/outcome.h"

struct ask {
	struct common common;
	const char *model, *system, *reasoning;
	struct text_list files;
	int64_t max_tokens; /* 0: not said */
	int64_t timeout_ms; /* 0: not said */
	double temperature; /* less than 0: not said */
	bool is_whole, is_usage, is_batch, is_once;
	struct text_list fallbacks, tags;
	const char *session;
	struct cache_wishes cache;
};

#define ASK(field) offsetof(struct ask, field)
static const struct option_row rows[] = {
	{'m',  "model",       "MODEL",
         "whom to ask: provider/model, a name or an alias (default: the host's)",			  OPTION_TEXT,     ASK(model)     },
	{'s',  "system",      "TEXT",   "instructions that come before the question",                      OPTION_TEXT,
         ASK(system)														       },
	{'a',  "attach",      "FILE",   "an image, a document, a text; may repeat",                        OPTION_LIST,
         ASK(files)															},
	{'\0', "no-stream",   NULL,     "show the answer once it is whole",                                OPTION_FLAG,     ASK(is_whole)  },
	{'\0', "max-tokens",  "N",      "no longer an answer than that",                                   OPTION_COUNT,    ASK(max_tokens)},
	{'\0', "temperature", "T",      "0 is sober; what is most depends on the model",                   OPTION_NUMBER,
         ASK(temperature)														  },
	{'\0', "reasoning",   "EFFORT", "none, minimal, low, medium, high, xhigh, max",                    OPTION_TEXT,
         ASK(reasoning)														    },
	{'\0', "timeout",     "TIME",   "no longer a wait than that: 30s, 5m",                             OPTION_DURATION,
         ASK(timeout_ms)														   },
	{'\0', "batch",       NULL,     "nobody waits for it: behind calls that people wait for",          OPTION_FLAG,
         ASK(is_batch)														     },
	{'\0', "fallback",    "MODEL",  "whom to ask where that one cannot serve; may repeat",
         OPTION_LIST,												       ASK(fallbacks) },
	{'\0', "tag",         "WORD",   "for an alias that chooses by it; may repeat",                     OPTION_LIST,
         ASK(tags)															 },
	{'\0', "session",     "WORD",   "what belongs together goes to one place, if the alias is sticky",
         OPTION_TEXT,												       ASK(session)   },
	CACHE_WISHES_ROWS(ask, cache),
	{'\0', "once",        NULL,     "send nothing again that may have been served",                    OPTION_FLAG,
         ASK(is_once)														      },
	{'\0', "usage",       NULL,     "tokens and cost on stderr, even if it is no terminal",            OPTION_FLAG,
         ASK(is_usage)														     },
};

static int attach(const struct common *o, llm_request *r, const char *path)
{
	const char *slash = strrchr(path, '/');
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return say_failure(o, EXIT_USAGE, "%s: %s", path, strerror(errno));
	/* what is wrong with its content is told when the question is asked */
	(void)llm_request_attach_fd(r, slash ? slash + 1 : path, NULL, fd);
	close(fd);
	return EXIT_GOOD;
}

/* Failures of the request stick to it, and are told when it is asked. */
static int fill(const struct ask *o, llm_request *r, const char *text)
{
	int code = EXIT_GOOD;
	if (o->system)
		(void)llm_request_system(r, o->system);
	(void)llm_request_user(r, text);
	for (size_t i = 0; i < o->files.n && !code; i++)
		code = attach(&o->common, r, o->files.items[i]);
	if (o->max_tokens > 0)
		(void)llm_request_max_tokens(r, (int)o->max_tokens);
	if (o->temperature >= 0)
		(void)llm_request_temperature(r, o->temperature);
	if (o->reasoning)
		(void)llm_request_reasoning(r, o->reasoning);
	if (o->is_batch)
		(void)llm_request_batch(r, 1);
	for (size_t i = 0; i < o->fallbacks.n; i++)
		(void)llm_request_fallback(r, o->fallbacks.items[i]);
	for (size_t i = 0; i < o->tags.n; i++)
		(void)llm_request_tag(r, o->tags.items[i]);
	if (o->session)
		(void)llm_request_session(r, o->session);
	cache_wishes_put(&o->cache, r);
	if (o->is_once)
		(void)llm_request_at_most_once(r, 1);
	if (o->timeout_ms > 0)
		(void)llm_request_timeout_ms(r, (int)o->timeout_ms);
	return code;
}

static int ask_whole(struct show *s, llm_client *c, const llm_request *r)
{
	interrupt_stops(NULL);
	llm_result *a = llm_chat(c, r);
	if (!a)
		return say_error(s->common, llm_last_error(c));
	show_result(s, a);
	llm_result_free(a);
	return EXIT_GOOD;
}

static int ask_streamed(struct show *s, llm_client *c, const llm_request *r)
{
	llm_stream *stream = llm_stream_start(c, r);
	const int code = show_stream(s, c, stream);
	llm_stream_free(stream);
	return code;
}

static int ask(const struct ask *o, const char *text)
{
	struct show show = {.common = &o->common, .is_cost_wanted = o->is_usage};
	llm_client *c = broker_client(&o->common);
	llm_request *r = llm_request_new(o->model);
	int code = fill(o, r, text);
	if (!code)
		code = o->is_whole ? ask_whole(&show, c, r) : ask_streamed(&show, c, r);
	llm_request_free(r);
	llm_client_free(c);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct ask o = {.temperature = -1};
	char **words;
	int n;
	int code = options_read(self, argc, argv, &o, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (o.timeout_ms > INT32_MAX)
		return options_refuse(self, "--timeout: at most 24d is wanted");
	code = cache_wishes_check(self, &o.cache, "--cache-");
	if (code)
		return code;
	OWNED(buf_done) struct buf text;
	code = text_read(self, &o.common, n, words, &text);
	if (!code && text.p[0] == '\0' && o.files.n == 0)
		return options_refuse(self, "the question is empty");
	return code ? code : ask(&o, text.p);
}

const struct command command_ask = {
	.name = "ask",
	.args = "[TEXT|-]",
	.summary = "ask one question; the answer streams to stdout",
	.examples = "  llmb ask \"why is the sky blue?\"\n"
		    "  llmb ask -m anthropic/claude-haiku-4-5 -a photo.jpg \"what is this?\"\n"
		    "  git diff | llmb ask -s \"review this\"\n",
	.notes = "Without TEXT the question is all of stdin. Ctrl-C cancels the request at the "
		 "provider.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
