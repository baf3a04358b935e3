/* test_table.c - SipHash as its authors published it; what tables and lists keep. */
#include "protocol/base/table.h"

#include <stdio.h>
#include <string.h>

#include "protocol/base/list.h"
#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

/* Of the reference implementation: the key is 00 01 .. 0f, the n-th input 00 01 .. n-1. */
static const uint64_t vectors[64] = {
	UINT64_C(0x726fdb47dd0e0e31),
	UINT64_C(0x74f839c593dc67fd),
	UINT64_C(0x0d6c8009d9a94f5a),
	UINT64_C(0x85676696d7fb7e2d),
	UINT64_C(0xcf2794e0277187b7),
	UINT64_C(0x18765564cd99a68d),
	UINT64_C(0xcbc9466e58fee3ce),
	UINT64_C(0xab0200f58b01d137),
	UINT64_C(0x93f5f5799a932462),
	UINT64_C(0x9e0082df0ba9e4b0),
	UINT64_C(0x7a5dbbc594ddb9f3),
	UINT64_C(0xf4b32f46226bada7),
	UINT64_C(0x751e8fbc860ee5fb),
	UINT64_C(0x14ea5627c0843d90),
	UINT64_C(0xf723ca908e7af2ee),
	UINT64_C(0xa129ca6149be45e5),
	UINT64_C(0x3f2acc7f57c29bdb),
	UINT64_C(0x699ae9f52cbe4794),
	UINT64_C(0x4bc1b3f0968dd39c),
	UINT64_C(0xbb6dc91da77961bd),
	UINT64_C(0xbed65cf21aa2ee98),
	UINT64_C(0xd0f2cbb02e3b67c7),
	UINT64_C(0x93536795e3a33e88),
	UINT64_C(0xa80c038ccd5ccec8),
	UINT64_C(0xb8ad50c6f649af94),
	UINT64_C(0xbce192de8a85b8ea),
	UINT64_C(0x17d835b85bbb15f3),
	UINT64_C(0x2f2e6163076bcfad),
	UINT64_C(0xde4daaaca71dc9a5),
	UINT64_C(0xa6a2506687956571),
	UINT64_C(0xad87a3535c49ef28),
	UINT64_C(0x32d892fad841c342),
	UINT64_C(0x7127512f72f27cce),
	UINT64_C(0xa7f32346f95978e3),
	UINT64_C(0x12e0b01abb051238),
	UINT64_C(0x15e034d40fa197ae),
	UINT64_C(0x314dffbe0815a3b4),
	UINT64_C(0x027990f029623981),
	UINT64_C(0xcadcd4e59ef40c4d),
	UINT64_C(0x9abfd8766a33735c),
	UINT64_C(0x0e3ea96b5304a7d0),
	UINT64_C(0xad0c42d6fc585992),
	UINT64_C(0x187306c89bc215a9),
	UINT64_C(0xd4a60abcf3792b95),
	UINT64_C(0xf935451de4f21df2),
	UINT64_C(0xa9538f0419755787),
	UINT64_C(0xdb9acddff56ca510),
	UINT64_C(0xd06c98cd5c0975eb),
	UINT64_C(0xe612a3cb9ecba951),
	UINT64_C(0xc766e62cfcadaf96),
	UINT64_C(0xee64435a9752fe72),
	UINT64_C(0xa192d576b245165a),
	UINT64_C(0x0a8787bf8ecb74b2),
	UINT64_C(0x81b3e73d20b49b6f),
	UINT64_C(0x7fa8220ba3b2ecea),
	UINT64_C(0x245731c13ca42499),
	UINT64_C(0xb78dbfaf3a8d83bd),
	UINT64_C(0xea1ad565322a1a0b),
	UINT64_C(0x60e61c23a3795013),
	UINT64_C(0x6606d7e446282b93),
	UINT64_C(0x6ca4ecb15c5f91e1),
	UINT64_C(0x9f626da15c9625f3),
	UINT64_C(0xe51b38608ef25f57),
	UINT64_C(0x958a324ceb064572),
};

