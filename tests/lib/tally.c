/* tally.c - sums up, and keeps an eye on the order. */
#include "tests/lib/tally.h"

#include <stdio.h>
#include <stdlib.h>

#include "brokerd/ledger/price.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"
#include "tests/lib/event_json.h"

void tally_init(struct tally *t)
{
	*t = (struct tally){
		.text = BUF_INIT(LIMIT_BODY_BYTES),
		.reasoning = BUF_INIT(LIMIT_BODY_BYTES),
		.refusal = BUF_INIT(LIMIT_BODY_BYTES),
		.plan = BUF_INIT(LIMIT_BODY_BYTES),
		.finish_native = BUF_INIT(LIMIT_BODY_BYTES),
		.results = BUF_INIT(LIMIT_BODY_BYTES),
		.usage = USAGE_UNKNOWN,
		.billed = USAGE_UNKNOWN,
	};
}

void tally_done(struct tally *t)
{
	buf_done(&t->text);
	buf_done(&t->reasoning);
	buf_done(&t->refusal);
	buf_done(&t->plan);
	buf_done(&t->finish_native);
	buf_done(&t->results);
	for (size_t i = 0; i < t->n_calls; i++) {
		buf_done(&t->calls[i].id);
		buf_done(&t->calls[i].name);
		buf_done(&t->calls[i].args);
	}
	free(t->calls);
	t->calls = NULL;
}

static void broken(struct tally *t, const struct llm_event *e, const char *what)
{
	if (t->broken[0] == '\0')
		(void)snprintf(t->broken, sizeof t->broken, "event %zu (%s): %s", t->n_events,
			event_name(e->type), what);
}

static struct tally_call *call_of(struct tally *t, const struct llm_event *e)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n_calls; i++) {
		if (t->calls[i].choice == e->choice && n++ == e->tool)
			return &t->calls[i];
	}
	return NULL;
}

static void take_call(struct tally *t, const struct llm_event *e)
{
	struct tally_call *c = call_of(t, e);
	if (e->type == EV_TOOL_START) {
		size_t before = 0;
		for (size_t i = 0; i < t->n_calls; i++)
			before += t->calls[i].choice == e->choice;
		if (c || before != e->tool)
			broken(t, e, "its tool index is not the next");
		t->calls = realloc(t->calls, (t->n_calls + 1) * sizeof *t->calls);
		if (!t->calls)
			abort();
		c = &t->calls[t->n_calls++];
		*c = (struct tally_call){e->choice, e->call.is_custom, true, false,
			BUF_INIT(LIMIT_BODY_BYTES), BUF_INIT(LIMIT_BODY_BYTES),
			BUF_INIT(LIMIT_BODY_BYTES)};
		buf_span(&c->id, e->call.id);
		buf_span(&c->name, e->call.name);
		if (e->call.id.n == 0 || e->call.name.n == 0)
			broken(t, e, "a call without id or name");
		return;
	}
	if (!c || !c->is_open) {
		broken(t, e, "the call is not open");
		return;
	}
	if (e->type == EV_TOOL_ARGS)
		buf_span(&c->args, e->text);
	else
		c->is_open = false;
}

static bool is_piece(enum event_type type)
{
	return type == EV_TEXT || type == EV_REASONING || type == EV_REFUSAL ||
	       type == EV_TOOL_ARGS;
}

