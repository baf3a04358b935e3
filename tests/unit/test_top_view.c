/* test_top_view.c - how does what the broker does look? */
#include "libllmclient/cli/top_view.h"

#include <stdlib.h>

#include "tests/lib/tap.h"

static const struct top_group groups[] = {
	{.app = {"editor", 6},
         .model = {"openai/gpt", 10},
         .uid = 1000,
         .calls = 2,
         .waiting = 1,
         .oldest_us = 75000000,
         .text_bytes = 41},
	{.app = {"a\x1b]0;x\x07", 7},
         .model = {"\xe6\x97\xa5\xe6\x9c\xac", 6},
         .uid = 0,
         .calls = 1,
         .oldest_us = 3900000,
         .output_tokens = 12},
	{.uid = 0, .calls = 1, .oldest_us = 100        },
};

static struct top_frame frame(void)
{
	return (struct top_frame){
		.at_s = 3661,
		.is_all = true,
		.uid = 0,
		.open = 4,
		.waiting = 1,
		.uptime_s = 7384,
		.stalls = 0,
		.longest_us = 3900,
		.today_nusd = 123456000,
		.today_calls = 812,
		.now = {.calls_milli_s = 449,    .tokens_milli_s = 123456},
		.minute = { .calls = 24,
			.failed = 1,
			.cached_permille = 259,
			.ttft_p50_us = 410000,
			.ttft_p99_us = 12345678,
			.total_p50_us = 1200000,
			.total_p99_us = 123000000},
		.groups = groups,
		.n_groups = 3,
		.listed = 4
        };
}

static void shows(
	const struct top_frame *f, size_t columns, size_t lines, const char *want, const char *name)
{
	OWNED(buf_done) struct buf out = BUF_INIT(65536);
	top_text(f, columns, lines, &out);
	buf_byte(&out, '\0');
	is_str(out.p, want, "%s", name);
}

/* clang-format off */
#define FIGURES FIGURES_OF("4")
#define FIGURES_OF(open)                                                                    \
	"llmb top  01:01:01  calls of all users, broker up 2h 3m\n"                         \
	"now       " open " open, 1 waiting for limits, 0.4 calls/s, 123 tokens/s\n"               \
	"minute    24 ended, 1 failed, cache hits 25%\n"                                    \
	"          first token p50 0.41 s p99 12.3 s, total p50 1.20 s p99 123 s\n"         \
	"today     0.123456 USD, 812 calls\n"                                               \
	"loop      0 stalls, longest turn 3 ms\n"                                           \
	"\n"                                                                                \
	"   CALLS WAITING  OLDEST  TOKENS     UID  APP                       MODEL\n"
#define FIRST  "       2       1  1m 15s     ~11    1000  editor                    openai/gpt\n"
#define SECOND "       1       -      3s      12       0  a?]0;x?                   \xe6\x97\xa5\xe6\x9c\xac\n"
#define THIRD  "       1       -      0s       -       0  -                         -\n"

static void test_text(void)
{
	struct top_frame f = frame();
	shows(&f, SIZE_MAX, SIZE_MAX, FIGURES FIRST SECOND THIRD, "all of it");
	shows(&f, 120, 11, FIGURES FIRST SECOND THIRD, "it just goes on the screen");
	shows(&f, 120, 10, FIGURES FIRST "       2 more\n", "it does not");
	shows(&f, 120, 9, FIGURES "       4 more\n", "nor this");
	shows(&f, 12, 2, "llmb top  01\nnow       4 \n", "a small screen");
	shows(&f, 0, 3, "\n\n\n", "none at all");
	f.open = 300;
	shows(&f, SIZE_MAX, 12, FIGURES_OF("300") FIRST SECOND THIRD "     296 more\n",
		"there are more than the broker lists");
}

static void test_little(void)
{
	const struct top_frame f = {.at_s = 0,
		.trouble = "no broker\x1b[2J",
		.uid = -1,
		.open = -1,
		.waiting = -1,
		.uptime_s = -1,
		.stalls = -1,
		.longest_us = -1,
		.today_nusd = -1,
		.today_calls = -1,
		.today_unpriced = -1,
		.missed = 3,
		.minute = {.cached_permille = -1,
			.ttft_p50_us = -1,
			.ttft_p99_us = -1,
			.total_p50_us = -1,
			.total_p99_us = -1}};
	shows(&f, SIZE_MAX, SIZE_MAX,
		"llmb top  00:00:00\n"
		"TROUBLE   no broker?[2J\n"
		"now       - open, - waiting for limits, 0.0 calls/s, 0.0 tokens/s\n"
		"minute    0 ended, 0 failed, cache hits -, 3 MISSED\n"
		"          first token p50 - p99 -, total p50 - p99 -\n"
		"today     - USD, - calls\n"
		"loop      - stalls, longest turn -\n",
		"nothing is known");
	OWNED(buf_done) struct buf out = BUF_INIT(65536);
	top_json(&f, &out);
	buf_byte(&out, '\0');
	is_str(out.p,
		"{\"at_s\":0,\"trouble\":\"no broker\\u001b[2J\",\"all\":false,\"uid\":null,\"open\":"
		"null,\"waiting\":null,\"calls_per_s\":0,\"tokens_per_s\":0,\"minute\":{\"calls\":0,"
		"\"failed\":0,\"cached\":0,\"tokens\":0,\"ttft_p50_us\":null,\"ttft_p99_us\":null,"
		"\"total_p50_us\":null,\"total_p99_us\":null},\"missed\":3,\"today\":{\"cost_nusd\":null,"
		"\"requests\":null,\"unpriced\":null},\"uptime_s\":null,\"loop\":{\"stalls\":null,"
		"\"longest_us\":null},\"calls\":[]}",
		"nor as an object");
}

static void test_object(void)
{
	struct top_frame f = frame();
	f.n_groups = 1;
	f.listed = 2;
	OWNED(buf_done) struct buf out = BUF_INIT(65536);
	top_json(&f, &out);
	buf_byte(&out, '\0');
	const char *calls = strstr(out.p, "\"calls\":[");
	is_str(calls,
		"\"calls\":[{\"uid\":1000,\"app\":\"editor\",\"model\":\"openai/gpt\",\"calls\":2,"
		"\"waiting\":1,\"oldest_us\":75000000,\"output\":0,\"text_bytes\":41}]}",
		"one group");
}

int main(void)
{
	(void)setenv("TZ", "UTC", 1);
	test_text();
	test_little();
	test_object();
	return tap_done();
}
