/* memo.h - was the same asked before, or is it asked now: what does a call know of that, and what of its own answer is kept?
 * Before anything is set aside for a request, the cache is asked for each target that may answer it (memo_key.h says under
 * which keys), and then the requests under way (memo_lead.h): what one of them gets is told to all who ask the same meanwhile,
 * from its beginning (memo_read.h). */
#ifndef BROKERD_EXCHANGE_MEMO_H
#define BROKERD_EXCHANGE_MEMO_H
#include "brokerd/cache/asked.h"
#include "brokerd/exchange/tape.h"
#include "brokerd/loop/loop.h"
#include "protocol/base/table.h"
#include "protocol/control.h"

struct exchange;

/* An exchange that leads: in organs->leaders. */
struct leader {
	TABLE_LINK;
	struct cache_key key;
	struct exchange *exchange;
};

/* What is asked, as it goes to those who have made the same items. */
struct memo_sent {
	struct memo_sent *next;
	struct span provider, key, family;
	bool may_forward;
	struct cache_core core;
};

struct memo {
	struct cache_terms terms;
	bool is_decided;
	bool reads, writes, joins; /* what may be done */
	struct asked_body *
		asked; /* its body was read before, and the request's members lie there; NULL: in its own */
	uint64_t asked_generation; /* of all such, when its key was made */
	struct span scope;         /* with whom the answer is shared */
	struct cache_core core;
	struct memo_sent *sent; /* where others' items or ours are put back, or left out */
	unsigned char tag[TAPE_TAG_BYTES]; /* of its body, where its caller speaks a public API */
	bool is_capped;                    /* less was asked for than the key says */
	bool is_claimed;                   /* that it asks was counted, */
	struct span asked_model,
		asked_name; /* of which model, as its provider calls it and as its caller does; */
	bool has_asked;     /* and no attempt has made use of that */

	bool is_leading;
	struct leader lead;
	struct tape_reader
		reader; /* of the answer of the one that it joined, or of its own that others read too */
	bool is_noting; /* what providers want back of that answer is noted for this caller */
	struct loop_task wake;
	struct cache_wait kept; /* for one that is read from disk, */
	size_t looked;          /* by how many targets none was there */
	struct cache_copy
		*stale; /* one that is no longer fresh, if nobody gives another; NULL: none */
	uint64_t stale_generation; /* of the cache then: what was cleared since answers nothing */
	struct cached cached;      /* where its answer comes from */
	bool is_kept;              /* its own answer, for others */
};

void memo_init(struct exchange *x, const struct cache_terms *terms);
void memo_done(struct exchange *x);

/* The answer that an exchange leads is over; *why OK: it is whole, and may be kept. */
void memo_end(struct exchange *x, const struct fault *why);

#endif
