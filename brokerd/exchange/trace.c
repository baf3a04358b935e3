/* trace.c - a step is its figures, and then its texts, one behind the other. */
#include "brokerd/exchange/trace.h"

#include <stdlib.h>

#include "protocol/base/utf8.h"

#define NAME_BYTES ((size_t)128) /* of a target's names */

enum text {
	TEXT_PROVIDER,
	TEXT_MODEL,
	TEXT_KEY,
	TEXT_WHY,
	TEXTS,
};
static const char *const text_names[TEXTS] = {"provider", "model", "key", "why"};

#define ABSENT 0xff

/* As it lies in a line, before its texts. */
struct packed {
	int64_t at_us, us, connect_us, first_byte_us, nusd;
	uint32_t number;
	uint16_t err, http_status;
	uint8_t what, outcome;
	uint8_t n[TEXTS];
};

struct line {
	uint64_t number; /* 0: there was none yet */
	char id[REQUEST_ID_BYTES];
	int64_t at_us;
	struct buf steps;
	size_t n_left_out, n_out_left_out;
	bool is_over;
	char op[16], model[NAME_BYTES], why[2 * TRACE_WHY_BYTES];
	struct trace_end end; /* but for its texts */
};

struct traces {
	uint64_t n; /* that there were */
	struct line lines[TRACES_MAX];
};

struct traces *traces_new(void)
{
	return calloc(1, sizeof(struct traces));
}

void traces_free(struct traces *t)
{
	for (size_t i = 0; t && i < TRACES_MAX; i++)
		buf_done(&t->lines[i].steps);
	free(t);
}

uint64_t trace_begin(struct traces *t, const char *id, int64_t wall_us)
{
	if (!t)
		return 0;
	struct line *l = &t->lines[t->n++ % TRACES_MAX];
	if (l->number == 0)
		buf_init(&l->steps, TRACE_BYTES);
	buf_clear(&l->steps);
	l->number = t->n;
	fault_text(l->id, sizeof l->id, span_str(id));
	l->at_us = wall_us;
	l->n_left_out = l->n_out_left_out = 0;
	l->is_over = false;
	return l->number;
}

/* NULL: it is forgotten. */
static struct line *line_of(struct traces *t, uint64_t number)
{
	if (!t || number == 0)
		return NULL;
	struct line *l = &t->lines[(number - 1) % TRACES_MAX];
	return l->number == number ? l : NULL;
}

void trace_step(struct traces *t, uint64_t number, const struct trace_step *s)
{
	struct line *l = line_of(t, number);
	if (!l)
		return;
	const struct span texts[TEXTS] = {
		[TEXT_PROVIDER] = span_first(s->provider, NAME_BYTES),
		[TEXT_MODEL] = span_first(s->model, NAME_BYTES),
		[TEXT_KEY] = span_first(s->key, NAME_BYTES),
		[TEXT_WHY] = span_first(s->why, TRACE_WHY_BYTES),
	};
	struct packed p = {
		.at_us = s->at_us,
		.us = s->us,
		.connect_us = s->connect_us,
		.first_byte_us = s->first_byte_us,
		.nusd = s->nusd,
		.number = s->number,
		.err = (uint16_t)s->err,
		.http_status = (uint16_t)s->http_status,
		.what = (uint8_t)s->what,
		.outcome = (uint8_t)s->outcome,
	};
	size_t n = sizeof p;
	for (size_t i = 0; i < TEXTS; i++) {
		p.n[i] = span_is_set(texts[i]) ? (uint8_t)texts[i].n : ABSENT;
		n += texts[i].n;
	}
	if (s->what == TRACE_OUT && l->steps.n + n > TRACE_BYTES / 2) {
		l->n_out_left_out++; /* there may be a thousand, before anything else */
		return;
	}
	/* one that would fit behind one that did not would tell another story */
	if (l->n_left_out > 0 || !buf_reserve(&l->steps, n)) {
		l->n_left_out++;
		return;
	}
	buf_put(&l->steps, &p, sizeof p);
	for (size_t i = 0; i < TEXTS; i++)
		buf_span(&l->steps, texts[i]);
}

void trace_end(struct traces *t, uint64_t number, const struct trace_end *e)
{
	struct line *l = line_of(t, number);
	if (!l)
		return;
	l->is_over = true;
	l->end = *e;
	l->end.op = l->end.model = l->end.why = SPAN_NONE; /* copied below */
	fault_text(l->op, sizeof l->op, e->op);
	fault_text(l->model, sizeof l->model, e->model);
	fault_text(l->why, sizeof l->why, e->why);
}

