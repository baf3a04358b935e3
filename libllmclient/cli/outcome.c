/* outcome.c - a stream whose items are shown at its end. */
#include "libllmclient/cli/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/interrupt.h"

#define READ_BYTES     ((size_t)64 * 1024)
#define TEXT_BYTES_MAX ((size_t)32 * 1024 * 1024)

/* ---- inputs ---- */

static enum err add_input(struct inputs *in, const char *text)
{
	if ((in->n & (in->n - 1)) == 0) { /* doubles whenever it is full */
		const char **more = realloc(in->items, (in->n ? in->n * 2 : 1) * sizeof *more);
		if (!more)
			return ERR_NO_MEMORY;
		in->items = more;
	}
	in->items[in->n++] = text;
	return OK;
}

enum err fd_read(int fd, struct buf *out)
{
	for (;;) {
		char *room = buf_reserve(out, READ_BYTES);
		const ssize_t got = room ? read(fd, room, READ_BYTES) : 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_IO;
		if (got == 0)
			return buf_error(out);
		buf_commit(out, (size_t)got);
	}
}

int text_read(
	const struct command *self, const struct common *o, int n, char **words, struct buf *out)
{
	const bool is_stdin = n == 0 || (n == 1 && strcmp(words[0], "-") == 0);
	buf_init(out, TEXT_BYTES_MAX);
	for (int i = 0; i < n && !is_stdin; i++) {
		buf_text(out, i > 0 ? " " : "");
		buf_text(out, words[i]);
	}
	if (is_stdin && n == 0 && is_terminal(STDIN_FILENO))
		return options_refuse(
			self, "there is no question: llmb %s \"why is the sky blue?\"", self->name);
	if (is_stdin && fd_read(STDIN_FILENO, out) == ERR_IO)
		return say_failure(o, EXIT_BAD, "stdin cannot be read: %s", strerror(errno));
	buf_byte(out, '\0');
	if (buf_error(out))
		return say_failure(
			o, EXIT_USAGE, "the question is longer than %zu MiB", TEXT_BYTES_MAX >> 20);
	if (memchr(out->p, '\0', out->n - 1))
		return say_failure(o, EXIT_USAGE,
			"the question has a NUL byte in it: attach what is no text with -a");
	return EXIT_GOOD;
}

/* Ends each line with a NUL, in place. */
static enum err add_lines(struct inputs *in)
{
	enum err err = OK;
	buf_byte(&in->text, '\n');
	char *at = in->text.p, *end;
	size_t left = buf_error(&in->text) ? 0 : in->text.n;
	while (!err && left > 0 && (end = memchr(at, '\n', left))) {
		left -= (size_t)(end - at) + 1;
		*end = '\0';
		if (end > at && end[-1] == '\r')
			end[-1] = '\0';
		if (*at)
			err = add_input(in, at);
		at = end + 1;
	}
	return err ? err : buf_error(&in->text);
}

int inputs_read(
	const struct command *self, const struct common *o, int n, char **words, struct inputs *out)
{
	const bool is_stdin = n == 0 || (n == 1 && strcmp(words[0], "-") == 0);
	enum err err = OK;
	*out = (struct inputs){.text = BUF_INIT(TEXT_BYTES_MAX)};
	if (n == 0 && is_terminal(STDIN_FILENO))
		return options_refuse(self, "there is no input: give texts, or lines on stdin");
	for (int i = 0; i < n && !is_stdin && !err; i++)
		err = add_input(out, words[i]);
	if (is_stdin)
		err = fd_read(STDIN_FILENO, &out->text);
	if (err == ERR_IO)
		return say_failure(o, EXIT_BAD, "stdin cannot be read: %s", strerror(errno));
	if (is_stdin && !err && memchr(out->text.p, '\0', out->text.n))
		return say_failure(o, EXIT_USAGE, "stdin has a NUL byte in it: it is no text");
	if (is_stdin && !err)
		err = add_lines(out);
	if (err)
		return say_failure(
			o, EXIT_USAGE, "the input is longer than %zu MiB", TEXT_BYTES_MAX >> 20);
	return out->n > 0 ? EXIT_GOOD : options_refuse(self, "the input is empty");
}

void inputs_done(struct inputs *in)
{
	free(in->items);
	buf_done(&in->text);
}

/* ---- the results ---- */

struct asking {
	struct show show;
	struct buf warnings; /* in JSON: the elements of a list */
};

static void keep_warning(struct asking *a, const llm_event *ev)
{
	struct json_out out = json_to(&a->warnings);
	out.has_value = a->warnings.n > 0;
	json_open(&out, '{');
	json_pair_str(&out, "code", span_str(llm_event_warning_code(ev)));
	json_pair_str(&out, "param", span_str(llm_event_warning_param(ev)));
	json_pair_str(&out, "text", span_str(llm_event_detail(ev, NULL)));
	json_close(&out, '}');
}

static int on_event(const llm_event *ev, void *context)
{
	struct asking *a = context;
	if (!a->show.common->is_json)
		return show_event(ev, &a->show);
	if (llm_event_type_of(ev) == LLM_EV_WARNING)
		keep_warning(a, ev);
	return 0;
}

static void show_json(const struct asking *a, const llm_result *r, const struct outcome_view *view)
{
	OWNED(buf_done) struct buf b = BUF_INIT(SAY_BYTES_MAX);
	struct json_out out = json_to(&b);
	json_open(&out, '{');
	json_pair_str(&out, "type", span_str(view->type));
	json_pair_str(&out, "provider", span_str(llm_result_provider(r)));
	json_pair_str(&out, "model", span_str(llm_result_model(r)));
	view->put(r, &out, view->context);
	if (a->warnings.n > 0) {
		json_key(&out, "warnings");
		json_open(&out, '[');
		json_put_raw(&out, buf_view(&a->warnings));
		json_close(&out, ']');
	}
	show_usage_json(&out, llm_result_usage(r));
	json_close(&out, '}');
	buf_byte(&b, '\n');
	say_out(&b);
}

static void show_outcome(struct asking *a, const llm_result *r, const struct outcome_view *view)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SAY_BYTES_MAX);
	if (a->show.common->is_json) {
		show_json(a, r, view);
		return;
	}
	view->print(r, &text, view->context);
	say_out(&text);
	show_end(&a->show, r);
}

int outcome_ask(const struct common *o, llm_request *r, const struct outcome_view *view)
{
	struct asking a = {.show = {.common = o}, .warnings = BUF_INIT(SAY_BYTES_MAX)};
	llm_client *c = broker_client(o);
	(void)llm_request_operation(r, view->op); /* a failure sticks */
	llm_stream *stream = llm_stream_start(c, r);
	int code = LLM_OK;
	if (stream) {
		interrupt_stops(stream);
		code = llm_stream_run(stream, on_event, &a);
		interrupt_stops(NULL);
	}
	int exit_code = EXIT_GOOD;
	show_break(&a.show);
	if (!stream)
		exit_code = say_error(o, llm_last_error(c));
	else if (code == LLM_E_CANCELLED)
		exit_code = EXIT_INTERRUPTED;
	else if (code != LLM_OK)
		exit_code = say_error(o, llm_stream_error(stream));
	else
		show_outcome(&a, llm_stream_result(stream), view);
	llm_stream_free(stream);
	llm_client_free(c);
	buf_done(&a.warnings);
	return exit_code;
}

void outcome_put_float(struct buf *out, float v)
{
	char text[32];
	for (int digits = 6; digits <= 9; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, (double)v);
		if (strtof(text, NULL) == v)
			break;
	}
	buf_text(out, text);
}
