/* part_join.c - bytes are gathered; the first piece's texts are copied. */
#include "brokerd/dialect/part_join.h"

#include "protocol/limits.h"

void part_join_init(struct part_join *j)
{
	*j = (struct part_join){.medium = BUF_INIT(LIMIT_BODY_BYTES)};
	arena_init(&j->arena, LIMIT_BODY_BYTES);
}

void part_join_done(struct part_join *j)
{
	buf_done(&j->medium);
	arena_done(&j->arena);
}

enum err opaque_dup(struct arena *a, struct opaque *o)
{
	enum err err = arena_dup(a, o->family, &o->family);
	if (!err)
		err = arena_dup(a, o->model, &o->model);
	return err ? err : arena_dup(a, o->data, &o->data);
}

enum err part_dup(struct arena *a, struct part *p)
{
	struct span *const texts[] = {&p->text, &p->media.url, &p->media.file_id, &p->media.mime,
		&p->media.filename, &p->media.detail, &p->citations, &p->extra.family, NULL};
	enum err err = opaque_dup(a, &p->opaque);
	for (struct span *const *text = texts; !err && *text; text++)
		err = arena_dup(a, **text, *text);
	if (err || p->extra.n == 0)
		return err;
	struct extra_member *members = arena_array(a, p->extra.n, sizeof *members);
	if (!members)
		return ERR_NO_MEMORY;
	memcpy(members, p->extra.members, p->extra.n * sizeof *members);
	p->extra.members = members;
	for (size_t i = 0; !err && i < p->extra.n; i++) {
		err = arena_dup(a, members[i].name, &members[i].name);
		if (!err)
			err = arena_dup(a, members[i].json, &members[i].json);
	}
	return err;
}

static enum err begin(struct part_join *j, const struct part *first)
{
	buf_clear(&j->medium);
	arena_done(&j->arena);
	j->part = *first;
	j->part.media.data = SPAN_NONE;
	j->is_open = true;
	return part_dup(&j->arena, &j->part);
}

enum err part_join_take(struct part_join *j, const struct llm_event *e, const struct part **whole)
{
	*whole = NULL;
	if (!j->is_open && !e->has_more) {
		*whole = &e->part;
		return OK;
	}
	enum err err = j->is_open ? OK : begin(j, &e->part);
	buf_span(&j->medium, e->part.media.data);
	if (!err)
		err = buf_error(&j->medium);
	if (err || e->has_more)
		return err;
	j->is_open = false;
	j->part.media.data = buf_view(&j->medium);
	*whole = &j->part;
	return OK;
}
