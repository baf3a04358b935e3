/* test_token.c - what is a token endpoint asked, what does its answer mean, and where may either go? */
#include "brokerd/auth/token.h"

#include <sodium.h>

#include "brokerd/auth/credential.h"
#include "brokerd/auth/google.h"
#include "brokerd/value/secret_open.h"
#include "protocol/limits.h"
#include "tests/lib/service_account.h"
#include "tests/lib/tap.h"

#define HOME    "https://models.example:443"
#define TOKENS  "https://tokens.example:443"
#define ACCOUNT "service_account " HOME " " ACCOUNT_EMAIL " test-key-1 " ACCOUNT_KEY
#define PERSON  "authorized_user " HOME " id d&secret 1//re+fresh"
#define CLIENT  "entra " HOME " my.tenant client-1 se~cret%/=0123"
#define SCOPE   "https://www.googleapis.com/auth/cloud-platform"
#define NOW_S   INT64_C(1700000000)

static struct target target_of(enum auth_scheme auth, const char *url)
{
	return (struct target){
		.provider = SPAN("cloud"),
		.auth = auth,
		.token = {.url = span_str(url), .origin = SPAN(TOKENS), .scope = SPAN(SCOPE)},
	};
}

static struct secret *key_of(const char *line)
{
	struct secret *s;
	if (secret_new(span_str(line), SPAN(TOKENS), &s))
		bail("no secret");
	return s;
}

/* The assertion of the document that is public, whose signature is known. */
static void assertion(void)
{
	OWNED(buf_wipe) struct buf out = BUF_INIT(LIMIT_SECRET_BYTES);
	struct credential c;
	credential_parse(SPAN(ACCOUNT), &c);
	is_err(google_assertion(
		       &c, SPAN("https://oauth2.googleapis.com/token"), SPAN(SCOPE), NOW_S, &out),
		OK, "signed");
	is_mem(out.p, out.n, ACCOUNT_ASSERTION, strlen(ACCOUNT_ASSERTION), "the assertion");
	credential_parse(SPAN("service_account " HOME " a@b kid AAAA"), &c);
	is_err(google_assertion(&c, SPAN("https://a/"), SPAN(SCOPE), NOW_S, &out),
		ERR_INVALID_ARGUMENT, "a key that is none");
}

static const struct {
	const char *name, *key;
	enum auth_scheme auth;
	const char *url, *asked; /* what the body begins with */
	enum err err;
	const char *sent_to;
} requests[] = {
	{"a service account",      ACCOUNT,                                 AUTH_GOOGLE, "https://tokens.example/token",
         "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=eyJ",						     OK,         "https://tokens.example/token"                 },
	{"a person",               PERSON,				  AUTH_GOOGLE, "https://tokens.example/token",
         "grant_type=refresh_token&client_id=id&client_secret=d%26secret&refresh_token="
		"1%2F%2Fre%2Bfresh",													   OK,         "https://tokens.example/token"                 },
	{"a client of Entra",      CLIENT,                                  AUTH_ENTRA,  "https://tokens.example/{tenant}/oauth2/token",
         "grant_type=client_credentials&client_id=client-1&client_secret=se~cret%25%2F%"
		"3D0123&"
		"scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform",							      OK,         "https://tokens.example/my.tenant/oauth2/token"},
	{"another host",           CLIENT,				  AUTH_ENTRA,  "https://evil.example/token",                   NULL, ERR_DENIED, NULL                                           },
	{"another port",           CLIENT,				  AUTH_ENTRA,  "https://tokens.example:8443/token",            NULL, ERR_DENIED,
         NULL																							     },
	{"plain http",             CLIENT,				  AUTH_ENTRA,  "http://tokens.example:443/token",              NULL, ERR_DENIED,
         NULL																							     },
	{"Google's key for Entra", ACCOUNT,                                 AUTH_ENTRA,  "https://tokens.example/token",                 NULL,
         ERR_NO_KEY,																       NULL					   },
	{"Entra's key for Google", CLIENT,                                  AUTH_GOOGLE, "https://tokens.example/token",                 NULL,
         ERR_NO_KEY,																       NULL					   },
	{"a plain key",            "sk-1",				  AUTH_GOOGLE, "https://tokens.example/token",                 NULL, ERR_NO_KEY,
         NULL																							     },
	{"a key that cannot sign", "service_account " HOME " a@b kid AAAA", AUTH_GOOGLE,
         "https://tokens.example/token",												 NULL, ERR_NO_KEY, NULL                                           },
};

