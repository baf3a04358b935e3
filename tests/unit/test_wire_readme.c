/* test_wire_readme.c - does protocol/README.md say what the code does?
 * Its table of faults against err.def, its limits against limits.h, its example against the packers.
 * Prints what should stand there where it does not. Reads the file from the top of the tree, or from
 * the path given as argument. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/control.h"
#include "protocol/frame.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static struct buf readme = {.max = 1 << 20};

static void load(const char *path)
{
	char piece[4096];
	size_t n;
	FILE *f = fopen(path, "r");
	if (!f)
		bail("%s cannot be opened: run this from the top of the tree", path);
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		buf_put(&readme, piece, n);
	fclose(f);
	if (buf_error(&readme) || readme.n == 0)
		bail("%s cannot be read", path);
}

/* The lines from the heading up to the next one of the same level. */
static struct span section(const char *heading)
{
	struct span rest = buf_view(&readme);
	const size_t at = span_find(rest, span_str(heading));
	if (at == rest.n)
		bail("the README has no \"%s\"", heading);
	rest = span_skip(rest, at + strlen(heading));
	return span_first(rest, span_find(rest, SPAN("\n## ")));
}

static void test_faults(void)
{
	struct span rest = section("## 9. Faults\n");
	OWNED(buf_done) struct buf want = BUF_INIT(1 << 16);
	size_t n, found = 0;
	const struct err_info *rows = err_table(&n);
	while (span_is_set(rest)) {
		const struct span line = span_cut(&rest, '\n');
		if (!span_starts(line, SPAN("| ")) || line.n < 3 ||
			!isdigit((unsigned char)line.p[2]))
			continue;
		if (found == n) {
			ok(false, "one row too many: %.*s", SPAN_ARG(line));
			return;
		}
		const struct err_info *e = &rows[found++];
		buf_clear(&want);
		buf_print(&want, "| %d | `%s` | %d | %s | %s |", (int)e->err, e->word,
			e->http_status, e->is_retryable ? "yes" : "no", e->sentence);
		is_mem(line.p, line.n, want.p, want.n, "the row of %s", e->word);
	}
	is_uint(found, n, "a row for each fault");
}

static void test_limits(void)
{
#define ROW(name)             \
	{                     \
#name, (name) \
	}
	static const struct {
		const char *name;
		uint64_t value;
	} limits[] = {
		ROW(LIMIT_FRAME_BYTES),
		ROW(LIMIT_DATA_BYTES),
		ROW(LIMIT_INLINE_BYTES),
		ROW(LIMIT_BODY_BYTES),
		ROW(LIMIT_PACK_DEPTH),
		ROW(LIMIT_PACK_NODES),
		ROW(LIMIT_HELLO_US),
		ROW(LIMIT_CALLS),
		ROW(LIMIT_CREDIT_BYTES),
		ROW(LIMIT_CREDIT_MAX_BYTES),
		ROW(LIMIT_LABEL_BYTES),
		ROW(LIMIT_FEATURES),
		ROW(LIMIT_TAGS),
		ROW(LIMIT_FALLBACKS),
		ROW(LIMIT_MESSAGES),
		ROW(LIMIT_TOOLS),
		ROW(LIMIT_REQUEST_ARENA),
	};
	const struct span table = section("## 10. Limits\n");
	size_t rows = 0;
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		char cells[96];
		snprintf(cells, sizeof cells, "| %" PRIu64 " | %s |\n", limits[i].value,
			limits[i].name);
		ok(span_find(table, span_str(cells)) < table.n, "%s", cells);
	}
	for (struct span rest = table; span_is_set(rest);) {
		const struct span line = span_cut(&rest, '\n');
		rows += span_find(line, SPAN("| LIMIT_")) < line.n;
	}
	is_uint(rows, COUNT_OF(limits), "and no other row");
	is_int(PROTOCOL_VERSION, 1, "the version that the README describes");
}

/* ---- the example ---- */

/* The bytes of a block of hex: on each line pairs of digits, up to two spaces. */
static void read_hex(const char *name, struct buf *out)
{
	char fence[32];
	snprintf(fence, sizeof fence, "```hex %s\n", name);
	struct span rest = section("## 11. A worked example\n");
	const size_t at = span_find(rest, span_str(fence));
	buf_clear(out);
	if (at == rest.n) {
		ok(false, "the README has a block \"%s\"", name);
		return;
	}
	rest = span_skip(rest, at + strlen(fence));
	rest = span_first(rest, span_find(rest, SPAN("```")));
	while (span_is_set(rest)) {
		struct span line = span_cut(&rest, '\n');
		line = span_first(line, span_find(line, SPAN("  ")));
		for (; line.n >= 2; line = span_skip(line, line.n > 2 ? 3 : 2)) {
			const char digits[3] = {line.p[0], line.p[1], '\0'};
			char *end;
			const long v = strtol(digits, &end, 16);
			if (*end)
				ok(false, "\"%s\" is no byte, in block %s", digits, name);
			buf_byte(out, (char)v);
		}
	}
}

