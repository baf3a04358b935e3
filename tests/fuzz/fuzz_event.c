/* fuzz_event.c - any bytes as the body of any frame: what is taken is written as something that is
 * taken again, and is then the same. The first byte is the frame's type. */
#include <assert.h>

#include "protocol/control.h"
#include "protocol/frame.h"
#include "protocol/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err event(struct span body, struct arena *a, int type, struct buf *out)
{
	struct llm_event e;
	struct fault why = FAULT_NONE;
	const enum err err = event_unpack(type, pack_from(body), a, &e, &why);
	assert(err == OK || err == ERR_MORE || why.err == err);
	if (err == OK) {
		assert(event_frame_type(e.type) == type);
		event_pack(&e, out);
	}
	return err;
}

static enum err control(struct span body, struct arena *a, int type, struct buf *out)
{
	struct hello hello;
	struct welcome welcome;
	struct call call;
	struct goaway goaway;
	struct surface_call surface;
	struct data piece;
	int64_t bytes;
	enum err err = ERR_MORE;
	const struct pack_in in = pack_from(body);

	switch (type) {
	case FRAME_HELLO:
		err = hello_unpack(in, a, &hello, NULL);
		if (!err)
			hello_pack(&hello, out);
		break;
	case FRAME_WELCOME:
		err = welcome_unpack(in, a, &welcome, NULL);
		if (!err)
			welcome_pack(&welcome, out);
		break;
	case FRAME_CALL:
		err = call_unpack(in, a, &call, NULL);
		if (!err)
			call_pack(&call, out);
		break;
	case FRAME_CREDIT:
		err = credit_unpack(in, &bytes, NULL);
		if (!err)
			credit_pack(bytes, out);
		break;
	case FRAME_GOAWAY:
		err = goaway_unpack(in, &goaway, NULL);
		if (!err)
			goaway_pack(&goaway, out);
		break;
	case FRAME_CANCEL: /* its body is never read, so its number is free for a call's surface */
		err = surface_unpack(in, a, &surface, NULL);
		if (!err)
			surface_pack(&surface, out);
		break;
	default: /* a client's data: FRAME_DATA is the broker's here */
		err = data_unpack(in, &piece, NULL);
		if (!err)
			data_pack(&piece, out);
	}
	return err;
}

static enum err any(struct span body, struct arena *a, int type, struct buf *out)
{
	switch (type) {
	case FRAME_DATA:
	case FRAME_HEAD:
	case FRAME_EVENT:
	case FRAME_END:
	case FRAME_FAULT:
		return event(body, a, type, out);
	default:
		return control(body, a, type, out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(buf_done) struct buf first = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf second = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(arena_done) struct arena a;

	arena_init(&a, LIMIT_REQUEST_ARENA);
	if (size == 0)
		return 0;
	const struct span body = span_of((const char *)data + 1, size - 1);
	const int type = data[0] % 13;
	/* unchecked bytes too: they may be taken for anything, but not read beyond their end */
	const enum err err = any(body, &a, type, &first);
	if (err || pack_check(body, NULL))
		return 0;
	assert(pack_check(buf_view(&first), NULL) == OK);
	assert(any(buf_view(&first), &a, type, &second) == OK);
	assert(span_eq(buf_view(&first), buf_view(&second)));
	return 0;
}
