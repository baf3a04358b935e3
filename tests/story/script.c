/* script.c - the file is read whole; words and blocks are spans of it. */
#include "tests/story/script.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/num.h"
#include "tests/lib/tap.h"

void script_open(struct script *s, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n = 0, cap = 256 * 1024;
	*s = (struct script){.bytes = malloc(cap)};
	if (!f || !s->bytes)
		bail("cannot read %s", path);
	n = fread(s->bytes, 1, cap, f);
	if (ferror(f) || n == cap)
		bail("cannot read %s, or it is too long", path);
	fclose(f);
	s->left = span_of(s->bytes, n);
}

void script_close(struct script *s)
{
	free(s->bytes);
}

void command_split(struct command *c)
{
	struct span rest = c->text;
	while (rest.n > 0) {
		const struct span word = span_cut(&rest, ' ');
		if (word.n == 0)
			continue;
		if (c->n == WORDS_MAX)
			return; /* the rest is a text, which command_rest gives */
		c->words[c->n++] = word;
	}
}

bool script_next(struct script *s, struct command *c)
{
	while (s->left.n > 0) {
		*c = (struct command){.text = span_cut(&s->left, '\n'), .line = ++s->line};
		if (c->text.n == 0 || c->text.p[0] == '#')
			continue;
		if (c->text.p[0] == '\t')
			bail("line %d: a block without a command", c->line);
		command_split(c);
		const char *const block = s->left.p;
		size_t n = 0;
		while (s->left.n > 0 && s->left.p[0] == '\t') {
			n += span_cut(&s->left, '\n').n + 1;
			s->line++;
		}
		if (n > 0)
			c->block = span_of(block, n);
		return true;
	}
	return false;
}

bool block_next(struct span *block, struct span *line)
{
	if (block->n == 0)
		return false;
	*line = span_skip(span_cut(block, '\n'), 1);
	return true;
}

struct span command_rest(const struct command *c, size_t n)
{
	if (n >= c->n)
		return SPAN("");
	const char *const from = c->words[n].p;
	return span_of(from, (size_t)(c->text.p + c->text.n - from));
}

struct span command_option(const struct command *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++) {
		struct span value = c->words[i];
		const struct span key = span_cut(&value, '=');
		if (span_is_set(value) && span_is(key, name))
			return value;
	}
	return SPAN_NONE;
}

long long command_number(const struct command *c, const char *name, long long other)
{
	const struct span text = command_option(c, name);
	int64_t v = 0;
	if (!span_is_set(text))
		return other;
	if (!num_i64(text, &v))
		bail("line %d: %s is no number", c->line, name);
	return v;
}

size_t span_number(struct span text, int line)
{
	int64_t v = 0;
	if (!num_i64(text, &v) || v < 0)
		bail("line %d: \"%.*s\" is no number", line, SPAN_ARG(text));
	return (size_t)v;
}

void command_range(const struct command *c, size_t word, size_t *first, size_t *last)
{
	if (word >= c->n)
		bail("line %d: a number is missing", c->line);
	struct span text = c->words[word];
	const size_t dots = span_find(text, SPAN(".."));
	*first = *last = span_number(span_first(text, dots), c->line);
	if (dots < text.n)
		*last = span_number(span_skip(text, dots + 2), c->line);
	if (*last < *first)
		bail("line %d: %.*s goes backwards", c->line, SPAN_ARG(text));
}
