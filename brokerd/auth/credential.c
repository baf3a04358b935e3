/* credential.c - one reader for each cloud's forms. What is unescaped of them lies in bufs that are
 * made whole beforehand and wiped: no growth leaves a copy behind. */
#include "brokerd/auth/credential.h"

#include "brokerd/auth/rs256.h"
#include "protocol/base/json.h"
#include "protocol/limits.h"

#define WORDS_MAX 5
#define AT(field) offsetof(struct credential, field)

static const struct {
	const char *word;
	enum credential_kind kind;
	size_t least, n; /* words behind the first */
	size_t at[WORDS_MAX];
} kinds[] = {
	{"aws",             CREDENTIAL_AWS,             2, 3, {AT(id), AT(secret), AT(session_token)}     },
	{"service_account", CREDENTIAL_SERVICE_ACCOUNT, 4, 4,
         {AT(origin), AT(id), AT(key_id), AT(secret)}                                                     },
	{"authorized_user", CREDENTIAL_AUTHORIZED_USER, 4, 4,
         {AT(origin), AT(id), AT(secret), AT(refresh_token)}                                              },
	{"entra",           CREDENTIAL_ENTRA,           4, 4, {AT(origin), AT(tenant), AT(id), AT(secret)}},
};

void credential_parse(struct span line, struct credential *out)
{
	struct span rest = line;
	const struct span first = span_cut(&rest, ' ');
	*out = (struct credential){.kind = CREDENTIAL_PLAIN};
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (!span_is(first, kinds[i].word))
			continue;
		size_t n = 0;
		while (span_is_set(rest) && n < kinds[i].n) {
			struct span *field = (struct span *)(void *)((char *)out + kinds[i].at[n]);
			*field = span_cut(&rest, ' ');
			if (field->n == 0)
				break;
			n++;
		}
		if (n >= kinds[i].least && !span_is_set(rest))
			out->kind = kinds[i].kind;
		else
			*out = (struct credential){.kind = CREDENTIAL_PLAIN};
		return;
	}
}

enum err credential_misfits(struct span provider, struct fault *why)
{
	return fault_set(why, ERR_NO_KEY,
		"the key of %.*s is not of the kind that its section asks for (auth): `llmb key "
		"add "
		"%.*s` puts in another",
		SPAN_ARG(provider), SPAN_ARG(provider));
}

/* ---- words ---- */

/* What can be a word of the line, and stand in a header. */
static bool is_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	}
	return s.n > 0;
}

static void put_word(struct buf *out, struct span word)
{
	if (out->n > 0)
		buf_byte(out, ' ');
	buf_span(out, word);
}

bool credential_is_tenant(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
			c != '-' && c != '.')
			return false;
	}
	return s.n > 0 && s.n <= 128;
}

/* Appends a member's text as a word. False: it is not there, or is no word. */
static bool put_member(struct json object, const char *name, struct buf *out)
{
	const size_t before = out->n;
	put_word(out, SPAN(""));
	const size_t begin = out->n;
	if (json_text_to(json_member(object, name), out) &&
		is_word(span_of(out->p + begin, out->n - begin)))
		return true;
	buf_cut(out, before);
	return false;
}

/* The same, of the first name of several (a NULL ends them) that is there. */
static bool put_first(struct json object, const char *const *names, struct buf *out)
{
	for (; *names; names++) {
		if (put_member(object, *names, out))
			return true;
	}
	return false;
}

static bool is_document(struct span given)
{
	return given.n > 0 && given.p[0] == '{';
}

static enum err read_document(struct span given, struct json *out, struct fault *why)
{
	const struct json_rules rules = {.max_depth = 8, .has_unique_names = true};
	const enum err err = json_scan(given, rules, out, NULL);
	if (err == ERR_NO_MEMORY)
		return err;
	if (err)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the key begins like a JSON document, and is no whole one: give the file "
			"as it is, "
			"with --from-stdin <FILE");
	return OK;
}

/* ---- AWS ---- */

static enum err no_aws(struct fault *why)
{
	return fault_set(why, ERR_INVALID_ARGUMENT,
		"a key of AWS is ACCESS_KEY_ID:SECRET_ACCESS_KEY, with :SESSION_TOKEN behind it "
		"where "
		"it has one, or the JSON that `aws configure export-credentials` prints (a Bedrock "
		"API "
		"key is of another kind: the provider's section needs auth = bearer for it)");
}

