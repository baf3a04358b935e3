/* cmd_whoami.c - who does the broker think I am? */
#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/peer.h"

static void say(const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	const struct json rule = json_member(answer->json, "rule");
	arena_init(&arena, SAY_BYTES_MAX);
	put_peer(&out, json_member(answer->json, "peer"), &arena);
	if (json_kind(rule) == JSON_STRING)
		buf_print(&out, "rule      [policy \"%.*s\"]: %.*s\n",
			SPAN_ARG(text_of(answer->json, "rule", &arena)),
			SPAN_ARG(text_of(answer->json, "answer", &arena)));
	else
		buf_text(&out, "rule      none: nothing is allowed\n");
	put_grant(&out, json_member(answer->json, "grant"), &arena);
	buf_text(&out, "may      ");
	const struct json operations = json_member(answer->json, "operations");
	for (struct json_walk w = json_each(operations); json_next(&w);) {
		buf_byte(&out, ' ');
		(void)json_text_to(w.value, &out);
	}
	buf_byte(&out, '\n');
	say_out(&out);
}

static int run(const struct command *self, int argc, char **argv)
{
	return broker_show(self, argc, argv, "whoami", say);
}

const struct command command_whoami = {
	.name = "whoami",
	.args = "",
	.summary = "who the broker takes a program here for, and what it may do",
	.run = run,
};
