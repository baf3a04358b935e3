/* format.c - one key for one purpose: the data key itself seals nothing, its subkeys do. */
#include "brokerd/vault/format.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>

#include "brokerd/vault/bytes.h"
#include "protocol/limits.h"

#define MAGIC       SPAN("BRKVLT\0\1")
#define FORMAT      2
#define FORMAT_BARE 1 /* without a seal; and what slots are bound to, so that theirs stay good */
#define AEAD        1 /* XChaCha20-Poly1305 (IETF) */
#define SEAL_BYTES  32
#define NONCE_BYTES 24
#define HEAD_BYTES  (8 + 2 + 2 + 8 + FORMAT_ID_BYTES + 1)
#define SLOT_BYTES  (1 + 1 + 16 + 8 + 8 + 24 + 48 + 32)
#define TAIL_BYTES  (NONCE_BYTES + 4) /* before the ciphertext */

#define OPS_MAX INT64_C(10)
#define MEM_MIN (UINT64_C(8) << 20)
#define MEM_MAX (UINT64_C(1) << 30)

static_assert(HEAD_BYTES + FORMAT_SLOTS_MAX * SLOT_BYTES + TAIL_BYTES + FORMAT_BODY_BYTES +
			      FORMAT_TAG_BYTES + SEAL_BYTES <=
		      LIMIT_VAULT_BYTES,
	"the largest body fits with the most slots");
static_assert(NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES &&
		      FORMAT_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES &&
		      FORMAT_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES &&
		      FORMAT_KEY_BYTES == crypto_kdf_KEYBYTES && 16 == crypto_pwhash_SALTBYTES,
	"libsodium's sizes are the file's");

enum subkey {
	SUBKEY_BODY = 1,
	SUBKEY_FINGERPRINT = 2,
	SUBKEY_SEAL = 3,
};

static void derive(const unsigned char *data_key, enum subkey which, unsigned char *to)
{
	crypto_kdf_derive_from_key(to, FORMAT_KEY_BYTES, which, "llmvault", data_key);
}

static const unsigned char *bytes_of(struct span s)
{
	return (const unsigned char *)s.p;
}

/* ---- taking apart and putting together ---- */

static bool is_usable(const struct slot *s)
{
	if (!slot_type_name((enum slot_type)s->type))
		return false;
	return s->kdf == (s->type == SLOT_PASSPHRASE ? SLOT_ARGON2ID : SLOT_BLAKE2B);
}

static enum err read_slot(struct reader *r, struct slot *s, struct fault *why)
{
	s->type = (uint8_t)read_number(r, 1);
	s->kdf = (uint8_t)read_number(r, 1);
	read_bytes(r, s->salt, sizeof s->salt);
	s->ops = read_number(r, 8);
	s->mem = read_number(r, 8);
	read_bytes(r, s->nonce, sizeof s->nonce);
	read_bytes(r, s->wrapped, sizeof s->wrapped);
	read_bytes(r, s->commit, sizeof s->commit);
	if (r->is_short || !is_usable(s) || s->kdf == SLOT_BLAKE2B)
		return OK;
	/* a changed header must not become a memory bomb, nor a hash that is no hindrance */
	if (s->ops < 1 || s->ops > OPS_MAX || s->mem < MEM_MIN || s->mem > MEM_MAX)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"asks for a passphrase hash out of bounds (%" PRIu64 " passes, %" PRIu64
			" bytes)",
			s->ops, s->mem);
	return OK;
}

enum err format_parse(struct span file, struct sealed *out, struct fault *why)
{
	struct reader r = {.rest = file};
	*out = (struct sealed){.before = SPAN_NONE};
	struct vault_header *h = &out->header;

