/* reply.c - a reply of this family: events of a stream by their type, or one document. */
#include "brokerd/dialect/cohere/cohere.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/pump.h"
#include "brokerd/dialect/usage.h"
#include "protocol/limits.h"

#define NULL_WORD "null"

/* A call in the making. Arguments that are none may come as the word null, which is held back until
 * it is certain that no more comes. */
struct cohere_call {
	struct cohere_call *next;
	struct outlet_call *call;
	int64_t index;
	size_t n_held; /* of the word's letters */
};

/* What was said last: behind thinking and behind a plan goes a mark of what it was. */
enum said {
	SAID_OTHER,
	SAID_THINKING,
	SAID_PLAN,
};

struct decoder {
	struct outlet out;
	struct framing framing;
	const struct notes *notes;
	struct cohere_call *calls, *last_call;
	struct buf citations; /* elements, a comma between them */
	enum said said;
	bool is_whole, is_done, has_any;
};

struct decoder *cohere_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct decoder){.notes = notes, .citations = BUF_INIT(LIMIT_REPLY_BYTES)};
	framing_init(&d->framing, head);
	return outlet_init(&d->out, a, notes, env) ? d : NULL;
}

void cohere_decoder_done(struct decoder *d)
{
	outlet_done(&d->out);
	framing_done(&d->framing);
	buf_done(&d->citations);
}

/* ---- texts ---- */

static bool is_text(struct json v)
{
	return json_kind(v) == JSON_STRING && v.text.n > 2;
}

/* Something else begins: what was said before is marked, so that it can be said back as that. */
static enum err turn_to(struct decoder *d, enum said said)
{
	const enum said before = d->said;
	if (before == said)
		return OK;
	d->said = said;
	if (before == SAID_OTHER)
		return OK;
	return outlet_opaque(&d->out, 0,
		&(struct opaque){SPAN(COHERE_FAMILY), d->out.model,
			before == SAID_PLAN ? SPAN("{\"type\":\"tool_plan\"}")
					    : SPAN("{\"type\":\"thinking\"}")});
}

static enum err take_text(struct decoder *d, struct json text)
{
	if (!is_text(text))
		return OK;
	const enum err err = turn_to(d, SAID_OTHER);
	if (err)
		return err;
	return d->is_whole && d->notes->has_json_words ? outlet_unfenced(&d->out, 0, text)
						       : outlet_json(&d->out, 0, OUTLET_TEXT, text);
}

static enum err take_reasoning(struct decoder *d, enum said said, struct json text)
{
	if (!is_text(text))
		return OK;
	const enum err err = turn_to(d, said);
	return err ? err : outlet_json(&d->out, 0, OUTLET_REASONING, text);
}

/* A piece of content: in a document a part of a list, in a stream an object. */
static enum err take_part(struct decoder *d, struct json part)
{
	const enum err err = take_reasoning(d, SAID_THINKING, json_member(part, "thinking"));
	return err ? err : take_text(d, json_member(part, "text"));
}

static enum err take_content(struct decoder *d, struct json content)
{
	enum err err = OK;
	if (json_kind(content) == JSON_STRING)
		return take_text(d, content);
	if (json_kind(content) == JSON_OBJECT)
		return take_part(d, content);
	if (json_kind(content) != JSON_ARRAY)
		return OK;
	for (struct json_walk w = json_each(content); !err && json_next(&w);)
		err = take_part(d, w.value);
	return err;
}

/* ---- calls ---- */

static struct cohere_call *find_call(const struct decoder *d, struct json index)
{
	struct cohere_call *found = NULL;
	int64_t i;
	if (!json_i64(index, &i))
		return d->last_call;
	for (struct cohere_call *c = d->calls; c; c = c->next) {
		if (c->index == i)
			found = c; /* the last: an index may be used again */
	}
	return found;
}

