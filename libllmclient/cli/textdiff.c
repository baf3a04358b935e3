/* textdiff.c - Myers' shortest edit script, as far as it is short; what is longer is shown as wholly replaced. */
#include "libllmclient/cli/textdiff.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT   3
#define STEPS_MAX 500 /* lines that differ; the memory grows by their square */

struct lines {
	struct span *line;
	size_t n;
};

struct diff {
	struct lines a, b;
	bool *is_gone, *is_new;     /* of a's, of b's */
	size_t begin, a_end, b_end; /* where they differ */
};

static bool lines_read(struct lines *l, struct span text)
{
	size_t n = 1;
	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	l->line = calloc(n, sizeof *l->line);
	l->n = 0;
	for (struct span rest = text; l->line && rest.n > 0;) {
		const size_t end = span_index(rest, '\n');
		const size_t size = end < rest.n ? end + 1 : rest.n;
		l->line[l->n++] = span_first(rest, size);
		rest = span_skip(rest, size);
	}
	return l->line != NULL;
}

static void trim(struct diff *d)
{
	d->begin = 0;
	d->a_end = d->a.n;
	d->b_end = d->b.n;
	while (d->begin < d->a_end && d->begin < d->b_end &&
		span_eq(d->a.line[d->begin], d->b.line[d->begin]))
		d->begin++;
	while (d->a_end > d->begin && d->b_end > d->begin &&
		span_eq(d->a.line[d->a_end - 1], d->b.line[d->b_end - 1])) {
		d->a_end--;
		d->b_end--;
	}
}

static void mark_all(struct diff *d)
{
	for (size_t i = d->begin; i < d->a_end; i++)
		d->is_gone[i] = true;
	for (size_t i = d->begin; i < d->b_end; i++)
		d->is_new[i] = true;
}

/* How far one comes along diagonal k after `steps` steps: of a's lines. */
static int64_t furthest(const struct diff *d, const int64_t *before, int64_t steps, int64_t k)
{
	const int64_t n = (int64_t)(d->a_end - d->begin), m = (int64_t)(d->b_end - d->begin);
	const int64_t *at = before + STEPS_MAX + 1;
	int64_t x = 0;
	if (steps > 0)
		x = k == -steps || (k != steps && at[k - 1] < at[k + 1]) ? at[k + 1]
									 : at[k - 1] + 1;
	while (x < n && x - k < m && x - k >= 0 &&
		span_eq(d->a.line[d->begin + (size_t)x], d->b.line[d->begin + (size_t)(x - k)]))
		x++;
	return x;
}

#define ROW ((size_t)(2 * STEPS_MAX + 3))

/* Back along the rows that were kept: which lines were passed over? */
static void mark_path(struct diff *d, const int64_t *rows, int64_t steps)
{
	int64_t x = (int64_t)(d->a_end - d->begin), y = (int64_t)(d->b_end - d->begin);
	for (; steps > 0; steps--) {
		const int64_t *at = rows + (size_t)(steps - 1) * ROW + STEPS_MAX + 1;
		const int64_t k = x - y;
		const bool is_down = k == -steps || (k != steps && at[k - 1] < at[k + 1]);
		const int64_t from_k = is_down ? k + 1 : k - 1;
		x = at[from_k];
		y = x - from_k;
		if (is_down)
			d->is_new[d->begin + (size_t)y] = true;
		else
			d->is_gone[d->begin + (size_t)x] = true;
	}
}

