/* feed.h - what does a reply decode to, wherever its bytes are cut?
 * For the golden cases, the recorded replies and the developer's tool. Ends the program where there is
 * no memory. */
#ifndef TESTS_LIB_FEED_H
#define TESTS_LIB_FEED_H
#include "brokerd/dialect/dialect.h"

/* A pure function's world: the same in all tests. */
#define FEED_ENV ((struct dialect_env){.wall_s = 1795305600, .seed = 7})

/* Where a body is cut: after every `step` bytes (0: nowhere), or at each place where a reader that
 * takes its input for whole would stumble, and nowhere else: inside of a UTF-8 character, between CR
 * and LF, inside of a JSON string's escape and between the two of a surrogate pair. */
struct cuts {
	size_t step;
	bool is_special;
};

/* "0", "1", "61", "special". False: it is none of these. */
bool cuts_read(const char *word, struct cuts *out) MUST_USE;

/* Decodes the reply to an operation piece by piece; one of status 300 or more is explained. What fails is in *why,
 * which is FAULT_NONE otherwise. */
enum err feed_op(enum llm_op of, const struct dialect *d, const struct notes *notes,
	const struct http_reply *reply, const struct target *target, struct cuts cuts,
	const struct event_sink *sink, struct fault *why);

/* The same of a reply to a chat. */
enum err feed_reply(const struct dialect *d, const struct notes *notes,
	const struct http_reply *reply, const struct target *target, struct cuts cuts,
	const struct event_sink *sink, struct fault *why);

#endif
