/* health.c - a tree: providers, their keys, the models with each; a breaker at every place of it. */
#include "brokerd/route/health.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "brokerd/route/pace.h"
#include "brokerd/route/silence.h"
#include "protocol/base/list.h"
#include "protocol/base/num.h"
#include "protocol/base/table.h"

#define TOLD_MAX_US INT64_C(86400000000) /* a day */
#define TENTHS      INT64_C(10)          /* of a retry: what each attempt adds to the reserve */
#define RESERVE     (10 * TENTHS)
#define DOUBLINGS   62u

/* Who may go when there are too many. */
enum standing {
	HELD, /* not this one: it is in use */
	WELL,
	UNWELL,
	STANDINGS,
};

struct health_record {
	TABLE_LINK;
	struct health_record *prev, *next; /* of its standing, the one used longest ago first */
	struct health_record *wider;       /* NULL: it is an endpoint */
	struct health_record *narrower;    /* a table, by name */
	enum health_place place;
	enum standing standing;
	unsigned in_flight;

	bool is_open; /* resting, or half-open behind its rest */
	bool has_last, spares_only;
	int64_t until_us;               /* of its rest */
	const struct health_try *probe; /* NULL: none */
	int64_t last_us;                /* has_last: when one was let through since it is open */
	unsigned doublings;
	unsigned row;                   /* failures since it last was well */
	int64_t at_us[HEALTH_FAILURES]; /* when the last ones were, those before a success too */
	unsigned n_at;                  /* so many, a ring */
	uint64_t closed, opened;        /* what has a number up to this began before it last was */
	struct fault *why;              /* NULL: it is closed */

	int64_t reserve, reserve_us; /* of an endpoint, in tenths, and as of when */
	struct pace *pace;           /* of a model; NULL: nothing came yet */
	struct silence *silence;     /* so too: of what comes in pieces, and of what comes whole */
	size_t name_n;
	char name[];
};

struct health {
	struct health_record *endpoints; /* a table, by name */
	struct health_record *lists[STANDINGS];
	size_t n_listed[STANDINGS];
	size_t n;
	uint64_t number; /* of health_try */
};

/* All of it is small, and there is nothing to be done without it. */
static void *zeroed(size_t n)
{
	void *p = calloc(1, n);
	if (!p)
		abort();
	return p;
}

/* ---- who is remembered ---- */

static void unlist(struct health *h, struct health_record *r)
{
	if (r->standing != HELD) {
		LIST_REMOVE(h->lists[r->standing], r);
		h->n_listed[r->standing]--;
	}
	r->standing = HELD;
}

/* Puts it where it belongs now: behind those of its standing, where that is another than before. */
static void list(struct health *h, struct health_record *r)
{
	const enum standing standing = r->in_flight > 0 || r->narrower ? HELD
				       : r->is_open                    ? UNWELL
								       : WELL;
	if (standing == r->standing)
		return;
	unlist(h, r);
	r->standing = standing;
	if (standing == HELD)
		return;
	LIST_PUSH(h->lists[standing], r);
	h->n_listed[standing]++;
}

static void drop(struct health *h, struct health_record *r)
{
	struct health_record *wider = r->wider;
	unlist(h, r);
	if (wider)
		TABLE_REMOVE(wider->narrower, r);
	else
		TABLE_REMOVE(h->endpoints, r);
	h->n--;
	free(r->pace);
	free(r->silence);
	free(r->why);
	free(r);
	if (!wider || wider->narrower)
		return;
	/* it was used as long ago as the last of those under it */
	list(h, wider);
	if (wider->standing != HELD) {
		LIST_REMOVE(h->lists[wider->standing], wider);
		LIST_FRONT(h->lists[wider->standing], wider);
	}
}

static void make_room(struct health *h)
{
	while (h->n >= HEALTH_PLACES) {
		struct health_record *r = h->n_listed[UNWELL] > HEALTH_PLACES / 2 || !h->lists[WELL]
						  ? h->lists[UNWELL]
						  : h->lists[WELL];
		if (!r)
			return;
		drop(h, r);
	}
}

