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

static void blank(struct buf *out, size_t from, char c)
{
	while (from < out->n) {
		char *at = memchr(out->p + from, c, out->n - from);
		if (!at)
			return;
		*at = ' ';
		from = (size_t)(at - out->p) + 1;
	}
}

void sse_finish(struct buf *out, size_t mark)
{
	blank(out, mark, '\n');
	blank(out, mark, '\r');
	buf_text(out, "\n\n");
}
