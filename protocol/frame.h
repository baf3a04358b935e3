/* frame.h - where does one frame end and the next begin?
 * A frame is a 32-bit big-endian length and that many bytes of msgpack: [type, call, body].
 * Pure functions of bytes: no I/O, no allocation but in the caller's buf. */
#ifndef PROTOCOL_FRAME_H
#define PROTOCOL_FRAME_H
#include <stdint.h>

#include "protocol/base/buf.h"
#include "protocol/pack.h"

enum frame_type {
	FRAME_HELLO = 1,   /* client: its versions and features */
	FRAME_WELCOME = 2, /* broker: what was chosen, and who it thinks the client is */
	FRAME_CALL = 3,    /* client: begin a call */
	FRAME_DATA = 4,    /* a piece of a body, either way */
	FRAME_HEAD = 5,    /* broker: status and headers of a relayed reply */
	FRAME_EVENT = 6,   /* broker: one step of an answer */
	FRAME_END = 7,     /* broker: the call is over, and was good */
	FRAME_FAULT = 8,  /* broker: the call (or, as call 0, the connection) is over, and failed */
	FRAME_CANCEL = 9, /* client: stop this call */
	FRAME_CREDIT = 10, /* so many more bytes of this call may be sent */
	FRAME_GOAWAY = 11, /* broker: begin no new calls here; those open will be finished */
};

/* "hello", "call", ...; "unknown" for any other number. Never NULL. */
const char *frame_name(int type);

/* A frame as it lies in the bytes it came in. */
struct frame {
	int type;            /* any number: an unknown one is the receiver's to refuse */
	uint32_t call;       /* 0: the connection itself */
	struct pack_in body; /* a reader that stands before the body; checked msgpack */
	struct span raw;     /* the body's bytes */
	uint32_t length;     /* of the frame without its prefix: what it costs in credit */
};

/* Takes the first whole frame off the front of *in and checks it.
 * ERR_MORE: it is not all there yet, *in is untouched, and *need (may be NULL) says how many bytes
 * the frame has in all, or 4 while its length is not known. ERR_TOO_BIG, ERR_MALFORMED: the
 * connection cannot go on. The frame's spans point into *in's bytes. */
enum err frame_take(struct span *in, struct frame *out, size_t *need, struct fault *why) MUST_USE;

/* Is the first frame of `in` all there, and as we write it? Then *out is that, but for `body`: what is in it was not checked, which
 * is for who compares its bytes with those of one that was. False: that it is another is not said. */
bool frame_glance(struct span in, struct frame *out);
#define FRAME_PREFIX_BYTES ((size_t)4) /* before the `length` bytes of a frame */

/* Appends a frame: frame_begin, then exactly one msgpack value for the body by `pack_put_...` on
 * the same buf, then frame_finish with the mark that frame_begin gave. What does not fit into
 * LIMIT_FRAME_BYTES makes frame_finish return ERR_TOO_BIG and takes the frame back. */
size_t frame_begin(struct buf *out, enum frame_type type, uint32_t call);
enum err frame_finish(struct buf *out, size_t mark) MUST_USE;

/* Appends a frame whose body is already packed. */
enum err frame_put(
	struct buf *out, enum frame_type type, uint32_t call, struct span packed_body) MUST_USE;

#endif