static struct span name_of(const struct health_subject *s, enum health_place place)
{
	const struct span name = place == HEALTH_ENDPOINT ? s->provider
				 : place == HEALTH_KEY    ? s->key
							  : s->model;
	return span_is_set(name) ? name : SPAN("");
}

static struct health_record *find(struct health_record *table, struct span name)
{
	struct health_record *r;
	TABLE_FIND(table, r, name.p, name.n);
	return r;
}

/* Found or made; `wider` is in use, or it might have to make room. */
static struct health_record *record(
	struct health *h, struct health_record *wider, struct span name, int64_t now_us)
{
	struct health_record *r = find(wider ? wider->narrower : h->endpoints, name);
	if (r)
		return r;
	make_room(h);
	r = zeroed(sizeof *r + name.n);
	r->place = wider ? wider->place + 1 : HEALTH_ENDPOINT;
	r->wider = wider;
	r->reserve = RESERVE;
	r->reserve_us = now_us;
	r->name_n = name.n;
	memcpy(r->name, name.p, name.n);
	if (wider)
		TABLE_ADD(wider->narrower, r, r->name, r->name_n);
	else
		TABLE_ADD(h->endpoints, r, r->name, r->name_n);
	h->n++;
	list(h, r);
	return r;
}

struct health *health_new(void)
{
	return calloc(1, sizeof(struct health));
}

void health_free(struct health *h)
{
	if (!h)
		return;
	struct health_record *e, *k, *m, *after_e, *after_k, *after_m;
	TABLE_EACH(h->endpoints, e, after_e) {
		TABLE_EACH(e->narrower, k, after_k) {
			TABLE_EACH(k->narrower, m, after_m)
				drop(h, m);
			drop(h, k);
		}
		drop(h, e);
	}
	free(h);
}

size_t health_size(const struct health *h)
{
	return h->n;
}

/* ---- one breaker ---- */

static enum health_state state(const struct health_record *r, int64_t now_us)
{
	if (!r->is_open)
		return HEALTH_CLOSED;
	if (now_us < r->until_us)
		return HEALTH_OPEN;
	return r->probe && now_us < num_add_sat(r->probe->begun_us, HEALTH_PROBE_US)
		       ? HEALTH_PROBED
		       : HEALTH_HALF_OPEN;
}

static void close_breaker(struct health *h, struct health_record *r)
{
	r->row = 0;
	if (!r->is_open)
		return;
	free(r->why);
	r->why = NULL;
	r->is_open = r->has_last = false;
	r->probe = NULL;
	r->doublings = r->n_at = 0;
	r->closed = h->number;
	list(h, r);
}

static bool is_told(const struct health_rule *rule, const struct fault *why)
{
	return rule->is_as_told && why->retry_after_ms >= 0;
}

static int64_t rest_us(
	const struct health_record *r, const struct health_rule *rule, const struct fault *why)
{
	if (is_told(rule, why)) {
		const int64_t told_us = num_mul_sat(why->retry_after_ms, 1000);
		return told_us < TOLD_MAX_US ? told_us : TOLD_MAX_US;
	}
	const int64_t rest_us = num_mul_sat(rule->rest_us, INT64_C(1) << r->doublings);
	const int64_t most_us =
		rule->rest_max_us > rule->rest_us ? rule->rest_max_us : rule->rest_us;
	return rest_us < most_us ? rest_us : most_us;
}

static void open_breaker(struct health *h, struct health_record *r, int64_t until_us,
	const struct health_rule *rule, const struct fault *why)
{
	if (!r->why)
		r->why = zeroed(sizeof *r->why);
	*r->why = *why;
	r->spares_only = rule->spares_only;
	r->is_open = true;
	r->until_us = until_us;
	list(h, r);
}

