/* again.c - a table of one place for each hash; of each call what was told, and what has to be as it was. */
#include "brokerd/exchange/again.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "brokerd/cache/copy.h"
#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/lookup.h"
#include "brokerd/exchange/memo_key.h"
#include "brokerd/exchange/order.h"
#include "brokerd/exchange/row.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/exchange/trail.h"
#include "brokerd/log/log.h"
#include "brokerd/value/crc32c.h"
#include "protocol/base/num.h"
#include "protocol/base/table.h"
#include "protocol/frame.h"
#include "protocol/limits.h"

#define LONGEST_BYTES (256 * KIB)    /* of a frame, and of an answer */
#define ENDS_BYTES    ((size_t)128)  /* of a frame so much is hashed, at either end, */
#define SAMPLES       ((size_t)16)   /* and so often between */
#define SAMPLE_BYTES  ((size_t)16)   /* so much: all of it is compared */
#define FRAME_EXTRA   ((size_t)16)   /* what a frame adds to its body, at the most */
#define END_BYTES     ((size_t)2048) /* and the last one takes */

struct again {
	uint64_t hash;
	size_t bytes;
	struct arena arena; /* all that is below lies there */
	struct peer_id peer;
	struct span frame;
	struct call call;
	/* what has to be as it was */
	const struct config *config;
	const struct provider *provider; /* of that */
	const struct policy_rule *rule;  /* and so is this */
	int64_t day;
	bool has_key; /* of its provider there is one, or none */
	struct span key;
	struct cache_copy *copy; /* the answer, which is held */
	/* what is told, */
	const struct span *entries; /* bodies of frames, but for the last */
	const int *types;
	size_t n_entries, told_bytes;
	struct reply_end end;       /* the last; its texts are the row's */
	struct buf told;            /* all of them as they were told last, */
	size_t *number_at;          /* where the call's number is in each of them, */
	size_t number_bytes, id_at; /* how long that was, and where the row's id is */
	/* and written down */
	uint64_t owner;
	char account[PEER_ACCOUNT_BYTES];
	struct span target_model, model, asked;
	struct exchange_record row;
	struct row_like like;
};

/* ---- the table ---- */

/* Its ends, and a little of what is between: two prompts of one length often differ in the middle alone. */
static uint32_t sum_of(struct span frame)
{
	const size_t step = frame.n / SAMPLES;
	const struct span first = span_first(frame, ENDS_BYTES);
	const struct span last = span_skip(frame, frame.n - first.n);
	uint32_t sum = crc32c(crc32c(0, first.p, first.n), last.p, last.n);
	for (size_t at = step; step >= SAMPLE_BYTES && at + SAMPLE_BYTES <= frame.n; at += step)
		sum = crc32c(sum, frame.p + at, SAMPLE_BYTES);
	return sum;
}

/* Under the key of the table's hash nobody can aim at another's place. */
static uint64_t hash_of(const struct peer_id *peer, struct span frame)
{
	const uint64_t parts[] = {
		(uint64_t)peer->uid << 32 | (uint32_t)peer->pid, frame.n, sum_of(frame)};
	return table_hash(parts, sizeof parts);
}

struct again *again_find(const struct agains *a, const struct peer_id *peer, struct span frame)
{
	if (a->n == 0)
		return NULL;
	const uint64_t hash = hash_of(peer, frame);
	struct again *one = a->slots[hash % AGAIN_SLOTS];
	return one && one->hash == hash && span_eq(one->frame, frame) &&
			       peer_is_same(&one->peer, peer)
		       ? one
		       : NULL;
}

const struct call *again_call(const struct again *one)
{
	return &one->call;
}

static void again_free(struct again *one)
{
	cache_copy_drop(one->copy);
	buf_done(&one->told);
	arena_done(&one->arena);
	free(one);
}

static void drop(struct agains *a, size_t slot)
{
	struct again *one = a->slots[slot];
	if (!one)
		return;
	a->slots[slot] = NULL;
	a->n--;
	a->bytes -= one->bytes;
	again_free(one);
}

void agains_clear(struct agains *a)
{
	for (size_t slot = 0; slot < AGAIN_SLOTS; slot++) {
		drop(a, slot);
		a->next[slot] = 0;
	}
	loop_timer_stop(&a->tidy);
	assert(a->n == 0 && a->bytes == 0);
}

static bool is_there(const struct again *one, int64_t now_s)
{
	return cache_shows(one->copy, now_s);
}

