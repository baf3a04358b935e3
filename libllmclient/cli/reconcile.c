/* reconcile.c - both sides in one list, sorted by day and model; each run of it is a line. */
#include "libllmclient/cli/reconcile.h"

#include <stdlib.h>

#include "protocol/base/num.h"
#include "protocol/base/owned.h"

#define ARENA_BYTES ((size_t)512 * 1024 * 1024)
#define MILLION     INT64_C(1000000)
#define INFER_KEYS  ((size_t)256) /* with more on one side nothing is inferred */
#define STEM_LATEST "-latest"
#define STEM_BYTES  ((size_t)4096)

const char *line_hint_word(enum line_hint h)
{
	static const char *const words[] = {
		"", "price", "more used", "less used", "no price", "end unknown"};
	return words[h];
}

const char *key_proof_word(enum key_proof p)
{
	static const char *const words[] = {"unknown", "given", "same name", "inferred"};
	return words[p];
}

/* ---- what is no difference ---- */

/* "0.5%" or "0.01". */
static bool tolerance_part(struct span part, struct tolerance *out)
{
	part = span_trim(part);
	if (part.n > 0 && part.p[part.n - 1] == '%')
		return num_scaled(span_first(part, part.n - 1), 4, &out->millionths) &&
		       out->millionths <= MILLION;
	return num_money_nusd(part, &out->nusd);
}

bool tolerance_read(struct span text, struct tolerance *out)
{
	*out = (struct tolerance){0};
	while (span_is_set(text)) {
		if (!tolerance_part(span_cut(&text, ','), out))
			return false;
	}
	return true;
}

static int64_t magnitude(int64_t v)
{
	return v == INT64_MIN ? INT64_MAX : v < 0 ? -v : v;
}

static int64_t less(int64_t a, int64_t b)
{
	return num_add_sat(a, b == INT64_MIN ? INT64_MAX : -b);
}

static bool is_near(int64_t a, int64_t b, int64_t millionths, int64_t least)
{
	const int64_t share = num_mul_div(magnitude(b), millionths, MILLION);
	return magnitude(less(b, a)) <= (share > least ? share : least);
}

bool tolerance_has(const struct tolerance *t, int64_t ours_nusd, int64_t theirs_nusd)
{
	return is_near(ours_nusd, theirs_nusd, t->millionths, t->nusd);
}

/* ---- names of models ---- */

static bool is_digits(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return s.n > 0;
}