static void note_failure(struct health_record *r, int64_t now_us)
{
	if (r->row < UINT_MAX)
		r->row++;
	r->at_us[r->n_at % HEALTH_FAILURES] = now_us;
	/* beyond two rounds the number says no more than that the ring is full */
	r->n_at = r->n_at + 1 < 2 * HEALTH_FAILURES ? r->n_at + 1 : HEALTH_FAILURES;
}

/* Is the failure that was just noted one too many? */
static bool is_enough(const struct health_record *r, const struct health_rule *rule, int64_t now_us)
{
	if (rule->window_us == 0 || rule->failures <= 1)
		return r->row >= rule->failures;
	if (r->n_at < rule->failures)
		return false;
	const int64_t first_us = r->at_us[(r->n_at - rule->failures) % HEALTH_FAILURES];
	return num_add_sat(first_us, rule->window_us) >= now_us;
}

/* Was it let through as a probe since it last opened, be it that another was since then? */
static bool is_probe_of(const struct health_record *r, const struct health_try *t)
{
	return r->is_open && t->probed[r->place - 1] && t->number > r->opened;
}

static void count_failure(struct health *h, struct health_record *r, const struct health_try *t,
	const struct health_rule *rule, const struct fault *why, int64_t now_us)
{
	const bool is_probe = is_probe_of(r, t);
	if (r->is_open && !is_probe) {
		const int64_t told_us = num_add_sat(now_us, rest_us(r, rule, why));
		if (is_told(rule, why) && told_us > r->until_us)
			open_breaker(h, r, told_us, rule, why);
		return;
	}
	if (!is_probe && t->number <= r->closed)
		return;
	note_failure(r, now_us);
	if (!is_probe && !is_enough(r, rule, now_us))
		return;
	if (is_probe && !is_told(rule, why) && r->doublings < DOUBLINGS)
		r->doublings++;
	r->probe = NULL;
	r->opened = h->number;
	open_breaker(h, r, num_add_sat(now_us, rest_us(r, rule, why)), rule, why);
}

/* ---- a target ---- */

/* Those of its places that are remembered; the number of them. */
static size_t find_all(const struct health *h, const struct health_subject *s,
	const struct health_record *out[HEALTH_MODEL])
{
	struct health_record *table = h->endpoints;
	size_t n = 0;
	while (n < HEALTH_MODEL && table) {
		struct health_record *r = find(table, name_of(s, (enum health_place)(n + 1)));
		if (!r)
			break;
		out[n++] = r;
		table = r->narrower;
	}
	return n;
}

/* The higher, the more it stands in the way. */
static unsigned height(enum health_state s)
{
	switch (s) {
	case HEALTH_CLOSED:
		return 0;
	case HEALTH_HALF_OPEN:
		return 1;
	case HEALTH_PROBED:
		return 2;
	case HEALTH_OPEN:
		return 3;
	}
	return 0;
}

/* Is `a` more in the way than `b`, which may be NULL? */
static bool is_worse(const struct health_record *a, const struct health_record *b, int64_t now_us)
{
	const unsigned x = height(state(a, now_us)), y = b ? height(state(b, now_us)) : 0;
	return x != y ? x > y : b && state(a, now_us) == HEALTH_OPEN && a->until_us > b->until_us;
}

static bool is_let_through(const struct health_record *r, int64_t now_us, bool is_only)
{
	const enum health_state s = state(r, now_us);
	if (s == HEALTH_CLOSED || s == HEALTH_HALF_OPEN)
		return true;
	const int64_t each_us =
		r->place == HEALTH_ENDPOINT ? HEALTH_LAST_ENDPOINT_US : HEALTH_LAST_US;
	return is_only &&
	       (r->spares_only || !r->has_last || num_add_sat(r->last_us, each_us) <= now_us);
}

