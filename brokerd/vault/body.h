/* body.h - which keys does an opened vault hold?
 * The body is u16 version 1, then records: u16 tag | u32 length | bytes. A key is a record of tag 1
 * whose bytes are fields of the same shape. Records and fields with tags that are not known (a newer
 * version's) are carried through every rewrite, byte for byte.
 * Pure functions of bytes; what they read and write is secret and lies in guarded memory. */
#ifndef BROKERD_VAULT_BODY_H
#define BROKERD_VAULT_BODY_H
#include <stdint.h>

#include "brokerd/vault/bytes.h"
#include "protocol/base/err.h"

#define BODY_KEYS_MAX     1024
#define BODY_ID_BYTES     16
#define BODY_NAME_BYTES   63 /* a provider's name, a label */
#define BODY_ORIGIN_BYTES 255

struct body_key {
	struct span id, provider, label, origin, secret;
	int64_t created_s, last_used_s, not_after_s; /* 0: never */
	struct span old_secret; /* the one that it replaced, while that is good; absent: none */
	int64_t old_until_s;    /* 0: none */
	struct span fields;     /* all of them, as they lie */
};

/* Checks the whole once; only a checked body is walked. ERR_VAULT_DAMAGED, ERR_VERSION; *why as
 * format_parse's. Texts in it hold no NUL. */
enum err body_check(struct span body, struct fault *why) MUST_USE;

struct body_walk {
	struct reader at;
};
struct body_walk body_each(struct span body);
bool body_next(struct body_walk *w, struct body_key *out); /* false: no more */

/* When a key was last used. */
struct body_use {
	unsigned char id[BODY_ID_BYTES];
	int64_t at_s;
};

/* What a rewrite changes; all else stays, but for replaced secrets whose time is over at now_s. */
struct body_change {
	struct span provider, label; /* the key in question; provider absent: none */
	bool is_removal;
	struct span origin, secret; /* of the new key, which takes the place of the old */
	unsigned char id[BODY_ID_BYTES];
	int64_t now_s;
	int64_t old_until_s; /* so long the secret that it replaces stays beside it, where that is for the
	                        same origin; 0: it goes at once */
	const struct body_use *uses;
	size_t n_uses;
};

/* When the time of the first of the replaced secrets is over; 0: there are none. */
int64_t body_next_end_s(struct span body);

/* A body without keys. */
void body_empty(struct writer *out);

/* Room enough for the result of body_rewrite. */
size_t body_rewrite_bound(struct span old, const struct body_change *c);
/* `old` is checked. *found: there was such a key before. */
void body_rewrite(struct span old, const struct body_change *c, struct writer *out, bool *found);

#endif
