/* dialect.h - how does one wire family say a request and a reply?
 * Pure functions of bytes: no socket, key, log, clock or global. What a family does not have is NULL
 * in its table. One file a family, all directions side by side; registry.c lists them. */
#ifndef BROKERD_DIALECT_DIALECT_H
#define BROKERD_DIALECT_DIALECT_H
#include "brokerd/value/http.h"
#include "brokerd/value/notes.h"
#include "brokerd/value/target.h"
#include "protocol/base/json.h"
#include "protocol/event.h"
#include "protocol/surface.h"

/* Where events go, one at a time; their spans live until it returns. A result other than OK stops
 * the decoder, which passes it up. */
struct event_sink {
	enum err (*on_event)(void *context, const struct llm_event *e);
	void *context;
};
enum err event_emit(const struct event_sink *sink, const struct llm_event *e) MUST_USE;

struct splice;
struct decoder; /* a family's own, in the arena that made it */
struct encoder;

/* What a pure function may not find out by itself. */
struct dialect_env {
	int64_t wall_s;   /* seconds since 1970 */
	uint64_t seed;    /* for ids that must be made up: the same seed, the same ids */
	struct span page; /* of a list that comes in pages: as `more` had it; absent: the first */
};

/* What is known of an answer before it comes. All of it outlives the encoder. */
struct answer_plan {
	const struct llm_request *request; /* as decode_request read it */
	const struct notes *notes;         /* as decode_request left them */
	struct json
		body; /* what the caller sent, scanned: some surfaces repeat it; absent: nothing */
	const struct dialect_env *env;
	int64_t input_estimate; /* tokens of the request by a rule of thumb; -1: not known */
	struct span id;         /* that the broker keeps the answer under; absent: it does not */
	bool is_begun;          /* by the provider's own bytes: only its end is to be written */
};

/* A caller's own request, on its way to a provider who speaks the same language. */
struct forwarded {
	const struct llm_request
		*request; /* as decode_request read it, with what the broker bounds */
	struct json body; /* scanned by decode_request */
	const struct surface_call *call;
	enum answer_form form;
	bool wants_usage_event; /* as the notes of decode_request say; always of a native call */
	bool is_kept;           /* the broker keeps the answer, so the provider need not */
	const struct splice *edits; /* of the body: what the broker changes besides; may be NULL */
	size_t n_edits;
};

/* How much of an answer a request asks for as it goes out, in tokens. */
struct output_bound {
	int64_t asked;     /* room for the reasoning included; -1: as much as the model likes */
	int64_t reasoning; /* for which room is made; 0: none */
	int64_t least;     /* a bound below that would be refused */
};

struct dialect_op {
	/* Its request goes nowhere: what is encoded is its own reply. */
	bool is_local;

	/* ---- towards a provider ---- */

	/* Writes the request for `target`. All memory is the arena's (notes->arena). Notes are added
	 * to. ERR_INVALID_REQUEST with the member's path, ERR_TOO_BIG, ERR_NO_MEMORY. */
	enum err (*encode_request)(const struct llm_request *, const struct target *,
		const struct dialect_env *, struct notes *, struct http_request *out,
		struct fault *why);

	/* What encode_request would ask for, never less; the bound that is the target's (max_output_tokens) always
	 * holds. NULL: max_tokens, at the most so many, and any bound from 1 on. */
	void (*bound_output)(
		const struct llm_request *, const struct target *, struct output_bound *out);

	/* encode_request of a request whose caller speaks this family: its own bytes, but for the members that
	 * are the broker's. Warnings there are none. NULL: it always goes as encode_request writes it. */
	enum err (*forward)(const struct forwarded *, const struct target *, struct notes *,
		struct http_request *out, struct fault *why);

	/* A decoder for the reply to that request, whose head has come with a status below 400.
	 * NULL: out of memory. */
	struct decoder *(*decoder_new)(struct arena *, const struct notes *,
		const struct dialect_env *, const struct http_head *);

	/* Feeds bytes, cut anywhere. Events go to the sink as soon as they are certain. An error the
	 * provider sends inside a reply is returned with its class in *why, and ends the decoding. */
	enum err (*decode)(
		struct decoder *, struct span bytes, const struct event_sink *, struct fault *why);