static enum err pour(struct decoder *d, struct cohere_call *c, struct json args)
{
	struct outlet *o = &d->out;
	buf_clear(&o->piece);
	buf_put(&o->piece, NULL_WORD, c->n_held);
	if (!json_text_to(args, &o->piece) && !json_is_nil(args))
		buf_span(&o->piece, args.text); /* an object where a string is due */
	const enum err err = outlet_check(&o->piece);
	const struct span text = buf_view(&o->piece);
	if (err)
		return err;
	c->n_held = 0;
	if (!c->call->extent.is_begun && !c->call->has_args && text.n <= strlen(NULL_WORD) &&
		span_starts(SPAN(NULL_WORD), text)) {
		c->n_held = text.n;
		return OK;
	}
	return outlet_call_args(o, c->call, text);
}

static enum err end_call(struct decoder *d, struct cohere_call *c)
{
	const size_t held = c->n_held;
	c->n_held = 0;
	if (held > 0 && held < strlen(NULL_WORD)) {
		const enum err err = outlet_call_args(&d->out, c->call, span_of(NULL_WORD, held));
		if (err)
			return err;
	}
	return outlet_call_end(&d->out, c->call);
}

static enum err end_calls(struct decoder *d)
{
	enum err err = OK;
	for (struct cohere_call *c = d->calls; !err && c; c = c->next)
		err = end_call(d, c);
	return err;
}

static enum err begin_call(struct decoder *d, struct json index, struct json entry)
{
	struct outlet *o = &d->out;
	struct cohere_call *c = arena_alloc(o->arena, sizeof *c);
	const struct json function = json_member(entry, "function");
	if (!c)
		return ERR_NO_MEMORY;
	*c = (struct cohere_call){.index = -1};
	json_i64(index, &c->index);
	enum err err = turn_to(d, SAID_OTHER);
	if (!err)
		err = outlet_call_new(o, 0, &c->call);
	if (err)
		return err;
	if (d->last_call)
		d->last_call->next = c;
	else
		d->calls = c;
	d->last_call = c;
	json_text_to(json_member(entry, "id"), &c->call->id);
	json_text_to(json_member(function, "name"), &c->call->name);
	err = outlet_check(&c->call->id);
	if (!err)
		err = outlet_check(&c->call->name);
	return err ? err : pour(d, c, json_member(function, "arguments"));
}

/* In a document a list of calls; in a stream one, as an object. */
static enum err take_calls(struct decoder *d, struct json index, struct json calls)
{
	enum err err = OK;
	if (json_kind(calls) == JSON_OBJECT)
		return begin_call(d, index, calls);
	if (json_kind(calls) != JSON_ARRAY)
		return OK;
	for (struct json_walk w = json_each(calls); !err && json_next(&w);) {
		if (json_kind(w.value) != JSON_OBJECT)
			continue;
		err = begin_call(d, JSON_NONE, w.value);
		if (!err && d->is_whole)
			err = end_call(d, d->last_call);
	}
	return err;
}

static enum err take_call_delta(struct decoder *d, struct json index, struct json calls)
{
	struct cohere_call *c = find_call(d, index);
	if (json_kind(calls) == JSON_ARRAY) {
		struct json_walk w = json_each(calls);
		calls = json_next(&w) ? w.value : JSON_NONE;
	}
	if (!c) /* its beginning was lost: it has no name, and says so at its end */
		return begin_call(d, index, calls);
	return pour(d, c, json_member(json_member(calls, "function"), "arguments"));
}

/* ---- citations and logprobs ---- */

static enum err add_citation(struct decoder *d, struct json one)
{
	if (d->citations.n > 0)
		buf_byte(&d->citations, ',');
	buf_span(&d->citations, one.text);
	return outlet_check(&d->citations);
}

static enum err take_citations(struct decoder *d, struct json citations)
{
	enum err err = OK;
	if (json_kind(citations) == JSON_OBJECT)
		return add_citation(d, citations);
	if (json_kind(citations) != JSON_ARRAY)
		return OK;
	for (struct json_walk w = json_each(citations); !err && json_next(&w);)
		err = add_citation(d, w.value);
	return err;
}

static enum err give_citations(struct decoder *d)
{
	OWNED(buf_done) struct buf list = BUF_INIT(2 * LIMIT_REPLY_BYTES);
	struct part part = {.type = PART_TEXT, .text = SPAN("")};
	if (d->citations.n == 0)
		return OK;
	buf_byte(&list, '[');
	buf_span(&list, buf_view(&d->citations));
	buf_byte(&list, ']');
	enum err err = outlet_check(&list);
	if (!err)
		err = outlet_keep(&d->out, buf_view(&list), &part.citations);
	return err ? err : outlet_part(&d->out, 0, &part);
}