static bool find_path(struct diff *d)
{
	const int64_t n = (int64_t)(d->a_end - d->begin), m = (int64_t)(d->b_end - d->begin);
	int64_t *rows = NULL;
	bool is_found = false;
	for (int64_t steps = 0; !is_found && steps <= STEPS_MAX && steps <= n + m; steps++) {
		int64_t *more = realloc(rows, (size_t)(steps + 1) * ROW * sizeof *rows);
		if (!more)
			break;
		rows = more;
		int64_t *row = rows + (size_t)steps * ROW;
		const int64_t *before = steps > 0 ? row - ROW : row;
		for (size_t i = 0; i < ROW; i++)
			row[i] = steps > 0 ? before[i] : 0;
		for (int64_t k = -steps; k <= steps && !is_found; k += 2) {
			const int64_t x = furthest(d, before, steps, k);
			row[STEPS_MAX + 1 + k] = x;
			is_found = x == n && x - k == m;
		}
		if (is_found)
			mark_path(d, rows, steps);
	}
	free(rows);
	return is_found;
}

/* ---- showing ---- */

static void put_line(struct buf *out, char sign, struct span line)
{
	buf_byte(out, sign);
	buf_span(out, line);
	if (line.n == 0 || line.p[line.n - 1] != '\n')
		buf_text(out, "\n\\ No newline at end of file\n");
}

static bool is_same(const struct diff *d, size_t i, size_t j)
{
	return i < d->a.n && j < d->b.n && !d->is_gone[i] && !d->is_new[j];
}

/* From a place where they differ, over all that is nearer to it than two contexts. */
static void find_end(const struct diff *d, size_t i, size_t j, size_t *a_end, size_t *b_end)
{
	size_t same = 0;
	while ((i < d->a.n || j < d->b.n) && same <= (size_t)2 * CONTEXT) {
		if (is_same(d, i, j)) {
			same++;
			i++;
			j++;
			continue;
		}
		same = 0;
		if (i < d->a.n && d->is_gone[i])
			i++;
		else
			j++;
	}
	const size_t back = same > CONTEXT ? same - CONTEXT : 0;
	*a_end = i - back;
	*b_end = j - back;
}

/* As diff counts: an empty piece is behind the line before it. */
static void put_range(struct buf *out, char sign, size_t begin, size_t end)
{
	const size_t n = end - begin;
	buf_print(out, "%c%zu", sign, n > 0 ? begin + 1 : begin);
	if (n != 1)
		buf_print(out, ",%zu", n);
}

static void put_hunks(const struct diff *d, struct buf *out)
{
	size_t i = 0, j = 0;
	while (i < d->a.n || j < d->b.n) {
		size_t a_end, b_end;
		if (is_same(d, i, j)) {
			i++;
			j++;
			continue;
		}
		find_end(d, i, j, &a_end, &b_end);
		const size_t back = i < CONTEXT ? i : CONTEXT;
		i -= back;
		j -= back;
		buf_text(out, "@@ ");
		put_range(out, '-', i, a_end);
		buf_byte(out, ' ');
		put_range(out, '+', j, b_end);
		buf_text(out, " @@\n");
		while (i < a_end || j < b_end) {
			if (is_same(d, i, j) && j < b_end) {
				put_line(out, ' ', d->a.line[i++]);
				j++;
			} else if (i < a_end && d->is_gone[i]) {
				put_line(out, '-', d->a.line[i++]);
			} else {
				put_line(out, '+', d->b.line[j++]);
			}
		}
	}
}

void textdiff_put(struct span before, struct span after, const char *name_before,
	const char *name_after, struct buf *out)
{
	struct diff d = {.begin = 0};
	if (span_eq(before, after))
		return;
	if (lines_read(&d.a, before) && lines_read(&d.b, after)) {
		d.is_gone = calloc(d.a.n + 1, sizeof *d.is_gone);
		d.is_new = calloc(d.b.n + 1, sizeof *d.is_new);
	}
	if (d.is_gone && d.is_new) {
		trim(&d);
		if (!find_path(&d))
			mark_all(&d);
		buf_print(out, "--- %s\n+++ %s\n", name_before, name_after);
		put_hunks(&d, out);
	} else {
		out->err = ERR_NO_MEMORY;
	}
	free(d.is_gone);
	free(d.is_new);
	free(d.a.line);
	free(d.b.line);
}