static void hashes(void)
{
	unsigned char key[16], input[1 + COUNT_OF(vectors)];
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (unsigned char)i;
	for (size_t shift = 0; shift < 2; shift++) {
		for (size_t i = 0; i < COUNT_OF(vectors); i++)
			input[shift + i] = (unsigned char)i;
		for (size_t n = 0; n < COUNT_OF(vectors); n++)
			is_uint(siphash(key, input + shift, n), vectors[n],
				"siphash: %zu bytes, %zu from an even address", n, shift);
	}
	is_uint(siphash(key, NULL, 0), vectors[0], "siphash: of nothing at all");
	key[15] ^= 1;
	ok(siphash(key, input, 8) != vectors[8], "siphash: another key, another hash");
	is_uint(table_hash("abc", 3), table_hash("abc", 3), "the key of a process stays");
	const unsigned char zero[16] = {0};
	ok(table_hash("abc", 3) != siphash(zero, "abc", 3), "and is not zero");
}

struct item {
	char name[16];
	size_t size;
	int value;
	struct item *prev, *next;
	TABLE_LINK;
};

static struct item *find(struct item *head, const char *name, size_t size)
{
	struct item *found;
	TABLE_FIND(head, found, name, size);
	return found;
}

static void tables(void)
{
	enum { COUNT = 5000 };
	static struct item items[COUNT];
	struct item *head = NULL, *item, *after;
	ok(!find(head, "x", 1), "table: an empty one has nothing");
	is_uint(TABLE_COUNT(head), 0, "table: and counts nothing");
	for (int i = 0; i < COUNT; i++) {
		item = &items[i];
		item->value = i;
		item->size = (size_t)snprintf(item->name, sizeof item->name, "key-%d", i);
		TABLE_ADD(head, item, item->name, item->size);
	}
	is_uint(TABLE_COUNT(head), COUNT, "table: counts what was added");
	int missing = 0, disorder = 0, next = 0;
	for (int i = 0; i < COUNT; i++)
		missing += find(head, items[i].name, items[i].size) != &items[i];
	is_int(missing, 0, "table: all are found");
	ok(!find(head, "key-", 4) && !find(head, "key-1\0", 6), "table: by the whole key");
	TABLE_EACH(head, item, after) {
		disorder += item->value != next++;
		if (item->value % 2 == 0)
			TABLE_REMOVE(head, item);
	}
	is_int(disorder, 0, "table: in the order of adding, though some go meanwhile");
	is_uint(TABLE_COUNT(head), COUNT / 2, "table: half of them are gone");
	missing = 0;
	for (int i = 0; i < COUNT; i++)
		missing += (find(head, items[i].name, items[i].size) != NULL) != (i % 2 == 1);
	is_int(missing, 0, "table: just those");
	TABLE_EACH(head, item, after)
		TABLE_REMOVE(head, item);
	ok(head == NULL, "table: empty again, it is NULL");

	item = &items[0];
	TABLE_ADD(head, item, "a\0b", 3);
	ok(find(head, "a\0b", 3) == item && !find(head, "a\0c", 3), "table: a NUL in a key counts");
	TABLE_REMOVE(head, item);
}

/* The values, front to back, and the links backwards. */
static const char *shown(const struct item *head)
{
	static char text[64];
	size_t n = 0;
	const struct item *item;
	text[0] = '\0';
	LIST_EACH(head, item) {
		n += (size_t)snprintf(text + n, sizeof text - n, "%d", item->value);
		if (item->next && item->next->prev != item)
			return "a broken link";
	}
	return text;
}

static void lists(void)
{
	struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
	struct item *head = NULL, *item, *after;
	is_str(shown(head), "", "list: empty");
	LIST_PUSH(head, &a);
	LIST_PUSH(head, &b);
	LIST_FRONT(head, &c);
	is_str(shown(head), "312", "list: at the end and at the front");
	LIST_REMOVE(head, &a);
	is_str(shown(head), "32", "list: without the middle one");
	LIST_REMOVE(head, &c);
	is_str(shown(head), "2", "list: without the first");
	LIST_PUSH(head, &c);
	LIST_REMOVE(head, &c);
	LIST_PUSH(head, &a);
	is_str(shown(head), "21", "list: the last went, another came");
	LIST_EACH_SAFE(head, item, after) {
		LIST_REMOVE(head, item);
		memset(item, 0x55, sizeof *item);
	}
	ok(head == NULL, "list: emptied from inside the loop");
}

int main(void)
{
	hashes();
	tables();
	lists();
	return tap_done();
}
