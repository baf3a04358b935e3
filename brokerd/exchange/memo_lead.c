/* memo_lead.c - whoever leads has a tape, which the others read; and so does he once there is one of them. */
#include "brokerd/exchange/memo_lead.h"

#include <string.h>

#include "brokerd/exchange/memo_key.h"
#include "brokerd/exchange/memo_read.h"
#include "brokerd/exchange/steps.h"

void memo_stop_leading(struct exchange *x)
{
	struct memo *m = &x->memo;
	if (!m->is_leading)
		return;
	struct leader *l = &m->lead;
	TABLE_REMOVE(x->organs->leaders, l);
	m->is_leading = false;
}

bool memo_is_shared(const struct exchange *x)
{
	const struct tape *t = x->flight->tape;
	if (!x->flight->is_shared || !t || t->is_over)
		return false;
	const bool is_own = x->memo.reader.tape == t;
	const struct tape_reader *first = t->readers;
	return first && !(is_own && first == &x->memo.reader && !first->next);
}

int64_t memo_due_us(const struct exchange *x)
{
	int64_t due_us = x->deadline.due_us;
	struct tape_reader *r = memo_is_shared(x) ? x->flight->tape->readers : NULL;
	for (; r; r = r->next) {
		struct memo *m = container_of(r, struct memo, reader);
		const struct exchange *other = container_of(m, struct exchange, memo);
		if (other->deadline.due_us > due_us)
			due_us = other->deadline.due_us;
	}
	return due_us;
}

static void extend(struct exchange *x, int64_t due_us)
{
	struct flight *f = x->flight;
	if (f->first.attempt)
		attempt_until(f->first.attempt, due_us);
	if (f->second && f->second->attempt)
		attempt_until(f->second->attempt, due_us);
}

void memo_extend(struct exchange *x)
{
	extend(x, memo_due_us(x));
}

static void on_read(void *context)
{
	struct exchange *x = context;
	flight_breathe(x->flight);
	if (x->state == ROUTE)
		memo_wake(x);
}

static void on_reader_left(void *context)
{
	struct exchange *x = context;
	if (memo_is_shared(x))
		on_read(x);
	else if (x->left.is_left)
		loop_timer_set(x->organs->loop, &x->left.over,
			x->left.is_drained ? x->flight->config->drain_gone_us : 0);
	else if (x->is_parted)
		memo_wake(x);
	else
		on_read(x);
}

/* From now on others read what it gets, and its own caller as they do. */
static void share(struct exchange *x)
{
	struct flight *f = x->flight;
	if (f->is_shared)
		return;
	f->is_shared = true;
	f->tape->on_read = on_read;
	f->tape->on_left = on_reader_left;
	f->tape->context = x;
	x->memo.reader.on_news = memo_on_news;
	if (!x->left.is_left)
		tape_join_end(f->tape, &x->memo.reader);
}

/* May others read along? What another provider may go on with, what may be withdrawn for its slowness, and what waits behind
 * all others, is its own. */
static bool may_be_joined(const struct exchange *x)
{
	const struct model *alias = x->flight->route.alias;
	return x->memo.joins && !x->resume.is_on && !x->is_batch &&
	       !(alias && alias->route.min_rate > 0);
}

bool memo_lead(struct exchange *x)
{
	struct memo *m = &x->memo;
	struct flight *f = x->flight;
	struct leader *other, *l = &m->lead;
	const bool is_for_others = may_be_joined(x);
	if (!m->writes && !is_for_others)
		return true;
	tape_unref(f->tape);
	f->tape = tape_new();
	if (!f->tape)
		return false;
	f->tape->owner = x->owner;
	f->tape->all = &x->organs->tapes;
	f->tape_most = (size_t)f->config->cache_entry_kib * KIB;
	memcpy(f->tape->tag, m->tag, sizeof m->tag);
	if (!is_for_others)
		return true;
	memo_key(x, f->leg->target, &l->key);
	l->exchange = x;
	TABLE_FIND(x->organs->leaders, other, &l->key, sizeof l->key);
	if (other) /* it could not be joined: whoever comes next joins this one */
		memo_stop_leading(other->exchange);
	TABLE_ADD(x->organs->leaders, l, &l->key, sizeof l->key);
	m->is_leading = true;
	return true;
}

void memo_cap(struct exchange *x)
{
	struct flight *f = x->flight;
	struct fault why = FAULT_NONE;
	x->memo.is_capped = true;
	if (!x->memo.is_leading || f->tape->has_content)
		return;
	memo_stop_leading(x);
	tape_leave(&x->memo.reader);
	f->tape->on_read = f->tape->on_left = NULL;
	f->tape->is_leaders_own = true;
	fault_set(&why, ERR_BUDGET, "%s", err_info(ERR_BUDGET)->sentence);
	tape_end(f->tape, &why);
	tape_unref(f->tape);
	f->tape = NULL;
	f->is_shared = false;
}

bool memo_may_join(const struct exchange *x, const struct exchange *leader)
{
	const struct tape *t = leader->flight->tape;
	return leader != x && t && !t->is_over && !t->is_broken;
}

bool memo_join(struct exchange *x, struct exchange *leader)
{
	struct memo *m = &x->memo;
	struct tape *t = leader->flight->tape;
	if (!memo_may_join(x, leader))
		return false;
	share(leader);
	m->is_noting = t->owner != x->owner;
	m->reader.on_news = memo_on_news;
	tape_join(t, &m->reader);
	extend(leader, x->deadline.due_us);
	m->cached = (struct cached){.source = CACHE_JOINED, .age_s = -1, .saved_nusd = -1};
	return true;
}

struct exchange *memo_leader(const struct exchange *x)
{
	const struct tape *t = x->memo.reader.tape;
	return t && t != x->flight->tape && !t->is_over ? t->context : NULL;
}

void memo_part(struct exchange *x)
{
	if (x->flight->is_shared && x->memo.reader.tape == x->flight->tape)
		tape_leave(&x->memo.reader);
	loop_task_stop(&x->memo.wake);
}
