/* redact.c - a window of eight letters goes over the text, as it is read in each form that a key may have
 * been written in. A small filter of the key's own windows says at nearly every place that it is none of
 * them; where it cannot, the key is asked. */
#include "brokerd/auth/redact.h"

#include <sodium.h>

#include "brokerd/auth/credential.h"
#include "brokerd/value/secret_open.h"

#define FILTER_BITS 4096u
#define PARTS_MAX   4

/* As secret as the key is, and open like it: wiped after use. */
struct needles {
	struct span parts[PARTS_MAX];
	size_t n;
	uint64_t filter[FILTER_BITS / 64];
	char window[REDACT_BYTES];
};

/* How a text may have been written. */
enum form {
	FORM_URL,  /* %2F */
	FORM_JSON, /* \/ \u002f, in a document that is quoted inside another */
	FORM_PLAIN,
	FORM_COUNT
};

/* What keys of many begin with; the longer first. */
static const char *const known[] = {"sk-ant-api03-", "sk-ant-admin01-", "sk-ant-oat01-",
	"sk-svcacct-", "sk-service-", "sk-admin-", "sk-or-v1-", "sk-proj-", "sk-None-", "sk-test-",
	"sk-lf-", "sk_", "sk-", "AIza", "ya29.", "1//", "GOCSPX-", "gsk_", "xai-", "pplx-", "hf_",
	"nvapi-", "tgp_v1_", "fw_", "csk-", "jina_", "pa-", "r8_", "github_pat_", "ghp_", "gho_",
	"ABSK", "bedrock-api-key-"};

/* ---- the key ---- */

static struct span without_prefix(struct span key)
{
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		const struct span prefix = span_str(known[i]);
		if (span_starts(key, prefix) && key.n >= prefix.n + REDACT_BYTES)
			return span_skip(key, prefix.n);
	}
	return key;
}

static uint64_t shift_in(uint64_t window, char c)
{
	return window << 8 | (unsigned char)c;
}

static unsigned slot_of(uint64_t window)
{
	return (unsigned)(window * UINT64_C(0x9e3779b97f4a7c15) >> 52) % FILTER_BITS;
}

/* Texts that are shorter than a window are whole keys at best, and the transport's. */
static void add_part(struct needles *k, struct span part)
{
	uint64_t window = 0;
	part = without_prefix(part);
	if (part.n < REDACT_BYTES)
		return;
	k->parts[k->n++] = part;
	for (size_t i = 0; i < part.n; i++) {
		window = shift_in(window, part.p[i]);
		if (i + 1 >= REDACT_BYTES)
			k->filter[slot_of(window) / 64] |= UINT64_C(1) << slot_of(window) % 64;
	}
}

/* The key is open. */
static void add_key(struct needles *k, struct span line)
{
	struct credential c;
	credential_parse(line, &c);
	if (c.kind == CREDENTIAL_PLAIN)
		c = (struct credential){.secret = line};
	add_part(k, c.secret);
	add_part(k, c.session_token);
	add_part(k, c.refresh_token);
}

static bool is_in_key(struct needles *k, uint64_t window)
{
	if (!(k->filter[slot_of(window) / 64] >> slot_of(window) % 64 & 1))
		return false;
	for (size_t i = REDACT_BYTES; i-- > 0; window >>= 8)
		k->window[i] = (char)(window & 0xff);
	for (size_t i = 0; i < k->n; i++) {
		if (span_find(k->parts[i], span_of(k->window, REDACT_BYTES)) < k->parts[i].n)
			return true;
	}
	return false;
}

/* ---- the text ---- */

static int hex_of(char c)
{
	const char lower = span_lower(c);
	return c >= '0' && c <= '9'           ? c - '0'
	       : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
					      : -1;
}

/* The byte that two digits stand for, or -1. */
static int hex_pair(struct span text)
{
	if (text.n < 2 || hex_of(text.p[0]) < 0 || hex_of(text.p[1]) < 0)
		return -1;
	return hex_of(text.p[0]) << 4 | hex_of(text.p[1]);
}

/* How many bytes at the text's beginning are one letter, and which. */
static size_t letter_at(struct span text, enum form form, char *c)
{
	int byte;
	*c = text.p[0];
	if (form == FORM_URL && *c == '%' && (byte = hex_pair(span_skip(text, 1))) >= 0) {
		*c = (char)byte;
		return 3;
	}
	if (form != FORM_JSON || *c != '\\' || text.n < 2)
		return 1;
	if (span_starts(text, SPAN("\\u00")) && (byte = hex_pair(span_skip(text, 4))) >= 0) {
		*c = (char)byte;
		return 6;
	}
	*c = text.p[1];
	return 2;
}

static void cover(struct needles *k, enum form form, char *text, size_t n)
{
	size_t begins[REDACT_BYTES]; /* of the letters in the window */
	size_t covered = 0;          /* what lies before it is done with */
	uint64_t window = 0;
	for (size_t i = 0, letters = 1; i < n; letters++) {
		char c;
		begins[letters % REDACT_BYTES] = i;
		i += letter_at(span_of(text + i, n - i), form, &c);
		window = shift_in(window, c);
		if (letters < REDACT_BYTES || !is_in_key(k, window))
			continue;
		size_t from = begins[(letters + 1) % REDACT_BYTES];
		from = from > covered ? from : covered;
		memset(text + from, '*', i - from);
		covered = i;
	}
}

/* What is escaped first: once a part of it is covered, the rest might be too short to be known. */
static void cover_all(struct needles *k, char *text, size_t n)
{
	for (int form = 0; k->n > 0 && form < FORM_COUNT; form++)
		cover(k, (enum form)form, text, n);
}

void redact_text(struct secret *key, struct span also, char *text, size_t n)
{
	struct needles k = {.n = 0};
	if (n < REDACT_BYTES)
		return;
	if (also.n > 0)
		add_part(&k, also);
	if (key)
		add_key(&k, secret_open(key));
	cover_all(&k, text, n);
	if (key)
		secret_close(key);
	sodium_memzero(&k, sizeof k);
}

static void redact_field(struct needles *k, char *field, size_t size)
{
	char covered[sizeof((struct fault *)NULL)->message];
	const size_t n = strlen(field);
	memcpy(covered, field, n);
	cover_all(k, covered, n);
	fault_text(field, size, span_of(covered, n)); /* a key may end inside a character */
}

void redact_fault(struct secret *key, struct fault *why)
{
	struct needles k = {.n = 0};
	if (!key || !why->err)
		return;
	add_key(&k, secret_open(key));
	redact_field(&k, why->code, sizeof why->code);
	redact_field(&k, why->param, sizeof why->param);
	redact_field(&k, why->request_id, sizeof why->request_id);
	redact_field(&k, why->message, sizeof why->message);
	secret_close(key);
	sodium_memzero(&k, sizeof k);
}
