/* openai_answer.c - choices in a list, chunks from parts that are made once. */
#include "brokerd/dialect/openai_answer.h"

#include <stdio.h>

#include "brokerd/dialect/envelope.h"
#include "brokerd/dialect/made_id.h"
#include "brokerd/dialect/sse_write.h"
#include "brokerd/value/words.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

/* In each chunk before the last, where the last has the usage. */
static const char *usage_to_come(const struct openai_answer *a)
{
	return a->plan->notes->wants_usage_event ? ",\"usage\":null" : "";
}

void openai_answer_init(struct openai_answer *a, const struct openai_language *language,
	struct arena *arena, const struct answer_plan *plan)
{
	*a = (struct openai_answer){
		.language = language,
		.plan = plan,
		.arena = arena,
		.called = span_str(language->called),
		.scratch = BUF_INIT(2 * LIMIT_BODY_BYTES), /* bytes in base64 are longer */
		.usage = USAGE_UNKNOWN,
		.seed = plan->env->seed,
		.is_stream = plan->notes->form == ANSWER_SSE,
	};
	(void)snprintf(a->rest, sizeof a->rest, "%s,\"logprobs\":null,\"finish_reason\":null}]%s}",
		language->end, usage_to_come(a));
}

void openai_answer_done(struct openai_answer *a)
{
	buf_done(&a->scratch);
}

void openai_answer_fail(struct openai_answer *a, enum err err)
{
	a->err = a->err ? a->err : err;
}

struct json_out openai_scratch(struct openai_answer *a)
{
	buf_clear(&a->scratch);
	return json_to(&a->scratch);
}

struct span openai_scratch_view(struct openai_answer *a)
{
	openai_answer_fail(a, buf_error(&a->scratch));
	return a->err ? SPAN_NONE : buf_view(&a->scratch);
}

struct span openai_scratch_keep(struct openai_answer *a)
{
	struct span kept;
	openai_answer_fail(a, arena_dup(a->arena, openai_scratch_view(a), &kept));
	return kept;
}

/* ---- who answers ---- */

/* The provider's id, with the family's prefix; or one that is made. */
static void put_id(struct openai_answer *a, struct span id, struct json_out *o)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	const char *prefix = a->language->id_prefix;
	if (id.n == 0)
		made_id(&text, prefix, &a->seed);
	else if (!span_starts(id, span_str(prefix)))
		buf_text(&text, prefix);
	buf_span(&text, id);
	openai_answer_fail(a, buf_error(&text));
	json_pair_str(o, "id", buf_view(&text));
}

/* Settled with the first that is said; `start` is an EV_START, or NULL: none came before. */
static void settle_lead(struct openai_answer *a, const struct llm_event *start)
{
	const struct span model = start ? start->start.model : SPAN_NONE;
	const int64_t created_s = start ? start->start.created_s : 0;
	if (span_is_set(a->lead))
		return;
	struct json_out o = openai_scratch(a);
	put_id(a, start ? start->start.id : SPAN_NONE, &o);
	json_pair_str(
		&o, "object", span_str(a->is_stream ? a->language->chunk : a->language->object));
	json_pair_i64(&o, "created", created_s > 0 ? created_s : a->plan->env->wall_s);
	json_key(&o, "model");
	json_put_str(&o, model.n > 0 ? model : a->plan->request->model);
	a->lead = openai_scratch_keep(a);
}

/* ---- chunks ---- */

size_t openai_chunk_begin(struct openai_answer *a, const struct openai_choice *c)
{
	const size_t mark = sse_begin(a->out, NULL) + c->lead.n;
	buf_span(a->out, c->lead);
	return mark;
}

void openai_chunk_close(struct openai_answer *a, size_t mark)
{
	buf_text(a->out, usage_to_come(a));
	buf_byte(a->out, '}');
	sse_finish(a->out, mark);
}

void openai_chunk_end(struct openai_answer *a, size_t mark)
{
	buf_text(a->out, a->rest);
	sse_finish(a->out, mark);
}

static void put_last_chunk(struct openai_answer *a, const struct openai_choice *c)
{
	openai_chunk_begin(a, c);
	buf_text(a->out, a->language->nothing);
	buf_text(a->out, a->language->end);
	buf_text(a->out, ",\"logprobs\":null,\"finish_reason\":\"");
	buf_span(a->out, c->finish);
	buf_text(a->out, "\"}]");
	openai_chunk_close(a, a->out->n);
}

/* ---- choices ---- */

