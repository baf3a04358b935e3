/* test_sign.c - to whom does a key go, as what, and what is left of it? */
#include "brokerd/transport/sign.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define HOME "https://api.example.com:443"

static struct signer *signer;

static struct secret *secret_of(struct span key, const char *origin)
{
	struct secret *s;
	if (secret_new(key, span_str(origin), &s))
		bail("no secret");
	return s;
}

static enum err sign_for(struct span origin, const struct target *target, struct secret *s,
	struct signature **out, struct fault *why)
{
	const struct http_request request = {
		.method = SPAN("POST"),
		.url = SPAN(HOME "/v1/chat"),
		.headers = {{SPAN("content-type"), SPAN("application/json")},
			    {SPAN("accept"), SPAN("*/*")}},
		.n_headers = 2,
		.body = SPAN("{}")
        };
	const struct signing what = {origin, &request, target, 1440938160};
	return sign(signer, &what, s, out, why);
}

static const struct {
	const char *name, *origin;
	enum auth_scheme auth;
	const char *header, *key, *line;
	enum err err;
} rows[] = {
	{"bearer",			  HOME,			   AUTH_BEARER, "",          "sk-1",         "Authorization: Bearer sk-1",   OK                  },
	{"a header",			HOME,			   AUTH_HEADER, "x-api-key", "sk-1",         "x-api-key: sk-1",              OK                  },
	{"no proof",			HOME,			   AUTH_NONE,   "",          "sk-1",         NULL,                           OK                  },
	{"no proof, no key",                HOME,                           AUTH_NONE,   "",          NULL,           NULL,                           OK                  },
	{"no key",			  HOME,			   AUTH_BEARER, "",          NULL,           NULL,                           ERR_NO_KEY          },
	{"another host",                    "https://evil.example.com:443", AUTH_BEARER, "",          "sk-1",         NULL,                           ERR_DENIED          },
	{"another port",                    "https://api.example.com:8443", AUTH_BEARER, "",          "sk-1",         NULL,                           ERR_DENIED          },
	{"plain",			   "http://api.example.com:443",   AUTH_BEARER, "",          "sk-1",         NULL,                           ERR_DENIED          },
	{"a longer host",                   "https://api.example.com:4433", AUTH_BEARER, "",          "sk-1",         NULL,
         ERR_DENIED																		       },
	{"no origin",		       "",			     AUTH_BEARER, "",          "sk-1",         NULL,                           ERR_DENIED          },
	{"no header's name",                HOME,                           AUTH_HEADER, "",          "sk-1",         NULL,                           ERR_INVALID_ARGUMENT},
	{"a bad name",                      HOME,                           AUTH_HEADER, "x key",     "sk-1",         NULL,                           ERR_INVALID_ARGUMENT},
	{"a name with a key",               HOME,                           AUTH_HEADER, "a: b\r\nc", "sk-1",         NULL,                           ERR_INVALID_ARGUMENT},
	{"a line end",                      HOME,                           AUTH_BEARER, "",          "sk-1\n",       NULL,                           ERR_INVALID_ARGUMENT},
	{"a second header",                 HOME,                           AUTH_BEARER, "",          "sk-1\r\nA: b", NULL,                           ERR_INVALID_ARGUMENT},
	{"a token of Google's",             HOME,                           AUTH_GOOGLE, "",          "ya29.x",       "Authorization: Bearer ya29.x",
         OK																			       },
	{"a token of Entra's",              HOME,                           AUTH_ENTRA,  "",          "eyJ0.x",       "Authorization: Bearer eyJ0.x", OK                  },
	{"a plain key to AWS",              HOME,                           AUTH_SIGV4,  "",          "sk-1",         NULL,                           ERR_NO_KEY          },
	{"a key of AWS as a plain one",     HOME,                           AUTH_BEARER, "",
         "aws AKIDEXAMPLE12345 secretsecretsecret",								   NULL,                           ERR_NO_KEY          },
	{"Google's own key as a plain one", HOME,                           AUTH_HEADER, "x-api-key",
         "service_account https://a:443 a@b kid KEY",								 NULL,                           ERR_NO_KEY          },
	{"Google's own key as a token",     HOME,                           AUTH_GOOGLE, "",
         "authorized_user https://a:443 id secret refresh",                                                           NULL,                           ERR_NO_KEY          },
};

