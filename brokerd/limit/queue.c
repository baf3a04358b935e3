/* queue.c - a lane has a ring of turns for each class, and a turn the places of one identity.
 * What is empty goes at once; only a lane that empties while turns are given stays until they are. */
#include "brokerd/limit/queue.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/base/list.h"
#include "protocol/base/num.h"
#include "protocol/base/owned.h"
#include "protocol/base/table.h"

enum class {
	INTERACTIVE,
	BATCH,
	CLASSES,
};

/* One who calls, in all lanes. */
struct identity {
	TABLE_LINK;
	size_t n; /* that wait */
	size_t length;
	char name[];
};

/* Those of one identity and class in one lane. */
struct queue_turn {
	struct queue_turn *prev, *next; /* of the ring, whoever is next first */
	TABLE_LINK;
	struct identity *identity;
	struct ring *ring;
	struct queue_place *places;
	size_t n;
	int64_t deficit; /* tokens that it may still have served in this visit, or owed from the last */
	bool is_visited;    /* it is the first of its ring, and had its quantum for that */
	bool is_held_back;  /* its first place is */
	uint64_t passed_in; /* the run in which that was found last */
};

struct ring {
	struct lane *lane;
	struct queue_turn *turns;
	struct queue_turn *by_identity;
	size_t n_turns, n_held_back;
};

struct lane {
	struct lane *prev, *next;
	TABLE_LINK;
	struct queue *queue;
	struct ring rings[CLASSES];
	size_t n;
	size_t length;
	char name[];
};

/* Those that lack the same thing. */
struct queue_lack {
	TABLE_LINK;
	const void *what;
	struct queue_lacking *all;
};

struct queue {
	struct queue_lack *lacks;
	struct lane *lanes; /* whose turn was longest ago first */
	struct lane *by_name;
	struct identity *identities;
	struct queue_place
		*asked; /* whose turn is being given; NULL: it has left, or nobody's is */
	size_t n;
	uint64_t run, stirs;
	bool is_running;
};

struct queue *queue_new(void)
{
	return calloc(1, sizeof(struct queue));
}

void queue_free(struct queue *q)
{
	assert(!q || (q->n == 0 && !q->lanes && !q->identities && !q->lacks));
	free(q);
}

size_t queue_n(const struct queue *q)
{
	return q->n;
}

/* ---- who is there ---- */

static struct identity *find_identity(const struct queue *q, struct span name)
{
	struct identity *i;
	TABLE_FIND(q->identities, i, name.p, name.n);
	return i;
}

static struct lane *find_lane(const struct queue *q, struct span name)
{
	struct lane *l;
	TABLE_FIND(q->by_name, l, name.p, name.n);
	return l;
}

static struct queue_turn *find_turn(const struct ring *r, const struct identity *i)
{
	struct queue_turn *t;
	TABLE_FIND(r->by_identity, t, &i, sizeof i);
	return t;
}

static struct identity *need_identity(struct queue *q, struct span name)
{
	struct identity *i = find_identity(q, name);
	if (i)
		return i;
	i = calloc(1, sizeof *i + name.n);
	if (!i)
		return NULL;
	i->length = name.n;
	if (name.n > 0)
		memcpy(i->name, name.p, name.n);
	TABLE_ADD(q->identities, i, i->name, i->length);
	return i;
}

static struct lane *need_lane(struct queue *q, struct span name)
{
	struct lane *l = find_lane(q, name);
	if (l)
		return l;
	l = calloc(1, sizeof *l + name.n);
	if (!l)
		return NULL;
	l->queue = q;
	for (size_t c = 0; c < CLASSES; c++)
		l->rings[c].lane = l;
	l->length = name.n;
	if (name.n > 0)
		memcpy(l->name, name.p, name.n);
	TABLE_ADD(q->by_name, l, l->name, l->length);
	LIST_PUSH(q->lanes, l);
	return l;
}