static bool is_access_key_id(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
			c != '_')
			return false;
	}
	return s.n >= 16 && s.n <= 128;
}

static enum err aws_line(struct span given, struct buf *out, struct fault *why)
{
	static const char *const tokens[] = {"SessionToken", "Token", NULL};
	struct json document = JSON_NONE;
	struct credential c;
	put_word(out, SPAN("aws"));
	if (is_document(given)) {
		const enum err err = read_document(given, &document, why);
		if (err)
			return err;
		/* `aws sts assume-role` has it one level below */
		const struct json inner = json_member(document, "Credentials");
		document = json_kind(inner) == JSON_OBJECT ? inner : document;
		if (!put_member(document, "AccessKeyId", out) ||
			!put_member(document, "SecretAccessKey", out))
			return no_aws(why);
		(void)put_first(document, tokens, out);
	} else {
		for (size_t i = 0; i < 3 && span_is_set(given); i++) {
			const struct span word = span_cut(&given, ':');
			if (!is_word(word))
				return no_aws(why);
			put_word(out, word);
		}
	}
	credential_parse(buf_view(out), &c);
	if (c.kind != CREDENTIAL_AWS || (!is_document(given) && span_is_set(given)) ||
		!is_access_key_id(c.id) || c.secret.n < 16 || c.secret.n > 256)
		return no_aws(why);
	return OK;
}

/* ---- Google ---- */

static enum err no_google(struct fault *why)
{
	return fault_set(why, ERR_INVALID_ARGUMENT,
		"a key of Google's is the JSON file of a service account, or the "
		"application_default_credentials.json that `gcloud auth application-default login` "
		"writes: give it with --from-stdin <FILE (an API key of Google's is of another "
		"kind: the "
		"provider's section needs auth = header:x-goog-api-key for it)");
}

/* Appends what lies between a PEM's lines, without white space. False: it is no private key. */
static bool put_pem(struct span pem, struct buf *out)
{
	static const char *const kinds_of_pem[] = {"PRIVATE KEY-----", "RSA PRIVATE KEY-----"};
	for (size_t i = 0; i < COUNT_OF(kinds_of_pem); i++) {
		const struct span kind = span_str(kinds_of_pem[i]);
		const size_t at = span_find(pem, SPAN("-----BEGIN "));
		if (at == pem.n)
			return false;
		struct span rest = span_skip(pem, at + sizeof "-----BEGIN " - 1);
		if (!span_starts(rest, kind))
			continue;
		rest = span_skip(rest, kind.n);
		rest = span_first(rest, span_find(rest, SPAN("-----END ")));
		put_word(out, SPAN(""));
		const size_t begin = out->n;
		for (size_t j = 0; j < rest.n; j++) {
			if (!strchr(" \t\r\n", rest.p[j]))
				buf_byte(out, rest.p[j]);
		}
		return rs256_is_key(span_of(out->p + begin, out->n - begin));
	}
	return false;
}

/* Where the document would have its tokens from: it is not asked there, but a document that names a
 * stranger is not what it seems. */
static bool is_known_issuer(struct span uri, const struct token_source *source)
{
	static const char *const known[] = {"https://oauth2.googleapis.com/",
		"https://accounts.google.com/", "https://www.googleapis.com/"};
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (span_starts(uri, span_str(known[i])))
			return true;
	}
	return span_eq(uri, source->url);
}

static enum err check_issuer(
	struct json document, const struct token_source *source, struct fault *why)
{
	OWNED(buf_done) struct buf uri = BUF_INIT(KIB);
	const struct json member = json_member(document, "token_uri");
	if (json_is_nil(member))
		return OK;
	if (json_text_to(member, &uri) && is_known_issuer(buf_view(&uri), source))
		return OK;
	return fault_param(why, ERR_INVALID_ARGUMENT, "secret",
		"the document's token_uri is no address of Google's: such a file can send its key "
		"to "
		"a stranger. If it is meant, set token_url in the provider's section");
}

