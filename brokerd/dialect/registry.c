/* registry.c - one row a family. */
#include "brokerd/dialect/registry.h"

#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/drops.h"
#include "brokerd/dialect/estimate.h"
#include "brokerd/dialect/foreign.h"
#include "brokerd/dialect/free_form.h"
#include "brokerd/dialect/hosted.h"
#include "brokerd/dialect/marks.h"
#include "brokerd/dialect/models.h"
#include "brokerd/dialect/openai_responses/namespaces.h"

static const struct dialect *const all[] = {
	&dialect_openai_chat,
	&dialect_openai_responses,
	&dialect_openai_completions,
	&dialect_anthropic,
	&dialect_bedrock,
	&dialect_gemini,
	&dialect_mistral,
	&dialect_cohere,
	&dialect_ollama,
	&dialect_offline,
	NULL,
};

const struct dialect *const *dialect_all(void)
{
	return all;
}

const struct dialect *dialect_find(struct span family)
{
	for (const struct dialect *const *d = all; *d; d++) {
		if (span_is(family, (*d)->family))
			return *d;
	}
	return NULL;
}

const struct dialect_op *dialect_operation(const struct dialect *d, enum llm_op op)
{
	if (d->ops[op])
		return d->ops[op];
	if (op == LLM_OP_COUNT)
		return &estimate_op;
	return op == LLM_OP_MODELS && d->models_path ? &models_op : NULL;
}

enum err dialect_encode(const struct dialect_op *op, const struct llm_request *r,
	const struct target *target, const struct dialect_env *env, struct notes *notes,
	struct http_request *out, struct fault *why)
{
	struct llm_request without = *r;
	notes->tool_places = NULL;
	enum err err = drops_apply(&without, target, notes, why);
	if (!err)
		err = foreign_leave_out(&without, target, notes, why);
	if (!err)
		err = namespaces_unfold(&without, target, notes, why);
	if (!err) /* among what was unfolded may be some, too */
		err = hosted_leave_out(&without, target, notes, why);
	if (!err)
		err = free_form_emulate(&without, target, notes, why);
	if (!err)
		err = marks_fit(&without, target, notes, why);
	return err ? err : op->encode_request(&without, target, env, notes, out, why);
}

enum err event_emit(const struct event_sink *sink, const struct llm_event *e)
{
	return sink->on_event(sink->context, e);
}
