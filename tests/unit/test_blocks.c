/* test_blocks.c - does one block after the other come out, however the pieces are mixed?
 * Events are words, as event_words.h has them. What comes out is TYPE INDEX [ PIECE| PIECE| ] with ^X for
 * what a text cites and ~X for the seal behind it, and TYPE INDEX (X) for what is whole. */
#include "brokerd/dialect/blocks.h"
#include "protocol/limits.h"
#include "tests/lib/event_words.h"
#include "tests/lib/tap.h"

/* clang-format off */
static const struct {
	const char *name, *events, *want;
} rows[] = {
	{"nothing", "", ""},
	{"a text in pieces", "t=a t=b", "text0[a|b|]"},
	{"empty pieces are none", "t= r= t=a t=", "text0[a|]"},
	{"runs of all kinds", "r=a r=b t=c f=d t=e", "reasoning0[a|b|] text1[c|] refusal2[d|] text3[e|]"},
	{"a seal closes its reasoning", "r=a o=S r=b t=c", "reasoning0[a|]~S reasoning1[b|] text2[c|]"},
	{"one item alone", "o=A", "opaque0(A)"},
	{"two items behind reasoning", "r=a o=S o=T t=b", "reasoning0[a|]~S opaque1(T) text2[b|]"},
	{"an item behind a text", "t=a o=A t=b", "text0[a|] opaque1(A) text2[b|]"},
	{"a call", "t=a +0=f 0={ 0=} -0 t=b", "text0[a|] call1:f[{|}|] text2[b|]"},
	{"what must come back with a call", "+0=f~A +1=g~B +2=h -0 -1 -2",
		"call0:f~A[] call1:g~B[] call2:h[]"},
	{"a call without arguments", "+0=f -0", "call0:f[]"},
	{"two calls, one after the other", "+0=f 0={} -0 +1=g 0=late 1={} -1", "call0:f[{}|] call1:g[{}|]"},
	{"two calls by turns", "+0=f 0={ +1=g 1={ 0=1 1=2 0=} 1=} -1 -0 t=a",
		"call0:f[{|1|}|] call1:g[{2}|] text2[a|]"},
	{"the second ends after the first", "+0=f +1=g 1=a 0=b -0 1=c -1 t=d",
		"call0:f[b|] call1:g[a|c|] text2[d|]"},
	{"three, the middle one goes on", "+0=f +1=g +2=h 1=a 2=b -2 -0 1=c t=d -1",
		"call0:f[] call1:g[a|c|] call2:h[b|] text3[d|]"},
	{"texts between", "+0=f t=a +1=g t=b t=c 1=x -0 t=d -1 t=e",
		"call0:f[] text1[a|] call2:g[x|] text3[bcd|e|]"},
	{"a seal waits behind its reasoning", "+0=f r=a r=b o=S r=c -0",
		"call0:f[] reasoning1[ab|]~S reasoning2[c|]"},
	{"what a waiting text cites", "+0=f t=a c=C -0 t=b", "call0:f[] text1[a|^Cb|]"},
	{"an image waits", "+0=f i=PNG -0", "call0:f[] image1(PNG)"},
	{"a call that never ends", "+0=f 0={ t=a +1=g 1={} -1 t=b",
		"call0:f[{|] text1[a|] call2:g[{}|] text3[b|]"},
	{"two that never end", "+0=f +1=g 1=a", "call0:f[] call1:g[a|]"},
	{"the same call begun twice", "+0=f +0=g 0=a -0 0=b -0 t=c", "call0:f[a|] call1:g[b|] text2[c|]"},
	{"a waiting call begun again", "+0=f +1=g -1 +1=h 1=a -1 -0", "call0:f[] call1:g[] call2:h[a|]"},
	{"arguments of no call", "0=a -0 t=b 7=c", "text0[b|]"},
	{"arguments after the end", "+0=f -0 0=a -0", "call0:f[]"},
	{"a text cites, and goes on", "t=a c=C t=b", "text0[a|^Cb|]"},
	{"citations of nothing", "r=a c=C", "reasoning0[a|] words1(=C)"},
	{"a part that is words", "t=a w=b t=c", "text0[a|] words1(b=) text2[c|]"},
	{"an image in pieces", "t=a i<P i<N i=G t=b", "text0[a|] image1(PNG) text2[b|]"},
	{"an image in pieces, around a call", "i<P +0=f i=Q -0", "call0:f[] image1(PQ)"},
	{"an image that is not all there", "t=a i<P", "text0[a|]"},
	{"one choice alone", "&t=a t=b &+0=f &o=A t=c", "text0[b|c|]"},
};
/* clang-format on */

struct log {
	struct buf text;
	bool is_open;
	enum err refusal; /* what the sink answers from now on */
};

static const char *const type_names[] = {
	[BLOCK_TEXT] = "text",
	[BLOCK_REASONING] = "reasoning",
	[BLOCK_REFUSAL] = "refusal",
	[BLOCK_CALL] = "call",
};

static enum err on_open(void *context, const struct block *b)
{
	struct log *log = context;
	ok(!log->is_open, "no other block is open");
	log->is_open = true;
	buf_print(&log->text, "%s%s%u", log->text.n > 0 ? " " : "", type_names[b->type], b->index);
	if (b->type == BLOCK_CALL) {
		buf_print(&log->text, ":%.*s", SPAN_ARG(b->name));
		ok(span_starts(b->id, SPAN("id-")) && span_eq(span_skip(b->id, 3), b->name),
			"the call's id goes with its name");
		if (span_is_set(b->opaque.family))
			buf_print(&log->text, "~%.*s", SPAN_ARG(b->opaque.data));
	}
	buf_byte(&log->text, '[');
	return log->refusal;
}

