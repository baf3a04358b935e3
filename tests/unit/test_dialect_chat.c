/* test_dialect_chat.c - the families under strain: no memory, a sink that has enough, and replies that
 * nobody should send. What they say of good ones is in tests/golden. */
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/dialect/dialect.h"
#include "protocol/limits.h"
#include "tests/lib/event_json.h"
#include "tests/lib/host.h"
#include "tests/lib/packed.h"
#include "tests/lib/scarce.h"
#include "tests/lib/tally.h"
#include "tests/lib/tap.h"

#define ENV ((struct dialect_env){.wall_s = 1795305600, .seed = 7})

/* ---- memory that runs out ---- */

static const char request_json[] =
	"{'model':'x/y','stream':true,'max_tokens':9,'stop':['a','b'],'reasoning':{'effort':'low'},"
	"'messages':[{'role':'system','content':'s'},{'role':'user','content':[{'type':'text','"
	"text':'t'},"
	"{'type':'image','url':'data:image/png;base64,iVBORw0KGgo='}]},"
	"{'role':'assistant','content':[{'type':'tool_call','id':'a','name':'my.tool','arguments':'"
	"{}'}]},"
	"{'role':'tool','tool_call_id':'a','content':'r'},{'role':'user','content':'u'}],"
	"'tools':[{'name':'my.tool','parameters':'{}'}],'tool_choice':{'name':'my.tool'},"
	"'response_format':{'type':'json_schema','schema':'{}'},"
	"'provider_options':{'openai-chat':'{}','anthropic':'{}','offline':'{}'}}";

/* Encodes with at most so many allocations; the body goes to `out`. */
static enum err encode_within(const struct dialect *d, const struct target *target,
	struct span packed, long most, struct buf *out)
{
	struct arena a;
	struct llm_request r;
	struct notes notes;
	struct http_request http = {.n_headers = 0};
	struct fault why = FAULT_NONE;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	if (request_unpack(packed, &a, &r, &why))
		bail("the request: %s", why.message);
	r.reasoning.effort = SPAN_NONE; /* not every model of the table reasons */
	scarce_left = most;
	const enum err err =
		d->ops[LLM_OP_CHAT]->encode_request(&r, target, &ENV, &notes, &http, &why);
	scarce_left = -1;
	if (err && why.err != err)
		bail("%s: the fault says %d, the result %d", d->family, (int)why.err, (int)err);
	if (!err)
		buf_span(out, http.body);
	arena_done(&a);
	return err;
}

static enum err print_event(void *context, const struct llm_event *e)
{
	const long left = scarce_left;
	scarce_left = -1;        /* what the test itself takes is not counted */
	if (e->type != EV_USAGE) /* so far: where a reply fails, it may come early */
		event_json(context, e);
	scarce_left = left;
	return OK;
}

static enum err decode_within(
	const struct dialect *d, struct span body, long most, size_t step, struct buf *out)
{
	struct arena a;
	struct notes notes;
	struct fault why = FAULT_NONE;
	const struct http_head head = {.status = 200};
	const struct event_sink sink = {print_event, out};
	const struct dialect_op *op = d->ops[LLM_OP_CHAT];
	enum err err = OK;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	notes.n_choices = 2;
	scarce_left = most;
	struct decoder *decoder = op->decoder_new(&a, &notes, &ENV, &head);
	while (decoder && !err && body.n > 0) {
		err = op->decode(decoder, span_first(body, step), &sink, &why);
		body = span_skip(body, span_first(body, step).n);
	}
	if (decoder && !err)
		err = op->decode_end(decoder, &sink, &why);
	if (decoder)
		op->decoder_done(decoder);
	scarce_left = -1;
	arena_done(&a);
	return decoder ? err : ERR_NO_MEMORY;
}

/* For each number of allocations that is too few: a refusal for want of memory, and with one more
 * than the last of these the very same result. */
