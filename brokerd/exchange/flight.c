/* flight.c - events go in by one door, which commits, counts, splits and pauses. */
#include "brokerd/exchange/flight.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/usage.h"
#include "brokerd/ledger/price.h"
#include "protocol/base/num.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

/* A packed event of the log that a frame can hold, with what the frame adds. */
#define EVENT_BYTES (LIMIT_FRAME_BYTES - 64)

#define CLEARED_BYTES offsetof(struct flight, room) /* the arena clears what it had of the room */

static void on_probe(struct loop_timer *t)
{
	struct flight *f = container_of(t, struct flight, probe);
	f->on_slow(f->context);
}

struct flight *flight_new(struct organs *o)
{
	struct flight *f = spare_take(&o->spare_flights, sizeof *f, CLEARED_BYTES);
	if (!f)
		return NULL;
	f->organs = o;
	f->config = config_ref(o->config);
	arena_init_in(&f->arena, LIMIT_REQUEST_ARENA, f->room, sizeof f->room);
	buf_init(&f->body, LIMIT_BODY_BYTES);
	event_log_init(&f->log);
	leg_init(&f->first);
	f->leg = &f->first;
	f->settled = f->settled_billed = USAGE_UNKNOWN;
	LOOP_CALLS(&f->probe, on_fire, on_probe);
	f->begun_us = loop_now_us(o->loop);
	f->begun_wall_us = loop_wall_us(o->loop);
	f->former_nusd = f->spent_nusd = -1;
	return f;
}

void flight_free(struct flight *f)
{
	if (!f)
		return;
	leg_done(&f->first);
	if (f->second)
		leg_done(f->second);
	loop_timer_stop(&f->probe);
	event_log_done(&f->log);
	tape_unref(f->tape);
	buf_done(&f->body);
	arena_done(&f->arena);
	config_unref(f->config);
	mishap_drop(&f->untold);
	spare_give(&f->organs->spare_flights, f, CLEARED_BYTES);
}

static void slow_down(struct flight *f)
{
	if (f->is_paused || !f->leg->attempt)
		return;
	f->is_paused = true;
	attempt_pause(f->leg->attempt);
}

static enum err too_long(struct flight *f)
{
	return mishap_set(&f->untold, ERR_TOO_BIG,
		"one step of the answer is larger than the %zu bytes of a frame (log "
		"probabilities of a long answer are, but not those of a stream)",
		LIMIT_FRAME_BYTES);
}

static enum err flight_log(struct flight *f, const struct llm_event *e)
{
	const size_t before = f->log.bytes.n;
	if (f->has_ended)
		return OK; /* its own reader has had the end, and it goes on for others */
	const enum err err = event_log_put(&f->log, e);
	if (err)
		return err == ERR_TOO_BIG ? ERR_SLOW_CONSUMER : err;
	if (f->log.bytes.n - before > EVENT_BYTES) {
		buf_cut(&f->log.bytes, before);
		return too_long(f);
	}
	if (event_log_lag(&f->log) > LIMIT_FLIGHT_LAG_BYTES)
		slow_down(f);
	f->on_event(f->context);
	return OK;
}

/* What is said of the answer itself, to the tape as well; a step of which its own reader has the bytes, or the other way
 * round, to the tape alone. */
static enum err say(struct flight *f, enum tape_track track, const struct llm_event *e)
{
	const enum tape_track own = f->leg->is_forwarded ? TAPE_BYTES : TAPE_EVENTS;
	if (f->tape && (f->tape->readers || !f->tape->is_broken)) {
		const size_t before = f->tape->bytes.n;
		enum err err = tape_put(f->tape, track, e, f->is_shared ? SIZE_MAX : f->tape_most);
		if (!err && f->tape->bytes.n - before > EVENT_BYTES)
			err = too_long(f);
		if (err && f->tape->readers)
			return err;
		if (err) {
			tape_drop(f->tape);
			mishap_drop(&f->untold);
		}
	}
	if (!f->is_shared)
		return track & own ? flight_log(f, e) : OK;
	if (!f->is_paused && !tape_is_read(f->tape, LIMIT_FLIGHT_LAG_BYTES))
		slow_down(f);
	return OK;
}

