/* chain.c - BLAKE2b, of libsodium, for all of it. */
#include "brokerd/audit/chain.h"

#include <sodium.h>

/* What is hashed under a vault's key, each for one use. */
static const char for_epoch[] = "llm-broker audit: first key of an epoch";
static const char for_mark[] = "llm-broker audit: mark of a vault";

static void hash_two(
	unsigned char *to, size_t n, const unsigned char *key, struct span a, struct span b)
{
	crypto_generichash_state state;
	crypto_generichash_init(&state, key, key ? CHAIN_KEY_BYTES : 0, n);
	crypto_generichash_update(&state, (const unsigned char *)a.p, a.n);
	crypto_generichash_update(&state, (const unsigned char *)b.p, b.n);
	crypto_generichash_final(&state, to, n);
	sodium_memzero(&state, sizeof state);
}

static struct span bytes_of(const unsigned char *p, size_t n)
{
	return span_of((const char *)p, n);
}

void epoch_mark(const unsigned char root[CHAIN_KEY_BYTES], unsigned char to[EPOCH_MARK_BYTES])
{
	unsigned char whole[CHAIN_HASH_BYTES];
	hash_two(whole, sizeof whole, root, SPAN(""), span_of(for_mark, sizeof for_mark));
	memcpy(to, whole, EPOCH_MARK_BYTES);
}

void epoch_unkeyed(struct epoch *e, const unsigned char id[EPOCH_ID_BYTES])
{
	sodium_memzero(e, sizeof *e);
	memcpy(e->id, id, EPOCH_ID_BYTES);
}

void epoch_keyed(struct epoch *e, const unsigned char root[CHAIN_KEY_BYTES],
	const unsigned char id[EPOCH_ID_BYTES])
{
	epoch_unkeyed(e, id);
	e->is_keyed = true;
	epoch_mark(root, e->mark);
	hash_two(e->key, sizeof e->key, root, span_of(for_epoch, sizeof for_epoch),
		bytes_of(id, EPOCH_ID_BYTES));
}

void epoch_mac(const struct epoch *e, const unsigned char hash[CHAIN_HASH_BYTES],
	unsigned char to[CHAIN_HASH_BYTES])
{
	hash_two(to, CHAIN_HASH_BYTES, e->key, bytes_of(hash, CHAIN_HASH_BYTES), SPAN(""));
}

void epoch_turn(struct epoch *e)
{
	e->step++;
	if (e->is_keyed)
		hash_two(e->key, sizeof e->key, NULL, bytes_of(e->key, sizeof e->key), SPAN(""));
}

void chain_hash(const struct chain *c, struct span text, unsigned char to[CHAIN_HASH_BYTES])
{
	hash_two(to, CHAIN_HASH_BYTES, NULL, bytes_of(c->head, sizeof c->head), text);
}