static struct queue_turn *need_turn(struct ring *r, struct identity *i)
{
	struct queue_turn *t = find_turn(r, i);
	if (t)
		return t;
	t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->identity = i;
	t->ring = r;
	TABLE_ADD(r->by_identity, t, &t->identity, sizeof t->identity);
	LIST_PUSH(r->turns, t);
	r->n_turns++;
	return t;
}

static void drop_identity_if_idle(struct queue *q, struct identity *i)
{
	if (i->n > 0)
		return;
	TABLE_REMOVE(q->identities, i);
	free(i);
}

/* A lane that a run may stand at stays until that is over. */
static void drop_lane_if_idle(struct lane *l)
{
	struct queue *q = l->queue;
	if (l->n > 0 || q->is_running)
		return;
	TABLE_REMOVE(q->by_name, l);
	LIST_REMOVE(q->lanes, l);
	free(l);
}

static void hold_back(struct queue_turn *t, bool is_held_back)
{
	if (t->is_held_back == is_held_back)
		return;
	t->is_held_back = is_held_back;
	if (is_held_back)
		t->ring->n_held_back++;
	else
		t->ring->n_held_back--;
}

static void drop_turn(struct queue_turn *t)
{
	struct ring *r = t->ring;
	hold_back(t, false);
	TABLE_REMOVE(r->by_identity, t);
	LIST_REMOVE(r->turns, t);
	r->n_turns--;
	free(t);
}

/* ---- what they lack ---- */

static struct queue_lack *find_lack(const struct queue *q, const void *what)
{
	struct queue_lack *lack;
	TABLE_FIND(q->lacks, lack, &what, sizeof what);
	return lack;
}

/* Without memory for it others may overtake. */
static void note_lack(struct queue *q, struct queue_place *p)
{
	struct queue_lack *lack = find_lack(q, p->lacks);
	if (!lack) {
		lack = calloc(1, sizeof *lack);
		if (!lack)
			return;
		lack->what = p->lacks;
		TABLE_ADD(q->lacks, lack, &lack->what, sizeof lack->what);
	}
	p->lacking = (struct queue_lacking){.of = lack, .place = p};
	LIST_PUSH(lack->all, &p->lacking);
}

static void forget_lack(struct queue *q, struct queue_place *p)
{
	struct queue_lack *lack = p->lacking.of;
	if (!lack)
		return;
	struct queue_lacking *own = &p->lacking;
	LIST_REMOVE(lack->all, own);
	own->of = NULL;
	if (lack->all)
		return;
	TABLE_REMOVE(q->lacks, lack);
	free(lack);
}

static enum class class_of(const struct queue_place *p) {
	const struct ring *r = p->turn->ring;
	return r == &r->lane->rings[BATCH] ? BATCH : INTERACTIVE;
}

struct queue_place *queue_lacks(
	const struct queue *q, const void *const *what, size_t n, bool is_batch)
{
	for (size_t i = 0; q->lacks && i < n; i++) {
		const struct queue_lack *lack = find_lack(q, what[i]);
		struct queue_lacking *one;
		if (!lack)
			continue;
		LIST_EACH(lack->all, one) {
			/* one that is no more asked, for his lane waits for something else, is in nobody's way */
			if (one->place->seen_in + 1 >= q->run &&
				(is_batch || class_of(one->place) == INTERACTIVE))
				return one->place;
		}
	}
	return NULL;
}

/* ---- joining and leaving ---- */

static enum err check_room(const struct queue *q, struct span identity, struct fault *why)
{
	const struct identity *i = find_identity(q, identity);
	if (q->n >= QUEUE_MAX)
		return fault_set(why, ERR_OVERLOADED,
			"%zu calls wait for their turn, which is all there is room for: try again "
			"later",
			q->n);
	if (i && i->n >= QUEUE_IDENTITY_MAX)
		return fault_set(why, ERR_OVERLOADED,
			"%zu calls of this program wait for their turn, which is as many as one "
			"may "
			"have waiting: let some end first",
			i->n);
	return OK;
}