static void each_request(void)
{
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		const struct target t = target_of(requests[i].auth, requests[i].url);
		struct secret *key = key_of(requests[i].key);
		struct token_request r;
		struct fault why = FAULT_NONE;
		is_err(token_request(&t, key, NOW_S, &r, &why), requests[i].err, "%s: %s",
			requests[i].name, why.message);
		if (!requests[i].err) {
			const struct span url = r.http.url;
			ok(span_starts(r.http.body, span_str(requests[i].asked)), "%s: asked",
				requests[i].name);
			is_mem(url.p, url.n, requests[i].sent_to, strlen(requests[i].sent_to),
				"%s: sent to", requests[i].name);
			ok(r.target.auth == AUTH_NONE && !r.target.is_local,
				"%s: without another proof, and to a public address",
				requests[i].name);
		} else {
			ok(why.message[0] && !strstr(why.message, "cret"),
				"%s: said, without the key", requests[i].name);
		}
		token_request_done(&r);
		secret_unref(key);
	}
}

static const struct {
	const char *name;
	int status;
	const char *body;
	enum err err;
	const char *said; /* a part of the sentence; or the token */
	int64_t life_s;
} replies[] = {
	{"a token",                  200,
         "{\"access_token\":\"ya29.a\",\"expires_in\":3599,\"token_type\":\"Bearer\"}",          OK,
         "ya29.a",																	     3599 },
	{"a life as text",           200,
         "{\"token_type\":\"bearer\",\"expires_in\":\"120\",\"access_token\":\"e\\/y\"}",        OK,
         "e/y",																		120  },
	{"no life",                  200, "{\"access_token\":\"t\"}",                            OK,                  "t",                                     3600 },
	{"a life of nothing",        200, "{\"access_token\":\"t\",\"expires_in\":0}",           OK,                  "t",                                     3600 },
	{"a life without an end",    200, "{\"access_token\":\"t\",\"expires_in\":99999999999}", OK,
         "t",																		  86400},
	{"no token",                 200, "{\"id_token\":\"x\"}",                                ERR_SERVER_ERROR,    "without a token",                       3600 },
	{"an empty one",             200, "{\"access_token\":\"\"}",                             ERR_SERVER_ERROR,    "without a token",                       3600 },
	{"one that splits a header", 200, "{\"access_token\":\"a\\r\\nb\"}",                     ERR_SERVER_ERROR,
         "without a token",																    3600 },
	{"another kind of token",    200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}",
         ERR_SERVER_ERROR,											    "without a token",                       3600 },
	{"no JSON",                  200, "<html>",					      ERR_SERVER_ERROR,    "without a token",                       3600 },
	{"nothing",                  200, "",						    ERR_SERVER_ERROR,    "without a token",                       3600 },
	{"refused",                  400,
         "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}",       ERR_AUTH,            "invalid_grant: Invalid JWT Signature.", 3600 },
	{"refused by Entra",         401,
         "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid "
		"client\"}",								     ERR_AUTH,            "llmb key add cloud",                    3600 },
	{"the key comes back",       401,
         "{\"error\":\"invalid_client\",\"error_description\":\"se~cret%/=0123 is wrong\"}",     ERR_AUTH,            "************** is wrong",               3600 },
	{"too often",                429, "{}",						  ERR_RATE_LIMITED,    "too many",                              3600 },
	{"broken",		   503, "<h1>",						ERR_SERVER_ERROR,    "status 503",                            3600 },
	{"nowhere",                  404, "",						    ERR_INVALID_REQUEST, "no token endpoint",                     3600 },
	{"elsewhere",                302, "",						    ERR_INVALID_REQUEST, "no token endpoint",                     3600 },
};

