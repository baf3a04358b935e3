/* thought.c - one chunk at a time. */
#include "brokerd/dialect/openai_chat/thought.h"

#include "protocol/limits.h"

void thought_init(struct thought *t)
{
	*t = (struct thought){.signature = BUF_INIT(LIMIT_REPLY_BYTES)};
}

void thought_done(struct thought *t)
{
	buf_done(&t->signature);
}

enum err thought_add(struct thought *t, struct json chunk)
{
	struct json_walk w = json_each(json_member(chunk, "thinking"));
	t->is_open = t->is_open || json_next(&w);
	t->is_closed = t->is_closed || json_is_true(json_member(chunk, "closed"));
	json_text_to(json_member(chunk, "signature"), &t->signature);
	return outlet_check(&t->signature);
}

enum err thought_end(struct thought *t, struct outlet *o, uint32_t choice, const char *family)
{
	OWNED(buf_done) struct buf data = BUF_INIT(2 * LIMIT_REPLY_BYTES);
	struct json_out to = json_to(&data);
	struct span signature = SPAN_NONE;
	if (!t->is_open)
		return OK;
	enum err err = outlet_keep(o, buf_view(&t->signature), &signature);
	json_open(&to, '{');
	json_pair_str(&to, "type", SPAN("thinking"));
	if (signature.n > 0)
		json_pair_str(&to, "signature", signature);
	if (t->is_closed)
		json_pair_bool(&to, "closed", true);
	json_close(&to, '}');
	t->is_open = t->is_closed = false;
	buf_clear(&t->signature);
	if (!err)
		err = outlet_check(&data);
	return err ? err
		   : outlet_opaque(o, choice,
			     &(struct opaque){span_str(family), o->model, buf_view(&data)});
}
