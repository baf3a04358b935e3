/* whole.h - how is the reply to an operation beside chat read?
 * It is one JSON document, never a stream: gathered, scanned, read by a function for its shapes, and
 * only then, when nothing can go wrong any more, given out: start, results, usage. Nothing of a reply
 * that is broken is ever seen. The members of dialect_op but decoder_new are the same for all. */
#ifndef BROKERD_DIALECT_WHOLE_H
#define BROKERD_DIALECT_WHOLE_H
#include "brokerd/dialect/dialect.h"
#include "protocol/base/json.h"

struct whole {
	struct arena *arena;
	const struct notes *notes;
	struct llm_event start;
	struct llm_event *results;
	size_t n;
	struct llm_usage usage;
	const char *repaired; /* what was wrong and could be mended; NULL: nothing */
	int64_t head_tokens;  /* of the input, as a header says; -1: none does */
	struct span more;     /* where it goes on, of a list that comes in pages; absent: nowhere */
};

/* Fills in results and usage from a document that is no error. ERR_SERVER_ERROR with why,
 * ERR_NO_MEMORY. */
typedef enum err whole_reader(struct whole *w, struct json body, struct fault *why);

struct decoder *whole_new(struct arena *a, const struct notes *notes, const struct dialect_env *env,
	whole_reader *read);

/* What the reply's headers say of its input is believed where its document says nothing. */
void whole_meter(struct decoder *d, const struct http_head *head);

enum err whole_decode(
	struct decoder *d, struct span bytes, const struct event_sink *sink, struct fault *why);
enum err whole_decode_end(struct decoder *d, const struct event_sink *sink, struct fault *why);
void whole_done(struct decoder *d);
struct span whole_more(const struct decoder *d);

/* The rest of a row of a family's table. */
#define WHOLE_REPLY                                                                         \
	.decode = whole_decode, .decode_end = whole_decode_end, .decoder_done = whole_done, \
	.more = whole_more

/* Room for `n` results, zeroed. False: out of memory. */
bool whole_room(struct whole *w, size_t n) MUST_USE;

/* "the provider's reply: SENTENCE" as ERR_SERVER_ERROR. */
enum err whole_refuse(struct fault *why, const char *format, ...) PRINTF_LIKE(2, 3);

/* The first of these names whose member is an array, or an absent value. */
struct json whole_list(struct json body, const char *const *names, size_t n);

/* How many elements a list has. */
size_t whole_length(struct json list);

/* Usage wherever a family of this reply keeps it. */
void whole_usage(struct whole *w, struct json body);

#endif
