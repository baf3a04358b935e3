/* kept.h - what of an answer is kept, and what does the next request go on from?
 * The Responses API: a request may go on from an answer by its id, which is then as if it began with all
 * that was said up to there. Pure functions of JSON; who reads and writes the files is store/responses.c. */
#ifndef BROKERD_EXCHANGE_KEPT_H
#define BROKERD_EXCHANGE_KEPT_H
#include "brokerd/store/responses.h"
#include "protocol/base/json.h"
#include "protocol/surface.h"

/* The id that a body goes on from; absent: none. ERR_NO_MEMORY. What is no JSON goes on from nothing:
 * its reader says what is wrong. */
enum err kept_previous(struct span body, struct arena *a, struct span *out) MUST_USE;

/* An item of an earlier answer that a body names by its id alone. */
struct kept_item {
	struct span id;
	struct span json; /* absent: not found yet */
};

/* The items that a body names so, each once; none of what is no JSON. ERR_TOO_BIG: more than may be,
 * ERR_NO_MEMORY. */
#define KEPT_ITEMS_MAX ((size_t)1000)
enum err kept_references(
	struct span body, struct arena *a, struct kept_item **out, size_t *n) MUST_USE;
/* Finds items of the list in the answer, the texts being the arena's. ERR_NO_MEMORY. */
enum err kept_find(
	const struct response *r, struct kept_item *items, size_t n, struct arena *a) MUST_USE;
/* Tells each item of an answer that is to be kept, by its id. */
void kept_each_id(struct json response, struct arena *a,
	void (*tell)(void *context, struct span id), void *context);

/* What a body goes on from. */
struct kept_past {
	const struct response *list; /* answers, newest first */
	size_t n;
	const struct kept_item *items; /* that it names */
	size_t n_items;
};

/* Appends the body as if it had said all itself: `input` begins with what the answers were asked and said,
 * items stand where they were named, and it goes on from none. Items lose the ids that only a provider who
 * keeps them could know. `body` is scanned. */
void kept_lay_out(struct json body, const struct kept_past *past, struct buf *out);

/* Appends what is kept of an answer: the items that it was asked, those that were named by their ids as
 * they are, and the response object. ERR_SERVER_ERROR: the object is no JSON that could be given back. */
enum err kept_record(struct json body, const struct kept_past *past, struct json response,
	struct buf *out, struct fault *why) MUST_USE;

#endif
