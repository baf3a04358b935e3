/* test_credential.c - which forms of a cloud's key are taken, and what is kept of them? */
#include "brokerd/auth/credential.h"

#include <sodium.h>

#include "protocol/limits.h"
#include "tests/lib/service_account.h"
#include "tests/lib/tap.h"

#define HOME   "https://models.example:443"
#define AK     "AKIDEXAMPLE12345"
#define SK     "secret/0123456789+abc"
#define LONGER "x123456789x123456789x123456789x123456789x123456789x123456789x123456789"

static const struct token_source source = {
	.url = {"https://tokens.example/t", 24},
          .tenant = {"configured.example",       18}
};
static const struct token_source no_tenant = {
	.url = {"https://tokens.example/t", 24}
};

static const struct {
	const char *name;
	enum auth_scheme auth;
	const char *given, *line; /* NULL: refused */
} rows[] = {
	{"a plain key",			  AUTH_BEARER, "sk-1",                             "sk-1"                                                },
	{"a key in a header",                    AUTH_HEADER, "{not json",                        "{not json"                                           },

	{"AWS",				  AUTH_SIGV4,  AK ":" SK,                          "aws " AK " " SK                                      },
	{"AWS, with a session token",            AUTH_SIGV4,  AK ":" SK ":tok==",                 "aws " AK " " SK " tok=="                             },
	{"AWS, as its tools print it",           AUTH_SIGV4,
         "{\n  \"Version\": 1,\n  \"AccessKeyId\": \"" AK "\",\n  \"SecretAccessKey\": \"" SK
		"\",\n  \"SessionToken\": \"a\\/b\",\n  \"Expiration\": "
		"\"2026-01-01T00:00:00Z\"\n}\n",						  "aws " AK " " SK " a/b"                               },
	{"AWS, from STS",                        AUTH_SIGV4,
         "{\"Credentials\": {\"AccessKeyId\": \"" AK "\", \"SecretAccessKey\": \"" SK "\"}}",
         "aws " AK " " SK															       },
	{"AWS, from a host's metadata",          AUTH_SIGV4,
         "{\"AccessKeyId\": \"" AK "\", \"SecretAccessKey\": \"" SK "\", \"Token\": \"t\"}",
         "aws " AK " " SK " t"															  },
	{"AWS, an API key",                      AUTH_SIGV4,  "ABSKQmVkcm9ja0FQSUtleS1abc",       NULL                                                  },
	{"AWS, four words",                      AUTH_SIGV4,  AK ":" SK ":tok:more",              NULL                                                  },
	{"AWS, an empty word",                   AUTH_SIGV4,  AK ":" SK ":",                      NULL                                                  },
	{"AWS, no secret",                       AUTH_SIGV4,  AK,                                 NULL						  },
	{"AWS, a short secret",                  AUTH_SIGV4,  AK ":secret",                       NULL                                                  },
	{"AWS, a space in it",                   AUTH_SIGV4,  AK ":" SK " x",                     NULL                                                  },
	{"AWS, no id",			   AUTH_SIGV4,  "a-b-c-d-e-f-g-h-i:" SK,            NULL                                                  },
	{"AWS, half a document",                 AUTH_SIGV4,  "{\"AccessKeyId\": \"" AK "\",",    NULL                                                  },
	{"AWS, a document of another's",         AUTH_SIGV4,  "{\"type\": \"service_account\"}",  NULL                                                  },
	{"AWS, a word that is none",             AUTH_SIGV4,
         "{\"AccessKeyId\": \"" AK "\", \"SecretAccessKey\": \"0123456789 0123456789\"}",
         NULL																	   },

	{"Google, a service account",            AUTH_GOOGLE, ACCOUNT_DOCUMENT,
         "service_account " HOME " " ACCOUNT_EMAIL " test-key-1 " ACCOUNT_KEY                                                                           },
	{"Google, with the configured endpoint", AUTH_GOOGLE,
         ACCOUNT_DOCUMENT_OF("https://tokens.example/t"),
         "service_account " HOME " " ACCOUNT_EMAIL " test-key-1 " ACCOUNT_KEY                                                                           },
	{"Google, with a stranger's endpoint",   AUTH_GOOGLE,
         ACCOUNT_DOCUMENT_OF("https://oauth2.googleapis.com.evil.example/token"),                 NULL                                                  },
	{"Google, with plain http",              AUTH_GOOGLE,
         ACCOUNT_DOCUMENT_OF("http://oauth2.googleapis.com/token"),                               NULL                                                  },
	{"Google, with the host's metadata",     AUTH_GOOGLE,
         ACCOUNT_DOCUMENT_OF("http://169.254.169.254/token"),                                     NULL                                                  },
	{"Google, a person",                     AUTH_GOOGLE,
         "{\"type\": \"authorized_user\", \"client_id\": \"id.apps\", \"client_secret\": "
		"\"d-secret\", \"refresh_token\": \"1//refresh\", \"quota_project_id\": \"p\"}",  "authorized_user " HOME " id.apps d-secret 1//refresh"},
	{"Google, a person without a token",     AUTH_GOOGLE,
         "{\"type\": \"authorized_user\", \"client_id\": \"i\", \"client_secret\": \"d\"}",       NULL						  },
	{"Google, a federated identity",         AUTH_GOOGLE, "{\"type\": \"external_account\"}", NULL                                                  },
	{"Google, an API key",                   AUTH_GOOGLE, "AIzaSyA",                          NULL                                                  },
	{"Google, no private key",               AUTH_GOOGLE,
         "{\"type\": \"service_account\", \"client_email\": \"a@b\", \"private_key_id\": "
		"\"k\", "
		"\"private_key\": \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE "
		"KEY-----\"}",								    NULL						  },
	{"Google, an encrypted one",             AUTH_GOOGLE,
         "{\"type\": \"service_account\", \"client_email\": \"a@b\", \"private_key_id\": "
		"\"k\", "
		"\"private_key\": \"-----BEGIN ENCRYPTED PRIVATE KEY-----\\nAAAA\\n\"}",          NULL						  },
	{"Google, a name twice",                 AUTH_GOOGLE,
         "{\"type\": \"authorized_user\", \"type\": \"service_account\"}",                        NULL                                                  },

	{"Entra",				AUTH_ENTRA,  "my.tenant:client-1:a~b",           "entra " HOME " my.tenant client-1 a~b"               },
	{"Entra, a colon in the secret",         AUTH_ENTRA,  "t:c:a:b",                          "entra " HOME " t c a:b"                              },
	{"Entra, the configured tenant",         AUTH_ENTRA,  "client-1:a~b",
         "entra " HOME " configured.example client-1 a~b"											       },
	{"Entra, as az prints it",               AUTH_ENTRA,
         "{\"appId\": \"c\", \"displayName\": \"n\", \"password\": \"s\", \"tenant\": "
		"\"t\"}",									 "entra " HOME " t c s"                                },
	{"Entra, as az used to",                 AUTH_ENTRA,
         "{\"clientId\": \"c\", \"clientSecret\": \"s\", \"tenantId\": \"t\"}",		   "entra " HOME " t c s"                                },
	{"Entra, a document without a tenant",   AUTH_ENTRA,
         "{\"client_id\": \"c\", \"client_secret\": \"s\"}",				      "entra " HOME " configured.example c s"               },
	{"Entra, a path for a tenant",           AUTH_ENTRA,  "a/../b:client:secret",             NULL                                                  },
	{"Entra, an API key",                    AUTH_ENTRA,  "0123456789abcdef",                 NULL                                                  },
	{"Entra, nothing behind a colon",        AUTH_ENTRA,  "t:c:",                             NULL                                                  },
};

