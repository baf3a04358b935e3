/* test_queue.c - whose turn it is, what others may not take from them, and that it is so after any order of things. */
#include "brokerd/limit/queue.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

#define NEVER INT64_MAX

enum answer {
	SERVE,
	WAIT_SHARED,
	WAIT_OWN,
};

struct world;

struct waiter {
	struct queue_place place;
	struct world *world;
	int id, identity, lane;
	bool is_batch;
	const void *lacks;            /* where it has to wait */
	struct waiter *drops, *joins; /* in its turn: these leave, or join */
};

/* What the waiters are told, and who was served. */
struct world {
	struct queue *queue;
	int64_t tokens; /* that all together may still have; it blocks who finds too few */
	bool is_held[64];
	int64_t ready_us;
	int served[20000];
	size_t n_served, n_asked;
};

static struct span lane_name(int lane)
{
	static const char *const names[] = {"one/m", "two/m", "two/n", ""};
	return span_str(names[lane]);
}

static struct span identity_name(int identity, char name[16])
{
	snprintf(name, 16, "app-%d", identity);
	return span_str(name);
}

static enum err join(struct world *w, struct waiter *it, struct fault *why)
{
	char name[16];
	it->world = w;
	return queue_join(w->queue, lane_name(it->lane), identity_name(it->identity, name),
		it->is_batch, &it->place, why);
}

static enum answer answer_to(const struct world *w, const struct waiter *it)
{
	if (w->is_held[it->identity])
		return WAIT_OWN;
	return it->place.cost_tokens <= w->tokens ? SERVE : WAIT_SHARED;
}

static void on_turn(struct queue_place *p)
{
	struct waiter *it = container_of(p, struct waiter, place);
	struct world *w = it->world;
	struct fault why = FAULT_NONE;
	const enum answer answer = answer_to(w, it);
	w->n_asked++;
	if (it->drops)
		queue_leave(&it->drops->place);
	if (it->joins && !queue_waits(&it->joins->place) && join(w, it->joins, &why) != OK)
		bail("no place: %s", why.message);
	if (answer != SERVE) {
		p->is_held_back = answer == WAIT_OWN;
		p->ready_us = w->ready_us;
		p->lacks = it->lacks;
		return;
	}
	w->tokens -= p->cost_tokens;
	w->served[w->n_served++] = it->id;
	queue_leave(p);
}

static void world_init(struct world *w)
{
	*w = (struct world){.queue = queue_new(), .tokens = NEVER, .ready_us = NEVER};
}

static void put(struct world *w, struct waiter *it, int id, int identity, int64_t cost)
{
	struct fault why = FAULT_NONE;
	it->id = id;
	it->identity = identity;
	it->place.cost_tokens = cost;
	it->place.on_turn = on_turn;
	if (join(w, it, &why) != OK)
		bail("no place: %s", why.message);
}

static bool order_is(const struct world *w, const char *want, const char *name)
{
	char got[512] = "";
	size_t n = 0;
	for (size_t i = 0; i < w->n_served && n + 8 < sizeof got; i++)
		n += (size_t)snprintf(got + n, sizeof got - n, i ? " %d" : "%d", w->served[i]);
	return is_str(got, want, "%s", name);
}

static void test_order(void)
{
	struct waiter a[6] = {0};
	struct world w;
	world_init(&w);
	put(&w, &a[0], 1, 1, 3000);
	put(&w, &a[1], 2, 1, 3000);
	put(&w, &a[2], 3, 1, 100);
	put(&w, &a[3], 4, 2, 4096);
	a[4].is_batch = true;
	put(&w, &a[4], 5, 3, 1);
	put(&w, &a[5], 6, 2, 10);
	ok(!queue_before(w.queue, lane_name(1), SPAN("app-1"), true), "the other lane is free");
	is_int(queue_run(w.queue, 0), NEVER, "nobody waits for a time");
	order_is(&w, "1 4 2 3 6 5", "a quantum each, in order, and batches behind");
	is_uint(queue_n(w.queue), 0, "nobody waits");
	queue_free(w.queue);
}

enum {
	MANY = 120, /* of one identity */
};

