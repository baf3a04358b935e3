/* answer.c - what does a caller who speaks this family read of an answer, as it comes? A stream begins with
 * its response, then has item after item, and ends with the response again; an answer in one piece is that
 * last response alone. */
#include "brokerd/dialect/openai_responses/answer.h"

#include <inttypes.h>
#include <stdio.h>

#include "brokerd/dialect/envelope.h"
#include "brokerd/dialect/sse_write.h"
#include "protocol/limits.h"

enum { BUFS = 9 };

static void bufs_of(struct encoder *e, struct buf *all[BUFS])
{
	struct buf *const list[BUFS] = {&e->repeated, &e->items, &e->picture, &e->piece,
		&e->item.opening, &e->item.text, &e->item.beside, &e->item.annotations,
		&e->item.logprobs};
	memcpy(all, list, sizeof list);
}

struct encoder *responses_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	struct encoder *e = arena_alloc(a, sizeof *e);
	struct buf *all[BUFS];
	if (!e)
		return NULL;
	*e = (struct encoder){
		.plan = plan,
		.arena = a,
		.id = plan->id,
		.created_s = plan->env->wall_s,
		.seed = plan->env->seed,
		.usage = USAGE_UNKNOWN,
		.is_stream = plan->notes->form != ANSWER_WHOLE,
		.wants_logprobs = plan->request->logprobs.is_set && plan->request->logprobs.v,
	};
	if (namespaces_read(plan->request, a, &e->spaces) == ERR_NO_MEMORY)
		return NULL;
	bufs_of(e, all);
	for (size_t i = 0; i < BUFS; i++)
		buf_init(all[i], LIMIT_BODY_BYTES);
	blocks_init(&e->blocks, &answer_items);
	e->blocks.sink.context = e;
	answer_make_id(e, "resp_", e->made_id);
	if (!span_is_set(e->id))
		e->id = span_str(e->made_id);
	return e;
}

void responses_encoder_done(struct encoder *e)
{
	struct buf *all[BUFS];
	bufs_of(e, all);
	for (size_t i = 0; i < BUFS; i++)
		buf_done(all[i]);
	blocks_done(&e->blocks);
}

enum err answer_error(struct encoder *e)
{
	struct buf *all[BUFS];
	bufs_of(e, all);
	for (size_t i = 0; i < BUFS; i++) {
		if (buf_error(all[i]))
			return buf_error(all[i]);
	}
	return e->out ? buf_error(e->out) : OK;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void answer_make_id(struct encoder *e, const char *prefix, char id[ANSWER_ID_BYTES])
{
	const uint64_t a = next_random(&e->seed), b = next_random(&e->seed);
	(void)snprintf(id, ANSWER_ID_BYTES, "%s%016" PRIx64 "%016" PRIx64 "%016" PRIx64, prefix, a,
		b, next_random(&e->seed));
}

/* ---- events ---- */

struct json_out answer_event(struct encoder *e, const char *type)
{
	struct json_out o = json_to(e->out);
	e->event_at = sse_begin(e->out, type);
	json_open(&o, '{');
	json_pair_str(&o, "type", span_str(type));
	json_pair_i64(&o, "sequence_number", e->n_events++);
	return o;
}

void answer_event_end(struct encoder *e, struct json_out *o)
{
	json_close(o, '}');
	sse_finish(e->out, e->event_at);
}

static void say_response(
	struct encoder *e, const char *type, const char *status, const struct fault *fault)
{
	struct json_out o = answer_event(e, type);
	json_key(&o, "response");
	answer_put_response(e, status, fault, &o);
	answer_event_end(e, &o);
}

static void begin(struct encoder *e)
{
	if (e->is_begun)
		return;
	e->is_begun = true;
	if (!e->out)
		return;
	say_response(e, "response.created", "in_progress", NULL);
	say_response(e, "response.in_progress", "in_progress", NULL);
}

static enum err start(struct encoder *e, const struct llm_event *event)
{
	if (e->is_begun)
		return OK;
	const enum err err = arena_dup(e->arena, event->start.model, &e->model);
	if (event->start.created_s > 0)
		e->created_s = event->start.created_s;
	if (!err)
		begin(e);
	return err ? err : answer_error(e);
}

static enum err take(struct encoder *e, const struct llm_event *event)
{
	begin(e);
	const enum err err = blocks_take(&e->blocks, event);
	return err ? err : answer_error(e);
}

/* Logprobs of a refusal have no place. */
static enum err take_logprobs(struct encoder *e, struct span text)
{
	struct json v;
	if (!e->wants_logprobs || json_scan(text, JSON_STRICT, &v, NULL))
		return OK;
	answer_take_logprobs(e, json_member(v, "content"));
	return answer_error(e);
}

static enum err take_usage(struct encoder *e, const struct llm_event *event)
{
	e->usage = event->usage;
	return span_is_set(event->tier) ? arena_dup(e->arena, event->tier, &e->tier) : OK;
}

static enum err end(struct encoder *e, const struct reply_end *last, struct buf *out)
{
	const char *status = answer_status(e->finish);
	struct json_out whole = json_to(out);
	begin(e);
	if (usage_input_total(&last->usage) >= 0 || usage_output_total(&last->usage) >= 0)
		e->usage = last->usage;
	e->total_us = last->total_us;
	e->is_ending = true;
	enum err err = blocks_end(&e->blocks);
	if (!err)
		err = answer_last_words(e);
	if (!err)
		err = answer_settle(e);
	if (!err)
		err = answer_error(e);
	if (err)
		return err;
	e->is_over = true;
	if (e->out)
		say_response(e,
			span_is(span_str(status), "completed") ? "response.completed"
							       : "response.incomplete",
			status, NULL);
	else
		answer_put_response(e, status, NULL, &whole);
	return buf_error(out);
}

/* Both of them, as the API itself does: some clients know only the one, others only the other. An item that
 * is open stays so, for a call that is cut short must not be taken for one that is whole. */
static enum err fail(struct encoder *e, const struct fault *fault)
{
	e->is_over = true;
	if (!e->out)
		return OK;
	begin(e);
	const enum err err = answer_settle(e);
	struct json_out o = answer_event(e, "error");
	json_key(&o, "error");
	json_open(&o, '{');
	envelope_openai_members(fault, &o);
	json_close(&o, '}');
	answer_event_end(e, &o);
	say_response(e, "response.failed", "failed", fault);
	return err ? err : buf_error(e->out);
}

enum err responses_encode(struct encoder *e, const struct llm_event *event, struct buf *out)
{
	if (e->is_over || event->choice > 0)
		return OK;
	e->out = e->is_stream ? out : NULL;
	switch (event->type) {
	case EV_START:
		return start(e, event);
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
	case EV_OPAQUE:
	case EV_TOOL_START:
	case EV_TOOL_ARGS:
	case EV_TOOL_END:
	case EV_PART:
		return take(e, event);
	case EV_LOGPROBS:
		return take_logprobs(e, event->text);
	case EV_USAGE:
		return take_usage(e, event);
	case EV_FINISH:
		e->finish = event->finish.finish;
		return OK;
	case EV_END:
		return end(e, &event->end, out);
	case EV_FAULT:
		return fail(e, event->fault);
	case EV_WARNING: /* what the API has no place for */
	case EV_STATUS:
	case EV_RAW:
	case EV_HEAD:
	case EV_EMBEDDING:
	case EV_RANK:
	case EV_COUNT:
	case EV_MODERATION:
	case EV_MODEL:
		break;
	}
	return OK;
}
