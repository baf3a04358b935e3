/* test_redact.c - is every part of a key covered, however it is written, and nothing else? */
#include "brokerd/auth/redact.h"

#include <sodium.h>
#include <stdlib.h>

#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define KEY    "0123456789abcdefXYZ"
#define HOME   "https://models.example:443"
#define AWS    "aws AKIDEXAMPLE12345 wJalrXUtnFEMI/K7MDENG+bPxRfi FwoGZXIvYXdzEBYaDK/x+y=="
#define PERSON "authorized_user " HOME " id.apps GOCSPX-pqrstuvwxyz 1//0refresh+token=="
#define CLIENT "entra " HOME " my.tenant client-1 se~cret%/=0123"

static struct secret *secret_of(struct span key)
{
	struct secret *s;
	if (secret_new(key, SPAN(HOME), &s))
		bail("no secret");
	return s;
}

static const struct {
	const char *name, *key, *text, *want;
} rows[] = {
	{"nothing of it",           KEY,            "Incorrect API key",                    "Incorrect API key"          },
	{"the whole key",           KEY,            "bad " KEY "!",                         "bad *******************!"   },
	{"its beginning",           KEY,            "bad 01234567.",                        "bad ********."              },
	{"its end",                 KEY,            "cdefXYZ? no, bcdefXYZ",                "cdefXYZ? no, ********"      },
	{"its middle",              KEY,            "(23456789abcd)",                       "(************)"             },
	{"one letter too few",      KEY,            "0123456 789abcd",                      "0123456 789abcd"            },
	{"two parts",               KEY,            "01234567...9abcdefX",                  "********...********"        },
	{"parts that touch",        KEY,            "9abcdefX01234567",                     "****************"           },
	{"a letter between them",   KEY,            "9abcdefX-01234567",                    "********-********"          },
	{"in another case",         KEY,            "89ABCDEF",                             "89ABCDEF"                   },
	{"less than eight in all",  KEY,            "0123",                                 "0123"                       },
	{"nothing said",            KEY,            "",				     ""                           },
	{"a prefix alone",          "sk-proj-" KEY, "sk-proj-****fXYZ",                     "sk-proj-****fXYZ"           },
	{"a prefix and more",       "sk-proj-" KEY, "sk-proj-01234567****",                 "sk-proj-************"       },
	{"a prefix that is all",    "sk-proj-abc",  "a key sk-proj-abc",                    "a key sk-********"          },
	{"words of a local key",    "local-key",    "the local-key; locally",               "the *********; locally"     },
	{"a key that is short",     "ollama",       "ollama is down",                       "ollama is down"             },
	{"one that repeats",        "aaaaaaaaaa",   "aaaaaaa aaaaaaaaaaaa",                 "aaaaaaa ************"       },
	{"a secret of AWS",         AWS,            "AKIDEXAMPLE12345 wJalrXUtnF",          "AKIDEXAMPLE12345 **********"},
	{"a session token of AWS",  AWS,            "token:FwoGZXIvYX",                     "token:**********"           },
	{"it is in an address",     AWS,            "t=aDK%2Fx%2By%3d%3D&",                 "t=*****************&"       },
	{"a client's secret",       PERSON,         "GOCSPX-pqrstuvwx",                     "GOCSPX-*********"           },
	{"a refresh token",         PERSON,         "got 1//0refresh",                      "got 1//********"            },
	{"names of an account",     PERSON,         "authorized_user id.apps at " HOME,
         "authorized_user id.apps at " HOME									      },
	{"as a form has it",        CLIENT,         "client_secret=se~cret%25%2F%3D0123&x",
         "client_secret=********************&x"									  },
	{"escapes in lower case",   CLIENT,         "cret%25%2f%3d0",                       "**************"             },
	{"escapes where none need", CLIENT,         "%73e%7Ecret%25/",                      "***************"            },
	{"as JSON inside of JSON",  CLIENT,         "\"t%\\/=0123\" \"cret%\\u002F=0\"",
         "\"*********\" \"*************\""									       },
	{"escapes that are none",   KEY,            "%zz%0 100% \\",                        "%zz%0 100% \\"              },
	{"and one at the end",      KEY,            "01234567%",                            "********%"                  },
};

static void each_row(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct secret *key = secret_of(span_str(rows[i].key));
		struct fault why = FAULT_NONE;
		const size_t n = strlen(rows[i].text);
		/* a copy of its own, so that a sanitizer sees who reads beyond it */
		char *text = malloc(n + 1);
		if (!text)
			bail("no memory");
		memcpy(text, rows[i].text, n);
		redact_text(key, SPAN_NONE, text, n);
		is_mem(text, n, rows[i].want, strlen(rows[i].want), "%s", rows[i].name);
		free(text);
		fault_set(&why, ERR_AUTH, "%s", rows[i].text);
		redact_fault(key, &why);
		is_str(why.message, rows[i].want, "%s: in a fault", rows[i].name);
		secret_unref(key);
	}
}

