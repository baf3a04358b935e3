/* test_health_model.c - is health as a slow one has it that remembers all that ever happened?
 * Random attempts, ends, retries and changes of keys; the slow one keeps a list of them, and goes through it from the
 * beginning each time that it is asked of a place. In a second kind of run there are more models than there is room for, and
 * the slow one looks through all of them for the one that has to go. A seed is a run; `test_health_model SEED` repeats one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "brokerd/route/health.h"
#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)
#define DAY_US    (24 * HOUR_US)

enum {
	RUNS = 200,
	STEPS = 400,
	TRIES = 24,
	NAMES = 2, /* providers, keys, models: so many of each */
	RULES = 12,
	ROOM_RUNS = 4,
	ROOM_STEPS = 12000,
	MODELS = 6000,
};

static uint64_t state;

static int64_t random_below(int64_t n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)((state >> 33) % (uint64_t)n);
}

static bool one_in(int64_t n)
{
	return random_below(n) == 0;
}

/* ---- what happened ---- */

/* Names by number: of a place those down to its own, and -1 behind. */
struct names {
	int n[3];
};

enum kind {
	BEGIN,
	FIRST,
	GOOD,
	NEUTRAL,
	FAILED,
	RETRY,  /* was taken */
	FORGET, /* -1: all */
};

struct happening {
	enum kind kind;
	int64_t at_us;
	struct names who;
	size_t begun;   /* of a FIRST or an end: its BEGIN */
	bool has_first; /* of an end */
	const struct health_rule *rule;
	struct fault why;
};

static struct {
	struct happening log[STEPS];
	size_t n;
	struct health *health;
	int64_t now_us;
	struct health_rule rules[RULES];
	struct {
		struct health_try t;
		size_t begun;
	} tries[TRIES];
	int64_t n_names;
	int64_t calm; /* of so many attempts one goes well */
	int64_t n_open, n_half, n_probed, n_only, n_late, n_followed, n_paced;
	int64_t n_bad;
	char first_bad[200];
} w;

static const char *const texts[3][NAMES] = {
	{"openai", "groq" },
        {"",       "work" },
        {"gpt-4o", "llama"}
};

static void bad(const char *what, int64_t is, int64_t want)
{
	if (w.n_bad++ == 0)
		(void)snprintf(w.first_bad, sizeof w.first_bad,
			"step %zu, %s: %" PRId64 ", not %" PRId64, w.n, what, is, want);
}

static struct health_subject subject(struct names who)
{
	return (struct health_subject){span_str(texts[0][who.n[0]]),
		who.n[1] == 0 && one_in(2) ? SPAN_NONE : span_str(texts[1][who.n[1]]),
		span_str(texts[2][who.n[2]])};
}

/* ---- the slow one ---- */

static bool is_under(struct names who, struct names place)
{
	for (int i = 0; i < 3; i++) {
		if (place.n[i] >= 0 && place.n[i] != who.n[i])
			return false;
	}
	return true;
}

static enum health_place width(struct names place)
{
	return place.n[2] >= 0 ? HEALTH_MODEL : place.n[1] >= 0 ? HEALTH_KEY : HEALTH_ENDPOINT;
}

/* A place as it is when all of the log has happened. */
struct slow {
	bool is_open;
	size_t closed;             /* when it last was: of what happened before nothing counts */
	int64_t until_us, last_us; /* last_us -1: none was let through */
	size_t probe;              /* its BEGIN; SIZE_MAX: none */
	int64_t probed_us;         /* when that was */
	bool probes[STEPS];        /* BEGINs that were one since it opened */
	int times;                 /* that it failed when it was tried again */
	const struct fault *why;
	unsigned row, in_flight;
	int64_t failures[STEPS];
	unsigned n_failures;
};

static enum health_state state_of(const struct slow *s, int64_t now_us)
{
	return !s->is_open                                                       ? HEALTH_CLOSED
	       : now_us < s->until_us                                            ? HEALTH_OPEN
	       : s->probe != SIZE_MAX && now_us - s->probed_us < HEALTH_PROBE_US ? HEALTH_PROBED
										 : HEALTH_HALF_OPEN;
}