static void test_encode_memory(const struct dialect *d)
{
	OWNED(buf_done) struct buf packed = BUF_INIT(65536);
	OWNED(buf_done) struct buf want = BUF_INIT(65536);
	const struct host_wish wish = {.family = span_str(d->family), .model = SPAN("some")};
	struct fault why;
	struct target target;
	struct arena a;
	enum err err = ERR_NO_MEMORY;
	long n = 0;
	arena_init(&a, MIB);
	struct config *config = host_target(&wish, &a, &target, &why);
	if (!config)
		bail("%s: %s", d->family, why.message);
	packed_json(&packed, request_json);
	is_err(encode_within(d, &target, buf_view(&packed), -1, &want), OK, "%s: a request",
		d->family);
	for (; err == ERR_NO_MEMORY && n < 1000; n++) {
		OWNED(buf_done) struct buf got = BUF_INIT(65536);
		err = encode_within(d, &target, buf_view(&packed), n, &got);
		if (!err)
			is_mem(got.p, got.n, want.p, want.n, "%s: written with %ld allocations",
				d->family, n);
	}
	is_err(err, OK, "%s: fewer are refused as what they are", d->family);
	config_unref(config);
	arena_done(&a);
}

static void test_decode_memory(const struct dialect *d, const char *body)
{
	OWNED(buf_done) struct buf want = BUF_INIT(65536);
	enum err err = ERR_NO_MEMORY;
	long n = 0;
	is_err(decode_within(d, span_str(body), -1, 5, &want), OK, "%s: a reply", d->family);
	for (; err == ERR_NO_MEMORY && n < 1000; n++) {
		OWNED(buf_done) struct buf got = BUF_INIT(65536);
		err = decode_within(d, span_str(body), n, 5, &got);
		if (!err)
			is_mem(got.p, got.n, want.p, want.n, "%s: read with %ld allocations",
				d->family, n);
		else if (!span_starts(buf_view(&want), buf_view(&got)))
			ok(false, "%s: with %ld allocations, what is told is a beginning of it",
				d->family, n);
	}
	is_err(err, OK, "%s: fewer are refused as what they are", d->family);
}

/* ---- a sink that has enough ---- */

struct fussy {
	size_t left, after;
};

static enum err fussy_event(void *context, const struct llm_event *e)
{
	struct fussy *f = context;
	(void)e;
	if (f->left == 0) {
		f->after++;
		return ERR_CANCELLED;
	}
	f->left--;
	return OK;
}

static void test_sink(const struct dialect *d, const char *body)
{
	const struct dialect_op *op = d->ops[LLM_OP_CHAT];
	for (size_t n = 0; n < 12; n++) {
		struct arena a;
		struct notes notes;
		struct fussy f = {n, 0};
		struct fault why = FAULT_NONE;
		const struct event_sink sink = {fussy_event, &f};
		arena_init(&a, MIB);
		notes_init(&notes, &a);
		struct decoder *decoder =
			op->decoder_new(&a, &notes, &ENV, &(struct http_head){.status = 200});
		enum err err = op->decode(decoder, span_str(body), &sink, &why);
		if (!err)
			err = op->decode_end(decoder, &sink, &why);
		if (f.after > 0) {
			is_err(err, ERR_CANCELLED, "%s: no more than %zu events", d->family, n);
			is_uint(f.after, (size_t)1, "and it is asked no more");
			is_err(why.err, ERR_CANCELLED, "the fault says so too");
		} else {
			is_err(err, OK, "%s: it is over before", d->family);
		}
		op->decoder_done(decoder);
		arena_done(&a);
	}
}

/* ---- replies that nobody should send ---- */

static void check_hostile(
	const struct dialect *d, struct span body, enum err want, const char *name)
{
	OWNED(tally_done) struct tally t = {.n_calls = 0};
	struct arena a;
	struct notes notes;
	struct fault why = FAULT_NONE;
	const struct event_sink sink = {tally_event, &t};
	const struct dialect_op *op = d->ops[LLM_OP_CHAT];
	tally_init(&t);
	arena_init(&a, 64 * MIB);
	notes_init(&notes, &a);
	struct decoder *decoder =
		op->decoder_new(&a, &notes, &ENV, &(struct http_head){.status = 200});
	enum err err = op->decode(decoder, body, &sink, &why);
	if (!err)
		err = op->decode_end(decoder, &sink, &why);
	is_err(err, want, "%s: %s", d->family, name);
	if (err)
		ok(why.err == err && why.message[0], "a sentence says why");
	is_str(t.broken, "", "and the events are in order");
	op->decoder_done(decoder);
	arena_done(&a);
}

