/* outlet.c - one gate, send(), through which every event of a reply goes. */
#include "brokerd/dialect/outlet.h"

#include <assert.h>

#include "brokerd/dialect/fence.h"
#include "brokerd/dialect/free_form.h"
#include "brokerd/dialect/made_id.h"
#include "protocol/limits.h"

#define YEAR_2020_S  INT64_C(1577836800)
#define DAY_S        INT64_C(86400)
#define WARNINGS_MAX ((size_t)32)
#define CALLS_MAX    4096
#define CHOICES_MAX  128
#define TIER_BYTES   ((size_t)64)

static void choice_init(const struct outlet *o, struct outlet_choice *c)
{
	*c = (struct outlet_choice){.fenced = BUF_INIT(LIMIT_REPLY_BYTES)};
	stop_watch_init(&c->watch, o->notes->stops, o->notes->n_stops);
}

static void choice_done(struct outlet_choice *choice)
{
	for (struct outlet_call *c = choice->calls; c; c = c->next) {
		buf_done(&c->id);
		buf_done(&c->name);
		buf_done(&c->held);
		buf_done(&c->whole);
	}
	buf_done(&choice->fenced);
	stop_watch_done(&choice->watch);
}

bool outlet_init(
	struct outlet *o, struct arena *a, const struct notes *n, const struct dialect_env *env)
{
	*o = (struct outlet){
		.arena = a,
		.notes = n,
		.usage = USAGE_UNKNOWN,
		.billed = USAGE_UNKNOWN,
		.piece = BUF_INIT(LIMIT_SSE_TOTAL_BYTES),
		.clean = BUF_INIT(3 * LIMIT_SSE_TOTAL_BYTES),
		.seed = env->seed,
		.wall_s = env->wall_s,
	};
	o->n_choices = n->n_choices < 1             ? 1
		       : n->n_choices > CHOICES_MAX ? CHOICES_MAX
						    : (size_t)n->n_choices;
	o->choices = arena_array(a, o->n_choices, sizeof *o->choices);
	for (size_t i = 0; o->choices && i < o->n_choices; i++)
		choice_init(o, &o->choices[i]);
	return o->choices != NULL;
}

void outlet_done(struct outlet *o)
{
	for (size_t i = 0; o->choices && i < o->n_choices; i++)
		choice_done(&o->choices[i]);
	buf_done(&o->piece);
	buf_done(&o->clean);
}

void outlet_reset(struct outlet *o)
{
	assert(!o->is_started);
	for (size_t i = 0; i < o->n_choices; i++) {
		choice_done(&o->choices[i]);
		choice_init(o, &o->choices[i]);
	}
	o->id = o->model = SPAN_NONE;
	o->created_s = 0;
	o->has_usage = false;
	o->usage = o->billed = USAGE_UNKNOWN;
	o->tier = SPAN_NONE;
	o->n_warnings = 0;
}

static enum err emit(struct outlet *o, const struct llm_event *e)
{
	const enum err err = event_emit(o->sink, e);
	o->is_refused = err != OK;
	return err;
}

static enum err send(struct outlet *o, const struct llm_event *e)
{
	assert(o->sink);
	if (!o->is_started) {
		const struct llm_event start = {
			.type = EV_START,
			.start = {span_is_set(o->id) ? o->id : SPAN(""),
				  span_is_set(o->model) ? o->model : SPAN(""), o->created_s},
		};
		o->is_started = true;
		const enum err err = emit(o, &start);
		if (err)
			return err;
	}
	o->has_content = o->has_content || event_is_content(e->type);
	return emit(o, e);
}

static struct outlet_choice *choice_at(struct outlet *o, uint32_t choice)
{
	assert(choice < o->n_choices);
	o->choices[choice].is_seen = true;
	return &o->choices[choice];
}

enum err outlet_check(const struct buf *b)
{
	const enum err err = buf_error(b);
	return err == ERR_TOO_BIG ? ERR_SERVER_ERROR : err;
}

enum err outlet_keep(struct outlet *o, struct span text, struct span *out)
{
	if (span_is_set(text) && !utf8_is_valid(text)) {
		struct utf8_repair repair = {.n = 0};
		buf_clear(&o->clean);
		utf8_repair(&repair, text, &o->clean);
		utf8_repair_end(&repair, &o->clean);
		const enum err err = outlet_check(&o->clean);
		if (err)
			return err;
		text = buf_view(&o->clean);
	}
	return arena_dup(o->arena, text, out);
}

