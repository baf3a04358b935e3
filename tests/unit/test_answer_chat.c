/* test_answer_chat.c - are answers of chats and completions sound whatever the events? What becomes of
 * good replies is in tests/golden. */
#include <stdlib.h>

#include "brokerd/dialect/dialect.h"
#include "protocol/limits.h"
#include "tests/lib/chunks.h"
#include "tests/lib/event_line.h"
#include "tests/lib/feed.h"
#include "tests/lib/scarce.h"
#include "tests/lib/tally.h"
#include "tests/lib/tap.h"

static const struct row {
	const char *name, *family;
	bool is_older, wants_usage;
	const char *events; /* event_line.h */
	const char *chunks; /* as chunks.h shows them */
	const char *whole;  /* "choices" of the answer in one piece; NULL: there is none */
} rows[] = {
  /* clang-format off */
#define CHAT "openai-chat"
#define TEXT "openai-completions"
#define CHOICE(index, message, finish)                                              \
	"{\"index\":" index ",\"message\":{\"role\":\"assistant\"," message "},"    \
	"\"logprobs\":null,\"finish_reason\":\"" finish "\"}"
#define SAYS(text)  "\"content\":\"" text "\",\"refusal\":null"
#define CALLS(list) "\"content\":null,\"refusal\":null,\"tool_calls\":[" list "]"
#define CALL(id, args)                                                              \
	"{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"" args "\"}}"
#define BEGUN(choice, index, id)                                                    \
	choice " {\"tool_calls\":[{\"index\":" index ",\"id\":\"" id "\",\"type\":\"function\","    \
	"\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}\n"
#define ARGS(choice, index, args)                                                   \
	choice " {\"tool_calls\":[{\"index\":" index ",\"function\":{\"arguments\":\"" args "\"}}]}\n"
#define SAID(choice, text) choice " {\"content\":\"" text "\"}\n"
#define IMAGE "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,UE5H\"},\"index\":0}"
#define MADE_ID "call_dysp8v84rftq4esmt93qh3ft"
	{"arguments of no call", CHAT, false, false,
		"start\n"
		"args 0 0 x\n"
		"called 0 3\n"
		"finish 0 stop\n"
		"end\n",
		"0 begins\n0 {} stop\ndone\n",
		CHOICE("0", SAYS(""), "stop")},
	{"text behind the finish", CHAT, false, false,
		"start\n"
		"text 0 a\n"
		"finish 0 length\n"
		"text 0 b\n"
		"call 0 0 c\n"
		"end\n",
		"0 begins\n" SAID("0", "a") "0 {} length\ndone\n",
		CHOICE("0", SAYS("a"), "length")},
	{"no finish", CHAT, false, false,
		"start\n"
		"text 0 a\n"
		"end\n",
		"0 begins\n" SAID("0", "a") "0 {} stop\ndone\n",
		CHOICE("0", SAYS("a"), "stop")},
	{"no finish behind a call that goes on", CHAT, false, false,
		"start\n"
		"call 0 0 c\n"
		"args 0 0 {\n"
		"end\n",
		"0 begins\n" BEGUN("0", "0", "c") ARGS("0", "0", "{") "0 {} tool_calls\ndone\n",
		CHOICE("0", CALLS(CALL("c", "{")), "tool_calls")},
	{"two finishes", CHAT, false, false,
		"start\n"
		"text 0 a\n"
		"finish 0 content_filter\n"
		"finish 0 stop\n"
		"end\n",
		"0 begins\n" SAID("0", "a") "0 {} content_filter\ndone\n",
		CHOICE("0", SAYS("a"), "content_filter")},
	{"endings of others", CHAT, false, false,
		"start\n"
		"finish 0 pause\n"
		"finish 1 other\n"
		"end\n",
		"0 begins\n0 {} stop\n1 begins\n1 {} stop\ndone\n",
		CHOICE("0", SAYS(""), "stop") "," CHOICE("1", SAYS(""), "stop")},
	{"a fault in the middle", CHAT, false, true,
		"start\n"
		"text 0 a\n"
		"usage 0\n"
		"fault\n"
		"text 0 b\n"
		"end\n"
		"fault\n",
		"0 begins\n" SAID("0", "a") "usage\nerror overloaded\n",
		NULL},
	{"a fault after usage alone", CHAT, false, true,
		"usage 0\n"
		"fault\n",
		"usage\nerror overloaded\n",
		NULL},
	{"a fault first", CHAT, false, false,
		"fault\n"
		"end\n",
		"error overloaded\n",
		NULL},
	{"an end without a start", CHAT, false, false,
		"end\n",
		"0 begins\n0 {} stop\ndone\n",
		CHOICE("0", SAYS(""), "stop")},
	{"a start alone", CHAT, false, false,
		"start\n"
		"end\n",
		"0 begins\n0 {} stop\ndone\n",
		CHOICE("0", SAYS(""), "stop")},
	{"a start that comes late", CHAT, false, false,
		"text 0 a\n"
		"start\n"
		"text 0 b\n"
		"end\n",
		"0 begins\n" SAID("0", "a") SAID("0", "b") "0 {} stop\ndone\n",
		CHOICE("0", SAYS("ab"), "stop")},
	{"two ends", CHAT, false, true,
		"start\n"
		"usage 0\n"
		"end\n"
		"end\n"
		"fault\n",
		"0 begins\n0 {} stop\nusage\ndone\n",
		CHOICE("0", SAYS(""), "stop")},
	{"usage of which a part is known", CHAT, false, true,
		"start\n"
		"cached 0\n"
		"end\n",
		"0 begins\n0 {} stop\ndone\n",
		CHOICE("0", SAYS(""), "stop")},
	{"a call that begins twice, and goes on behind its end", CHAT, false, false,
		"start\n"
		"call 0 5 c\n"
		"call 0 5 d\n"
		"args 0 5 {}\n"
		"called 0 5\n"
		"args 0 5 x\n"
		"end\n",
		"0 begins\n" BEGUN("0", "0", "c") ARGS("0", "0", "{}") "0 {} tool_calls\ndone\n",
		CHOICE("0", CALLS(CALL("c", "{}")), "tool_calls")},
	{"calls by turns, one without an id", CHAT, false, false,
		"start\n"
		"call 0 0 c\n"
		"call 0 1 \n"
		"args 0 0 [0\n"
		"args 0 1 [1]\n"
		"args 0 0 ]\n"
		"end\n",
		"0 begins\n" BEGUN("0", "0", "c") ARGS("0", "0", "[0") ARGS("0", "0", "]") BEGUN("0", "1", MADE_ID)
		ARGS("0", "1", "[1]") "0 {} tool_calls\ndone\n",
		CHOICE("0", CALLS(CALL("c", "[0]") "," CALL(MADE_ID, "[1]")), "tool_calls")},
	{"calls that wait, and a text that does not", CHAT, false, false,
		"start\n"
		"call 0 0 c\n"
		"call 0 1 d\n"
		"call 0 2 e\n"
		"args 0 1 [1\n"
		"args 0 2 [2\n"
		"args 0 1 ]\n"
		"called 0 1\n"
		"text 0 a\n"
		"args 0 0 {}\n"
		"called 0 0\n"
		"args 0 2 ]\n"
		"called 0 2\n"
		"end\n",
		"0 begins\n" BEGUN("0", "0", "c") SAID("0", "a") ARGS("0", "0", "{}") BEGUN("0", "1", "d")
		ARGS("0", "1", "[1]") BEGUN("0", "2", "e") ARGS("0", "2", "[2") ARGS("0", "2", "]")
		"0 {} tool_calls\ndone\n",
		CHOICE("0", "\"content\":\"a\",\"refusal\":null,\"tool_calls\":["
			CALL("c", "{}") "," CALL("d", "[1]") "," CALL("e", "[2]") "]", "tool_calls")},
	{"calls counted over all choices", CHAT, false, false,
		"start\n"
		"call 1 0 c\n"
		"call 0 1 d\n"
		"args 0 1 {}\n"
		"args 1 0 []\n"
		"args 1 1 x\n"
		"end\n",
		"0 begins\n1 begins\n" BEGUN("1", "0", "c") BEGUN("0", "0", "d") ARGS("0", "0", "{}") ARGS("1", "0", "[]")
		"0 {} tool_calls\n1 {} tool_calls\ndone\n",
		CHOICE("0", CALLS(CALL("d", "{}")), "tool_calls") "," CHOICE("1", CALLS(CALL("c", "[]")), "tool_calls")},
	{"choices in any order", CHAT, false, false,
		"start\n"
		"text 2 c\n"
		"text 0 a\n"
		"finish 2 stop\n"
		"text 3 d\n"
		"text 2 x\n"
		"text 0 b\n"
		"text 1 e\n"
		"end\n",
		"0 begins\n1 begins\n2 begins\n" SAID("2", "c") SAID("0", "a") "2 {} stop\n3 begins\n" SAID("3", "d")
		SAID("0", "b") SAID("1", "e") "0 {} stop\n1 {} stop\n3 {} stop\ndone\n",
		CHOICE("0", SAYS("ab"), "stop") "," CHOICE("1", SAYS("e"), "stop") ","
		CHOICE("2", SAYS("c"), "stop") "," CHOICE("3", SAYS("d"), "stop")},
	{"empty pieces", CHAT, false, false,
		"start\n"
		"text 0 \n"
		"call 0 0 c\n"
		"args 0 0 \n"
		"end\n",
		"0 begins\n" BEGUN("0", "0", "c") "0 {} tool_calls\ndone\n",
		CHOICE("0", CALLS(CALL("c", "")), "tool_calls")},
	{"what has no place", CHAT, false, false,
		"start\n"
		"warning 0\n"
		"status 0\n"
		"head 0\n"
		"count 0\n"
		"video 0\n"
		"image 0 \n"
		"text 0 a\n"
		"end\n",
		"0 begins\n" SAID("0", "a") "0 {} stop\ndone\n",
		CHOICE("0", SAYS("a"), "stop")},
	{"JSON that is none", CHAT, false, false,
		"start\n"
		"probs 0 {\n"
		"probs 0 []\n"
		"probs 0 {\"content\":[]}\n"
		"cites 0 nonsense\n"
		"cites 0 [7,{}]\n"
		"seal 0 openai-chat []\n"
		"seal 0 \n"
		"end\n",
		"0 begins\n0 {} stop\ndone\n",
		CHOICE("0", SAYS(""), "stop")},
	{"an image in pieces, and one that does not come to its end", CHAT, false, false,
		"start\n"
		"image 0 PN+\n"
		"text 0 a\n"
		"image 0 G\n"
		"image 0 x+\n"
		"finish 0 stop\n"
		"image 0 y\n"
		"end\n",
		"0 begins\n" SAID("0", "a") "0 {\"images\":[" IMAGE "]}\n0 {} stop\ndone\n",
		CHOICE("0", SAYS("a") ",\"images\":[" IMAGE "]", "stop")},
	{"a line end in JSON that is carried", CHAT, false, false,
		"start\n"
		"seal 0 openai-chat [ {\"index\":0,\"data\"\r:\"x\"} ]\n"
		"end\n",
		"0 begins\n0 {\"reasoning_details\":[{\"index\":0,\"data\" :\"x\"}]}\n0 {} stop\ndone\n",
		CHOICE("0", SAYS("") ",\"reasoning_details\":[{\"index\":0,\"data\"\r:\"x\"}]", "stop")},
	{"two calls in the older form", CHAT, true, false,
		"start\n"
		"call 0 0 c\n"
		"call 0 1 d\n"
		"args 0 1 x\n"
		"args 0 0 {}\n"
		"finish 0 tool_calls\n"
		"end\n",
		"0 begins\n0 {\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}}\n"
		"0 {\"function_call\":{\"arguments\":\"{}\"}}\n0 {} function_call\ndone\n",
		CHOICE("0", "\"content\":null,\"refusal\":null,\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}",
			"function_call")},
	{"completions: all that there is", TEXT, false, true,
		"start\n"
		"think 0 t\n"
		"text 0 a\n"
		"call 0 0 c\n"
		"args 0 0 {\n"
		"probs 0 {\n"
		"finish 0 tool_calls\n"
		"text 0 b\n"
		"text 1 c\n"
		"usage 0\n"
		"end\n",
		"0 \"a\"\n0 \"\" stop\n1 \"c\"\n1 \"\" stop\nusage\ndone\n",
		"{\"index\":0,\"text\":\"a\",\"logprobs\":null,\"finish_reason\":\"stop\"},"
		"{\"index\":1,\"text\":\"c\",\"logprobs\":null,\"finish_reason\":\"stop\"}"},
	{"completions: nothing", TEXT, false, false,
		"end\n",
		"0 \"\" stop\ndone\n",
		"{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"stop\"}"},
	{"completions: a fault", TEXT, false, false,
		"start\n"
		"text 0 a\n"
		"fault\n"
		"text 0 b\n",
		"0 \"a\"\nerror overloaded\n",
		NULL},
  /* clang-format on */
};

