/* table.c - SipHash-2-4 (Aumasson and Bernstein), so that no caller can make keys collide. */
#include "protocol/base/table.h"

#include <endian.h>
#include <sys/random.h>

#define ROTATE(x, by) (((x) << (by)) | ((x) >> (64 - (by))))

struct sip {
	uint64_t a, b, c, d;
};

static inline void sip_round(struct sip *s)
{
	s->a += s->b;
	s->b = ROTATE(s->b, 13) ^ s->a;
	s->a = ROTATE(s->a, 32);
	s->c += s->d;
	s->d = ROTATE(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = ROTATE(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = ROTATE(s->b, 17) ^ s->c;
	s->c = ROTATE(s->c, 32);
}

/* The number that up to eight bytes make, the first the least. */
static uint64_t little(const unsigned char *p, size_t n)
{
	uint64_t v = 0;
	if (n > 0)
		memcpy(&v, p, n);
	return le64toh(v);
}

uint64_t siphash(const unsigned char key[16], const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	const uint64_t k0 = little(key, 8), k1 = little(key + 8, 8);
	struct sip s = {
		k0 ^ UINT64_C(0x736f6d6570736575),
		k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261),
		k1 ^ UINT64_C(0x7465646279746573),
	};
	const uint64_t length = (uint64_t)n << 56;
	uint64_t word;

	for (; n >= 8; p += 8, n -= 8) {
		word = little(p, 8);
		s.d ^= word;
		sip_round(&s);
		sip_round(&s);
		s.a ^= word;
	}
	word = length | little(p, n);
	s.d ^= word;
	sip_round(&s);
	sip_round(&s);
	s.a ^= word;
	s.c ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}

uint64_t table_hash(const void *bytes, size_t n)
{
	static unsigned char key[16];
	static bool has_key;
	if (!has_key) {
		if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
			abort();
		has_key = true;
	}
	return siphash(key, bytes, n);
}