enum err queue_join(struct queue *q, struct span lane, struct span identity, bool is_batch,
	struct queue_place *p, struct fault *why)
{
	assert(!p->turn && p->on_turn);
	if (check_room(q, identity, why) != OK)
		return why->err;
	struct identity *i = need_identity(q, identity);
	struct lane *l = i ? need_lane(q, lane) : NULL;
	struct queue_turn *t = l ? need_turn(&l->rings[is_batch ? BATCH : INTERACTIVE], i) : NULL;
	if (!t) {
		if (l)
			drop_lane_if_idle(l);
		if (i)
			drop_identity_if_idle(q, i);
		return fault_set(why, ERR_NO_MEMORY, "out of memory for a place in the queue");
	}
	if (p->cost_tokens < 1)
		p->cost_tokens = 1;
	if (p->cost_tokens > QUEUE_COST_MAX)
		p->cost_tokens = QUEUE_COST_MAX;
	p->turn = t;
	p->is_held_back = false;
	p->ready_us = 0;
	p->lacks = NULL;
	p->lacking.of = NULL;
	p->asked_at = q->stirs;
	LIST_PUSH(t->places, p);
	t->n++;
	l->n++;
	i->n++;
	q->n++;
	return OK;
}

void queue_leave(struct queue_place *p)
{
	struct queue_turn *t = p->turn;
	if (!t)
		return;
	struct lane *l = t->ring->lane;
	struct queue *q = l->queue;
	struct identity *i = t->identity;
	const bool is_served = q->asked == p;
	if (is_served) {
		q->asked = NULL;
		t->deficit -= p->cost_tokens;
	}
	if (p->lacking.of) {
		forget_lack(q, p);
		q->stirs++; /* what others left to it they may have now */
	}
	if (t->places == p)
		hold_back(t, false); /* who comes after it has not been asked */
	LIST_REMOVE(t->places, p);
	p->turn = NULL;
	t->n--;
	l->n--;
	i->n--;
	q->n--;
	if (t->n == 0)
		drop_turn(t);
	drop_identity_if_idle(q, i);
	drop_lane_if_idle(l);
}

bool queue_waits(const struct queue_place *p)
{
	return p->turn != NULL;
}

/* Who is next there of those that wait for what all of them share. */
static struct queue_place *first_of(const struct ring *r)
{
	struct queue_turn *t = r->turns;
	if (r->n_turns == r->n_held_back)
		return NULL;
	while (t->is_held_back)
		t = t->next;
	return t->places;
}

struct queue_place *queue_before(
	const struct queue *q, struct span lane, struct span identity, bool is_batch)
{
	const struct lane *l = find_lane(q, lane);
	const struct identity *i = find_identity(q, identity);
	const enum class own = is_batch ? BATCH : INTERACTIVE;
	for (enum class c = INTERACTIVE; l && c <= own; c++) {
		struct queue_place *first = first_of(&l->rings[c]);
		if (first)
			return first;
	}
	const struct queue_turn *t = l && i ? find_turn(&l->rings[own], i) : NULL;
	return t ? t->places : NULL;
}

void queue_stir(struct queue *q)
{
	q->stirs++;
}

/* ---- turns ---- */

/* Its visit is over: what it did not use stays its own. */
static void rotate(struct queue_turn *t)
{
	struct ring *r = t->ring;
	t->is_visited = false;
	LIST_REMOVE(r->turns, t);
	LIST_PUSH(r->turns, t);
}

/* Nothing of it can be served now: it is passed over, and gathers nothing while it is, but its turn stays due. */
static void pass(struct queue_turn *t, uint64_t run)
{
	t->passed_in = run;
	if (t->deficit > t->places->cost_tokens)
		t->deficit = t->places->cost_tokens;
	rotate(t);
}