/* Many of one identity's, and one of another's. */
static void test_fair(void)
{
	static struct waiter many[MANY];
	struct waiter one = {0};
	struct world w;
	struct queue_view view;
	world_init(&w);
	memset(many, 0, sizeof many);
	for (int i = 0; i < MANY; i++)
		put(&w, &many[i], i, 1, 1000);
	struct fault why = FAULT_NONE;
	is_err(queue_look_ahead(w.queue, lane_name(0), SPAN("app-2"), false, 1000, &view, &why), OK,
		"who does not wait looks ahead");
	is_uint(view.place, 5, "and sees his place");
	is_uint(queue_n(w.queue), MANY, "without taking it");
	ok(queue_before(w.queue, lane_name(0), SPAN("app-2"), false) == &many[0].place,
		"whoever is next is the one before him");
	put(&w, &one, 5000, 2, 1000);
	queue_look(&one.place, &view);
	is_uint(view.place, 5, "behind one quantum of the other's");
	is_uint(view.n, MANY + 1, "of all that wait");
	is_int(view.tokens_before, 4000, "and their tokens");
	w.tokens = 6000;
	queue_run(w.queue, 0);
	bool was_served = false;
	for (size_t i = 0; i < w.n_served; i++)
		was_served = was_served || w.served[i] == 5000;
	ok(was_served, "one is served within one round");
	is_uint(w.n_served, 6, "and no more than there is");
	for (int i = 0; i < MANY; i++)
		queue_leave(&many[i].place);
	queue_free(w.queue);
}

/* Of what is served while both wait each has the same tokens, within a quantum, however they are cut. */
static void test_shares(void)
{
	static struct waiter small[1000], large[200];
	struct world w;
	int64_t tokens[2] = {0, 0}, worst = 0;
	world_init(&w);
	memset(small, 0, sizeof small);
	memset(large, 0, sizeof large);
	int n_small = 0, n_large = 0;
	w.tokens = 0;
	while (w.n_served < 1200) {
		/* as one is served another comes */
		for (; n_small < 1000 &&
			(n_small < MANY || !queue_waits(&small[n_small - MANY].place));
			n_small++)
			put(&w, &small[n_small], n_small, 1, 100 + (n_small * 37) % 500);
		for (; n_large < 200 &&
			(n_large < MANY || !queue_waits(&large[n_large - MANY].place));
			n_large++)
			put(&w, &large[n_large], 10000 + n_large, 2,
				1000 + (n_large * 7919) % 3000);
		w.tokens += 2000;
		queue_stir(w.queue);
		queue_run(w.queue, 0);
		tokens[0] = tokens[1] = 0;
		for (size_t i = 0; i < w.n_served; i++) {
			const int id = w.served[i];
			tokens[id >= 10000] += id >= 10000 ? large[id - 10000].place.cost_tokens
							   : small[id].place.cost_tokens;
		}
		const bool is_over = n_small == 1000 || n_large == 200;
		const int64_t off = llabs(tokens[0] - tokens[1]);
		if (!is_over && off > worst)
			worst = off;
	}
	ok(worst <= QUEUE_QUANTUM + 4000, "within a quantum and what is larger than none: %lld",
		(long long)worst);
	is_uint(w.n_served, 1200, "all are served");
	queue_free(w.queue);
}

static void test_waiting(void)
{
	struct waiter a[4] = {0}, batch = {.is_batch = true};
	struct world w;
	world_init(&w);
	put(&w, &a[0], 1, 1, 10);
	put(&w, &a[1], 2, 2, 10);
	put(&w, &batch, 9, 3, 10);
	w.tokens = 0;
	w.ready_us = 700;
	is_int(queue_run(w.queue, 0), 700, "when to come again");
	is_uint(w.n_asked, 1, "one is asked, for the others wait for the same");
	queue_run(w.queue, 699);
	is_uint(w.n_asked, 1, "and not before its time");
	ok(queue_before(w.queue, lane_name(0), SPAN("app-7"), false),
		"who comes has to wait behind");
	queue_stir(w.queue);
	queue_run(w.queue, 1);
	is_uint(w.n_asked, 2, "but as soon as something is free");

	w.is_held[1] = w.is_held[2] = true;
	w.tokens = 100;
	queue_stir(w.queue);
	is_int(queue_run(w.queue, 2), 700, "those who wait for their own");
	order_is(&w, "9", "let others pass, batches too");
	ok(!queue_before(w.queue, lane_name(0), SPAN("app-7"), false), "and who comes");
	ok(queue_before(w.queue, lane_name(0), SPAN("app-1"), false), "but not who is the same");
	ok(!queue_before(w.queue, lane_name(0), SPAN("app-1"), true),
		"whose batches are no worse off for it");
	w.is_held[2] = false;
	is_int(queue_run(w.queue, 701), 700, "after that time");
	order_is(&w, "9 2", "each is asked again");
	w.is_held[1] = false;
	put(&w, &a[2], 3, 2, 10);
	queue_stir(w.queue);
	queue_run(w.queue, 702);
	order_is(&w, "9 2 1 3", "and lost nothing");
	queue_free(w.queue);
}