/* `worst` NULL: all is well. */
static void show(const struct health_record *const places[HEALTH_MODEL], size_t n,
	const struct health_record *worst, int64_t now_us, struct health_view *out)
{
	const struct health_record *model = n == HEALTH_MODEL ? places[HEALTH_MODEL - 1] : NULL;
	out->state = worst ? state(worst, now_us) : HEALTH_CLOSED;
	out->place = worst ? worst->place : HEALTH_NOWHERE;
	out->until_us = out->state == HEALTH_OPEN ? worst->until_us : 0;
	if (worst)
		out->why = *worst->why;
	else
		fault_clear(&out->why);
	out->in_flight = model ? model->in_flight : 0;
	out->first_us = model && model->pace ? pace_first_us(model->pace, now_us) : -1;
	out->p95_us = model && model->pace ? pace_p95_us(model->pace, HEALTH_KNOWN, now_us) : -1;
}

static const struct health_record *worst_of(
	const struct health_record *const places[HEALTH_MODEL], size_t n, int64_t now_us)
{
	const struct health_record *worst = NULL;
	for (size_t i = 0; i < n; i++) {
		if (is_worse(places[i], worst, now_us))
			worst = places[i];
	}
	return worst;
}

void health_look(const struct health *h, const struct health_subject *s, int64_t now_us,
	struct health_view *out)
{
	const struct health_record *places[HEALTH_MODEL];
	const size_t n = find_all(h, s, places);
	show(places, n, worst_of(places, n, now_us), now_us, out);
}

bool health_may_ask(const struct health *h, const struct health_subject *s, int64_t now_us,
	bool is_only, struct health_view *view)
{
	const struct health_record *places[HEALTH_MODEL], *in_the_way = NULL;
	const size_t n = find_all(h, s, places);
	for (size_t i = 0; i < n; i++) {
		if (!is_let_through(places[i], now_us, is_only) &&
			is_worse(places[i], in_the_way, now_us))
			in_the_way = places[i];
	}
	show(places, n, in_the_way ? in_the_way : worst_of(places, n, now_us), now_us, view);
	return !in_the_way;
}

/* ---- an attempt ---- */

/* As the probe of what is half-open; else, where it rests or is probed, as one that was let through nonetheless. */
static void pass(struct health_record *r, struct health_try *t, int64_t now_us)
{
	if (!r->is_open)
		return;
	r->has_last = true;
	r->last_us = now_us;
	if (state(r, now_us) != HEALTH_HALF_OPEN)
		return;
	r->probe = t;
	t->is_probe = t->probed[r->place - 1] = true;
}

/* Brings the reserve of an endpoint up to date. */
static void refill(struct health_record *r, int64_t now_us)
{
	const int64_t tenth_us = HEALTH_RETRY_US / TENTHS;
	const int64_t n = now_us > r->reserve_us ? (now_us - r->reserve_us) / tenth_us : 0;
	if (r->reserve + n >= RESERVE) {
		r->reserve = RESERVE;
		r->reserve_us = now_us;
		return;
	}
	r->reserve += n;
	r->reserve_us += n * tenth_us;
}

void health_begin(
	struct health *h, const struct health_subject *s, int64_t now_us, struct health_try *t)
{
	struct health_record *wider = NULL;
	assert(!t->health);
	*t = (struct health_try){.health = h, .begun_us = now_us, .number = ++h->number};
	for (size_t i = 0; i < HEALTH_MODEL; i++) {
		struct health_record *r =
			record(h, wider, name_of(s, (enum health_place)(i + 1)), now_us);
		r->in_flight++;
		list(h, r);
		pass(r, t, now_us);
		t->places[i] = wider = r;
	}
	t->places[0]->reserve++;
	refill(t->places[0], now_us);
}

static void all_well(struct health_try *t)
{
	for (size_t i = 0; i < HEALTH_MODEL; i++)
		close_breaker(t->health, t->places[i]);
	/* what becomes of it from here on is younger than this */
	t->number = ++t->health->number;
}

static void end_rows(struct health_try *t)
{
	for (size_t i = 0; i < HEALTH_MODEL; i++) {
		if (!t->places[i]->is_open)
			t->places[i]->row = 0;
	}
}