static void test_hostile_chat(const struct dialect *d)
{
	OWNED(buf_done) struct buf calls = BUF_INIT(8 * MIB);
	OWNED(buf_done) struct buf deep = BUF_INIT(8 * MIB);
	OWNED(buf_done) struct buf many = BUF_INIT(8 * MIB);
	for (int i = 0; i < 5000; i++)
		buf_print(&calls,
			"data: "
			"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%d,\"id\":\"c%d\","
			"\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n",
			i, i);
	check_hostile(d, buf_view(&calls), ERR_SERVER_ERROR, "5,000 calls");
	buf_text(&deep, "data: {\"choices\":");
	for (int i = 0; i < 1000000; i++)
		buf_byte(&deep, '[');
	buf_text(&deep, "\n\n");
	check_hostile(d, buf_view(&deep), ERR_SERVER_ERROR, "a million nested arrays");
	for (int i = 0; i < 20000; i++)
		buf_text(&many, "data: {\"choices\":[{\"delta\":{\"content\":\"x\\n\"}}]}\n\n");
	buf_text(&many, "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n");
	check_hostile(d, buf_view(&many), OK, "20,000 pieces in an arena of 64 MiB");
	check_hostile(d,
		SPAN("data: {\"choices\":[{\"index\":-1},{\"index\":4294967296,\"delta\":7},"
		     "null,[],{\"index\":\"0\",\"delta\":{\"content\":{\"a\":1},\"tool_calls\":"
		     "[null,1,{\"index\":-5,\"id\":7,\"function\":\"x\"}],\"audio\":[],\"images\":{"
		     "},"
		     "\"annotations\":[],\"reasoning_details\":[1,{},{\"text\":2}]},"
		     "\"finish_reason\":{},\"logprobs\":[]}],\"usage\":[1],\"id\":{},\"created\":"
		     "\"x\"}"
		     "\n\ndata: [DONE]\n\n"),
		ERR_STREAM_INCOMPLETE, "members of the wrong kind");
	check_hostile(d, SPAN("data: {\"choices\":null}\n\ndata: {}\n\ndata: [DONE]\n\n"),
		ERR_SERVER_ERROR, "chunks with nothing in them");
	check_hostile(d, SPAN("{\"choices\":[{\"message\":{\"content\":\"x"), ERR_STREAM_INCOMPLETE,
		"a whole reply that was cut");
	check_hostile(d, SPAN(""), ERR_SERVER_ERROR, "nothing at all");
	check_hostile(d, SPAN("\n\n \n"), ERR_SERVER_ERROR, "white space alone");
}

static void test_hostile_messages(const struct dialect *d)
{
	OWNED(buf_done) struct buf blocks = BUF_INIT(32 * MIB);
	check_hostile(d,
		SPAN("data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
		     "\"text_delta\",\"text\":\"x\"}}\n\ndata: "
		     "{\"type\":\"content_block_stop\"}\n\n"
		     "data: {\"type\":\"message_stop\"}\n\n"),
		ERR_SERVER_ERROR, "blocks that never began");
	check_hostile(d,
		SPAN("data: {\"type\":\"message_start\",\"message\":7}\n\n"
		     "data: "
		     "{\"type\":\"content_block_start\",\"index\":\"x\",\"content_block\":[]}\n\n"
		     "data: "
		     "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":"
		     "\"tool_use\",\"id\":{},\"name\":null,\"input\":\"x\"}}\n\n"
		     "data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":"
		     "\"input_json_delta\",\"partial_json\":{}}}\n\n"
		     "data: {\"type\":\"content_block_delta\",\"index\":9,\"delta\":null}\n\n"
		     "data: {\"type\":\"message_delta\",\"delta\":[],\"usage\":3}\n\n"
		     "data: {\"type\":\"message_stop\"}\n\n"),
		OK, "members of the wrong kind");
	buf_text(&blocks, "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n");
	for (int i = 0; i < 70000; i++)
		buf_print(&blocks,
			"data: {\"type\":\"content_block_start\",\"index\":%d,\"content_block\":"
			"{\"type\":\"text\",\"text\":\"\"}}\n\n",
			i);
	check_hostile(d, buf_view(&blocks), ERR_SERVER_ERROR, "70,000 blocks");
	check_hostile(d, SPAN("{\"type\":\"message\",\"content\":[{\"type\":\"text\""),
		ERR_STREAM_INCOMPLETE, "a whole reply that was cut");
	check_hostile(d, SPAN("{\"type\":\"message\",\"content\":[null,1,[],{}]}"), OK,
		"blocks that are none");
	check_hostile(d, SPAN(""), ERR_SERVER_ERROR, "nothing at all");
}

