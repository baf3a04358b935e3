/* cache_key.h - what makes two requests the same?
 * All that a provider gets of one, and who may share its answer. A key is in two parts: what is asked, which is hashed once;
 * and where, for each target that may answer. Two requests have one key only where all members are equal, in their order, but
 * for these, which no answer depends on:
 *   model                     (the target's own name for it is in the key instead)
 *   stream, stream_options    (streams and whole answers are made of each other)
 *   user, metadata            (labels in a provider's own records)
 *   cache_key, cache_ttl      (how long the provider keeps a prompt, and where)
 *   prompt_cache_key, safety_identifier (the same, as public APIs call them)
 *   the headers idempotency-key, accept and accept-language (a provider gets its own)
 * Nothing is read as JSON here: another order of members, or other blanks, is another key, which costs a miss and no more. */
#ifndef BROKERD_CACHE_CACHE_KEY_H
#define BROKERD_CACHE_CACHE_KEY_H
#include "brokerd/cache/cache.h"
#include "brokerd/value/http.h"
#include "protocol/base/json.h"
#include "protocol/request.h"

#define CACHE_SECRET_BYTES 32 /* so that nobody outside can tell what a key is of */

struct cache_ask {
	enum llm_op op;
	const struct llm_request
		*request; /* as it goes to the target, after policy has bounded it */
	/* of a call in a public API's own words: which API, its body with all that it goes on from, and the headers that go on
	 * to the provider. What nobody here reads of the body is in the key as well. Absent: it is none */
	struct span surface;
	struct json body;
	const struct string_pair *headers;
	size_t n_headers;
};

struct cache_place {
	struct span scope;      /* who shares it; never absent */
	struct span name_space; /* that its caller keeps apart; absent: none */
	struct span provider, base_url, path, family, model;
	const struct http_header
		*headers; /* that the configuration sends along: they may name an account */
	size_t n_headers;
};

struct cache_core {
	unsigned char bytes[32];
};

/* What is asked: by the request's members, or by those of the body that it was read from. `scratch` is cleared, and has the packed request then. ERR_TOO_BIG, ERR_NO_MEMORY: it has no key. */
enum err cache_core(const unsigned char secret[CACHE_SECRET_BYTES], const struct cache_ask *ask,
	struct buf *scratch, struct cache_core *out) MUST_USE;
/* The same, where the target gets *sent instead of what was asked, with what is put back or left out of it for its caller. */
enum err cache_core_sent(const unsigned char secret[CACHE_SECRET_BYTES],
	const struct llm_request *sent, struct buf *scratch, struct cache_core *core) MUST_USE;
/* The same, asked there. */
void cache_key(const unsigned char secret[CACHE_SECRET_BYTES], const struct cache_core *core,
	const struct cache_place *place, struct cache_key *out);

/* Would a provider give the same answer again? An embedding, or words that are chosen without chance: a temperature of 0, or
 * a seed; and nothing in it that is looked up elsewhere: a tool of the provider's own, a file, an address. */
bool cache_is_repeatable(enum llm_op op, const struct llm_request *r);

#endif
