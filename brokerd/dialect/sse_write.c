/* sse_write.c - one data line an event. */
#include "brokerd/dialect/sse_write.h"

size_t sse_begin(struct buf *out, const char *name)
{
	if (name) {
		buf_text(out, "event: ");
		buf_text(out, name);
		buf_byte(out, '\n');
	}
	buf_text(out, "data: ");
	return out->n;
}

void sse_finish(struct buf *out, size_t mark)
{
	for (size_t i = mark; i < out->n; i++) {
		if (out->p[i] == '\n' || out->p[i] == '\r')
			out->p[i] = ' ';
	}
	buf_text(out, "\n\n");
}
