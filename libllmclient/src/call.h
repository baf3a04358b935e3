/* call.h - what is one call, from being asked to its end?
 * What is sent is kept until the first event, so that it can be sent again; what comes is kept as
 * frames until the program takes it, as much as the credit that was given allows. */
#ifndef LIBLLMCLIENT_SRC_CALL_H
#define LIBLLMCLIENT_SRC_CALL_H
#include "libllmclient/src/client.h"
#include "libllmclient/src/request.h"
#include "libllmclient/src/result.h"

enum stream_state {
	STREAM_WAITING, /* for a connection, or until it is tried again */
	STREAM_OPEN,    /* asked, and not at its end */
	STREAM_OVER,    /* the last frame is here, or will not come; the program may still read */
	STREAM_ENDED,   /* and the program knows */
};

struct llm_stream {
	struct llm_stream *prev, *next; /* of its client */
	struct llm_client *client;
	enum stream_state state;
	enum call_kind kind;
	bool is_streaming; /* pieces are wanted: silence between them is a fault */
	bool is_at_most_once;
	bool is_secret; /* what is sent is wiped */
	bool is_doomed; /* freed inside a callback */
	/* what is sent */
	struct buf ask;  /* the body of the call frame */
	struct buf body; /* what comes after it in data frames */
	size_t body_at;
	int64_t body_credit;
	bool has_body; /* in data frames, and not all of it has gone */
	/* a body that is the program's to send, piece by piece; nothing of it is kept here */
	bool is_body_later;
	bool is_body_whole; /* its last piece was taken */
	bool is_body_short; /* less was taken than was offered: the program is to come again */
	int64_t later_bytes, taken_bytes; /* announced, -1: not; and taken so far */
	int behalf_fd; /* goes along: of the process that it is for, our own; -1: none */
	struct link *link;
	uint32_t call;
	uint64_t mark; /* where in all that the link sends the call frame begins */
	int retries_left, n_tries;
	int64_t retry_ms; /* not before */
	/* what comes */
	struct buf inbox;
	size_t inbox_at;
	int64_t owed_bytes; /* read by the program, and not given back as credit */
	bool has_event, has_content;
	struct fault failure; /* told once the inbox is empty */
	struct step step;
	struct llm_result result;
	struct llm_error error;
	int64_t due_ms, silent_ms; /* no later than; since when nothing has come */
	atomic_bool is_cancelled;
	llm_event_fn on_event;
	void *on_event_arg, *data;
};

/* What a call is about, where it is no request. */
struct admin_call {
	const char *op;
	struct span json;
};

/* Puts a call together and sends it as soon as there is a connection. The answer is whole unless
 * `is_streaming`. NULL: *why says why. */
struct llm_stream *stream_new(
	struct llm_client *c, const struct builder *b, bool is_streaming, struct fault *why);
struct llm_stream *stream_new_admin(
	struct llm_client *c, const struct admin_call *admin, struct fault *why);
void stream_free(struct llm_stream *s); /* without a word to the broker */

/* Puts the call into the link. ERR_NO_MEMORY. */
enum err stream_send(struct llm_stream *s, struct link *l, struct fault *why) MUST_USE;

/* Puts as much of the body into the link as credit allows. ERR_NO_MEMORY. */
enum err stream_send_body(struct llm_stream *s, struct fault *why) MUST_USE;

/* Puts as much of a piece of a body that comes later into the link as goes there now; *n bytes. A last piece
 * without bytes goes by itself, once it can. ERR_NO_MEMORY. */
enum err stream_send_piece(struct llm_stream *s, struct span piece, bool is_last, size_t *n,
	struct fault *why) MUST_USE;

/* Is it at its end, so that nothing of a body is wanted? */
bool stream_is_over(const struct llm_stream *s);

/* Does it wait for its program to go on with a body that comes later, and nothing else? */
bool stream_wants_body(const struct llm_stream *s);

/* The same of a program that was told to come again: may it? */
bool stream_is_offered_room(const struct llm_stream *s);

/* A frame for this call. An error is the connection's: what came makes no sense. */
enum err stream_receive(
	struct llm_stream *s, const struct frame *f, int64_t now_ms, struct fault *why) MUST_USE;

/* The connection is lost: tries anew where that is allowed, else fails. */
void stream_lost(struct llm_stream *s, const struct fault *why, int64_t now_ms);
/* The same of the connection that it waits for, before the welcome was there. */
void stream_unwelcome(struct llm_stream *s, const struct fault *why, int64_t now_ms);

/* Ends it from this side: what is in the inbox is dropped, the broker is told. */
void stream_stop(struct llm_stream *s, const struct fault *why);

/* The same, if it was cancelled from somewhere. */
void stream_heed_cancel(struct llm_stream *s);

/* When it must be looked at; NEVER_MS: not by time. */
int64_t stream_due_ms(const struct llm_stream *s);

/* Fails it if it is late. */
void stream_check_time(struct llm_stream *s, int64_t now_ms);

/* Is there something for the program to take, an end included? */
bool stream_is_readable(const struct llm_stream *s);

/* As llm_stream_next(), but never waits: LLM_E_AGAIN. */
int stream_take(struct llm_stream *s, const llm_event **ev);

#endif
