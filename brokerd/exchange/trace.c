/* trace.c - a step is its figures, and then its texts, one behind the other; lines are in rows, one an owner. */
#include "brokerd/exchange/trace.h"

#include <assert.h>
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
	uint64_t
		number; /* which one it is of all, times TRACES_MAX, and its place; 0: there was none yet */
	size_t next; /* the next one of the same owner's; of his newest: nothing */
	char id[REQUEST_ID_BYTES];
	int64_t at_us;
	struct buf steps;
	size_t n_left_out, n_out_left_out;
	bool is_over;
	char op[16], model[NAME_BYTES], why[2 * TRACE_WHY_BYTES];
	struct trace_end end; /* but for its texts */
};

/* One who has lines, from the oldest to the newest. */
struct owner {
	uint64_t who;
	size_t n, oldest, newest;
};

struct traces {
	uint64_t n; /* that there were */
	size_t n_lines, n_owners;
	struct owner owners[TRACES_MAX + 1]; /* one that begins has none yet */
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

/* ---- whose they are ---- */

/* Where he stands among the owners: a walk over them, and there are few. */
static size_t owner_at(struct traces *t, uint64_t who)
{
	size_t i = 0;
	while (i < t->n_owners && t->owners[i].who != who)
		i++;
	if (i == t->n_owners)
		t->owners[t->n_owners++] = (struct owner){.who = who};
	return i;
}

/* Who has the most, the one that `mine` is about to have counted; of several the one whose oldest is the oldest. */
static struct owner *richest(struct traces *t, size_t mine)
{
	struct owner *most = NULL;
	size_t most_n = 0;
	for (size_t i = 0; i < t->n_owners; i++) {
		struct owner *o = &t->owners[i];
		const size_t n = o->n + (i == mine);
		if (o->n == 0 || n < most_n ||
			(n == most_n && t->lines[o->oldest].number > t->lines[most->oldest].number))
			continue;
		most = o;
		most_n = n;
	}
	return most;
}

/* A line for the newest of the one at `mine`; where all are taken, the oldest of whoever has the most. */
static size_t take_line(struct traces *t, size_t mine)
{
	if (t->n_lines < TRACES_MAX)
		return t->n_lines++;
	struct owner *o = richest(t, mine);
	assert(o); /* all lines are taken: somebody has them */
	const size_t line = o->oldest;
	o->oldest = t->lines[line].next;
	o->n--;
	return line;
}

static void drop_empty(struct traces *t)
{
	for (size_t i = 0; i < t->n_owners; i++) {
		if (t->owners[i].n > 0)
			continue;
		t->owners[i] = t->owners[--t->n_owners];
		return; /* no more than one has lost his last one */
	}
}

/* ---- what is said ---- */

uint64_t trace_begin(struct traces *t, uint64_t owner, const char *id, int64_t wall_us)
{
	if (!t)
		return 0;
	const size_t mine = owner_at(t, owner);
	const size_t at = take_line(t, mine);
	struct owner *o = &t->owners[mine];
	struct line *l = &t->lines[at];
	if (o->n++ == 0)
		o->oldest = at;
	else
		t->lines[o->newest].next = at;
	o->newest = at;
	drop_empty(t);
	if (l->number == 0)
		buf_init(&l->steps, TRACE_BYTES);
	buf_clear(&l->steps);
	l->number = ++t->n * TRACES_MAX + at;
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
	struct line *l = &t->lines[number % TRACES_MAX];
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
		[TRACE_PAUSE] = "pause",
		[TRACE_HIT] = "hit",
		[TRACE_JOIN] = "join",
		[TRACE_ALONE] = "alone",
		[TRACE_STALE] = "stale"};
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