static void slow_close(struct slow *s, size_t at)
{
	s->row = 0;
	if (s->is_open) {
		s->n_failures = 0;
		s->closed = at;
	}
	s->is_open = false;
	s->probe = SIZE_MAX;
	memset(s->probes, 0, sizeof s->probes);
}

/* When what it says counts from: its first content, or its beginning. */
static size_t said_at(const struct happening *e)
{
	size_t at = e->begun;
	for (size_t i = e->begun; i < (size_t)(e - w.log); i++) {
		if (w.log[i].kind == FIRST && w.log[i].begun == e->begun)
			at = i;
	}
	return at;
}

static bool is_too_many(const struct slow *s, const struct happening *e)
{
	unsigned n = 0;
	if (e->rule->window_us == 0 || e->rule->failures == 1)
		return s->row >= e->rule->failures;
	for (unsigned i = 0; i < s->n_failures; i++)
		n += e->at_us - s->failures[i] <= e->rule->window_us;
	return n >= e->rule->failures;
}

static void slow_fail(struct slow *s, const struct happening *e)
{
	const bool is_told = e->rule->is_as_told && e->why.retry_after_ms >= 0;
	const int64_t told_us =
		e->why.retry_after_ms > DAY_US / 1000 ? DAY_US : e->why.retry_after_ms * 1000;
	const bool is_probe = s->is_open && s->probes[e->begun];
	w.n_followed += is_probe && s->probe != e->begun && e == &w.log[w.n - 1];
	int64_t rest_us = e->rule->rest_us;
	if (s->is_open && !is_probe) {
		w.n_late += e == &w.log[w.n - 1];
		if (is_told && e->at_us + told_us > s->until_us) {
			s->until_us = e->at_us + told_us;
			s->why = &e->why;
		}
		return;
	}
	if (!is_probe && said_at(e) < s->closed)
		return;
	s->row++;
	s->failures[s->n_failures++] = e->at_us;
	if (!is_probe && !is_too_many(s, e))
		return;
	if (!s->is_open) {
		s->times = 0;
		s->last_us = -1;
	}
	s->times += is_probe && !is_told;
	for (int i = 0; i < s->times && rest_us < e->rule->rest_max_us; i++)
		rest_us = rest_us * 2 < e->rule->rest_max_us ? rest_us * 2 : e->rule->rest_max_us;
	s->is_open = true;
	s->probe = SIZE_MAX;
	memset(s->probes, 0, sizeof s->probes);
	s->until_us = e->at_us + (is_told ? told_us : rest_us);
	s->why = &e->why;
}

static void slow_begin(struct slow *s, const struct happening *e, size_t i)
{
	s->in_flight++;
	if (!s->is_open)
		return;
	s->last_us = e->at_us;
	if (state_of(s, e->at_us) == HEALTH_HALF_OPEN) {
		s->probe = i;
		s->probes[i] = true;
		s->probed_us = e->at_us;
	}
}

static void slow_end(struct slow *s, const struct happening *e, size_t i, enum health_place place)
{
	s->in_flight--;
	if (e->kind == GOOD && !e->has_first)
		slow_close(s, i);
	if (e->kind == GOOD && !s->is_open)
		s->row = 0;
	const enum health_place blamed = e->rule ? e->rule->place : HEALTH_NOWHERE;
	if (e->kind != GOOD && e->why.http_status > 0 && place == HEALTH_ENDPOINT &&
		blamed != place)
		slow_close(s, i);
	if (e->kind == FAILED && blamed == place)
		slow_fail(s, e);
	if (s->probe == e->begun)
		s->probe = SIZE_MAX;
}

