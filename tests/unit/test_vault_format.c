/* test_vault_format.c - do the vault's bytes say what was put in, and is every other byte refused? */
#include <sodium.h>
#include <stdlib.h>

#include "brokerd/vault/body.h"
#include "brokerd/vault/format.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static const struct vault_cost cheap = {.ops = 1, .mem_bytes = UINT64_C(8) << 20};
static const unsigned char data_key[FORMAT_KEY_BYTES] = "a data key of thirty-two bytes..";
static const unsigned char file_key[FORMAT_KEY_BYTES] = "a key file of thirty-two bytes..";

/* ---- the sealed file ---- */

static void put_key_file(struct vault_header *h)
{
	unsigned char key[FORMAT_KEY_BYTES];
	struct slot s = format_slot_new(SLOT_KEY_FILE, cheap);
	format_key_of_bytes(&s, file_key, key);
	format_slot_seal(h, &s, key, data_key);
	ok(format_slot_put(h, &s), "there is room for a slot");
}

static void put_passphrase(struct vault_header *h, struct span passphrase)
{
	unsigned char key[FORMAT_KEY_BYTES];
	struct fault why;
	struct slot s = format_slot_new(SLOT_PASSPHRASE, cheap);
	is_err(format_key_of_passphrase(&s, passphrase, key, &why), OK, "a passphrase is hashed");
	format_slot_seal(h, &s, key, data_key);
	ok(format_slot_put(h, &s), "there is room for a slot");
}

/* A file with both slots and a short body. */
static void make_file(struct buf *out, struct span body)
{
	struct vault_header h = {.generation = 7, .id = "an id of 16 byte"};
	put_key_file(&h);
	put_passphrase(&h, SPAN("correct horse"));
	is_err(format_seal(&h, data_key, body, out), OK, "a file is sealed");
}

static void test_there_and_back(void)
{
	OWNED(buf_done) struct buf file = BUF_INIT(LIMIT_VAULT_BYTES);
	const struct span body = SPAN("the body");
	unsigned char key[FORMAT_KEY_BYTES], got_key[FORMAT_KEY_BYTES], got[64];
	struct sealed s;
	struct fault why;

	make_file(&file, body);
	is_uint(file.n, 37 + 2 * 138 + 28 + body.n + 16 + 32, "it is as long as the format says");
	ok(span_find(buf_view(&file), body) == file.n, "and does not show its body");
	is_mem(file.p, 8, "BRKVLT\0\1", 8, "it begins as a vault does");
	is_mem(file.p + 8, 4, "\2\0\1\0", 4, "format and cipher are little endian");
	is_mem(file.p + 12, 8, "\7\0\0\0\0\0\0\0", 8, "and so is the generation");
	is_err(format_parse(buf_view(&file), &s, &why), OK, "it is taken apart");
	is_uint(s.header.generation, 7, "its generation");
	is_uint(s.header.n_slots, 2, "its slots");
	is_mem(s.header.id, sizeof s.header.id, "an id of 16 byte", 16, "its id");
	is_uint(format_body_size(&s), body.n, "its body's length");
	ok(format_open(&s, data_key, got), "its key opens it");
	is_mem(got, body.n, body.p, body.n, "and the body is what it was");
	ok(!format_open(&s, file_key, got), "another key does not");
	ok(sodium_is_zero(got, body.n), "and leaves zeroes");

	const struct slot *slot = format_slot(&s.header, SLOT_KEY_FILE);
	format_key_of_bytes(slot, file_key, key);
	ok(format_slot_open(&s.header, slot, key, got_key), "the key file unwraps the key");
	is_mem(got_key, sizeof got_key, data_key, sizeof data_key, "the data key");
	ok(!format_slot_open(&s.header, slot, data_key, got_key), "another does not");
	ok(sodium_is_zero(got_key, sizeof got_key), "and leaves zeroes");

	slot = format_slot(&s.header, SLOT_PASSPHRASE);
	is_err(format_key_of_passphrase(slot, SPAN("correct horse"), key, &why), OK, "the hash");
	ok(format_slot_open(&s.header, slot, key, got_key), "the passphrase unwraps the key");
	is_err(format_key_of_passphrase(slot, SPAN("correct horsf"), key, &why), OK, "the hash");
	ok(!format_slot_open(&s.header, slot, key, got_key), "another passphrase does not");
}

