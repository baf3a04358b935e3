/* choose.c - who is in; then lines get their places, and the keys of each theirs; then all is sorted at once.
 * Whatever is sorted by is made one number, so that there is one way of sorting. */
#include "brokerd/route/choose.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "brokerd/route/route.h"
#include "protocol/base/num.h"
#include "protocol/base/table.h"

/* ---- sorting and chance ---- */

struct ranked {
	uint64_t by; /* the least first; */
	uint32_t at; /* of two the same, that which was there first */
};

static bool is_before(const struct ranked *a, const struct ranked *b)
{
	return a->by != b->by ? a->by < b->by : a->at < b->at;
}

static void sink(struct ranked *heap, size_t n, size_t at)
{
	const struct ranked one = heap[at];
	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		child += child + 1 < n && is_before(&heap[child], &heap[child + 1]);
		if (!is_before(&one, &heap[child]))
			break;
		heap[at] = heap[child];
	}
	heap[at] = one;
}

/* In place. Most lists are short, or in order already. */
static void sort(struct ranked *list, size_t n)
{
	bool is_sorted = true;
	for (size_t i = 1; is_sorted && i < n; i++)
		is_sorted = is_before(&list[i - 1], &list[i]);
	if (is_sorted)
		return;
	for (size_t i = n / 2; i-- > 0;)
		sink(list, n, i);
	for (size_t i = n; i-- > 1;) {
		const struct ranked last = list[i];
		list[i] = list[0];
		list[0] = last;
		sink(list, i, 0);
	}
}

/* The one at `from` comes to `to`, which is before it; all others stay in their order. */
static void bring(struct ranked *list, size_t from, size_t to)
{
	const struct ranked one = list[from];
	memmove(&list[to + 1], &list[to], (from - to) * sizeof one);
	list[to] = one;
}