/* ---- telling ---- */

/* The answer with at most so many allocations. Where they do not do, that is told as a fault. */
static enum err tell_within(
	const struct row *row, enum answer_form form, long most, struct buf *out)
{
	OWNED(arena_done) struct arena a;
	const struct dialect_op *op = dialect_find(span_str(row->family))->ops[LLM_OP_CHAT];
	const struct llm_request request = {.model = SPAN("asked")};
	struct llm_event event;
	struct span rest = span_str(row->events);
	struct notes notes;
	enum err err = OK;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	notes.form = form;
	notes.is_older_call_form = row->is_older;
	notes.wants_usage_event = row->wants_usage;
	const struct answer_plan plan = {.request = &request, .notes = &notes, .env = &FEED_ENV};
	scarce_left = most;
	struct encoder *e = op->encoder_new(&a, &plan);
	while (e && !err && rest.n > 0) {
		const struct span line = span_cut(&rest, '\n');
		if (!event_line_read(line, &event))
			bail("\"%.*s\" is no event", SPAN_ARG(line));
		err = op->encode(e, &event, out);
	}
	scarce_left = -1;
	if (e && err && !buf_error(out) && event_line_read(SPAN("fault"), &event))
		is_err(op->encode(e, &event, out), OK, "%s: told that it failed", row->name);
	if (e)
		op->encoder_done(e);
	return e ? err : ERR_NO_MEMORY;
}

