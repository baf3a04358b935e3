/* spending.c - a table of subjects, each with its quarters in order, and who is alike in what. */
#include "brokerd/limit/spending.h"

#include <stdlib.h>

#include "protocol/base/num.h"
#include "protocol/base/table.h"

#define DAY_QUARTER 96

struct cell {
	int64_t quarter; /* since 1970 */
	int64_t nusd;
};

struct row {
	TABLE_LINK;
	struct limit_subject who; /* in `key` */
	struct cell *cells;       /* the oldest first */
	size_t n, size;
	struct group *groups[LIMIT_EACH_COUNT]; /* that it is in */
	size_t at[LIMIT_EACH_COUNT];            /* and where there */
	char key[];
};

/* Those that have one value in one dimension, in no order. */
struct group {
	TABLE_LINK;
	struct row **rows;
	size_t n, size;
	char key[];
};

struct spending {
	struct row *rows;
	struct group *groups;
	size_t n_rows, n_cells;
	struct buf key, group_key; /* of who is looked for */
	int64_t latest;            /* quarter */
};

struct spending *spending_new(void)
{
	struct spending *s = calloc(1, sizeof *s);
	if (!s)
		abort();
	buf_init(&s->key, SIZE_MAX / 2);
	buf_init(&s->group_key, SIZE_MAX / 2);
	return s;
}

/* ---- who is alike ---- */

/* NULL: nobody has that value. */
static struct group *group_of(
	struct spending *s, const struct limit_subject *who, enum limit_each e)
{
	char number[16];
	const unsigned char dimension = (unsigned char)e;
	struct group *g;
	buf_clear(&s->group_key);
	buf_put(&s->group_key, &dimension, 1);
	buf_span(&s->group_key, subject_value(who, e, number));
	TABLE_FIND(s->groups, g, s->group_key.p, s->group_key.n);
	return g;
}

static struct group *new_group(struct spending *s)
{
	const struct span key = buf_view(&s->group_key);
	struct group *g = calloc(1, sizeof *g + key.n);
	if (!g)
		abort();
	memcpy(g->key, key.p, key.n);
	TABLE_ADD(s->groups, g, g->key, key.n);
	return g;
}

static void join_groups(struct spending *s, struct row *r)
{
	for (unsigned i = 0; i < LIMIT_EACH_COUNT; i++) {
		struct group *g = group_of(s, &r->who, (enum limit_each)i);
		if (!g)
			g = new_group(s);
		if (g->n == g->size) {
			g->size = g->size > 0 ? g->size * 2 : 2;
			g->rows = reallocarray(g->rows, g->size, sizeof(struct row *));
			if (!g->rows)
				abort();
		}
		r->groups[i] = g;
		r->at[i] = g->n;
		g->rows[g->n++] = r;
	}
}

static void leave_groups(struct spending *s, struct row *r)
{
	for (unsigned i = 0; i < LIMIT_EACH_COUNT; i++) {
		struct group *g = r->groups[i];
		struct row *last = g->rows[--g->n];
		g->rows[r->at[i]] = last;
		last->at[i] = r->at[i];
		if (g->n > 0)
			continue;
		TABLE_REMOVE(s->groups, g);
		free(g->rows);
		free(g);
	}
}

/* ---- */

static void drop_row(struct spending *s, struct row *r)
{
	leave_groups(s, r);
	TABLE_REMOVE(s->rows, r);
	s->n_rows--;
	s->n_cells -= r->n;
	free(r->cells);
	free(r);
}

void spending_free(struct spending *s)
{
	struct row *r, *after;
	if (!s)
		return;
	TABLE_EACH(s->rows, r, after)
		drop_row(s, r);
	buf_done(&s->key);
	buf_done(&s->group_key);
	free(s);
}

void spending_size(const struct spending *s, size_t *rows, size_t *cells)
{
	*rows = s->n_rows;
	*cells = s->n_cells;
}

/* ---- cells ---- */

