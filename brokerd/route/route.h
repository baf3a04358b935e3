/* route.h - which targets may answer for this model name, in which order?
 * From the configuration and the names of the providers that have a key; no clock, no I/O. */
#ifndef BROKERD_ROUTE_ROUTE_H
#define BROKERD_ROUTE_ROUTE_H
#include "brokerd/config/config.h"

#define ROUTE_MAX           ((size_t)1024) /* targets of one route */
#define ROUTE_FALLBACKS_MAX ((size_t)16)   /* names beside the model's */

/* Which keys has this provider, by their labels, in the order in which they are to be tried? From 0; false: no more. One that is
 * kept elsewhere than in the vault has the label "". Of one provider ROUTE_KEYS_MAX are looked at. */
struct route_keys {
	bool (*key_at)(const void *context, struct span provider, size_t i,
		struct span *label); /* copied */
	const void *context;
};

struct route {
	struct target *
		targets; /* in order, line by line; 1 to ROUTE_MAX. Those of TARGETS_CONTEXT and TARGETS_REFUSAL come
	                           last, and are for these two cases alone */
	size_t n;
	const struct model *alias; /* the section that the model's name means; NULL: none */
	bool is_fallback_offline;  /* no provider has a key: the built-in one answers */
};

/* `model`: "provider/model" (everything behind the first slash is the provider's), an alias of the
 * configuration, a bare name, or "default" (also absent): the alias of that name, else the default model of the first
 * provider that has a key, else offline/echo. A bare name means every provider of which the catalogue or a section
 * [model "PROVIDER/NAME"] knows that it has such a model, in the configuration's order: of those that have a key, and, by
 * a section, of those that need none; where none does, the one provider that has a key, if it is the only one.
 * Each line has a target for each key that its provider has, or, where the provider's section names keys, for those of
 * them that there are and that are for the model. A line of which no key is there, or none is for its model, has one
 * target all the same, so that it can be said; where none of a route's keys is for its model, that is ERR_NO_KEY.
 * Of a route that would be longer than ROUTE_MAX each line has only so many of its keys.
 * Spans of the targets are the configuration's or the arena's. ERR_NOT_FOUND says what names there are,
 * ERR_MISCONFIGURED which key is missing; ERR_NO_MEMORY. */
enum err route_find(const struct config *c, struct span model, const struct route_keys *keys,
	struct arena *a, struct route *out, struct fault *why) MUST_USE;

/* The same for any operation. For one that gives no words, "default" is the alias of the operation's
 * name ("embed"), else the model that the first provider with a key has for it, else, where no
 * provider has a key, offline/echo.
 * `fallbacks` are more names, at most ROUTE_FALLBACKS_MAX: what each means (of an alias: its targets, and not what it falls
 * back to) comes behind the model's own, in order; but not a provider's model that is there already and for all calls. One
 * that means nothing is the error of that name, about "fallbacks". */
enum err route_find_op(const struct config *c, enum llm_op op, struct span model,
	const struct span *fallbacks, size_t n_fallbacks, const struct route_keys *keys,
	struct arena *a, struct route *out, struct fault *why) MUST_USE;

/* The same target spoken to in its provider's dialect `d` (from 0). False: there are not so many. */
bool route_in_dialect(const struct config *c, size_t d, const struct target *t, struct target *out);

/* One target from its two names; ERR_NOT_FOUND where there is no such provider, ERR_MISCONFIGURED where
 * its address lacks a key of the configuration. */
enum err route_target(const struct config *c, struct span provider, struct span model,
	struct target *out, struct fault *why) MUST_USE;

/* A provider's own endpoints, of whatever model (may be absent). Errors as above. */
enum err route_native(const struct config *c, struct span provider, struct span model,
	struct target *out, struct fault *why) MUST_USE;

/* The same of one that cannot be reached yet, for what is known of it. False: there is no such
 * provider. */
bool route_facts(
	const struct config *c, struct span provider, struct span model, struct target *out);

/* What it costs there in that case: as the configuration says, else as the catalogue does. */
void route_price(const struct config *c, const struct target *t, const struct price_case *when,
	struct price *out);

/* What it can cost at the most, as catalogue_price_bound. */
void route_price_bound(const struct config *c, const struct target *t,
	const struct price_case *when, struct price *out);

#endif
