/* frame.c - the length is refused before anything is waited for, the msgpack before it is read. */
#include "protocol/frame.h"

#include <limits.h>

#include "protocol/limits.h"

#define PREFIX_BYTES FRAME_PREFIX_BYTES

static const char *const names[] = {
	[FRAME_HELLO] = "hello",
	[FRAME_WELCOME] = "welcome",
	[FRAME_CALL] = "call",
	[FRAME_DATA] = "data",
	[FRAME_HEAD] = "head",
	[FRAME_EVENT] = "event",
	[FRAME_END] = "end",
	[FRAME_FAULT] = "fault",
	[FRAME_CANCEL] = "cancel",
	[FRAME_CREDIT] = "credit",
	[FRAME_GOAWAY] = "goaway",
};

const char *frame_name(int type)
{
	return type > 0 && type < (int)COUNT_OF(names) ? names[type] : "unknown";
}

static uint32_t prefix(const char *bytes)
{
	const unsigned char *p = (const unsigned char *)bytes;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum err read_array(struct span packed, struct frame *out, struct fault *why)
{
	struct pack_in in = pack_from(packed);
	uint32_t count;
	int64_t type;

	if (!pack_array(&in, &count))
		return fault_set(why, ERR_MALFORMED, "a frame holds %s, not an array",
			pack_kind_name(pack_kind(&in)));
	if (count < 3)
		return fault_set(why, ERR_MALFORMED,
			"a frame's array has %u elements, not type, call and body",
			(unsigned)count);
	if (!pack_i64(&in, &type) || type < 0 || type > INT_MAX)
		return fault_set(why, ERR_MALFORMED, "a frame's type is not a number from 0 up");
	if (!pack_u32(&in, &out->call))
		return fault_set(
			why, ERR_MALFORMED, "a frame's call is not a number from 0 to 4294967295");
	/* what comes after the body is a later version's, and was checked with the rest */
	out->type = (int)type;
	out->raw = count == 3 ? span_of((const char *)in.at, (size_t)(in.end - in.at))
			      : pack_skip(&in);
	out->body = pack_from(out->raw);
	return OK;
}

enum err frame_take(struct span *in, struct frame *out, size_t *need, struct fault *why)
{
	size_t ignored;
	if (!need)
		need = &ignored;
	*need = PREFIX_BYTES;
	if (in->n < PREFIX_BYTES)
		return ERR_MORE;
	const uint32_t length = prefix(in->p);
	if (length > LIMIT_FRAME_BYTES)
		return fault_set(why, ERR_TOO_BIG, "a frame of %lu bytes; the limit is %zu",
			(unsigned long)length, LIMIT_FRAME_BYTES);
	*need += length;
	if (in->n < *need)
		return ERR_MORE;

	const struct span packed = span_of(in->p + PREFIX_BYTES, length);
	enum err err = pack_check(packed, why);
	if (err)
		return err;
	struct frame frame = {.length = length};
	err = read_array(packed, &frame, why);
	if (err)
		return err;
	*out = frame;
	*in = span_skip(*in, *need);
	return OK;
}

bool frame_glance(struct span in, struct frame *out)
{
	if (in.n < PREFIX_BYTES + 3)
		return false;
	const uint32_t length = prefix(in.p);
	const unsigned char *p = (const unsigned char *)in.p + PREFIX_BYTES;
	if (length < 3 || length > LIMIT_FRAME_BYTES || in.n - PREFIX_BYTES < length ||
		p[0] != 0x93 || p[1] > 0x7f)
		return false;
	/* the call: a fixed number, or one of as few bytes as it needs, which are the last of what is before the body */
	const size_t bytes = p[2] <= 0x7f   ? 0
			     : p[2] == 0xcc ? 1
			     : p[2] == 0xcd ? 2
			     : p[2] == 0xce ? 4
					    : length;
	if (length < 3 + bytes)
		return false;
	uint32_t call = bytes == 0 ? p[2] : 0;
	for (size_t i = 0; i < bytes; i++)
		call = call << 8 | p[3 + i];
	*out = (struct frame){.type = p[1],
		.call = call,
		.raw = span_of(in.p + PREFIX_BYTES + 3 + bytes, length - 3 - bytes),
		.length = length};
	return true;
}

size_t frame_begin(struct buf *out, enum frame_type type, uint32_t call)
{
	const size_t mark = out->n;
	buf_put(out, "\0\0\0", PREFIX_BYTES);
	pack_put_array(out, 3);
	pack_put_i64(out, type);
	pack_put_i64(out, call);
	return mark;
}

enum err frame_finish(struct buf *out, size_t mark)
{
	const enum err err = buf_error(out);
	if (err) {
		buf_cut(out, mark);
		return err;
	}
	const size_t length = out->n - mark - PREFIX_BYTES;
	if (length > LIMIT_FRAME_BYTES) {
		buf_cut(out, mark);
		return ERR_TOO_BIG;
	}
	for (size_t i = 0; i < PREFIX_BYTES; i++)
		out->p[mark + i] = (char)(length >> 8 * (PREFIX_BYTES - 1 - i));
	return OK;
}

enum err frame_put(struct buf *out, enum frame_type type, uint32_t call, struct span packed_body)
{
	const size_t mark = frame_begin(out, type, call);
	pack_put_raw(out, packed_body);
	return frame_finish(out, mark);
}
