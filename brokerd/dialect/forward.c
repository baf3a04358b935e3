/* forward.c - a list of edits, and one pass over the body. */
#include "brokerd/dialect/forward.h"

#include <assert.h>
#include <stdio.h>

#include "protocol/limits.h"

void forward_begin(struct forward *f, const struct forwarded *what, const struct target *target,
	struct notes *notes, struct fault *why)
{
	*f = (struct forward){.body = what->body};
	f->s = (struct scribe){.r = what->request, .target = target, .notes = notes, .why = why};
	notes->is_reply_streamed = what->request->is_stream;
	notes->wants_reasoning_text = true;
	notes->n_choices = what->request->n.is_set ? what->request->n.v : 1;
	notes->errors =
		span_is_set(target->quirks.errors) ? target->quirks.errors : target->provider;
	for (size_t i = 0; i < what->n_edits; i++)
		forward_edit(f, what->edits[i].name, what->edits[i].json);
}

void forward_edit(struct forward *f, const char *name, struct span json)
{
	for (size_t i = 0; i < f->n; i++) {
		if (span_is(span_str(name), f->edits[i].name))
			return;
	}
	assert(f->n < FORWARD_EDITS);
	f->edits[f->n++] = (struct splice){name, json};
}

/* A JSON text of ours, for as long as the request lives. */
static enum err keep(struct forward *f, const struct buf *text, struct span *out)
{
	const enum err err = buf_error(text);
	return err ? err : arena_dup(f->s.notes->arena, buf_view(text), out);
}

enum err forward_model(struct forward *f)
{
	OWNED(buf_done) struct buf text = BUF_INIT(16 * KIB);
	struct json_out o = json_to(&text);
	struct span json, own;
	enum err err = json_text(json_member(f->body, "model"), f->s.notes->arena, &own);
	if (err || span_eq(own, f->s.target->model))
		return err; /* however it is written */
	json_put_str(&o, f->s.target->model);
	err = keep(f, &text, &json);
	if (!err)
		forward_edit(f, "model", json);
	return err;
}

/* Those of the names that say more than the broker allows say less then. False: none says anything. */
static bool lower(struct forward *f, const char *const *names, int64_t most, struct span json)
{
	bool has_any = false;
	for (const char *const *name = names; *name; name++) {
		const struct json own = splice_member(f->body, *name);
		int64_t v;
		if (json_is_nil(own))
			continue;
		has_any = true;
		if (!json_i64(own, &v) || v > most || v < 1)
			forward_edit(f, *name, json);
	}
	return has_any;
}

enum err forward_max_tokens(struct forward *f, const char *const *names)
{
	const struct opt_i64 most = f->s.r->max_tokens;
	OWNED(buf_done) struct buf text = BUF_INIT(32);
	struct span json;
	if (!most.is_set || most.v < 1)
		return OK; /* the caller's own, which says nothing that could be kept */
	buf_i64(&text, most.v);
	const enum err err = keep(f, &text, &json);
	if (!err && !lower(f, names, most.v, json))
		forward_edit(f, names[0], json);
	return err;
}

enum err forward_body(struct forward *f, struct span *out)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	enum err err = OK;
	*out = f->body.text;
	if (splice_changes(f->body, f->edits, f->n)) {
		splice_put(f->body, f->edits, f->n, &body);
		err = buf_error(&body);
		if (err == ERR_TOO_BIG)
			return scribe_refuse_length(&f->s);
		if (!err)
			err = arena_adopt(f->s.notes->arena, &body, out);
	}
	return err ? err : scribe_check_length(&f->s, out->n);
}

enum err forward_finish(struct forward *f, const struct place *place, struct http_request *out)
{
	enum err err = forward_body(f, &out->body);
	if (!err)
		err = scribe_address(&f->s, place, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(f->s.why, err, "no memory for the provider's request");
	return err;
}