/* In its turn one may take others along, and bring others. */
static void test_inside(void)
{
	struct waiter a[5] = {0};
	struct world w;
	struct fault why = FAULT_NONE;
	world_init(&w);
	a[0].drops = &a[1];
	a[0].joins = &a[4];
	a[4] = (struct waiter){.id = 5, .identity = 1, .lane = 2};
	a[4].place.cost_tokens = 1;
	a[4].place.on_turn = on_turn;
	put(&w, &a[0], 1, 1, 10);
	put(&w, &a[1], 2, 1, 10);
	a[2].drops = &a[3];
	put(&w, &a[2], 3, 2, 10);
	put(&w, &a[3], 4, 3, 10);
	queue_run(w.queue, 0);
	order_is(&w, "1 5 3", "some left, one came");
	is_uint(queue_n(w.queue), 0, "nobody waits");
	is_err(join(&w, &a[1], &why), OK, "one who left may come again");
	queue_leave(&a[1].place);
	queue_leave(&a[1].place);
	ok(!queue_waits(&a[1].place), "leaving twice is harmless");
	queue_free(w.queue);
}

static void test_full(void)
{
	static struct waiter all[QUEUE_MAX + 1];
	struct world w;
	struct fault why = FAULT_NONE;
	size_t n = 0;
	world_init(&w);
	memset(all, 0, sizeof all);
	for (; n < QUEUE_IDENTITY_MAX; n++)
		put(&w, &all[n], (int)n, 0, 1);
	all[n].place.cost_tokens = 1;
	all[n].place.on_turn = on_turn;
	is_err(join(&w, &all[n], &why), ERR_OVERLOADED, "one more of the same identity's");
	struct queue_view view;
	is_err(queue_look_ahead(w.queue, lane_name(0), SPAN("app-0"), false, 1, &view, &why),
		ERR_OVERLOADED, "nor is there a place to look at");
	ok(span_find(span_str(why.message), SPAN("128 calls of this program")) == 0, "%s",
		why.message);
	for (; n < QUEUE_MAX; n++)
		put(&w, &all[n], (int)n, (int)(n / QUEUE_IDENTITY_MAX), 1);
	all[n] = (struct waiter){.identity = 1000};
	all[n].place.cost_tokens = 1;
	all[n].place.on_turn = on_turn;
	is_err(join(&w, &all[n], &why), ERR_OVERLOADED, "one more of all");
	for (size_t i = 0; i < n; i++)
		queue_leave(&all[i].place);
	is_uint(queue_n(w.queue), 0, "and away again");
	queue_free(w.queue);
}

/* What is larger than any turn takes no longer to be found than what is small. */
static void test_huge(void)
{
	struct waiter a[3] = {0}, many[21];
	struct world w;
	struct queue_view view;
	world_init(&w);
	put(&w, &a[0], 1, 1, INT64_MAX);
	put(&w, &a[1], 2, 2, INT64_C(1) << 40);
	put(&w, &a[2], 3, 3, 5000);
	queue_look(&a[1].place, &view);
	is_uint(view.place, 3, "the small one is before the large ones");
	queue_run(w.queue, 0);
	order_is(&w, "3 1 2", "a huge one is served, too");
	is_uint(w.n_asked, 3, "each is asked once");
	queue_free(w.queue);

	world_init(&w);
	memset(many, 0, sizeof many);
	for (int i = 0; i < 20; i++)
		put(&w, &many[i], i, i, INT32_MAX);
	put(&w, &many[20], 20, 20, INT64_MIN);
	queue_run(w.queue, 0);
	is_uint(w.n_served, 21, "all of them are served");
	is_int(w.served[0], 20, "who says that it costs nothing is first, and costs something");
	queue_free(w.queue);
}