/* What is remembered of an answer goes with it, at the latest when that is over. */
static void on_tidy(struct loop_timer *t)
{
	struct agains *a = container_of(t, struct agains, tidy);
	const int64_t now_us = loop_wall_us(a->loop), now_s = now_us / 1000000;
	int64_t next_s = INT64_MAX;
	for (size_t slot = 0; slot < AGAIN_SLOTS; slot++) {
		const struct again *one = a->slots[slot];
		if (one && !is_there(one, now_s))
			drop(a, slot);
		else if (one && one->copy->kept_s < next_s)
			next_s = one->copy->kept_s;
	}
	if (a->n > 0)
		loop_timer_set(a->loop, t, num_mul_sat(next_s, 1000000) - now_us);
}

/* ---- is all as it was? ---- */

/* Of a provider with one key, or none. */
static bool sees_key(
	const struct organs *o, const struct provider *p, bool *has, struct span *label)
{
	struct span second;
	*has = tokens_key_of(o->tokens, p, 0, label);
	return !*has || !tokens_key_of(o->tokens, p, 1, &second);
}

static int64_t today(const struct config *c)
{
	return c->catalogue ? catalogue_day(c->catalogue) : 0;
}

static bool is_as_it_was(
	const struct organs *o, const struct again *one, const struct allowance *may)
{
	struct span label;
	bool has_key;
	return one->config == o->config && one->day == today(o->config) && may->rule == one->rule &&
	       !may->grant && !may->also && !span_is_set(may->models) &&
	       sees_key(o, one->provider, &has_key, &label) && has_key == one->has_key &&
	       span_eq(label, one->key);
}

static bool is_ready(const struct organs *o)
{
	return !o->ailment.err && !o->is_draining && o->cache && o->journal;
}

/* The entry that it was found in is there, and is what its caller wants. */
static bool is_kept(const struct again *one, int64_t now_s)
{
	const struct cache_entry e = cache_copy_entry(one->copy);
	return is_there(one, now_s) && lookup_is_young(&e, one->call.cache.max_age_s, now_s);
}

/* It counts as asked, by whoever shows that it is the one who asked before. */
static bool may_ask(struct organs *o, const struct again *one)
{
	const struct limit_subject who = {.app = span_str(one->account),
		.policy = one->rule->name,
		.model = one->target_model,
		.asked = one->asked,
		.uid = (uint32_t)one->peer.uid};
	return claim_asked(o, &who);
}

/* ---- it is told ---- */

static void write_trace(struct organs *o, const struct again *one)
{
	const struct exchange_record *r = &one->row;
	const struct trace_step hit = {.what = TRACE_HIT,
		.provider = one->provider->name,
		.model = one->target_model,
		.key = one->key,
		.us = one->end.cached.age_s * 1000000};
	const struct trace_end end = {.op = span_str(r->op),
		.model = one->model,
		.outcome = r->outcome,
		.ttft_us = r->ttft_us,
		.total_us = r->total_us,
		.queued_us = r->queued_us,
		.nusd = -1};
	const uint64_t number = trace_begin(o->traces, one->owner, r->id, r->at_us);
	trace_step(o->traces, number, &hit);
	trace_end(o->traces, number, &end);
}

#define NUMBER_AT (FRAME_PREFIX_BYTES + 2) /* of a frame: behind the array's head and the type */

/* The number of a call, as frames have it. */
struct number {
	char bytes[8];
	size_t n;
};

static struct number number_of(uint32_t call)
{
	char room[32];
	struct buf b = {.p = room, .cap = sizeof room, .max = sizeof room};
	struct number number = {.n = 0};
	(void)frame_begin(&b, FRAME_END, call);
	number.n = b.n - NUMBER_AT;
	memcpy(number.bytes, b.p + NUMBER_AT, number.n);
	return number;
}

static enum err pack_told(struct again *one, uint32_t call)
{
	const struct span id = span_str(one->row.id);
	const struct llm_event e = {.type = EV_END, .end = one->end};
	enum err err = OK;
	buf_clear(&one->told);
	for (size_t i = 0; !err && i < one->n_entries; i++) {
		one->number_at[i] = one->told.n + NUMBER_AT;
		err = frame_put(&one->told, (enum frame_type)one->types[i], call, one->entries[i]);
	}
	if (err)
		return err;
	const size_t mark = frame_begin(&one->told, FRAME_END, call);
	event_pack(&e, &one->told);
	err = frame_finish(&one->told, mark);
	one->number_at[one->n_entries] = mark + NUMBER_AT;
	one->id_at = mark + span_find(span_skip(buf_view(&one->told), mark), id);
	assert(err || one->id_at < one->told.n);
	return err;
}

