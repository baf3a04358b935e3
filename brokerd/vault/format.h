/* format.h - what do the bytes of a vault file say?
 *
 *     magic "BRKVLT\0\1" | u16 format 2 | u16 aead 1 | u64 generation | 16 id | u8 slots
 *     each slot: u8 type | u8 kdf | 16 salt | u64 ops | u64 mem | 24 nonce | 48 wrapped | 32 commit
 *     24 nonce | u32 length | ciphertext and 16 tag, `length` bytes
 *     32 seal, and nothing after it
 *
 * Little endian. The body is sealed by XChaCha20-Poly1305 under a subkey of the data key, bound to the
 * vault's id; `seal` is a BLAKE2b of every byte before it under another subkey, so that slots come and
 * go beside a body that stays byte for byte, and no part of one file passes in another. Each slot wraps
 * the data key under a key of its own, bound to the vault's id and the slot's parameters; `commit` is a
 * hash of the data key, since the cipher alone would let one file open to two different keys.
 * Format 1 had no seal: there the cipher authenticates every byte before the ciphertext. It is read, and
 * becomes format 2 with the next write.
 * Pure functions of bytes but for the random nonces: no file, no clock. They may run on a worker. */
#ifndef BROKERD_VAULT_FORMAT_H
#define BROKERD_VAULT_FORMAT_H
#include <stdint.h>

#include "brokerd/vault/slot.h"
#include "protocol/base/buf.h"

#define FORMAT_KEY_BYTES  32 /* the data key, a slot's key, a key file */
#define FORMAT_ID_BYTES   16
#define FORMAT_TAG_BYTES  16
#define FORMAT_SLOTS_MAX  8
#define FORMAT_BODY_BYTES ((size_t)1020 * 1024) /* what LIMIT_VAULT_BYTES leaves for the body */

enum slot_kdf {
	SLOT_ARGON2ID = 1,
	SLOT_BLAKE2B = 2,
};

struct slot {
	uint8_t type, kdf;
	unsigned char salt[16];
	uint64_t ops, mem; /* Argon2id's passes and bytes; else 0 */
	unsigned char nonce[24], wrapped[FORMAT_KEY_BYTES + FORMAT_TAG_BYTES], commit[32];
};

struct vault_header {
	uint64_t generation; /* counts the writes */
	unsigned char id[FORMAT_ID_BYTES];
	struct slot slots[FORMAT_SLOTS_MAX];
	size_t n_slots;
};

/* What Argon2id costs. Read from a file it is held to 1..10 passes and 8 MiB..1 GiB. */
struct vault_cost {
	uint64_t ops, mem_bytes;
};
#define VAULT_COST ((struct vault_cost){.ops = 3, .mem_bytes = UINT64_C(256) << 20})

/* A file taken apart; spans lie in it. */
struct sealed {
	unsigned format;
	struct vault_header header;
	struct span before, nonce, ciphertext; /* before: all that lies before the ciphertext */
	struct span covered, seal;             /* format 2: what the seal is of, and the seal */
};

/* ERR_VAULT_DAMAGED or ERR_VERSION (a newer one's); *why says what is wrong in words that follow
 * "the file". Proves nothing yet: only a key does. */
enum err format_parse(struct span file, struct sealed *out, struct fault *why) MUST_USE;

/* How long the body is. */
size_t format_body_size(const struct sealed *s);

/* Opens the body into `to`, of format_body_size bytes. False: this is not the key, or some byte of
 * the file is not what was sealed; `to` is then zeroed. */
bool format_open(const struct sealed *s, const unsigned char *data_key, unsigned char *to) MUST_USE;

/* Appends the whole file. ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err format_seal(const struct vault_header *h, const unsigned char *data_key, struct span body,
	struct buf *out) MUST_USE;

/* Can this file's body stay as it is when its slots change? */
bool format_may_keep_body(const struct sealed *s);
/* The same with the body as it lies in `s`, which that is true of, and which `data_key` opens. */
enum err format_reseal(const struct vault_header *h, const unsigned char *data_key,
	const struct sealed *s, struct buf *out) MUST_USE;

/* The slot of that type that this version can use, or NULL. */
const struct slot *format_slot(const struct vault_header *h, enum slot_type type);
/* Puts a slot in the place of the one of its type, or at the end. False: there are too many. */
bool format_slot_put(struct vault_header *h, const struct slot *s) MUST_USE;
void format_slot_remove(struct vault_header *h, enum slot_type type);

/* A slot's own key, from a passphrase, or from FORMAT_KEY_BYTES that nobody can guess. The hash of a
 * passphrase takes a second and cost.mem_bytes of memory: ERR_NO_MEMORY when it is refused. */
enum err format_key_of_passphrase(const struct slot *s, struct span passphrase, unsigned char *key,
	struct fault *why) MUST_USE;
void format_key_of_bytes(const struct slot *s, const unsigned char *bytes, unsigned char *key);

/* A new slot, all but its wrapped key: a fresh salt, and the cost where the type has one. */
struct slot format_slot_new(enum slot_type type, struct vault_cost cost);
void format_slot_seal(const struct vault_header *h, struct slot *s, const unsigned char *key,
	const unsigned char *data_key);
/* Unwraps the data key. False: `key` is not this slot's, or the slot was changed. */
bool format_slot_open(const struct vault_header *h, const struct slot *s, const unsigned char *key,
	unsigned char *data_key) MUST_USE;

/* Eight hexadecimal digits and a NUL that tell one secret from another and, without the data key,
 * nothing else. */
void format_fingerprint(const unsigned char *data_key, struct span secret, char to[9]);

/* A key of FORMAT_KEY_BYTES that the data key gives for `which`; below 16 they are the file's own. */
void format_subkey(const unsigned char *data_key, uint64_t which, unsigned char *to);

#endif
