/* test_sigv4.c - does the signature agree with AWS's own test suite? Its signatures are quoted, and one
 * of a request as Bedrock gets it. */
#include "brokerd/auth/sigv4.h"

#include <sodium.h>
#include <stdio.h>

#include "tests/lib/tap.h"

#define HOST       "https://example.amazonaws.com"
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define NOW_S      INT64_C(1440938160) /* 2015-08-30 12:36:00 */
#define ACCESS_KEY "AKIDEXAMPLE"
#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define FORM_HASH  "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
#define TOKEN                                                                                      \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmx" \
	"fpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0K" \
	"PkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZb" \
	"qBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
#define CHAT                                                                     \
	"{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"ping\"}]}]," \
	"\"inferenceConfig\":{"                                                  \
	"\"maxTokens\":16}}"

struct row {
	const char *name, *method, *url, *body;
	struct {
		const char *name, *value;
	} headers[4];
	const char *token, *service;
	const char *names, *signature;
};

/* clang-format off */
static const struct row rows[] = {
	{"get-vanilla", "GET", HOST "/", "", {{0}}, NULL, "service", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"no path", "GET", HOST, "", {{0}}, NULL, "service", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"the usual port", "GET", HOST ":443/", "", {{0}}, NULL, "service", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"post-vanilla", "POST", HOST "/", "", {{0}}, NULL, "service", "host;x-amz-date",
		"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-x-www-form-urlencoded", "POST", HOST "/", "Param1=value1",
		{{"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Length", "13"},
			{"x-amz-content-sha256", FORM_HASH}},
		NULL, "service", "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
		"d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
	{"get-utf8", "GET", HOST "/\xe1\x88\xb4", "", {{0}}, NULL, "service", "host;x-amz-date",
		"8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"get-space", "GET", HOST "/example space/", "", {{0}}, NULL, "service", "host;x-amz-date",
		"652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{"get-unreserved", "GET", HOST "/" UNRESERVED, "", {{0}}, NULL, "service", "host;x-amz-date",
		"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{"get-relative", "GET", HOST "/example/..", "", {{0}}, NULL, "service", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-relative-relative", "GET", HOST "/example1/example2/../..", "", {{0}}, NULL, "service",
		"host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slash", "GET", HOST "//", "", {{0}}, NULL, "service", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slash-dot-slash", "GET", HOST "/./", "", {{0}}, NULL, "service", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slash-pointless-dot", "GET", HOST "/./example", "", {{0}}, NULL, "service",
		"host;x-amz-date",
		"ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
	{"get-slashes", "GET", HOST "//example//", "", {{0}}, NULL, "service", "host;x-amz-date",
		"9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
	{"get-vanilla-query-order-key-case", "GET", HOST "/?Param2=value2&Param1=value1", "", {{0}},
		NULL, "service", "host;x-amz-date",
		"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-query-order-value", "GET", HOST "/?Param1=value2&Param1=value1", "", {{0}},
		NULL, "service", "host;x-amz-date",
		"5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
	{"get-vanilla-query-order-encoded", "GET",
		HOST "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "", {{0}}, NULL, "service",
		"host;x-amz-date",
		"371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{"get-vanilla-utf8-query", "GET", HOST "/?\xe1\x88\xb4=bar", "", {{0}}, NULL, "service",
		"host;x-amz-date",
		"2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"get-vanilla-empty-query-key", "GET", HOST "/?Param1=value1", "", {{0}}, NULL, "service",
		"host;x-amz-date",
		"a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{"get-vanilla-query-unreserved", "GET", HOST "/?" UNRESERVED "=" UNRESERVED, "", {{0}}, NULL,
		"service", "host;x-amz-date",
		"9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"post-vanilla-query", "POST", HOST "/?Param1=value1", "", {{0}}, NULL, "service",
		"host;x-amz-date",
		"28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{"get-header-key-duplicate", "GET", HOST "/", "",
		{{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}}, NULL,
		"service", "host;my-header1;x-amz-date",
		"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{"get-header-value-order", "GET", HOST "/", "",
		{{"My-Header1", "value4"}, {"My-Header1", "value1"}, {"My-Header1", "value3"},
			{"My-Header1", "value2"}},
		NULL, "service", "host;my-header1;x-amz-date",
		"08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
	{"get-header-value-trim", "GET", HOST "/", "",
		{{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}, NULL, "service",
		"host;my-header1;my-header2;x-amz-date",
		"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"post-header-key-sort", "POST", HOST "/", "", {{"My-Header1", "value1"}}, NULL, "service",
		"host;my-header1;x-amz-date",
		"c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{"post-header-value-case", "POST", HOST "/", "", {{"My-Header1", "VALUE1"}}, NULL, "service",
		"host;my-header1;x-amz-date",
		"cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	{"post-sts-header-before", "POST", HOST "/", "", {{0}}, TOKEN, "service",
		"host;x-amz-date;x-amz-security-token",
		"85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	{"Bedrock: what is encoded is encoded again", "POST",
		"https://bedrock-runtime.us-east-1.amazonaws.com/model/"
		"anthropic.claude-3-haiku-20240307-v1%3A0/converse",
		CHAT, {{"content-type", "application/json"}}, NULL, "bedrock",
		"content-type;host;x-amz-date",
		"b243fc048908e18b0ba0882497197ff01c082580b0f36fcc790456837c5b5d8a"},
};
/* clang-format on */

static const struct sigv4_credential credential = {
	.access_key_id = {ACCESS_KEY, sizeof ACCESS_KEY - 1},
	.secret_key = {SECRET_KEY, sizeof SECRET_KEY - 1}
};

static void each_row(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *r = &rows[i];
		struct http_header headers[4];
		struct sigv4_credential c = credential;
		struct sigv4_request q = {.method = span_str(r->method),
			.url = span_str(r->url),
			.headers = headers,
			.region = SPAN("us-east-1"),
			.service = span_str(r->service),
			.now_s = NOW_S};
		for (size_t j = 0; j < COUNT_OF(headers) && r->headers[j].name; j++)
			headers[q.n_headers++] = (struct http_header){
				span_str(r->headers[j].name), span_str(r->headers[j].value)};
		struct sigv4_proof proof;
		struct fault why = FAULT_NONE;
		char want[1024];
		sigv4_hash(span_str(r->body), q.body_hash);
		c.session_token = span_str(r->token);
		is_err(sigv4_sign(&q, &c, &proof, &why), OK, "%s: signed", r->name);
		is_str(proof.date, "20150830T123600Z", "%s: the date", r->name);
		snprintf(want, sizeof want,
			"AWS4-HMAC-SHA256 Credential=" ACCESS_KEY
			"/20150830/us-east-1/%s/aws4_request, SignedHeaders=%s, Signature=%s",
			r->service, r->names, r->signature);
		is_str(proof.authorization, want, "%s: the proof", r->name);
	}
}

static const struct {
	const char *name, *url, *id, *region;
	size_t secret_bytes, n_headers;
	enum err err;
} bad[] = {
	{"no address",         "example",    ACCESS_KEY, "us-east-1", 40,  0,  ERR_INVALID_ARGUMENT},
	{"no host",            "https:///x", ACCESS_KEY, "us-east-1", 40,  0,  ERR_INVALID_ARGUMENT},
	{"no access key id",   HOST,         "",         "us-east-1", 40,  0,  ERR_INVALID_ARGUMENT},
	{"no region",          HOST,         ACCESS_KEY, "",          40,  0,  ERR_INVALID_ARGUMENT},
	{"no secret",          HOST,         ACCESS_KEY, "us-east-1", 0,   0,  ERR_INVALID_ARGUMENT},
	{"the longest secret", HOST,         ACCESS_KEY, "us-east-1", 256, 0,  OK                  },
	{"a longer one",       HOST,         ACCESS_KEY, "us-east-1", 257, 0,  ERR_INVALID_ARGUMENT},
	{"thirty headers",     HOST,         ACCESS_KEY, "us-east-1", 40,  30, OK                  },
	{"and one",            HOST,         ACCESS_KEY, "us-east-1", 40,  31, ERR_TOO_BIG         },
};

static void what_cannot_be_signed(void)
{
	static char secret[300];
	static char query[4096] = HOST "/?a";
	struct http_header headers[40];
	struct sigv4_proof proof;
	memset(secret, 'k', sizeof secret);
	for (size_t i = 0; i < COUNT_OF(headers); i++)
		headers[i] = (struct http_header){SPAN("x-a"), SPAN("b")};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const struct sigv4_credential c = {
			span_str(bad[i].id), span_of(secret, bad[i].secret_bytes), SPAN_NONE};
		const struct sigv4_request q = {.method = SPAN("GET"),
			.url = span_str(bad[i].url),
			.headers = headers,
			.n_headers = bad[i].n_headers,
			.region = span_str(bad[i].region),
			.service = SPAN("bedrock"),
			.now_s = NOW_S};
		struct fault why = FAULT_NONE;
		is_err(sigv4_sign(&q, &c, &proof, &why), bad[i].err, "%s", bad[i].name);
		ok(!bad[i].err || why.message[0], "%s: said", bad[i].name);
	}
	struct sigv4_request q = {.method = SPAN("GET"),
		.region = SPAN("us-east-1"),
		.service = SPAN("bedrock"),
		.now_s = NOW_S};
	for (int i = 0; i < 63; i++)
		strcat(query, "&a=%");
	q.url = span_str(query);
	is_err(sigv4_sign(&q, &credential, &proof, NULL), OK, "64 members of a query");
	strcat(query, "&b");
	q.url = span_str(query);
	is_err(sigv4_sign(&q, &credential, &proof, NULL), ERR_TOO_BIG, "and one");
}

int main(void)
{
	if (sodium_init() < 0)
		bail("no libsodium");
	each_row();
	what_cannot_be_signed();
	return tap_done();
}
