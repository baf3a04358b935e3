/* rs256.c - OpenSSL's queue of errors is left empty: libcurl looks into it. */
#include "brokerd/auth/rs256.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "brokerd/value/guarded.h"

#define BITS_MIN  2048
#define BITS_MAX  16384
#define SIGNATURE ((size_t)BITS_MAX / 8)

/* NULL: it is none. */
static EVP_PKEY *key_open(struct span text)
{
	OWNED(guarded_drop) struct guarded *der = NULL;
	EVP_PKEY *key = NULL;
	size_t n = 0;
	if (text.n == 0 || guarded_new(text.n, &der))
		return NULL;
	unsigned char *bytes = guarded_write(der);
	if (sodium_base642bin(bytes, text.n, text.p, text.n, NULL, &n, NULL,
		    sodium_base64_VARIANT_ORIGINAL) == 0) {
		const unsigned char *at = bytes;
		key = d2i_AutoPrivateKey(NULL, &at, (long)n);
	}
	guarded_close(der);
	if (key && (EVP_PKEY_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_bits(key) < BITS_MIN ||
			   EVP_PKEY_bits(key) > BITS_MAX)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	ERR_clear_error();
	return key;
}

bool rs256_is_key(struct span key)
{
	EVP_PKEY *k = key_open(key);
	EVP_PKEY_free(k);
	return k != NULL;
}

enum err rs256_sign(struct span key, struct span text, struct buf *out)
{
	unsigned char signature[SIGNATURE];
	size_t n = sizeof signature;
	EVP_PKEY *k = key_open(key);
	EVP_MD_CTX *context = k ? EVP_MD_CTX_new() : NULL;
	const bool is_done =
		context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, k) == 1 &&
		EVP_DigestSign(context, signature, &n, (const unsigned char *)text.p, text.n) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(k);
	ERR_clear_error();
	if (!is_done)
		return ERR_INVALID_ARGUMENT;
	const size_t room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *to = buf_reserve(out, room);
	if (!to)
		return buf_error(out);
	sodium_bin2base64(to, room, signature, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	buf_commit(out, room - 1);
	return OK;
}
