/* cells.c - a table of ranges, and the characters of a text against it. */
#include "libllmclient/cli/cells.h"

#include "protocol/base/owned.h"
#include "protocol/base/utf8.h"

#define JOINED_MAX 8 /* to one character; more are no writing */

enum cell {
	CELL_UNSEEN, /* obeyed, not shown */
	CELL_JOINED, /* to the one before it */
	CELL_ONE,
	CELL_TWO,
};

/* What is in none takes one. */
/* clang-format off */
static const struct {
	uint32_t first, last;
	enum cell is;
} ranges[] = {
	{0x0000, 0x001f, CELL_UNSEEN},
	{0x007f, 0x009f, CELL_UNSEEN},
	{0x00ad, 0x00ad, CELL_UNSEEN}, /* a hyphen that may show */
	{0x0300, 0x036f, CELL_JOINED},
	{0x0483, 0x0489, CELL_JOINED},
	{0x0591, 0x05bd, CELL_JOINED},
	{0x061c, 0x061c, CELL_UNSEEN}, /* directions */
	{0x064b, 0x065f, CELL_JOINED},
	{0x1100, 0x115f, CELL_TWO},
	{0x1ab0, 0x1aff, CELL_JOINED},
	{0x1dc0, 0x1dff, CELL_JOINED},
	{0x200b, 0x200d, CELL_JOINED},
	{0x200e, 0x200f, CELL_UNSEEN}, /* directions */
	{0x2028, 0x202e, CELL_UNSEEN}, /* line ends and directions */
	{0x2060, 0x206f, CELL_UNSEEN},
	{0x20d0, 0x20ff, CELL_JOINED},
	{0x2e80, 0x303e, CELL_TWO},
	{0x3041, 0xa4cf, CELL_TWO},
	{0xac00, 0xd7a3, CELL_TWO},
	{0xe000, 0xf8ff, CELL_ONE},
	{0xf900, 0xfaff, CELL_TWO},
	{0xfe00, 0xfe0f, CELL_JOINED},
	{0xfe20, 0xfe2f, CELL_JOINED},
	{0xfe30, 0xfe6f, CELL_TWO},
	{0xfeff, 0xfeff, CELL_UNSEEN},
	{0xff00, 0xff60, CELL_TWO},
	{0xffe0, 0xffe6, CELL_TWO},
	{0xfff9, 0xfffb, CELL_UNSEEN},
	{0x1f1e6, 0x1f1ff, CELL_TWO},
	{0x1f300, 0x1faff, CELL_TWO},
	{0x20000, 0x3fffd, CELL_TWO},
	{0xe0000, 0xe007f, CELL_UNSEEN}, /* tags */
	{0xe0100, 0xe01ef, CELL_JOINED},
};
/* clang-format on */

static enum cell cell_of(uint32_t c)
{
	for (size_t i = 0; i < COUNT_OF(ranges) && c >= ranges[i].first; i++) {
		if (c <= ranges[i].last)
			return ranges[i].is;
	}
	return CELL_ONE;
}

/* A valid character. */
static uint32_t code_point(const char *p, size_t n)
{
	static const unsigned char leads[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)p[0] & leads[n];
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

size_t cells_put(struct buf *out, struct span text, size_t columns)
{
	size_t taken = 0, joined = 0;
	while (text.n > 0) {
		const int found = utf8_length(text);
		const size_t n = found > 0 ? (size_t)found : 1;
		enum cell cell = found > 0 ? cell_of(code_point(text.p, n)) : CELL_UNSEEN;
		if (cell == CELL_JOINED && (taken == 0 || joined >= JOINED_MAX))
			cell = CELL_UNSEEN;
		joined = cell == CELL_JOINED ? joined + 1 : 0;
		const size_t wide = cell == CELL_JOINED ? 0 : cell == CELL_TWO ? 2 : 1;
		if (wide > columns - taken)
			break;
		taken += wide;
		if (cell == CELL_UNSEEN)
			buf_byte(out, '?');
		else
			buf_put(out, text.p, n);
		text = span_skip(text, n);
	}
	return taken;
}

void cells_pad(struct buf *out, struct span text, size_t columns)
{
	for (size_t n = cells_put(out, text, columns); n < columns; n++)
		buf_byte(out, ' ');
}
