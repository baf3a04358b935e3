/* aws_message.c - lengths and checksums around what is given. */
#include "tests/lib/aws_message.h"

static void put_u32(struct buf *out, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_byte(out, (char)(v >> shift & 0xff));
}

static uint32_t checksum(struct span bytes)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < bytes.n; i++) {
		crc ^= (unsigned char)bytes.p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~crc;
}

static void put_header(struct buf *out, const struct aws_header *h)
{
	buf_byte(out, (char)strlen(h->name));
	buf_text(out, h->name);
	buf_byte(out, (char)h->type);
	if (h->type == 6 || h->type == 7) {
		buf_byte(out, (char)(h->value.n >> 8));
		buf_byte(out, (char)(h->value.n & 0xff));
	}
	buf_span(out, h->value);
}

void aws_message_put(
	struct buf *out, const struct aws_header *headers, size_t n, struct span payload)
{
	OWNED(buf_done) struct buf all = BUF_INIT(UINT32_MAX);
	const size_t first = out->n;
	for (size_t i = 0; i < n; i++)
		put_header(&all, &headers[i]);
	put_u32(out, (uint32_t)(all.n + payload.n + 16));
	put_u32(out, (uint32_t)all.n);
	put_u32(out, checksum(span_skip(buf_view(out), first)));
	buf_span(out, buf_view(&all));
	buf_span(out, payload);
	put_u32(out, checksum(span_skip(buf_view(out), first)));
}

static void put_line(struct buf *out, struct span line)
{
	struct span rest = line;
	struct span kind = span_cut(&rest, ' ');
	const struct span json = SPAN("application/json");
	if (span_starts(kind, SPAN("error:"))) {
		aws_message_put(out,
			(const struct aws_header[]){
				{":message-type", 7, SPAN("error")  },
				{":error-code",   7, span_skip(kind,  6)},
				{":error-message",               7, rest},
                },
			3, SPAN(""));
		return;
	}
	const bool is_exception = span_starts(kind, SPAN("exception:"));
	if (is_exception)
		kind = span_skip(kind, strlen("exception:"));
	aws_message_put(out,
		(const struct aws_header[]){
			{is_exception ? ":exception-type" : ":event-type", 7, kind                                            },
			{":content-type",                                  7, json                                            },
			{":message-type",                                  7, is_exception ? SPAN("exception") : SPAN("event")},
        },
		3, rest);
}

void aws_lines_put(struct buf *out, struct span lines)
{
	while (lines.n > 0) {
		const struct span line = span_cut(&lines, '\n');
		if (line.n > 0)
			put_line(out, line);
	}
}