/* Slots change beside a body that stays; and what lies beside it is what was sealed with it. */
static void test_body_kept(void)
{
	OWNED(buf_done) struct buf file = BUF_INIT(LIMIT_VAULT_BYTES);
	OWNED(buf_done) struct buf next = BUF_INIT(LIMIT_VAULT_BYTES);
	struct sealed s, t;
	struct fault why;
	unsigned char got[64];

	make_file(&file, SPAN("the body"));
	is_err(format_parse(buf_view(&file), &s, &why), OK, "a file");
	ok(format_may_keep_body(&s), "its body can stay");
	struct vault_header h = s.header;
	h.generation++;
	format_slot_remove(&h, SLOT_PASSPHRASE);
	is_err(format_reseal(&h, data_key, &s, &next), OK, "a slot less");
	is_err(format_parse(buf_view(&next), &t, &why), OK, "is a file");
	is_uint(t.header.n_slots, 1, "with what is left");
	is_mem(t.nonce.p, t.nonce.n, s.nonce.p, s.nonce.n, "the nonce is the same");
	is_mem(t.ciphertext.p, t.ciphertext.n, s.ciphertext.p, s.ciphertext.n, "and all behind it");
	ok(format_open(&t, data_key, got), "it opens");
	is_mem(got, 8, "the body", 8, "to the same");
	t.seal = s.seal;
	ok(!format_open(&t, data_key, got), "but not under another file's seal");
	ok(sodium_is_zero(got, 8), "which leaves zeroes");
}

/* A slot that unwraps to a key other than the one it is committed to is no slot. */
static void test_commitment(void)
{
	struct vault_header h = {.id = "an id of 16 byte"};
	unsigned char key[FORMAT_KEY_BYTES], got[FORMAT_KEY_BYTES];
	put_key_file(&h);
	struct slot s = h.slots[0];
	format_key_of_bytes(&s, file_key, key);
	ok(format_slot_open(&h, &s, key, got), "the slot opens");
	s.commit[31] ^= 1;
	ok(!format_slot_open(&h, &s, key, got), "but not to a key it does not name");
	ok(sodium_is_zero(got, sizeof got), "which is not given away");
	h.id[0] ^= 1;
	ok(!format_slot_open(&h, &h.slots[0], key, got), "nor in another vault");
}

/* Every change of every byte either fails to parse, or fits no key and opens no body. */
static void test_changed_bytes(void)
{
	OWNED(buf_done) struct buf file = BUF_INIT(LIMIT_VAULT_BYTES);
	static const unsigned char masks[] = {0x01, 0x80, 0xff};
	unsigned char got[64];
	struct sealed s;
	struct fault why;
	size_t opened = 0, tried = 0;

	make_file(&file, SPAN("the body"));
	for (size_t i = 0; i < file.n; i++) {
		for (size_t m = 0; m < sizeof masks; m++) {
			file.p[i] = (char)(file.p[i] ^ masks[m]);
			if (format_parse(buf_view(&file), &s, &why) == OK) {
				tried++;
				opened += format_open(&s, data_key, got);
			}
			file.p[i] = (char)(file.p[i] ^ masks[m]);
		}
	}
	ok(tried > 100, "many a changed file still has the shape of one");
	is_uint(opened, 0, "none opens");
	is_err(format_parse(buf_view(&file), &s, &why), OK, "the unchanged one is taken apart");
	ok(format_open(&s, data_key, got), "and opens");
	for (size_t n = 0; n < file.n; n++) {
		struct span cut = span_first(buf_view(&file), n);
		/* a copy of just that length: a read beyond it is seen by a sanitizer */
		char *copy = malloc(n ? n : 1);
		memcpy(copy, cut.p, n);
		opened += format_parse(span_of(copy, n), &s, &why) == OK;
		free(copy);
	}
	is_uint(opened, 0, "cut off anywhere, it is refused");
	buf_byte(&file, '\0');
	is_err(format_parse(buf_view(&file), &s, &why), ERR_VAULT_DAMAGED, "nor may it be longer");
	is_str(why.message, "has 1 bytes too many", "and that is said");
}

