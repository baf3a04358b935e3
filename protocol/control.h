/* control.h - what do two programs say to each other beside requests and answers?
 * The bodies of hello, welcome, call, data, cancel, credit and goaway. Pure functions of bytes; spans
 * are borrowed from them. Unknown members are skipped, unknown critical features refused. */
#ifndef PROTOCOL_CONTROL_H
#define PROTOCOL_CONTROL_H
#include "protocol/event.h"
#include "protocol/limits.h"
#include "protocol/surface.h"

#define PROTOCOL_VERSION 1 /* the only one so far; a hello names the lowest and highest it speaks */

/* Features, by name on the wire. A critical one that the peer does not know is a refusal. */
struct features {
	struct span *names;
	size_t n;
};

struct hello {
	int64_t version_min, version_max;
	struct features optional, critical;
	struct span client;   /* "libllmclient 0.1.0" */
	struct span app_name; /* a label, not an identity; at most LIMIT_LABEL_BYTES */
};

struct welcome {
	int64_t version;
	struct features features; /* those of the hello that are on */
	struct span broker;       /* "llm-brokerd 0.1.0" */
	struct span identity; /* JSON text: who the broker thinks the client is, and how it knows */
	int64_t credit_bytes; /* what may be sent of each call's body unasked */
	int64_t max_body_bytes;
};

enum call_kind {
	CALL_TYPED,  /* a unified request: `op` */
	CALL_RELAY,  /* a surface's own body: `surface` */
	CALL_NATIVE, /* the same for one provider's own endpoint: `surface.provider` */
	CALL_ADMIN,  /* `admin_op` with a JSON text */
};

/* Who else the call is for. It can only narrow what the connection itself may do. */
struct on_behalf {
	struct span token; /* an app token; absent: none */
	struct span label; /* what the program in between says of its own caller; a label only */
	int64_t fd_index;  /* which descriptor passed along is the caller's pidfd; -1: none */
};

/* How far an answer may be one that was given before, and may be kept for the next who asks the same. The words on the wire
 * are the lower-case names. */
enum cache_wish {
	CACHE_UNSAID, /* as policy has it */
	CACHE_OFF,
	CACHE_READ,
	CACHE_WRITE,
	CACHE_ON,      /* both */
	CACHE_REFRESH, /* asked anew, and kept in the place of what was */
	CACHE_ONLY,    /* what is kept, or ERR_NOT_CACHED: nobody is asked */
};
const char *cache_wish_name(enum cache_wish w);
bool cache_wish_from(struct span word, enum cache_wish *out);

struct cache_terms {
	enum cache_wish wish;
	int64_t max_age_s; /* no older one is taken; -1: as long as it is fresh */
	int64_t ttl_s;   /* so long it is fresh, once it is kept; -1: as the configuration has it */
	int64_t stale_s; /* so much longer it may stand in where no provider answers; -1: likewise */
	struct span name_space; /* what its caller keeps apart; absent: nothing */
};

#define CACHE_TERMS_INIT ((struct cache_terms){.max_age_s = -1, .ttl_s = -1, .stale_s = -1})

struct call {
	enum call_kind kind;
	enum llm_op op;              /* typed */
	struct surface_call surface; /* relay, native */
	struct span admin_op;        /* admin: "key.list" */
	struct on_behalf behalf;
	struct span body;      /* the whole body, inline; absent where it comes in data frames */
	int64_t body_bytes;    /* its length where it comes in data frames; -1: not known yet */
	int64_t credit_bytes;  /* what the broker may send of the answer unasked */
	int64_t timeout_ms;    /* the whole call; 0: the broker's own limit */
	int64_t max_cost_nusd; /* -1: none */
	bool is_batch;         /* may wait behind interactive calls */
	bool is_at_most_once;  /* never send it twice, whatever policy says */
	struct span idempotency_key;
	struct span *tags; /* for routing */
	size_t n_tags;
	struct span
		*fallbacks; /* models to ask, in order, where the one that is named cannot serve */
	size_t n_fallbacks;
	struct span
		session; /* what belongs together, and had best go to one place; absent: nothing said */
	struct cache_terms cache;
};

struct data {
	struct span bytes; /* at most LIMIT_DATA_BYTES */
	bool is_last;
};

struct goaway {
	struct span reason; /* "drain" "idle" "misconfigured" */
	int64_t grace_ms;   /* open calls have this long; -1: not said */
};

#define CALL_INIT                                            \
	((struct call){.behalf = {.fd_index = -1},           \
		.body_bytes = -1,                            \
		.credit_bytes = (int64_t)LIMIT_CREDIT_BYTES, \
		.max_cost_nusd = -1,                         \
		.cache = CACHE_TERMS_INIT})

/* Each pair is one frame's body. Unpacking: ERR_MALFORMED or ERR_INVALID_REQUEST (naming the
 * member), ERR_VERSION (hello), ERR_UNSUPPORTED (a critical feature, an operation of a later
 * version), ERR_TOO_BIG, ERR_NO_MEMORY. Packing: failures stick to the buf. */
enum err hello_unpack(
	struct pack_in in, struct arena *a, struct hello *out, struct fault *why) MUST_USE;
void hello_pack(const struct hello *h, struct buf *out);
enum err welcome_unpack(
	struct pack_in in, struct arena *a, struct welcome *out, struct fault *why) MUST_USE;
void welcome_pack(const struct welcome *w, struct buf *out);
enum err call_unpack(
	struct pack_in in, struct arena *a, struct call *out, struct fault *why) MUST_USE;
void call_pack(const struct call *c, struct buf *out);
enum err data_unpack(struct pack_in in, struct data *out, struct fault *why) MUST_USE;
void data_pack(const struct data *d, struct buf *out);
enum err credit_unpack(struct pack_in in, int64_t *bytes, struct fault *why) MUST_USE;
void credit_pack(int64_t bytes, struct buf *out);
enum err goaway_unpack(struct pack_in in, struct goaway *out, struct fault *why) MUST_USE;
void goaway_pack(const struct goaway *g, struct buf *out);
void cancel_pack(struct buf *out); /* an empty map; a cancel's body is never read */

#endif