static enum err service_account_line(
	struct json document, struct span origin, struct buf *out, struct fault *why)
{
	OWNED(buf_wipe) struct buf pem = BUF_INIT(LIMIT_SECRET_BYTES);
	put_word(out, SPAN("service_account"));
	put_word(out, origin);
	if (!buf_reserve(&pem, LIMIT_SECRET_BYTES))
		return buf_error(&pem);
	if (!put_member(document, "client_email", out) ||
		!put_member(document, "private_key_id", out) ||
		!json_text_to(json_member(document, "private_key"), &pem))
		return no_google(why);
	if (!put_pem(buf_view(&pem), out))
		return fault_param(why, ERR_INVALID_ARGUMENT, "secret",
			"the document's private_key is no RSA key of 2048 bits or more that can be "
			"read: "
			"has the file been changed? `gcloud iam service-accounts keys create` "
			"makes "
			"another");
	return OK;
}

static enum err google_line(struct span given, const struct token_source *source,
	struct span origin, struct buf *out, struct fault *why)
{
	struct json document;
	if (!is_document(given))
		return no_google(why);
	enum err err = read_document(given, &document, why);
	if (!err)
		err = check_issuer(document, source, why);
	if (err)
		return err;
	const struct json type = json_member(document, "type");
	if (json_is(type, "service_account"))
		return service_account_line(document, origin, out, why);
	if (!json_is(type, "authorized_user"))
		return no_google(why);
	put_word(out, SPAN("authorized_user"));
	put_word(out, origin);
	if (!put_member(document, "client_id", out) ||
		!put_member(document, "client_secret", out) ||
		!put_member(document, "refresh_token", out))
		return no_google(why);
	return OK;
}

/* ---- Entra ---- */

static enum err no_entra(struct fault *why)
{
	return fault_set(why, ERR_INVALID_ARGUMENT,
		"a key of Entra's is TENANT:CLIENT_ID:CLIENT_SECRET (without TENANT: where the "
		"provider's section has the tenant), or the JSON that `az ad sp create-for-rbac` "
		"prints "
		"(an API key of Azure's is of another kind: auth = header:api-key)");
}

static enum err entra_line(struct span given, const struct token_source *source, struct span origin,
	struct buf *out, struct fault *why)
{
	static const char *const tenants[] = {"tenant", "tenantId", "tenant_id", NULL};
	static const char *const ids[] = {"appId", "clientId", "client_id", NULL};
	static const char *const secrets[] = {"password", "clientSecret", "client_secret", NULL};
	struct credential c;
	put_word(out, SPAN("entra"));
	put_word(out, origin);
	if (is_document(given)) {
		struct json document;
		const enum err err = read_document(given, &document, why);
		if (err)
			return err;
		if (!put_first(document, tenants, out) && span_is_set(source->tenant))
			put_word(out, source->tenant);
		if (!put_first(document, ids, out) || !put_first(document, secrets, out))
			return no_entra(why);
	} else {
		struct span secret = given;
		const struct span first = span_cut(&secret, ':');
		struct span after = secret;
		const struct span second = span_cut(&after, ':');
		const bool has_tenant = span_is_set(after);
		const struct span tenant = has_tenant ? first : source->tenant;
		const struct span words[] = {
			tenant, has_tenant ? second : first, has_tenant ? after : secret};
		for (size_t i = 0; i < COUNT_OF(words); i++) {
			if (!is_word(words[i]))
				return no_entra(why);
			put_word(out, words[i]);
		}
	}
	credential_parse(buf_view(out), &c);
	if (c.kind != CREDENTIAL_ENTRA || !credential_is_tenant(c.tenant))
		return no_entra(why);
	return OK;
}

enum err credential_line(enum auth_scheme auth, struct span given,
	const struct token_source *source, struct span origin, struct buf *out, struct fault *why)
{
	const struct span text = span_trim(given);
	enum err err = OK;
	buf_clear(out);
	switch (auth) {
	case AUTH_NONE:
	case AUTH_BEARER:
	case AUTH_HEADER:
		buf_span(out, given);
		break;
	case AUTH_SIGV4:
		err = aws_line(text, out, why);
		break;
	case AUTH_GOOGLE:
		err = google_line(text, source, origin, out, why);
		break;
	case AUTH_ENTRA:
		err = entra_line(text, source, origin, out, why);
		break;
	}
	if (!err && buf_error(out))
		err = fault_set(why, buf_error(out), "the key is longer than %zu bytes",
			LIMIT_SECRET_BYTES);
	return err;
}
