/* answer.c - what does a caller who speaks this family read of an answer? A message, streamed while it
 * comes or told at its end. */
#include "brokerd/dialect/anthropic/anthropic.h"
#include "brokerd/dialect/anthropic/telling.h"
#include "brokerd/dialect/anthropic/verdict.h"
#include "brokerd/dialect/envelope.h"
#include "brokerd/dialect/made_id.h"
#include "brokerd/dialect/sse_write.h"
#include "protocol/limits.h"

#define ID_PREFIX "msg_"

struct encoder {
	const struct answer_plan *plan;
	struct arena *arena;
	struct buf *out; /* that the event at hand is told to */
	struct telling telling;
	struct blocks blocks;
	bool is_begun; /* a stream: message_start went out */
	bool is_over, has_call;
	struct span id, model; /* of the answer; empty: not known */
	struct llm_usage usage;
	enum finish finish; /* 0: not known */
	struct span native, matched_stop;
};

static bool is_stream(const struct encoder *a)
{
	return a->plan->notes->form == ANSWER_SSE;
}

struct encoder *anthropic_encoder_new(struct arena *arena, const struct answer_plan *plan)
{
	struct encoder *a = arena_alloc(arena, sizeof *a);
	if (!a)
		return NULL;
	*a = (struct encoder){
		.plan = plan,
		.arena = arena,
		.usage = USAGE_UNKNOWN,
	};
	telling_init(&a->telling);
	const struct block_sink sink =
		is_stream(a) ? telling_as_events(&a->telling) : telling_as_objects(&a->telling);
	blocks_init(&a->blocks, &sink);
	return a;
}

void anthropic_encoder_done(struct encoder *a)
{
	blocks_done(&a->blocks);
	telling_done(&a->telling);
}

/* Ids have this family's beginning. */
static enum err make_id(struct encoder *a)
{
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_LABEL_BYTES);
	uint64_t seed = a->plan->env->seed;
	if (span_starts(a->id, SPAN(ID_PREFIX)))
		return OK;
	made_id(&id, ID_PREFIX, &seed);
	const enum err err = buf_error(&id);
	return err ? err : arena_dup(a->arena, buf_view(&id), &a->id);
}

/* The members of a message up to its content. */
static void open_message(struct encoder *a, struct json_out *o)
{
	json_open(o, '{');
	json_pair_str(o, "id", a->id);
	json_pair_str(o, "type", SPAN("message"));
	json_pair_str(o, "role", SPAN("assistant"));
	json_pair_str(o, "model", a->model.n > 0 ? a->model : a->plan->request->model);
	json_key(o, "content");
	json_open(o, '[');
}

static int64_t guessed_input(const struct encoder *a)
{
	return a->plan->input_estimate > 0 ? a->plan->input_estimate : 0;
}

/* What the first event says of output is a placeholder with the provider, too. */
static enum err begin(struct encoder *a)
{
	const enum err err = make_id(a);
	if (err)
		return err;
	a->is_begun = true;
	struct told_event e = telling_begin(a->out, "message_start");
	json_key(&e.o, "message");
	open_message(a, &e.o);
	json_close(&e.o, ']');
	json_pair_raw(&e.o, "stop_reason", SPAN("null"));
	json_pair_raw(&e.o, "stop_sequence", SPAN("null"));
	anthropic_put_usage(
		&e.o, &a->usage, (struct anthropic_guess){.input = guessed_input(a), .output = 1});
	json_close(&e.o, '}');
	telling_end(&e);
	return OK;
}

/* Calls are told by how an answer ends, whoever forgot to say so. */
static enum finish finish_of(const struct encoder *a)
{
	const bool is_plain =
		a->finish == 0 || a->finish == FINISH_STOP || a->finish == FINISH_TOOL_CALLS;
	return !is_plain ? a->finish : a->has_call ? FINISH_TOOL_CALLS : FINISH_STOP;
}

/* The sequence at which it stopped. Some hosts say that it was one, and not which. */
static struct span matched(const struct encoder *a)
{
	const struct llm_request *r = a->plan->request;
	const bool is_clear = span_is(a->native, "stop_sequence") && r->n_stop == 1;
	return a->matched_stop.n == 0 && is_clear ? r->stop[0] : a->matched_stop;
}

