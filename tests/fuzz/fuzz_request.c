/* fuzz_request.c - any bytes as a request of each operation: what is taken is written as something that is taken again,
 * and is then the same. */
#include <assert.h>

#include "protocol/limits.h"
#include "protocol/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void there_and_back(enum llm_op op, struct span input)
{
	OWNED(buf_done) struct buf first = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf second = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(arena_done) struct arena a;
	struct llm_request r;
	struct fault why = FAULT_NONE;

	arena_init(&a, LIMIT_REQUEST_ARENA);
	const enum err err = request_unpack_op(op, input, &a, &r, &why);
	if (err) {
		assert(why.err == err && why.message[0]);
		return;
	}
	assert(op == LLM_OP_MODELS || (r.n_messages + r.n_inputs > 0 && r.model.n > 0));
	request_pack(&r, &first);
	assert(request_unpack_op(op, buf_view(&first), &a, &r, &why) == OK);
	request_pack(&r, &second);
	assert(span_eq(buf_view(&first), buf_view(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int op = 0; op < LLM_OP_COUNT_OF; op++)
		there_and_back((enum llm_op)op, span_of((const char *)data, size));
	return 0;
}