/* ---- as words ---- */

/* It may be cut within a character, and a part of it may be of anybody's. */
static void put_text(struct json_out *o, const char *name, struct span text)
{
	OWNED(buf_done) struct buf clean = BUF_INIT(4 * NAME_BYTES + 4 * TRACE_WHY_BYTES);
	struct utf8_repair repair = {0};
	utf8_repair(&repair, text, &clean);
	utf8_repair_end(&repair, &clean);
	json_pair_str(o, name, clean.n > 0 ? buf_view(&clean) : SPAN(""));
}

static void put_i64(struct json_out *o, const char *name, int64_t v)
{
	if (v >= 0)
		json_pair_i64(o, name, v);
}

static void put_outcome(struct json_out *o, enum outcome outcome, enum err err)
{
	json_pair_str(o, "outcome", span_str(outcome_name(outcome)));
	if (err)
		json_pair_str(o, "class", span_str(err_info(err)->word));
}

static void put_step(struct json_out *o, const struct packed *p, const char *texts)
{
	static const char *const names[] = {[TRACE_OUT] = "out",
		[TRACE_ATTEMPT] = "attempt",
		[TRACE_REST] = "rest",
		[TRACE_QUEUE] = "queue",
		[TRACE_NEXT] = "next",
		[TRACE_PAUSE] = "pause"};
	json_open(o, '{');
	json_pair_str(o, "step", span_str(names[p->what]));
	json_pair_i64(o, "at_us", p->at_us);
	for (size_t i = 0; i < TEXTS; i++) {
		if (p->n[i] == ABSENT)
			continue;
		put_text(o, text_names[i], span_of(texts, p->n[i]));
		texts += p->n[i];
	}
	put_i64(o, "us", p->us);
	if (p->what == TRACE_ATTEMPT) {
		json_pair_i64(o, "number", p->number);
		put_outcome(o, (enum outcome)p->outcome, (enum err)p->err);
		put_i64(o, "http_status", p->http_status > 0 ? p->http_status : -1);
		put_i64(o, "connect_us", p->connect_us);
		put_i64(o, "first_byte_us", p->first_byte_us);
		put_i64(o, "cost_nusd", p->nusd);
	}
	json_close(o, '}');
}

static void put_steps(struct json_out *o, struct span left)
{
	json_key(o, "steps");
	json_open(o, '[');
	while (left.n > 0) {
		struct packed p;
		size_t n = sizeof p;
		memcpy(&p, left.p, sizeof p);
		put_step(o, &p, left.p + sizeof p);
		for (size_t i = 0; i < TEXTS; i++)
			n += p.n[i] == ABSENT ? 0 : p.n[i];
		left = span_skip(left, n);
	}
	json_close(o, ']');
}

static void put_end(struct json_out *o, const struct line *l)
{
	const struct trace_end *e = &l->end;
	json_pair_str(o, "op", span_str(l->op));
	json_pair_str(o, "model", span_str(l->model));
	put_outcome(o, e->outcome, e->err);
	if (l->why[0])
		json_pair_str(o, "message", span_str(l->why));
	json_pair_i64(o, "attempts", e->attempts);
	put_i64(o, "total_us", e->total_us);
	put_i64(o, "ttft_us", e->ttft_us);
	put_i64(o, "queued_us", e->queued_us);
	put_i64(o, "cost_nusd", e->nusd);
}

bool trace_json(const struct traces *t, struct span id, struct json_out *o)
{
	const struct line *l = NULL;
	for (size_t i = 0; t && !l && i < TRACES_MAX; i++) {
		if (t->lines[i].number > 0 && span_is(id, t->lines[i].id))
			l = &t->lines[i];
	}
	if (!l)
		return false;
	json_open(o, '{');
	json_pair_str(o, "id", id);
	json_pair_str(o, "from", SPAN("memory"));
	json_pair_i64(o, "at_us", l->at_us);
	json_pair_bool(o, "is_over", l->is_over);
	if (l->is_over)
		put_end(o, l);
	put_steps(o, buf_view(&l->steps));
	json_pair_i64(o, "left_out", (int64_t)(l->n_left_out + l->n_out_left_out));
	json_close(o, '}');
	return true;
}
