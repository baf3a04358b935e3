/* picture.c - a width and a height, each at a place of its kind's. */
#include "brokerd/dialect/picture.h"

static int64_t byte_at(struct span b, size_t i)
{
	return i < b.n ? (unsigned char)b.p[i] : 0;
}

/* Of `n` bytes, the most significant first. */
static int64_t big(struct span b, size_t at, size_t n)
{
	int64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | byte_at(b, at + i);
	return v;
}

/* The least significant first. */
static int64_t little(struct span b, size_t at, size_t n)
{
	int64_t v = 0;
	for (size_t i = n; i-- > 0;)
		v = v << 8 | byte_at(b, at + i);
	return v;
}

static bool has(struct span b, size_t at, struct span word)
{
	return b.n > at && span_starts(span_skip(b, at), word);
}

/* Segments of a marker and a length each, up to the frame. */
static bool read_jpeg(struct span b, int64_t *width, int64_t *height)
{
	size_t at = 2;
	while (at + 9 <= b.n) {
		const int64_t marker = byte_at(b, at + 1);
		if (byte_at(b, at) != 0xff)
			return false;
		if (marker == 0xff) { /* a filling byte */
			at++;
			continue;
		}
		if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
			marker != 0xcc) {
			*height = big(b, at + 5, 2);
			*width = big(b, at + 7, 2);
			return true;
		}
		at += 2 + (size_t)big(b, at + 2, 2);
	}
	return false;
}

static bool read_webp(struct span b, int64_t *width, int64_t *height)
{
	if (b.n < 30)
		return false;
	if (has(b, 12, SPAN("VP8X"))) {
		*width = 1 + little(b, 24, 3);
		*height = 1 + little(b, 27, 3);
	} else if (has(b, 12, SPAN("VP8L"))) {
		*width = 1 + (little(b, 21, 4) & 0x3fff);
		*height = 1 + (little(b, 21, 4) >> 14 & 0x3fff);
	} else if (has(b, 12, SPAN("VP8 "))) {
		*width = little(b, 26, 2) & 0x3fff;
		*height = little(b, 28, 2) & 0x3fff;
	} else {
		return false;
	}
	return true;
}

bool picture_size(struct span b, int64_t *width, int64_t *height)
{
	bool is_said = false;
	*width = *height = 0;
	if (b.n >= 24 && has(b, 0, SPAN("\x89PNG\r\n\x1a\n"))) {
		*width = big(b, 16, 4);
		*height = big(b, 20, 4);
		is_said = true;
	} else if (b.n >= 10 && has(b, 0, SPAN("GIF8"))) {
		*width = little(b, 6, 2);
		*height = little(b, 8, 2);
		is_said = true;
	} else if (has(b, 0, SPAN("\xff\xd8"))) {
		is_said = read_jpeg(b, width, height);
	} else if (has(b, 0, SPAN("RIFF")) && has(b, 8, SPAN("WEBP"))) {
		is_said = read_webp(b, width, height);
	}
	return is_said && *width > 0 && *height > 0;
}