static bool is_text(enum event_type type)
{
	return type == EV_TEXT || type == EV_REASONING || type == EV_REFUSAL ||
	       type == EV_TOOL_ARGS;
}

static void expect(struct flight *f, size_t bytes)
{
	if (!f->is_shared)
		event_log_expect(&f->log, bytes);
}

/* The first `most` bytes of a text, or fewer, so that no character is cut. */
static struct span whole_characters(struct span text, size_t most)
{
	struct span head = span_first(text, most);
	while (head.n > 0 && head.n < text.n && (text.p[head.n] & 0xc0) == 0x80)
		head.n--;
	return head;
}

/* A text longer than a data frame goes as several. */
static enum err log_in_pieces(struct flight *f, const struct llm_event *e)
{
	struct span left = e->text;
	enum err err;
	expect(f, left.n);
	do {
		struct llm_event piece = *e;
		piece.text = whole_characters(left, LIMIT_DATA_BYTES / 2);
		err = say(f, TAPE_EVENTS, &piece);
		left = span_skip(left, piece.text.n);
	} while (!err && left.n > 0);
	return err;
}

/* A medium longer than that goes as several parts, all but the last with has_more. */
static enum err log_part(struct flight *f, const struct llm_event *e)
{
	struct llm_event piece = *e;
	struct span left = e->part.media.data;
	enum err err;
	expect(f, left.n);
	do {
		piece.part.media.data = span_first(left, LIMIT_DATA_BYTES);
		left = span_skip(left, piece.part.media.data.n);
		piece.has_more = left.n > 0;
		err = say(f, TAPE_EVENTS, &piece);
		piece.part = (struct part){.type = e->part.type};
	} while (!err && left.n > 0);
	return err;
}

/* Bytes of a forwarded reply, a data frame each. */
static enum err log_raw(struct flight *f, struct span bytes)
{
	enum err err = OK;
	expect(f, bytes.n);
	while (!err && bytes.n > 0) {
		struct llm_event piece = {.type = EV_RAW};
		piece.text = span_first(bytes, LIMIT_DATA_BYTES);
		bytes = span_skip(bytes, piece.text.n);
		err = say(f, TAPE_BYTES, &piece);
	}
	return err;
}

static void hold(struct flight *f)
{
	guard_begin(&f->guard, f->leg->floor);
	event_log_hold(&f->log);
	if (f->tape)
		tape_hold(f->tape);
	f->shown_warnings = f->warnings;
	loop_timer_set(f->organs->loop, &f->probe, GUARD_PROBE_US);
}

void flight_show(struct flight *f)
{
	if (!f->log.is_held)
		return;
	event_log_show(&f->log);
	if (f->tape)
		tape_show(f->tape);
	loop_timer_stop(&f->probe);
	f->on_event(f->context);
}

void flight_withdraw(struct flight *f)
{
	if (!f->log.is_held)
		return;
	event_log_withdraw(&f->log);
	if (f->tape)
		tape_withdraw(f->tape);
	loop_timer_stop(&f->probe);
	f->has_content = f->has_batch_content = false;
	f->first_content_us = f->text_bytes = 0;
	f->warnings = f->shown_warnings;
}

/* The first content: from here on no other answer may take this one's place, where it is not held back. */
static enum err flight_commit(struct flight *f)
{
	struct leg *l = f->leg;
	f->has_content = true;
	f->first_content_us = loop_now_us(f->organs->loop);
	if (!f->request.is_stream) /* it is all there, and waits for its reader here or there */
		event_log_allow(&f->log, LIMIT_FLIGHT_LOG_BYTES + LIMIT_BODY_BYTES);
	if (f->tape) {
		f->tape->has_content = true;
		f->tape->is_forwarded = l->is_forwarded;
		const struct target *t = &f->route.targets[l->target];
		if (tape_name(f->tape, t->provider, t->model))
			return ERR_NO_MEMORY;
	}
	if (l->is_forwarded) {
		const struct llm_event head = {.type = EV_HEAD, .head = l->head};
		enum err err = l->has_head ? say(f, TAPE_BYTES, &head) : OK;
		if (!err && l->has_start && f->tape)
			err = say(f, TAPE_EVENTS, &l->start);
		if (!err)
			err = log_raw(f, buf_view(&l->raw));
		buf_done(&l->raw);
		return err;
	}
	enum err err = l->has_start ? say(f, TAPE_EVENTS, &l->start) : OK;
	if (!err && l->has_usage) {
		const struct llm_event usage = {.type = EV_USAGE, .usage = l->usage};
		err = flight_log(f, &usage);
	}
	return err;
}

