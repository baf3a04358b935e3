/* answer.h - what do the files share that write this family's answers?
 * answer.c takes the events and says how an answer begins and ends, answer_items.c says each item of its
 * output and keeps it for the end, answer_cited.c what citations become, answer_seals.c the provider's
 * last word on items of reasoning, answer_response.c the response around them all. */
#ifndef BROKERD_DIALECT_OPENAI_RESPONSES_ANSWER_H
#define BROKERD_DIALECT_OPENAI_RESPONSES_ANSWER_H
#include "brokerd/dialect/blocks.h"
#include "brokerd/dialect/openai_responses/namespaces.h"
#include "brokerd/dialect/openai_responses/openai_responses.h"
#include "protocol/base/json.h"

enum { ANSWER_ID_BYTES = 64 };

struct item_kind; /* answer_items.c */

/* The item that is open. Lists are JSON values with a comma between. */
struct answer_item {
	const struct item_kind *kind;
	char id[ANSWER_ID_BYTES];
	struct buf opening; /* of its deltas: all before their text, but for the event's number */
	size_t number_at;   /* where in it that comes */
	struct buf text;    /* all that was said of it: a JSON string, which its end closes */
	struct buf beside;  /* members of its own; of a message they may come before it opens */
	struct buf annotations, logprobs;
	int64_t n_annotations;
	size_t cited; /* of the text: what earlier citations are of */
};

/* A provider's item of reasoning that was given. Its last word may come later. */
struct answer_seal {
	struct answer_seal *next;
	struct span id;   /* the provider's, as JSON */
	size_t at, n;     /* of the items kept: what the last word takes the place of */
	bool is_carried;  /* that is a text of carry.h, not the item itself */
	struct span last; /* the last word, as JSON; absent: none came */
};

/* An item of this family that has the id of an earlier one: until something follows it may be the last
 * word. */
struct answer_again {
	struct answer_again *next;
	struct opaque opaque;
};

struct encoder {
	const struct answer_plan *plan;
	struct arena *arena;
	struct buf *out; /* where events go, while one is taken; NULL: the answer is in one piece */
	struct blocks blocks;
	size_t event_at; /* where the data of the event begins that is being written */
	int64_t n_events;
	uint64_t seed;
	struct namespaces spaces; /* of the caller's tools */

	struct span id, model; /* the response's */
	char made_id[ANSWER_ID_BYTES];
	int64_t created_s, total_us;
	struct buf repeated; /* what the response repeats of the request: members */
	struct span tier;    /* of service; absent: not known */
	struct llm_usage usage;
	enum finish finish;

	struct answer_item item;
	struct buf items; /* those that are over: JSON, a comma between */
	size_t said_n;    /* bytes of them that are whole: a failure may cut the last */
	int64_t n_items;
	struct answer_seal *seals, *last_seal; /* in the order of their items */
	struct answer_again *again, *last_again;
	struct buf picture; /* a JSON string: it may come again, in its own item */
	struct buf piece;   /* a text whose logprobs may follow */
	bool has_picture, has_piece, wants_logprobs;
	bool has_unsealed; /* reasoning was given that nothing sealed */
	bool is_stream, is_begun, is_ending, is_over;
};

/* A word like any other, but the same for the same seed: `prefix` and 48 hexadecimal digits. */
void answer_make_id(struct encoder *e, const char *prefix, char id[ANSWER_ID_BYTES]);

/* What has failed of all that is written; OK: nothing. */
enum err answer_error(struct encoder *e) MUST_USE;

/* Begins an event, whose members follow; and ends it. Only where there is an `out`. */
struct json_out answer_event(struct encoder *e, const char *type);
void answer_event_end(struct encoder *e, struct json_out *o);

/* ---- answer_items.c ---- */

extern const struct block_sink answer_items; /* its context is the encoder */

/* Logprobs of the text that came last: a JSON array. */
void answer_take_logprobs(struct encoder *e, struct json list);

/* Gives what waited for something to follow. */
enum err answer_settle(struct encoder *e) MUST_USE;

/* ---- answer_seals.c ---- */

/* An item of this family's, as it was; absent: it is none. */
struct json answer_own_item(const struct opaque *o);

/* The latest with the id of that item; NULL: there is none. */
struct answer_seal *answer_seal_find(const struct encoder *e, struct json item);

/* Notes that the items kept have, from `at` to their end, that item, or what carries it. */
enum err answer_seal_add(struct encoder *e, struct json item, size_t at, bool is_carried) MUST_USE;

/* Keeps an item that answer_seal_find has found an earlier one for. */
enum err answer_again(struct encoder *e, const struct opaque *o) MUST_USE;

/* Nothing follows: what is kept so are last words. */
enum err answer_last_words(struct encoder *e) MUST_USE;

/* The items that are over, each by its last word. */
void answer_put_output(const struct encoder *e, struct json_out *o);

/* ---- answer_cited.c ---- */

/* Writes a citation, of any family, of the characters from `from` to before `to`, as an annotation of
 * this one. False: it cannot be said, and nothing was written. */
bool answer_put_citation(struct json citation, int64_t from, int64_t to, struct json_out *o);

/* ---- answer_response.c ---- */

/* Writes the response as it is now. `fault`: what it failed with, or NULL. */
void answer_put_response(
	struct encoder *e, const char *status, const struct fault *fault, struct json_out *o);

/* How the finish is called as a status. */
const char *answer_status(enum finish finish);

#endif
