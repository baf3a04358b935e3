/* tape.h - what was said in an answer, from its beginning on?
 * The events of one answer, packed, for those who ask the same and come later: while it is in the making, and afterwards from
 * the cache. An answer that is forwarded in its provider's own bytes is on it twice: as those bytes, for callers who ask with
 * the very same body, and as events, for all others. What the broker tells a caller of his own call is not on it, nor are
 * figures of usage, of which it has the last. No I/O.
 * All answers in the making have one bound together. Where it is reached, a tape that is only to be kept is dropped, at three
 * quarters of it already; one that others read goes on, for they have had its beginning: nobody joins it any more, it is not
 * kept, it forgets what all have read, and is no further than the slowest of them is. So they are beyond that bound by what
 * came in one piece, and by about a mebibyte for each. */
#ifndef BROKERD_EXCHANGE_TAPE_H
#define BROKERD_EXCHANGE_TAPE_H
#include "brokerd/cache/copy.h"
#include "protocol/event.h"

enum tape_track {
	TAPE_EVENTS = 1,
	TAPE_BYTES = 2, /* the head and bytes of a forwarded reply */
	TAPE_BOTH = TAPE_EVENTS | TAPE_BYTES,
};

#define TAPE_TAG_BYTES 16

struct tape_reader {
	struct tape_reader *prev, *next;
	struct tape *tape; /* NULL: it reads none */
	size_t at;
	void (*on_news)(struct tape_reader
			*r); /* there is more, or it is over: may be called from inside a put */
};

/* What the tapes of answers in the making take together, as they were allocated. */
struct tapes {
	size_t bytes, most;
};

struct tape {
	unsigned users;
	struct tapes *all; /* where it counts; NULL: nowhere, as one that was kept */
	size_t counted;
	uint64_t owner; /* whose opaque items are in it: as store/items.h knows them */
	void (*on_read)(
		void *context); /* one of its readers has got on; NULL: nobody wants to know */
	void (*on_left)(void *context); /* one has left */
	void *context;
	struct buf bytes, names;
	struct span kept; /* of one that was kept, instead: */
	struct cache_copy
		*of; /* they are there, and it is held. NULL: its owner sees to it that they stay */
	struct tape_reader *readers;
	bool is_held; /* from there on nobody sees it: */
	size_t held_at;
	bool is_forwarded; /* it has bytes; known once there is content */
	bool has_content;
	bool has_items; /* that its provider wants back, or calls, which may have had some */
	unsigned char tag[TAPE_TAG_BYTES]; /* of the body that the bytes answer */
	bool is_broken; /* it was too long, or all were: nobody may begin to read it */

	/* the end */
	bool is_over;
	bool is_leaders_own;         /* it failed for a reason of the one that led alone */
	struct span provider, model; /* who gave it; live as long */
	enum finish finish;
	uint32_t warnings;
	struct llm_usage usage;  /* as it was counted, with what it cost */
	const struct fault *why; /* NULL: a good answer; else: */
	struct fault *own_why;   /* NULL: there was no memory for it */
};

/* With one user. NULL: out of memory. */
struct tape *tape_new(void);
struct tape *tape_ref(struct tape *t);
void tape_unref(struct tape *t); /* NULL is fine */

/* ERR_TOO_BIG: it would be longer than `most`, or nobody reads it and there is no room for all: it is as it was. ERR_NO_MEMORY. */
enum err tape_put(
	struct tape *t, enum tape_track track, const struct llm_event *e, size_t most) MUST_USE;
/* Nobody reads it, and nobody will. */
void tape_drop(struct tape *t);
void tape_hold(struct tape *t);
void tape_show(struct tape *t);
void tape_withdraw(struct tape *t); /* back to where it was held */
size_t tape_held(const struct tape *t);
struct span tape_bytes(const struct tape *t); /* all that is on it, until the next put */
/* The last word; *why OK: it is whole. */
void tape_end(struct tape *t, const struct fault *why);
/* Who answers: copied, once. ERR_NO_MEMORY. */
enum err tape_name(struct tape *t, struct span provider, struct span model) MUST_USE;

void tape_join(struct tape *t, struct tape_reader *r);     /* at its beginning */
void tape_join_end(struct tape *t, struct tape_reader *r); /* behind all that there is */
void tape_leave(struct tape_reader *r);                    /* harmless where it reads none */
/* The next entry of that track; lives until the next put. False: nothing more for now. */
bool tape_peek(struct tape_reader *r, enum tape_track track, int *frame_type, struct span *body);
enum tape_track tape_track_at(const struct tape_reader *r); /* of the entry that peek showed */
void tape_take(struct tape_reader *r);                      /* past what peek showed */
/* Has any reader no more than so many bytes left; or, of one that is broken, has every one? With none, nobody waits: true. */
bool tape_is_read(const struct tape *t, size_t most);

/* Appends a whole good answer as it is kept. */
void tape_pack(const struct tape *t, struct buf *out);
/* Reads it back as a new tape, which has its bytes where they are, in *of, and holds that; `of` NULL: they stay as long as the
 * tape does. NULL: it is no answer, or out of memory. */
struct tape *tape_unpack(struct span packed, struct cache_copy *of);

#endif
