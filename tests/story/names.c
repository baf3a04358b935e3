/* names.c - a table by the calls' numbers, and a search for what stands for them. */
#include "tests/story/names.h"

#include <stdio.h>

#include "tests/lib/tap.h"

void names_init(struct names *n)
{
	*n = (struct names){0};
	buf_init(&n->text, NAMES_TEXT_BYTES);
	buf_init(&n->block, NAMES_TEXT_BYTES);
}

void names_done(struct names *n)
{
	buf_done(&n->text);
	buf_done(&n->block);
}

void names_hear(struct names *n, uint32_t call, struct span line)
{
	const struct span before = SPAN("\"id\":\"resp_");
	const size_t at = span_find(line, before);
	if (at == line.n || call >= NAMES_MAX || n->of[call][0])
		return;
	struct span id = span_skip(line, at + strlen("\"id\":\""));
	id = span_first(id, span_index(id, '"'));
	(void)snprintf(n->of[call], sizeof n->of[call], "%.*s", SPAN_ARG(id));
}

static void put(struct names *n, struct span text, int line, struct buf *to)
{
	const struct span mark = SPAN("<kept ");
	size_t at;
	buf_clear(to);
	while ((at = span_find(text, mark)) < text.n) {
		struct span rest = span_skip(text, at + mark.n);
		const size_t call = span_number(span_cut(&rest, '>'), line);
		if (call >= NAMES_MAX || !n->of[call][0])
			bail("line %d: call %zu has no answer with a name", line, call);
		buf_span(to, span_first(text, at));
		buf_text(to, n->of[call]);
		text = rest;
	}
	buf_span(to, text);
}

void names_put(struct names *n, struct command *c)
{
	put(n, c->text, c->line, &n->text);
	put(n, c->block, c->line, &n->block);
	const bool has_block = span_is_set(c->block);
	*c = (struct command){.line = c->line, .text = buf_view(&n->text)};
	if (has_block)
		c->block = buf_view(&n->block);
	command_split(c);
}
