/* base64.c - six bits at a time. */
#include "brokerd/dialect/base64.h"

/* 0..63, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

bool base64_decode(struct span text, struct buf *out)
{
	unsigned bits = 0, n = 0;
	bool is_over = false;
	char *to = buf_reserve(out, text.n / 4 * 3 + 3);
	size_t written = 0;
	if (!to)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		const char c = text.p[i];
		const int v = value_of(c);
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		if (c == '=') {
			is_over = true;
			continue;
		}
		if (v < 0 || is_over)
			return false;
		bits = (bits << 6 | (unsigned)v) & 0xffffff;
		if (++n % 4 == 0) {
			to[written++] = (char)(bits >> 16);
			to[written++] = (char)(bits >> 8 & 0xff);
			to[written++] = (char)(bits & 0xff);
		}
	}
	if (n % 4 == 1)
		return false; /* six bits are no byte */
	if (n % 4 >= 2)
		to[written++] = (char)(bits >> (n % 4 == 2 ? 4 : 10) & 0xff);
	if (n % 4 == 3)
		to[written++] = (char)(bits >> 2 & 0xff);
	buf_commit(out, written);
	return true;
}