static enum err keep_start(struct flight *f, const struct llm_event *e)
{
	struct leg *l = f->leg;
	l->start = *e;
	l->has_start = true;
	const enum err err = arena_dup(&f->arena, e->start.id, &l->start.start.id);
	return err ? err : arena_dup(&f->arena, e->start.model, &l->start.start.model);
}

static enum err keep_head(struct flight *f, const struct reply_head *head)
{
	struct leg *l = f->leg;
	enum err err = OK;
	l->has_head = true;
	l->head = *head;
	l->head.headers = arena_array(&f->arena, head->n_headers, sizeof *head->headers);
	if (!l->head.headers)
		return ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < head->n_headers; i++) {
		err = arena_dup(&f->arena, head->headers[i].key, &l->head.headers[i].key);
		if (!err)
			err = arena_dup(
				&f->arena, head->headers[i].value, &l->head.headers[i].value);
	}
	/* of an endpoint that nobody reads the first byte is as good as any other */
	f->has_batch_content = f->op == LLM_OP_NATIVE;
	return err || f->op != LLM_OP_NATIVE ? err : flight_commit(f);
}

static enum err put_raw(struct flight *f, struct span bytes)
{
	if (f->has_content)
		return log_raw(f, bytes);
	buf_span(&f->leg->raw, bytes);
	return buf_error(&f->leg->raw);
}

struct span flight_tier(const struct flight *f)
{
	return f->route.targets[f->leg->target].quirks.has_service_tier ? f->request.service_tier
									: SPAN_NONE;
}

/* How long the prompt was is told by what was counted, what it costs by what is charged for. */
static void take_usage(struct flight *f, const struct llm_event *e)
{
	struct leg *l = f->leg;
	const struct target *t = &f->route.targets[l->target];
	const struct llm_usage *billed = e->billed ? e->billed : &e->usage;
	const struct price_case when = {.input_tokens = usage_input_total(&e->usage),
		.tier = span_is_set(e->tier) ? e->tier : flight_tier(f),
		.day = -1};
	route_price(f->config, t, &when, &l->price);
	l->attempt_nusd = t->is_offline ? 0 : price_nusd(&l->price, billed);
	l->usage = f->settled;
	usage_add(&l->usage, &e->usage);
	l->billed = f->settled_billed;
	usage_add(&l->billed, billed);
	l->billed.cost_nusd = t->is_offline ? 0 : price_nusd(&l->price, &l->billed);
	if (f->is_resumed) /* what another target has written has its own price */
		l->billed.cost_nusd = f->resumed_nusd < 0 || l->attempt_nusd < 0
					      ? -1
					      : num_add_sat(f->resumed_nusd, l->attempt_nusd);
	l->usage.cost_nusd = l->billed.cost_nusd;
	l->has_usage = true;
}