enum err outlet_about(struct outlet *o, struct span id, struct span model, int64_t created_s)
{
	enum err err = OK;
	if (o->is_started)
		return OK;
	if (o->id.n == 0 && id.n > 0)
		err = outlet_keep(o, id, &o->id);
	if (!err && o->model.n == 0 && model.n > 0)
		err = outlet_keep(o, model, &o->model);
	if (o->created_s == 0 && created_s != 0)
		o->created_s = created_s >= YEAR_2020_S && created_s <= o->wall_s + DAY_S
				       ? created_s
				       : o->wall_s;
	return err;
}

/* ---- texts ---- */

static enum err send_text(
	struct outlet *o, uint32_t choice, enum outlet_text kind, struct span text)
{
	static const enum event_type types[OUTLET_TEXTS] = {
		[OUTLET_TEXT] = EV_TEXT,
		[OUTLET_REASONING] = EV_REASONING,
		[OUTLET_REFUSAL] = EV_REFUSAL,
	};
	const struct llm_event e = {.type = types[kind], .choice = choice, .text = text};
	if (text.n == 0)
		return OK;
	switch (kind) {
	case OUTLET_TEXT:
	case OUTLET_REFUSAL:
		o->choices[choice].has_text = true;
		break;
	case OUTLET_REASONING:
		o->choices[choice].has_reasoning = true;
		if (!o->notes->wants_reasoning_text)
			return OK;
		break;
	case OUTLET_TEXTS:
		assert(false);
	}
	return send(o, &e);
}

/* The visible text, up to a stop sequence of the notes. */
static enum err send_watched(struct outlet *o, uint32_t choice, struct span text)
{
	struct outlet_choice *c = &o->choices[choice];
	struct span certain;
	if (c->is_stopped || c->watch.n == 0)
		return c->is_stopped ? OK : send_text(o, choice, OUTLET_TEXT, text);
	const struct span *found = stop_watch_add(&c->watch, text, &certain);
	enum err err = outlet_check(&c->watch.text);
	if (!err)
		err = send_text(o, choice, OUTLET_TEXT, certain);
	if (found) {
		c->is_stopped = c->is_finished = true;
		c->finish = FINISH_STOP;
		c->native = SPAN_NONE;
		c->matched_stop = *found;
	}
	return err;
}

static enum err send_fenced(struct outlet *o, uint32_t choice);

/* Something follows the text, over which neither a fence nor a stop sequence reaches: what is held
 * back goes out. */
static enum err end_text(struct outlet *o, uint32_t choice)
{
	struct outlet_choice *c = &o->choices[choice];
	const enum err err = send_fenced(o, choice);
	return err || c->watch.n == 0 || c->is_stopped
		       ? err
		       : send_text(o, choice, OUTLET_TEXT, stop_watch_rest(&c->watch));
}

bool outlet_has_enough(const struct outlet *o)
{
	for (size_t i = 0; i < o->n_choices; i++) {
		if (!o->choices[i].is_stopped)
			return false;
	}
	return true;
}

/* Where the request ended with words of the assistant's, a reply that begins with the very same
 * words repeats them: they are held back, and given only once it is certain that it does not. */
static enum err send_unechoed(struct outlet *o, uint32_t choice, struct span text)
{
	struct outlet_choice *c = &o->choices[choice];
	const struct span prefill = o->notes->prefill;
	if (!c->is_echo_over) {
		size_t n = 0;
		while (n < text.n && c->echoed + n < prefill.n &&
			text.p[n] == prefill.p[c->echoed + n])
			n++;
		if (c->echoed + n < prefill.n && n == text.n) {
			c->echoed += n;
			return OK;
		}
		c->is_echo_over = true;
		if (c->echoed + n == prefill.n) {
			text = span_skip(text, n);
		} else {
			/* what was held, which is the prefill's beginning; characters stay whole,
			 * for the pieces held were */
			const enum err err =
				send_watched(o, choice, span_first(prefill, c->echoed));
			if (err)
				return err;
		}
	}
	return send_watched(o, choice, text);
}