/* "-20240806" or "-2024-08-06" at the end, with something before it. */
static size_t date_bytes(struct span s)
{
	if (s.n > 9 && s.p[s.n - 9] == '-' && is_digits(span_skip(s, s.n - 8)) &&
		span_starts(span_skip(s, s.n - 8), SPAN("20")))
		return 9;
	if (s.n <= 11)
		return 0;
	const struct span tail = span_skip(s, s.n - 11);
	return tail.p[0] == '-' && tail.p[5] == '-' && tail.p[8] == '-' &&
			       is_digits(span_of(tail.p + 1, 4)) &&
			       is_digits(span_of(tail.p + 6, 2)) &&
			       is_digits(span_of(tail.p + 9, 2)) && tail.p[1] == '2'
		       ? 11
		       : 0;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

enum err model_stem(struct span name, struct arena *a, struct span *out)
{
	OWNED(buf_done) struct buf b = BUF_INIT(STEM_BYTES);
	const struct span word = span_first(name, span_find(name, SPAN(", ")));
	for (size_t i = 0; i < word.n; i++) {
		const char c = span_lower(word.p[i]);
		if (is_letter(c))
			buf_byte(&b, c);
		else if (b.n > 0 && b.p[b.n - 1] != '-')
			buf_byte(&b, '-');
	}
	struct span stem = buf_view(&b);
	if (stem.n > 0 && stem.p[stem.n - 1] == '-')
		stem.n--;
	if (span_ends(stem, SPAN(STEM_LATEST)) && stem.n > strlen(STEM_LATEST))
		stem.n -= strlen(STEM_LATEST);
	stem.n -= date_bytes(stem);
	return buf_error(&b) ? ERR_NO_MEMORY : arena_dup(a, stem, out);
}

/* ---- both sides in one list ---- */

struct item {
	const struct spend *s;
	struct span stem;
	int64_t nusd; /* of a key: its part of what the model cost */
	bool is_ours;
};

static int order(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int order_text(struct span a, struct span b)
{
	const size_t n = a.n < b.n ? a.n : b.n;
	const int by_bytes = n > 0 ? memcmp(a.p, b.p, n) : 0;
	return by_bytes ? by_bytes : order((int64_t)a.n, (int64_t)b.n);
}

static int by_day_and_model(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	int o = order(a->s->day, b->s->day);
	if (!o)
		o = order_text(a->stem, b->stem);
	if (!o)
		o = (int)b->is_ours - (int)a->is_ours;
	if (!o)
		o = order_text(a->s->model, b->s->model);
	return o ? o : order_text(a->s->key, b->s->key);
}

/* Does a pattern, where * stands for anything, fit a name? Case is none. */
static bool fits(struct span pattern, struct span name)
{
	size_t p = 0, n = 0, star = pattern.n, from = 0;
	while (n < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			from = n;
		} else if (p < pattern.n && span_lower(pattern.p[p]) == span_lower(name.p[n])) {
			p++;
			n++;
		} else if (star < pattern.n) {
			p = star + 1; /* the last star takes one more */
			n = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

/* Their name of a model, or what is said to stand for it. */
static enum err stem_of_theirs(
	const struct reconcile_rules *rules, struct span name, struct arena *a, struct span *out)
{
	enum err err = model_stem(name, a, out);
	for (size_t i = 0; !err && i < rules->n_aliases; i++) {
		const struct name_pair *p = &rules->aliases[i];
		struct span stem;
		err = model_stem(p->theirs, a, &stem);
		if (!err && (fits(p->theirs, name) || span_eq(stem, *out)))
			return model_stem(p->ours, a, out);
	}
	return err;
}

static enum err add_items(const struct statement *s, const struct reconcile_rules *rules,
	struct reconciled *out, struct item *items, bool is_ours)
{
	enum err err = OK;
	for (size_t i = 0; !err && i < s->n; i++) {
		items[i] = (struct item){.s = &s->rows[i], .stem = SPAN(""), .is_ours = is_ours};
		items[i].nusd = s->rows[i].nusd;
		if (out->is_by_day)
			continue;
		err = is_ours ? model_stem(s->rows[i].model, &out->arena, &items[i].stem)
			      : stem_of_theirs(
					rules, s->rows[i].model, &out->arena, &items[i].stem);
	}
	return err;
}

static bool names_models(const struct statement *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->rows[i].model.n > 0)
			return true;
	}
	return false;
}

/* ---- a line ---- */

static struct span shown_name(struct span one, struct span other, struct span stem)
{
	return !span_is_set(one) || span_eq(one, other) ? other : stem;
}

/* Their line items are of one model: "gpt-4o, input". */
static struct span without_item(struct span model)
{
	return span_first(model, span_find(model, SPAN(", ")));
}

static enum line_hint hint_of_use(int64_t ours, int64_t theirs)
{
	return theirs > ours ? HINT_MORE_USED : theirs < ours ? HINT_LESS_USED : HINT_PRICE;
}

static enum line_hint hint_of(const struct line *l)
{
	const int64_t ours = spend_tokens(&l->ours), theirs = spend_tokens(&l->theirs);
	if (l->ours.unpriced > 0 && l->diff_nusd > 0)
		return HINT_UNPRICED;
	if (l->ours.unknown > 0)
		return HINT_UNKNOWN;
	if (l->kind != LINE_BOTH)
		return HINT_NONE;
	if (ours >= 0 && theirs >= 0)
		return hint_of_use(ours, theirs);
	if (l->ours.requests >= 0 && l->theirs.requests >= 0)
		return hint_of_use(l->ours.requests, l->theirs.requests);
	return HINT_NONE;
}

static void line_end(struct line *l, const struct tolerance *t)
{
	l->diff_nusd = less(l->theirs.nusd, l->ours.nusd);
	l->is_within = tolerance_has(t, l->ours.nusd, l->theirs.nusd);
	l->hint = l->is_within ? HINT_NONE : hint_of(l);
}

static void make_line(const struct item *run, size_t n, const struct tolerance *t, struct line *l)
{
	struct span ours = SPAN_NONE, theirs = SPAN_NONE;
	*l = (struct line){.day = run->s->day, .ours = spend_none, .theirs = spend_none};
	for (size_t i = 0; i < n; i++) {
		const struct span name = without_item(run[i].s->model);
		spend_add(run[i].is_ours ? &l->ours : &l->theirs, run[i].s);
		if (run[i].is_ours)
			ours = shown_name(ours, name, run->stem);
		else
			theirs = shown_name(theirs, name, run->stem);
	}
	l->model = span_is_set(ours) ? ours : theirs;
	l->kind = !span_is_set(theirs) ? LINE_OURS : span_is_set(ours) ? LINE_BOTH : LINE_THEIRS;
	line_end(l, t);
}

/* ---- keys ---- */

/* A part of `pool` for each key that used some of what it is for: all of it together, to the last unit. */
static void divide(struct item *run, size_t n, int64_t pool, int which)
{
	int64_t all = 0, sum = 0, given = 0;
	for (size_t i = 0; i < n; i++) {
		const int64_t used =
			run[i].s->key.n > 0 && !run[i].s->has_cost ? run[i].s->tokens[which] : -1;
		all = used > 0 ? num_add_sat(all, used) : all;
	}
	for (size_t i = 0; i < n && all > 0; i++) {
		if (run[i].s->key.n == 0 || run[i].s->has_cost || run[i].s->tokens[which] <= 0)
			continue;
		sum = num_add_sat(sum, run[i].s->tokens[which]);
		const int64_t due = num_mul_div(magnitude(pool), sum, all);
		run[i].nusd = num_add_sat(run[i].nusd, pool < 0 ? given - due : due - given);
		given = due;
	}
}

static bool has_users(const struct item *run, size_t n, int which)
{
	for (size_t i = 0; i < n; i++) {
		if (run[i].s->key.n > 0 && !run[i].s->has_cost && run[i].s->tokens[which] > 0)
			return true;
	}
	return false;
}

/* The one key that used the model, or NULL. */
static struct item *only_user(struct item *run, size_t n)
{
	struct item *only = NULL;
	for (size_t i = 0; i < n; i++) {
		if (run[i].s->key.n == 0 || run[i].s->has_cost)
			continue;
		if (only && !span_eq(only->s->key, run[i].s->key))
			return NULL;
		only = &run[i];
	}
	return only;
}

/* What a model cost on a day is told by class of tokens, what keys used too: each key's part follows.
 * What cannot be told apart stays with no key. */
static void assign(struct item *run, size_t n)
{
	int64_t pools[SPEND_CLASSES] = {0}, rest = 0;
	struct item *only = only_user(run, n);
	for (size_t i = 0; i < n; i++) {
		const struct spend *s = run[i].s;
		if (s->key.n > 0 || !s->has_cost)
			continue;
		int64_t left = s->nusd;
		for (int c = 0; c < SPEND_CLASSES; c++) {
			if (!has_users(run, n, c))
				continue;
			pools[c] = num_add_sat(pools[c], s->class_nusd[c]);
			left = less(left, s->class_nusd[c]);
		}
		rest = num_add_sat(rest, left);
		run[i].nusd = only ? 0 : left;
	}
	for (int c = 0; c < SPEND_CLASSES; c++)
		divide(run, n, pools[c], c);
	if (only)
		only->nusd = num_add_sat(only->nusd, rest);
}

/* What one key used on one day. */
struct use {
	struct span key;
	int64_t day, nusd, tokens, requests;
	bool is_ours;
};

static int by_side_and_key(const void *pa, const void *pb)
{
	const struct use *a = pa, *b = pb;
	int o = (int)a->is_ours - (int)b->is_ours;
	if (!o)
		o = order_text(a->key, b->key);
	return o ? o : order(a->day, b->day);
}

/* A side's days of one key, in order. */
struct account {
	const struct use *days;
	size_t n;
	struct key_line *line;
};

static void add_use(struct use *to, const struct use *more)
{
	to->nusd = num_add_sat(to->nusd, more->nusd);
	if (more->tokens >= 0)
		to->tokens = to->tokens < 0 ? more->tokens : num_add_sat(to->tokens, more->tokens);
	if (more->requests >= 0)
		to->requests = to->requests < 0 ? more->requests
						: num_add_sat(to->requests, more->requests);
}

/* Days of the same key become one. Returns how many are left. */
static size_t fold(struct use *uses, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && by_side_and_key(&uses[kept - 1], &uses[i]) == 0)
			add_use(&uses[kept - 1], &uses[i]);
		else
			uses[kept++] = uses[i];
	}
	return kept;
}

