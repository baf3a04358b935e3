/* fuzz_answer_chat.c - any events in any order, for callers of chats and of completions: what they read keeps
 * to the grammar, and their own decoder finds nothing odd in it. The first byte says which, and how; the
 * rest is lines of event_line.h. */
#include <assert.h>

#include "protocol/base/utf8.h"
#include "protocol/limits.h"
#include "tests/lib/chunks.h"
#include "tests/lib/event_line.h"
#include "tests/lib/feed.h"
#include "tests/lib/tally.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Tells all; true: it ended well. */
static bool tell(const struct dialect *d, const struct notes *notes, struct arena *a,
	struct span lines, struct buf *out)
{
	const struct llm_request request = {.model = SPAN("asked")};
	const struct answer_plan plan = {.request = &request, .notes = notes, .env = &FEED_ENV};
	const struct dialect_op *op = d->ops[LLM_OP_CHAT];
	struct encoder *e = op->encoder_new(a, &plan);
	struct llm_event event;
	enum event_type last = EV_START;
	assert(e);
	while (lines.n > 0) {
		if (!event_line_read(span_cut(&lines, '\n'), &event))
			continue;
		const enum err err = op->encode(e, &event, out);
		assert(err == OK);
		if (last == EV_START && (event.type == EV_END || event.type == EV_FAULT))
			last = event.type;
	}
	if (last == EV_START) {
		last = event_line_read(SPAN("end"), &event) ? EV_END : last;
		const enum err err = op->encode(e, &event, out);
		assert(err == OK);
	}
	op->encoder_done(e);
	return last == EV_END;
}

static void read_again(
	const struct dialect *d, struct arena *a, const struct buf *out, bool is_good)
{
	const struct target target = {.provider = SPAN("x")};
	const struct http_reply reply = {.head = {.status = 200}, .body = buf_view(out)};
	struct tally tally;
	struct notes notes;
	struct fault why;
	notes_init(&notes, a);
	notes.n_choices = TALLY_CHOICES;
	tally_init(&tally);
	const enum err err = feed_reply(d, &notes, &reply, &target, (struct cuts){.step = 0},
		&(struct event_sink){tally_event, &tally}, &why);
	assert(err == (is_good ? OK : ERR_OVERLOADED));
	assert(tally.broken[0] == '\0');
	tally_done(&tally);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(arena_done) struct arena a;
	OWNED(buf_done) struct buf lines = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf shown = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_rules rules = JSON_STRICT;
	struct utf8_repair repair = {.n = 0};
	struct notes notes;
	struct json v;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	if (size < 1)
		return 0;
	notes_init(&notes, &a);
	notes.form = data[0] & 1 ? ANSWER_WHOLE : ANSWER_SSE;
	notes.wants_usage_event = data[0] & 2;
	notes.is_older_call_form = data[0] & 4;
	const struct dialect *d =
		dialect_find(data[0] & 8 ? SPAN("openai-completions") : SPAN("openai-chat"));
	utf8_repair(&repair, span_of((const char *)data + 1, size - 1), &lines);
	utf8_repair_end(&repair, &lines);
	const bool is_good = tell(d, &notes, &a, buf_view(&lines), &out);
	rules.has_unique_names = true;
	if (notes.form == ANSWER_SSE)
		assert(!chunks_read(buf_view(&out), &shown));
	else
		assert(is_good ? json_scan(buf_view(&out), rules, &v, NULL) == OK : out.n == 0);
	if (out.n > 0)
		read_again(d, &a, &out, is_good);
	return 0;
}