/* Who lacks what others would take of is found, from any lane. */
static void test_lacks(void)
{
	static const char money, tokens;
	const void *const some[] = {&tokens, &money}, *const other[] = {&tokens};
	struct waiter a = {.lacks = &money}, batch = {.is_batch = true, .lane = 1, .lacks = &money};
	struct waiter better = {.lane = 1};
	struct world w;
	world_init(&w);
	w.tokens = 5;
	put(&w, &batch, 1, 1, 10);
	put(&w, &a, 2, 2, 10);
	ok(!queue_lacks(w.queue, some, 2, true), "nobody has been asked yet");
	queue_run(w.queue, 0);
	ok(queue_lacks(w.queue, some, 2, false) == &a.place, "a better one lacks it");
	ok(queue_lacks(w.queue, some, 2, true) != NULL, "one of them does");
	ok(!queue_lacks(w.queue, other, 1, true), "nobody lacks the other");
	queue_leave(&a.place);
	ok(!queue_lacks(w.queue, some, 2, false), "a batch is in no better one's way");
	ok(queue_lacks(w.queue, some, 2, true) == &batch.place, "but in that of its like");
	const size_t asked = w.n_asked;
	queue_run(w.queue, 1);
	is_uint(w.n_asked, asked + 1,
		"who has left it to another is asked again when that one goes");
	better.lacks = &tokens;
	put(&w, &better, 3, 3, 10);
	for (int i = 2; i < 5; i++) {
		queue_stir(w.queue);
		queue_run(w.queue, i);
	}
	ok(!queue_lacks(w.queue, some + 1, 1, true),
		"who is not asked any more is in nobody's way");
	w.tokens = 100;
	queue_stir(w.queue);
	queue_run(w.queue, 9);
	order_is(&w, "3 1", "all are served");
	ok(!queue_lacks(w.queue, some, 2, true), "and lack nothing");
	queue_free(w.queue);
}

/* The same order as if each round were gone: those that gather beside a huge one lose nothing. */
static void test_rounds(void)
{
	struct waiter a[5] = {0};
	struct world w;
	world_init(&w);
	put(&w, &a[0], 1, 1, 3 * QUEUE_QUANTUM);
	put(&w, &a[1], 2, 2, 2 * QUEUE_QUANTUM);
	put(&w, &a[2], 3, 2, QUEUE_QUANTUM);
	put(&w, &a[3], 4, 3, 5 * QUEUE_QUANTUM);
	put(&w, &a[4], 5, 4, 4 * QUEUE_QUANTUM + 1);
	queue_run(w.queue, 0);
	order_is(&w, "2 1 3 4 5", "by rounds: the second, the third, the fifth");
	queue_free(w.queue);
}

/* Each is served when it was told that it would be. */
static void test_look(void)
{
	static struct waiter all[300];
	unsigned random = 1;
	size_t wrong = 0;
	for (int round = 0; round < 200; round++) {
		struct world w;
		struct queue_view view[300];
		int64_t before = 0;
		size_t n = 0;
		world_init(&w);
		memset(all, 0, sizeof all);
		for (; n < 300; n++) {
			random = random * 1103515245 + 12345;
			all[n].is_batch = random >> 28 == 0;
			put(&w, &all[n], (int)n, (int)(random >> 16) % 9,
				1 + (random >> 8) % (round % 2 ? 20000 : 900));
		}
		w.tokens = (int64_t)(random >> 16) % 300000; /* stops anywhere */
		queue_run(w.queue, 0);
		const size_t gone = w.n_served;
		for (size_t i = 0; i < n; i++) {
			if (queue_waits(&all[i].place))
				queue_look(&all[i].place, &view[i]);
		}
		w.tokens = NEVER;
		queue_stir(w.queue);
		queue_run(w.queue, 0);
		for (size_t i = gone; i < n; i++) {
			const struct queue_view *v = &view[w.served[i]];
			wrong += v->place != i - gone + 1 || v->tokens_before != before ||
				 v->n != n - gone;
			before += all[w.served[i]].place.cost_tokens;
		}
		queue_free(w.queue);
	}
	is_uint(wrong, 0, "no place of 60,000 was another");
}

