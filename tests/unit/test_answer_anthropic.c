/* test_answer_anthropic.c - what does a caller who speaks Anthropic read where the events come in an order
 * that no reply gives? What replies give is in tests/golden. */
#include <stdlib.h>

#include "brokerd/dialect/anthropic/verdict.h"
#include "protocol/limits.h"
#include "tests/lib/any_order.h"
#include "tests/lib/feed.h"
#include "tests/lib/tally.h"
#include "tests/lib/tap.h"
#include "tests/lib/teller.h"

/* ---- a stream in short ---- */

/* < message_start, (0:TYPE and ) a block, .X a delta, ~X a signature, ^ what it cites, =WORD and > the end,
 * !TYPE an error. A carried item is "*"; what is no event of the language is "?". */
static void shorten_text(struct json v, const char *sign, struct buf *out)
{
	const size_t before = out->n;
	if (json_kind(v) != JSON_STRING)
		return;
	buf_text(out, sign);
	json_text_to(v, out);
	if (span_starts(span_skip(buf_view(out), before + 1), SPAN("eyJsbG1i"))) {
		buf_cut(out, before + 1);
		buf_text(out, "*");
	}
}

static void shorten_block(struct json v, struct buf *out)
{
	const struct json block = json_member(v, "content_block");
	int64_t index = -1;
	json_i64(json_member(v, "index"), &index);
	buf_print(out, "(%d", (int)index);
	shorten_text(json_member(block, "type"), ":", out);
	shorten_text(json_member(block, "name"), "/", out);
	shorten_text(json_member(block, "data"), "~", out);
}

static void shorten_delta(struct json delta, struct buf *out)
{
	shorten_text(json_member(delta, "text"), ".", out);
	shorten_text(json_member(delta, "thinking"), ".", out);
	shorten_text(json_member(delta, "partial_json"), ".", out);
	shorten_text(json_member(delta, "signature"), "~", out);
	if (json_is(json_member(delta, "type"), "citations_delta"))
		buf_byte(out, '^');
}

static void shorten_event(struct span name, struct json v, struct buf *out)
{
	const struct json type = json_member(v, "type");
	if (!span_eq(span_of(type.text.p + 1, type.text.n - 2), name))
		buf_byte(out, '?');
	else if (json_is(type, "message_start"))
		buf_byte(out, '<');
	else if (json_is(type, "content_block_start"))
		shorten_block(v, out);
	else if (json_is(type, "content_block_delta"))
		shorten_delta(json_member(v, "delta"), out);
	else if (json_is(type, "content_block_stop"))
		buf_byte(out, ')');
	else if (json_is(type, "message_delta"))
		shorten_text(json_member(json_member(v, "delta"), "stop_reason"), "=", out);
	else if (json_is(type, "message_stop"))
		buf_byte(out, '>');
	else if (json_is(type, "error"))
		shorten_text(json_member(json_member(v, "error"), "type"), "!", out);
	else
		buf_byte(out, '?');
}

/* Events are two lines and an empty one each, as they are written here. */
static void shorten(struct span said, struct buf *out)
{
	while (said.n > 0) {
		const struct span event = span_cut(&said, '\n'), data = span_cut(&said, '\n');
		const struct span end = span_cut(&said, '\n');
		struct json v;
		if (!span_starts(event, SPAN("event: ")) || !span_starts(data, SPAN("data: ")) ||
			end.n > 0 || json_scan(span_skip(data, 6), JSON_STRICT, &v, NULL) != OK)
			buf_byte(out, '?');
		else
			shorten_event(span_skip(event, 7), v, out);
	}
}

