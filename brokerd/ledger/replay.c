/* replay.c - records in the order of their sequences; at the end, what is still open has no end. What is in the file and
 * in memory is the same, as far as it is in both: rows that are there are left alone, and what memory says of a
 * reservation is later. */
#include "brokerd/ledger/replay.h"

#include <stdlib.h>

#include "brokerd/ledger/reservation.h"
#include "brokerd/ledger/rows.h"

struct replay {
	struct rows rows;
	struct reservation *open, *under_way;
	struct replayed *out;
	unsigned place; /* that is being read: a bit, of a half of the file, or none */
};

static struct llm_usage estimate(const struct under_way_record *r)
{
	struct llm_usage u = USAGE_UNKNOWN;
	u.input = r->estimate_input;
	u.output = r->estimate_output;
	u.cost_nusd = r->estimate_nusd;
	return u;
}

/* One that was under way, counted like those before it. */
static enum err replay_unknown_attempt(struct replay *p, struct open_record *o,
	const struct under_way_record *at, struct fault *why)
{
	struct attempt_record a = {
		.number = at->number,
		.at_us = o->reserve.at_us,
		.outcome = OUTCOME_UNKNOWN,
		.err = ERR_OUTCOME_UNKNOWN,
		.has_sent_body = true, /* as it must be taken to be */
		.sent_bytes = -1,
		.received_bytes = -1,
		.connect_us = -1,
		.first_byte_us = -1,
		.total_us = -1,
		.usage = estimate(at),
		.price = PRICE_UNKNOWN,
		.charged_nusd = at->estimate_nusd,
		.estimate_input = -1,
		.estimate_output = -1,
		.estimate_raw = -1,
	};
	memcpy(a.id, o->reserve.id, sizeof a.id);
	memcpy(a.provider, at->provider, sizeof a.provider);
	memcpy(a.model, at->target_model, sizeof a.model);
	memcpy(a.key_label, at->key_label, sizeof a.key_label);
	open_record_count(o, &a);
	return rows_attempt(&p->rows, &a, why);
}

/* As a rule one; of a hedged answer two; between two attempts none. */
static enum err replay_under_way(struct replay *p, struct open_record *o, struct fault *why)
{
	const struct under_way_record all[] = {o->beside, open_record_last(o)};
	enum err err = OK;
	for (size_t i = 0; !err && i < COUNT_OF(all); i++)
		err = all[i].number ? replay_unknown_attempt(p, o, &all[i], why) : OK;
	return err;
}

/* What it cost is what its attempts did. */
static enum err replay_unknown(struct replay *p, struct open_record *o, struct fault *why)
{
	const struct reserve_record *r = &o->reserve;
	p->out->unknown++;
	const enum err err = replay_under_way(p, o, why);
	if (err)
		return err;
	struct exchange_record x = {
		.at_us = r->at_us,
		.total_us = -1,
		.ttft_us = -1,
		.uid = r->uid,
		.pid = r->pid,
		.outcome = OUTCOME_UNKNOWN,
		.err = ERR_OUTCOME_UNKNOWN,
		.attempts = o->attempts,
		.usage = o->usage,
		.price = PRICE_UNKNOWN,
		.account = r->account,
		.queued_us = -1,
		.estimate_input = -1,
		.estimate_output = -1,
		.saved_nusd = -1,
	};
	memcpy(x.id, r->id, sizeof x.id);
	memcpy(x.app, r->app, sizeof x.app);
	memcpy(x.program, r->program, sizeof x.program);
	memcpy(x.op, r->op, sizeof x.op);
	memcpy(x.surface, r->surface, sizeof x.surface);
	memcpy(x.model, r->model, sizeof x.model);
	memcpy(x.provider, r->provider, sizeof x.provider);
	memcpy(x.target_model, r->target_model, sizeof x.target_model);
	return rows_exchange(&p->rows, &x, why);
}

static void replay_note_ended(struct replayed *out, const struct exchange_record *x)
{
	if ((out->n_ended & (out->n_ended + 1)) == 0) { /* room for one less than a power of two */
		out->ended = realloc(out->ended, (2 * out->n_ended + 1) * sizeof *out->ended);
		if (!out->ended)
			abort();
	}
	out->ended[out->n_ended++] = *x;
}

