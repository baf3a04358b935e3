/* listing.h - which models can a caller be told of, and who is asked for more?
 * First what the configuration names, then the list of each provider that has a key, one after the
 * other: each is an attempt of the flight, and one that fails is a warning. */
#ifndef BROKERD_EXCHANGE_LISTING_H
#define BROKERD_EXCHANGE_LISTING_H
#include "brokerd/exchange/flight.h"
#include "brokerd/policy/allowance.h"

/* Finds whom to ask (perhaps nobody) and puts what the configuration names. The request's model is
 * the name of the one provider that is meant; absent: all. ERR_NOT_FOUND, ERR_NO_MEMORY. */
enum err listing_begin(struct flight *f, const struct allowance *a, struct fault *why) MUST_USE;

/* A model of the provider in hand, under the name that it is asked for by. One that the configuration
 * has named already is passed over, and so is one that its list has had. */
enum err listing_put(
	struct flight *f, const struct allowance *a, const struct llm_event *e) MUST_USE;

/* The provider in hand has more to tell than is asked of it. */
void listing_warn_cut(struct flight *f);

/* The provider in hand has none to tell. */
void listing_warn(struct flight *f, const struct fault *why);

#endif
