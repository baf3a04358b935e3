/* fuzz_cache.c - a file of answers, any bytes: as a record and a file's beginning as they are, where none must be taken; and as
 * what is in a sound record, which is read as it was written, and no longer with any one of its bytes changed. */
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "brokerd/cache/entry.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n);

static struct cache_seal seal;
static const unsigned char id[CACHE_FILE_ID] = "a file's id....";

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const unsigned char key[CACHE_SEAL_BYTES] = "0123456789abcdef0123456789abcde";
	(void)argc;
	(void)argv;
	if (sodium_init() < 0)
		abort();
	cache_seal_init(&seal, key);
	return 0;
}

/* Takes up to `n` bytes off the front of *in. */
static struct span take(struct span *in, size_t n)
{
	const struct span first = span_first(*in, n);
	*in = span_skip(*in, first.n);
	return first;
}

static void take_into(struct span *in, void *to, size_t n)
{
	const struct span s = take(in, n);
	if (s.n > 0)
		memcpy(to, s.p, s.n);
}

static void check_any(struct span bytes)
{
	const struct cache_spot at = {id, 1};
	struct cache_head h;
	char about[CACHE_ABOUT_BYTES];
	unsigned char read[CACHE_FILE_ID];
	assert(!cache_record_head(&seal, at, bytes, &h, about));
	assert(!cache_header_read(&seal, bytes, read));
}

static void check_same(const struct cache_copy *c, struct cache_spot at, struct span record)
{
	struct cache_head h;
	char about[CACHE_ABOUT_BYTES];
	assert(cache_record_head(&seal, at, record, &h, about));
	assert(memcmp(&h.key, &c->key, sizeof h.key) == 0 && h.seq == c->seq &&
		h.scope == c->scope);
	assert(h.at_s == c->at_s && h.fresh_s == c->fresh_s && h.kept_s == c->kept_s);
	assert(h.about_bytes == c->about_bytes && h.body_bytes == c->body_bytes);
	assert(memcmp(about, c->bytes, h.about_bytes) == 0);
	char *body = malloc(h.body_bytes + 1);
	assert(body && cache_record_body(&seal, at, record, &h, body));
	assert(memcmp(body, c->bytes + h.about_bytes, h.body_bytes) == 0);
	free(body);
}

static void check_changed(struct cache_spot at, struct span record)
{
	struct cache_head h;
	char about[CACHE_ABOUT_BYTES];
	char *body = malloc(record.n);
	assert(body);
	if (cache_record_head(&seal, at, record, &h, about) && h.body_bytes <= record.n)
		assert(!cache_record_body(&seal, at, record, &h, body));
	free(body);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n)
{
	struct span in = span_of((const char *)bytes, n);
	struct cache_key key = {{0}};
	struct cache_spot at = {id, 0};
	uint16_t about_bytes = 0, changed = 0;
	unsigned char by = 0;
	check_any(in);
	take_into(&in, &key, sizeof key);
	take_into(&in, &at.block, sizeof at.block);
	take_into(&in, &about_bytes, sizeof about_bytes);
	take_into(&in, &changed, sizeof changed);
	take_into(&in, &by, 1);
	const struct span about = take(&in, about_bytes % (CACHE_ABOUT_BYTES + 1));
	struct cache_copy *c = cache_copy_new(&key, about.n, in.n);
	const size_t whole = cache_record_bytes(about.n, in.n);
	unsigned char *record = malloc(whole);
	assert(c && record);
	memcpy(&c->seq, key.bytes, 8);
	memcpy(&c->scope, key.bytes + 8, 8);
	memcpy(&c->at_s, key.bytes + 16, 8);
	memcpy(&c->kept_s, key.bytes + 24, 8);
	c->fresh_s = c->at_s;
	if (about.n > 0)
		memcpy(c->bytes, about.p, about.n);
	if (in.n > 0)
		memcpy(c->bytes + about.n, in.p, in.n);
	cache_record_seal(&seal, at, c, record);
	const struct span all = span_of((const char *)record, whole);
	check_same(c, at, all);
	check_changed(at, span_first(all, changed % whole));
	if (by) {
		record[changed % whole] ^= by;
		check_changed(at, all);
	}
	free(record);
	cache_copy_drop(c);
	return 0;
}
