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

static void blank(char *p, size_t n, char what)
{
	for (char *at; n > 0 && (at = memchr(p, what, n)); *at = ' ') {
		n -= (size_t)(at - p);
		p = at;
	}
}

void sse_finish(struct buf *out, size_t mark)
{
	if (mark < out->n) {
		blank(out->p + mark, out->n - mark, '\n');
		blank(out->p + mark, out->n - mark, '\r');
	}
	buf_text(out, "\n\n");
}
