/* memo_read.c - from a tape into its own log, at the pace of its own reader. */
#include "brokerd/exchange/memo_read.h"

#include <string.h>

#include "brokerd/exchange/memo_lead.h"
#include "brokerd/exchange/pins.h"
#include "brokerd/exchange/recall.h"
#include "brokerd/exchange/steps.h"
#include "protocol/frame.h"
#include "protocol/limits.h"

#define AT_ONCE_BYTES (64 * KIB)    /* of an answer, for which there is room from the beginning, */
#define ENDS_BYTES    ((size_t)512) /* and for what is said of it behind */

/* The provider's own bytes only where they answer this very body. */
enum tape_track memo_track(const struct exchange *x, const struct tape *t)
{
	const bool is_own = t == x->flight->tape;
	const bool is_same = x->is_relayed && x->relay.surface &&
			     memcmp(t->tag, x->memo.tag, sizeof t->tag) == 0;
	return t->is_forwarded && (is_own || is_same) ? TAPE_BYTES : TAPE_EVENTS;
}

/* What its provider wants back is kept for whoever is told it, not only for the one who asked first. */
static void note(struct exchange *x, int frame_type, struct span body)
{
	struct flight *f = x->flight;
	struct llm_event e;
	if (!x->memo.is_noting || frame_type != FRAME_EVENT || f->route.n == 0)
		return;
	OWNED(arena_done) struct arena a;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	if (event_unpack(frame_type, pack_from(body), &a, &e, NULL))
		return;
	const int64_t now_s = exchange_now_s(x);
	pins_note(x->organs->items, x->owner, exchange_target(x), &e, now_s);
	recall_note(&f->leg->recall, x->organs->items, x->owner, exchange_target(x), &e, now_s);
}

static enum err feed(struct exchange *x, size_t room)
{
	struct flight *f = x->flight;
	struct tape_reader *r = &x->memo.reader;
	const enum tape_track track = memo_track(x, r->tape);
	const bool is_own = r->tape == f->tape;
	bool has_read = false;
	int type;
	struct span body;
	enum err err = OK;
	while (!err && event_log_lag(&f->log) <= room &&
		tape_peek(r, is_own ? track : TAPE_BOTH, &type, &body)) {
		const enum tape_track of = tape_track_at(r);
		if (!is_own && of & TAPE_EVENTS)
			note(x, type, body);
		if (of & track)
			err = flight_retell(f, type, body, r->tape->has_content);
		tape_take(r);
		has_read = true;
	}
	if (has_read && r->tape->on_read)
		r->tape->on_read(r->tape->context);
	return err;
}

enum err memo_feed(struct exchange *x)
{
	return x->memo.reader.tape ? feed(x, LIMIT_FLIGHT_LAG_BYTES) : OK;
}

enum err memo_tell_rest(struct exchange *x)
{
	struct event_log *log = &x->flight->log;
	const struct tape_reader *r = &x->memo.reader;
	const size_t rest = tape_bytes(r->tape).n - r->at;
	event_log_allow(log, event_log_lag(log) + rest + LIMIT_FRAME_BYTES);
	return feed(x, SIZE_MAX);
}

enum err memo_have(struct exchange *x, const struct tape *t)
{
	struct flight *f = x->flight;
	struct leg *l = f->leg;
	struct llm_event e = {.type = EV_USAGE, .usage = t->usage};
	x->memo.cached.saved_nusd = t->usage.cost_nusd;
	e.usage.cost_nusd = 0;
	e.usage.provider_cost_nusd = -1;
	l->usage = e.usage;
	l->finish = t->finish;
	f->warnings += t->warnings;
	const bool is_told = memo_track(x, t) == TAPE_BYTES || usage_input_total(&t->usage) < 0;
	const enum err err = is_told ? OK : flight_recount(f, &e);
	if (!err)
		tape_leave(&x->memo.reader);
	return err;
}

static void go_on(struct exchange *x)
{
	struct fault why = FAULT_NONE;
	if (x->state == JOIN || x->state == LOOKUP) {
		exchange_go_on(x, x->state);
		return;
	}
	if (x->state >= SETTLE)
		return;
	if (x->is_parted && !x->left.is_left && !memo_is_shared(x)) {
		exchange_go_on(x, exchange_left_over(x)); /* nobody is there any more */
		return;
	}
	const enum err err = memo_feed(x);
	if (err)
		exchange_go_on(x, exchange_fail_with(x, err, &why));
	else if (x->state == ROUTE) /* it may have waited for its readers */
		exchange_go_on(x, ROUTE);
}

static void on_wake(struct loop_task *t)
{
	struct memo *m = container_of(t, struct memo, wake);
	go_on(container_of(m, struct exchange, memo));
}

void memo_wake(struct exchange *x)
{
	LOOP_CALLS(&x->memo.wake, on_run, on_wake);
	loop_later(x->organs->loop, &x->memo.wake);
}

void memo_on_news(struct tape_reader *r)
{
	struct memo *m = container_of(r, struct memo, reader);
	memo_wake(container_of(m, struct exchange, memo));
}

void memo_replay(struct exchange *x, struct tape *t)
{
	struct memo *m = &x->memo;
	m->is_noting = t->owner != x->owner || t->has_items;
	m->reader.on_news = memo_on_news;
	tape_join(t, &m->reader);
	const size_t n = tape_bytes(t).n;
	event_log_room(&x->flight->log, (n < AT_ONCE_BYTES ? n : AT_ONCE_BYTES) + ENDS_BYTES);
}
