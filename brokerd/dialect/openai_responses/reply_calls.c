/* reply_calls.c - what does an item call, and with what? */
#include "brokerd/dialect/openai_responses/reply.h"
#include "brokerd/dialect/pick.h"
#include "protocol/limits.h"

static bool is_custom(struct json type)
{
	return json_is(type, "custom_tool_call");
}

bool responses_is_call(struct json type)
{
	return json_is(type, "function_call") || is_custom(type);
}

bool responses_is_of_call(struct span name)
{
	static const char *const all[] = {
		"type", "id", "call_id", "name", "arguments", "input", "status"};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (json_name_is(name, all[i]))
			return true;
	}
	return false;
}

/* What a call says beside what every call says must come back with it: its namespace, its caller. */
static enum err keep_rest(struct decoder *d, struct outlet_call *call, struct json item)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	struct json_out o = json_to(&json);
	bool has_any = false;
	if (call->is_begun || span_is_set(call->opaque.data))
		return OK;
	json_open(&o, '{');
	for (struct json_walk w = json_each(item); json_next(&w);) {
		if (json_kind(w.value) == JSON_NULL || responses_is_of_call(w.name))
			continue;
		json_key_raw(&o, w.name);
		json_put_raw(&o, w.value.text);
		has_any = true;
	}
	json_close(&o, '}');
	enum err err = outlet_check(&json);
	if (err || !has_any)
		return err;
	call->opaque = (struct opaque){SPAN(OPENAI_RESPONSES_FAMILY), d->out.model, SPAN_NONE};
	return outlet_keep(&d->out, buf_view(&json), &call->opaque.data);
}

enum err responses_take_call(struct decoder *d, struct item *i, struct json item)
{
	static const char *const names[] = {"type", "call_id", "id", "name"};
	struct json m[COUNT_OF(names)];
	enum err err = OK;
	PICK(item, names, m);
	if (!i->call)
		err = outlet_call_new(&d->out, 0, &i->call);
	if (err)
		return err;
	struct outlet_call *call = i->call;
	call->is_custom = call->is_custom || is_custom(m[0]);
	if (call->id.n == 0)
		json_text_to(openai_is_text(m[1]) ? m[1] : m[2], &call->id);
	if (call->name.n == 0)
		json_text_to(m[3], &call->name);
	err = outlet_check(&call->id);
	if (!err)
		err = outlet_check(&call->name);
	return err ? err : keep_rest(d, call, item);
}

enum err responses_take_args(struct decoder *d, struct item *i, struct json args, bool is_all)
{
	struct outlet *o = &d->out;
	enum err err = OK;
	if (json_is_nil(args) || (json_kind(args) == JSON_STRING && args.text.n <= 2))
		return OK;
	if (!i->call)
		err = outlet_call_new(o, 0, &i->call);
	if (err)
		return err;
	buf_clear(&o->piece);
	if (!json_text_to(args, &o->piece))
		buf_span(&o->piece, args.text); /* an object where a string is due */
	err = outlet_check(&o->piece);
	if (err)
		return err;
	return is_all ? outlet_call_whole(o, i->call, buf_view(&o->piece))
		      : outlet_call_args(o, i->call, buf_view(&o->piece));
}

enum err responses_end_call(struct decoder *d, struct item *i, struct json item, struct json type)
{
	enum err err = responses_take_call(d, i, item);
	if (!err)
		err = responses_take_args(
			d, i, json_member(item, is_custom(type) ? "input" : "arguments"), true);
	return err ? err : outlet_call_end(&d->out, i->call);
}
