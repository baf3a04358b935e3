/* feed.c - cuts, and feeds the pieces. */
#include "tests/lib/feed.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/limits.h"

bool cuts_read(const char *word, struct cuts *out)
{
	char *end;
	*out = (struct cuts){.is_special = strcmp(word, "special") == 0};
	if (out->is_special)
		return true;
	out->step = strtoul(word, &end, 10);
	return word[0] >= '0' && word[0] <= '9' && *end == '\0';
}

/* Is there a backslash at `at` that begins an escape? */
static bool is_escape(struct span s, size_t at)
{
	size_t run = 0;
	while (run <= at && s.p[at - run] == '\\')
		run++;
	return run % 2 == 1;
}

/* Would something be torn apart between the bytes before `at` and those from there on? */
static bool is_special(struct span s, size_t at)
{
	if (((unsigned char)s.p[at] & 0xc0) == 0x80)
		return true;
	if (s.p[at - 1] == '\r' && s.p[at] == '\n')
		return true;
	if (is_escape(s, at - 1))
		return true;
	/* behind the `u` of an escape and between its digits; behind the fourth, if another follows */
	for (size_t back = 2; back <= 6 && back <= at; back++) {
		if (s.p[at - back] == '\\' && s.p[at - back + 1] == 'u' && is_escape(s, at - back))
			return back < 6 || s.p[at] == '\\';
	}
	return false;
}

/* Where the piece that begins at `from` ends. */
static size_t piece_end(struct cuts cuts, struct span body, size_t from)
{
	size_t end = from + 1;
	if (!cuts.is_special)
		return cuts.step && cuts.step < body.n - from ? from + cuts.step : body.n;
	while (end < body.n && !is_special(body, end))
		end++;
	return end;
}

enum err feed_op(enum llm_op of, const struct dialect *d, const struct notes *notes,
	const struct http_reply *reply, const struct target *target, struct cuts cuts,
	const struct event_sink *sink, struct fault *why)
{
	const struct dialect_op *op = dialect_operation(d, of);
	const struct span body = reply->body;
	struct arena arena;
	enum err err = OK;
	size_t at = 0;
	*why = FAULT_NONE;
	if (reply->head.status >= 300) {
		d->explain(reply, target, why);
		return why->err;
	}
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	struct decoder *decoder = op->decoder_new(&arena, notes, &FEED_ENV, &reply->head);
	assert(decoder);
	while (!err && at < body.n) {
		/* each piece in memory of its own, so that reading past it is found */
		const size_t n = piece_end(cuts, body, at) - at;
		char *copy = malloc(n);
		assert(copy);
		memcpy(copy, body.p + at, n);
		err = op->decode(decoder, span_of(copy, n), sink, why);
		free(copy);
		at += n;
	}
	if (!err)
		err = op->decode_end(decoder, sink, why);
	op->decoder_done(decoder);
	arena_done(&arena);
	return err;
}

enum err feed_reply(const struct dialect *d, const struct notes *notes,
	const struct http_reply *reply, const struct target *target, struct cuts cuts,
	const struct event_sink *sink, struct fault *why)
{
	return feed_op(LLM_OP_CHAT, d, notes, reply, target, cuts, sink, why);
}
