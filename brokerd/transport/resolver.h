/* resolver.h - which addresses does a host name stand for?
 * A cache in front of getaddrinfo, which a worker calls, so that a name server that does not answer
 * makes only those wait who asked for that name. What was once found serves while it is asked anew,
 * and for a day where asking fails. One lookup a name at a time, and few at once. The loop's thread
 * only. */
#ifndef BROKERD_TRANSPORT_RESOLVER_H
#define BROKERD_TRANSPORT_RESOLVER_H
#include "brokerd/loop/worker.h"
#include "protocol/base/list.h"

#define RESOLVER_FRESH_US   INT64_C(60000000)    /* as long, an answer is taken as it is */
#define RESOLVER_STALE_US   INT64_C(600000000)   /* as long, it serves while a new one is sought */
#define RESOLVER_KEPT_US    INT64_C(86400000000) /* as long, it serves where none can be had */
#define RESOLVER_AGAIN_US   INT64_C(2000000)     /* after a failure, the next try not before that */
#define RESOLVER_JOBS       2   /* lookups at once: a pool of workers needs one thread more */
#define RESOLVER_NAMES      256 /* in the cache */
#define RESOLVER_NAME_BYTES ((size_t)254)
#define RESOLVER_ADDRESSES  8
#define RESOLVER_TEXT_BYTES 400 /* that many addresses of IPv6 as text, brackets and commas */

struct resolver;

/* What a lookup found, or why nothing. */
struct addresses {
	char text[RESOLVER_TEXT_BYTES]; /* "192.0.2.1,[2001:db8::1]"; "" where it failed */
	char reason[128];               /* in words, where it failed */
	uint64_t serial;                /* another one for each lookup */
};

/* Looks a name up, on a worker's thread; fills text or reason. This is the default; tests have their
 * own. */
void resolver_look_up(const char *name, struct addresses *out);

struct resolver *resolver_new(struct loop *l, struct workers *w,
	void (*look_up)(const char *name, struct addresses *out), struct fault *why);
void resolver_free(struct resolver *r); /* forgets who waits; a running job ends by itself */

/* Somebody who waits; embedded, zeroed but for on_found. */
struct lookup {
	struct lookup *prev, *next;
	struct resolver_name *name;                                        /* NULL: does not wait */
	void (*on_found)(struct lookup *l, const struct addresses *found); /* text "": not found */
};

/* OK: *found is the answer, valid until the next turn. ERR_MORE: on_found will be called, once.
 * ERR_INVALID_ARGUMENT (no host name), ERR_OVERLOADED (too many names wait), ERR_NO_MEMORY. */
enum err resolver_ask(struct resolver *r, struct span host, struct lookup *l,
	const struct addresses **found, struct fault *why) MUST_USE;
void lookup_stop(struct lookup *l); /* harmless where it does not wait */

/* After a suspend or a change of networks: all answers are stale. */
void resolver_doubt(struct resolver *r);

/* Is it an address already, as text? IPv6 in brackets or without. */
bool resolver_is_literal(struct span host);

#endif