static void put_stop_members(struct encoder *a, struct json_out *o)
{
	const struct span stop = matched(a);
	const struct span word = anthropic_stop_word(finish_of(a), a->native, stop.n > 0);
	json_pair_str(o, "stop_reason", word);
	json_key(o, "stop_sequence");
	if (span_is(word, "stop_sequence"))
		json_put_str(o, stop);
	else
		json_put_null(o);
}

/* What nobody counted stays unknown, but that the language wants a number of output tokens. */
static enum err end_stream(struct encoder *a)
{
	enum err err = a->is_begun ? OK : begin(a);
	if (!err)
		err = blocks_end(&a->blocks);
	if (err)
		return err;
	struct told_event e = telling_begin(a->out, "message_delta");
	json_key(&e.o, "delta");
	json_open(&e.o, '{');
	put_stop_members(a, &e.o);
	json_close(&e.o, '}');
	anthropic_put_usage(&e.o, &a->usage, (struct anthropic_guess){.input = -1, .output = 0});
	telling_end(&e);
	e = telling_begin(a->out, "message_stop");
	telling_end(&e);
	return OK;
}

static enum err end_whole(struct encoder *a)
{
	struct json_out o = json_to(a->out);
	enum err err = make_id(a);
	if (!err)
		err = blocks_end(&a->blocks);
	if (err)
		return err;
	open_message(a, &o);
	if (a->telling.content.n > 0)
		json_put_raw(&o, buf_view(&a->telling.content));
	json_close(&o, ']');
	put_stop_members(a, &o);
	anthropic_put_usage(
		&o, &a->usage, (struct anthropic_guess){.input = guessed_input(a), .output = 0});
	json_close(&o, '}');
	return OK;
}

static bool is_counted(const struct llm_usage *u)
{
	return usage_input_total(u) >= 0 || usage_output_total(u) >= 0;
}

/* ---- events ---- */

static enum err take_start(struct encoder *a, const struct llm_event *e)
{
	const enum err err = arena_dup(a->arena, e->start.id, &a->id);
	return err ? err : arena_dup(a->arena, e->start.model, &a->model);
}

static enum err take_content(struct encoder *a, const struct llm_event *e)
{
	enum err err = OK;
	if (e->choice > 0 || (e->type == EV_PART && !telling_has_place(&e->part)))
		return OK;
	a->has_call = a->has_call || e->type == EV_TOOL_START;
	if (is_stream(a) && !a->is_begun)
		err = begin(a);
	return err ? err : blocks_take(&a->blocks, e);
}

static enum err take_finish(struct encoder *a, const struct llm_event *e)
{
	if (e->choice > 0)
		return OK;
	a->finish = e->finish.finish;
	const enum err err = arena_dup(a->arena, e->finish.native, &a->native);
	return err ? err : arena_dup(a->arena, e->finish.matched_stop, &a->matched_stop);
}

static enum err take_end(struct encoder *a, const struct llm_event *e)
{
	a->is_over = true;
	if (is_counted(&e->end.usage))
		a->usage = e->end.usage;
	return is_stream(a) ? end_stream(a) : end_whole(a);
}

static void take_fault(struct encoder *a, const struct llm_event *e)
{
	int status;
	a->is_over = true;
	if (!is_stream(a))
		return;
	const size_t mark = sse_begin(a->out, "error");
	envelope_anthropic(e->fault, a->out, &status);
	sse_finish(a->out, mark);
}

static enum err take(struct encoder *a, const struct llm_event *e)
{
	switch (e->type) {
	case EV_START:
		return take_start(a, e);
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
	case EV_OPAQUE:
	case EV_TOOL_START:
	case EV_TOOL_ARGS:
	case EV_TOOL_END:
	case EV_PART:
		return take_content(a, e);
	case EV_USAGE:
		a->usage = e->usage;
		return OK;
	case EV_FINISH:
		return take_finish(a, e);
	case EV_END:
		return take_end(a, e);
	case EV_FAULT:
		take_fault(a, e);
		return OK;
	default: /* what the broker does meanwhile, and what no chat gives */
		return OK;
	}
}

enum err anthropic_encode(struct encoder *a, const struct llm_event *e, struct buf *out)
{
	if (a->is_over)
		return OK;
	a->out = a->telling.out = out;
	const enum err err = take(a, e);
	return err ? err : buf_error(out);
}
