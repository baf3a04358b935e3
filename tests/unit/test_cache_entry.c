/* test_cache_entry.c - is a record taken only where and as it was sealed? */
#include "brokerd/cache/entry.h"

#include <sodium.h>
#include <stdlib.h>

#include "tests/lib/tap.h"

#define ROOM 4096

static const unsigned char key[CACHE_SEAL_BYTES] = "0123456789abcdef0123456789abcde";
static const unsigned char other_key[CACHE_SEAL_BYTES] = "another key, of another vault...";
static struct cache_seal seal, other_seal;
static unsigned char id[CACHE_FILE_ID] = "this file's id.",
		     other_id[CACHE_FILE_ID] = "another's id...";

static struct cache_copy *make(const char *about, const char *body)
{
	static const struct cache_key k = {"a key of thirty-two bytes......"};
	struct cache_copy *c = cache_copy_new(&k, strlen(about), strlen(body));
	if (!c)
		bail("no memory");
	c->seq = 7;
	c->scope = UINT64_C(0xfedcba9876543210);
	c->at_s = 1000;
	c->fresh_s = -2000;
	c->kept_s = INT64_MAX;
	memcpy(c->bytes, about, strlen(about));
	memcpy(c->bytes + strlen(about), body, strlen(body));
	return c;
}

/* Is it read to its end, as what it was? In exactly so much memory, for who looks at each access. */
static bool opens(const struct cache_seal *s, struct cache_spot at, const unsigned char *bytes,
	size_t n, const struct cache_copy *was)
{
	struct cache_head h;
	char about[CACHE_ABOUT_BYTES], body[ROOM];
	char *p = malloc(n + 1);
	if (!p)
		bail("no memory");
	memcpy(p, bytes, n);
	char *exact = realloc(p, n > 0 ? n : 1);
	bool is_open = exact && cache_record_head(s, at, span_of(exact, n), &h, about) &&
		       h.body_bytes <= ROOM &&
		       cache_record_body(s, at, span_of(exact, n), &h, body);
	if (is_open)
		is_open = memcmp(&h.key, &was->key, sizeof h.key) == 0 && h.seq == was->seq &&
			  h.scope == was->scope && h.at_s == was->at_s &&
			  h.fresh_s == was->fresh_s && h.kept_s == was->kept_s &&
			  h.about_bytes == was->about_bytes && h.body_bytes == was->body_bytes &&
			  memcmp(about, was->bytes, h.about_bytes) == 0 &&
			  memcmp(body, was->bytes + h.about_bytes, h.body_bytes) == 0;
	free(exact);
	return is_open;
}

static const struct {
	const char *name, *about, *body;
} records[] = {
	{"a record",                    "model=m", "The answer is 42."},
	{"one with nothing told of it", "",        "The answer."      },
	{"one with nothing in it",      "told",    ""                 },
	{"one with neither",            "",        ""                 },
};

static void check_record(const char *name, const struct cache_copy *c)
{
	unsigned char bytes[ROOM];
	const struct cache_spot at = {id, 5};
	const size_t n = cache_record_bytes(c->about_bytes, c->body_bytes);
	unsigned flipped = 0, cut = 0;
	cache_record_seal(&seal, at, c, bytes);
	ok(opens(&seal, at, bytes, n, c), "%s is read as it was written", name);
	ok(!memmem(bytes, n, c->key.bytes, 8) && !memmem(bytes, n, "answer", 6), "it says nothing");
	for (size_t i = 0; i < n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (unsigned char)(1u << bit);
			flipped += opens(&seal, at, bytes, n, c);
			bytes[i] ^= (unsigned char)(1u << bit);
		}
	}
	is_uint(flipped, 0, "%s is none with any of its %zu bits flipped", name, 8 * n);
	for (size_t i = 0; i < n; i++)
		cut += opens(&seal, at, bytes, i, c);
	is_uint(cut, 0, "%s is none at any shorter length", name);
	ok(!opens(&seal, at, bytes, n + 1, c), "nor at a longer one");
	ok(!opens(&seal, (struct cache_spot){id, 6}, bytes, n, c), "%s is none in another place",
		name);
	ok(!opens(&seal, (struct cache_spot){other_id, 5}, bytes, n, c), "nor in another file");
	ok(!opens(&other_seal, at, bytes, n, c), "nor for another vault");
}

/* Head and body of two records of one length, sealed for the same place one after the other. */
static void check_mixed(void)
{
	unsigned char one[ROOM], two[ROOM];
	const struct cache_spot at = {id, 5};
	struct cache_copy *a = make("x", "first"), *b = make("x", "other");
	const size_t n = cache_record_bytes(1, 5), head = CACHE_HEAD_BYTES + 1;
	cache_record_seal(&seal, at, a, one);
	cache_record_seal(&seal, at, b, two);
	ok(memcmp(one + 8, two + 8, 24) != 0, "no nonce is used twice");
	memcpy(one + head, two + head, n - head);
	ok(!opens(&seal, at, one, n, a) && !opens(&seal, at, one, n, b),
		"no body belongs to another's head");
	cache_copy_drop(a);
	cache_copy_drop(b);
}

static void check_header(void)
{
	unsigned char bytes[CACHE_HEADER_BYTES], made[CACHE_FILE_ID], read[CACHE_FILE_ID];
	unsigned taken = 0;
	cache_header_make(&seal, made, bytes);
	const struct span all = span_of((const char *)bytes, sizeof bytes);
	ok(cache_header_read(&seal, all, read), "a file begins as it was begun");
	is_mem(read, sizeof read, made, sizeof made, "and has the id it was given");
	ok(!cache_header_read(&other_seal, all, read), "but not under another key");
	for (size_t i = 0; i < sizeof bytes; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (unsigned char)(1u << bit);
			taken += cache_header_read(&seal, all, read);
			bytes[i] ^= (unsigned char)(1u << bit);
		}
		taken += cache_header_read(&seal, span_first(all, i), read);
	}
	is_uint(taken, 0, "nor flipped anywhere, nor cut short");
}

int main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	cache_seal_init(&seal, key);
	cache_seal_init(&other_seal, other_key);
	for (size_t i = 0; i < COUNT_OF(records); i++) {
		struct cache_copy *c = make(records[i].about, records[i].body);
		check_record(records[i].name, c);
		cache_copy_drop(c);
	}
	char long_about[CACHE_ABOUT_BYTES + 1], long_body[2000];
	memset(long_about, 'a', CACHE_ABOUT_BYTES);
	long_about[CACHE_ABOUT_BYTES] = '\0';
	memset(long_body, 'b', sizeof long_body - 1);
	long_body[sizeof long_body - 1] = '\0';
	struct cache_copy *c = make(long_about, long_body);
	check_record("one with all that can be told", c);
	cache_copy_drop(c);
	check_mixed();
	check_header();
	cache_seal_wipe(&seal);
	return tap_done();
}
