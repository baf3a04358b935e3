/* recall_ink.c - summed up as FNV-1a does it: who finds two turns of one sum misleads only itself. */
#include "brokerd/exchange/recall_ink.h"

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)
#define MEDIUM    ((char)0xff)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void add(struct ink *ink, char c)
{
	const uint64_t sum = ink->n == 0 ? FNV_BASIS : (uint64_t)ink->sum;
	/* one bit less, so that it is a number that JSON readers know */
	ink->sum = (int64_t)(((sum ^ (unsigned char)c) * FNV_PRIME) & INT64_MAX);
	ink->n++;
}

void ink_text(struct ink *ink, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (!is_blank(text.p[i]))
			add(ink, text.p[i]);
	}
}

void ink_part(struct ink *ink, const struct part *p)
{
	switch (p->type) {
	case PART_TEXT:
	case PART_REFUSAL:
		ink_text(ink, p->text);
		break;
	case PART_IMAGE:
	case PART_AUDIO:
	case PART_FILE:
	case PART_VIDEO:
		add(ink, MEDIUM);
		break;
	case PART_REASONING:
	case PART_OPAQUE:
	case PART_TOOL_CALL:
		break;
	}
}

bool ink_eq(struct ink a, struct ink b)
{
	return a.n == b.n && a.sum == b.sum;
}

static bool goes_on(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t ink_end(struct span text, int64_t n)
{
	size_t i = 0;
	for (; i < text.n && (n > 0 || is_blank(text.p[i]) || goes_on(text.p[i])); i++)
		n -= !is_blank(text.p[i]);
	return i;
}