	if (file.n == 0)
		return fault_set(why, ERR_VAULT_DAMAGED, "is empty");
	if (file.n > LIMIT_VAULT_BYTES)
		return fault_set(why, ERR_VAULT_DAMAGED, "is larger than any vault");
	if (!span_eq(read_span(&r, MAGIC.n), MAGIC))
		return fault_set(why, ERR_VAULT_DAMAGED, "does not begin as a vault does");
	const unsigned format = (unsigned)read_number(&r, 2), aead = (unsigned)read_number(&r, 2);
	if (!r.is_short && ((format != FORMAT && format != FORMAT_BARE) || aead != AEAD))
		return fault_set(why, ERR_VERSION,
			"is of format %u with cipher %u, and this version knows 1 and 2 with 1",
			format, aead);
	out->format = format;
	h->generation = read_number(&r, 8);
	read_bytes(&r, h->id, sizeof h->id);
	h->n_slots = (size_t)read_number(&r, 1);
	if (!r.is_short && (h->n_slots < 1 || h->n_slots > FORMAT_SLOTS_MAX))
		return fault_set(why, ERR_VAULT_DAMAGED, "claims %zu slots", h->n_slots);
	for (size_t i = 0; i < h->n_slots && !r.is_short; i++) {
		const enum err err = read_slot(&r, &h->slots[i], why);
		if (err)
			return err;
	}
	out->nonce = read_span(&r, NONCE_BYTES);
	const uint64_t length = read_number(&r, 4);
	if (!r.is_short)
		out->before = span_first(file, file.n - r.rest.n);
	out->ciphertext = read_span(&r, length);
	if (format == FORMAT) {
		out->covered = span_first(file, file.n - r.rest.n);
		out->seal = read_span(&r, SEAL_BYTES);
	}
	if (r.is_short)
		return fault_set(why, ERR_VAULT_DAMAGED, "is cut off after %zu bytes", file.n);
	if (r.rest.n > 0)
		return fault_set(why, ERR_VAULT_DAMAGED, "has %zu bytes too many", r.rest.n);
	/* one byte at least, so that there is something to hold */
	if (out->ciphertext.n <= FORMAT_TAG_BYTES)
		return fault_set(why, ERR_VAULT_DAMAGED, "has no body");
	return OK;
}

size_t format_body_size(const struct sealed *s)
{
	return s->ciphertext.n - FORMAT_TAG_BYTES;
}

struct body_context {
	unsigned char bytes[8 + 2 + 2 + FORMAT_ID_BYTES];
	size_t n;
};

/* What a sealed body is bound to: not to the slots, which come and go beside it. */
static struct body_context body_context(const struct vault_header *h)
{
	struct body_context c;
	struct writer w = {.p = c.bytes, .max = sizeof c.bytes};
	write_bytes(&w, MAGIC.p, MAGIC.n);
	write_number(&w, FORMAT, 2);
	write_number(&w, AEAD, 2);
	write_bytes(&w, h->id, sizeof h->id);
	assert(!w.is_full);
	c.n = w.n;
	return c;
}

static void seal_of(
	const unsigned char *data_key, struct span covered, unsigned char to[SEAL_BYTES])
{
	unsigned char key[FORMAT_KEY_BYTES];
	derive(data_key, SUBKEY_SEAL, key);
	crypto_generichash(to, SEAL_BYTES, bytes_of(covered), covered.n, key, sizeof key);
	sodium_memzero(key, sizeof key);
}

static bool is_unbroken(const struct sealed *s, const unsigned char *data_key)
{
	unsigned char seal[SEAL_BYTES];
	if (s->format == FORMAT_BARE)
		return true;
	seal_of(data_key, s->covered, seal);
	return sodium_memcmp(seal, s->seal.p, sizeof seal) == 0;
}

bool format_open(const struct sealed *s, const unsigned char *data_key, unsigned char *to)
{
	const struct body_context c = body_context(&s->header);
	const struct span bound =
		s->format == FORMAT_BARE ? s->before : span_of((const char *)c.bytes, c.n);
	unsigned char key[FORMAT_KEY_BYTES];
	derive(data_key, SUBKEY_BODY, key);
	const bool is_open =
		is_unbroken(s, data_key) &&
		crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL, bytes_of(s->ciphertext),
			s->ciphertext.n, bytes_of(bound), bound.n, bytes_of(s->nonce), key) == 0;
	sodium_memzero(key, sizeof key);
	if (!is_open)
		sodium_memzero(to, format_body_size(s));
	return is_open;
}

static void write_slot(struct writer *w, const struct slot *s)
{
	write_number(w, s->type, 1);
	write_number(w, s->kdf, 1);
	write_bytes(w, s->salt, sizeof s->salt);
	write_number(w, s->ops, 8);
	write_number(w, s->mem, 8);
	write_bytes(w, s->nonce, sizeof s->nonce);
	write_bytes(w, s->wrapped, sizeof s->wrapped);
	write_bytes(w, s->commit, sizeof s->commit);
}