/* clang-format off */
static const struct {
	const char *name, *words, *want;
} streams[] = {
	{"nothing but an end", "E", "<=end_turn>"},
	{"nothing at all", "", ""},
	{"only a start", "S=m", ""},
	{"a fault alone", "X", "!api_error"},
	{"a text", "S=m t=a t=b F=stop E", "<(0:text.a.b)=end_turn>"},
	{"no finish", "t=a E", "<(0:text.a)=end_turn>"},
	{"no finish, and a call", "+0=f 0={} -0 E", "<(0:tool_use/f.{})=tool_use>"},
	{"a call, and a finish that forgot it", "+0=f -0 F=stop E", "<(0:tool_use/f)=tool_use>"},
	{"a finish for a call that never came", "t=a F=tool_calls E", "<(0:text.a)=end_turn>"},
	{"text behind the finish", "t=a F=length t=b E", "<(0:text.a.b)=max_tokens>"},
	{"nothing behind the end", "t=a E t=b X E", "<(0:text.a)=end_turn>"},
	{"nothing behind a fault", "t=a X t=b E", "<(0:text.a!api_error"},
	{"a fault in a call", "+0=f 0={ X", "<(0:tool_use/f.{!api_error"},
	{"two starts", "S=m t=a S=n t=b E", "<(0:text.a.b)=end_turn>"},
	{"arguments of no call", "0={} -0 E", "<=end_turn>"},
	{"calls by turns", "+0=f 0={ +1=g 1={ 0=} 1=} -1 -0 E",
		"<(0:tool_use/f.{.})(1:tool_use/g.{})=tool_use>"},
	{"a call that never ends", "+0=f 0={ t=a E", "<(0:tool_use/f.{)(1:text.a)=tool_use>"},
	{"arguments that begin late", "+0=f 0=\n 0= 0=\t{ 0=} -0 E", "<(0:tool_use/f.\n\t{.})=tool_use>"},
	{"arguments that are no object", "+0=f 0=[1, 0=2] -0 E",
		"<(0:tool_use/f.{\"value\":[1,2]})=tool_use>"},
	{"arguments that are words", "+0=f 0=so -0 E", "<(0:tool_use/f.{\"_raw\":\"so\"})=tool_use>"},
	{"arguments cut off", "+0=f 0={'a': F=length E", "<(0:tool_use/f.{\"a\":)=max_tokens>"},
	{"a refusal", "t=a f=no F=stop E", "<(0:text.a)(1:text.no)=end_turn>"},
	{"thinking that nobody sealed", "r=a r=b t=c E", "<(0:thinking.a.b~*)(1:text.c)=end_turn>"},
	{"thinking that another family sealed", "r=a o={'k':1} t=c E",
		"<(0:thinking.a~*)(1:text.c)=end_turn>"},
	{"thinking that its own family sealed", "r=a O={'type':'thinking','signature':'S'} t=c E",
		"<(0:thinking.a~S)(1:text.c)=end_turn>"},
	{"a seal of ours that has its words", "r=a O={'type':'thinking','thinking':'a','signature':'S'} E",
		"<(0:thinking.a~S)=end_turn>"},
	{"a seal of ours without a signature", "r=a O={'type':'thinking'} E", "<(0:thinking.a~*)=end_turn>"},
	{"thinking that is not told", "O={'type':'thinking','signature':'S'} t=c E",
		"<(0:thinking~S)(1:text.c)=end_turn>"},
	{"thinking that is not told, and comes along",
		"O={'type':'thinking','thinking':'a','signature':'S'} t=c E",
		"<(0:thinking~*)(1:text.c)=end_turn>"},
	{"another family's item alone", "o={'k':1} t=c E", "<(0:redacted_thinking~*)(1:text.c)=end_turn>"},
	{"our own block", "P={'type':'redacted_thinking','data':'D'} t=c E",
		"<(0:redacted_thinking~D)(1:text.c)=end_turn>"},
	{"our own item", "O={'type':'redacted_thinking','data':'D'} E", "<(0:redacted_thinking~D)=end_turn>"},
	{"what of ours is no block", "P=[] P={'k':1} O=[] E", "<(0:redacted_thinking~*)=end_turn>"},
	{"what has no place parts no text",
		"t=a i=PNG p={'type':'x'} i<P i=NG l={} w=b c=[{'url':'u'}] t=c E",
		"<(0:text.a.c)=end_turn>"},
	{"a text cites", "t=a c=[{'type':'char_location'},{'url':'u'},{'type':'page_location'}] t=b E",
		"<(0:text.a^^.b)=end_turn>"},
	{"a text without words cites", "r=a c=[{'type':'char_location'}] E",
		"<(0:thinking.a~*)(1:text^)=end_turn>"},
	{"citations that are no list", "t=a c={'type':'char_location'} c=[ E", "<(0:text.a)=end_turn>"},
	{"one choice", "t=a &t=b &+0=f &F=length E", "<(0:text.a)=end_turn>"},
	{"words of other hosts", "t=a F=length,model_context_window_exceeded E",
		"<(0:text.a)=model_context_window_exceeded>"},
	{"a pause", "t=a F=pause E", "<(0:text.a)=pause_turn>"},
	{"a filter", "t=a F=content_filter E", "<(0:text.a)=refusal>"},
	{"any other end", "t=a F=other,eos E", "<(0:text.a)=end_turn>"},
	{"an end of ours that has no word", "t=a F=other,compaction E", "<(0:text.a)=compaction>"},
	{"a word that says something else", "t=a F=stop,max_tokens E", "<(0:text.a)=end_turn>"},
	{"a stop sequence", "t=a F=stop,stop,END E", "<(0:text.a)=stop_sequence>"},
	{"a stop sequence that is not told", "t=a F=stop,stop_sequence E", "<(0:text.a)=end_turn>"},
};
/* clang-format on */