/* Nothing but the call's number and the id is another one each time, and the age each second. */
static enum err put_frames(struct again *one, uint32_t call, int64_t age_s, struct buf *out)
{
	const struct number number = number_of(call);
	if (one->told.n == 0 || number.n != one->number_bytes || one->end.cached.age_s != age_s) {
		one->end.cached.age_s = age_s;
		one->number_bytes = number.n;
		const enum err err = pack_told(one, call);
		if (err) {
			buf_clear(&one->told);
			return err;
		}
	} else {
		for (size_t i = 0; i <= one->n_entries; i++)
			memcpy(one->told.p + one->number_at[i], number.bytes, number.n);
		memcpy(one->told.p + one->id_at, one->row.id, strlen(one->row.id));
	}
	buf_span(out, buf_view(&one->told));
	return buf_error(out);
}

static void forget(struct agains *a, const struct again *one)
{
	drop(a, one->hash % AGAIN_SLOTS);
}

bool again_tell(struct organs *o, struct again *one, const struct allowance *may, uint32_t number,
	size_t room, struct buf *out)
{
	const int64_t wall_us = loop_wall_us(o->loop), now_s = wall_us / 1000000;
	const size_t mark = out->n;
	if (!is_ready(o) || one->told_bytes > room ||
		(int64_t)one->told_bytes > one->call.credit_bytes)
		return false;
	if (!is_as_it_was(o, one, may) || !is_kept(one, now_s)) {
		forget(&o->again, one);
		return false;
	}
	struct exchange_record *r = &one->row;
	exchange_draw_id(o, wall_us, r->id);
	r->at_us = wall_us;
	if (put_frames(one, number, one->copy->at_s < now_s ? now_s - one->copy->at_s : 0, out) ||
		!may_ask(o, one)) {
		buf_cut(out, mark);
		return false;
	}
	cache_again(o->cache, one->copy);
	log_debug("cache.again", "id=%s", r->id);
	write_trace(o, one);
	row_write_like(o, r, &one->like);
	return true;
}

/* ---- it is remembered ---- */

/* Which target is asked depends on nothing but the name that it was asked for by. */
static bool is_named(const struct exchange *x)
{
	const struct route *r = &x->flight->route;
	const struct span model = x->flight->request.model, provider = exchange_target(x)->provider;
	if (r->alias && r->alias->n_targets > 0)
		return r->alias->n_targets == 1 && !order_wants_money(r->alias);
	return span_starts(model, provider) && model.n > provider.n && model.p[provider.n] == '/';
}

/* It has come to a good end by itself, out of the cache, and in no way that could be another the next time. */
static bool is_plain(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const struct memo *m = &x->memo;
	return x->state == END && x->outcome == OUTCOME_OK && !x->is_relayed &&
	       m->cached.source == CACHE_HIT && m->asked && !m->is_noting && f->attempts == 0 &&
	       f->route.n == 1 && !f->route.is_fallback_offline && x->fallbacks.n == 0 &&
	       is_named(x) && !memo_has_items(&f->request) && f->log.base == 0 &&
	       f->log.dropped == 0 && f->log.bytes.n <= LONGEST_BYTES;
}

/* Nothing but its configuration lets it in, and it asks for nobody else, and to be told once. */
static bool is_let_in(const struct exchange *x, const struct call *c)
{
	const struct allowance *may = &x->allowance;
	return may->rule && may->rule->allow != POLICY_ASK && !may->grant && !may->also &&
	       !span_is_set(may->models) && c->behalf.fd_index < 0 &&
	       !span_is_set(c->behalf.token) && !span_is_set(c->behalf.label) &&
	       !span_is_set(c->idempotency_key) && span_is_set(c->body);
}

