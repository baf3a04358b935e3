/* relay.h - what does the caller of a public API get of an answer, and in what frames?
 * Its request is read by the surface's family; of the answer it gets a head and the bytes that this family
 * says it with, made of the flight's events as its reader takes them. Bytes of a reply in that same
 * language go through as they are. Nothing here waits, and nothing is decided about the answer. */
#ifndef BROKERD_EXCHANGE_RELAY_H
#define BROKERD_EXCHANGE_RELAY_H
#include "brokerd/dialect/surfaces.h"
#include "brokerd/exchange/event_log.h"
#include "brokerd/exchange/keeper.h"
#include "brokerd/value/mishap.h"
#include "protocol/control.h"

struct relay {
	const struct surface *surface; /* NULL: a native call */
	const struct dialect *speaks;  /* who phrases its faults */
	enum llm_op op;
	struct surface_call call; /* in the arena */
	struct json asked;        /* the body as it was sent, once it is read */
	struct json body;         /* the same with all that it goes on from */
	struct notes notes;       /* as reading left them */
	const struct llm_request *request;
	struct arena *arena; /* the flight's */
	struct dialect_env env;
	struct answer_plan plan;
	struct encoder *encoder; /* NULL: nothing had to be written so far */
	struct span *warnings;   /* for the head: a line each */
	size_t n_warnings;
	bool has_head, is_forwarded;
	bool has_raw;        /* the provider's own bytes were told */
	bool ends_mid_event; /* the piece of the log in hand */
	bool is_mid_event;   /* the bytes told so far end inside of an event */
	bool was_silent;     /* since relay_hold was asked last */
	bool is_answered;    /* by the broker itself: nothing is added */
	struct buf said;     /* bytes of the answer that are not in a frame yet, */
	size_t told;         /* from here on */
	struct buf frame;    /* the packed body of the frame in hand */
	int frame_type;      /* 0: none, or the log's own */
	bool is_from_log;
	struct buf last;        /* that of the last frame, which goes out behind all bytes */
	int last_type;          /* 0: it has not come */
	bool is_over;           /* that was taken */
	bool keeps, is_keeping; /* the answer; and it is over, and waits until it is */
	struct keeper keeper;
	struct buf made;     /* scratch of what goes through it */
	struct span id;      /* under which it is kept; absent: it is not */
	struct mishap broke; /* the answer cannot be told to its end */
};

/* Takes a call of kind CALL_RELAY or CALL_NATIVE: which surface, which operation. Texts are copied to the arena, which
 * lives as long. ERR_UNSUPPORTED, ERR_NO_MEMORY; *r may be given to relay_done then, too. */
enum err relay_init(struct relay *r, const struct surface_call *call, struct arena *a,
	const struct dialect_env *env, struct fault *why) MUST_USE;
void relay_done(struct relay *r);

/* The body is whole: what it asks, in *out, which the relay goes on looking at. `laid_out` is the same with
 * what it goes on from; absent: nothing. Errors as the family's decode_request has them. */
enum err relay_read(struct relay *r, struct span body, struct span laid_out,
	struct llm_request *out, struct fault *why) MUST_USE;

/* Before anything is told: the answer is to be kept under this id, whoever writes it, and goes on from that
 * one or "null". JSON texts of the arena's. */
void relay_keep(struct relay *r, struct span id_json, struct span previous_json);
/* The response object that is to be kept now; absent: none, or not yet. Then it must be said how that
 * went: relay_kept. */
struct json relay_to_keep(const struct relay *r);
void relay_kept(struct relay *r, const struct fault *why);

/* Nothing was told for a while: of a stream the head goes out, and a remark that its readers pass over, so
 * that nobody on the way takes it for dead. False: there is something to tell, or it is no stream. */
bool relay_hold(struct relay *r);

/* The answer is these bytes of JSON, from the broker itself; before anything is told. */
void relay_answer(struct relay *r, struct span json);

/* Who answers, for the head. */
struct relay_about {
	struct span request_id;
	struct span provider, model; /* absent: nobody so far */
	struct span
		route; /* those who were tried before, and what became of it; absent: there was none */
	unsigned attempts;
	const struct cached *cached;
};

/* The next frame, until relay_take, for which events are taken from the log. False: nothing more for now;
 * *has_read says whether something was taken all the same. */
bool relay_peek(struct relay *r, struct event_log *log, struct event_cursor *c,
	const struct relay_about *about, int *frame_type, struct span *body, bool *has_read);
void relay_take(struct relay *r, struct event_log *log, struct event_cursor *c);

/* What keeps the answer from being told; OK: nothing. The fault frame has been made by then. */
const struct fault *relay_broke(const struct relay *r);

#endif
