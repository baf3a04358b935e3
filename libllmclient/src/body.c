/* body.c - how does a body that is not there yet get on its way? By pieces, each as far as the broker keeps up. */
#include <inttypes.h>

#include "libllmclient/src/call.h"
#include "libllmclient/src/clock.h"
#include "protocol/limits.h"

static int refuse(struct llm_stream *s, const char *sentence)
{
	struct fault why;
	fault_set(&why, ERR_INVALID_ARGUMENT, "%s", sentence);
	return client_fail(s->client, &why);
}

/* False: with this piece it is longer than it may be, or at its end shorter. */
static bool fits(const struct llm_stream *s, size_t len, bool is_last, struct fault *why)
{
	const bool is_announced = s->later_bytes >= 0;
	const size_t most = is_announced ? (size_t)s->later_bytes : LIMIT_BODY_BYTES;
	const size_t left = most - (size_t)s->taken_bytes;
	if (len > left && is_announced)
		fault_set(why, ERR_INVALID_ARGUMENT,
			"the body is longer than the %" PRId64 " bytes announced", s->later_bytes);
	else if (len > left)
		fault_set(why, ERR_TOO_BIG, "the body is longer than %zu MiB",
			LIMIT_BODY_BYTES / MIB);
	else if (is_last && is_announced && len < left)
		fault_set(why, ERR_INVALID_ARGUMENT,
			"the body is %" PRId64 " bytes, and %" PRId64 " were announced",
			s->taken_bytes + (int64_t)len, s->later_bytes);
	return !why->err;
}

/* The call is cancelled: what would be left of its body is none. */
static int give_up(struct llm_stream *s, const struct fault *why)
{
	stream_stop(s, why);
	return client_fail(s->client, why);
}

/* From now on it is the broker who is silent. */
static void be_short(struct llm_stream *s)
{
	if (!s->is_body_short)
		s->silent_ms = clock_ms();
	s->is_body_short = true;
}

/* Sends what goes, and waits for the rest to go where that is allowed. */
static int64_t send(struct llm_stream *s, struct span piece, bool is_last)
{
	struct llm_client *c = s->client;
	struct fault why = FAULT_NONE;
	const size_t len = piece.n;
	for (;;) {
		size_t n;
		stream_heed_cancel(s);
		if (stream_is_over(s)) { /* its end says why; nobody wants the rest */
			s->is_body_whole = is_last;
			s->is_body_short = false;
			return (int64_t)len;
		}
		if (stream_send_piece(s, piece, is_last, &n, &why))
			return give_up(s, &why);
		piece = span_skip(piece, n);
		const bool is_taken = piece.n == 0;
		if (s->link && (n > 0 || is_taken))
			client_flush(c, s->link); /* may be the end of the link, and of the call */
		if (is_taken) {
			s->is_body_short = false;
			return (int64_t)len;
		}
		if (n > 0)
			continue; /* some of it may be in the socket by now */
		be_short(s);
		if (client_never_blocks(c))
			break;
		client_step(c, -1);
	}
	if (s->link && !link_has_room(s->link))
		s->link->is_room_wanted = true;
	return (int64_t)(len - piece.n);
}

int64_t llm_stream_body(llm_stream *s, const void *data, size_t len, int is_last)
{
	struct fault why = FAULT_NONE;
	if (!s)
		return LLM_E_INVAL;
	if (client_is_forked(s->client))
		return LLM_E_FORKED;
	if (!s->is_body_later)
		return refuse(s, "the body of this call is there already: llm_relay_body_later() "
				 "says that it will follow");
	if (s->is_body_whole)
		return refuse(s, "the last piece of this call's body was taken before");
	if (!data && len > 0)
		return refuse(s, "the piece of the body is NULL");
	if (!stream_is_over(s) && !fits(s, len, is_last != 0, &why))
		return give_up(s, &why);
	return send(s, span_of(data ? data : "", len), is_last != 0);
}