static bool is_same_use(const struct use *ours, const struct use *theirs, const struct tolerance *t)
{
	static const struct use nothing = {.tokens = 0, .requests = 0};
	const struct use *a = ours ? ours : &nothing, *b = theirs ? theirs : &nothing;
	if (a->tokens >= 0 && b->tokens >= 0)
		return is_near(a->tokens, b->tokens, t->millionths, 0);
	return tolerance_has(t, a->nusd, b->nusd);
}

static int64_t size_of(const struct account *a)
{
	int64_t sum = 0;
	for (size_t i = 0; i < a->n; i++)
		sum = num_add_sat(sum, magnitude(a->days[i].nusd) +
					       (a->days[i].tokens > 0 ? a->days[i].tokens : 0));
	return sum;
}

/* Day by day the same? */
static bool is_like(
	const struct account *ours, const struct account *theirs, const struct tolerance *t)
{
	size_t i = 0, k = 0;
	if (size_of(ours) == 0 || size_of(theirs) == 0)
		return false;
	while (i < ours->n || k < theirs->n) {
		const struct use *a = i < ours->n ? &ours->days[i] : NULL;
		const struct use *b = k < theirs->n ? &theirs->days[k] : NULL;
		if (a && b && a->day != b->day) {
			if (a->day < b->day)
				b = NULL;
			else
				a = NULL;
		}
		if (!is_same_use(a, b, t))
			return false;
		i += a != NULL;
		k += b != NULL;
	}
	return true;
}