/* It is its turn now. Whoever is alone gets no more than he needs: he would have it ahead of those to come. */
static void visit(struct queue_turn *t)
{
	const int64_t missing = t->places->cost_tokens - t->deficit;
	if (t->is_visited)
		return;
	t->is_visited = true;
	if (t->ring->n_turns > 1 || missing > QUEUE_QUANTUM)
		t->deficit += QUEUE_QUANTUM;
	else if (missing > 0)
		t->deficit += missing;
}

/* Is what it was told last still so? */
static bool must_wait(const struct queue *q, const struct queue_place *p, int64_t now_us)
{
	return p->asked_at == q->stirs && p->ready_us > now_us;
}

static void note_ready(const struct queue *q, struct queue_place *p, int64_t *next_us)
{
	p->seen_in = q->run;
	if (p->ready_us < *next_us)
		*next_us = p->ready_us;
}

enum given {
	GIVEN_SERVED,  /* one has left the queue */
	GIVEN_BLOCKED, /* who is next waits for what all of the lane wait for */
	GIVEN_NONE,    /* nobody is there who could be served */
};

/* Asks whoever is first of that turn. True: he is served, and the turn may be gone. */
static bool ask(struct queue *q, struct queue_turn *t)
{
	struct queue_place *p = t->places;
	const uint64_t stirs = q->stirs;
	hold_back(t, false);
	q->asked = p;
	p->is_held_back = false;
	p->ready_us = 0;
	p->lacks = NULL;
	const bool was_lacking = p->lacking.of != NULL;
	forget_lack(q, p);
	p->on_turn(p);
	if (!q->asked) {
		if (was_lacking)
			q->stirs++; /* what others left to it they may have now */
		return true;
	}
	q->asked = NULL;
	p->asked_at = stirs;
	if (p->lacks)
		note_lack(q, p);
	return false;
}

static int64_t quanta_missing(const struct queue_turn *t)
{
	const int64_t missing = t->places->cost_tokens - t->deficit;
	return missing <= 0 ? 0 : (missing - 1) / QUEUE_QUANTUM + 1;
}

/* No turn of the ring has gathered enough: the rounds in which that would stay so are over at once. */
static void skip_rounds(struct ring *r, uint64_t run)
{
	struct queue_turn *t;
	int64_t least = INT64_MAX;
	LIST_EACH(r->turns, t) {
		if (t->passed_in != run && quanta_missing(t) < least)
			least = quanta_missing(t);
	}
	if (least <= 1 || least == INT64_MAX)
		return;
	LIST_EACH(r->turns, t) {
		if (t->passed_in != run)
			t->deficit += (least - 1) * QUEUE_QUANTUM;
	}
}

static enum given give_in_ring(struct queue *q, struct ring *r, int64_t now_us, int64_t *next_us)
{
	size_t passed = 0; /* one after another */
	size_t idle = 0;   /* the same with those that have not gathered enough */
	while (passed < r->n_turns) {
		struct queue_turn *t = r->turns;
		if (t->passed_in == q->run) {
			note_ready(q, t->places, next_us);
			passed++;
			idle++;
			rotate(t);
			continue;
		}
		passed = 0;
		visit(t);
		if (t->places->cost_tokens > t->deficit) {
			rotate(t);
			if (++idle >= r->n_turns) {
				skip_rounds(r, q->run);
				idle = 0;
			}
			continue;
		}
		idle = 0;
		if (!must_wait(q, t->places, now_us) && ask(q, t))
			return GIVEN_SERVED;
		note_ready(q, t->places, next_us);
		hold_back(t, t->places->is_held_back);
		if (!t->is_held_back)
			return GIVEN_BLOCKED;
		pass(t, q->run);
	}
	return GIVEN_NONE;
}

static enum given give_in_lane(struct lane *l, int64_t now_us, int64_t *next_us)
{
	enum given given = GIVEN_NONE;
	for (size_t c = 0; given == GIVEN_NONE && c < CLASSES; c++)
		given = give_in_ring(l->queue, &l->rings[c], now_us, next_us);
	return given;
}

