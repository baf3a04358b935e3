/* fuzz_request.c - any bytes as a request: what is taken is written as something that is taken again,
 * and is then the same. */
#include <assert.h>

#include "protocol/limits.h"
#include "protocol/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(buf_done) struct buf first = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf second = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(arena_done) struct arena a;
	struct llm_request r;
	struct fault why = FAULT_NONE;

	arena_init(&a, LIMIT_REQUEST_ARENA);
	const enum err err = request_unpack(span_of((const char *)data, size), &a, &r, &why);
	if (err) {
		assert(why.err == err && why.message[0]);
		return 0;
	}
	assert(r.n_messages > 0 && r.model.n > 0);
	request_pack(&r, &first);
	assert(request_unpack(buf_view(&first), &a, &r, &why) == OK);
	request_pack(&r, &second);
	assert(span_eq(buf_view(&first), buf_view(&second)));
	return 0;
}
