/* asked.h - was this very body read before?
 * Who asks for what is kept sends what he sent before, byte for byte: it need not be checked, read, written anew and hashed
 * each time, which of a long prompt takes longer than all else. So the last bodies whose answers were found are kept as
 * they were read, with the core of their keys, each for the one who sent it alone: another would tell by the time it takes
 * that somebody asked the same. It is a short cut to what is kept, and never says what is: a body stays when its answer
 * has gone, until others take its place or all are cleared. */
#ifndef BROKERD_CACHE_ASKED_H
#define BROKERD_CACHE_ASKED_H
#include "brokerd/cache/cache_key.h"

#define ASKED_SLOTS 256

/* One body. Read-only for all who hold it; its spans live as long as they do. */
struct asked_body {
	struct llm_request request; /* as request_unpack_op gives it */
	struct opt_i64
		max_tokens; /* of the request that has the core: policy may have bounded it */
	struct cache_core core;
	/* the rest is for asked.c alone */
	size_t users;
	enum llm_op op;
	uint64_t hash;
	struct span who, name_space, body;
	size_t bytes;
	struct arena arena;
};

/* Zeroed, none are kept. */
struct askeds {
	struct asked_body *slots[ASKED_SLOTS];
	uint64_t next[ASKED_SLOTS]; /* the hash of what was last found beside the one in its slot */
	uint64_t generation;        /* another one each time that all were cleared */
	size_t n, bytes;            /* of all in slots */
	size_t most;                /* and they may be so many bytes */
	size_t hand;                /* the slot that makes room next */
};

struct asked_of {
	struct span who, name_space; /* whose it is, and which of what he keeps apart */
	enum llm_op op;
	struct span body;
	size_t read_bytes; /* about what it takes when it is read; for asked_keep */
};

/* Held, until asked_unref. NULL: it is not there. */
struct asked_body *asked_find(const struct askeds *a, const struct asked_of *of);
void asked_unref(struct asked_body *one); /* NULL is fine */

/* An answer to it was found, under a key of this core. Keeps a copy of it, where the same was so found before, nothing else in
 * between, and where it is not too long. */
void asked_keep(struct askeds *a, const struct asked_of *of, struct opt_i64 max_tokens,
	const struct cache_core *core);

/* All that are kept go, when nobody holds them: the keys are others from now on, or nothing is to stay. */
void askeds_clear(struct askeds *a);

#endif