/* A text with the probability of its one token; of several there is none that is the text's. */
static void put_logprob(struct json_out *o, struct json one)
{
	static const char *const names[] = {"text", "logprobs"};
	struct json m[COUNT_OF(names)];
	PICK(one, names, m);
	struct json_walk w = json_each(m[1]);
	if (json_kind(m[0]) != JSON_STRING || json_kind(m[1]) != JSON_ARRAY || !json_next(&w) ||
		json_kind(w.value) != JSON_NUMBER)
		return;
	const struct json first = w.value;
	if (json_next(&w))
		return;
	json_open(o, '{');
	json_pair_raw(o, "token", m[0].text);
	json_pair_raw(o, "logprob", first.text);
	json_close(o, '}');
}

static enum err take_logprobs(struct decoder *d, struct json list)
{
	OWNED(buf_done) struct buf text = BUF_INIT(2 * LIMIT_REPLY_BYTES);
	struct json_out o = json_to(&text);
	json_open(&o, '{');
	json_key(&o, "content");
	json_open(&o, '[');
	const size_t empty = text.n;
	if (json_kind(list) == JSON_OBJECT)
		put_logprob(&o, list);
	else if (json_kind(list) == JSON_ARRAY)
		for (struct json_walk w = json_each(list); json_next(&w);)
			put_logprob(&o, w.value);
	if (text.n == empty)
		return outlet_check(&text);
	json_close(&o, ']');
	json_close(&o, '}');
	const enum err err = outlet_check(&text);
	return err ? err : outlet_logprobs(&d->out, 0, buf_view(&text));
}

/* ---- the end ---- */

static const struct {
	const char *word; /* without case */
	enum finish finish;
	enum err err; /* an ending that is none */
} finishes[] = {
	{"COMPLETE",      FINISH_STOP,           OK              },
	{"STOP_SEQUENCE", FINISH_STOP,           OK              },
	{"MAX_TOKENS",    FINISH_LENGTH,         OK              },
	{"TOOL_CALL",     FINISH_TOOL_CALLS,     OK              },
	{"ERROR_LIMIT",   FINISH_LENGTH,         OK              },
	{"ERROR_TOXIC",   FINISH_CONTENT_FILTER, OK              },
	{"ERROR",         FINISH_OTHER,          ERR_SERVER_ERROR},
	{"TIMEOUT",       FINISH_OTHER,          ERR_TIMEOUT     },
};

/* The answer is over, and nothing says why. */
static enum err finish_unsaid(struct decoder *d)
{
	const enum err err = outlet_finish(&d->out, 0, FINISH_STOP, SPAN_NONE, SPAN_NONE);
	return err ? err
		   : outlet_warn(&d->out, "missing_finish", NULL,
			     "the provider did not say why its answer ended");
}

/* `said`: the error's sentence, where there is one. */
static enum err take_finish(
	struct decoder *d, struct json reason, struct json said, struct fault *why)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_REPLY_BYTES);
	struct error_body body = {.is_json = true};
	struct span word = SPAN_NONE;
	json_text_to(said, &text);
	enum err err = json_utf8(reason, d->out.arena, &word);
	if (!err)
		err = outlet_check(&text);
	if (err)
		return err;
	d->is_done = true;
	for (size_t i = 0; i < COUNT_OF(finishes); i++) {
		if (!span_is_nocase(word, finishes[i].word))
			continue;
		if (!finishes[i].err && text.n > 0)
			break; /* a good word, and an error beside it */
		if (!finishes[i].err)
			return outlet_finish(&d->out, 0, finishes[i].finish, word, SPAN_NONE);
		(void)fault_set(why, finishes[i].err, "the provider ended its answer with \"%s\"",
			finishes[i].word);
		if (text.n > 0)
			error_redact(why->message, sizeof why->message, buf_view(&text));
		fault_text(why->code, sizeof why->code, word);
		return finishes[i].err;
	}
	fault_text(body.message, sizeof body.message, buf_view(&text));
	if (body.message[0])
		return error_inside(&body, cohere_errors, why);
	return word.n > 0 ? outlet_finish(&d->out, 0, FINISH_OTHER, word, SPAN_NONE)
			  : finish_unsaid(d);
}