static void add_cell(struct spending *s, struct row *r, int64_t quarter, int64_t nusd)
{
	size_t i = r->n;
	while (i > 0 && r->cells[i - 1].quarter > quarter)
		i--;
	if (i > 0 && r->cells[i - 1].quarter == quarter) {
		r->cells[i - 1].nusd = num_add_sat(r->cells[i - 1].nusd, nusd);
		return;
	}
	if (r->n == r->size) {
		r->size = r->size > 0 ? r->size * 2 : 2;
		r->cells = reallocarray(r->cells, r->size, sizeof *r->cells);
		if (!r->cells)
			abort();
	}
	memmove(r->cells + i + 1, r->cells + i, (r->n - i) * sizeof *r->cells);
	r->cells[i] = (struct cell){quarter, nusd};
	r->n++;
	s->n_cells++;
}

/* Drops what is too old, and puts what is older than `before` together by `width` quarters. */
static void thin_row(struct spending *s, struct row *r, int64_t before, int64_t width)
{
	const int64_t oldest = s->latest - (int64_t)SPENDING_DAYS * DAY_QUARTER;
	size_t n = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct cell c = r->cells[i];
		if (c.quarter < oldest)
			continue;
		if (c.quarter < before)
			c.quarter += width - 1 - c.quarter % width;
		if (n > 0 && r->cells[n - 1].quarter >= c.quarter)
			r->cells[n - 1].nusd = num_add_sat(r->cells[n - 1].nusd, c.nusd);
		else
			r->cells[n++] = c;
	}
	s->n_cells -= r->n - n;
	r->n = n;
}

/* ---- rows ---- */

static struct row *find_row(const struct spending *s, struct span key)
{
	struct row *r;
	TABLE_FIND(s->rows, r, key.p, key.n);
	return r;
}

static struct row *new_row(struct spending *s, struct span key)
{
	struct row *r = calloc(1, sizeof *r + key.n);
	if (!r)
		abort();
	memcpy(r->key, key.p, key.n);
	subject_unpack(span_of(r->key, key.n), &r->who);
	TABLE_ADD(s->rows, r, r->key, key.n);
	s->n_rows++;
	join_groups(s, r);
	return r;
}

static bool is_folded(const struct limit_subject *who)
{
	return who->app.n == 0 && who->model.n == 0 && who->asked.n == 0;
}

static void merge(struct spending *s, struct row *to, const struct row *r)
{
	const size_t most = to->n + r->n;
	size_t i = 0, k = 0, n = 0;
	struct cell *all = reallocarray(NULL, most, sizeof *all);
	if (!all)
		abort();
	while (i < to->n || k < r->n) {
		const bool is_of_to =
			k == r->n || (i < to->n && to->cells[i].quarter <= r->cells[k].quarter);
		const struct cell c = is_of_to ? to->cells[i++] : r->cells[k++];
		if (n > 0 && all[n - 1].quarter == c.quarter)
			all[n - 1].nusd = num_add_sat(all[n - 1].nusd, c.nusd);
		else
			all[n++] = c;
	}
	s->n_cells += n - to->n;
	free(to->cells);
	to->cells = all;
	to->n = n;
	to->size = most;
}

/* Puts one row to the one that is like it but for what nobody knows any more. */
static void fold(struct spending *s, struct row *r)
{
	struct limit_subject who = r->who;
	who.app = who.model = who.asked = SPAN_NONE;
	if (is_folded(&r->who))
		who = (struct limit_subject){.app = SPAN_NONE};
	buf_clear(&s->key);
	subject_pack(&who, &s->key);
	struct row *to = find_row(s, buf_view(&s->key));
	if (!to)
		to = new_row(s, buf_view(&s->key));
	if (to == r)
		return;
	merge(s, to, r);
	drop_row(s, r);
}

struct candidate {
	struct row *row;
	bool is_folded;
	int64_t nusd;
};

static int by_least(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->is_folded != y->is_folded)
		return x->is_folded - y->is_folded;
	return (x->nusd > y->nusd) - (x->nusd < y->nusd);
}

static void fold_least(struct spending *s, size_t rows)
{
	struct row *r, *after;
	size_t n = 0;
	struct candidate *all = reallocarray(NULL, s->n_rows, sizeof *all);
	if (!all)
		abort();
	TABLE_EACH(s->rows, r, after) {
		all[n] = (struct candidate){r, is_folded(&r->who), 0};
		for (size_t i = 0; i < r->n; i++)
			all[n].nusd = num_add_sat(all[n].nusd, r->cells[i].nusd);
		n++;
	}
	qsort(all, n, sizeof *all, by_least);
	for (size_t i = 0; i < n && s->n_rows > rows; i++)
		fold(s, all[i].row);
	free(all);
}

