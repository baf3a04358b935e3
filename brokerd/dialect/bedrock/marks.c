/* marks.c - a block of its own closes what is to be cached; there may be four. */
#include "brokerd/dialect/marks.h"
#include "brokerd/dialect/bedrock/writer.h"

#define KNOWN_IN_CACHE " type ttl "

static bool takes_mark(const struct part *p)
{
	return is_said(p) ? !is_blank(p->text) : is_media(p) || p->type == PART_TOOL_CALL;
}

const struct part *bedrock_marked_part(const struct message *m)
{
	const struct part *marked = NULL;
	for (size_t k = 0; k < m->n_parts; k++) {
		if (span_is_set(m->parts[k].cache))
			marked = &m->parts[k];
	}
	return marked;
}

size_t bedrock_count_marks(const struct llm_request *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_tools; i++)
		n += span_is_set(r->tools[i].cache);
	for (size_t i = 0; i < r->n_messages; i++) {
		const struct message *m = &r->messages[i];
		if (m->role == ROLE_TOOL) {
			n += bedrock_marked_part(m) != NULL;
			continue;
		}
		for (size_t k = 0; k < m->n_parts; k++)
			n += span_is_set(m->parts[k].cache) && takes_mark(&m->parts[k]);
	}
	return n;
}

enum err bedrock_put_cache(struct scribe *s, struct span ttl, const struct extra *extra,
	const char *path, struct cache_marks *marks)
{
	struct span lives;
	if (!s->target->quirks.has_cache_marks)
		return scribe_drop_mark(s, ttl, path);
	enum err err = marks_take(s, ttl, path, marks, &lives);
	if (err || !span_is_set(lives))
		return err;
	json_open(&s->o, '{');
	json_key(&s->o, "cachePoint");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", SPAN("default"));
	if (span_is(lives, "1h"))
		json_pair_str(&s->o, "ttl", lives);
	err = scribe_extra_below(s, extra, path, "cachePoint.", KNOWN_IN_CACHE);
	json_close(&s->o, '}');
	json_close(&s->o, '}');
	return err;
}