void health_first(struct health_try *t, int64_t now_us)
{
	if (!t->health || t->has_first)
		return;
	struct health_record *model = t->places[HEALTH_MODEL - 1];
	t->has_first = true;
	all_well(t);
	if (!model->pace)
		model->pace = zeroed(sizeof *model->pace);
	if (!model->silence)
		model->silence = zeroed(2 * sizeof *model->silence);
	pace_add(model->pace, now_us - t->begun_us, now_us);
	silence_add(&model->silence[t->is_whole], now_us - t->begun_us, now_us);
}

int64_t health_silence_us(const struct health_try *t, int64_t now_us)
{
	static const struct silence nothing = {.n = 0};
	const struct health_record *model = t->places[HEALTH_MODEL - 1];
	const struct silence *s = model->silence ? &model->silence[t->is_whole] : &nothing;
	return silence_us(s, t->is_whole ? HEALTH_SILENCE_WHOLE_US : HEALTH_SILENCE_US,
		model->is_open ? s->last_us : now_us);
}

/* Nobody knows how long it would have taken, but longer than this. */
static void note_patience(struct health_try *t, int64_t now_us)
{
	struct pace *pace = t->places[HEALTH_MODEL - 1]->pace;
	const int64_t waited_us = now_us - t->begun_us;
	if (pace && !t->has_first && waited_us > pace_first_us(pace, now_us))
		pace_add(pace, waited_us, now_us);
}

void health_end(struct health_try *t, bool is_good, const struct health_rule *rule,
	const struct fault *why, int64_t now_us)
{
	struct health *const h = t->health;
	if (!h)
		return;
	assert(!rule || (why && !is_good && rule->failures <= HEALTH_FAILURES));
	const enum health_place place = rule ? rule->place : HEALTH_NOWHERE;
	const bool is_answer = why && why->http_status > 0;
	if (is_good && !t->has_first)
		all_well(t);
	else if (is_good)
		end_rows(t);
	else if (is_answer && place != HEALTH_ENDPOINT)
		close_breaker(h, t->places[HEALTH_ENDPOINT - 1]);
	else if (!rule)
		note_patience(t, now_us);
	if (place != HEALTH_NOWHERE)
		count_failure(h, t->places[place - 1], t, rule, why, now_us);
	for (size_t i = HEALTH_MODEL; i-- > 0;) {
		struct health_record *r = t->places[i];
		if (r->probe == t)
			r->probe = NULL;
		r->in_flight--;
		list(h, r);
	}
	t->health = NULL;
}

bool health_take_retry(struct health *h, struct span provider, int64_t now_us)
{
	const struct health_subject s = {.provider = provider};
	struct health_record *r = record(h, NULL, name_of(&s, HEALTH_ENDPOINT), now_us);
	refill(r, now_us);
	if (r->reserve < TENTHS)
		return false;
	r->reserve -= TENTHS;
	return true;
}

/* ---- all of them ---- */

/* As if nothing had ever failed there. */
static void forgive(struct health *h, struct health_record *r)
{
	close_breaker(h, r);
	r->n_at = 0;
	r->closed = h->number;
}

static void forgive_key(struct health *h, struct health_record *k)
{
	struct health_record *m, *after;
	forgive(h, k);
	TABLE_EACH(k->narrower, m, after)
		forgive(h, m);
}

static void forgive_endpoint(struct health *h, struct health_record *e)
{
	struct health_record *k, *after;
	forgive(h, e);
	TABLE_EACH(e->narrower, k, after)
		forgive_key(h, k);
}

void health_forget(struct health *h, struct span provider, struct span key)
{
	struct health_record *e, *after;
	if (!span_is_set(provider)) {
		TABLE_EACH(h->endpoints, e, after)
			forgive_endpoint(h, e);
		return;
	}
	e = find(h->endpoints, provider);
	if (e && !span_is_set(key))
		forgive_endpoint(h, e);
	struct health_record *k = e && span_is_set(key) ? find(e->narrower, key) : NULL;
	if (k)
		forgive_key(h, k);
}