static void replay(struct names place, struct slow *s)
{
	memset(s, 0, sizeof *s);
	s->probe = SIZE_MAX;
	for (size_t i = 0; i < w.n; i++) {
		const struct happening *e = &w.log[i];
		if (e->kind == FORGET) {
			/* of all, of a provider, of one key and the models with it */
			const bool is_meant = e->who.n[1] < 0 || (place.n[1] == e->who.n[1]);
			if (!is_meant || (e->who.n[0] >= 0 && e->who.n[0] != place.n[0]))
				continue;
			slow_close(s, i);
			s->n_failures = 0;
			s->closed = i;
			continue;
		}
		if (e->kind == RETRY || !is_under(e->who, place))
			continue;
		if (e->kind == BEGIN)
			slow_begin(s, e, i);
		else if (e->kind == FIRST)
			slow_close(s, i);
		else
			slow_end(s, e, i, width(place));
	}
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* Of the first contents that came there. */
static int64_t slow_p95_us(struct names model, int64_t now_us)
{
	int64_t took_us[64];
	size_t n = 0;
	for (size_t i = w.n; i-- > 0 && n < 64;) {
		const struct happening *e = &w.log[i];
		if (e->kind == FIRST && is_under(e->who, model) && e->at_us >= now_us - HOUR_US)
			took_us[n++] = e->at_us - w.log[e->begun].at_us;
	}
	if (n < HEALTH_KNOWN)
		return -1;
	qsort(took_us, n, sizeof *took_us, by_size);
	size_t k = 0;
	while ((k + 1) * 100 < n * 95)
		k++;
	return took_us[k] < UINT32_MAX ? took_us[k] : UINT32_MAX;
}

/* As water that flows in, a tenth of a retry in six seconds and one with each attempt. */
static bool slow_may_retry(int provider)
{
	const int64_t tenth_us = HEALTH_RETRY_US / 10, full_us = 10 * HEALTH_RETRY_US;
	int64_t level_us = full_us, at_us = 0;
	for (size_t i = 0; i <= w.n; i++) {
		const struct happening *e = &w.log[i];
		const int64_t to_us = i < w.n ? e->at_us : w.now_us;
		level_us = level_us + to_us - at_us < full_us ? level_us + to_us - at_us : full_us;
		at_us = to_us;
		if (i == w.n || e->who.n[0] != provider)
			continue;
		if (e->kind == BEGIN)
			level_us = level_us + tenth_us < full_us ? level_us + tenth_us : full_us;
		if (e->kind == RETRY)
			level_us -= HEALTH_RETRY_US;
	}
	return level_us >= HEALTH_RETRY_US;
}

/* ---- both ---- */

static bool is_passed(const struct slow *s, enum health_place place, bool is_only)
{
	const enum health_state is = state_of(s, w.now_us);
	if (is == HEALTH_CLOSED || is == HEALTH_HALF_OPEN)
		return true;
	const int64_t each_us = place == HEALTH_ENDPOINT ? HEALTH_LAST_ENDPOINT_US : HEALTH_LAST_US;
	return is_only && (s->last_us < 0 || w.now_us - s->last_us >= each_us);
}

/* The one that is most in the way; -1: all are closed. */
static int worst_of(const struct slow s[3], bool is_only, bool is_all)
{
	static const int heights[] = {[HEALTH_CLOSED] = 0,
		[HEALTH_HALF_OPEN] = 1,
		[HEALTH_PROBED] = 2,
		[HEALTH_OPEN] = 3};
	int worst = -1;
	for (int i = 0; i < 3; i++) {
		const enum health_state is = state_of(&s[i], w.now_us);
		if (is == HEALTH_CLOSED ||
			(!is_all && is_passed(&s[i], (enum health_place)(i + 1), is_only)))
			continue;
		const int more =
			worst < 0 ? 1 : heights[is] - heights[state_of(&s[worst], w.now_us)];
		if (more > 0 ||
			(more == 0 && is == HEALTH_OPEN && s[i].until_us > s[worst].until_us))
			worst = i;
	}
	return worst;
}

static void check_view(
	const struct slow s[3], int worst, struct names who, const struct health_view *v)
{
	const enum health_state want = worst < 0 ? HEALTH_CLOSED : state_of(&s[worst], w.now_us);
	if (v->state != want)
		bad("state", v->state, want);
	if ((int)v->place != worst + 1)
		bad("place", v->place, worst + 1);
	if (v->until_us != (want == HEALTH_OPEN ? s[worst].until_us : 0))
		bad("until", v->until_us, worst < 0 ? 0 : s[worst].until_us);
	if (v->why.err != (worst < 0 ? OK : s[worst].why->err))
		bad("why", v->why.err, worst < 0 ? OK : s[worst].why->err);
	if (strcmp(v->why.message, worst < 0 ? "" : s[worst].why->message) != 0)
		bad("which why", 0, 1);
	if (v->in_flight != s[2].in_flight)
		bad("in flight", v->in_flight, s[2].in_flight);
	const int64_t p95_us = slow_p95_us(who, w.now_us);
	if (v->p95_us != p95_us)
		bad("p95", v->p95_us, p95_us);
}

static void check(struct names who)
{
	static struct slow s[3];
	struct health_view v;
	const struct health_subject subj = subject(who);
	for (int i = 0; i < 3; i++) {
		struct names place = {
			{-1, -1, -1}
                };
		memcpy(place.n, who.n, sizeof(int) * (size_t)(i + 1));
		replay(place, &s[i]);
	}
	health_look(w.health, &subj, w.now_us, &v);
	check_view(s, worst_of(s, false, true), who, &v);
	w.n_open += v.state == HEALTH_OPEN;
	w.n_half += v.state == HEALTH_HALF_OPEN;
	w.n_paced += v.p95_us >= 0;
	w.n_probed += v.state == HEALTH_PROBED;
	for (int only = 0; only < 2; only++) {
		const int in_the_way = worst_of(s, only, false);
		const bool may = health_may_ask(w.health, &subj, w.now_us, only, &v);
		if (may != (in_the_way < 0))
			bad(only ? "may only" : "may ask", may, in_the_way < 0);
		check_view(s, in_the_way < 0 ? worst_of(s, false, true) : in_the_way, who, &v);
		w.n_only += only && may && v.state == HEALTH_OPEN;
	}
}

static struct happening *happen(enum kind kind, struct names who)
{
	struct happening *e = &w.log[w.n++];
	*e = (struct happening){.kind = kind, .at_us = w.now_us, .who = who, .why = FAULT_NONE};
	return e;
}

static struct names any(void)
{
	struct names who;
	for (int i = 0; i < 3; i++)
		who.n[i] = (int)random_below(w.n_names);
	return who;
}

static void begin(size_t i)
{
	const struct names who = any();
	const struct health_subject s = subject(who);
	struct health_view v;
	/* as often as not it asks before */
	if (one_in(2) && !health_may_ask(w.health, &s, w.now_us, one_in(3), &v))
		return;
	health_begin(w.health, &s, w.now_us, &w.tries[i].t);
	w.tries[i].begun = w.n;
	happen(BEGIN, who);
}

static void first(size_t i)
{
	if (w.tries[i].t.has_first)
		return;
	struct happening *e = happen(FIRST, w.log[w.tries[i].begun].who);
	e->begun = w.tries[i].begun;
	health_first(&w.tries[i].t, w.now_us);
}

/* Has there been a first content? Then who goes without waiting for one says something of its pace, which is for
 * test_health.c. */
static bool is_known(struct names model)
{
	for (size_t i = 0; i < w.n; i++) {
		if (w.log[i].kind == FIRST && is_under(w.log[i].who, model))
			return true;
	}
	return false;
}

static void end(size_t i, enum kind kind)
{
	static const int statuses[] = {0, 0, 400, 429, 503};
	struct health_try *t = &w.tries[i].t;
	const struct names who = w.log[w.tries[i].begun].who;
	const bool needs_answer = kind == NEUTRAL && !t->has_first && is_known(who);
	struct happening *e = happen(kind, who);
	e->begun = w.tries[i].begun;
	e->has_first = t->has_first;
	if (kind == FAILED || needs_answer || (kind == NEUTRAL && one_in(2))) {
		(void)fault_set(
			&e->why, one_in(2) ? ERR_OVERLOADED : ERR_CONNECTION, "no %zu", w.n);
		e->why.http_status =
			needs_answer ? 400 : statuses[random_below(COUNT_OF(statuses))];
		e->why.retry_after_ms = one_in(3)    ? random_below(100000)
					: one_in(20) ? INT64_MAX
						     : -1;
	}
	if (kind == FAILED)
		e->rule = &w.rules[random_below(RULES)];
	health_end(t, kind == GOOD, e->rule, e->why.err ? &e->why : NULL, w.now_us);
}

static void retry(void)
{
	const struct names who = any();
	const bool may = slow_may_retry(who.n[0]);
	const bool is_taken = health_take_retry(w.health, span_str(texts[0][who.n[0]]), w.now_us);
	if (is_taken != may)
		bad("retry", is_taken, may);
	if (is_taken)
		happen(RETRY, who);
}

static void forget(void)
{
	struct names who = any();
	if (one_in(4))
		who.n[1] = -1;
	if (who.n[1] < 0 && one_in(4))
		who.n[0] = -1;
	health_forget(w.health, who.n[0] < 0 ? SPAN_NONE : span_str(texts[0][who.n[0]]),
		who.n[1] < 0 ? SPAN_NONE : span_str(texts[1][who.n[1]]));
	happen(FORGET, who);
}

static void step(void)
{
	static const int64_t pauses_us[] = {
		0, 0, 1, 1000, SECOND_US, 7 * SECOND_US, 40 * SECOND_US};
	const size_t i = (size_t)random_below(TRIES);
	w.now_us += random_below(pauses_us[random_below(COUNT_OF(pauses_us))] + 1);
	w.now_us += one_in(100) ? random_below(HOUR_US) : 0;
	if (one_in(60))
		forget();
	else if (one_in(8))
		retry();
	else if (!w.tries[i].t.health)
		begin(i);
	else if (one_in(w.calm))
		first(i);
	else
		end(i, one_in(w.calm) ? GOOD : one_in(4) ? NEUTRAL : FAILED);
	check(any());
}

static void run(uint64_t seed)
{
	static const int64_t windows_us[] = {0, 0, 5 * SECOND_US, 60 * SECOND_US};
	memset(&w, 0, sizeof w);
	state = seed * UINT64_C(0x9E3779B97F4A7C15);
	w.n_names = seed % 4 == 0 ? 1 : NAMES;
	w.calm = (const int64_t[]){2, 5, 12}[seed % 3];
	w.health = health_new();
	if (!w.health)
		bail("no memory");
	for (int i = 0; i < RULES; i++)
		w.rules[i] = (struct health_rule){.place = (enum health_place)random_below(4),
			.failures = (unsigned)(1 + random_below(one_in(4) ? HEALTH_FAILURES : 3)),
			.window_us = windows_us[random_below(COUNT_OF(windows_us))],
			.rest_us = 1 + random_below(20 * SECOND_US),
			.rest_max_us = random_below(90 * SECOND_US),
			.is_as_told = one_in(3)};
	while (w.n < STEPS - 1 && w.n_bad == 0)
		step();
	for (size_t i = 0; i < TRIES; i++)
		health_end(&w.tries[i].t, false, NULL, NULL, w.now_us);
	health_free(w.health);
}

/* ---- more than there is room for ---- */

static struct {
	struct health_try tries[MODELS];
	bool is_there[MODELS], is_open[MODELS];
	int64_t used[MODELS]; /* when it was over, in steps */
} m;

/* The models that nobody uses, and of them those that rest. */
static size_t count(bool is_open)
{
	size_t n = 0;
	for (int i = 0; i < MODELS; i++)
		n += m.is_there[i] && !m.tries[i].health && m.is_open[i] == is_open;
	return n;
}

static void slow_room(size_t *n_there)
{
	while (*n_there + 2 >= HEALTH_PLACES) {
		const size_t n_open = count(true), n_well = count(false);
		const bool is_open = n_open > HEALTH_PLACES / 2 || n_well == 0;
		int oldest = -1;
		for (int i = 0; i < MODELS; i++) {
			if (m.is_there[i] && !m.tries[i].health && m.is_open[i] == is_open &&
				(oldest < 0 || m.used[i] < m.used[oldest]))
				oldest = i;
		}
		if (oldest < 0)
			return;
		m.is_there[oldest] = m.is_open[oldest] = false;
		--*n_there;
	}
}

static void run_room(uint64_t seed)
{
	static const struct health_rule once = {
		.place = HEALTH_MODEL, .failures = 1, .rest_us = DAY_US};
	const struct fault why = {.err = ERR_NOT_FOUND, .http_status = 404, .retry_after_ms = -1};
	static char names[MODELS][12];
	size_t n_there = 0;
	int64_t n_bad = 0;
	struct health *h = health_new();
	memset(&m, 0, sizeof m);
	state = seed;
	/* how many of a hundred are refused; how many stay under way, in the third all that there is room for */
	const int64_t refused = (const int64_t[]){5, 95, 60, 0}[seed % 4];
	const int64_t stay = seed % 4 == 2 ? 60 : 3;
	for (int k = 0; k < ROOM_STEPS; k++) {
		const int i = (int)random_below(MODELS), other = (int)random_below(MODELS);
		struct health_view v;
		(void)snprintf(names[i], sizeof names[i], "%d", i);
		struct health_subject s = {SPAN("p"), SPAN(""), span_str(names[i])};
		if (!m.tries[i].health) {
			if (!m.is_there[i]) {
				slow_room(&n_there);
				n_there++;
			}
			m.is_there[i] = true;
			health_begin(h, &s, k, &m.tries[i]);
		}
		if (random_below(100) >= stay) {
			const bool is_refused = random_below(100) < refused;
			m.is_open[i] = is_refused;
			if (!is_refused)
				health_first(&m.tries[i], k);
			health_end(&m.tries[i], !is_refused, is_refused ? &once : NULL, &why, k);
			m.used[i] = k;
		}
		n_bad += health_size(h) != n_there + 2;
		(void)snprintf(names[other], sizeof names[other], "%d", other);
		s.model = span_str(names[other]);
		health_look(h, &s, k, &v);
		n_bad += (v.state == HEALTH_OPEN) != m.is_open[other];
		n_bad += v.in_flight != (m.tries[other].health != NULL);
		n_bad += v.first_us >= 0 && !m.is_there[other];
		n_bad += v.first_us < 0 && m.is_there[other] && !m.is_open[other] &&
			 !m.tries[other].health;
	}
	is_int(n_bad, 0, "who goes is who goes there, with %d of 100 that are refused (seed %d)",
		(int)refused, (int)seed);
	for (int i = 0; i < MODELS; i++)
		health_end(&m.tries[i], false, NULL, NULL, 0);
	health_free(h);
}

int main(int argc, char **argv)
{
	const uint64_t only = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	int64_t n_bad = 0, n_open = 0, n_half = 0, n_probed = 0, n_only = 0, n_late = 0,
		n_followed = 0, n_paced = 0;
	char said[240] = "";
	for (uint64_t seed = only > 0 ? only : 1; seed <= (only > 0 ? only : RUNS); seed++) {
		run(seed);
		n_open += w.n_open;
		n_half += w.n_half;
		n_probed += w.n_probed;
		n_only += w.n_only;
		n_late += w.n_late;
		n_followed += w.n_followed;
		n_paced += w.n_paced;
		if (w.n_bad > 0 && n_bad++ == 0)
			(void)snprintf(
				said, sizeof said, "; seed %" PRIu64 ": %s", seed, w.first_bad);
	}
	is_int(n_bad, 0, "runs that are not as the slow one has it, of seeds 1 to %d%s", RUNS,
		said);
	ok(only > 0 || (n_open > RUNS * 10 && n_half > RUNS * 10 && n_probed > RUNS * 10 &&
			       n_only > RUNS * 5 && n_late > RUNS && n_followed > RUNS / 10 &&
			       n_paced > RUNS),
		"seen: %" PRId64 " open, %" PRId64 " half-open, %" PRId64 " probed, %" PRId64
		" let through as the only one, %" PRId64 " late, %" PRId64
		" of probes that were followed by others, %" PRId64 " whose pace is known",
		n_open, n_half, n_probed, n_only, n_late, n_followed, n_paced);
	for (uint64_t seed = 1; only == 0 && seed <= ROOM_RUNS; seed++)
		run_room(seed);
	return tap_done();
}