static void join(struct account *ours, struct account *theirs, enum key_proof proof)
{
	theirs->line->label = ours->days->key;
	theirs->line->proof = proof;
	theirs->line->ours = ours->line->ours;
	ours->line->key = theirs->line->key; /* it goes: the other has both */
	ours->line->proof = proof;
}

static bool is_free(const struct account *a)
{
	return a->line->proof == KEY_UNKNOWN;
}

static void join_named(struct account *ours, size_t n_ours, struct account *theirs, size_t n_theirs,
	const struct reconcile_rules *rules)
{
	for (size_t k = 0; k < n_theirs; k++) {
		for (size_t r = 0; r < rules->n_keys; r++) {
			if (!span_eq(rules->keys[r].theirs, theirs[k].days->key))
				continue;
			theirs[k].line->label = rules->keys[r].ours;
			theirs[k].line->proof = KEY_GIVEN;
			for (size_t i = 0; i < n_ours; i++) {
				if (is_free(&ours[i]) &&
					span_eq(rules->keys[r].ours, ours[i].days->key))
					join(&ours[i], &theirs[k], KEY_GIVEN);
			}
		}
		for (size_t i = 0; i < n_ours && is_free(&theirs[k]); i++) {
			if (is_free(&ours[i]) && ours[i].days->key.n > 0 &&
				span_eq(ours[i].days->key, theirs[k].days->key))
				join(&ours[i], &theirs[k], KEY_SAME_NAME);
		}
	}
}