/* splitmix64 */
static uint64_t mixed(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t next_dice(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return mixed(*state);
}

/* Sorted by these, things stand in an order by chance in which each is first as often as its weight says, and next of those
 * that are left: exponential times, of which the first comes first. Numbers that are not negative sort as their bits do. */
static uint64_t by_chance(uint64_t dice, int64_t weight)
{
	const double part = (double)((dice >> 11) + 1) / 9007199254740992.0; /* 2^53 */
	const double wait = -log(part) / (double)(weight > 0 ? weight : 1) + 0.0;
	uint64_t bits;
	memcpy(&bits, &wait, sizeof bits);
	return bits;
}

/* The same for the same session and name, and nothing to do with those of others. */
static uint64_t dice_of(const unsigned char session[16], struct span name, uint64_t more)
{
	return mixed(siphash(session, name.p, name.n) ^ mixed(more));
}

/* ---- the whole, while it is chosen ---- */

/* The targets of one line that are in. */
struct lined {
	size_t first, n;   /* which of the sorted keys */
	size_t asked_with; /* the target that would be asked first */
	enum target_list list;
	size_t asked;
	bool is_resting;
};

struct choosing {
	const struct config *config;
	const struct model *alias;
	const struct choose_ask *ask;
	const struct target *targets;
	const struct choose_view *views;
	size_t n;
	bool is_routed; /* there is more than one to choose from */
	uint64_t dice;
	unsigned char session[16]; /* sticky: its key */
};

/* The section whose rules hold for a target; NULL: none. */
static const struct model *section_of(const struct choosing *w, const struct target *t)
{
	if (t->asked == 0)
		return w->alias;
	return span_is_set(t->alias) ? config_model(w->config, t->alias) : NULL;
}

static enum strategy strategy_of(const struct choosing *w, const struct target *t)
{
	const struct model *section = section_of(w, t);
	return section && t->list == TARGETS_USUAL ? section->route.strategy : STRATEGY_PRIORITY;
}

/* ---- who is in ---- */

static bool has_tag(const struct words *wanted, const struct choose_ask *ask)
{
	for (size_t i = 0; i < ask->n_tags; i++) {
		if (words_fit(wanted, ask->tags[i]))
			return true;
	}
	return false;
}

/* What its line says of the calls that it is for. */
static enum choose_reason check_rule(const struct choose_ask *ask, const struct target_rule *r)
{
	if (!r)
		return CHOOSE_IN;
	if (r->apps.n > 0 && !words_fit(&r->apps, ask->app))
		return CHOOSE_APP;
	if (r->tags.n > 0 && !has_tag(&r->tags, ask))
		return CHOOSE_TAG;
	if ((r->min_input >= 0 && ask->input_tokens < r->min_input) ||
		(r->max_input >= 0 && ask->input_tokens > r->max_input))
		return CHOOSE_SIZE;
	return r->needs != 0 && !(r->needs & ask->needs) ? CHOOSE_NEED : CHOOSE_IN;
}

/* What a request of this length costs there, for a million tokens. */
static void price_of(const struct choosing *w, const struct target *t, struct price *out)
{
	const struct price_case when = {
		.input_tokens = w->ask->input_tokens > 0 ? w->ask->input_tokens : 0, .day = -1};
	route_price(w->config, t, &when, out);
	const bool is_free = t->is_offline || t->auth == AUTH_NONE;
	if (is_free && out->input < 0)
		out->input = 0;
	if (is_free && out->output < 0)
		out->output = 0;
}

static bool is_too_dear(int64_t price, int64_t most)
{
	return most >= 0 && (price < 0 || price > most);
}

static bool is_over_ceiling(const struct choosing *w, const struct target *t)
{
	const struct model *section = section_of(w, t);
	struct price price;
	if (!section || (section->route.max_price_input < 0 && section->route.max_price_output < 0))
		return false;
	price_of(w, t, &price);
	return is_too_dear(price.input, section->route.max_price_input) ||
	       is_too_dear(price.output, section->route.max_price_output);
}

static int64_t output_of(const struct choose_ask *ask, const struct target *t)
{
	const int64_t wanted = ask->output_tokens > 0 ? ask->output_tokens : 0;
	return t->max_output_tokens >= 0 && t->max_output_tokens < wanted ? t->max_output_tokens
									  : wanted;
}

static bool is_too_long(const struct choose_ask *ask, const struct target *t)
{
	if (t->context_tokens < 0 || ask->is_in_pieces)
		return false;
	const int64_t input = ask->input_tokens > 0 ? ask->input_tokens : 0;
	return num_add_sat(input - input / 5, output_of(ask, t)) > t->context_tokens;
}

/* What is the same for all keys of a line. */
static enum choose_reason check_line(const struct choosing *w, const struct target *t)
{
	const enum choose_reason reason = check_rule(w->ask, t->rule);
	if (reason)
		return reason;
	if (is_over_ceiling(w, t))
		return CHOOSE_PRICE;
	if (!w->is_routed)
		return CHOOSE_IN;
	if (capability_lacks(t, w->ask->needs))
		return CHOOSE_LACKS;
	return is_too_long(w->ask, t) ? CHOOSE_CONTEXT : CHOOSE_IN;
}

static enum choose_reason check_key(const struct target *t, const struct choose_view *v)
{
	const struct target_rule *r = t->rule;
	const struct key_rule *key = t->key_rule;
	if (key && key->models.n > 0 && !words_fit(&key->models, t->model))
		return CHOOSE_KEY;
	return r && r->min_budget_nusd >= 0 && v->left_nusd < r->min_budget_nusd ? CHOOSE_BUDGET
										 : CHOOSE_IN;
}

/* Where one of a list has all that is needed properly, those of it that have it somehow are out. */
static void check_poor(const struct choosing *w, enum choose_reason *reasons)
{
	bool is_rich[TARGETS_REFUSAL + 1] = {false};
	if (w->ask->needs == 0 || !w->is_routed)
		return;
	for (size_t i = 0; i < w->n; i++) {
		const struct target *t = &w->targets[i];
		if (reasons[i] == CHOOSE_IN && !w->views[i].is_resting &&
			!(t->poor & w->ask->needs))
			is_rich[t->list] = true;
	}
	for (size_t i = 0; i < w->n; i++) {
		const struct target *t = &w->targets[i];
		if (reasons[i] == CHOOSE_IN && is_rich[t->list] && (t->poor & w->ask->needs))
			reasons[i] = CHOOSE_LACKS;
	}
}

static void check(struct choosing *w, enum choose_reason *reasons)
{
	enum choose_reason of_line = CHOOSE_IN;
	size_t n_lines = 0;
	for (size_t i = 0; i < w->n; i++)
		n_lines += i == 0 || w->targets[i].entry != w->targets[i - 1].entry;
	w->is_routed = w->alias || n_lines > 1;
	for (size_t i = 0; i < w->n; i++) {
		const struct target *t = &w->targets[i];
		if (i == 0 || t->entry != w->targets[i - 1].entry)
			of_line = check_line(w, t);
		reasons[i] = of_line ? of_line : check_key(t, &w->views[i]);
	}
	check_poor(w, reasons);
}

/* ---- the keys of a line ---- */

/* Puts those of one line that are in behind each other, in their order: the targets from `from` to before `to`. */
static size_t order_keys(struct choosing *w, const enum choose_reason *reasons, size_t from,
	size_t to, struct ranked *keys)
{
	const bool is_sticky = strategy_of(w, &w->targets[from]) == STRATEGY_STICKY;
	bool is_weighted = false;
	size_t n = 0;
	for (size_t i = from; i < to; i++) {
		const struct key_rule *rule = w->targets[i].key_rule;
		if (reasons[i] != CHOOSE_IN)
			continue;
		is_weighted |= rule && rule->weight > 0;
		keys[n] = (struct ranked){n, (uint32_t)i};
		n++;
	}
	for (size_t i = 0; is_weighted && n > 1 && i < n; i++) {
		const struct target *t = &w->targets[keys[i].at];
		const uint64_t dice =
			is_sticky ? dice_of(w->session, t->key, 1) : next_dice(&w->dice);
		keys[i].by = by_chance(dice, t->key_rule ? t->key_rule->weight : 1);
	}
	if (is_weighted)
		sort(keys, n);
	/* what is written one below the other without weights is meant in that order */
	for (size_t i = 1; !is_sticky && i < n; i++) {
		if (w->views[keys[i].at].holds_prompt &&
			(is_weighted || !w->targets[keys[i].at].key_rule))
			bring(keys, i, 0);
	}
	return n;
}

/* Which of them it would be asked with: the first that does not rest. */
static void set_first(const struct choosing *w, struct lined *line, const struct ranked *keys)
{
	line->asked_with = keys[0].at;
	line->is_resting = true;
	for (size_t i = 0; line->is_resting && i < line->n; i++) {
		if (w->views[keys[i].at].is_resting)
			continue;
		line->asked_with = keys[i].at;
		line->is_resting = false;
	}
}

/* All lines that have somebody in; how many. */
static size_t collect_lines(struct choosing *w, const enum choose_reason *reasons,
	struct lined *lines, struct ranked *keys)
{
	size_t n_lines = 0, n_keys = 0;
	for (size_t from = 0, to; from < w->n; from = to) {
		const struct target *t = &w->targets[from];
		for (to = from + 1; to < w->n && w->targets[to].entry == t->entry;)
			to++;
		const size_t n = order_keys(w, reasons, from, to, &keys[n_keys]);
		if (n == 0)
			continue;
		struct lined *line = &lines[n_lines++];
		*line = (struct lined){n_keys, n, 0, t->list, t->asked, false};
		set_first(w, line, &keys[n_keys]);
		n_keys += n;
	}
	return n_lines;
}

/* ---- the lines of one name ---- */

/* How soon it can be expected to begin: peak EWMA, and all that is before it. What nobody knows is quick, so that it gets known. */
static uint64_t load_of(const struct choose_view *v)
{
	const int64_t first_us = v->first_us > 0 ? v->first_us : 1;
	return (uint64_t)num_mul_sat(first_us, (int64_t)v->in_flight + 1);
}

static uint64_t rank_of(struct choosing *w, enum strategy how, const struct lined *line, size_t at)
{
	const struct target *t = &w->targets[line->asked_with];
	const struct choose_view *v = &w->views[line->asked_with];
	const int64_t weight = t->rule && t->rule->weight > 0 ? t->rule->weight : 1;
	switch (how) {
	case STRATEGY_PRIORITY:
		break;
	case STRATEGY_WEIGHTED:
		return by_chance(next_dice(&w->dice), weight);
	case STRATEGY_LATENCY:
		return load_of(v);
	case STRATEGY_BUSY:
		return v->in_flight;
	case STRATEGY_CHEAPEST:
		return v->nusd >= 0 ? (uint64_t)v->nusd : UINT64_MAX;
	case STRATEGY_STICKY:
		return by_chance(dice_of(w->session, t->model,
					 siphash(w->session, t->provider.p, t->provider.n)),
			weight);
	}
	return at;
}

/* Of two that chance takes, the quicker one: were it always the quickest of all, all would go there until it no longer is. */
static void take_of_two(
	struct choosing *w, const struct lined *lines, struct ranked *ranks, size_t n)
{
	size_t awake = 0, first, second;
	for (size_t i = 0; i < n; i++)
		awake += !lines[ranks[i].at].is_resting;
	if (awake < 2)
		return;
	first = next_dice(&w->dice) % awake;
	second = next_dice(&w->dice) % (awake - 1);
	second += second >= first;
	for (size_t i = 0, k = 0; i < n; i++) {
		if (lines[ranks[i].at].is_resting)
			continue;
		if (k++ !=
			(first < second ? first
					: second)) /* in order: the lesser place is the quicker */
			continue;
		bring(ranks, i, 0);
		return;
	}
}

static bool is_holding(const struct choosing *w, const struct lined *line)
{
	return !line->is_resting && w->views[line->asked_with].holds_prompt;
}

/* Has a line that holds the prompt no more than twice to do of what the least busy one has? */
static bool is_near_least(const struct lined *lines, const struct ranked *ranks, size_t n, size_t i)
{
	uint64_t least = UINT64_MAX;
	for (size_t k = 0; k < n; k++) {
		if (!lines[ranks[k].at].is_resting && ranks[k].by < least)
			least = ranks[k].by;
	}
	return ranks[i].by / 2 <= least;
}

/* The line that holds the prompt comes before those that the strategy has no reason to prefer to it. */
static void bring_holder(struct choosing *w, enum strategy how, const struct lined *lines,
	struct ranked *ranks, size_t n)
{
	size_t i = 0, to = 0;
	while (i < n && !is_holding(w, &lines[ranks[i].at]))
		i++;
	if (i == n)
		return;
	switch (how) {
	case STRATEGY_PRIORITY:
	case STRATEGY_STICKY:
		return;
	case STRATEGY_WEIGHTED:
		break;
	case STRATEGY_LATENCY:
	case STRATEGY_BUSY:
		if (!is_near_least(lines, ranks, n, i))
			return;
		break;
	case STRATEGY_CHEAPEST:
		while (ranks[to].by != ranks[i].by)
			to++;
		break;
	}
	bring(ranks, i, to);
}

/* The lines of one list that one name means, into the order of its strategy. */
static void order_lines(
	struct choosing *w, const struct lined *lines, struct ranked *ranks, size_t from, size_t to)
{
	const enum strategy how = strategy_of(w, &w->targets[lines[from].asked_with]);
	for (size_t i = from; i < to; i++)
		ranks[i] = (struct ranked){rank_of(w, how, &lines[i], i), (uint32_t)i};
	sort(&ranks[from], to - from);
	if (how == STRATEGY_LATENCY)
		take_of_two(w, lines, &ranks[from], to - from);
	bring_holder(w, how, lines, &ranks[from], to - from);
}

/* Whose session it is, as a key for hashes. */
static void set_session(struct choosing *w)
{
	static const unsigned char none[16] = {0};
	const struct span name = w->ask->session.n > 0 ? w->ask->session : w->ask->app;
	const uint64_t hash = siphash(none, name.p, name.n);
	const uint64_t key[2] = {hash, mixed(hash)};
	memcpy(w->session, key, sizeof key);
}

/* ---- what is told ---- */

/* "1.50 USD" */
static void say_usd(char to[32], int64_t nusd)
{
	const int64_t one = INT64_C(1000000000);
	const int64_t cents = nusd % one / 10000000;
	if (nusd % 10000000 == 0)
		(void)snprintf(to, 32, "%" PRId64 ".%02" PRId64 " USD", nusd / one, cents);
	else
		(void)snprintf(to, 32, "%" PRId64 ".%09" PRId64 " USD", nusd / one, nusd % one);
}

/* "images and tools" */
static void say_bits(char to[80], unsigned bits, const char *between)
{
	size_t n = 0;
	to[0] = '\0';
	for (unsigned i = 0; i < CAPABILITY_COUNT && n < 80; i++) {
		if (bits & 1U << i)
			n += (size_t)snprintf(to + n, 80 - n, "%s%s", n > 0 ? between : "",
				capability_name((enum capability)(1U << i)));
	}
}

static void say_size(const struct choose_ask *ask, const struct target_rule *r, char to[192])
{
	const bool is_short = r->min_input >= 0 && ask->input_tokens < r->min_input;
	(void)snprintf(to, 192,
		"it is for prompts of %" PRId64 " tokens or %s, and this one has about %" PRId64,
		is_short ? r->min_input : r->max_input, is_short ? "more" : "less",
		ask->input_tokens);
}

static void say_price(const struct choosing *w, const struct target *t, char to[192])
{
	const struct model *section = section_of(w, t);
	struct price price;
	char has[32], most[32];
	assert(section); /* whose ceiling it is */
	const struct route_rule *r = &section->route;
	price_of(w, t, &price);
	const bool is_input = is_too_dear(price.input, r->max_price_input);
	const int64_t is = is_input ? price.input : price.output;
	say_usd(most, is_input ? r->max_price_input : r->max_price_output);
	if (is < 0) {
		(void)snprintf(to, 192,
			"its price of %s is not known, and %s for a million tokens is the most",
			is_input ? "input" : "output", most);
		return;
	}
	say_usd(has, is);
	(void)snprintf(to, 192, "a million tokens of %s cost %s, and %s is the most",
		is_input ? "input" : "output", has, most);
}

static void say_lacks(const struct choosing *w, const struct target *t, char to[192])
{
	const unsigned lacks = capability_lacks(t, w->ask->needs);
	char list[80];
	say_bits(list, lacks ? lacks : t->poor & w->ask->needs, " and ");
	(void)snprintf(to, 192,
		lacks ? "%s %s not among what it takes"
		      : "%s %s there by a makeshift at best, and elsewhere properly",
		list, strstr(list, " and ") || list[strlen(list) - 1] == 's' ? "are" : "is");
}

static void say_budget(const struct target *t, const struct choose_view *v, char to[192])
{
	char left[32], least[32];
	say_usd(left, v->left_nusd > 0 ? v->left_nusd : 0);
	say_usd(least, t->rule->min_budget_nusd);
	(void)snprintf(to, 192, "it is for as long as %s are left, and %s are", least, left);
}

static void say_context(const struct choosing *w, const struct target *t, char to[192])
{
	(void)snprintf(to, 192,
		"a prompt of about %" PRId64 " tokens and an answer of %" PRId64
		" do not fit its context of %" PRId64,
		w->ask->input_tokens, output_of(w->ask, t), t->context_tokens);
}

static void say(const struct choosing *w, size_t i, enum choose_reason reason, char to[192])
{
	const struct target *t = &w->targets[i];
	char list[80];
	switch (reason) {
	case CHOOSE_IN:
		to[0] = '\0';
		return;
	case CHOOSE_APP:
		memcpy(to, "it is for other apps", sizeof "it is for other apps");
		return;
	case CHOOSE_TAG:
		memcpy(to, "it is for calls with other tags",
			sizeof "it is for calls with other tags");
		return;
	case CHOOSE_SIZE:
		say_size(w->ask, t->rule, to);
		return;
	case CHOOSE_NEED:
		say_bits(list, t->rule->needs, " or ");
		(void)snprintf(to, 192, "it is for requests that need %s", list);
		return;
	case CHOOSE_BUDGET:
		say_budget(t, &w->views[i], to);
		return;
	case CHOOSE_PRICE:
		say_price(w, t, to);
		return;
	case CHOOSE_KEY:
		(void)snprintf(to, 192, "the key %.*s is not for %.*s",
			SPAN_ARG(span_first(t->key, 64)), SPAN_ARG(span_first(t->model, 96)));
		return;
	case CHOOSE_LACKS:
		say_lacks(w, t, to);
		return;
	case CHOOSE_CONTEXT:
		say_context(w, t, to);
		return;
	}
}

/* ---- all together ---- */

/* The place of a target among all that are in, as one number. */
static uint64_t place_of(const struct lined *line, bool is_resting, size_t rank, size_t key)
{
	return (uint64_t)line->list << 60 | (uint64_t)is_resting << 56 |
	       (uint64_t)line->asked << 40 | (uint64_t)rank << 20 | key;
}

/* All that are in, in their order, and behind them those that are not. */
static size_t choose_among(struct choosing *w, struct choice *out)
{
	enum choose_reason reasons[ROUTE_MAX];
	struct lined lines[ROUTE_MAX];
	struct ranked ranks[ROUTE_MAX], keys[ROUTE_MAX], all[ROUTE_MAX];
	size_t n_in = 0, n_usual = 0;
	assert(w->n <= ROUTE_MAX);
	set_session(w);
	check(w, reasons);
	const size_t n_lines = collect_lines(w, reasons, lines, keys);
	for (size_t from = 0, to; from < n_lines; from = to) {
		for (to = from + 1; to < n_lines && lines[to].list == lines[from].list &&
				    lines[to].asked == lines[from].asked;)
			to++;
		order_lines(w, lines, ranks, from, to);
	}
	for (size_t rank = 0; rank < n_lines; rank++) {
		const struct lined *line = &lines[ranks[rank].at];
		for (size_t k = 0; k < line->n; k++) {
			const uint32_t at = keys[line->first + k].at;
			all[n_in++] = (struct ranked){
				place_of(line, w->views[at].is_resting, rank, k), at};
		}
		n_usual += line->list == TARGETS_USUAL ? line->n : 0;
	}
	sort(all, n_in);
	for (size_t i = 0; i < n_in; i++) {
		out[i].target = all[i].at;
		out[i].reason = CHOOSE_IN;
		out[i].why[0] = '\0';
	}
	for (size_t i = 0; i < w->n; i++) {
		if (reasons[i] == CHOOSE_IN)
			continue;
		out[n_in].target = i;
		out[n_in].reason = reasons[i];
		say(w, i, reasons[i], out[n_in++].why);
	}
	return n_usual;
}

/* Most routes have one target: nothing is put in order then, for which there is much room on the stack. */
static size_t choose_one(struct choosing *w, struct choice *out)
{
	enum choose_reason reason;
	check(w, &reason);
	out->target = 0;
	out->reason = reason;
	out->why[0] = '\0';
	if (reason != CHOOSE_IN)
		say(w, 0, reason, out->why);
	return reason == CHOOSE_IN && w->targets[0].list == TARGETS_USUAL ? 1 : 0;
}

size_t choose(const struct config *c, const struct model *alias, const struct choose_ask *ask,
	const struct target *targets, const struct choose_view *views, size_t n, struct choice *out)
{
	struct choosing w = {c, alias, ask, targets, views, n, false, ask->seed, {0}};
	return n == 1 ? choose_one(&w, out) : choose_among(&w, out);
}
