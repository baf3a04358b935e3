/* link.h - what has come over one connection to a broker, and what has yet to go?
 * Bytes in and out of one socket that never blocks, as frames. Knows no call and no clock. */
#ifndef LIBLLMCLIENT_SRC_LINK_H
#define LIBLLMCLIENT_SRC_LINK_H
#include "protocol/base/buf.h"
#include "protocol/frame.h"

enum link_state {
	LINK_GREETING, /* hello is on its way, the welcome has not come */
	LINK_UP,
	LINK_LEAVING, /* goaway: open calls go on, new ones belong on another */
};

#define LINK_FDS 2

/* Descriptors that go with what is sent from `at` up to `end`, which is where their frame ends, and nothing else: so the
 * broker knows whose they are, however its readings are cut. */
struct link_fds {
	uint64_t at, end;
	int list[LINK_FDS]; /* copies */
	size_t n;
};

struct link {
	struct link *prev, *next; /* of its client */
	int fd;
	enum link_state state;
	bool is_watched_out; /* for room to write, too */
	bool is_room_wanted; /* a program has more for it, and is to be woken once there is room */
	uint32_t last_call;  /* the highest number given to a call */
	size_t n_open;       /* calls that the broker has not ended, cancelled ones included */
	int64_t credit_bytes, max_body_bytes; /* as in the welcome */
	int64_t hello_due_ms;                 /* the welcome is to be here by then */
	struct buf in, out;
	size_t out_at;               /* how much of `out` has gone */
	uint64_t n_sent, n_received; /* bytes that have gone and come since the beginning */
	bool has_secret;             /* `out` is wiped once it has gone */
	struct link_fds *fds;        /* that have yet to go, in their order */
	struct link_fds coming;      /* of the frame that is put next */
	size_t n_fds;
};

/* Takes the connected, non-blocking socket. NULL: out of memory; the socket is closed. */
struct link *link_new(int fd);
void link_free(struct link *l); /* closes */

/* Where in the whole of what is sent the next frame begins. */
uint64_t link_mark(const struct link *l);

/* How much is waiting to go. */
size_t link_pending(const struct link *l);

/* Is so little waiting that a piece of a body may be put behind it? */
bool link_has_room(const struct link *l);

/* Room for a frame of `n` bytes with a secret in it, so that growing leaves none of it behind. */
void link_expect_secret(struct link *l, size_t n);

/* Copies of these go along with the call's frame that is put next. False: they cannot be copied, or are too many. */
bool link_attach(struct link *l, const int *fds, size_t n);
/* It is put, and began at `mark`. False: out of memory, and they are gone. */
bool link_bind(struct link *l, uint64_t mark);

/* Sends what the socket takes now. ERR_IO: the connection is broken. */
enum err link_flush(struct link *l, struct fault *why) MUST_USE;

/* Reads what is there, up to a bound. ERR_MORE: nothing was. ERR_IO: the connection is over.
 * ERR_NO_MEMORY. */
enum err link_read(struct link *l, struct fault *why) MUST_USE;

/* The next whole frame of what has been read: `rest` begins as link_received() and moves on.
 * ERR_MORE: no other. ERR_MALFORMED, ERR_TOO_BIG, ERR_NO_MEMORY: the connection cannot go on. */
enum err link_take(struct span *rest, struct frame *out, struct fault *why) MUST_USE;
struct span link_received(const struct link *l);
void link_drop(struct link *l, struct span rest); /* all but `rest` is done with */

#endif