enum err outlet_text(struct outlet *o, uint32_t choice, enum outlet_text kind, struct span piece)
{
	struct outlet_choice *c = choice_at(o, choice);
	struct span text = piece;
	if (piece.n == 0 || c->is_stopped)
		return OK;
	if (c->repair[kind].n > 0 || !utf8_is_valid(piece)) {
		buf_clear(&o->clean);
		utf8_repair(&c->repair[kind], piece, &o->clean);
		const enum err err = outlet_check(&o->clean);
		if (err)
			return err;
		text = buf_view(&o->clean);
	}
	return kind == OUTLET_TEXT ? send_unechoed(o, choice, text)
				   : send_text(o, choice, kind, text);
}

enum err outlet_json(struct outlet *o, uint32_t choice, enum outlet_text kind, struct json v)
{
	buf_clear(&o->piece);
	if (!json_text_to(v, &o->piece))
		return OK;
	const enum err err = outlet_check(&o->piece);
	return err ? err : outlet_text(o, choice, kind, buf_view(&o->piece));
}

/* What is held of a whole text, out of its fence. */
static enum err send_fenced(struct outlet *o, uint32_t choice)
{
	struct outlet_choice *c = &o->choices[choice];
	struct buf whole = c->fenced;
	if (whole.n == 0)
		return OK;
	const struct span inside = fence_inside(buf_view(&whole));
	enum err err = OK;
	if (inside.n < whole.n)
		err = outlet_warn(o, "repaired_response", "response_format",
			"the JSON was taken out of the fence that it came in");
	buf_init(&c->fenced, LIMIT_REPLY_BYTES);
	if (!err)
		err = outlet_text(o, choice, OUTLET_TEXT, inside);
	buf_done(&whole);
	return err;
}

enum err outlet_unfenced(struct outlet *o, uint32_t choice, struct json v)
{
	if (json_kind(v) != JSON_STRING || v.text.n == 2)
		return OK;
	struct outlet_choice *c = choice_at(o, choice);
	c->has_text = true;
	json_text_to(v, &c->fenced);
	return outlet_check(&c->fenced);
}

enum err outlet_unfenced_text(struct outlet *o, uint32_t choice, struct span text)
{
	if (text.n == 0)
		return OK;
	struct outlet_choice *c = choice_at(o, choice);
	c->has_text = true;
	buf_span(&c->fenced, text);
	return outlet_check(&c->fenced);
}

static enum err end_texts(struct outlet *o, uint32_t choice)
{
	struct outlet_choice *c = &o->choices[choice];
	enum err err = send_fenced(o, choice);
	for (int kind = 0; !err && kind < OUTLET_TEXTS; kind++) {
		buf_clear(&o->clean);
		utf8_repair_end(&c->repair[kind], &o->clean);
		err = outlet_check(&o->clean);
		if (!err && o->clean.n > 0)
			err = kind == OUTLET_TEXT ? send_unechoed(o, choice, buf_view(&o->clean))
						  : send_text(o, choice, (enum outlet_text)kind,
							    buf_view(&o->clean));
	}
	if (!err && !c->is_echo_over) {
		c->is_echo_over = true;
		err = send_watched(o, choice, span_first(o->notes->prefill, c->echoed));
	}
	return err ? err : end_text(o, choice);
}

/* ---- whole things ---- */

enum err outlet_put_input(struct outlet *o, struct json_out *to, struct span text)
{
	struct json v;
	if (json_scan(text, JSON_LENIENT, &v, NULL) == OK) {
		json_put_raw(to, v.text);
		return OK;
	}
	return tool_args_put_object(to, text) != TOOL_ARGS_RAW
		       ? OK
		       : outlet_warn(o, "repaired_response", NULL,
				 "the input of a tool that the provider runs itself broke off: "
				 "what "
				 "there is of it is text, in the member \"_raw\"");
}

enum err outlet_opaque(struct outlet *o, uint32_t choice, const struct opaque *v)
{
	struct llm_event e = {.type = EV_OPAQUE, .choice = choice, .opaque = *v};
	if (choice_at(o, choice)->is_stopped)
		return OK;
	enum err err = end_text(o, choice);
	if (!err)
		err = outlet_keep(o, v->data, &e.opaque.data);
	return err ? err : send(o, &e);
}

enum err outlet_part(struct outlet *o, uint32_t choice, const struct part *part)
{
	const struct llm_event e = {.type = EV_PART, .choice = choice, .part = *part};
	if (choice_at(o, choice)->is_stopped)
		return OK;
	const enum err err = end_text(o, choice);
	return err ? err : send(o, &e);
}