static void test_streams(void)
{
	const struct teller teller = {.family = "anthropic", .form = ANSWER_SSE};
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		OWNED(buf_done) struct buf said = BUF_INIT(MIB), got = BUF_INIT(MIB);
		is_err(tell(&teller, streams[i].words, &said), OK, "%s", streams[i].name);
		shorten(buf_view(&said), &got);
		is_mem(got.p, got.n, streams[i].want, strlen(streams[i].want), "%s",
			streams[i].name);
	}
}

/* ---- exact answers ---- */

/* clang-format off */
/* nothing was written to a cache, as far as is known */
#define UNWRITTEN \
	"\"cache_creation\":{\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":0},"

static const struct {
	const char *name;
	enum answer_form form;
	const char *words, *want;
} exact[] = {
	{"a stream", ANSWER_SSE, "S=m u=5 t=a\"\n F=stop u=5,7 E",
		"event: message_start\n"
		"data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_dysp8v84rftq4esmt93qh3ft\",\"type\":"
		"\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":"
		"null,\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":null,\"cache_read_input_tokens\":"
		"null," UNWRITTEN "\"output_tokens\":1}}}\n\n"
		"event: content_block_start\n"
		"data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":"
		"\"\"}}\n\n"
		"event: content_block_delta\n"
		"data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
		"\"a\\\"\\n\"}}\n\n"
		"event: content_block_stop\n"
		"data: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
		"event: message_delta\n"
		"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
		"\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":null,\"cache_read_input_tokens\":null," UNWRITTEN
		"\"output_tokens\":7}}\n\n"
		"event: message_stop\n"
		"data: {\"type\":\"message_stop\"}\n\n"},
	{"a message", ANSWER_WHOLE, "S=m r=b o=1 t=a 0=x +0=f 0={ 0=} F=tool_calls u=5,7 E t=late",
		"{\"id\":\"msg_dysp8v84rftq4esmt93qh3ft\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\","
		"\"content\":[{\"type\":\"thinking\",\"thinking\":\"b\",\"signature\":\"eyJsbG1iIjoxLCJmYW1pbHkiOiJraW4iLCJtb2RlbCI6Im0iLCJkYXRhIjoxfQ==\"},"
		"{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"tool_use\",\"id\":\"id-f\",\"name\":\"f\",\"input\":"
		"{}}],\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":"
		"null,\"cache_read_input_tokens\":null," UNWRITTEN "\"output_tokens\":7}}"},
	{"an empty message", ANSWER_WHOLE, "E",
		"{\"id\":\"msg_dysp8v84rftq4esmt93qh3ft\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"asked\","
		"\"content\":[],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":17,"
		"\"cache_creation_input_tokens\":null,\"cache_read_input_tokens\":null," UNWRITTEN "\"output_tokens\":0}}"},
	{"a message that fails", ANSWER_WHOLE, "S=m t=a X E", ""},
};
/* clang-format on */