/* Tokens that are billed leave out what the provider added to the prompt, and have the images in it. Of
 * which of them came from the cache nothing is said, unless none did. */
static void take_billed(struct json tokens, struct json billed, struct llm_usage *out)
{
	int64_t input = -1, output = -1;
	if (!usage_member(billed, "input_tokens", NULL, &input) ||
		!usage_member(billed, "output_tokens", NULL, &output))
		return;
	if (out->cache_read > 0)
		out->cache_read = -1;
	usage_member(tokens, "image_tokens", NULL, &out->image_input);
	usage_member(tokens, "reasoning_tokens", NULL, &out->reasoning);
	(void)usage_split(out, input, output);
}

/* Tokens as counted. */
static enum err take_usage(struct decoder *d, struct json usage)
{
	struct llm_usage out = USAGE_UNKNOWN;
	int64_t input = -1, output = -1;
	if (json_kind(usage) != JSON_OBJECT)
		return OK;
	const struct json tokens = json_member(usage, "tokens");
	const struct json billed = json_member(usage, "billed_units");
	if (!usage_member(tokens, "input_tokens", NULL, &input))
		usage_member(billed, "input_tokens", NULL, &input);
	if (!usage_member(tokens, "output_tokens", NULL, &output))
		usage_member(billed, "output_tokens", NULL, &output);
	usage_member(usage, "cached_tokens", NULL, &out.cache_read);
	const bool fits = usage_split(&out, input, output);
	struct llm_usage paid = out;
	take_billed(tokens, billed, &paid);
	outlet_usage_billed(&d->out, &out, &paid);
	const bool is_odd = usage_has_negative(usage) || usage_has_negative(tokens) ||
			    usage_has_negative(billed);
	if (fits && !is_odd)
		return OK;
	return outlet_warn(
		&d->out, "repaired_response", "usage", fits ? USAGE_NEGATIVE : USAGE_UNFIT);
}

static enum err take_id(struct decoder *d, struct json id)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_REPLY_BYTES);
	if (d->out.is_started)
		return OK;
	json_text_to(id, &text);
	const enum err err = outlet_check(&text);
	return err ? err : outlet_about(&d->out, buf_view(&text), SPAN_NONE, 0);
}

/* ---- documents and events ---- */

static enum err take_error(struct json v, struct fault *why)
{
	struct error_body body;
	error_read_json(v, &body);
	return error_inside(&body, cohere_errors, why);
}

/* Is what has no type an error? One of several shapes; the data of a good event is its delta. */
static bool says_error(struct json event)
{
	static const char *const names[] = {"error", "message", "data", "detail"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (!json_is_nil(json_member(event, names[i])))
			return true;
	}
	return false;
}

static enum err take_document(struct decoder *d, struct json v, struct fault *why)
{
	static const char *const names[] = {
		"id", "message", "finish_reason", "usage", "logprobs", "error"};
	static const char *const parts[] = {"tool_plan", "content", "tool_calls", "citations"};
	struct json m[COUNT_OF(names)], p[COUNT_OF(parts)];
	PICK(v, names, m);
	if (json_kind(m[1]) != JSON_OBJECT)
		return take_error(v, why);
	PICK(m[1], parts, p);
	d->has_any = true;
	enum err err = take_id(d, m[0]);
	/* thinking stands in the content, and before the plan */
	if (!err)
		err = take_content(d, p[1]);
	if (!err)
		err = take_reasoning(d, SAID_PLAN, p[0]);
	if (!err)
		err = take_calls(d, JSON_NONE, p[2]);
	if (!err)
		err = take_citations(d, p[3]);
	if (!err)
		err = take_logprobs(d, m[4]);
	if (!err)
		err = take_usage(d, m[3]);
	return err || json_is_nil(m[2]) ? err : take_finish(d, m[2], m[5], why);
}