/* What a header may claim. Offsets are those of the format's comment. */
static const struct {
	const char *name;
	size_t at, n;
	uint64_t value;
	enum err want;
} claims[] = {
	{"a newer format",              8,             2, 3,                 ERR_VERSION      },
	{"another cipher",              10,            2, 9,                 ERR_VERSION      },
	{"no slots",                    36,            1, 0,                 ERR_VAULT_DAMAGED},
	{"too many slots",              36,            1, 9,                 ERR_VAULT_DAMAGED},
	{"no passes",                   37 + 138 + 18, 8, 0,                 ERR_VAULT_DAMAGED},
	{"too many passes",             37 + 138 + 18, 8, 11,                ERR_VAULT_DAMAGED},
	{"as many as may be",           37 + 138 + 18, 8, 10,                OK               },
	{"a hash without memory",       37 + 138 + 26, 8, 8191,              ERR_VAULT_DAMAGED},
	{"just under the least",        37 + 138 + 26, 8, (8 << 20) - 1,     ERR_VAULT_DAMAGED},
	{"as much as may be",           37 + 138 + 26, 8, UINT64_C(1) << 30, OK               },
	{"a memory bomb",               37 + 138 + 26, 8, UINT64_C(1) << 40, ERR_VAULT_DAMAGED},
	{"a body of no bytes",          37 + 276 + 24, 4, 16,                ERR_VAULT_DAMAGED},
	{"a body of four gigabytes",    37 + 276 + 24, 4, UINT32_MAX,        ERR_VAULT_DAMAGED},
	{"a slot of a type to come",    37,            1, 77,                OK               },
	{"a key file hashed otherwise", 38,            1, 77,                OK               },
};

static void test_claims(void)
{
	OWNED(buf_done) struct buf file = BUF_INIT(LIMIT_VAULT_BYTES);
	struct sealed s;
	struct fault why;

	make_file(&file, SPAN("the body"));
	for (size_t i = 0; i < COUNT_OF(claims); i++) {
		char kept[8];
		struct writer w = {.p = (unsigned char *)file.p + claims[i].at, .max = 8};
		memcpy(kept, w.p, sizeof kept);
		write_number(&w, claims[i].value, claims[i].n);
		is_err(format_parse(buf_view(&file), &s, &why), claims[i].want, "%s",
			claims[i].name);
		memcpy(file.p + claims[i].at, kept, sizeof kept);
	}
	file.p[37] = 77;
	is_err(format_parse(buf_view(&file), &s, &why), OK, "a slot to come is kept");
	ok(!format_slot(&s.header, SLOT_KEY_FILE), "and not used");
	ok(format_slot(&s.header, SLOT_PASSPHRASE) != NULL, "unlike the one beside it");
}

static void test_slots(void)
{
	struct vault_header h = {.generation = 1};
	struct slot s = {.type = 100};
	for (size_t i = 0; i < FORMAT_SLOTS_MAX; i++, s.type++)
		ok(format_slot_put(&h, &s), "slot %zu", i);
	ok(!format_slot_put(&h, &s), "there is an end to slots");
	s.type = 103;
	s.ops = 5;
	ok(format_slot_put(&h, &s), "one takes the place of its like");
	is_uint(h.slots[3].ops, 5, "where that was");
	format_slot_remove(&h, (enum slot_type)103);
	is_uint(h.n_slots, FORMAT_SLOTS_MAX - 1, "one goes");
	is_uint(h.slots[3].type, 104, "and the others close up");
}

static void test_fingerprint(void)
{
	char a[9], b[9], c[9];
	format_fingerprint(data_key, SPAN("sk-one"), a);
	format_fingerprint(data_key, SPAN("sk-two"), b);
	format_fingerprint(file_key, SPAN("sk-one"), c);
	is_uint(strlen(a), 8, "a fingerprint has eight digits");
	is_uint(strspn(a, "0123456789abcdef"), 8, "hexadecimal ones");
	ok(strcmp(a, b) != 0, "another secret has another");
	ok(strcmp(a, c) != 0, "and so has the same secret in another vault");
}

/* ---- the body ---- */

struct text {
	unsigned char bytes[4096];
	size_t n;
};

static struct span view(const struct text *t)
{
	return span_of((const char *)t->bytes, t->n);
}

static struct body_change added(const char *provider, const char *label, const char *secret)
{
	struct body_change c = {
		.provider = span_str(provider),
		.label = span_str(label),
		.origin = SPAN("https://h:443"),
		.secret = span_str(secret),
		.now_s = 1000,
	};
	randombytes_buf(c.id, sizeof c.id);
	return c;
}

/* Applies a change to *t. */
static bool change(struct text *t, const struct body_change *c)
{
	struct text to;
	bool found = false;
	struct writer w = {.p = to.bytes, .max = body_rewrite_bound(view(t), c)};
	if (w.max > sizeof to.bytes)
		bail("a test's body is too large");
	body_rewrite(view(t), c, &w, &found);
	ok(!w.is_full, "the bound is one");
	to.n = w.n;
	*t = to;
	is_err(body_check(view(t), &(struct fault){.err = OK}), OK, "what was written can be read");
	return found;
}