static struct span name_in(const struct health_record *r)
{
	return span_of(r->name, r->name_n);
}

const char *health_state_word(enum health_state s)
{
	switch (s) {
	case HEALTH_CLOSED:
		return "closed";
	case HEALTH_OPEN:
		return "open";
	case HEALTH_HALF_OPEN:
		return "half_open";
	case HEALTH_PROBED:
		return "probed";
	}
	return "";
}

static int64_t ms_up(int64_t us)
{
	return us / 1000 + (us % 1000 > 0);
}

static void put_record(
	const struct health_record *r, int64_t now_us, bool is_all, struct json_out *o)
{
	static const char *const members[] = {"provider", "key", "model"};
	const struct health_record *path[HEALTH_MODEL] = {NULL};
	const struct health_record *at = r;
	json_open(o, '{');
	for (size_t i = r->place; i-- > 0; at = at->wider)
		path[i] = at;
	for (size_t i = 0; i < r->place; i++)
		json_pair_str(o, members[i], name_in(path[i]));
	json_pair_str(o, "state", span_str(health_state_word(state(r, now_us))));
	if (state(r, now_us) == HEALTH_OPEN)
		json_pair_i64(o, "until_ms", ms_up(r->until_us - now_us));
	if (r->why) {
		json_pair_str(o, "class", span_str(err_info(r->why->err)->word));
		json_pair_str(o, "why", span_str(r->why->message));
	}
	json_pair_i64(o, "failures", r->row);
	if (is_all) {
		const int64_t first_us = r->pace ? pace_first_us(r->pace, now_us) : -1;
		const int64_t p95_us = r->pace ? pace_p95_us(r->pace, HEALTH_KNOWN, now_us) : -1;
		json_pair_i64(o, "in_flight", r->in_flight);
		if (first_us >= 0)
			json_pair_i64(o, "first_ms", ms_up(first_us));
		if (p95_us >= 0)
			json_pair_i64(o, "p95_ms", ms_up(p95_us));
	}
	json_close(o, '}');
}

/* What is under way while a tree is walked. */
struct writing {
	struct json_out *o;
	int64_t now_us;
	bool is_all;
	size_t n_well, n_unwell; /* so many are still to be written */
	size_t n_more;
};

static void count(struct writing *w, const struct health_record *r)
{
	if (r->is_open)
		w->n_unwell++;
	else if (w->is_all)
		w->n_well++;
}

static void put(struct writing *w, const struct health_record *r)
{
	size_t *n = r->is_open ? &w->n_unwell : &w->n_well;
	if (*n == 0)
		return;
	--*n;
	put_record(r, w->now_us, w->is_all, w->o);
}

/* From the widest, in the order of their coming. */
static void walk(const struct health *h, struct writing *w,
	void (*each)(struct writing *w, const struct health_record *r))
{
	struct health_record *e, *k, *m, *after_e, *after_k, *after_m;
	TABLE_EACH(h->endpoints, e, after_e) {
		each(w, e);
		TABLE_EACH(e->narrower, k, after_k) {
			each(w, k);
			TABLE_EACH(k->narrower, m, after_m)
				each(w, m);
		}
	}
}

/* Lets so many of `*n` be written as there is room for. */
static size_t cut(struct writing *w, size_t *n, size_t room)
{
	const size_t left = *n < room ? *n : room;
	w->n_more += *n - left;
	*n = left;
	return room - left;
}

void health_json(const struct health *h, int64_t now_us, bool is_all, struct json_out *o)
{
	struct writing w = {.o = o, .now_us = now_us, .is_all = is_all};
	walk(h, &w, count);
	cut(&w, &w.n_well, cut(&w, &w.n_unwell, HEALTH_JSON));
	json_open(o, '[');
	walk(h, &w, put);
	if (w.n_more > 0) {
		json_open(o, '{');
		json_pair_i64(o, "more", (int64_t)w.n_more);
		json_close(o, '}');
	}
	json_close(o, ']');
}
