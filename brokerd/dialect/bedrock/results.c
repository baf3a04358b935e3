/* results.c - texts, JSON and media that answer a call, as the model takes them. */
#include "brokerd/dialect/bedrock/writer.h"
#include "brokerd/dialect/tool_args.h"
#include "protocol/limits.h"

#define KNOWN_IN_RESULT " toolUseId content status "

/* One text of a result: as JSON where it is an object, or where nothing else is taken. */
static enum err put_result_text(
	struct scribe *s, struct span text, const struct extra *extra, const char *path)
{
	struct json v;
	const bool is_object =
		json_scan(text, JSON_STRICT, &v, NULL) == OK && json_kind(v) == JSON_OBJECT;
	json_open(&s->o, '{');
	if (is_object) {
		json_key(&s->o, "json");
		(void)tool_args_put_object(&s->o, text);
	} else if (s->target->quirks.is_result_json) {
		json_key(&s->o, "json");
		json_open(&s->o, '{');
		json_pair_str(&s->o, "output", text);
		json_close(&s->o, '}');
	} else {
		json_pair_str(&s->o, "text", text);
	}
	const enum err err = scribe_extra(s, extra, path, BEDROCK_KNOWN_IN_BLOCK " json ");
	json_close(&s->o, '}');
	return err;
}

/* "Error: " before the first text of a failed call, where no other word says that it failed. */
static enum err with_error(struct scribe *s, struct span text, struct span *out)
{
	OWNED(buf_done) struct buf told = BUF_INIT(LIMIT_BODY_BYTES);
	*out = text;
	if (s->target->quirks.has_result_status || span_is_nocase(span_first(text, 5), "error"))
		return OK;
	buf_text(&told, "Error: ");
	buf_span(&told, text);
	const enum err err = buf_error(&told);
	return err ? err : arena_dup(s->notes->arena, buf_view(&told), out);
}

static enum err put_result_part(
	struct writer *w, const struct message *m, size_t k, const char *path, bool *is_failed)
{
	struct part p = m->parts[k];
	struct span text = p.text;
	enum err err = OK;
	p.cache = SPAN_NONE; /* the result's own */
	if (is_media(&p))
		return bedrock_put_media(w->s, &p, path, &w->names);
	if (p.type == PART_OPAQUE) {
		json_put_raw(&w->s->o, bedrock_own_block(&p.opaque).text);
		return OK;
	}
	if (*is_failed)
		err = with_error(w->s, text, &text);
	*is_failed = false;
	return err ? err : put_result_text(w->s, text, &p.extra, path);
}

/* `behind` is a text of the user's that may not stand beside it; absent: none. */
static enum err put_result_content(struct writer *w, const struct turn *t, struct span behind)
{
	const struct message *m = t->m;
	const struct extra none = {.n = 0};
	bool is_failed = !m || m->is_error, is_empty = true;
	enum err err = OK;
	for (size_t k = 0; !err && m && k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if ((is_said(p) && !is_blank(p->text)) || is_media(p) ||
			(p->type == PART_OPAQUE &&
				span_is_set(bedrock_own_block(&p->opaque).text))) {
			err = put_result_part(w, m, k, path, &is_failed);
			is_empty = false;
		}
	}
	if (!err && is_empty) {
		struct span text = m ? SPAN("(empty)") : SPAN("Tool result missing.");
		if (is_failed)
			err = with_error(w->s, text, &text);
		if (!err)
			err = put_result_text(w->s, text, &none, "");
	}
	return err || !span_is_set(behind) ? err : put_result_text(w->s, behind, &none, "");
}

enum err bedrock_put_result(struct writer *w, const struct turn *t, struct span behind)
{
	struct scribe *s = w->s;
	const struct message *m = t->m;
	const struct part *marked = m ? bedrock_marked_part(m) : NULL;
	char path[PATH_BYTES];
	struct span legal;
	enum err err = bedrock_legal_id(w, t->id, &legal);
	(void)snprintf(path, sizeof path, "messages[%zu]", t->at);
	if (!err)
		err = bedrock_open_user(w);
	if (err)
		return err;
	w->has_user = true;
	json_open(&s->o, '{');
	json_key(&s->o, "toolResult");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "toolUseId", legal);
	json_key(&s->o, "content");
	json_open(&s->o, '[');
	err = put_result_content(w, t, behind);
	json_close(&s->o, ']');
	if ((!m || m->is_error) && s->target->quirks.has_result_status)
		json_pair_str(&s->o, "status", SPAN("error"));
	if (!err && m)
		err = scribe_extra_below(s, &m->extra, path, "toolResult.", KNOWN_IN_RESULT);
	json_close(&s->o, '}');
	if (!err && m)
		err = scribe_extra_below(s, &m->extra, path, "content.", BEDROCK_KNOWN_IN_BLOCK);
	json_close(&s->o, '}');
	return err || !marked ? err
			      : bedrock_put_cache(s, marked->cache, &marked->extra, path, w->marks);
}