static const char chat_reply[] =
	"data: "
	"{\"id\":\"i\",\"model\":\"m\",\"created\":1790000000,\"choices\":[{\"index\":0,\"delta\":"
	"{\"role\":\"assistant\",\"content\":\"a\\ud83d\",\"reasoning\":\"r\",\"reasoning_"
	"details\":"
	"[{\"type\":\"reasoning.text\",\"text\":\"r\",\"index\":0}]}}]}\n\n"
	"data: "
	"{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ude00\",\"tool_calls\":[{\"index\":"
	"0,"
	"\"function\":{\"arguments\":\"{\\\"a\"}},{\"index\":1,\"id\":\"x\",\"function\":{\"name\":"
	"\"g\"}}]}},"
	"{\"index\":1,\"delta\":{\"content\":\"z\",\"annotations\":[{\"u\":1}]},\"finish_reason\":"
	"\"stop\"}]}\n\n"
	"data: "
	"{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":"
	"\"f\","
	"\"arguments\":\"\\\":1}\"}}],\"images\":[{\"image_url\":{\"url\":\"data:image/"
	"png;base64,iVBORw0KGgo=\"}}],"
	"\"audio\":{\"id\":\"q\",\"data\":\"aGk=\",\"transcript\":\"hi\"}},\"finish_reason\":"
	"\"stop\"}],"
	"\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4},\"citations\":[\"c\"]}\n\ndata: "
	"[DONE]\n\n";

static const char messages_reply[] =
	"data: {\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"model\":\"m\",\"usage\":"
	"{\"input_tokens\":3}}}\n\n"
	"data: "
	"{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\","
	"\"thinking\":\"h\\ud83d\",\"signature\":\"s\"}}\n\ndata: "
	"{\"type\":\"content_block_stop\",\"index\":0}\n\n"
	"data: "
	"{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\","
	"\"id\":\"t\","
	"\"name\":\"f\",\"input\":{}}}\n\n"
	"data: "
	"{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\","
	"\"partial_json\":\"{\\\"a\\\":1}\"}}\n\ndata: "
	"{\"type\":\"content_block_stop\",\"index\":1}\n\n"
	"data: "
	"{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"server_tool_"
	"use\","
	"\"input\":{}}}\n\n"
	"data: "
	"{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
	"\"partial_json\":\"{}\"}}\n\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n"
	"data: "
	"{\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"text\","
	"\"text\":\"x\","
	"\"citations\":[{\"c\":1}]}}\n\n"
	"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\",\"stop_details\":"
	"{\"explanation\":\"e\"}},\"usage\":{\"output_tokens\":5}}\n\ndata: "
	"{\"type\":\"message_stop\"}\n\n";

static const char offline_reply[] = "{\"model\":\"echo\",\"input_tokens\":2,\"calls\":[{\"name\":"
				    "\"f\",\"arguments\":\"{\\\"a\\\": 1}\","
				    "\"custom\":false}],\"answer\":\"one \\u20ac "
				    "three\",\"max_tokens\":9,\"stop\":[\"x\\n\"],\"n\":2,"
				    "\"reasons\":true}";

int main(void)
{
	static const struct {
		const char *family, *reply;
	} rows[] = {
		{"openai-chat", chat_reply    },
		{"anthropic",   messages_reply},
		{"offline",     offline_reply },
	};
	scarce_begin();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct dialect *d = dialect_find(span_str(rows[i].family));
		test_encode_memory(d);
		test_decode_memory(d, rows[i].reply);
		test_sink(d, rows[i].reply);
	}
	test_hostile_chat(dialect_find(SPAN("openai-chat")));
	test_hostile_messages(dialect_find(SPAN("anthropic")));
	ok(!dialect_find(SPAN("openai")), "a family that is none");
	return tap_done();
}
