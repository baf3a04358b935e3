/* cmd_cache_warm.c - which requests are to be asked, so that their answers are there? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/header_line.h"
#include "libllmclient/cli/outcome.h"
#include "libllmclient/cli/secret.h"
#include "libllmclient/cli/warm.h"

#define REQUESTS_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define JOBS_USUALLY       4

struct warming {
	struct common common;
	struct warm warm;
	struct text_list headers;
	struct secret_source token; /* fd -1: none */
	bool is_refresh, is_dry;
};

/* The file that is named, or stdin; "-" is stdin, too. EXIT_GOOD, or what to exit with. */
static int read_requests(
	const struct command *self, const struct common *o, const char *path, struct buf *to)
{
	const bool is_stdin = !path || strcmp(path, "-") == 0;
	if (!path && is_terminal(STDIN_FILENO))
		return options_refuse(self, "which requests? Name a file, or give lines on stdin");
	const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return say_failure(o, EXIT_USAGE, "%s: %s", path, strerror(errno));
	const enum err err = fd_read(fd, to);
	const int why = errno;
	if (!is_stdin)
		close(fd);
	if (err == ERR_IO)
		return say_failure(o, EXIT_BAD, "%s: %s", is_stdin ? "stdin" : path, strerror(why));
	if (err)
		return say_failure(o, EXIT_USAGE, "%s is longer than %zu MiB",
			is_stdin ? "stdin" : path, REQUESTS_BYTES_MAX >> 20);
	return EXIT_GOOD;
}

static void say_sums(const struct common *o, const struct warm_sums *s)
{
	OWNED(buf_done) struct buf b = BUF_INIT(SAY_BYTES_MAX);
	struct json_out out = json_to(&b);
	if (o->is_json) {
		json_open(&out, '{');
		json_pair_i64(&out, "warmed", s->warmed);
		json_pair_i64(&out, "there", s->there);
		json_pair_i64(&out, "missing", s->missing);
		json_pair_i64(&out, "failed", s->failed);
		json_pair_i64(&out, "cost_nusd", s->cost_nusd);
		json_key(&out, "failures");
		json_open(&out, '[');
		if (s->failures.n > 0)
			json_put_raw(&out, buf_view(&s->failures));
		json_close(&out, ']');
		json_close(&out, '}');
	} else {
		buf_print(&b,
			"warmed %" PRId64 ", there before %" PRId64 ", missing %" PRId64
			", failed %" PRId64,
			s->warmed, s->there, s->missing, s->failed);
		if (s->cost_nusd > 0) {
			buf_text(&b, " · ");
			put_usd(&b, s->cost_nusd);
			buf_text(&b, " USD");
		}
	}
	buf_byte(&b, '\n');
	say_out(&b);
}

/* Nothing, or an app token. EXIT_GOOD, or what to exit with. */
static int read_token(const struct warming *o, struct buf *to)
{
	if (o->token.fd < 0)
		return EXIT_GOOD;
	const int code = secret_read(&o->common, &o->token, "", to);
	if (!code)
		buf_byte(to, '\0');
	if (!code && buf_error(to))
		return say_failure(&o->common, EXIT_BAD, "%s", llm_strerror(LLM_E_NOMEM));
	return code;
}

/* The bridge passes these to nobody: with them it would be another request than any that comes by it. */
static int refuse_headers(const struct command *self, const struct text_list *headers)
{
	static const char *const names[] = {"authorization", "x-api-key", "x-goog-api-key"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (header_lines_have(headers, names[i]))
			return options_refuse(self,
				"-H %s: no program's call has that once the bridge has taken it; "
				"an "
				"application is named by --token-fd",
				names[i]);
	}
	return EXIT_GOOD;
}