static bool has_fault(const struct row *row)
{
	return !row->whole;
}

/* ---- tests ---- */

/* The family's own decoder finds nothing odd in it. */
static void check_decoded(const struct row *row, struct span body, const char *how)
{
	OWNED(tally_done) struct tally tally = {.n_calls = 0};
	OWNED(arena_done) struct arena a;
	const struct target target = {.provider = SPAN("x")};
	const struct http_reply reply = {.head = {.status = 200}, .body = body};
	struct notes notes;
	struct fault why;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	notes.n_choices = 8;
	tally_init(&tally);
	feed_reply(dialect_find(span_str(row->family)), &notes, &reply, &target,
		(struct cuts){.step = 0}, &(struct event_sink){tally_event, &tally}, &why);
	is_err(why.err, has_fault(row) ? ERR_OVERLOADED : OK, "%s, %s: as it is read", row->name,
		how);
	is_str(tally.broken, "", "%s, %s: its events are in order", row->name, how);
}

static void test_stream(const struct row *row)
{
	OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf lines = BUF_INIT(LIMIT_BODY_BYTES);
	is_err(tell_within(row, ANSWER_SSE, -1, &out), OK, "%s: streamed", row->name);
	is_str(chunks_read(buf_view(&out), &lines), NULL, "%s: keeps to the grammar", row->name);
	buf_byte(&lines, '\0');
	is_str(lines.p, row->chunks, "%s: the chunks", row->name);
	check_decoded(row, buf_view(&out), "streamed");
}

