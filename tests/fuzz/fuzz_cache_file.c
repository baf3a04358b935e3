/* fuzz_cache_file.c - a file of answers that somebody has been at is looked through: what is found in it then is what was put
 * there, where it was put, and what nobody touched is found. The input says what was done: it is a list of changes to a
 * sound file, or what lies behind its first block. */
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "brokerd/cache/file.h"
#include "protocol/base/num.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n);

enum {
	RECORDS = 12,
	TWICE = 7, /* has the key of the one before it, and is newer */
	OVER = 9,
	NOW_S = 1000,
	FILE_MOST = 256 * 1024,
};
static struct cache_file file;
static struct cache_book *book;
static struct {
	struct cache_copy *copy;
	uint32_t block;
	size_t bytes;
} records[RECORDS];
static unsigned char sound[FILE_MOST], now[FILE_MOST];
static size_t sound_bytes;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const unsigned char key[CACHE_SEAL_BYTES] = "0123456789abcdef0123456789abcde";
	(void)argc;
	(void)argv;
	if (sodium_init() < 0)
		abort();
	cache_file_init(&file, "/nowhere", key);
	file.fd = memfd_create("answers", MFD_CLOEXEC);
	book = cache_book_new(FILE_MOST);
	if (file.fd < 0 || !book)
		abort();
	cache_header_make(&file.seal, file.id, sound);
	uint32_t block = 1;
	for (unsigned i = 0; i < RECORDS; i++) {
		struct cache_key name = {{(unsigned char)(i == TWICE ? i - 1 : i)}};
		struct cache_copy *c = cache_copy_new(&name, 8, (size_t)i * 700);
		if (!c)
			abort();
		c->seq = i + 1;
		c->scope = i % 3;
		c->at_s = 1;
		c->fresh_s = c->kept_s = i == OVER ? NOW_S : NOW_S + 1 + (int64_t)i;
		memset(c->bytes, (int)('a' + i), 8 + (size_t)i * 700);
		records[i].copy = c;
		records[i].block = block;
		records[i].bytes = cache_record_bytes(8, (size_t)i * 700);
		const struct cache_spot at = {file.id, block};
		cache_record_seal(&file.seal, at, c, sound + block * CACHE_BLOCK_BYTES);
		block += (uint32_t)((records[i].bytes + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES);
	}
	sound_bytes = block * CACHE_BLOCK_BYTES;
	assert(sound_bytes + 4 * CACHE_BLOCK_BYTES < sizeof sound);
	return 0;
}

/* What was done to the file in the input's words, eight bytes each. Returns its length then. */
static size_t change(const unsigned char *bytes, size_t n)
{
	size_t length = sound_bytes;
	memcpy(now, sound, sizeof now);
	for (; n >= 8; bytes += 8, n -= 8) {
		const size_t from = (size_t)num_get_le(bytes + 1, 3) % sound_bytes;
		const size_t to = (size_t)num_get_le(bytes + 4, 3) % sound_bytes;
		const size_t a = from / CACHE_BLOCK_BYTES * CACHE_BLOCK_BYTES,
			     b = to / CACHE_BLOCK_BYTES * CACHE_BLOCK_BYTES;
		switch (bytes[0] % 4) {
		case 0:
			now[from] ^= bytes[7];
			break;
		case 1: /* so many blocks of the sound file, elsewhere */
			memcpy(now + b, sound + a, CACHE_BLOCK_BYTES * (1 + bytes[7] % 4u));
			break;
		case 2:
			memset(now + a, bytes[7], CACHE_BLOCK_BYTES);
			break;
		default:
			length = from;
			break;
		}
	}
	return length;
}

static void look_through(const unsigned char *bytes, size_t n, int64_t piece)
{
	uint32_t block = 0;
	if (ftruncate(file.fd, 0) != 0 || pwrite(file.fd, bytes, n, 0) != (ssize_t)n)
		abort();
	cache_book_clear(book);
	while (!cache_file_scan(&file, book, NOW_S, piece, &block))
		assert(block > 0);
	cache_book_settle(book);
}

static bool is_untouched(unsigned i, size_t length)
{
	const size_t at = records[i].block * CACHE_BLOCK_BYTES;
	return at + records[i].bytes <= length &&
	       memcmp(now + at, sound + at, records[i].bytes) == 0;
}

/* Which record a place is of: there is one. */
static unsigned record_of(const struct cache_place *p)
{
	for (unsigned i = 0; i < RECORDS; i++) {
		const struct cache_copy *c = records[i].copy;
		if (p->block == records[i].block && p->seq == c->seq) {
			assert(memcmp(&p->key, &c->key, sizeof p->key) == 0);
			assert(p->scope == c->scope && p->kept_s == c->kept_s);
			assert(p->bytes == records[i].bytes && i != OVER);
			return i;
		}
	}
	abort();
}

/* Its body is what was put there, or cannot be opened. */
static void check_body(unsigned i, bool is_whole)
{
	const struct cache_copy *c = records[i].copy;
	const struct cache_spot at = {file.id, records[i].block};
	OWNED(buf_done) struct buf read = BUF_INIT(FILE_MOST);
	struct cache_head h;
	char about[CACHE_ABOUT_BYTES];
	if (!cache_file_read(file.fd, records[i].block, records[i].bytes, &read)) {
		assert(!is_whole);
		return;
	}
	assert(cache_record_head(&file.seal, at, buf_view(&read), &h, about));
	char *body = malloc(h.body_bytes + (size_t)1);
	assert(body);
	const bool is_open = cache_record_body(&file.seal, at, buf_view(&read), &h, body);
	assert(is_open || !is_whole);
	assert(!is_open || memcmp(body, c->bytes + c->about_bytes, h.body_bytes) == 0);
	free(body);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n)
{
	if (n < 2)
		return 0;
	const int64_t piece = bytes[1] * (int64_t)256 + 1;
	if (bytes[0] % 8 == 0) {
		const size_t most = FILE_MOST - CACHE_BLOCK_BYTES;
		memset(now, 0, sizeof now);
		memcpy(now, sound, CACHE_BLOCK_BYTES);
		memcpy(now + CACHE_BLOCK_BYTES, bytes + 2, n - 2 < most ? n - 2 : most);
		look_through(now, CACHE_BLOCK_BYTES + (n - 2 < most ? n - 2 : most), piece);
		assert(!cache_book_newest(book));
		return 0;
	}
	const size_t length = change(bytes + 2, n - 2);
	look_through(now, length, piece);
	size_t found = 0;
	bool has[RECORDS] = {false};
	for (struct cache_place *p = cache_book_newest(book); p; p = p->older) {
		const unsigned i = record_of(p);
		assert(!has[i] && cache_book_find(book, &p->key) == p);
		has[i] = true;
		check_body(i, is_untouched(i, length));
		found++;
	}
	assert(found == cache_book_stats(book).n);
	assert(!has[TWICE] || !has[TWICE - 1]);
	for (unsigned i = 0; i < RECORDS; i++) {
		if (i != OVER && is_untouched(i, length))
			assert(has[i] || (i == TWICE - 1 && has[TWICE]));
	}
	return 0;
}