static struct text empty_body(void)
{
	struct text t = {.n = 0};
	struct writer w = {.p = t.bytes, .max = sizeof t.bytes};
	body_empty(&w);
	t.n = w.n;
	return t;
}

/* "provider/label=secret" of every key, with a space between. */
static const char *listed(const struct text *t)
{
	static char text[1024];
	struct body_walk w = body_each(view(t));
	struct body_key k;
	size_t n = 0;
	text[0] = '\0';
	while (body_next(&w, &k))
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s/%.*s=%.*s", n ? " " : "",
			SPAN_ARG(k.provider), SPAN_ARG(k.label), SPAN_ARG(k.secret));
	return text;
}

static void test_body(void)
{
	struct text t = empty_body();
	struct body_key k;
	struct body_change c;

	is_str(listed(&t), "", "an empty body has no keys");
	c = added("openai", "", "sk-1");
	ok(!change(&t, &c), "the first key is new");
	c = added("openai", "work", "sk-2");
	change(&t, &c);
	c = added("anthropic", "", "sk-3");
	change(&t, &c);
	is_str(listed(&t), "openai/=sk-1 openai/work=sk-2 anthropic/=sk-3", "keys are in order");
	c = added("openai", "work", "sk-4");
	ok(change(&t, &c), "one of the same name is replaced");
	is_str(listed(&t), "openai/=sk-1 openai/work=sk-4 anthropic/=sk-3", "in its place");

	struct body_walk w = body_each(view(&t));
	ok(body_next(&w, &k), "the first key");
	is_int(k.created_s, 1000, "knows when it was made");
	is_int(k.last_used_s, 0, "and that it was not used");
	struct body_use use = {.at_s = 2000};
	memcpy(use.id, k.id.p, sizeof use.id);
	c = (struct body_change){.uses = &use, .n_uses = 1};
	change(&t, &c);
	w = body_each(view(&t));
	ok(body_next(&w, &k), "the first key again");
	is_int(k.last_used_s, 2000, "knows when it was used");
	use.at_s = 1500;
	change(&t, &c);
	use.at_s = 2500;
	const size_t before = t.n;
	change(&t, &c);
	is_uint(t.n, before, "a second time takes no more room");
	w = body_each(view(&t));
	ok(body_next(&w, &k) && k.last_used_s == 2500, "and the latest is kept");

	c = (struct body_change){
		.provider = SPAN("openai"), .label = SPAN("work"), .is_removal = true};
	ok(change(&t, &c), "a key is taken out");
	is_str(listed(&t), "openai/=sk-1 anthropic/=sk-3", "that key alone");
	ok(!change(&t, &c), "once");
}

/* A record and a field that this version knows nothing of. */
static void test_newer_body(void)
{
	struct text t = empty_body();
	struct body_change c = added("openai", "", "sk-1");
	const struct span field = SPAN("\x21\x43\5\0\0\0field"),
			  record = SPAN("\x65\7\6\0\0\0record");

	change(&t, &c);
	/* into the key, which is the last record: its length is behind version and tag */
	memcpy(t.bytes + t.n, field.p, field.n);
	t.n += field.n;
	t.bytes[4] = (unsigned char)(t.bytes[4] + field.n);
	memcpy(t.bytes + t.n, record.p, record.n);
	t.n += record.n;
	is_err(body_check(view(&t), &(struct fault){.err = OK}), OK, "what is new is no fault");
	is_str(listed(&t), "openai/=sk-1", "nor in the way");

	struct body_walk w = body_each(view(&t));
	struct body_key k;
	struct body_use use = {.at_s = 9};
	ok(body_next(&w, &k), "the key is read");
	memcpy(use.id, k.id.p, sizeof use.id);
	c = added("groq", "", "sk-2");
	c.uses = &use;
	c.n_uses = 1;
	change(&t, &c);
	is_str(listed(&t), "openai/=sk-1 groq/=sk-2", "another key comes");
	ok(span_find(view(&t), field) < t.n, "the field is still there");
	ok(span_find(view(&t), record) < t.n, "and so is the record");
	c = (struct body_change){.provider = SPAN("openai"), .label = SPAN(""), .is_removal = true};
	change(&t, &c);
	ok(span_find(view(&t), field) == t.n, "the field goes with its key");
	ok(span_find(view(&t), record) < t.n, "the record stays");
}