static void each_row(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct target target = {.provider = SPAN("test"),
			.auth = rows[i].auth,
			.auth_header = span_str(rows[i].header)};
		struct secret *s = rows[i].key ? secret_of(span_str(rows[i].key), HOME) : NULL;
		struct signature *g = NULL;
		struct fault why = FAULT_NONE;
		is_err(sign_for(span_str(rows[i].origin), &target, s, &g, &why), rows[i].err,
			"%s: result", rows[i].name);
		is_str(g ? signature_line(g, 0) : NULL, rows[i].line, "%s: the line", rows[i].name);
		if (g) {
			const struct span key = signature_key(g);
			is_mem(key.p, key.n, rows[i].key, strlen(rows[i].key), "%s: the key in it",
				rows[i].name);
		}
		ok(!rows[i].err || why.message[0], "%s: said", rows[i].name);
		ok(!rows[i].key || !strstr(why.message, rows[i].key), "%s: without the key",
			rows[i].name);
		signature_unref(g);
		secret_unref(s);
	}
}

/* As a provider might write it that puts it into an address. */
static void escaped(void)
{
	const struct target bearer = {.provider = SPAN("test"), .auth = AUTH_BEARER};
	struct secret *plain = secret_of(SPAN("sk-1_x.~"), HOME),
		      *other = secret_of(SPAN("a+b/c="), HOME);
	struct signature *a, *b;
	if (sign_for(SPAN(HOME), &bearer, plain, &a, NULL) ||
		sign_for(SPAN(HOME), &bearer, other, &b, NULL))
		bail("not signed");
	is_uint(signature_key_escaped(a).n, 0, "a key that needs no escapes");
	is_mem(signature_key_escaped(b).p, signature_key_escaped(b).n, "a%2Bb%2Fc%3D", 12,
		"one that does");
	is_str(signature_line(b, 0), "Authorization: Bearer a+b/c=", "its line is as ever");
	signature_unref(a);
	signature_unref(b);
	secret_unref(plain);
	secret_unref(other);
}

static void shared_and_wiped(void)
{
	const struct target bearer = {.provider = SPAN("test"), .auth = AUTH_BEARER};
	const struct target header = {
		.provider = SPAN("test"), .auth = AUTH_HEADER, .auth_header = SPAN("x-api-key")};
	struct secret *s = secret_of(SPAN("sk-canary-1"), HOME);
	struct secret *other = secret_of(SPAN("sk-canary-2"), HOME);
	struct signature *a, *b, *c, *d;
	if (sign_for(SPAN(HOME), &bearer, s, &a, NULL) ||
		sign_for(SPAN(HOME), &bearer, s, &b, NULL) ||
		sign_for(SPAN(HOME), &header, s, &c, NULL) ||
		sign_for(SPAN(HOME), &bearer, other, &d, NULL))
		bail("not signed");
	ok(a == b, "requests of one key share a line");
	ok(a != c && a != d, "another header or another key has its own");
	is_str(signature_line(d, 0), "Authorization: Bearer sk-canary-2", "with the other key");
	secret_unref(s); /* the signatures hold it */
	const char *line = signature_line(a, 0);
	signature_unref(a);
	is_str(line, "Authorization: Bearer sk-canary-1", "one of two gone, it is still there");
	signature_unref(b);
	size_t left = 0;
	for (size_t i = 0; i < sizeof "Authorization: Bearer sk-canary-1"; i++)
		left += line[i] != 0;
	is_uint(left, 0, "both gone, nothing of it is");
	signature_unref(c);
	signature_unref(d);
	secret_unref(other);
	signature_unref(NULL);
}