/* Against the plainest way of doing it: every part of the key, looked for at every place. */
static void like_the_plain_way(void)
{
	uint32_t seed = 1;
	size_t n_wrong = 0;
	for (int round = 0; round < 300; round++) {
		char key[24], text[120], want[sizeof text];
		for (size_t i = 0; i < sizeof key; i++)
			key[i] = (seed = seed * 1664525 + 1013904223) >> 16 & 1 ? 'a' : 'b';
		for (size_t i = 0; i < sizeof text; i++)
			text[i] = want[i] =
				(seed = seed * 1664525 + 1013904223) >> 16 & 3 ? 'a' : 'b';
		for (size_t i = 0; i + REDACT_BYTES <= sizeof text; i++) {
			for (size_t k = 0; k + REDACT_BYTES <= sizeof key; k++) {
				if (memcmp(text + i, key + k, REDACT_BYTES) == 0)
					memset(want + i, '*', REDACT_BYTES);
			}
		}
		struct secret *secret = secret_of(span_of(key, sizeof key));
		redact_text(secret, SPAN_NONE, text, sizeof text);
		n_wrong += memcmp(text, want, sizeof text) != 0;
		secret_unref(secret);
	}
	is_uint(n_wrong, 0, "as the plain way finds them, in 300 random texts");
}

static void all_of_a_fault(void)
{
	struct secret *key = secret_of(SPAN(KEY)),
		      *foreign = secret_of(SPAN("Schl\xc3\xbcssel\xc3\xbc"));
	struct fault why;
	fault_param(&why, ERR_AUTH, "in 12345678", "key 12345678");
	fault_text(why.code, sizeof why.code, SPAN("bad_9abcdefX"));
	fault_text(why.request_id, sizeof why.request_id, SPAN("req_" KEY));
	fault_text(why.provider, sizeof why.provider, SPAN(KEY));
	redact_fault(NULL, &why);
	is_str(why.message, "key 12345678", "without a key nothing changes");
	redact_fault(key, &why);
	is_str(why.message, "key ********", "the message");
	is_str(why.param, "in ********", "the member");
	is_str(why.code, "bad_********", "the code");
	is_str(why.request_id, "req_*******************", "the id");
	is_str(why.provider, KEY, "not the provider, which is named here");
	fault_set(&why, ERR_AUTH, "(hl\xc3\xbcssel\xc3\xb6)");
	redact_fault(foreign, &why);
	is_str(why.message, "(*********?)", "and no half of a character stays");
	why = FAULT_NONE;
	redact_fault(key, &why);
	is_err(why.err, OK, "no fault");
	secret_unref(key);
	secret_unref(foreign);
}

static void more_than_the_key(void)
{
	struct secret *key = secret_of(SPAN(CLIENT));
	char text[] = "assertion=eyJhbGciOi&secret=se~cret%";
	char alone[] = "eyJhbGciOi";
	redact_text(key, SPAN("eyJhbGciOiJSUzI1NiJ9"), text, strlen(text));
	is_str(text, "assertion=**********&secret=********", "what is secret beside it, too");
	redact_text(NULL, SPAN("eyJhbGciOiJSUzI1NiJ9"), alone, strlen(alone));
	is_str(alone, "**********", "or alone");
	secret_unref(key);
}

static void the_longest_key(void)
{
	char line[LIMIT_SECRET_BYTES], text[4096];
	uint32_t seed = 7;
	for (size_t i = 0; i < sizeof line; i++)
		line[i] = (char)('A' + ((seed = seed * 1664525 + 1013904223) >> 16) % 26);
	struct secret *key = secret_of(span_of(line, sizeof line));
	memcpy(text, line + 5000, sizeof text);
	text[9] = text[4000] = '-';
	redact_text(key, SPAN_NONE, text, sizeof text);
	size_t stars = 0;
	for (size_t i = 0; i < sizeof text; i++)
		stars += text[i] == '*';
	is_uint(stars, sizeof text - 2, "all of a long text out of the longest key");
	secret_unref(key);
}

int main(void)
{
	if (sodium_init() < 0)
		bail("no sodium");
	each_row();
	like_the_plain_way();
	all_of_a_fault();
	more_than_the_key();
	the_longest_key();
	return tap_done();
}
