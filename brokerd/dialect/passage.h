/* passage.h - which bytes of a reply go on to a caller who speaks its language, and when?
 * Each is decoded first: what fails there is not passed on, so that an error of the provider's is told by
 * the broker. An event stream goes on event by event, an array that is one by its elements, a reply in one
 * piece when it is whole, anything else as it comes. The one thing that is held back is the counts of a
 * stream that the broker asked for and its caller did not. No I/O. */
#ifndef BROKERD_DIALECT_PASSAGE_H
#define BROKERD_DIALECT_PASSAGE_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/elements.h"

struct passage {
	struct buf held; /* the event, the element or the reply so far */
	bool is_stream, is_sse, is_list;
	struct elements elements;
	bool hides_counts;
};

/* How a reply is decoded, and where its bytes go; each is passed up where it fails. */
struct passage_sink {
	enum err (*decode)(void *context, struct span bytes, struct fault *why);
	enum err (*pass_on)(void *context, struct span bytes);
	void *context;
};

/* For the reply to a forwarded request, by its head. */
void passage_init(struct passage *p, const struct forwarded *what, const struct http_head *head);
void passage_done(struct passage *p);

/* ERR_SERVER_ERROR (an event or a reply longer than limits.h has it), ERR_NO_MEMORY, or the sink's. */
enum err passage_take(struct passage *p, struct span bytes, const struct passage_sink *sink,
	struct fault *why) MUST_USE;
/* The input is over: what is still held is decoded. */
enum err passage_end(
	struct passage *p, const struct passage_sink *sink, struct fault *why) MUST_USE;
/* And it was found to be whole: that goes on, too. */
enum err passage_flush(struct passage *p, const struct passage_sink *sink) MUST_USE;

#endif
