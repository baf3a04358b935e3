/* reply.h - what do the files share that read a reply of this family?
 * reply.c takes the events, and the response at their end; reply_find.c finds the item that one is about;
 * reply_texts.c tells what is new of its texts, reply_calls.c of its call; reply_items.c says what becomes of
 * it when it is over. All return what outlet.h says. */
#ifndef BROKERD_DIALECT_OPENAI_RESPONSES_REPLY_H
#define BROKERD_DIALECT_OPENAI_RESPONSES_REPLY_H
#include "brokerd/dialect/framing.h"
#include "brokerd/dialect/openai_reply.h"
#include "brokerd/dialect/openai_responses/openai_responses.h"

/* One text of an item: how much of it came. */
struct told {
	struct told *next;
	int64_t index;
	struct repeat came;
};

/* The texts of one kind, in the order of their places. */
struct texts {
	struct told *first, *last;
	size_t n;
};

/* A citation that came by itself. */
struct cited {
	struct cited *next;
	struct span json;
};

struct item {
	struct item *next;
	int64_t index; /* output_index; -1: not said */
	struct span id;
	struct outlet_call *call; /* NULL: it is none */
	struct texts content, summary;
	int64_t summary_index; /* of the part that came last; -1: none */
	struct cited *cited, *last_cited;
	struct repeat sealed; /* encrypted_content, as it was given */
	bool has_logprobs, has_phase;
	bool is_added, is_over;
	bool is_last; /* the last word has it */
};

struct decoder {
	struct outlet out;
	struct framing framing;
	const struct notes *notes;
	struct item *items, *last;
	size_t n_items;
	struct buf audio, transcript;
	struct buf type; /* of the event in hand */
	bool is_whole, is_over, has_event;
};

/* ---- reply_find.c ---- */

/* The item that an event is about, by its place or else its id, made where it is new. */
enum err responses_item_for(
	struct decoder *d, struct json index, struct json id, struct item **out) MUST_USE;

/* The item that the `k`th of the last word repeats: the one with its id, or at its place, or, where
 * events had no places or used one twice, the one with as many before it; NULL: it is new. */
struct item *responses_find_last(const struct decoder *d, int64_t k, struct span id);

enum err responses_add_item(
	struct decoder *d, int64_t index, struct span id, struct item **out) MUST_USE;

/* ---- reply_texts.c ---- */

bool responses_has_come(const struct texts *t);

/* A content: a piece of it, or all, of which what is more than came in pieces is told. */
enum err responses_say(struct decoder *d, struct item *i, int64_t index, enum outlet_text kind,
	struct json text, bool is_all) MUST_USE;

/* A part of a summary, in the same way; the parts stand apart. */
enum err responses_say_summary(
	struct decoder *d, struct item *i, int64_t index, struct json text, bool is_all) MUST_USE;

enum err responses_say_logprobs(struct decoder *d, struct item *i, struct json list) MUST_USE;

/* A citation that its text's end may repeat: it is kept until then. */
enum err responses_keep_cited(struct decoder *d, struct item *i, struct json citation) MUST_USE;

/* All citations of a text, where there are any: those that are kept are among them. */
enum err responses_say_citations(struct decoder *d, struct item *i, struct json list) MUST_USE;

/* The citations that nothing repeated. */
enum err responses_give_cited(struct decoder *d, struct item *i) MUST_USE;

/* ---- reply_calls.c ---- */

bool responses_is_call(struct json type);

/* The call of an item, told what `item` (or an event about it) knows: id, name, the rest. */
enum err responses_take_call(struct decoder *d, struct item *i, struct json item) MUST_USE;

enum err responses_take_args(
	struct decoder *d, struct item *i, struct json args, bool is_all) MUST_USE;

enum err responses_end_call(
	struct decoder *d, struct item *i, struct json item, struct json type) MUST_USE;

/* ---- reply_items.c ---- */

/* The phase of a message, where nothing of the message was told yet. */
enum err responses_take_phase(struct decoder *d, struct item *i, struct json item) MUST_USE;

/* The item is whole: tells what of it was not told; or it is so again, by the last word. */
enum err responses_end_item(struct decoder *d, struct item *i, struct json item) MUST_USE;

#endif