static void test_exact(void)
{
	for (size_t i = 0; i < COUNT_OF(exact); i++) {
		const struct teller teller = {
			.family = "anthropic", .form = exact[i].form, .input_estimate = 17};
		OWNED(buf_done) struct buf said = BUF_INIT(MIB);
		is_err(tell(&teller, exact[i].words, &said), OK, "%s", exact[i].name);
		is_mem(said.p, said.n, exact[i].want, strlen(exact[i].want), "%s", exact[i].name);
	}
}

/* Of one sequence alone it is known that it was that one. */
static void test_only_stop(void)
{
	struct span stops[] = {
		{"END", 3},
                {"FIN", 3}
        };
	struct llm_request asked = {.model = SPAN("m"), .stop = stops, .n_stop = 1};
	const struct teller teller = {.family = "anthropic", .request = &asked};
	const char *const want[] = {"\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\"",
		"\"stop_reason\":\"end_turn\",\"stop_sequence\":null"};
	for (size_t i = 0; i < COUNT_OF(want); i++) {
		OWNED(buf_done) struct buf said = BUF_INIT(MIB);
		asked.n_stop = i + 1;
		is_err(tell(&teller, "t=a F=stop,stop_sequence E", &said), OK, "it stopped");
		ok(span_find(buf_view(&said), span_str(want[i])) < said.n, "%zu of them: %s", i + 1,
			want[i]);
	}
}

/* ---- usage ---- */

