/* elements.c - an element that is neither object, array nor string ends where the next separator is. */
#include "brokerd/dialect/elements.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

size_t elements_lead(struct elements *e, struct span bytes)
{
	size_t i = 0;
	for (; i < bytes.n && !e->is_inside; i++) {
		const char c = bytes.p[i];
		if (is_space(c))
			continue;
		if (e->is_over)
			e->has_rest = true;
		else if (!e->is_begun && c == '[')
			e->is_begun = true;
		else if (e->is_begun && c == ']')
			e->is_over = true;
		else if (c != ',')
			break;
	}
	return i;
}

/* One byte inside of a string. */
static void pass_text(struct elements *e, char c)
{
	if (e->is_escaped)
		e->is_escaped = false;
	else if (c == '\\')
		e->is_escaped = true;
	else if (c == '"')
		e->is_in_string = false;
}

/* True: it was the element's last. */
static bool close_bracket(struct elements *e)
{
	e->depth -= e->depth > 0;
	return e->depth == 0;
}

size_t elements_body(struct elements *e, struct span bytes, bool *has_end)
{
	size_t i = 0;
	*has_end = false;
	e->is_inside = e->is_inside || bytes.n > 0;
	while (i < bytes.n && !*has_end) {
		const char c = bytes.p[i];
		const bool is_bare = e->depth == 0 && !e->is_in_string;
		if (is_bare && (is_space(c) || c == ',' || c == ']')) {
			*has_end = true; /* of a number or a word, or behind a string */
			break;
		}
		i++;
		if (e->is_in_string)
			pass_text(e, c);
		else if (c == '"')
			e->is_in_string = true;
		else if (c == '{' || c == '[')
			e->depth++;
		else if (c == '}' || c == ']')
			*has_end = close_bracket(e);
	}
	e->is_inside = e->is_inside && !*has_end;
	return i;
}