static void print_hex(const struct buf *b)
{
	OWNED(buf_done) struct buf line = BUF_INIT(1 << 16);
	for (size_t i = 0; i < b->n; i++)
		buf_print(&line, "%02x%c", (unsigned char)b->p[i],
			i % 16 == 15 || i + 1 == b->n ? '\n' : ' ');
	buf_byte(&line, '\0');
	diag("it should be\n%s", line.p);
}

static void put_hello(struct buf *b)
{
	const struct hello h = {.version_min = 1,
		.version_max = 1,
		.client = SPAN("demo 1.0"),
		.app_name = SPAN("notes")};
	hello_pack(&h, b);
}

static void put_welcome(struct buf *b)
{
	const struct welcome w = {.version = 1,
		.broker = SPAN("llm-brokerd 0.1.0"),
		.identity = SPAN("{\"uid\":1000}"),
		.credit_bytes = (int64_t)LIMIT_CREDIT_BYTES,
		.max_body_bytes = (int64_t)LIMIT_BODY_BYTES};
	welcome_pack(&w, b);
}

static void put_call(struct buf *b)
{
	struct part text = {.type = PART_TEXT, .text = SPAN("hi")};
	struct message message = {.role = ROLE_USER, .parts = &text, .n_parts = 1};
	const struct llm_request request = {.model = SPAN("offline/echo"),
		.messages = &message,
		.n_messages = 1,
		.is_stream = true};
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_INLINE_BYTES);
	struct call call = CALL_INIT;
	request_pack(&request, &body);
	call.body = buf_view(&body);
	call_pack(&call, b);
}

static void put_start(struct buf *b)
{
	event_pack(
		&(struct llm_event){
			.type = EV_START, .start = {SPAN("c1"), SPAN("echo"), 0}
        },
		b);
}

static void put_text(struct buf *b)
{
	event_pack(&(struct llm_event){.type = EV_TEXT, .text = SPAN("hi")}, b);
}

static void put_finish(struct buf *b)
{
	event_pack(&(struct llm_event){.type = EV_FINISH, .finish = {.finish = FINISH_STOP}}, b);
}

static void put_end(struct buf *b)
{
	struct llm_event e = {
		.type = EV_END,
		.end = {.usage = USAGE_UNKNOWN,
			.provider = SPAN("offline"),
			.model = SPAN("echo"),
			.request_id = SPAN("r1"),
			.ttft_us = 120,
			.total_us = 150,
			.attempts = 1}
        };
	e.end.usage.input = e.end.usage.output = 1;
	e.end.usage.cost_nusd = 0;
	event_pack(&e, b);
}

static void put_credit(struct buf *b)
{
	credit_pack(131072, b);
}

static const struct {
	const char *name;
	enum frame_type type;
	uint32_t call;
	void (*put)(struct buf *b);
} frames[] = {
	{"hello",   FRAME_HELLO,   0, put_hello  },
	{"welcome", FRAME_WELCOME, 0, put_welcome},
	{"call",    FRAME_CALL,    1, put_call   },
	{"start",   FRAME_EVENT,   1, put_start  },
	{"text",    FRAME_EVENT,   1, put_text   },
	{"finish",  FRAME_EVENT,   1, put_finish },
	{"end",     FRAME_END,     1, put_end    },
	{"credit",  FRAME_CREDIT,  1, put_credit },
};

/* What the README's own bytes say when they are read. */
static void test_reading(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(1 << 16);
	OWNED(arena_done) struct arena a;
	struct frame f;
	struct call call;
	struct llm_request r;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	read_hex("call", &b);
	struct span in = buf_view(&b);
	is_err(frame_take(&in, &f, NULL, NULL), OK, "the call is a frame");
	is_err(call_unpack(f.body, &a, &call, NULL), OK, "and a call");
	is_err(request_unpack(call.body, &a, &r, NULL), OK, "its body is a request");
	ok(r.n_messages == 1 && span_is(r.messages[0].parts[0].text, "hi"), "that says hi");

	uint64_t cost = 0;
	for (size_t i = 0; i < COUNT_OF(frames); i++) {
		if (frames[i].type != FRAME_EVENT)
			continue;
		read_hex(frames[i].name, &b);
		in = buf_view(&b);
		is_err(frame_take(&in, &f, NULL, NULL), OK, "%s is a frame", frames[i].name);
		cost += f.length;
	}
	is_uint(cost, 30 + 17 + 26, "what the text says that the events cost");
}

int main(int argc, char **argv)
{
	load(argc > 1 ? argv[1] : "protocol/README.md");
	test_faults();
	test_limits();
	for (size_t i = 0; i < COUNT_OF(frames); i++) {
		OWNED(buf_done) struct buf want = BUF_INIT(1 << 16);
		OWNED(buf_done) struct buf got = BUF_INIT(1 << 16);
		const size_t mark = frame_begin(&want, frames[i].type, frames[i].call);
		frames[i].put(&want);
		is_err(frame_finish(&want, mark), OK, "%s is packed", frames[i].name);
		read_hex(frames[i].name, &got);
		if (!is_mem(got.p, got.n, want.p, want.n, "the block %s", frames[i].name))
			print_hex(&want);
	}
	test_reading();
	buf_done(&readme);
	return tap_done();
}
