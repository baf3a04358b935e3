/* entry.c - a file, a record, and what is in it:
 *
 *     file:   8 "LLMBANSW" | u32 version | 16 id | 4 zero | 32 a hash of these, under a key
 *     record: 4 "\x01ANS" | u16 length told | u16 zero | 24 nonce | head and 16 tag | body and 16 tag
 *     head:   32 key | u64 number | u64 scope | i64 answered, fresh, kept | u32 length of body | u32 zero | what is told
 *
 * Little endian. Bound to the head are the file's id, the u64 block and the record's first 8 bytes; to the body these and
 * the head, as it is told. One nonce does for both: each has its own key. */
#include "brokerd/cache/entry.h"

#include <sodium.h>

#include "protocol/base/num.h"

#define VERSION     1
#define MARK_BYTES  4
#define PLAIN_BYTES 8 /* of a record, not sealed, before its nonce */
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define FIXED_BYTES 80 /* of a head, before what is told */
#define BOUND_BYTES (CACHE_FILE_ID + 8 + PLAIN_BYTES)
#define SUM_BYTES   32

_Static_assert(CACHE_HEAD_BYTES == PLAIN_BYTES + NONCE_BYTES + FIXED_BYTES + CACHE_TAG_BYTES, "");
_Static_assert(CACHE_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "");

static const unsigned char mark[MARK_BYTES] = {1, 'A', 'N', 'S'};
static const char file_mark[8] = {'L', 'L', 'M', 'B', 'A', 'N', 'S', 'W'};

/* ---- keys ---- */

static void derive(
	unsigned char out[32], const unsigned char key[CACHE_SEAL_BYTES], struct span purpose)
{
	(void)crypto_generichash(
		out, 32, (const unsigned char *)purpose.p, purpose.n, key, CACHE_SEAL_BYTES);
}

void cache_seal_init(struct cache_seal *s, const unsigned char key[CACHE_SEAL_BYTES])
{
	derive(s->file, key, SPAN("answers: the file"));
	derive(s->head, key, SPAN("answers: a head"));
	derive(s->body, key, SPAN("answers: a body"));
}

void cache_seal_wipe(struct cache_seal *s)
{
	sodium_memzero(s, sizeof *s);
}

/* ---- the file's beginning ---- */

void cache_header_make(const struct cache_seal *s, unsigned char id[CACHE_FILE_ID],
	unsigned char out[CACHE_HEADER_BYTES])
{
	randombytes_buf(id, CACHE_FILE_ID);
	memset(out, 0, CACHE_HEADER_BYTES);
	memcpy(out, file_mark, sizeof file_mark);
	num_put_le(out + 8, VERSION, 4);
	memcpy(out + 12, id, CACHE_FILE_ID);
	(void)crypto_generichash(out + CACHE_HEADER_BYTES - SUM_BYTES, SUM_BYTES, out,
		CACHE_HEADER_BYTES - SUM_BYTES, s->file, sizeof s->file);
}

bool cache_header_read(
	const struct cache_seal *s, struct span bytes, unsigned char id[CACHE_FILE_ID])
{
	unsigned char sum[SUM_BYTES];
	const unsigned char *p = (const unsigned char *)bytes.p;
	if (bytes.n < CACHE_HEADER_BYTES || memcmp(p, file_mark, sizeof file_mark) != 0 ||
		num_get_le(p + 8, 4) != VERSION)
		return false;
	(void)crypto_generichash(
		sum, sizeof sum, p, CACHE_HEADER_BYTES - SUM_BYTES, s->file, sizeof s->file);
	if (sodium_memcmp(sum, p + CACHE_HEADER_BYTES - SUM_BYTES, SUM_BYTES) != 0)
		return false;
	memcpy(id, p + 12, CACHE_FILE_ID);
	return true;
}

/* ---- records ---- */

size_t cache_record_bytes(size_t about_bytes, size_t body_bytes)
{
	return CACHE_HEAD_BYTES + about_bytes + body_bytes + CACHE_TAG_BYTES;
}

/* What both halves are bound to, with the fixed part of the head behind it. */
static void bind(unsigned char out[BOUND_BYTES], struct cache_spot at, const unsigned char *record)
{
	memcpy(out, at.id, CACHE_FILE_ID);
	num_put_le(out + CACHE_FILE_ID, at.block, 8);
	memcpy(out + CACHE_FILE_ID + 8, record, PLAIN_BYTES);
}