static void check_order(struct tally *t, const struct llm_event *e)
{
	if ((t->n_events == 0) != (e->type == EV_START))
		broken(t, e, "start comes first, and once");
	if (e->choice >= TALLY_CHOICES) {
		broken(t, e, "a choice that nobody asked for");
		return;
	}
	const bool is_closing =
		e->type == EV_FINISH || e->type == EV_WARNING || e->type == EV_USAGE;
	if (t->is_finished[e->choice] && !is_closing)
		broken(t, e, "its choice is finished");
	if (t->finish && e->type == EV_USAGE)
		broken(t, e, "usage comes before finish");
	if (is_piece(e->type) && e->text.n == 0)
		broken(t, e, "an empty piece");
	if (is_piece(e->type) && !utf8_is_valid(e->text))
		broken(t, e, "a piece that is no UTF-8");
	if (e->type == EV_FINISH) {
		if (t->is_finished[e->choice])
			broken(t, e, "a choice finishes once");
		t->is_finished[e->choice] = true;
		for (size_t i = 0; i < t->n_calls; i++) {
			if (t->calls[i].choice == e->choice && t->calls[i].is_open)
				broken(t, e, "a call is still open");
		}
	}
}

/* One more element of what an operation beside chat gives: a list a kind. */
static void take_result(struct tally *t, const struct llm_event *e)
{
	OWNED(buf_done) struct buf line = BUF_INIT(LIMIT_BODY_BYTES);
	if (t->result && t->result != e->type)
		broken(t, e, "results of two kinds");
	t->result = e->type;
	if ((e->type == EV_EMBEDDING && e->embedding.index != t->n_results) ||
		(e->type == EV_MODERATION && e->moderation.index != t->n_results))
		broken(t, e, "its index is not the next");
	if (t->n_results++ > 0)
		buf_byte(&t->results, ',');
	event_json(&line, e);
	buf_span(&t->results, buf_view(&line));
}

/* A mark says what the reasoning before it was. */
static void take_mark(struct tally *t, const struct opaque *mark)
{
	const struct span text = span_skip(buf_view(&t->reasoning), t->reasoning_marked);
	if (span_is(mark->family, "cohere") && span_is(mark->data, "{\"type\":\"tool_plan\"}")) {
		buf_span(&t->plan, text);
		buf_cut(&t->reasoning, t->reasoning_marked);
	}
	t->reasoning_marked = t->reasoning.n;
}

enum err tally_event(void *context, const struct llm_event *e)
{
	struct tally *t = context;
	check_order(t, e);
	t->n_events++;
	switch (e->type) {
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
		if (e->choice == 0)
			buf_span(e->type == EV_TEXT        ? &t->text
				 : e->type == EV_REASONING ? &t->reasoning
							   : &t->refusal,
				e->text);
		break;
	case EV_PART:
		if (e->choice == 0 && e->part.type == PART_TEXT)
			buf_span(&t->text, e->part.text);
		break;
	case EV_TOOL_START:
	case EV_TOOL_ARGS:
	case EV_TOOL_END:
		take_call(t, e);
		break;
	case EV_USAGE:
		t->usage = e->usage;
		t->billed = e->billed ? *e->billed : e->usage;
		fault_text(t->tier, sizeof t->tier, e->tier);
		t->has_usage = true;
		break;
	case EV_FINISH:
		if (e->choice == 0) {
			t->finish = e->finish.finish;
			buf_span(&t->finish_native, e->finish.native);
		}
		break;
	case EV_EMBEDDING:
	case EV_RANK:
	case EV_COUNT:
	case EV_MODERATION:
	case EV_MODEL:
		take_result(t, e);
		break;
	case EV_OPAQUE:
		if (e->choice == 0)
			take_mark(t, &e->opaque);
		break;
	case EV_START:
	case EV_LOGPROBS:
	case EV_WARNING:
	case EV_STATUS:
	case EV_RAW:
	case EV_HEAD:
	case EV_END:
	case EV_FAULT:
		break;
	}
	return OK;
}

static void put_count(struct json_out *o, const char *name, int64_t v)
{
	json_key(o, name);
	if (v < 0)
		json_put_null(o);
	else
		json_put_i64(o, v);
}

static int64_t sum_known(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 ? a : a + b;
}