enum err outlet_logprobs(struct outlet *o, uint32_t choice, struct span json)
{
	struct llm_event e = {.type = EV_LOGPROBS, .choice = choice, .text = json};
	if (choice_at(o, choice)->is_stopped)
		return OK;
	if (!utf8_is_valid(json)) {
		const enum err err = outlet_keep(o, json, &e.text);
		if (err)
			return err;
	}
	return send(o, &e);
}

/* ---- calls ---- */

enum err outlet_call_new(struct outlet *o, uint32_t choice, struct outlet_call **out)
{
	struct outlet_choice *c = choice_at(o, choice);
	struct outlet_call *call = NULL;
	size_t n = 0;
	for (const struct outlet_call *each = c->calls; each; each = each->next)
		n++;
	if (n >= CALLS_MAX)
		return ERR_SERVER_ERROR;
	call = arena_alloc(o->arena, sizeof *call);
	if (!call)
		return ERR_NO_MEMORY;
	*call = (struct outlet_call){
		.id = BUF_INIT(LIMIT_CALL_NAME_BYTES),
		.name = BUF_INIT(LIMIT_CALL_NAME_BYTES),
		.held = BUF_INIT(LIMIT_REPLY_BYTES),
		.whole = BUF_INIT(LIMIT_REPLY_BYTES),
		.choice = choice,
		.index = -1,
	};
	if (c->last_call)
		c->last_call->next = call;
	else
		c->calls = call;
	c->last_call = call;
	*out = call;
	return OK;
}

static enum err send_args(struct outlet *o, struct outlet_call *c, struct span text)
{
	const struct llm_event e = {
		.type = EV_TOOL_ARGS, .choice = c->choice, .tool = c->tool, .text = text};
	if (text.n == 0)
		return OK;
	c->has_args = true;
	if (c->is_free_form) {
		buf_span(&c->whole, text);
		return outlet_check(&c->whole);
	}
	return send(o, &e);
}

static enum err begin_call(struct outlet *o, struct outlet_call *c)
{
	struct outlet_choice *choice = &o->choices[c->choice];
	struct llm_event e = {.type = EV_TOOL_START, .choice = c->choice};
	if (c->id.n == 0)
		made_id(&c->id, "call_", &o->seed);
	enum err err = end_text(o, c->choice);
	if (!err)
		err = outlet_check(&c->id);
	if (!err)
		err = outlet_check(&c->name);
	if (!err)
		err = outlet_keep(o, buf_view(&c->id), &e.call.id);
	if (!err)
		err = outlet_keep(o, buf_view(&c->name), &e.call.name);
	if (err)
		return err;
	e.call.name = notes_tool_ours(o->notes, e.call.name);
	c->is_free_form = !c->is_custom && free_form_is(o->notes, e.call.name);
	e.call.is_custom = c->is_custom || c->is_free_form;
	e.call.opaque = c->opaque;
	e.tool = c->tool = choice->n_calls++;
	c->is_begun = choice->has_call = true;
	return send(o, &e);
}

/* Arguments of a call that has begun, repaired. */
static enum err pour(struct outlet *o, struct outlet_call *c, struct span piece)
{
	if (c->repair.n == 0 && utf8_is_valid(piece))
		return send_args(o, c, piece);
	buf_clear(&o->clean);
	utf8_repair(&c->repair, piece, &o->clean);
	const enum err err = outlet_check(&o->clean);
	return err ? err : send_args(o, c, buf_view(&o->clean));
}

/* Begins the call, whose name is known, and gives what was held of its arguments. */
static enum err begin_one(struct outlet *o, struct outlet_call *c)
{
	enum err err = begin_call(o, c);
	if (!err)
		err = pour(o, c, buf_view(&c->held));
	buf_done(&c->held);
	return err;
}

/* Once its name is known: begins the call, behind those that came before it and have a name. */
static enum err begin_and_pour(struct outlet *o, struct outlet_call *c)
{
	enum err err = OK;
	if (c->is_begun)
		return OK;
	for (struct outlet_call *each = o->choices[c->choice].calls; !err && each != c;
		each = each->next) {
		if (!each->is_begun && !each->is_ended && !each->is_text && each->name.n > 0)
			err = begin_one(o, each);
	}
	return err ? err : begin_one(o, c);
}

