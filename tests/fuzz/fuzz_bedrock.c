/* fuzz_bedrock.c - any bytes as a reply of the family bedrock. If the first byte is odd, the rest is
 * the messages of an event stream, a line each. */
#include "tests/lib/aws_message.h"
#include "tests/lib/fuzz_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(buf_done) struct buf framed = BUF_INIT(SIZE_MAX / 2);
	if (size < 1 || data[0] % 2 == 0) {
		fuzz_reply("bedrock", data, size);
		return 0;
	}
	buf_byte(&framed, (char)data[0]); /* which says how large the pieces are */
	aws_lines_put(&framed, span_of((const char *)data + 1, size - 1));
	fuzz_reply("bedrock", (const uint8_t *)framed.p, framed.n);
	return 0;
}