/* clang-format off */
static const struct {
	const char *name;
	struct llm_usage usage;
	const char *want;
} usages[] = {
	{"nothing is known", {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
		"\"usage\":{\"input_tokens\":null,\"cache_creation_input_tokens\":null,\"cache_read_input_tokens\":"
		"null," UNWRITTEN "\"output_tokens\":3}"},
	{"all is",
		{.input = 1, .cache_read = 2, .cache_write_5m = 4, .cache_write_1h = 8, .cache_write = 0,
			.output = 32, .reasoning = 64, .audio_input = 128, .audio_output = 256,
			.image_input = 512, .image_output = 1024},
		"\"usage\":{\"input_tokens\":641,\"cache_creation_input_tokens\":12,"
		"\"cache_read_input_tokens\":2,\"cache_creation\":{\"ephemeral_5m_input_tokens\":4,"
		"\"ephemeral_1h_input_tokens\":8},\"output_tokens\":1376,\"output_tokens_details\":"
		"{\"thinking_tokens\":64}}"},
	{"of some it is not said how long it lives",
		{1, 2, 4, -1, 16, 32, -1, -1, -1, -1, -1, -1, -1},
		"\"usage\":{\"input_tokens\":1,\"cache_creation_input_tokens\":20,"
		"\"cache_read_input_tokens\":2,\"cache_creation\":{\"ephemeral_5m_input_tokens\":20,"
		"\"ephemeral_1h_input_tokens\":0},\"output_tokens\":32}"},
	{"more than a number holds",
		{.input = INT64_MAX, .image_input = 1, .audio_input = -1, .cache_read = -1, .cache_write_5m = -1, .cache_write_1h = -1, .cache_write = -1, .output = 1, .reasoning = -1, .audio_output = -1, .image_output = -1},
		"\"usage\":{\"input_tokens\":9223372036854775807,\"cache_creation_input_tokens\":null,\"cache_read_input_tokens\":"
		"null," UNWRITTEN "\"output_tokens\":1}"},
};
/* clang-format on */

static void test_usage(void)
{
	for (size_t i = 0; i < COUNT_OF(usages); i++) {
		OWNED(buf_done) struct buf got = BUF_INIT(MIB);
		struct json_out o = json_to(&got);
		anthropic_put_usage(&o, &usages[i].usage, (struct anthropic_guess){-1, 3});
		is_mem(got.p, got.n, usages[i].want, strlen(usages[i].want), "%s", usages[i].name);
	}
}

/* ---- any order ---- */

static const char *const words[] = {"S=m", "t=a", "t=b", "r=c", "f=d", "+0=f", "+1=g", "+2=h~{}",
	"0={'k':", "0=1}", "1={}", "2=[]", "-0", "-1", "-2", "o={'k':1}",
	"O={'type':'thinking','signature':'S'}", "P={'type':'redacted_thinking','data':'D'}",
	"p={'type':'x'}", "c=[{'type':'char_location'}]", "i=P", "i<N", "l={}", "u=5", "u=5,7",
	"F=stop", "F=length", "F=tool_calls", "&t=z", "&+0=z"};

/* Blocks are numbered from 0, each is closed before the next one opens, and the message ends once. */
static bool is_legal(struct span s)
{
	int next = 0;
	if (s.n == 0 || s.p[0] != '<' || span_index(s, '?') < s.n)
		return false;
	for (s = span_skip(s, 1); s.n > 0 && s.p[0] == '('; next++) {
		struct span block = span_cut(&s, ')');
		if (!span_is_set(s) || atoi(block.p + 1) != next ||
			span_index(span_skip(block, 1), '(') < block.n - 1)
			return false;
	}
	return s.n > 2 && s.p[0] == '=' && span_index(s, '>') == s.n - 1;
}

static void read_back(struct span said, struct tally *t)
{
	const struct http_reply reply = {.head = {.status = 200}, .body = said};
	OWNED(arena_done) struct arena a;
	const struct target target = {.provider = SPAN("own")};
	struct notes notes;
	struct fault why;
	arena_init(&a, MIB);
	notes_init(&notes, &a);
	notes.wants_reasoning_text = true;
	tally_init(t);
	is_err(feed_reply(dialect_find(SPAN("anthropic")), &notes, &reply, &target,
		       (struct cuts){0}, &(struct event_sink){tally_event, t}, &why),
		OK, "what is said can be read");
	is_str(t->broken, "", "and its events are in order");
}

static bool is_same(const struct tally *a, const struct tally *b)
{
	bool is_same = span_eq(buf_view(&a->text), buf_view(&b->text)) &&
		       span_eq(buf_view(&a->reasoning), buf_view(&b->reasoning)) &&
		       a->finish == b->finish && a->n_calls == b->n_calls;
	for (size_t i = 0; is_same && i < a->n_calls; i++)
		is_same = span_eq(buf_view(&a->calls[i].id), buf_view(&b->calls[i].id)) &&
			  span_eq(buf_view(&a->calls[i].name), buf_view(&b->calls[i].name));
	return is_same;
}

static void try_order(const char *order)
{
	static const enum answer_form forms[] = {ANSWER_SSE, ANSWER_WHOLE};
	OWNED(buf_done) struct buf brief = BUF_INIT(MIB);
	struct tally tallies[COUNT_OF(forms)];
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		const struct teller teller = {.family = "anthropic", .form = forms[i]};
		OWNED(buf_done) struct buf said = BUF_INIT(MIB);
		is_err(tell(&teller, order, &said), OK, "%s", order);
		read_back(buf_view(&said), &tallies[i]);
		if (forms[i] == ANSWER_SSE)
			shorten(buf_view(&said), &brief);
	}
	if (!ok(is_legal(buf_view(&brief)), "%s", order))
		diag("it became %.*s", SPAN_ARG(buf_view(&brief)));
	ok(is_same(&tallies[0], &tallies[1]), "streamed and whole are the same: %s", order);
	tally_done(&tallies[0]);
	tally_done(&tallies[1]);
}

static void test_any_order(void)
{
	uint64_t seed = 1;
	for (int round = 0; round < 300; round++) {
		OWNED(buf_done) struct buf order = BUF_INIT(MIB);
		any_order(&seed, words, COUNT_OF(words), 14, &order);
		buf_put(&order, "E", 2);
		try_order(order.p);
	}
}

int main(void)
{
	test_streams();
	test_exact();
	test_only_stop();
	test_usage();
	test_any_order();
	return tap_done();
}