static int warm(const struct command *self, struct warming *o, const char *path)
{
	OWNED(buf_done) struct buf text = BUF_INIT(REQUESTS_BYTES_MAX);
	OWNED(buf_wipe) struct buf token = BUF_INIT(SECRET_BYTES_MAX);
	struct warm_sums sums;
	int code = header_lines_check(self, &o->headers);
	if (!code)
		code = refuse_headers(self, &o->headers);
	if (!code)
		code = cache_wishes_check(self, &o->warm.cache, "--");
	if (!code)
		code = read_token(o, &token);
	if (!code)
		code = read_requests(self, &o->common, path, &text);
	if (code)
		return code;
	o->warm.token = token.n > 0 ? token.p : NULL;
	code = warm_all(&o->warm, buf_view(&text), &sums);
	if (code == EXIT_GOOD || code == EXIT_BAD)
		say_sums(&o->common, &sums);
	buf_done(&sums.failures);
	return code;
}

static int run_warm(const struct command *self, int argc, char **argv)
{
	struct warming o = {.warm.jobs = JOBS_USUALLY, .token.fd = -1};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (o.is_refresh && o.is_dry)
		return options_refuse(self, "--refresh asks for all, and --dry-run for none");
	if (o.warm.jobs < 1 || o.warm.jobs > WARM_JOBS_MAX)
		return options_refuse(self, "--jobs: 1 to %d are wanted", WARM_JOBS_MAX);
	o.warm.common = &o.common;
	o.warm.headers = &o.headers;
	o.warm.cache.wish = o.is_dry ? "only" : o.is_refresh ? "refresh" : "on";
	return warm(self, &o, n > 0 ? words[0] : NULL);
}

#define WARMING(field) offsetof(struct warming, field)
static const struct option_row warm_rows[] = {
	{'j',  "jobs",      "N",             "so many at once, 1 to 64 (default: 4)",                    OPTION_COUNT,
         WARMING(warm.jobs)															     },
	{'\0', "ttl",       "TIME",          "for so long they are fresh (default: the host's)",         OPTION_DURATION,
         WARMING(warm.cache.ttl_ms)														     },
	{'\0', "stale",     "TIME",          "so long out of date they will do, if no provider answers",
         OPTION_DURATION,												 WARMING(warm.cache.stale_ms)  },
	{'\0', "max-age",   "TIME",          "what was kept longer ago is asked for anew",               OPTION_TEXT,
         WARMING(warm.cache.max_age)														    },
	{'\0', "namespace", "WORD",          "what is kept under one word is kept apart from all else",
         OPTION_TEXT,												     WARMING(warm.cache.name_space)},
	{'\0', "refresh",   NULL,            "ask for all anew",                                         OPTION_FLAG,     WARMING(is_refresh)           },
	{'\0', "dry-run",   NULL,            "ask nobody: how many are there?",                          OPTION_FLAG,     WARMING(is_dry)               },
	{'\0', "batch",     NULL,            "nobody waits for it: behind calls that people wait for",   OPTION_FLAG,
         WARMING(warm.is_batch)															 },
	{'H',  "header",    "'NAME: VALUE'", "a header of each call; may repeat",                        OPTION_LIST,
         WARMING(headers)															       },
	{'\0', "token-fd",  "N",             "as the application whose token is all of descriptor N",
         OPTION_COUNT,												    WARMING(token.fd)             },
};

const struct command command_cache_warm = {
	.name = "cache warm",
	.args = "[FILE|-]",
	.summary = "ask what will be asked, so that its answers are there",
	.examples = "  llmb cache warm requests.jsonl\n"
		    "  llmb cache warm --dry-run requests.jsonl\n"
		    "  llmb cache warm --namespace nightly --ttl 1d --batch < requests.jsonl\n",
	.notes =
		"A line is a request, as the program sends it: the body of a public API (of chat, "
		"embeddings\n"
		"or the older completions), a line of OpenAI's batches or one of Anthropic's. What "
		"is there\n"
		"already costs nothing. Exits with 1 where any failed. See llmb-cache(1).\n",
	.rows = warm_rows,
	.n_rows = COUNT_OF(warm_rows),
	.run = run_warm,
};