/* More keys at once than there are slots, and one too long for a slot. */
static void many_and_long(void)
{
	const struct target bearer = {.provider = SPAN("test"), .auth = AUTH_BEARER};
	struct secret *s[100];
	struct signature *g[100];
	bool is_right = true;
	for (size_t i = 0; i < COUNT_OF(s); i++) {
		char key[32], line[64];
		const int n = snprintf(key, sizeof key, "sk-%zu", i);
		s[i] = secret_of(span_of(key, (size_t)n), HOME);
		if (sign_for(SPAN(HOME), &bearer, s[i], &g[i], NULL))
			bail("not signed");
		snprintf(line, sizeof line, "Authorization: Bearer %s", key);
		is_right = is_right && strcmp(signature_line(g[i], 0), line) == 0;
	}
	ok(is_right, "a hundred keys at once");
	for (size_t i = 0; i < COUNT_OF(s); i++) {
		signature_unref(g[i]);
		secret_unref(s[i]);
	}
	static char key[LIMIT_SECRET_BYTES];
	memset(key, '+', sizeof key);
	struct secret *whole = secret_of(span_of(key, sizeof key), HOME);
	struct signature *l;
	is_err(sign_for(SPAN(HOME), &bearer, whole, &l, NULL), OK, "the longest key");
	is_uint(signature_key(l).n, sizeof key, "whole");
	is_uint(signature_key_escaped(l).n, 3 * sizeof key, "and escaped");
	signature_unref(l);
	secret_unref(whole);
}

/* What is signed for AWS differs from request to request; the session token's line is shared. */
static void aws(void)
{
	const struct target target = {.provider = SPAN("bedrock"),
		.auth = AUTH_SIGV4,
		.region = SPAN("us-east-1"),
		.service = SPAN("bedrock")};
	const char *const proof =
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE12345/20150830/us-east-1/"
		"bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=";
	struct secret *plain = secret_of(SPAN("aws AKIDEXAMPLE12345 topsecret-0123456789"), HOME);
	struct secret *timed =
		secret_of(SPAN("aws AKIDEXAMPLE12345 topsecret-0123456789 session-token"), HOME);
	struct signature *a, *b, *c, *d;
	struct fault why = FAULT_NONE;
	if (sign_for(SPAN(HOME), &target, plain, &a, NULL) ||
		sign_for(SPAN(HOME), &target, timed, &b, NULL) ||
		sign_for(SPAN(HOME), &target, timed, &c, NULL))
		bail("not signed");
	ok(strncmp(signature_line(a, 0), proof, strlen(proof)) == 0, "the proof: %s",
		signature_line(a, 0));
	is_str(signature_line(a, 1), "x-amz-date: 20150830T123600Z", "the date");
	is_str(signature_line(a, 2), NULL, "no token");
	is_uint(signature_key(a).n, 0, "nothing in it is secret");
	ok(strstr(signature_line(b, 0), "host;x-amz-date;x-amz-security-token,") != NULL,
		"a session token is signed");
	is_str(signature_line(b, 2), "x-amz-security-token: session-token", "and sent");
	is_str(signature_line(b, 3), NULL, "and that is all");
	ok(b != c && signature_line(b, 2) == signature_line(c, 2), "its line is shared");
	is_mem(signature_key(b).p, signature_key(b).n, "session-token", 13,
		"it must not come back");
	ok(signature_writes(b, SPAN("X-Amz-Date")) && signature_writes(b, SPAN("authorization")) &&
			signature_writes(b, SPAN("x-amz-security-token")),
		"headers that it writes");
	ok(!signature_writes(a, SPAN("x-amz-security-token")) &&
			!signature_writes(a, SPAN("x-amz-dat")),
		"and those that it does not");
	is_err(sign_for(SPAN("https://evil.example.com:443"), &target, plain, &d, &why), ERR_DENIED,
		"nothing is signed for another host");
	const struct target nowhere = {.provider = SPAN("bedrock"), .auth = AUTH_SIGV4};
	is_err(sign_for(SPAN(HOME), &nowhere, plain, &d, &why), ERR_INVALID_ARGUMENT, "no region");
	ok(!strstr(why.message, "topsecret"), "said without the key");
	signature_unref(b);
	is_str(signature_line(c, 2), "x-amz-security-token: session-token",
		"one gone, it is there");
	signature_unref(c);
	signature_unref(a);
	secret_unref(plain);
	secret_unref(timed);
}

int main(void)
{
	struct fault why;
	if (sodium_init() < 0)
		bail("no libsodium");
	signer = signer_new(&why);
	if (!signer)
		bail("%s", why.message);
	each_row();
	escaped();
	shared_and_wiped();
	many_and_long();
	aws();
	signer_free(signer);
	signer_free(NULL);
	return tap_done();
}
