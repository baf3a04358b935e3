/* spending.c - a table of subjects, each with its quarters in order. */
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
	char key[];
};

struct spending {
	struct row *rows;
	size_t n_rows, n_cells;
	struct buf key; /* of who is looked for */
	int64_t latest; /* quarter */
};

struct spending *spending_new(void)
{
	struct spending *s = calloc(1, sizeof *s);
	if (!s)
		abort();
	buf_init(&s->key, SIZE_MAX / 2);
	return s;
}

static void drop_row(struct spending *s, struct row *r)
{
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
	return r;
}

static bool is_folded(const struct limit_subject *who)
{
	return who->app.n == 0 && who->model.n == 0 && who->asked.n == 0;
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
	for (size_t i = 0; to != r && i < r->n; i++)
		add_cell(s, to, r->cells[i].quarter, r->cells[i].nusd);
	if (to != r)
		drop_row(s, r);
}

/* Makes room for one more: of those who have nothing left, else of whoever spent least, of whom one knows most. */
static void make_room(struct spending *s)
{
	struct row *r, *after, *least = NULL;
	int64_t least_nusd = INT64_MAX;
	bool is_least_folded = true;
	TABLE_EACH(s->rows, r, after) {
		int64_t nusd = 0;
		thin_row(s, r, INT64_MIN, 1);
		if (r->n == 0) {
			drop_row(s, r);
			continue;
		}
		const bool is_this_folded = is_folded(&r->who);
		for (size_t i = 0; i < r->n; i++)
			nusd = num_add_sat(nusd, r->cells[i].nusd);
		if (is_this_folded > is_least_folded ||
			(is_this_folded == is_least_folded && nusd >= least_nusd))
			continue;
		least = r;
		least_nusd = nusd;
		is_least_folded = is_this_folded;
	}
	if (least && s->n_rows >= SPENDING_ROWS)
		fold(s, least);
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
		make_room(s);
		buf_clear(&s->key);
		subject_pack(who, &s->key);
	}
	if (!r)
		r = new_row(s, buf_view(&s->key));
	add_cell(s, r, quarter, nusd);
	if (s->n_cells > SPENDING_CELLS)
		thin(s);
}

void spending_each(const struct spending *s, const struct limit_rule *r,
	const struct limit_subject *who, int64_t from_s,
	void (*on_cell)(void *context, int64_t at_s, int64_t nusd), void *context)
{
	for (const struct row *row = s->rows; row; row = row->hh.next) {
		if (!subject_is_alike(&row->who, who, r->each) ||
			!subject_falls_under(&row->who, r))
			continue;
		for (size_t i = row->n; i > 0; i--) {
			const struct cell *c = &row->cells[i - 1];
			if ((c->quarter + 1) * SPENDING_QUARTER_S <= from_s)
				break;
			on_cell(context, c->quarter * SPENDING_QUARTER_S, c->nusd);
		}
	}
}