static void write_fixed(unsigned char out[FIXED_BYTES], const struct cache_key *key,
	const uint64_t numbers[5], size_t body_bytes)
{
	memcpy(out, key->bytes, sizeof key->bytes);
	for (int i = 0; i < 5; i++)
		num_put_le(out + 32 + 8 * i, numbers[i], 8);
	num_put_le(out + 72, body_bytes, 4);
	num_put_le(out + 76, 0, 4);
}

void cache_record_seal(const struct cache_seal *s, struct cache_spot at, const struct cache_copy *c,
	unsigned char *out)
{
	unsigned char bound[BOUND_BYTES + FIXED_BYTES], head[FIXED_BYTES + CACHE_ABOUT_BYTES];
	unsigned char *nonce = out + PLAIN_BYTES, *sealed = nonce + NONCE_BYTES;
	const size_t head_bytes = FIXED_BYTES + c->about_bytes;
	memcpy(out, mark, MARK_BYTES);
	num_put_le(out + MARK_BYTES, c->about_bytes, 2);
	num_put_le(out + MARK_BYTES + 2, 0, 2);
	randombytes_buf(nonce, NONCE_BYTES);
	write_fixed(head, &c->key,
		(uint64_t[]){c->seq, c->scope, (uint64_t)c->at_s, (uint64_t)c->fresh_s,
			(uint64_t)c->kept_s},
		c->body_bytes);
	memcpy(head + FIXED_BYTES, c->bytes, c->about_bytes);
	bind(bound, at, out);
	memcpy(bound + BOUND_BYTES, head, FIXED_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(
		sealed, NULL, head, head_bytes, bound, BOUND_BYTES, NULL, nonce, s->head);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + head_bytes + CACHE_TAG_BYTES,
		NULL, (const unsigned char *)c->bytes + c->about_bytes, c->body_bytes, bound,
		BOUND_BYTES + FIXED_BYTES, NULL, nonce, s->body);
}

bool cache_record_head(const struct cache_seal *s, struct cache_spot at, struct span bytes,
	struct cache_head *out, char *about)
{
	unsigned char bound[BOUND_BYTES], head[FIXED_BYTES + CACHE_ABOUT_BYTES];
	const unsigned char *p = (const unsigned char *)bytes.p;
	if (bytes.n < CACHE_HEAD_BYTES || memcmp(p, mark, MARK_BYTES) != 0)
		return false;
	const size_t about_bytes = (size_t)num_get_le(p + MARK_BYTES, 2);
	if (about_bytes > CACHE_ABOUT_BYTES || bytes.n < CACHE_HEAD_BYTES + about_bytes)
		return false;
	bind(bound, at, p);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(head, NULL, NULL,
		    p + PLAIN_BYTES + NONCE_BYTES, FIXED_BYTES + about_bytes + CACHE_TAG_BYTES,
		    bound, BOUND_BYTES, p + PLAIN_BYTES, s->head) != 0)
		return false;
	memcpy(out->key.bytes, head, sizeof out->key.bytes);
	out->seq = num_get_le(head + 32, 8);
	out->scope = num_get_le(head + 40, 8);
	out->at_s = (int64_t)num_get_le(head + 48, 8);
	out->fresh_s = (int64_t)num_get_le(head + 56, 8);
	out->kept_s = (int64_t)num_get_le(head + 64, 8);
	out->about_bytes = (uint32_t)about_bytes;
	out->body_bytes = (uint32_t)num_get_le(head + 72, 4);
	memcpy(about, head + FIXED_BYTES, about_bytes);
	return out->body_bytes <= CACHE_BODY_MAX;
}

bool cache_record_body(const struct cache_seal *s, struct cache_spot at, struct span bytes,
	const struct cache_head *head, char *to)
{
	unsigned char bound[BOUND_BYTES + FIXED_BYTES];
	const unsigned char *p = (const unsigned char *)bytes.p;
	if (bytes.n != cache_record_bytes(head->about_bytes, head->body_bytes))
		return false;
	bind(bound, at, p);
	write_fixed(bound + BOUND_BYTES, &head->key,
		(uint64_t[]){head->seq, head->scope, (uint64_t)head->at_s, (uint64_t)head->fresh_s,
			(uint64_t)head->kept_s},
		head->body_bytes);
	return crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)to, NULL, NULL,
		       p + CACHE_HEAD_BYTES + head->about_bytes, head->body_bytes + CACHE_TAG_BYTES,
		       bound, BOUND_BYTES + FIXED_BYTES, p + PLAIN_BYTES, s->body) == 0;
}