static struct span lead_of(struct openai_answer *a, uint32_t index)
{
	struct buf *to = openai_scratch(a).to;
	buf_byte(to, '{');
	buf_span(to, a->lead);
	buf_print(to, ",\"choices\":[{\"index\":%u%s", (unsigned)index, a->language->delta);
	return openai_scratch_keep(a);
}

static struct openai_choice *choice_new(struct openai_answer *a, uint32_t index)
{
	struct openai_choice **at = &a->choices, *c;
	settle_lead(a, NULL);
	c = a->err ? NULL : a->language->choice_new(a);
	if (!c) {
		openai_answer_fail(a, ERR_NO_MEMORY);
		return NULL;
	}
	c->index = index;
	while (*at && (*at)->index < index)
		at = &(*at)->next;
	c->next = *at;
	*at = c;
	if (a->is_stream)
		c->lead = lead_of(a, index);
	if (a->is_stream && !a->err && a->language->on_begin)
		a->language->on_begin(a, c);
	return c;
}

/* Clients put a choice that begins behind those that they know, whatever its index. So where a beginning is
 * told, all below it begin first; a decoder knows of no more than were asked for. */
static struct openai_choice *choice_begin(struct openai_answer *a, uint32_t index)
{
	struct openai_choice *c = a->choices;
	uint32_t next = index;
	if (a->is_stream && a->language->on_begin) {
		for (next = 0; c; c = c->next)
			next++;
	}
	do
		c = choice_new(a, next);
	while (c && next++ < index);
	return c;
}

/* The choice, which begins with this; NULL: it is finished, or there is no memory for it. */
static struct openai_choice *choice_at(struct openai_answer *a, uint32_t index)
{
	struct openai_choice *c = a->last;
	if (!c || c->index != index) {
		for (c = a->choices; c && c->index != index;)
			c = c->next;
		if (!c)
			c = choice_begin(a, index);
		a->last = c;
	}
	return c && !a->err && !span_is_set(c->finish) ? c : NULL;
}

static struct span finish_word(const struct openai_answer *a, enum finish finish)
{
	switch (finish) {
	case FINISH_LENGTH:
		return SPAN("length");
	case FINISH_TOOL_CALLS:
		return a->called;
	case FINISH_CONTENT_FILTER:
		return SPAN("content_filter");
	case FINISH_STOP:
	case FINISH_PAUSE:
	case FINISH_OTHER:
		break;
	}
	return SPAN("stop");
}

static void finish(struct openai_answer *a, struct openai_choice *c, enum finish finish)
{
	c->finish = finish_word(a, finish);
	if (!a->is_stream)
		return;
	if (a->language->on_finish)
		a->language->on_finish(a, c);
	put_last_chunk(a, c);
}

/* ---- usage ---- */

/* Can it be told? A cached part alone is not the total: what remains of that is known with it. */
static bool has_usage(const struct llm_usage *u)
{
	return u->input >= 0 && u->output >= 0;
}

/* A part of a total, of one class or of several. */
struct detail {
	const char *name;
	int64_t classes[3]; /* -1: not known */
};

/* An object of those that are known, where any is. */
static void put_details(
	struct json_out *o, const char *name, const struct detail *details, size_t n)
{
	bool is_open = false;
	for (size_t i = 0; i < n; i++) {
		int64_t sum = -1;
		for (size_t k = 0; k < COUNT_OF(details[i].classes); k++) {
			if (details[i].classes[k] >= 0)
				sum = num_add_sat(sum < 0 ? 0 : sum, details[i].classes[k]);
		}
		if (sum < 0)
			continue;
		if (!is_open) {
			json_key(o, name);
			json_open(o, '{');
			is_open = true;
		}
		json_pair_i64(o, details[i].name, sum);
	}
	if (is_open)
		json_close(o, '}');
}

static void put_usage(const struct llm_usage *u, struct json_out *o)
{
	const struct detail input[] = {
		{"cached_tokens",      {u->cache_read, -1, -1}                               },
		{"cache_write_tokens", {u->cache_write_5m, u->cache_write_1h, u->cache_write}},
		{"audio_tokens",       {u->audio_input, -1, -1}                              },
		{"image_tokens",       {u->image_input, -1, -1}                              },
	};
	const struct detail output[] = {
		{"reasoning_tokens", {u->reasoning, -1, -1}   },
		{"audio_tokens",     {u->audio_output, -1, -1}},
		{"image_tokens",     {u->image_output, -1, -1}},
	};
	const int64_t in = usage_input_total(u), out = usage_output_total(u);
	json_key(o, "usage");
	json_open(o, '{');
	json_pair_i64(o, "prompt_tokens", in);
	json_pair_i64(o, "completion_tokens", out);
	json_pair_i64(o, "total_tokens", num_add_sat(in, out));
	put_details(o, "prompt_tokens_details", input, COUNT_OF(input));
	put_details(o, "completion_tokens_details", output, COUNT_OF(output));
	json_close(o, '}');
}