/* A call that comes behind a stop sequence is left out like all that follows it. */
static bool is_left_out(const struct outlet *o, const struct outlet_call *c)
{
	return o->choices[c->choice].is_stopped && !c->is_begun;
}

enum err outlet_call_args(struct outlet *o, struct outlet_call *c, struct span piece)
{
	if (piece.n == 0 || is_left_out(o, c))
		return OK;
	repeat_add(&c->came, piece);
	if (c->is_text)
		return outlet_text(o, c->choice, OUTLET_TEXT, piece);
	if (c->is_ended)
		return span_trim(piece).n == 0
			       ? OK
			       : outlet_warn(o, "repaired_response", NULL,
					 "the provider sent more of a tool call's arguments "
					 "after their end; it was left out");
	json_extent_add(&c->extent, piece);
	if (c->name.n == 0) {
		buf_span(&c->held, piece);
		return outlet_check(&c->held);
	}
	const enum err err = begin_and_pour(o, c);
	return err ? err : pour(o, c, piece);
}

enum err outlet_call_whole(struct outlet *o, struct outlet_call *c, struct span args)
{
	return outlet_call_args(o, c, repeat_rest(&c->came, args));
}

/* The input of a custom tool, of all the arguments that its function came with. */
static enum err send_input(struct outlet *o, struct outlet_call *c)
{
	OWNED(buf_done) struct buf input = BUF_INIT(LIMIT_REPLY_BYTES);
	struct span text;
	enum err err = OK;
	c->is_free_form = false;
	if (!free_form_input(buf_view(&c->whole), &input) && c->has_args)
		err = outlet_warn(o, "repaired_response", NULL,
			"a call of the function that stands for a custom tool had no text for "
			"it: all of its arguments are its input");
	if (!err)
		err = outlet_check(&input);
	if (!err)
		err = outlet_keep(o, buf_view(&input), &text);
	return err ? err : send_args(o, c, text);
}

enum err outlet_call_end(struct outlet *o, struct outlet_call *c)
{
	if (c->is_ended || c->is_text || is_left_out(o, c))
		return OK;
	c->is_ended = true;
	if (c->name.n == 0) {
		if (c->held.n == 0 && c->id.n == 0)
			return OK; /* a placeholder: nothing was lost */
		return outlet_warn(o, "repaired_response", NULL,
			"the provider began a tool call without a name; it was left out");
	}
	enum err err = begin_and_pour(o, c);
	if (!err) {
		buf_clear(&o->clean);
		utf8_repair_end(&c->repair, &o->clean);
		err = outlet_check(&o->clean);
	}
	if (!err)
		err = send_args(o, c, buf_view(&o->clean));
	if (!err && c->is_free_form)
		err = send_input(o, c);
	else if (!err && !c->has_args && !c->is_custom)
		err = send_args(o, c, SPAN("{}"));
	if (err)
		return err;
	const struct llm_event e = {.type = EV_TOOL_END, .choice = c->choice, .tool = c->tool};
	return send(o, &e);
}

enum err outlet_calls_settle(struct outlet *o, uint32_t choice, const struct outlet_call *but)
{
	enum err err = OK;
	for (struct outlet_call *c = o->choices[choice].calls; !err && c; c = c->next) {
		if (c != but && !c->is_ended && c->extent.is_complete && c->name.n > 0)
			err = outlet_call_end(o, c);
	}
	return err;
}

/* ---- the end ---- */

void outlet_usage_billed(
	struct outlet *o, const struct llm_usage *u, const struct llm_usage *billed)
{
	o->usage = *u;
	o->billed = *billed;
	o->billed.cost_nusd = u->cost_nusd;
	o->billed.provider_cost_nusd = u->provider_cost_nusd;
	o->has_usage = true;
}

void outlet_usage(struct outlet *o, const struct llm_usage *u)
{
	outlet_usage_billed(o, u, u);
}

static struct llm_event usage_event(const struct outlet *o)
{
	struct llm_event e = {.type = EV_USAGE, .usage = o->usage, .tier = o->tier};
	if (memcmp(&o->billed, &o->usage, sizeof o->usage) != 0)
		e.billed = &o->billed;
	return e;
}

enum err outlet_tier(struct outlet *o, struct json word)
{
	struct buf *text = &o->piece;
	buf_clear(text);
	if (!json_text_to(word, text) || buf_error(text))
		return OK;
	return outlet_tier_word(o, buf_view(text));
}