static enum err on_piece(void *context, const struct block *b, struct span text)
{
	struct log *log = context;
	ok(log->is_open && text.n > 0, "a piece of block %u", b->index);
	buf_span(&log->text, text);
	buf_byte(&log->text, '|');
	return log->refusal;
}

static enum err on_note(void *context, const struct block *b, const struct part *note)
{
	struct log *log = context;
	ok(log->is_open && b->type == BLOCK_TEXT, "a text cites");
	buf_print(&log->text, "^%.*s", SPAN_ARG(note->citations));
	return log->refusal;
}

static enum err on_close(void *context, const struct block *b, const struct opaque *seal)
{
	struct log *log = context;
	ok(log->is_open, "block %u is closed once", b->index);
	log->is_open = false;
	buf_byte(&log->text, ']');
	if (span_is_set(seal->family))
		buf_print(&log->text, "~%.*s", SPAN_ARG(seal->data));
	return log->refusal;
}

static enum err on_whole(void *context, uint32_t index, const struct llm_event *e)
{
	struct log *log = context;
	ok(!log->is_open, "what is whole stands between blocks");
	buf_text(&log->text, log->text.n > 0 ? " " : "");
	if (e->type == EV_OPAQUE)
		buf_print(&log->text, "opaque%u(%.*s)", index, SPAN_ARG(e->opaque.data));
	else if (e->part.type == PART_TEXT)
		buf_print(&log->text, "words%u(%.*s=%.*s)", index, SPAN_ARG(e->part.text),
			SPAN_ARG(e->part.citations));
	else
		buf_print(&log->text, "image%u(%.*s)", index, SPAN_ARG(e->part.media.data));
	return log->refusal;
}

static void blocks_to(struct blocks *b, struct log *log)
{
	const struct block_sink sink = {on_open, on_piece, on_note, on_close, on_whole, log};
	*log = (struct log){.text = BUF_INIT(LIMIT_BODY_BYTES)};
	blocks_init(b, &sink);
}

/* Each event in memory of its own, which is gone when the next one comes. */
static enum err take_all(struct blocks *b, const char *events)
{
	struct span rest = span_str(events);
	enum err err = OK;
	while (!err && rest.n > 0) {
		OWNED(arena_done) struct arena a;
		struct llm_event e;
		arena_init(&a, MIB);
		if (event_word(&rest, SPAN("own"), &a, &e))
			err = blocks_take(b, &e);
	}
	return err;
}

static void test_rows(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct blocks b;
		struct log log;
		blocks_to(&b, &log);
		is_err(take_all(&b, rows[i].events), OK, "%s", rows[i].name);
		is_err(blocks_end(&b), OK, "%s: the end", rows[i].name);
		is_mem(log.text.p, log.text.n, rows[i].want, strlen(rows[i].want), "%s",
			rows[i].name);
		blocks_done(&b);
		buf_done(&log.text);
	}
}

/* ---- what goes wrong ---- */

/* Whoever writes an answer may stop it at each step; what waits is let go. */
static void test_refused(void)
{
	static const char *const last[] = {"t=b", "+1=g", "o=A", "-0", "i=P", "c=C"};
	for (size_t i = 0; i < COUNT_OF(last); i++) {
		struct blocks b;
		struct log log;
		const bool is_call = span_is(span_str(last[i]), "-0");
		blocks_to(&b, &log);
		is_err(take_all(&b, is_call ? "+0=f t=a +1=g r=b" : "t=a"), OK, "before %s",
			last[i]);
		log.refusal = ERR_SERVER_ERROR;
		is_err(take_all(&b, last[i]), ERR_SERVER_ERROR, "%s is refused", last[i]);
		blocks_done(&b);
		buf_done(&log.text);
	}
}

/* While a call goes on, others may not make us hold without end. */
static void test_bounds(void)
{
	static char run[MIB];
	const struct llm_event text = {
		.type = EV_TEXT, .text = {run, sizeof run}
        };
	struct blocks b;
	struct log log;
	enum err err = OK;
	size_t n = 0;
	memset(run, 'x', sizeof run);
	blocks_to(&b, &log);
	is_err(take_all(&b, "+0=f"), OK, "a call");
	while (!err && n <= LIMIT_BODY_BYTES / sizeof run) {
		err = blocks_take(&b, &text);
		n++;
	}
	is_err(err, ERR_TOO_BIG, "a text that waits has a bound");
	is_uint(n, LIMIT_BODY_BYTES / sizeof run + 1, "which is that of a body");
	blocks_done(&b);
	buf_done(&log.text);
	blocks_to(&b, &log);
	is_err(take_all(&b, "+0=f"), OK, "a call");
	for (n = 0, err = OK; !err && n < LIMIT_BODY_BYTES; n++)
		err = take_all(&b, "o=A");
	is_err(err, ERR_NO_MEMORY, "so have small items");
	ok(n < LIMIT_BODY_BYTES / sizeof(struct llm_event), "each counts with all that it takes");
	blocks_done(&b);
	buf_done(&log.text);
}

int main(void)
{
	test_rows();
	test_refused();
	test_bounds();
	return tap_done();
}