/* Leaves at most `rows`, 1 or more: those who have nothing left go, then whoever spent least, of whom one knows most. */
static void make_room(struct spending *s, size_t rows)
{
	struct row *r, *after;
	TABLE_EACH(s->rows, r, after) {
		thin_row(s, r, INT64_MIN, 1);
		if (r->n == 0)
			drop_row(s, r);
	}
	if (s->n_rows > rows)
		fold_least(s, rows);
	if (s->n_rows > rows) /* they had nothing in common but what is forgotten then */
		fold_least(s, rows);
}

static void thin(struct spending *s)
{
	static const struct {
		int64_t days, width;
	} steps[] = {
		{1, 1 },
		{1, 4 },
		{8, 24},
		{2, 96},
	};
	for (size_t i = 0; i < COUNT_OF(steps) && s->n_cells > SPENDING_CELLS / 4 * 3; i++) {
		struct row *r, *after;
		TABLE_EACH(s->rows, r, after) {
			thin_row(s, r, s->latest - steps[i].days * DAY_QUARTER, steps[i].width);
			if (r->n == 0)
				drop_row(s, r);
		}
	}
	for (size_t rows = s->n_rows / 2; rows > 0 && s->n_cells > SPENDING_CELLS / 4 * 3;
		rows /= 2)
		make_room(s, rows);
}

void spending_add(struct spending *s, const struct limit_subject *who, int64_t at_s, int64_t nusd)
{
	const int64_t quarter = at_s / SPENDING_QUARTER_S;
	if (nusd <= 0 || at_s < 0 || quarter < s->latest - (int64_t)SPENDING_DAYS * DAY_QUARTER)
		return;
	if (quarter > s->latest)
		s->latest = quarter;
	buf_clear(&s->key);
	subject_pack(who, &s->key);
	struct row *r = find_row(s, buf_view(&s->key));
	if (!r && s->n_rows >= SPENDING_ROWS) {
		make_room(s, SPENDING_ROWS / 8 * 7);
		buf_clear(&s->key);
		subject_pack(who, &s->key);
	}
	if (!r)
		r = new_row(s, buf_view(&s->key));
	add_cell(s, r, quarter, nusd);
	if (s->n_cells > SPENDING_CELLS)
		thin(s);
}

void spending_forget_after(struct spending *s, int64_t at_s)
{
	const int64_t quarter = at_s / SPENDING_QUARTER_S;
	struct row *r, *after;
	TABLE_EACH(s->rows, r, after) {
		while (r->n > 0 && r->cells[r->n - 1].quarter > quarter) {
			r->n--;
			s->n_cells--;
		}
		if (r->n == 0)
			drop_row(s, r);
	}
	if (s->latest > quarter)
		s->latest = quarter;
}

static void tell(const struct row *row, int64_t from_s,
	void (*on_cell)(void *context, int64_t at_s, int64_t nusd), void *context)
{
	for (size_t i = row->n; i > 0; i--) {
		const struct cell *c = &row->cells[i - 1];
		if ((c->quarter + 1) * SPENDING_QUARTER_S <= from_s)
			break;
		on_cell(context, c->quarter * SPENDING_QUARTER_S, c->nusd);
	}
}

static bool is_meant(
	const struct row *row, const struct limit_rule *r, const struct limit_subject *who)
{
	return subject_is_alike(&row->who, who, r->each) && subject_falls_under(&row->who, r);
}

void spending_each(struct spending *s, const struct limit_rule *r, const struct limit_subject *who,
	int64_t from_s, void (*on_cell)(void *context, int64_t at_s, int64_t nusd), void *context)
{
	const struct group *least = NULL;
	for (unsigned i = 0; i < LIMIT_EACH_COUNT; i++) {
		if (!(r->each & UINT32_C(1) << i))
			continue;
		const struct group *g = group_of(s, who, (enum limit_each)i);
		if (!g)
			return;
		if (!least || g->n < least->n)
			least = g;
	}
	for (size_t i = 0; least && i < least->n; i++) {
		if (is_meant(least->rows[i], r, who))
			tell(least->rows[i], from_s, on_cell, context);
	}
	for (const struct row *row = s->rows; !least && row; row = row->hh.next) {
		if (is_meant(row, r, who))
			tell(row, from_s, on_cell, context);
	}
}