/* The last events, once it is said that the answer is over. */
static enum err conclude(struct decoder *d, struct fault *why)
{
	if (!d->has_any) {
		(void)fault_set(why, ERR_SERVER_ERROR, "the provider sent an empty reply");
		fault_text(why->code, sizeof why->code, SPAN("empty_response"));
		return ERR_SERVER_ERROR;
	}
	enum err err = OK;
	if (!d->is_done && !d->is_whole)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's answer broke off before its end");
	if (!d->is_done)
		err = finish_unsaid(d);
	if (!err)
		err = turn_to(d, SAID_OTHER);
	if (!err)
		err = end_calls(d);
	if (!err)
		err = outlet_choice_end(&d->out, 0);
	if (!err)
		err = give_citations(d);
	return err ? err : outlet_flush(&d->out);
}

static enum err take_end(struct decoder *d, struct json delta, struct fault *why)
{
	static const char *const names[] = {"finish_reason", "usage", "error"};
	struct json m[COUNT_OF(names)];
	PICK(delta, names, m);
	enum err err = take_usage(d, m[1]);
	if (!err)
		err = take_finish(d, m[0], m[2], why);
	return err ? err : conclude(d, why);
}

static enum err take_call_end(struct decoder *d, struct json index)
{
	struct cohere_call *c = find_call(d, index);
	return c ? end_call(d, c) : OK;
}

/* What an event brings, by its type; one that nobody knows brings nothing. */
static enum err take_event(struct decoder *d, struct json event, struct fault *why)
{
	static const char *const names[] = {"type", "id", "index", "delta", "logprobs"};
	static const char *const parts[] = {"content", "tool_plan", "tool_calls", "citations"};
	struct json m[COUNT_OF(names)], p[COUNT_OF(parts)];
	PICK(event, names, m);
	if (json_is_nil(m[0]))
		return says_error(event) ? take_error(event, why) : OK;
	PICK(json_member(m[3], "message"), parts, p);
	enum err err = OK;
	d->has_any = true;
	if (json_is(m[0], "message-start"))
		return take_id(d, m[1]);
	if (json_is(m[0], "content-start"))
		return take_content(d, p[0]);
	if (json_is(m[0], "content-delta")) {
		const struct json inner = json_member(m[3], "logprobs");
		err = take_content(d, p[0]);
		return err ? err : take_logprobs(d, json_is_nil(m[4]) ? inner : m[4]);
	}
	if (json_is(m[0], "tool-plan-delta"))
		return take_reasoning(d, SAID_PLAN, p[1]);
	if (json_is(m[0], "tool-call-start"))
		return take_calls(d, m[2], p[2]);
	if (json_is(m[0], "tool-call-delta"))
		return take_call_delta(d, m[2], p[2]);
	if (json_is(m[0], "tool-call-end"))
		return take_call_end(d, m[2]);
	if (json_is(m[0], "citation-start"))
		return take_citations(d, p[3]);
	if (json_is(m[0], "message-end"))
		return take_end(d, m[3], why);
	if (json_is(m[0], "error") || json_is(m[0], "stream-error"))
		return take_error(event, why);
	return err;
}

static enum err on_event(void *context, struct span name, struct span data, struct fault *why)
{
	struct decoder *d = context;
	struct json event;
	data = span_trim(data);
	if (d->is_done || data.n == 0 || span_starts(data, SPAN("[DONE]")))
		return OK;
	const enum err err = framing_object(&d->framing, data, &event, why);
	if (err || !span_is_set(event.text))
		return err ? err : outlet_warn_bad_event(&d->out);
	if (span_is(name, "error")) /* else the event repeats its name */
		return take_error(event, why);
	return take_event(d, event, why);
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	d->is_whole = true;
	const enum err err = framing_document(body, d->out.arena, &v, why);
	return err ? err : take_document(d, v, why);
}

static struct pump pump_of(struct decoder *d)
{
	return (struct pump){d, &d->framing, &d->out, on_event, on_document, conclude};
}

enum err cohere_decode(
	struct decoder *d, struct span bytes, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_feed(&pump, bytes, to, why);
}

enum err cohere_decode_end(struct decoder *d, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_end(&pump, to, why);
}
