/* repair.h - a provider refused one parameter, or has no endpoint that counts: can the request do without?
 * What was learned so is kept as long as the process lives, and later requests to that model, or counts at that
 * host, go without it from the start. Bounded: the oldest gives way. No clock, no I/O. */
#ifndef BROKERD_EXCHANGE_REPAIR_H
#define BROKERD_EXCHANGE_REPAIR_H
#include "brokerd/value/target.h"
#include "protocol/request.h"

#define REPAIRS_MAX ((size_t)256)

/* A zeroed one is empty. */
struct repairs {
	struct repair {
		char provider[64], model[128], param[32];
		char family
			[32]; /* of all models, as they are spoken to in it; "": of the one model */
	} known[REPAIRS_MAX];
	size_t n;    /* that are known */
	size_t next; /* the oldest, once all are taken */
};

/* Is the fault a refusal of a parameter that may be left out or goes by another name, of a caller who
 * lets that happen, and not known before? It is then. */
bool repair_learn(struct repairs *r, const struct target *t, const struct llm_request *asked,
	const struct fault *why);

/* Does the fault say that its host has no such endpoint as counts tokens? One that is about the model says another thing. */
bool repair_lacks_count(const struct fault *why);
/* It is known then, of that host in that dialect. */
void repair_learn_count(struct repairs *r, const struct target *t);

/* Lays what is known of a target over it. ERR_NO_MEMORY. */
enum err repair_apply(const struct repairs *r, struct target *t, struct arena *a) MUST_USE;

#endif