/* Room for a whole file, written up to its ciphertext. */
struct draft {
	unsigned char *file, *ciphertext;
	size_t n_before, n_sealed;
};

static enum err begin_file(const struct vault_header *h, const unsigned char *nonce,
	size_t n_sealed, struct draft *d, struct buf *out)
{
	assert(h->n_slots >= 1 && h->n_slots <= FORMAT_SLOTS_MAX);
	*d = (struct draft){.n_before = HEAD_BYTES + h->n_slots * SLOT_BYTES + TAIL_BYTES,
		.n_sealed = n_sealed};
	const size_t n = d->n_before + n_sealed + SEAL_BYTES;
	d->file = (unsigned char *)buf_reserve(out, n);
	if (!d->file)
		return buf_error(out);
	d->ciphertext = d->file + d->n_before;

	struct writer w = {.p = d->file, .max = n};
	write_bytes(&w, MAGIC.p, MAGIC.n);
	write_number(&w, FORMAT, 2);
	write_number(&w, AEAD, 2);
	write_number(&w, h->generation, 8);
	write_bytes(&w, h->id, sizeof h->id);
	write_number(&w, h->n_slots, 1);
	for (size_t i = 0; i < h->n_slots; i++)
		write_slot(&w, &h->slots[i]);
	write_bytes(&w, nonce, NONCE_BYTES);
	write_number(&w, n_sealed, 4);
	assert(!w.is_full && w.n == d->n_before);
	return OK;
}

static void end_file(const struct draft *d, const unsigned char *data_key, struct buf *out)
{
	const size_t n = d->n_before + d->n_sealed;
	seal_of(data_key, span_of((const char *)d->file, n), d->file + n);
	buf_commit(out, n + SEAL_BYTES);
}

enum err format_seal(const struct vault_header *h, const unsigned char *data_key, struct span body,
	struct buf *out)
{
	const struct body_context c = body_context(h);
	unsigned char nonce[NONCE_BYTES], key[FORMAT_KEY_BYTES];
	struct draft d;

	assert(body.n > 0);
	if (body.n > FORMAT_BODY_BYTES)
		return ERR_TOO_BIG;
	randombytes_buf(nonce, sizeof nonce);
	const enum err err = begin_file(h, nonce, body.n + FORMAT_TAG_BYTES, &d, out);
	if (err)
		return err;
	derive(data_key, SUBKEY_BODY, key);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		d.ciphertext, NULL, bytes_of(body), body.n, c.bytes, c.n, NULL, nonce, key);
	sodium_memzero(key, sizeof key);
	end_file(&d, data_key, out);
	return OK;
}

bool format_may_keep_body(const struct sealed *s)
{
	return s->format == FORMAT;
}

enum err format_reseal(const struct vault_header *h, const unsigned char *data_key,
	const struct sealed *s, struct buf *out)
{
	struct draft d;
	assert(format_may_keep_body(s) && memcmp(h->id, s->header.id, sizeof h->id) == 0);
	const enum err err = begin_file(h, bytes_of(s->nonce), s->ciphertext.n, &d, out);
	if (err)
		return err;
	assert(d.ciphertext);
	memcpy(d.ciphertext, s->ciphertext.p, s->ciphertext.n);
	end_file(&d, data_key, out);
	return OK;
}

/* ---- slots ---- */

const struct slot *format_slot(const struct vault_header *h, enum slot_type type)
{
	for (size_t i = 0; i < h->n_slots; i++) {
		if (h->slots[i].type == (uint8_t)type && is_usable(&h->slots[i]))
			return &h->slots[i];
	}
	return NULL;
}

bool format_slot_put(struct vault_header *h, const struct slot *s)
{
	for (size_t i = 0; i < h->n_slots; i++) {
		if (h->slots[i].type == s->type) {
			h->slots[i] = *s;
			return true;
		}
	}
	if (h->n_slots == FORMAT_SLOTS_MAX)
		return false;
	h->slots[h->n_slots++] = *s;
	return true;
}

void format_slot_remove(struct vault_header *h, enum slot_type type)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->n_slots; i++) {
		if (h->slots[i].type != (uint8_t)type)
			h->slots[kept++] = h->slots[i];
	}
	h->n_slots = kept;
}

