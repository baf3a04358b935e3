/* cmd_catalogue.c - what is known of models, taken from a public list. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/catalogue.h"
#include "libllmclient/cli/commands.h"

#define FILE_BYTES ((size_t)64 * 1024 * 1024)

struct catalogue {
	struct common common;
	bool is_print;
};

/* Reads it all, "-" being stdin. False: errno, or 0 for too much. */
static bool read_file(const char *path, struct buf *out)
{
	const int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;
	if (fd < 0)
		return false;
	while (n > 0) {
		char *room = buf_reserve(out, 65536);
		n = room ? read(fd, room, 65536) : 0;
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			buf_commit(out, (size_t)n);
	}
	const int cause = n < 0 ? errno : 0;
	if (fd != STDIN_FILENO)
		close(fd);
	errno = cause;
	return n == 0 && !buf_error(out);
}

/* The lines that a file stands for: those it has, or those that a public list becomes. */
static bool take_list(struct span file, struct buf *lines, struct catalogue_tally *tally)
{
	struct json list;
	*tally = (struct catalogue_tally){.format = "the broker's own lines"};
	if (file.n > 0 && file.p[0] != '{') {
		buf_span(lines, file);
		return true;
	}
	return json_scan(file, JSON_STRICT, &list, NULL) == OK &&
	       catalogue_convert(list, lines, tally);
}

/* What came of it, and what did not. */
static void say_import(const struct answer *answer, const struct catalogue_tally *tally)
{
	const int64_t strangers = number_of(answer->json, "strangers");
	say_err("%lld models are known now, %lld of them from this list (%s; %zu entries were of "
		"other kinds and left out)",
		(long long)number_of(answer->json, "models"),
		(long long)number_of(answer->json, "imported"), tally->format, tally->skipped);
	if (tally->unread > 0)
		say_err("%zu prices were left out: they are not for tokens, or not to be read",
			tally->unread);
	if (strangers > 0)
		say_err("%lld of the list are of providers that the broker does not have",
			(long long)strangers);
}

static int send(const struct catalogue *o, struct span lines, const struct catalogue_tally *tally)
{
	struct question q;
	struct answer answer;
	question_begin_long(&q);
	json_pair_str(&q.out, "text", lines);
	if (!broker_ask(&o->common, "catalogue.import", &q, &answer))
		return answer.exit_code;
	if (o->common.is_json)
		say_answer(&answer);
	else if (lines.n == 0)
		say_err("the bundled catalogue alone holds now: %lld models",
			(long long)number_of(answer.json, "models"));
	else
		say_import(&answer, tally);
	answer_done(&answer);
	return EXIT_GOOD;
}

static int run_import(const struct command *self, int argc, char **argv)
{
	struct catalogue o = {.is_print = false};
	OWNED(buf_done) struct buf file = BUF_INIT(FILE_BYTES);
	OWNED(buf_done) struct buf lines = BUF_INIT(FILE_BYTES);
	struct catalogue_tally tally;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (!read_file(words[0], &file))
		return say_failure(&o.common, EXIT_BAD, "%s cannot be read: %s", words[0],
			errno ? strerror(errno) : "it is too large");
	if (!take_list(span_trim(buf_view(&file)), &lines, &tally) || buf_error(&lines))
		return say_failure(&o.common, EXIT_BAD,
			"%s is no list of models: LiteLLM's "
			"model_prices_and_context_window.json, models.dev's api.json, or lines of "
			"the broker's own (llmb catalogue import --help)",
			words[0]);
	if (!o.is_print)
		return send(&o, buf_view(&lines), &tally);
	say_out(&lines);
	return EXIT_GOOD;
}

static int run_clear(const struct command *self, int argc, char **argv)
{
	struct catalogue o = {.is_print = false};
	const struct catalogue_tally tally = {.format = ""};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	return code != OPTIONS_GO_ON ? code : send(&o, SPAN(""), &tally);
}

static const struct option_row rows[] = {
	{'\0', "print", NULL, "only print the lines that the list becomes; needs no broker",
         OPTION_FLAG, offsetof(struct catalogue, is_print)},
};

static const struct command catalogue_import = {
	.name = "catalogue import",
	.args = "FILE",
	.summary = "take sizes, abilities and prices of models from a public list; - is stdin",
	.examples = "  llmb catalogue import model_prices_and_context_window.json\n"
		    "  llmb catalogue import api.json\n",
	.notes = "FILE is LiteLLM's table of prices, models.dev's api.json, or lines of the "
		 "broker's own.\nIt takes the place of what was imported before; where a model "
		 "is in both, it beats\nthe bundled snapshot. The configuration beats both.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run_import,
};

static const struct command catalogue_clear = {
	.name = "catalogue clear",
	.args = "",
	.summary = "forget what was imported",
	.run = run_clear,
};

static const struct command *const subcommands[] = {&catalogue_import, &catalogue_clear};

const struct command command_catalogue = {
	.name = "catalogue",
	.args = "import|clear",
	.summary = "what is known of models: sizes, abilities, prices",
	.run = run_group,
	.subcommands = subcommands,
	.n_subcommands = COUNT_OF(subcommands),
};