static void test_whole(const struct row *row)
{
	OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_rules rules = JSON_STRICT;
	struct json v;
	rules.has_unique_names = true;
	is_err(tell_within(row, ANSWER_WHOLE, -1, &out), OK, "%s: whole", row->name);
	if (has_fault(row)) {
		is_uint(out.n, 0, "%s: nothing is told of one that failed", row->name);
		return;
	}
	if (!is_err(json_scan(buf_view(&out), rules, &v, NULL), OK, "%s: it is JSON", row->name))
		return;
	const struct span choices = json_member(v, "choices").text;
	is_mem(choices.p + 1, choices.n - 2, row->whole, strlen(row->whole), "%s: the choices",
		row->name);
	check_decoded(row, buf_view(&out), "whole");
}

/* Too few allocations are a failure for want of memory, and one more than these give the very same. */
static void test_memory(const struct row *row, enum answer_form form)
{
	OWNED(buf_done) struct buf want = BUF_INIT(LIMIT_BODY_BYTES);
	enum err err = ERR_NO_MEMORY;
	is_err(tell_within(row, form, -1, &want), OK, "%s: with all there is", row->name);
	for (long n = 0; err == ERR_NO_MEMORY && n < 200; n++) {
		OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_BODY_BYTES);
		err = tell_within(row, form, n, &out);
		if (!err)
			is_mem(out.p, out.n, want.p, want.n, "%s: with %ld allocations", row->name,
				n);
	}
	is_err(err, OK, "%s: fewer are told as what they are", row->name);
}

int main(void)
{
	scarce_begin();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		test_stream(&rows[i]);
		test_whole(&rows[i]);
		test_memory(&rows[i], ANSWER_SSE);
		test_memory(&rows[i], ANSWER_WHOLE);
	}
	return tap_done();
}