/* The frames that were told, but for the end. */
static enum err keep_entries(struct again *one, const struct event_log *log)
{
	uint64_t at = log->base;
	struct span body, *entries;
	int type, *types;
	size_t n = 0;
	while (event_log_look(log, &at, &type, &body))
		n++;
	entries = arena_array(&one->arena, n, sizeof *entries);
	types = arena_array(&one->arena, n, sizeof *types);
	if (n == 0 || !entries || !types)
		return ERR_NO_MEMORY;
	at = log->base;
	for (size_t i = 0; i + 1 < n; i++) {
		if (!event_log_look(log, &at, &types[i], &body))
			return ERR_NO_MEMORY;
		const enum err err = arena_dup(&one->arena, body, &entries[i]);
		if (err)
			return err;
		one->told_bytes += body.n + FRAME_EXTRA;
	}
	one->told_bytes += END_BYTES;
	one->number_at = arena_array(&one->arena, n, sizeof *one->number_at);
	buf_init(&one->told, one->told_bytes);
	if (!one->number_at)
		return ERR_NO_MEMORY;
	one->entries = entries;
	one->types = types;
	one->n_entries = n - 1;
	return OK;
}

static enum err keep_names(struct again *one, const struct exchange *x)
{
	struct arena *a = &one->arena;
	const struct target *t = exchange_target(x);
	struct span label;
	one->provider = config_provider(x->organs->config, t->provider);
	if (!one->provider || !sees_key(x->organs, one->provider, &one->has_key, &label))
		return ERR_UNSUPPORTED;
	enum err err = arena_dup(a, label, &one->key);
	if (!err)
		err = arena_dup(a, t->model, &one->target_model);
	if (!err)
		err = arena_dup(a, x->flight->request.model, &one->model);
	if (!err)
		err = arena_dup(a, exchange_asked_name(x, t), &one->asked);
	return !err && !span_eq(label, t->key) ? ERR_UNSUPPORTED : err;
}

/* The entry that it was found in is the last that the cache has shown. ERR_UNSUPPORTED: it is not. */
static enum err keep_entry(struct again *one, const struct exchange *x)
{
	struct cache_key key;
	memo_key_of(x, &x->memo.core, exchange_target(x), &key);
	one->copy = cache_hold(x->organs->cache);
	return one->copy && memcmp(one->copy->key.bytes, key.bytes, sizeof key.bytes) == 0
		       ? OK
		       : ERR_UNSUPPORTED;
}

static enum err keep(struct again *one, const struct exchange *x, struct span frame)
{
	const struct organs *o = x->organs;
	enum err err = arena_dup(&one->arena, frame, &one->frame);
	if (!err)
		err = call_unpack(pack_from(one->frame), &one->arena, &one->call, NULL);
	if (!err && !is_let_in(x, &one->call))
		err = ERR_UNSUPPORTED;
	if (!err)
		err = keep_entry(one, x);
	if (!err)
		err = keep_names(one, x);
	if (!err)
		err = keep_entries(one, &x->flight->log);
	if (err)
		return err;
	one->peer = x->peer;
	one->owner = x->owner;
	memcpy(one->account, x->account, sizeof one->account);
	one->config = o->config;
	one->day = today(o->config);
	one->rule = x->allowance.rule;
	row_of(x, &one->row);
	one->row.total_us = 0; /* it is told in the same moment */
	one->row.ttft_us = one->row.ttft_us < 0 ? -1 : 0;
	one->end = row_closing(x, &one->row);
	one->bytes = sizeof *one + one->arena.total + one->told_bytes + one->copy->body_bytes;
	return OK;
}

void again_keep(const struct exchange *x, struct span frame)
{
	struct agains *a = &x->organs->again;
	const size_t most = a->most / 4; /* of one */
	if (!is_plain(x) || frame.n > LONGEST_BYTES || frame.n > most ||
		x->flight->config != x->organs->config)
		return;
	const uint64_t hash = hash_of(&x->peer, frame);
	const size_t slot = hash % AGAIN_SLOTS;
	/* who comes by once takes nobody's place: he has to be the one who comes next, too */
	if (a->slots[slot] && is_there(a->slots[slot], exchange_now_s(x)) &&
		a->next[slot] != hash) {
		a->next[slot] = hash;
		return;
	}
	struct again *one = calloc(1, sizeof *one);
	if (!one)
		return;
	arena_init(&one->arena, most);
	one->hash = hash;
	if (keep(one, x, frame) || one->bytes > most) {
		again_free(one);
		return;
	}
	drop(a, slot);
	while (a->n > 0 && a->bytes + one->bytes > a->most)
		drop(a, a->hand++ % AGAIN_SLOTS);
	a->slots[slot] = one;
	a->n++;
	a->bytes += one->bytes;
	a->loop = x->organs->loop;
	LOOP_CALLS(&a->tidy, on_fire, on_tidy);
	on_tidy(&a->tidy);
}