enum err outlet_tier_word(struct outlet *o, struct span word)
{
	if (word.n == 0 || word.n > TIER_BYTES || span_eq(word, o->tier))
		return OK;
	return arena_dup(o->arena, word, &o->tier);
}

enum err outlet_finish(struct outlet *o, uint32_t choice, enum finish f, struct span native,
	struct span matched_stop)
{
	struct outlet_choice *c = choice_at(o, choice);
	if (c->is_stopped)
		return OK;
	if (c->is_finished && (c->finish != FINISH_STOP || f == FINISH_STOP || f == FINISH_OTHER))
		return OK;
	c->is_finished = true;
	c->finish = f;
	enum err err = outlet_keep(o, native, &c->native);
	if (!err)
		err = outlet_keep(o, matched_stop, &c->matched_stop);
	return err;
}

enum err outlet_warn(struct outlet *o, const char *code, const char *param, const char *message)
{
	for (size_t i = 0; i < o->n_warnings; i++) {
		if (span_is(o->warnings[i].message, message))
			return OK;
	}
	if (!o->warnings)
		o->warnings = arena_array(o->arena, WARNINGS_MAX, sizeof *o->warnings);
	if (!o->warnings)
		return ERR_NO_MEMORY;
	if (o->n_warnings < WARNINGS_MAX)
		o->warnings[o->n_warnings++] =
			(struct warning){span_str(code), span_str(param), span_str(message)};
	return OK;
}

enum err outlet_choice_end(struct outlet *o, uint32_t choice)
{
	struct outlet_choice *c = &o->choices[choice];
	if (c->is_over || !c->is_seen)
		return OK;
	c->is_over = true;
	enum err err = end_texts(o, choice);
	for (struct outlet_call *call = c->calls; !err && call; call = call->next)
		err = outlet_call_end(o, call);
	for (int kind = 0; kind < OUTLET_TEXTS; kind++) {
		if (!err && c->repair[kind].has_replaced)
			err = outlet_warn(o, "repaired_response", NULL,
				"the provider's text was no valid UTF-8 in places; U+FFFD stands "
				"there");
	}
	if (c->finish == FINISH_STOP && c->has_call)
		c->finish = FINISH_TOOL_CALLS;
	if (c->finish == FINISH_TOOL_CALLS && !c->has_call)
		c->finish = FINISH_STOP;
	return err;
}

enum err outlet_flush(struct outlet *o)
{
	enum err err = OK;
	if (o->is_flushed)
		return OK;
	o->is_flushed = true;
	for (uint32_t i = 0; !err && i < o->n_choices; i++)
		err = outlet_choice_end(o, i);
	for (size_t i = 0; !err && i < o->n_warnings; i++) {
		const struct llm_event e = {.type = EV_WARNING, .warning = o->warnings[i]};
		err = send(o, &e);
	}
	if (!err && o->has_usage) {
		const struct llm_event e = usage_event(o);
		err = send(o, &e);
	}
	for (uint32_t i = 0; !err && i < o->n_choices; i++) {
		const struct outlet_choice *c = &o->choices[i];
		const struct llm_event e = {
			.type = EV_FINISH,
			.choice = i,
			.finish = {c->finish, c->native, c->matched_stop}
                };
		if (c->is_finished)
			err = send(o, &e);
	}
	return err;
}

enum err outlet_warn_bad_event(struct outlet *o)
{
	return outlet_warn(o, "repaired_response", NULL,
		"a piece of the provider's event stream was no JSON; it was left out");
}

enum err outlet_fail(struct outlet *o, enum err err, const struct fault *fault, struct fault *why)
{
	struct fault told = *fault;
	const bool is_served = o->is_started || !fault->http_status;
	if (o->sink && o->has_usage && is_served && !o->is_flushed && !o->is_refused) {
		const struct llm_event e = usage_event(o);
		o->is_flushed = true;
		const enum err refused = send(o, &e);
		err = refused ? refused : err;
	}
	if (told.err != err)
		(void)fault_set(&told, err, "%s",
			err == ERR_SERVER_ERROR ? "the provider's reply is more than can be held"
						: err_info(err)->sentence);
	told.is_partial = o->has_content;
	if (why)
		*why = told;
	return err;
}
