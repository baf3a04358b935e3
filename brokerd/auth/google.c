/* google.c - header, claims and signature, each in URL-safe base64 without padding. */
#include "brokerd/auth/google.h"

#include <sodium.h>

#include "brokerd/auth/rs256.h"
#include "protocol/base/json.h"
#include "protocol/limits.h"

#define LIFE_S INT64_C(3600) /* the most that Google allows */

static void put_base64(struct buf *out, struct span text)
{
	const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
	const size_t room = sodium_base64_encoded_len(text.n, variant);
	char *to = buf_reserve(out, room);
	if (!to)
		return;
	sodium_bin2base64(to, room, (const unsigned char *)text.p, text.n, variant);
	buf_commit(out, room - 1);
}

enum err google_assertion(const struct credential *account, struct span audience, struct span scope,
	int64_t now_s, struct buf *out)
{
	OWNED(buf_done) struct buf json = BUF_INIT(8 * KIB);
	const size_t begin = out->n;
	struct json_out o = json_to(&json);
	json_open(&o, '{');
	json_pair_str(&o, "alg", SPAN("RS256"));
	json_pair_str(&o, "typ", SPAN("JWT"));
	json_pair_str(&o, "kid", account->key_id);
	json_close(&o, '}');
	put_base64(out, buf_view(&json));
	buf_byte(out, '.');
	enum err err = buf_error(&json);

	buf_clear(&json);
	o = json_to(&json);
	json_open(&o, '{');
	json_pair_str(&o, "iss", account->id);
	json_pair_str(&o, "scope", scope);
	json_pair_str(&o, "aud", audience);
	json_pair_i64(&o, "iat", now_s);
	json_pair_i64(&o, "exp", now_s + LIFE_S);
	json_close(&o, '}');
	put_base64(out, buf_view(&json));
	if (!err)
		err = buf_error(&json);
	if (!err)
		err = buf_error(out);
	if (err)
		return err;
	OWNED(buf_done) struct buf signature = BUF_INIT(8 * KIB);
	err = rs256_sign(account->secret, span_of(out->p + begin, out->n - begin), &signature);
	buf_byte(out, '.');
	buf_span(out, buf_view(&signature));
	return err ? err : buf_error(out);
}