struct slot format_slot_new(enum slot_type type, struct vault_cost cost)
{
	struct slot s = {.type = (uint8_t)type, .kdf = SLOT_BLAKE2B};
	if (type == SLOT_PASSPHRASE) {
		s.kdf = SLOT_ARGON2ID;
		s.ops = cost.ops;
		s.mem = cost.mem_bytes;
	}
	randombytes_buf(s.salt, sizeof s.salt);
	return s;
}

enum err format_key_of_passphrase(
	const struct slot *s, struct span passphrase, unsigned char *key, struct fault *why)
{
	assert(s->kdf == SLOT_ARGON2ID);
	if (crypto_pwhash(key, FORMAT_KEY_BYTES, passphrase.p, passphrase.n, s->salt, s->ops,
		    (size_t)s->mem, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return fault_set(why, ERR_NO_MEMORY,
			"the passphrase could not be hashed, which takes %" PRIu64
			" MiB of memory; nothing is known of whether it is right. Give the broker "
			"more "
			"(MemoryMax=, ulimit -v) and try again",
			s->mem >> 20);
	return OK;
}

void format_key_of_bytes(const struct slot *s, const unsigned char *bytes, unsigned char *key)
{
	assert(s->kdf == SLOT_BLAKE2B);
	crypto_generichash(key, FORMAT_KEY_BYTES, s->salt, sizeof s->salt, bytes, FORMAT_KEY_BYTES);
}

struct slot_context {
	unsigned char bytes[8 + 2 + 2 + FORMAT_ID_BYTES + 1 + 1 + 16 + 8 + 8];
	size_t n;
};

/* What a wrapped key is bound to; not the generation, for slots are carried from one to the next. */
static struct slot_context slot_context(const struct vault_header *h, const struct slot *s)
{
	struct slot_context c;
	struct writer w = {.p = c.bytes, .max = sizeof c.bytes};
	write_bytes(&w, MAGIC.p, MAGIC.n);
	write_number(&w, FORMAT_BARE, 2);
	write_number(&w, AEAD, 2);
	write_bytes(&w, h->id, sizeof h->id);
	write_number(&w, s->type, 1);
	write_number(&w, s->kdf, 1);
	write_bytes(&w, s->salt, sizeof s->salt);
	write_number(&w, s->ops, 8);
	write_number(&w, s->mem, 8);
	assert(!w.is_full);
	c.n = w.n;
	return c;
}

static void commitment(const unsigned char *data_key, unsigned char to[32])
{
	const struct span text = SPAN("brk-commit");
	crypto_generichash(to, 32, bytes_of(text), text.n, data_key, FORMAT_KEY_BYTES);
}

void format_slot_seal(const struct vault_header *h, struct slot *s, const unsigned char *key,
	const unsigned char *data_key)
{
	const struct slot_context c = slot_context(h, s);
	randombytes_buf(s->nonce, sizeof s->nonce);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		s->wrapped, NULL, data_key, FORMAT_KEY_BYTES, c.bytes, c.n, NULL, s->nonce, key);
	commitment(data_key, s->commit);
}

bool format_slot_open(const struct vault_header *h, const struct slot *s, const unsigned char *key,
	unsigned char *data_key)
{
	const struct slot_context c = slot_context(h, s);
	unsigned char commit[sizeof s->commit];
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(data_key, NULL, NULL, s->wrapped,
		    sizeof s->wrapped, c.bytes, c.n, s->nonce, key) != 0) {
		sodium_memzero(data_key, FORMAT_KEY_BYTES);
		return false;
	}
	commitment(data_key, commit);
	if (sodium_memcmp(commit, s->commit, sizeof commit) != 0) {
		sodium_memzero(data_key, FORMAT_KEY_BYTES);
		return false;
	}
	return true;
}

void format_fingerprint(const unsigned char *data_key, struct span secret, char to[9])
{
	unsigned char key[FORMAT_KEY_BYTES], hash[16];
	derive(data_key, SUBKEY_FINGERPRINT, key);
	crypto_generichash(hash, sizeof hash, bytes_of(secret), secret.n, key, sizeof key);
	sodium_bin2hex(to, 9, hash, 4);
	sodium_memzero(key, sizeof key);
}

void format_subkey(const unsigned char *data_key, uint64_t which, unsigned char *to)
{
	crypto_kdf_derive_from_key(to, FORMAT_KEY_BYTES, which, "llmvault", data_key);
}
