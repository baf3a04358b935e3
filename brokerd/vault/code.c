/* code.c - five bits a letter. */
#include "brokerd/vault/code.h"

#include <assert.h>
#include <sodium.h>

#define RANDOM_BYTES 20
#define CHECK_BYTES  3 /* of which twenty bits are written */
#define LETTERS      36
#define GROUP        4

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct code {
	unsigned char bytes[RANDOM_BYTES + CHECK_BYTES];
};

static void add_check(struct code *c)
{
	static const unsigned char purpose[] = "llm-broker recovery code";
	unsigned char hash[16];
	crypto_generichash(hash, sizeof hash, c->bytes, RANDOM_BYTES, purpose, sizeof purpose - 1);
	memcpy(c->bytes + RANDOM_BYTES, hash, CHECK_BYTES);
	c->bytes[RANDOM_BYTES + CHECK_BYTES - 1] &= 0xf0;
	sodium_memzero(hash, sizeof hash);
}

/* The value of a letter; 32 and more: it is none. */
static unsigned value_of(char c)
{
	char lower = span_lower(c);
	if (lower == 'o')
		lower = '0';
	if (lower == 'i' || lower == 'l')
		lower = '1';
	unsigned v = 0;
	while (v < 32 && span_lower(alphabet[v]) != lower)
		v++;
	return v;
}

static void put_letter(struct code *c, size_t i, unsigned v)
{
	for (size_t bit = 0; bit < 5; bit++) {
		const size_t at = i * 5 + bit;
		if (v & (16u >> bit))
			c->bytes[at / 8] |= (unsigned char)(0x80u >> at % 8);
	}
}

static unsigned letter(const struct code *c, size_t i)
{
	unsigned v = 0;
	for (size_t bit = 0; bit < 5; bit++) {
		const size_t at = i * 5 + bit;
		v = v << 1 | ((c->bytes[at / 8] >> (7 - at % 8)) & 1u);
	}
	return v;
}

static void new_recovery(char *text)
{
	struct code c;
	randombytes_buf(c.bytes, RANDOM_BYTES);
	add_check(&c);
	for (size_t i = 0; i < LETTERS; i++) {
		if (i > 0 && i % GROUP == 0)
			*text++ = '-';
		*text++ = alphabet[letter(&c, i)];
	}
	*text = '\0';
	sodium_memzero(&c, sizeof c);
}

static enum err read_letters(struct span text, struct code *c, struct fault *why)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == ' ' || text.p[i] == '-')
			continue;
		const unsigned v = value_of(text.p[i]);
		if (v >= 32)
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"character %zu of the recovery code is in none: it is of digits "
				"and "
				"letters, without U",
				i + 1);
		if (n < LETTERS)
			put_letter(c, n, v);
		n++;
	}
	if (n != LETTERS)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the recovery code has %zu letters, and a whole one has %d", n, LETTERS);
	return OK;
}

static enum err read_recovery(struct span text, unsigned char *key, struct fault *why)
{
	struct code c = {{0}};
	enum err err = read_letters(text, &c, why);
	if (!err) {
		struct code checked = c;
		add_check(&checked);
		if (sodium_memcmp(&checked, &c, sizeof c) != 0)
			err = fault_set(why, ERR_INVALID_ARGUMENT,
				"the recovery code does not add up: a letter of it is mistyped");
		sodium_memzero(&checked, sizeof checked);
	}
	if (!err)
		crypto_generichash(key, CODE_KEY_BYTES, c.bytes, RANDOM_BYTES, NULL, 0);
	sodium_memzero(&c, sizeof c);
	return err;
}

static enum err read_agent(struct span text, unsigned char *key, struct fault *why)
{
	size_t n = 0;
	if (text.n != CODE_TEXT_MAX ||
		sodium_hex2bin(key, CODE_KEY_BYTES, text.p, text.n, NULL, &n, NULL) != 0 ||
		n != CODE_KEY_BYTES)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"an agent's key is %d hexadecimal digits", CODE_TEXT_MAX);
	return OK;
}

void code_new(enum slot_type type, char text[CODE_TEXT_MAX + 1])
{
	assert(type == SLOT_RECOVERY || type == SLOT_AGENT);
	if (type == SLOT_RECOVERY) {
		new_recovery(text);
		return;
	}
	unsigned char key[CODE_KEY_BYTES];
	randombytes_buf(key, sizeof key);
	sodium_bin2hex(text, CODE_TEXT_MAX + 1, key, sizeof key);
	sodium_memzero(key, sizeof key);
}

enum err code_read(
	enum slot_type type, struct span text, unsigned char key[CODE_KEY_BYTES], struct fault *why)
{
	assert(type == SLOT_RECOVERY || type == SLOT_AGENT);
	return type == SLOT_RECOVERY ? read_recovery(text, key, why) : read_agent(text, key, why);
}