/* ---- the same, the slow way ---- */

enum {
	LANES = 3,
	IDENTITIES = 5,
	MODEL_MAX = 64,
};

struct model_turn {
	int identity;
	int64_t deficit;
	bool is_visited, is_passed;
};

/* Rings as arrays, and places as one list of all in the order in which they came. */
struct model {
	struct model_turn ring[LANES][2][IDENTITIES];
	int n_ring[LANES][2];
	struct waiter *all[MODEL_MAX];
	int n;
	int served[20000];
	size_t n_served;
};

static struct waiter *model_first(const struct model *m, int lane, int class, int identity)
{
	for (int i = 0; i < m->n; i++) {
		struct waiter *it = m->all[i];
		if (it->lane == lane && it->is_batch == class && it->identity == identity)
			return it;
	}
	return NULL;
}

static void model_rotate(struct model *m, int lane, int class)
{
	struct model_turn *ring = m->ring[lane][class];
	const int last = m->n_ring[lane][class] - 1;
	struct model_turn first = ring[0];
	first.is_visited = false;
	memmove(ring, ring + 1, (size_t)last * sizeof *ring);
	ring[last] = first;
}

static void model_forget(struct model *m, const struct waiter *it)
{
	int i = 0, *n = &m->n_ring[it->lane][it->is_batch];
	struct model_turn *ring = m->ring[it->lane][it->is_batch];
	while (m->all[i] != it)
		i++;
	memmove(m->all + i, m->all + i + 1, (size_t)(--m->n - i) * sizeof *m->all);
	if (model_first(m, it->lane, it->is_batch, it->identity))
		return;
	for (i = 0; ring[i].identity != it->identity; i++)
		;
	memmove(ring + i, ring + i + 1, (size_t)(--*n - i) * sizeof *ring);
}

static void model_join(struct model *m, struct waiter *it)
{
	int *n = &m->n_ring[it->lane][it->is_batch];
	if (!model_first(m, it->lane, it->is_batch, it->identity))
		m->ring[it->lane][it->is_batch][(*n)++] =
			(struct model_turn){.identity = it->identity};
	m->all[m->n++] = it;
}

/* One of that lane, or nobody. */
static bool model_give(struct model *m, int lane, const struct world *now, int64_t *tokens)
{
	for (int class = 0; class < 2; class ++) {
		for (int idle = 0; idle < m->n_ring[lane][class];) {
			struct model_turn *t = &m->ring[lane][class][0];
			struct waiter *it = model_first(m, lane, class, t->identity);
			if (!it)
				bail("a turn of nobody");
			const int64_t cost = it->place.cost_tokens;
			if (t->is_passed) {
				idle++;
				model_rotate(m, lane, class);
				continue;
			}
			idle = 0;
			const int64_t alone = m->n_ring[lane][class] > 1          ? QUEUE_QUANTUM
					      : cost - t->deficit > QUEUE_QUANTUM ? QUEUE_QUANTUM
					      : cost > t->deficit ? cost - t->deficit
								  : 0;
			t->deficit += t->is_visited ? 0 : alone;
			t->is_visited = true;
			if (cost > t->deficit) {
				model_rotate(m, lane, class);
				continue;
			}
			if (now->is_held[t->identity]) {
				t->is_passed = true;
				t->deficit = t->deficit > cost ? cost : t->deficit;
				model_rotate(m, lane, class);
				continue;
			}
			if (cost > *tokens)
				return false;
			*tokens -= cost;
			t->deficit -= cost;
			m->served[m->n_served++] = it->id;
			model_forget(m, it);
			return true;
		}
	}
	return false;
}