int64_t queue_run(struct queue *q, int64_t now_us)
{
	struct lane *l, *after;
	int64_t next_us = INT64_MAX;
	bool is_served = true;
	assert(!q->is_running);
	q->is_running = true;
	q->run++;
	/* one of each lane, again and again: what they share is nobody's alone */
	while (is_served) {
		size_t left = TABLE_COUNT(q->by_name);
		is_served = false;
		next_us = INT64_MAX;
		for (l = q->lanes; left > 0; left--, l = after) {
			const bool was_served = give_in_lane(l, now_us, &next_us) == GIVEN_SERVED;
			after = l->next;
			if (!was_served)
				continue;
			is_served = true;
			LIST_REMOVE(q->lanes, l);
			LIST_PUSH(q->lanes, l);
		}
	}
	q->is_running = false;
	LIST_EACH_SAFE(q->lanes, l, after)
		drop_lane_if_idle(l);
	return next_us;
}

/* ---- looking on ---- */

/* Counts what of a turn is served with so many tokens. */
static void count_served(const struct queue_turn *t, int64_t tokens, struct queue_view *out)
{
	const struct queue_place *p;
	LIST_EACH(t->places, p) {
		tokens -= p->cost_tokens;
		if (tokens < 0)
			return;
		out->place++;
		out->tokens_before = num_add_sat(out->tokens_before, p->cost_tokens);
	}
}

/* How often a turn is visited anew before it has come to that place. */
static int64_t visits_until(const struct queue_place *p)
{
	const struct queue_turn *t = p->turn;
	const struct queue_place *other = t->places;
	int64_t tokens = p->cost_tokens;
	for (; other != p; other = other->next)
		tokens = num_add_sat(tokens, other->cost_tokens);
	const int64_t missing = tokens - t->deficit;
	const int64_t least = t->is_visited ? 0 : 1;
	const int64_t visits = missing <= 0 ? 0 : (missing - 1) / QUEUE_QUANTUM + 1;
	return visits > least ? visits : least;
}

/* Those of its own turn that come before it. */
static void count_own(const struct queue_place *p, struct queue_view *out)
{
	const struct queue_place *other = p->turn->places;
	for (; other != p; other = other->next) {
		out->place++;
		out->tokens_before = num_add_sat(out->tokens_before, other->cost_tokens);
	}
}

void queue_look(const struct queue_place *p, struct queue_view *out)
{
	const struct queue_turn *own = p->turn, *t;
	const struct ring *r = own->ring;
	const int64_t visits = visits_until(p);
	int64_t rounds =
		own->is_visited ? visits : visits - 1; /* that are whole before that visit */
	*out = (struct queue_view){.place = 1, .n = r->lane->n};
	for (const struct ring *better = r->lane->rings; better < r; better++) {
		LIST_EACH(better->turns, t)
			count_served(t, INT64_MAX, out);
	}
	bool is_past = false;
	LIST_EACH(r->turns, t) {
		is_past = is_past || t == own;
		const int64_t its_visits = rounds + (is_past ? 0 : 1) - (t->is_visited ? 1 : 0);
		if (t == own)
			count_own(p, out);
		else if (its_visits > 0 || t->is_visited)
			count_served(t,
				num_add_sat(t->deficit, num_mul_sat(its_visits > 0 ? its_visits : 0,
								QUEUE_QUANTUM)),
				out);
	}
}

static void on_no_turn(struct queue_place *p)
{
	(void)p; /* it is gone before any are given */
}

enum err queue_look_ahead(struct queue *q, struct span lane, struct span identity, bool is_batch,
	int64_t cost_tokens, struct queue_view *out, struct fault *why)
{
	struct queue_place p = {.cost_tokens = cost_tokens, .on_turn = on_no_turn};
	const enum err err = queue_join(q, lane, identity, is_batch, &p, why);
	if (err)
		return err;
	queue_look(&p, out);
	queue_leave(&p);
	return OK;
}