static enum err put(struct flight *f, const struct llm_event *e)
{
	struct leg *l = f->leg;
	struct llm_event changed;
	/* without a head of its own the reply came in another form than its caller can read */
	l->is_forwarded =
		l->is_forwarded && (l->has_head || e->type == EV_HEAD || e->type == EV_WARNING);
	if (e->type == EV_START)
		return l->has_start ? OK : keep_start(f, e);
	if (e->type == EV_HEAD)
		return keep_head(f, &e->head);
	if (e->type == EV_RAW)
		return put_raw(f, e->text);
	if (!f->has_content && (event_is_content(e->type) || e->type == EV_FINISH)) {
		if (l->floor > 0 && guard_watches(e->type))
			hold(f);
		if (f->on_content)
			f->on_content(f->context);
		const enum err err = flight_commit(f);
		if (err)
			return err;
	}
	f->has_batch_content = f->has_batch_content || event_is_content(e->type);
	if (is_text(e->type))
		f->text_bytes += (int64_t)e->text.n;
	if (e->type == EV_USAGE) {
		take_usage(f, e);
		if (!f->has_content)
			return OK;
		changed = *e;
		changed.usage = l->usage;
		changed.billed = NULL;
		e = &changed;
	} else if (e->type == EV_EMBEDDING) {
		if (f->dimensions > 0 && f->dimensions != e->embedding.vector.n)
			return mishap_set(&f->untold, ERR_SERVER_ERROR,
				"the provider's vectors have %zu dimensions, and then %zu",
				f->dimensions, e->embedding.vector.n);
		f->dimensions = e->embedding.vector.n;
		changed = *e;
		changed.embedding.index += (uint32_t)f->batch_at;
		e = &changed;
	} else if (e->type == EV_FINISH) {
		l->n_finished++;
		if (e->choice == 0)
			l->finish = e->finish.finish;
	} else if (e->type == EV_WARNING) {
		f->warnings++;
	}
	if (l->is_forwarded && !f->tape && e->type != EV_WARNING)
		return OK;
	if (e->type ==
		EV_USAGE) /* of its own account: those who come later, and who reads by the tape, have the last of it */
		return l->is_forwarded || f->is_shared ? OK : flight_log(f, e);
	if (e->type == EV_WARNING)
		return say(f, TAPE_BOTH, e);
	if (e->type == EV_PART && e->part.media.data.n > LIMIT_DATA_BYTES)
		return log_part(f, e);
	return is_text(e->type) ? log_in_pieces(f, e) : say(f, TAPE_EVENTS, e);
}

enum err flight_put(struct flight *f, const struct llm_event *e)
{
	const enum err err = put(f, e);
	const size_t held = f->is_shared ? tape_held(f->tape) : event_log_held(&f->log);
	if (!err && f->log.is_held && guard_take(&f->guard, e, held))
		flight_show(f);
	return err;
}

