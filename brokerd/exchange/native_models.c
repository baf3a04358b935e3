/* native_models.c - a path's parts, and a body's members. */
#include "brokerd/exchange/named_models.h"
#include "brokerd/exchange/native.h"
#include "protocol/limits.h"

/* Is what follows such a part of a path a model's name? */
static bool is_before_model(struct span part)
{
	static const char *const parts[] = {
		"models", "model", "deployments", "engines", "tunedModels"};
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		if (span_is(part, parts[i]))
			return true;
	}
	return false;
}

static enum err tell_path(
	struct span path, enum err (*tell)(void *context, struct span name), void *context)
{
	struct span before = SPAN_NONE;
	enum err err = OK;
	while (!err && span_is_set(path)) {
		const struct span part = span_cut(&path, '/');
		if (span_index(part, '%') < part.n)
			return ERR_DENIED; /* its reader may see another name */
		if (is_before_model(before) && part.n > 0)
			err = tell(context, span_first(part, span_index(part, ':')));
		before = part;
	}
	return err;
}

enum err native_models(struct span path, struct span body,
	enum err (*tell)(void *context, struct span name), void *context)
{
	const struct json_rules rules = {.max_depth = JSON_DEPTH_MAX, .has_unique_names = true};
	OWNED(buf_done) struct buf model = BUF_INIT(64 * KIB);
	struct json v;
	enum err err = tell_path(path, tell, context);
	if (err || body.n == 0)
		return err;
	if (json_scan(body, rules, &v, NULL) || json_kind(v) != JSON_OBJECT ||
		!json_text_to(json_member(v, "model"), &model) || buf_error(&model))
		return ERR_DENIED;
	err = tell(context, buf_view(&model));
	return err ? err : named_models(v, tell, context);
}
