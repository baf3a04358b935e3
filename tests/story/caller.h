/* caller.h - what does one client of the broker say and hear?
 * A connection to its socket, frames out and in. What comes is kept as one line of text a frame, by
 * call, so that a story can name it; nothing here waits. */
#ifndef TESTS_STORY_CALLER_H
#define TESTS_STORY_CALLER_H
#include "protocol/base/buf.h"
#include "protocol/control.h"

struct heard {
	struct heard *prev, *next;
	uint32_t call;
	size_t text_bytes; /* of a piece of text, for adding pieces up */
	char line[];
};

struct asked {
	struct asked *prev, *next;
	uint32_t call;
	struct buf body; /* the packed request, and how much of it was sent */
	size_t sent;
};

struct caller {
	struct caller *prev, *next;
	char name[16];
	int fd;
	struct buf in, out;
	struct heard *heard;
	struct asked *asked;
	bool is_deaf;   /* reads nothing */
	bool is_closed; /* by the broker */
};

/* Connects; says hello where `with_hello`. Ends the run where nobody listens. */
struct caller *caller_new(struct span name, const char *socket_path, bool with_hello);
void caller_free(struct caller *c); /* hangs up */

/* Takes what is there and writes what waits. True: there was something. */
bool caller_turn(struct caller *c);

/* Begins a call. The body goes inside it where `is_inline`, else by caller_data. */
void caller_call(
	struct caller *c, uint32_t number, struct call *call, struct span body, bool is_inline);
/* The next `n` bytes of that call's body; junk where it has no more. */
void caller_data(struct caller *c, uint32_t number, size_t n, bool is_last);
size_t caller_unsent(const struct caller *c, uint32_t number);
void caller_cancel(struct caller *c, uint32_t number);
void caller_credit(struct caller *c, uint32_t number, int64_t bytes);
void caller_raw(struct caller *c, struct span bytes);

/* The first thing heard of a call that was not taken yet; NULL: nothing. */
struct heard *caller_heard(const struct caller *c, uint32_t call);
void caller_take(struct caller *c, struct heard *h);

#endif