/* Of those not known yet, the ones that are like that of the other side: how many, and the last. */
static size_t count_like(const struct account *one, struct account *others, size_t n, bool is_ours,
	const struct tolerance *t, struct account **last)
{
	size_t found = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_free(&others[i]) ||
			(is_ours ? !is_like(one, &others[i], t) : !is_like(&others[i], one, t)))
			continue;
		found++;
		*last = &others[i];
	}
	return found;
}

static void join_alike(struct account *ours, size_t n_ours, struct account *theirs, size_t n_theirs,
	const struct tolerance *t)
{
	struct account *k = NULL, *back = NULL;
	if (n_ours > INFER_KEYS || n_theirs > INFER_KEYS)
		return;
	for (size_t i = 0; i < n_ours; i++) {
		if (is_free(&ours[i]) && count_like(&ours[i], theirs, n_theirs, true, t, &k) == 1 &&
			count_like(k, ours, n_ours, false, t, &back) == 1)
			join(&ours[i], k, KEY_INFERRED);
	}
}

static void account_spend(const struct account *a, struct spend *s)
{
	*s = spend_none;
	for (size_t i = 0; i < a->n; i++) {
		const struct use *u = &a->days[i];
		struct spend one = spend_none;
		one.nusd = u->nusd;
		one.has_cost = true;
		one.tokens[SPEND_INPUT] = u->tokens; /* all of them: which is not told apart here */
		one.requests = u->requests;
		spend_add(s, &one);
	}
}

/* One account for each key of each side, theirs first. Returns how many are theirs. */
static size_t make_accounts(const struct use *uses, size_t n, struct account *accounts,
	struct key_line *lines, size_t *count)
{
	size_t theirs = 0;
	*count = 0;
	for (size_t i = 0, k; i < n; i = k) {
		struct account *a = &accounts[*count];
		for (k = i; k < n && uses[k].is_ours == uses[i].is_ours &&
			    span_eq(uses[k].key, uses[i].key);)
			k++;
		*a = (struct account){&uses[i], k - i, &lines[(*count)++]};
		*a->line = (struct key_line){
			.first_day = uses[i].day,
			.last_day = uses[k - 1].day,
			.ours = spend_none,
			.theirs = spend_none,
		};
		account_spend(a, uses[i].is_ours ? &a->line->ours : &a->line->theirs);
		if (uses[i].is_ours)
			a->line->label = uses[i].key;
		else
			a->line->key = uses[i].key;
		theirs += !uses[i].is_ours;
	}
	return theirs;
}

static int by_cost(const void *pa, const void *pb)
{
	const struct key_line *a = pa, *b = pb;
	const int o = order(b->theirs.nusd, a->theirs.nusd);
	return o ? o : order_text(a->key, b->key);
}

static void finish_keys(
	struct reconciled *out, size_t n_theirs, size_t n, const struct tolerance *t)
{
	out->n_keys = 0;
	for (size_t i = 0; i < n; i++) {
		struct key_line l = out->keys[i];
		if (i >= n_theirs && l.proof != KEY_UNKNOWN)
			continue; /* it is in the line of theirs */
		l.diff_nusd = less(l.theirs.nusd, l.ours.nusd);
		l.is_within = tolerance_has(t, l.ours.nusd, l.theirs.nusd);
		if (l.proof == KEY_UNKNOWN && span_is_set(l.key))
			out->unknown_key_nusd = num_add_sat(out->unknown_key_nusd, l.theirs.nusd);
		out->keys[out->n_keys++] = l;
	}
	qsort(out->keys, out->n_keys, sizeof *out->keys, by_cost);
}

static bool tells_keys(const struct statement *theirs)
{
	for (size_t i = 0; i < theirs->n; i++) {
		if (theirs->rows[i].key.n > 0)
			return true;
	}
	return false;
}