#define ID              \
	"\1\0\20\0\0\0" \
	"0123456789abcdef"
#define ID2             \
	"\1\0\20\0\0\0" \
	"0123456789abcdeg"
#define REST            \
	"\2\0\1\0\0\0p" \
	"\3\0\0\0\0\0"  \
	"\4\0\1\0\0\0o" \
	"\5\0\1\0\0\0s"
static const struct {
	const char *name;
	struct span body;
	enum err want;
} bodies[] = {
	{"nothing at all",          {"", 0},                          ERR_VAULT_DAMAGED},
	{"half a version",          {"\1", 1},                        ERR_VAULT_DAMAGED},
	{"a newer version",         {"\2\0", 2},                      ERR_VERSION      },
	{"no records",              {"\1\0", 2},                      OK               },
	{"half a tag",              {"\1\0\7", 3},                    ERR_VAULT_DAMAGED},
	{"half a length",           {"\1\0\7\0\1\0", 6},              ERR_VAULT_DAMAGED},
	{"a length beyond the end", {"\1\0\7\0\2\0\0\0x", 9},         ERR_VAULT_DAMAGED},
	{"a length beyond all",     {"\1\0\7\0\377\377\377\377x", 9}, ERR_VAULT_DAMAGED},
	{"a record to come",        {"\1\0\7\0\1\0\0\0x", 9},         OK               },
	{"a key without fields",    {"\1\0\1\0\0\0\0\0", 8},          ERR_VAULT_DAMAGED},
};

static void test_bodies(void)
{
	struct fault why;
	for (size_t i = 0; i < COUNT_OF(bodies); i++)
		is_err(body_check(bodies[i].body, &why), bodies[i].want, "%s", bodies[i].name);

	/* fields, one at a time, made wrong in an otherwise sound key */
	const struct {
		const char *name;
		struct span fields;
		enum err want;
	} keys[] = {
		{"a sound key",          SPAN(ID REST),						 OK               },
		{"a key without an id",  SPAN(REST),						    ERR_VAULT_DAMAGED},
		{"a short id",           SPAN("\1\0\1\0\0\0x" REST),                                    ERR_VAULT_DAMAGED},
		{"two ids",              SPAN(ID ID2 REST),                                             ERR_VAULT_DAMAGED},
		{"a tag of zero",        SPAN(ID REST "\0\0\0\0\0\0"),                                  ERR_VAULT_DAMAGED},
		{"a field cut off",      SPAN(ID REST "\11\0\1\0\0\0"),                                 ERR_VAULT_DAMAGED},
		{"a time of four bytes", SPAN(ID REST "\6\0\4\0\0\0abcd"),                              ERR_VAULT_DAMAGED},
		{"a name with a NUL",
                 SPAN(ID "\2\0\1\0\0\0\0\3\0\0\0\0\0\4\0\1\0\0\0o\5\0\1\0\0\0s"),
                 ERR_VAULT_DAMAGED										       },
		{"no provider",          SPAN(ID "\2\0\0\0\0\0\3\0\0\0\0\0\4\0\1\0\0\0o\5\0\1\0\0\0s"),
                 ERR_VAULT_DAMAGED										       },
		{"no secret",            SPAN(ID "\2\0\1\0\0\0p\3\0\0\0\0\0\4\0\1\0\0\0o"),             ERR_VAULT_DAMAGED},
	};
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		unsigned char bytes[256];
		struct writer w = {.p = bytes, .max = sizeof bytes};
		body_empty(&w);
		write_number(&w, 1, 2);
		write_number(&w, keys[i].fields.n, 4);
		write_bytes(&w, keys[i].fields.p, keys[i].fields.n);
		const struct span body = span_of((const char *)bytes, w.n);
		is_err(body_check(body, &why), keys[i].want, "%s", keys[i].name);
		if (keys[i].want != OK)
			continue;
		write_bytes(&w, bytes + 2, w.n - 2);
		is_err(body_check(span_of((const char *)bytes, w.n), &why), ERR_VAULT_DAMAGED,
			"the same key twice");
	}
}

int main(void)
{
	if (sodium_init() < 0)
		bail("libsodium does not start");
	test_there_and_back();
	test_body_kept();
	test_commitment();
	test_changed_bytes();
	test_claims();
	test_slots();
	test_fingerprint();
	test_body();
	test_newer_body();
	test_bodies();
	return tap_done();
}