void flight_status(struct flight *f, const char *word, const char *format, ...)
{
	char text[2048], detail[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fault_text(detail, sizeof detail, span_str(text)); /* no character is cut */
	struct llm_event e = {.type = EV_STATUS};
	e.status.word = span_str(word);
	e.status.detail = span_str(detail);
	if (flight_log(f, &e) != OK)
		return; /* a reader that far behind is told by what comes next */
}

void flight_rewind(struct flight *f)
{
	f->is_paused = f->has_batch_content = false;
	leg_rewind(f->leg, &f->settled, &f->settled_billed);
}

void flight_settle(struct flight *f)
{
	const struct leg *l = f->leg;
	if (l->has_usage)
		f->resumed_nusd = l->billed.cost_nusd;
	f->is_resumed = true;
	f->settled = l->usage;
	f->settled_billed = l->billed;
	/* these the ledger adds up, attempt by attempt */
	f->settled.cost_nusd = f->settled_billed.cost_nusd = -1;
	f->settled.provider_cost_nusd = f->settled_billed.provider_cost_nusd = -1;
}

void flight_cut(struct flight *f, const struct target *t)
{
	struct leg *l = f->leg;
	l->asked = f->request;
	if (f->op != LLM_OP_EMBED)
		return;
	l->asked.n_inputs = embeddings_batch(&f->request, t, f->batch_at);
	l->asked.inputs += f->batch_at;
}

bool flight_next_batch(struct flight *f)
{
	struct leg *l = f->leg;
	const size_t next = f->batch_at + l->asked.n_inputs;
	if (f->op != LLM_OP_EMBED || next >= f->request.n_inputs)
		return false;
	f->settled = l->usage;
	f->settled_billed = l->billed;
	f->settled.cost_nusd = f->settled_billed.cost_nusd = -1;
	f->batch_at = next;
	f->batches++;
	l->same = 0;
	flight_rewind(f);
	return true;
}

/* The last event always gets its place: for a fault, what a slow reader has not taken makes room. */
static void log_last(struct flight *f, const struct llm_event *e)
{
	f->has_ended = true;
	if (e->type == EV_END) /* it is all there, and is small */
		event_log_allow(&f->log, event_log_lag(&f->log) + LIMIT_FRAME_BYTES);
	if (event_log_put(&f->log, e) != OK) {
		buf_clear(&f->log.bytes);
		f->log.dropped = 0;
		struct event_cursor *c;
		for (c = f->log.cursors; c; c = c->next)
			c->at = f->log.base;
		if (event_log_put(&f->log, e) != OK)
			abort(); /* one small event in an empty log: only memory can be lacking */
	}
	f->on_event(f->context);
}

void flight_end(struct flight *f, const struct reply_end *end)
{
	struct llm_event e = {.type = EV_END};
	e.end = *end;
	flight_show(f);
	log_last(f, &e);
}

void flight_fail(struct flight *f, const struct fault *why)
{
	struct fault said = *why;
	flight_withdraw(f);
	said.is_partial = f->has_content;
	struct llm_event e = {.type = EV_FAULT};
	e.fault = &said;
	log_last(f, &e);
}

enum err flight_retell(struct flight *f, int frame_type, struct span body, bool has_content)
{
	const enum err err = event_log_put_packed(&f->log, frame_type, body);
	if (err)
		return err == ERR_TOO_BIG ? ERR_SLOW_CONSUMER : err;
	if (has_content && !f->has_content) {
		f->has_content = true;
		f->first_content_us = loop_now_us(f->organs->loop);
	}
	f->on_event(f->context);
	return OK;
}

enum err flight_warn(struct flight *f, const struct llm_event *warning)
{
	f->warnings++;
	return flight_log(f, warning);
}

enum err flight_recount(struct flight *f, const struct llm_event *usage)
{
	return flight_log(f, usage);
}

void flight_breathe(struct flight *f)
{
	if (!f->is_paused || (f->is_shared ? !tape_is_read(f->tape, LIMIT_FLIGHT_LOW_BYTES)
					   : event_log_lag(&f->log) > LIMIT_FLIGHT_LOW_BYTES))
		return;
	f->is_paused = false;
	if (f->leg->attempt)
		attempt_resume(f->leg->attempt);
}

void flight_read(struct flight *f)
{
	if (!f->is_shared)
		flight_breathe(f);
}

/* What one medium can cost at the most where nothing is known of it: figures of the providers'
 * documents for a large picture, and a token for four bytes of everything else. */
static int64_t media_bound(const struct part *p)
{
	const int64_t bytes = (int64_t)p->media.data.n;
	return p->type == PART_IMAGE ? 2000 : bytes / 4 + 2000;
}

static int64_t extra_bound(const struct extra *e)
{
	int64_t bound = 0;
	for (size_t i = 0; i < e->n; i++)
		bound += (int64_t)(e->members[i].name.n + e->members[i].json.n);
	return bound;
}

int64_t flight_input_bound(const struct llm_request *r)
{
	int64_t bound = 16;
	for (size_t i = 0; i < r->n_messages; i++) {
		const struct message *m = &r->messages[i];
		bound += 16 + extra_bound(&m->extra);
		for (size_t j = 0; j < m->n_parts; j++) {
			const struct part *p = &m->parts[j];
			bound += (int64_t)(p->text.n + p->call.name.n + p->call.arguments.n +
					   p->opaque.data.n) +
				 extra_bound(&p->extra);
			if (p->media.data.n || p->media.url.n || p->media.file_id.n)
				bound += media_bound(p);
		}
	}
	for (size_t i = 0; i < r->n_tools; i++) {
		const struct tool *t = &r->tools[i];
		bound += (int64_t)(t->name.n + t->description.n + t->parameters.n + t->raw.n +
				   t->format.n) +
			 extra_bound(&t->extra) + 16;
	}
	for (size_t i = 0; i < r->n_inputs; i++) {
		const struct part *p = &r->inputs[i];
		bound += 16 + (int64_t)p->text.n + extra_bound(&p->extra);
		if (p->type == PART_IMAGE)
			bound += media_bound(p);
	}
	bound += (int64_t)r->query.n * (int64_t)(r->n_inputs > 0 ? r->n_inputs : 1);
	return bound + (int64_t)r->response_format.schema.n + extra_bound(&r->extra);
}