static enum err replay_record(
	struct replay *p, enum record_type type, const union record_value *v, struct fault *why)
{
	struct reservation *own;
	switch (type) {
	case RECORD_OPEN:
		own = reservation_find(p->open, v->open.reserve.id);
		if (!own)
			own = reservation_add(&p->open, &v->open.reserve);
		own->state = v->open;
		own->places |= p->place;
		return OK;
	case RECORD_ATTEMPT:
		own = reservation_find(p->open, v->attempt.id);
		if (own)
			open_record_count(&own->state, &v->attempt);
		return rows_attempt(&p->rows, &v->attempt, why);
	case RECORD_EXCHANGE:
		own = reservation_find(p->open, v->exchange.id);
		if (own && own->places != 0 && p->place == 0)
			replay_note_ended(p->out, &v->exchange);
		if (own)
			reservation_end(&p->open, own);
		return rows_exchange(&p->rows, &v->exchange, why);
	}
	return OK;
}

/* A half, as far as it is sound. What lies behind a damaged record is not guessed at. */
static enum err replay_half(struct replay *p, struct span half, struct fault *why)
{
	struct record_reader reader = {.left = half};
	struct record record;
	union record_value v;
	enum record_next found;
	while ((found = record_next(&reader, &record)) == RECORD_FOUND) {
		if (record.sequence > p->out->sequence)
			p->out->sequence = record.sequence;
		if (record_unpack(&record, &v, &p->out->why) != OK) {
			p->out->unreadable++;
			continue;
		}
		const enum err err = replay_record(p, record.type, &v, why);
		if (err)
			return err;
	}
	if (found == RECORD_TORN && record_is_damaged(&reader)) {
		fault_set(&p->out->why, ERR_MALFORMED, "it is damaged at byte %zu of a half",
			half.n - reader.left.n);
		p->out->unreadable++;
	} else if (found == RECORD_TORN) {
		p->out->torn++;
	}
	return OK;
}

/* The sequence of the first record of a half, or UINT64_MAX where there is none. */
static uint64_t first_sequence(struct span half)
{
	struct record_reader reader = {.left = half};
	struct record record;
	return record_next(&reader, &record) == RECORD_FOUND ? record.sequence : UINT64_MAX;
}

/* The older half first. `first_place` is the bit of the first. */
static enum err replay_both(
	struct replay *p, const struct span halves[2], unsigned first_place, struct fault *why)
{
	const unsigned older = first_sequence(halves[1]) < first_sequence(halves[0]);
	enum err err = OK;
	for (unsigned i = 0; err == OK && i < 2; i++) {
		const unsigned at = i ^ older;
		p->place = first_place << at;
		err = replay_half(p, halves[at], why);
	}
	return err;
}

static enum err replay_open(struct replay *p, struct reservation *r, struct fault *why)
{
	if (!reservation_find(p->under_way, r->state.reserve.id))
		return replay_unknown(p, &r->state, why);
	for (unsigned i = 0; i < 2; i++)
		p->out->found[i] += r->places >> i & 1;
	return OK;
}

enum err replay(const struct replay_source *from, struct ledger *ledger, struct replayed *out,
	struct fault *why)
{
	struct replay p = {.out = out, .under_way = from->under_way};
	struct reservation *r, *after;
	*out = (struct replayed){.why = FAULT_NONE};
	rows_init(&p.rows, ledger);
	enum err err = replay_both(&p, from->file, 1, why);
	if (err == OK)
		err = replay_both(&p, from->memory, 0, why);
	TABLE_EACH(p.open, r, after) {
		if (err == OK)
			err = replay_open(&p, r, why);
		reservation_end(&p.open, r);
	}
	if (err == OK)
		err = rows_write(&p.rows, why);
	out->rows = p.rows.total;
	rows_done(&p.rows);
	return err == OK && out->rows > 0 ? ledger_sync(ledger, why) : err;
}