/* Ids that are given for one label, as before and after a rotation, count as the first of them. */
static struct span first_of(struct span key, const struct reconcile_rules *rules)
{
	for (size_t i = 0; i < rules->n_keys; i++) {
		if (!span_eq(rules->keys[i].theirs, key))
			continue;
		for (size_t k = 0; k < i; k++) {
			if (span_eq(rules->keys[k].ours, rules->keys[i].ours))
				return rules->keys[k].theirs;
		}
	}
	return key;
}

static enum err reconcile_keys(const struct item *items, size_t n,
	const struct reconcile_rules *rules, struct reconciled *out)
{
	struct use *uses = arena_array(&out->arena, n, sizeof *uses);
	struct account *accounts = arena_array(&out->arena, n, sizeof *accounts);
	size_t n_uses = 0, n_accounts;
	out->keys = arena_array(&out->arena, n, sizeof *out->keys);
	if (!uses || !accounts || !out->keys)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < n; i++) {
		const struct item *it = &items[i];
		if (!it->is_ours && it->s->key.n == 0) {
			out->unassigned_nusd = num_add_sat(out->unassigned_nusd, it->nusd);
			continue;
		}
		uses[n_uses++] =
			(struct use){.key = it->is_ours ? it->s->key : first_of(it->s->key, rules),
				.day = it->s->day,
				.nusd = it->nusd,
				.tokens = spend_tokens(it->s),
				.requests = it->s->requests,
				.is_ours = it->is_ours};
	}
	if (n_uses > 0)
		qsort(uses, n_uses, sizeof *uses, by_side_and_key);
	n_uses = fold(uses, n_uses);
	const size_t theirs = make_accounts(uses, n_uses, accounts, out->keys, &n_accounts);
	struct account *ours = accounts + theirs;
	join_named(ours, n_accounts - theirs, accounts, theirs, rules);
	join_alike(ours, n_accounts - theirs, accounts, theirs, &rules->tolerance);
	finish_keys(out, theirs, n_accounts, &rules->tolerance);
	return OK;
}

/* ---- all of it ---- */

static void add_total(struct reconciled *out, const struct line *l)
{
	spend_add(&out->total.ours, &l->ours);
	spend_add(&out->total.theirs, &l->theirs);
	out->is_within &= l->is_within;
	if (l->kind == LINE_THEIRS)
		out->foreign_nusd = num_add_sat(out->foreign_nusd, l->theirs.nusd);
}

enum err reconcile(const struct statement *ours, const struct statement *theirs,
	const struct reconcile_rules *rules, struct reconciled *out)
{
	const size_t n = ours->n + theirs->n;
	*out = (struct reconciled){
		.is_within = true, .is_by_day = theirs->n > 0 && !names_models(theirs)};
	out->total = (struct line){.ours = spend_none, .theirs = spend_none, .kind = LINE_BOTH};
	arena_init(&out->arena, ARENA_BYTES);
	struct item *items = arena_array(&out->arena, n, sizeof *items);
	out->lines = arena_array(&out->arena, n, sizeof *out->lines);
	if (!items || !out->lines)
		return ERR_NO_MEMORY;
	enum err err = add_items(ours, rules, out, items, true);
	if (!err)
		err = add_items(theirs, rules, out, items + ours->n, false);
	if (err)
		return err;
	if (n > 0)
		qsort(items, n, sizeof *items, by_day_and_model);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i; k < n && items[k].s->day == items[i].s->day &&
			    span_eq(items[k].stem, items[i].stem);)
			k++;
		make_line(&items[i], k - i, &rules->tolerance, &out->lines[out->n]);
		add_total(out, &out->lines[out->n++]);
		size_t first = i; /* of theirs, who come behind ours */
		while (first < k && items[first].is_ours)
			first++;
		assign(&items[first], k - first);
	}
	line_end(&out->total, &rules->tolerance);
	out->is_within &= out->total.is_within;
	return tells_keys(theirs) ? reconcile_keys(items, n, rules, out) : OK;
}

void reconciled_done(struct reconciled *r)
{
	arena_done(&r->arena);
	*r = (struct reconciled){.n = 0};
}