/* Lanes in the order in which they were served last, which the world's run tells by whom it served. */
static void model_run(struct model *m, const struct world *now, int order[LANES], int64_t tokens)
{
	bool is_served = true;
	for (int lane = 0; lane < LANES; lane++) {
		for (int i = 0; i < IDENTITIES; i++)
			m->ring[lane][0][i].is_passed = m->ring[lane][1][i].is_passed = false;
	}
	while (is_served) {
		int round[LANES];
		is_served = false;
		memcpy(round, order, sizeof round);
		for (int i = 0; i < LANES; i++) {
			if (!model_give(m, round[i], now, &tokens))
				continue;
			is_served = true;
			int at = 0;
			while (order[at] != round[i])
				at++;
			memmove(order + at, order + at + 1,
				(size_t)(LANES - 1 - at) * sizeof *order);
			order[LANES - 1] = round[i];
		}
	}
}

static unsigned draw(unsigned *random, unsigned below)
{
	*random = *random * 1103515245 + 12345;
	return (*random >> 12) % below;
}

/* Each lane keeps somebody who cannot be served, so that all three are always there and in an order that is known. */
static void test_model(void)
{
	static struct model m;
	static struct waiter all[MODEL_MAX], stays[LANES];
	struct world w;
	unsigned random = 42;
	int order[LANES] = {0, 1, 2};
	size_t wrong = 0, served = 0;
	world_init(&w);
	memset(&m, 0, sizeof m);
	w.is_held[IDENTITIES - 1] = true;
	for (int lane = 0; lane < LANES; lane++) {
		stays[lane].lane = lane;
		put(&w, &stays[lane], -1, IDENTITIES - 1, 1);
		model_join(&m, &stays[lane]);
	}
	for (int round = 0; round < 20000; round++) {
		struct waiter *it = &all[draw(&random, MODEL_MAX - LANES)];
		if (queue_waits(&it->place) && draw(&random, 3) == 0) {
			queue_leave(&it->place);
			model_forget(&m, it);
		} else if (!queue_waits(&it->place)) {
			*it = (struct waiter){.lane = (int)draw(&random, LANES),
				.is_batch = draw(&random, 3) == 0};
			put(&w, it, (int)(it - all), (int)draw(&random, IDENTITIES - 1),
				1 + draw(&random, draw(&random, 2)   ? 200
						  : draw(&random, 8) ? 9000
								     : 90000));
			model_join(&m, it);
		}
		if (draw(&random, 4) > 0)
			continue;
		for (int i = 0; i < IDENTITIES - 1; i++)
			w.is_held[i] = draw(&random, 4) == 0;
		w.tokens = draw(&random, draw(&random, 8) ? 20000 : 200000);
		w.n_served = m.n_served = 0;
		model_run(&m, &w, order, w.tokens);
		queue_stir(w.queue);
		queue_run(w.queue, round);
		served += w.n_served;
		wrong += w.n_served != m.n_served ||
			 memcmp(w.served, m.served, w.n_served * sizeof *w.served) != 0;
		wrong += queue_n(w.queue) != (size_t)m.n;
	}
	is_uint(wrong, 0, "as the slow model has it");
	ok(served > 5000, "of %zu that were served", served);
	for (size_t i = 0; i < COUNT_OF(all); i++)
		queue_leave(&all[i].place);
	for (int lane = 0; lane < LANES; lane++)
		queue_leave(&stays[lane].place);
	is_uint(queue_n(w.queue), 0, "nobody is left");
	queue_free(w.queue);
}

/* What all lanes share goes round. */
static void test_lanes(void)
{
	static struct waiter all[30];
	struct world w;
	world_init(&w);
	memset(all, 0, sizeof all);
	for (int i = 0; i < 30; i++) {
		all[i].lane = i / 10;
		put(&w, &all[i], i / 10, 1, 1);
	}
	for (int i = 0; i < 6; i++) {
		w.tokens = 1;
		queue_stir(w.queue);
		queue_run(w.queue, i);
	}
	order_is(&w, "0 1 2 0 1 2", "one at a time, and each lane has its turn");
	for (int i = 0; i < 30; i++)
		queue_leave(&all[i].place);
	queue_free(w.queue);
}

int main(void)
{
	test_order();
	test_fair();
	test_shares();
	test_waiting();
	test_inside();
	test_full();
	test_huge();
	test_lacks();
	test_rounds();
	test_look();
	test_lanes();
	test_model();
	return tap_done();
}
