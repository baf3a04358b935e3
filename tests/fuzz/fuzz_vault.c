/* fuzz_vault.c - any bytes as a vault file, as the body of one that opened, and as a code. */
#include <assert.h>
#include <stdlib.h>

#include "brokerd/vault/body.h"
#include "brokerd/vault/code.h"
#include "brokerd/vault/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read can be written again: every key is kept, and the new one is found. */
static void rewrite(struct span body)
{
	const struct body_change c = {
		.provider = SPAN("p"),
		.label = SPAN("l"),
		.origin = SPAN("o"),
		.secret = SPAN("s"),
		.id = "a 16 bytes long",
		.now_s = INT64_C(1) << 40,
		.old_until_s = INT64_C(1) << 41,
	};
	struct body_walk w = body_each(body);
	struct body_key k;
	size_t before = 0, after = 0;
	bool found, has_id = false;
	const size_t bound = body_rewrite_bound(body, &c);
	struct writer out = {.p = malloc(bound), .max = bound};

	for (; body_next(&w, &k); before++)
		has_id = has_id || span_eq(k.id, span_of((const char *)c.id, sizeof c.id));
	body_rewrite(body, &c, &out, &found);
	assert(!out.is_full);
	const struct span again = span_of((const char *)out.p, out.n);
	if (!has_id && before < BODY_KEYS_MAX)
		assert(body_check(again, NULL) == OK);
	for (w = body_each(again); body_next(&w, &k);)
		after++;
	assert(after == before + !found);
	free(out.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char key[FORMAT_KEY_BYTES];
	const struct span bytes = span_of((const char *)data, size);
	struct fault why;
	struct sealed s;

	if (format_parse(bytes, &s, &why) == OK) {
		unsigned char data_key[FORMAT_KEY_BYTES];
		unsigned char *body = malloc(format_body_size(&s));
		for (size_t i = 0; i < s.header.n_slots; i++)
			(void)!format_slot_open(&s.header, &s.header.slots[i], key, data_key);
		(void)!format_open(&s, key, body);
		free(body);
	}
	if (body_check(bytes, &why) == OK) {
		(void)body_next_end_s(bytes);
		rewrite(bytes);
	}
	unsigned char code[CODE_KEY_BYTES];
	(void)!code_read(SLOT_RECOVERY, bytes, code, &why);
	(void)!code_read(SLOT_AGENT, bytes, code, &why);
	return 0;
}