	/* Is the answer whole before its input is: what still comes is not wanted, and the transfer may be
	 * closed? Asked after each decode; decode_end follows. NULL: never. */
	bool (*has_enough)(const struct decoder *);

	/* The input is over. OK: it was whole, and its last events (usage, finish) have been given;
	 * EV_END is the caller's to give. ERR_STREAM_INCOMPLETE: it was cut. */
	enum err (*decode_end)(struct decoder *, const struct event_sink *, struct fault *why);

	/* After decode_end: where a list that comes in pages goes on; absent: it is whole. Lives as long as
	 * the decoder's arena. NULL: it never does. */
	struct span (*more)(const struct decoder *);

	/* Frees what the decoder holds outside of its arena. Once, before the arena goes, whether or not
	 * the input came to its end. */
	void (*decoder_done)(struct decoder *);

	/* ---- towards a caller who speaks it ---- */

	/* What a caller's body asks (of models, which have none, its path and query); how it wants its
	 * answer goes to the notes. Spans are the body's, the call's or the arena's. ERR_INVALID_REQUEST
	 * with the member's path, ERR_TOO_BIG, ERR_NO_MEMORY. */
	enum err (*decode_request)(const struct surface_call *, struct span body, struct arena *,
		struct llm_request *out, struct notes *, struct fault *why);

	/* An encoder of the answer to that request. NULL: out of memory. */
	struct encoder *(*encoder_new)(struct arena *, const struct answer_plan *);

	/* Appends what the caller is told at this event. They come in the order of event.h, EV_END or
	 * EV_FAULT last, after which nothing is ever appended. A stream is legal at every moment, whatever
	 * comes: what its language has no place for is left out. An answer in one piece is appended at
	 * EV_END; of its fault nothing is, for phrase tells that. ERR_NO_MEMORY, or what sticks to `out`;
	 * of an answer in one piece, after which there is none, ERR_TOO_BIG, and ERR_NOT_FOUND at EV_END:
	 * the one model that was asked for did not come. */
	enum err (*encode)(struct encoder *, const struct llm_event *, struct buf *out);

	/* Frees what the encoder holds outside of its arena. Once, before the arena goes. */
	void (*encoder_done)(struct encoder *);
};

struct dialect {
	const char *family; /* as in the configuration: "openai-chat" */
	const char *path;   /* of chat, below the base URL, where the provider's row says none */
	const struct dialect_op *ops[LLM_OP_COUNT_OF];

	/* A reply of status >= 400 (or an error object in a good one), in our terms: class, code,
	 * message, param, retry_after_ms. Never fails. */
	void (*explain)(const struct http_reply *, const struct target *, struct fault *out);

	/* Our fault as a reply of this family's: its body, and its status. NULL where no surface speaks it. */
	void (*phrase)(const struct fault *, struct buf *out, int *http_status);
	/* The same as the last event of an event stream whose other events another wrote. */
	void (*phrase_event)(const struct fault *, struct buf *out);

	/* GET path of the list of models; NULL where there is none. */
	const char *models_path;
	/* What a query for a further page of it calls its place; NULL: "after". */
	const char *models_page;
};

/* The family of that name, or NULL. */
const struct dialect *dialect_find(struct span family);
/* The family's operation, or what stands for it in all that have none of their own: an estimate for a
 * count, the list at models_path for models. NULL: it cannot do that. */
const struct dialect_op *dialect_operation(const struct dialect *d, enum llm_op op);
/* What the operation's encode_request writes, without what the target's trait `drops` names and what
 * earlier turns have of other families' own, and with the functions of namespaces one by one and functions
 * for custom tools where the target knows neither: each has a warning. All memory is the arena's; errors as
 * encode_request has them. */
enum err dialect_encode(const struct dialect_op *op, const struct llm_request *r,
	const struct target *target, const struct dialect_env *env, struct notes *notes,
	struct http_request *out, struct fault *why) MUST_USE;
/* All of them, ended by NULL. */
const struct dialect *const *dialect_all(void);

#endif
