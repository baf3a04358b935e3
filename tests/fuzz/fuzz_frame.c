/* fuzz_frame.c - any bytes as a stream of frames: cut anywhere it is the same stream, and what is let
 * in, msgpack-c reads to the same length. */
#include <assert.h>
#include <msgpack.h>
#include <stdlib.h>

#include "protocol/frame.h"
#include "protocol/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(struct span packed)
{
	msgpack_unpacked result;
	size_t off = 0;
	msgpack_unpacked_init(&result);
	assert(msgpack_unpack_next(&result, packed.p, packed.n, &off) == MSGPACK_UNPACK_SUCCESS);
	assert(off == packed.n);
	msgpack_unpacked_destroy(&result);

	struct pack_in in = pack_from(packed);
	const struct span whole = pack_skip(&in);
	assert(whole.p == packed.p && whole.n == packed.n && pack_kind(&in) == PACK_END);
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	in = pack_from(packed);
	if (pack_to_json(&in, &json))
		assert(pack_kind(&in) == PACK_END);
}

/* Takes all frames of `bytes`, given at once or after a first part, and says where it stopped. */
static size_t take_all(struct span bytes, size_t cut, enum err *last, int *count)
{
	/* copies of the exact size, so that a read beyond either is seen */
	size_t done = 0;
	*count = 0;
	for (int part = 0; part < 2; part++) {
		const size_t n = (part ? bytes.n : cut) - done;
		char *copy = malloc(n + 1);
		if (!copy)
			abort();
		memcpy(copy, bytes.p + done, n);
		struct span in = span_of(copy, n);
		struct frame f, seen;
		size_t need;
		for (;;) {
			const bool is_seen = frame_glance(in, &seen);
			*last = frame_take(&in, &f, &need, NULL);
			if (*last)
				break;
			++*count;
			/* of one that may be taken nothing else was seen before */
			assert(!is_seen || (f.type == seen.type && f.call == seen.call &&
						   f.raw.p == seen.raw.p && f.raw.n == seen.raw.n &&
						   f.length == seen.length));
			check_value(f.raw);
			assert(f.length <= LIMIT_FRAME_BYTES && f.raw.n < f.length);
		}
		if (*last == ERR_MORE)
			assert(need > in.n && need <= LIMIT_FRAME_BYTES + 4);
		done += n - in.n;
		free(copy);
		if (*last != ERR_MORE)
			break;
	}
	return done;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const struct span bytes = span_of((const char *)data + 1, size - 1);
	enum err at_once, in_two;
	int n, m;
	const size_t cut = bytes.n * data[0] / 255;
	const size_t end = take_all(bytes, bytes.n, &at_once, &n);
	assert(take_all(bytes, cut, &in_two, &m) == end && in_two == at_once && n == m);

	if (pack_check(bytes, NULL) == OK)
		check_value(bytes);
	/* a cursor over what was never checked stops at its end all the same */
	struct pack_in in = pack_from(bytes);
	while (span_is_set(pack_skip(&in)))
		;
	return 0;
}
