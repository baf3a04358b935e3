/* cmd_top.c - what does the broker do at this moment? */
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/screen.h"
#include "libllmclient/cli/signals.h"
#include "libllmclient/cli/top_feed.h"

#define TURN_US    INT64_C(1000000)
#define PAGE_BYTES ((size_t)1024 * 1024)
#define GO_ON      (-1)

struct top {
	struct common common;
	bool is_once;
	bool is_screen;
	struct top_feed feed;
	struct signals signals;
	struct pollfd at[3]; /* signals, keys, the broker */
	int64_t due_us;      /* when it is shown next */
};

/* ---- what is shown ---- */

static int show_page(struct top *t)
{
	OWNED(buf_done) struct buf out = BUF_INIT(PAGE_BYTES);
	size_t columns, lines;
	screen_size(&columns, &lines);
	top_text(top_feed_frame(&t->feed), columns, lines, &out);
	if (screen_show(buf_view(&out)))
		return GO_ON;
	screen_close();
	return say_failure(&t->common, EXIT_BAD, "the terminal cannot be written to");
}

static int show(struct top *t)
{
	OWNED(buf_done) struct buf out = BUF_INIT(PAGE_BYTES);
	if (t->is_screen)
		return show_page(t);
	if (t->common.is_json) {
		top_json(top_feed_frame(&t->feed), &out);
		buf_byte(&out, '\n');
	} else {
		top_text(top_feed_frame(&t->feed), SIZE_MAX, SIZE_MAX, &out);
	}
	say_out(&out);
	return t->is_once ? EXIT_GOOD : GO_ON;
}

/* Once all is known that there is to know at first; then in turns. */
static int show_due(struct top *t)
{
	const int64_t now_us = top_clock_us();
	if (t->feed.exit_code)
		return t->feed.exit_code;
	if (t->due_us == 0 && !top_feed_is_whole(&t->feed))
		return GO_ON;
	if (now_us < t->due_us)
		return GO_ON;
	if (t->due_us == 0 && t->is_screen && !screen_open())
		return say_failure(&t->common, EXIT_BAD, "there is no terminal");
	t->due_us = now_us + TURN_US;
	return show(t);
}

/* ---- what comes meanwhile ---- */

/* It ends as the signal ends every program, or stops as it stops it, once the terminal is as it was. */
static int obey(struct top *t, int number)
{
	if (number == SIGWINCH || number == SIGCONT || number == SIGTTOU) {
		if (t->due_us == 0 || !t->is_screen)
			return GO_ON;
		if (number == SIGCONT)
			screen_again();
		return show(t);
	}
	const bool was_shown = t->is_screen && t->due_us > 0;
	screen_close();
	if (number == SIGINT)
		return EXIT_INTERRUPTED;
	signals_obey(number);
	if (was_shown && !screen_open())
		return EXIT_BAD;
	return was_shown ? show(t) : GO_ON;
}

static int heed(struct top *t)
{
	bool unused;
	if (t->at[0].revents & POLLIN) {
		const int number = signals_next(&t->signals, &unused);
		const int code = number > 0 ? obey(t, number) : GO_ON;
		if (code != GO_ON)
			return code;
	}
	if (t->at[1].revents) {
		const char key = screen_key();
		if (key == 'q' || key == 'Q')
			return EXIT_GOOD;
		if (key == '\0') /* there will be no more */
			t->at[1].fd = -1;
	}
	return GO_ON;
}

static void await(struct top *t)
{
	const llm_client *c = t->feed.client;
	int timeout_ms = top_feed_timeout_ms(&t->feed);
	if (t->due_us > 0) {
		const int64_t left_us = t->due_us - top_clock_us();
		const int left_ms = left_us > 0 ? (int)((left_us + 999) / 1000) : 0;
		timeout_ms = timeout_ms < 0 || left_ms < timeout_ms ? left_ms : timeout_ms;
	}
	const int events = llm_client_events(c);
	t->at[1].events = t->is_screen && screen_is_ours() ? POLLIN : 0;
	t->at[2] = (struct pollfd){.fd = llm_client_fd(c),
		.events = (short)((events & LLM_READ ? POLLIN : 0) |
				  (events & LLM_WRITE ? POLLOUT : 0))};
	if (poll(t->at, COUNT_OF(t->at), timeout_ms) < 0)
		t->at[0].revents = t->at[1].revents = 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct top t = {.is_once = false};
	char **rest;
	int n;
	int code = options_read_words(self, argc, argv, &t, 0, 0, &n, &rest);
	if (code != OPTIONS_GO_ON)
		return code;
	const bool is_seen = is_terminal(STDOUT_FILENO);
	t.is_once |= !is_seen && !t.common.is_json;
	t.is_screen = is_seen && !t.is_once && !t.common.is_json;
	t.signals.fd = -1;
	if (t.is_screen && !signals_hold_screen(&t.signals))
		return say_failure(&t.common, EXIT_BAD, "signals cannot be had");
	t.at[0] = (struct pollfd){.fd = t.signals.fd, .events = POLLIN};
	t.at[1] =
		(struct pollfd){.fd = t.is_screen && is_terminal(STDIN_FILENO) ? STDIN_FILENO : -1,
			.events = POLLIN};
	top_feed_init(&t.feed, &t.common);
	for (code = GO_ON; code == GO_ON;) {
		top_feed_step(&t.feed);
		code = show_due(&t);
		if (code == GO_ON) {
			await(&t);
			code = heed(&t);
		}
	}
	screen_close();
	top_feed_done(&t.feed);
	return code;
}

/* clang-format off */
static const struct option_row rows[] = {
	{'\0', "once", NULL, "what there is now, as text, and no more", OPTION_FLAG, offsetof(struct top, is_once)},
};
/* clang-format on */

const struct command command_top = {
	.name = "top",
	.args = "",
	.summary =
		"what the broker does now: calls that are open, rates, times and cost; q ends it",
	.examples = "  llmb top\n"
		    "  llmb top --once\n"
		    "  llmb top --json | jq .open\n",
	.notes = "Your own calls; all, where you run the broker. Calls and tokens a second are of "
		 "the last\n"
		 "ten seconds. Tokens with a ~ are not counted yet: a quarter of the text's bytes. "
		 "Where\n"
		 "stdout is no terminal, it is --once; with --json a line a second.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