static void put_usage(struct json_out *o, const struct llm_usage *u)
{
	json_key(o, "usage");
	json_open(o, '{');
	put_count(o, "input", usage_input_total(u));
	put_count(o, "output", usage_output_total(u));
	put_count(o, "cached_input", u->cache_read);
	put_count(o, "cache_write",
		sum_known(sum_known(u->cache_write_5m, u->cache_write_1h), u->cache_write));
	put_count(o, "reasoning", u->reasoning);
	json_close(o, '}');
}

static void put_billed(const struct tally *t, const struct catalogue *prices, struct json_out *o)
{
	const struct llm_usage *u = &t->billed;
	const struct price_case when = {usage_input_total(&t->usage), span_str(t->tier), -1};
	struct price price;
	json_key(o, "billed");
	json_open(o, '{');
	event_json_usage(o, u);
	json_close(o, '}');
	if (t->tier[0])
		json_pair_str(o, "tier", span_str(t->tier));
	if (!prices)
		return;
	catalogue_price_of(prices, SPAN(TALLY_MODEL), SPAN(TALLY_MODEL), &when, &price);
	put_count(o, "cost_nusd", price_nusd(&price, u));
}

static void put_call(struct json_out *o, const struct tally_call *c)
{
	struct json args;
	json_open(o, '{');
	json_pair_str(o, "id", buf_view(&c->id));
	json_pair_str(o, "name", buf_view(&c->name));
	json_key(o, "arguments");
	if (!c->is_custom && json_scan(buf_view(&c->args), JSON_STRICT, &args, NULL) == OK)
		json_put_raw(o, args.text);
	else
		json_put_str(o, buf_view(&c->args));
	if (c->is_custom)
		json_pair_str(o, "type", SPAN("custom"));
	json_close(o, '}');
}

static void put_fault(struct json_out *o, const struct fault *f)
{
	json_key(o, "error");
	json_open(o, '{');
	json_pair_str(o, "class", span_str(err_info(f->err)->word));
	json_pair_str(o, "message", span_str(f->message));
	if (f->code[0])
		json_pair_str(o, "code", span_str(f->code));
	put_count(o, "retry_after_ms", f->retry_after_ms);
	json_close(o, '}');
}

void tally_json(const struct tally *t, const struct fault *fault, const struct catalogue *prices,
	struct buf *out)
{
	struct json_out o = json_to(out);
	const bool is_failed = fault && fault->err;
	json_open(&o, '{');
	json_pair_str(&o, "text", buf_view(&t->text));
	json_key(&o, "tool_calls");
	json_open(&o, '[');
	for (size_t i = 0; i < t->n_calls; i++) {
		if (t->calls[i].choice == 0)
			put_call(&o, &t->calls[i]);
	}
	json_close(&o, ']');
	json_key(&o, "finish_reason");
	if (t->finish)
		json_put_str(&o, t->finish == FINISH_PAUSE || t->finish == FINISH_OTHER
					 ? buf_view(&t->finish_native)
					 : span_str(finish_name(t->finish)));
	else
		json_put_null(&o);
	json_key(&o, "finish_reason_raw");
	if (t->finish_native.n > 0)
		json_put_str(&o, buf_view(&t->finish_native));
	else
		json_put_null(&o);
	put_usage(&o, &t->usage);
	if (t->has_usage)
		put_billed(t, prices, &o);
	json_pair_str(&o, "reasoning_text", buf_view(&t->reasoning));
	if (t->plan.n > 0)
		json_pair_str(&o, "tool_plan", buf_view(&t->plan));
	if (t->refusal.n > 0)
		json_pair_str(&o, "refusal", buf_view(&t->refusal));
	json_pair_bool(&o, "complete", !is_failed && (t->finish != 0 || t->result != 0));
	if (t->result) {
		json_key(&o, "results");
		json_open(&o, '[');
		buf_span(o.to, buf_view(&t->results));
		json_close(&o, ']');
	}
	if (is_failed)
		put_fault(&o, fault);
	if (t->broken[0])
		json_pair_str(&o, "broken", span_str(t->broken));
	json_close(&o, '}');
}