/* Readers know these tiers of service alone. */
#define TIERS "auto,default,flex,scale,priority"

static void take_usage(struct openai_answer *a, const struct llm_event *e)
{
	a->usage = e->usage;
	if (words_have(SPAN(TIERS), e->tier) && !span_eq(e->tier, a->tier))
		openai_answer_fail(a, arena_dup(a->arena, e->tier, &a->tier));
}

/* ---- the end ---- */

/* Where its caller wants it, and it is known. */
static void put_usage_event(struct openai_answer *a)
{
	struct json_out o = json_to(a->out);
	if (!a->plan->notes->wants_usage_event || !has_usage(&a->usage))
		return;
	settle_lead(a, NULL); /* a fault may come before anything else was said */
	if (a->err)
		return;
	const size_t mark = sse_begin(a->out, NULL);
	json_open(&o, '{');
	json_put_raw(&o, a->lead); /* members, but a comma follows them like a value */
	json_pair_str(&o, "service_tier", a->tier);
	json_pair_raw(&o, "choices", SPAN("[]"));
	put_usage(&a->usage, &o);
	json_close(&o, '}');
	sse_finish(a->out, mark);
}

static void end_stream(struct openai_answer *a)
{
	put_usage_event(a);
	buf_text(a->out, "data: [DONE]\n\n");
}

static void end_whole(struct openai_answer *a)
{
	struct json_out o = json_to(a->out);
	json_open(&o, '{');
	json_put_raw(&o, a->lead);
	json_pair_str(&o, "service_tier", a->tier);
	json_key(&o, "choices");
	json_open(&o, '[');
	for (struct openai_choice *c = a->choices; c; c = c->next) {
		json_open(&o, '{');
		json_pair_i64(&o, "index", c->index);
		a->language->put_choice(a, c, &o);
		json_pair_str(&o, "finish_reason", c->finish);
		json_close(&o, '}');
	}
	json_close(&o, ']');
	if (has_usage(&a->usage))
		put_usage(&a->usage, &o);
	json_close(&o, '}');
}

/* What was left open is finished. A caller reads the first choice, so there is one. */
static void end(struct openai_answer *a, const struct llm_usage *usage)
{
	a->usage = has_usage(usage) ? *usage : a->usage;
	if (!a->choices)
		(void)choice_at(a, 0);
	for (struct openai_choice *c = a->choices; c && !a->err; c = c->next) {
		if (!span_is_set(c->finish))
			finish(a, c, c->has_calls ? FINISH_TOOL_CALLS : FINISH_STOP);
	}
	a->is_over = true;
	if (a->err)
		return;
	if (a->is_stream)
		end_stream(a);
	else
		end_whole(a);
}

/* It is told also where what came before it failed; what was used until then comes first. */
static void end_badly(struct openai_answer *a, const struct fault *f)
{
	int status; /* its head went out long ago */
	a->is_over = true;
	if (!a->is_stream)
		return;
	if (!a->err)
		put_usage_event(a);
	const size_t mark = sse_begin(a->out, NULL);
	envelope_openai(f, a->out, &status);
	sse_finish(a->out, mark);
}

static void take_of_choice(struct openai_answer *a, const struct llm_event *e)
{
	struct openai_choice *c = choice_at(a, e->choice);
	if (c && e->type == EV_FINISH)
		finish(a, c, e->finish.finish);
	else if (c)
		a->language->on_event(a, c, e);
}

enum err openai_answer_take(struct openai_answer *a, const struct llm_event *e, struct buf *out)
{
	if (a->is_over)
		return OK;
	a->out = out;
	if (e->type == EV_FAULT) {
		end_badly(a, e->fault);
		return buf_error(out);
	}
	if (e->type == EV_START)
		settle_lead(a, e);
	else if (e->type == EV_USAGE)
		take_usage(a, e);
	else if (e->type == EV_END)
		end(a, &e->end.usage);
	else if (e->type == EV_FINISH || event_is_content(e->type))
		take_of_choice(a, e);
	return a->err ? a->err : buf_error(out);
}