static void each_reply(void)
{
	const struct target t = target_of(AUTH_ENTRA, "https://tokens.example/token");
	struct secret *key = key_of(CLIENT);
	struct token_request asked;
	if (token_request(&t, key, NOW_S, &asked, NULL))
		bail("nothing to ask");
	for (size_t i = 0; i < COUNT_OF(replies); i++) {
		struct secret *token;
		int64_t life_s;
		struct fault why = FAULT_NONE;
		is_err(token_reply(&t, key, &asked, replies[i].status, span_str(replies[i].body),
			       &token, &life_s, &why),
			replies[i].err, "%s: %s", replies[i].name, why.message);
		is_int(life_s, replies[i].life_s, "%s: its life", replies[i].name);
		ok((token != NULL) == !replies[i].err, "%s: a token or a fault", replies[i].name);
		if (token) {
			const struct span text = secret_open(token);
			const struct span home = secret_origin(token);
			is_mem(text.p, text.n, replies[i].said, strlen(replies[i].said), "%s",
				replies[i].name);
			is_mem(home.p, home.n, HOME, strlen(HOME),
				"%s: for the provider that the key was added for", replies[i].name);
			secret_close(token);
		} else {
			ok(strstr(why.message, replies[i].said) != NULL, "%s: said: %s",
				replies[i].name, why.message);
			ok(!strstr(why.message, "se~cret"), "%s: without the key", replies[i].name);
		}
		secret_unref(token);
	}
	token_request_done(&asked);
	secret_unref(key);
}

static const struct {
	const char *name, *key;
	enum auth_scheme auth;
	const char *said, *want;
} quotes[] = {
	{"the end of a refresh token", PERSON,  AUTH_GOOGLE, "got //re+fresh",                        "got //********"},
	{"a part of a secret",         CLIENT,  AUTH_ENTRA,  "secret ~cret%/=01 given",
         "secret ********** given"										    },
	{"a secret as it was sent",    CLIENT,  AUTH_ENTRA,  "client_secret=se~cret%25%2F%3D0123&",
         "client_secret=********************&"									},
	{"an assertion",               ACCOUNT, AUTH_GOOGLE, "assertion eyJhbGciOiJSUzI1NiIs is bad",
         "assertion ******************** is bad"								      },
	{"a private key",              ACCOUNT, AUTH_GOOGLE, "key MIIEvgIBADANBgkq...",
         "key ****************..."										    },
};

static void each_quote(void)
{
	for (size_t i = 0; i < COUNT_OF(quotes); i++) {
		const struct target t = target_of(quotes[i].auth, "https://tokens.example/token");
		struct secret *key = key_of(quotes[i].key), *token;
		struct token_request asked;
		struct fault why = FAULT_NONE;
		OWNED(buf_done) struct buf body = BUF_INIT(KIB);
		int64_t life_s;
		if (token_request(&t, key, NOW_S, &asked, NULL))
			bail("nothing to ask");
		buf_print(&body, "{\"error\":\"e\",\"error_description\":\"%s\"}", quotes[i].said);
		is_err(token_reply(&t, key, &asked, 400, buf_view(&body), &token, &life_s, &why),
			ERR_AUTH, "%s", quotes[i].name);
		ok(strstr(why.message, quotes[i].want), "%s: %s", quotes[i].name, why.message);
		token_request_done(&asked);
		secret_unref(key);
	}
}

int main(void)
{
	if (sodium_init() < 0)
		bail("no libsodium");
	ok(token_is_needed(AUTH_GOOGLE) && token_is_needed(AUTH_ENTRA) &&
			!token_is_needed(AUTH_BEARER) && !token_is_needed(AUTH_SIGV4),
		"who needs a token");
	assertion();
	each_request();
	each_reply();
	each_quote();
	return tap_done();
}