static void each_row(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		OWNED(buf_wipe) struct buf out = BUF_INIT(LIMIT_SECRET_BYTES);
		struct fault why = FAULT_NONE;
		if (!buf_reserve(&out, LIMIT_SECRET_BYTES))
			bail("no memory");
		const enum err err = credential_line(
			rows[i].auth, span_str(rows[i].given), &source, SPAN(HOME), &out, &why);
		if (!rows[i].line) {
			is_err(err, ERR_INVALID_ARGUMENT, "%s: refused", rows[i].name);
			ok(why.message[0] && !strstr(why.message, SK) && !strstr(why.message, AK),
				"%s: said, without the key", rows[i].name);
			continue;
		}
		is_err(err, OK, "%s: %s", rows[i].name, why.message);
		const struct span line = buf_view(&out);
		is_mem(line.p, line.n, rows[i].line, strlen(rows[i].line), "%s", rows[i].name);
	}
}

static void what_is_left_to_say(void)
{
	OWNED(buf_wipe) struct buf out = BUF_INIT(LIMIT_SECRET_BYTES);
	static char key[LIMIT_SECRET_BYTES];
	struct fault why = FAULT_NONE;
	struct credential c;
	is_err(credential_line(
		       AUTH_ENTRA, SPAN("client:secret"), &no_tenant, SPAN(HOME), &out, &why),
		ERR_INVALID_ARGUMENT, "no tenant anywhere");
	memset(key, 'k', sizeof key);
	memcpy(key, AK ":" SK ":", sizeof AK + sizeof SK);
	is_err(credential_line(
		       AUTH_SIGV4, span_of(key, sizeof key), &source, SPAN(HOME), &out, &why),
		ERR_TOO_BIG, "a line too long");
	credential_parse(SPAN("sk-plain"), &c);
	is_int(c.kind, CREDENTIAL_PLAIN, "a plain key");
	credential_parse(SPAN("aws id"), &c);
	is_int(c.kind, CREDENTIAL_PLAIN, "too few words");
	credential_parse(SPAN("aws id secret token more"), &c);
	is_int(c.kind, CREDENTIAL_PLAIN, "too many");
	credential_parse(SPAN("entra " HOME " t c s"), &c);
	is_int(c.kind, CREDENTIAL_ENTRA, "the kind");
	is_mem(c.origin.p, c.origin.n, HOME, strlen(HOME), "the origin");
	is_mem(c.tenant.p, c.tenant.n, "t", 1, "the tenant");
	is_mem(c.id.p, c.id.n, "c", 1, "the client");
	is_mem(c.secret.p, c.secret.n, "s", 1, "its secret");
	ok(credential_is_tenant(SPAN("a-b.c9")) && !credential_is_tenant(SPAN("")) &&
			!credential_is_tenant(SPAN("a/b")) &&
			!credential_is_tenant(SPAN(LONGER LONGER)),
		"tenants");
}

int main(void)
{
	if (sodium_init() < 0)
		bail("no libsodium");
	each_row();
	what_is_left_to_say();
	return tap_done();
}
