/* top_view.c - five lines of figures, then a table of calls. */
#include "libllmclient/cli/top_view.h"

#include <inttypes.h>
#include <time.h>

#include "libllmclient/cli/cells.h"
#include "libllmclient/cli/say.h"

#define LINE_BYTES     ((size_t)64 * 1024)
#define BYTES_A_TOKEN  4 /* about, of a text that nobody has counted */
#define APP_COLUMNS    24
#define FIGURE_COLUMNS 8

struct page {
	struct buf *out;
	size_t columns, lines; /* that are left */
};

/* ---- parts of lines ---- */

static void end_line(struct page *p, struct buf *line)
{
	if (p->lines > 0) {
		p->lines--;
		cells_put(p->out, buf_view(line), p->columns);
		buf_byte(p->out, '\n');
	}
	buf_clear(line);
}

static void put_number(struct buf *out, int64_t n)
{
	if (n >= 0)
		buf_i64(out, n);
	else
		buf_byte(out, '-');
}

/* "0.4", of thousandths. */
static void put_rate(struct buf *out, int64_t milli)
{
	const int64_t tenths = milli / 100 + (milli % 100 >= 50);
	if (tenths < 1000)
		buf_print(out, "%" PRId64 ".%" PRId64, tenths / 10, tenths % 10);
	else
		buf_i64(out, tenths / 10);
}

/* "0.41 s", "12.3 s", "412 s". */
static void put_time(struct buf *out, int64_t us)
{
	if (us < 0)
		buf_byte(out, '-');
	else if (us < INT64_C(10000000))
		buf_print(out, "%" PRId64 ".%02" PRId64 " s", us / 1000000, us % 1000000 / 10000);
	else if (us < INT64_C(100000000))
		buf_print(out, "%" PRId64 ".%" PRId64 " s", us / 1000000, us % 1000000 / 100000);
	else
		buf_print(out, "%" PRId64 " s", us / 1000000);
}

/* To the right. */
static void put_column(struct buf *line, struct buf *cell)
{
	for (size_t n = cell->n; n < FIGURE_COLUMNS; n++)
		buf_byte(line, ' ');
	buf_span(line, buf_view(cell));
	buf_clear(cell);
}

/* ---- the lines ---- */

static void put_head(struct page *p, const struct top_frame *f, struct buf *line)
{
	const time_t at = (time_t)f->at_s;
	struct tm t;
	char clock[16];
	buf_text(line, "llmb top  ");
	if (localtime_r(&at, &t) && strftime(clock, sizeof clock, "%H:%M:%S", &t) > 0)
		buf_text(line, clock);
	if (f->is_all)
		buf_text(line, "  calls of all users");
	else if (f->uid >= 0)
		buf_print(line, "  calls of uid %" PRId64, f->uid);
	if (f->uptime_s >= 0) {
		buf_text(line, ", broker up ");
		put_lasting(line, f->uptime_s);
	}
	end_line(p, line);
	if (f->trouble) {
		buf_print(line, "TROUBLE   %s", f->trouble);
		end_line(p, line);
	}
}

static void put_open(struct page *p, const struct top_frame *f, struct buf *line)
{
	buf_text(line, "now       ");
	put_number(line, f->open);
	buf_text(line, " open, ");
	put_number(line, f->waiting);
	buf_text(line, " waiting for limits, ");
	put_rate(line, f->now.calls_milli_s);
	buf_text(line, " calls/s, ");
	put_rate(line, f->now.tokens_milli_s);
	buf_text(line, " tokens/s");
	end_line(p, line);
}

static void put_minute(struct page *p, const struct top_frame *f, struct buf *line)
{
	const struct minute_sums *m = &f->minute;
	buf_print(line, "minute    %" PRId64 " ended, %" PRId64 " failed, cache hits ", m->calls,
		m->failed);
	if (m->cached_permille >= 0)
		buf_print(line, "%" PRId64 "%%", m->cached_permille / 10);
	else
		buf_byte(line, '-');
	if (f->missed > 0)
		buf_print(line, ", %" PRId64 " MISSED", f->missed);
	end_line(p, line);
	buf_text(line, "          first token p50 ");
	put_time(line, m->ttft_p50_us);
	buf_text(line, " p99 ");
	put_time(line, m->ttft_p99_us);
	buf_text(line, ", total p50 ");
	put_time(line, m->total_p50_us);
	buf_text(line, " p99 ");
	put_time(line, m->total_p99_us);
	end_line(p, line);
}

static void put_today(struct page *p, const struct top_frame *f, struct buf *line)
{
	buf_text(line, "today     ");
	if (f->today_nusd >= 0) {
		put_usd(line, f->today_nusd);
		buf_text(line, " USD, ");
	} else {
		buf_text(line, "- USD, ");
	}
	put_number(line, f->today_calls);
	buf_text(line, " calls");
	if (f->today_unpriced > 0)
		buf_print(line, ", %" PRId64 " of unknown cost", f->today_unpriced);
	end_line(p, line);
	buf_text(line, "loop      ");
	put_number(line, f->stalls);
	buf_text(line, " stalls, longest turn ");
	if (f->longest_us >= 0)
		buf_print(line, "%" PRId64 " ms", f->longest_us / 1000);
	else
		buf_byte(line, '-');
	end_line(p, line);
}

/* Counted, where all of it is; else what the texts are likely to be. */
static void put_tokens(struct buf *cell, const struct top_group *g)
{
	if (g->text_bytes > 0)
		buf_byte(cell, '~');
	if (g->text_bytes > 0 || g->output_tokens > 0)
		buf_i64(cell,
			g->output_tokens + (g->text_bytes + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN);
	else
		buf_byte(cell, '-');
}

static void put_group(struct page *p, const struct top_frame *f, const struct top_group *g,
	struct buf *line, struct buf *cell)
{
	buf_i64(cell, g->calls);
	put_column(line, cell);
	if (g->waiting > 0)
		buf_i64(cell, g->waiting);
	else
		buf_byte(cell, '-');
	put_column(line, cell);
	put_lasting(cell, g->oldest_us / 1000000);
	put_column(line, cell);
	put_tokens(cell, g);
	put_column(line, cell);
	if (f->is_all) {
		buf_i64(cell, g->uid);
		put_column(line, cell);
	}
	buf_text(line, "  ");
	cells_pad(line, g->app.n > 0 ? g->app : SPAN("-"), APP_COLUMNS);
	buf_text(line, "  ");
	buf_span(line, g->model.n > 0 ? g->model : SPAN("-"));
	end_line(p, line);
}

static void put_groups(
	struct page *p, const struct top_frame *f, struct buf *line, struct buf *cell)
{
	int64_t shown = 0;
	if (f->open <= 0)
		return;
	end_line(p, line);
	buf_print(line, "%8s%8s%8s%8s%s  ", "CALLS", "WAITING", "OLDEST", "TOKENS",
		f->is_all ? "     UID" : "");
	cells_pad(line, SPAN("APP"), APP_COLUMNS);
	buf_text(line, "  MODEL");
	end_line(p, line);
	const bool has_room = f->n_groups <= p->lines && f->listed == f->open;
	for (size_t i = 0; i < f->n_groups && p->lines > (has_room ? 0 : 1); i++) {
		put_group(p, f, &f->groups[i], line, cell);
		shown += f->groups[i].calls;
	}
	if (shown < f->open) {
		buf_print(line, "%8" PRId64 " more", f->open - shown);
		end_line(p, line);
	}
}

void top_text(const struct top_frame *f, size_t columns, size_t lines, struct buf *out)
{
	OWNED(buf_done) struct buf line = BUF_INIT(LINE_BYTES);
	OWNED(buf_done) struct buf cell = BUF_INIT(LINE_BYTES);
	struct page p = {.out = out, .columns = columns, .lines = lines};
	put_head(&p, f, &line);
	put_open(&p, f, &line);
	put_minute(&p, f, &line);
	put_today(&p, f, &line);
	put_groups(&p, f, &line, &cell);
}

/* ---- the object ---- */

static void json_known(struct json_out *o, const char *name, int64_t v)
{
	json_key(o, name);
	if (v >= 0)
		json_put_i64(o, v);
	else
		json_put_null(o);
}

static void json_milli(struct json_out *o, const char *name, int64_t milli)
{
	json_key(o, name);
	json_put_f64(o, (double)milli / 1000);
}

static void json_rates(struct json_out *o, const struct top_frame *f)
{
	const struct minute_sums *m = &f->minute;
	json_milli(o, "calls_per_s", f->now.calls_milli_s);
	json_milli(o, "tokens_per_s", f->now.tokens_milli_s);
	json_key(o, "minute");
	json_open(o, '{');
	json_pair_i64(o, "calls", m->calls);
	json_pair_i64(o, "failed", m->failed);
	json_pair_i64(o, "cached", m->cached);
	json_pair_i64(o, "tokens", m->tokens);
	json_known(o, "ttft_p50_us", m->ttft_p50_us);
	json_known(o, "ttft_p99_us", m->ttft_p99_us);
	json_known(o, "total_p50_us", m->total_p50_us);
	json_known(o, "total_p99_us", m->total_p99_us);
	json_close(o, '}');
	json_pair_i64(o, "missed", f->missed);
}

static void json_groups(struct json_out *o, const struct top_frame *f)
{
	json_key(o, "calls");
	json_open(o, '[');
	for (size_t i = 0; i < f->n_groups; i++) {
		const struct top_group *g = &f->groups[i];
		json_open(o, '{');
		json_pair_i64(o, "uid", g->uid);
		json_pair_str(o, "app", g->app);
		json_pair_str(o, "model", g->model);
		json_pair_i64(o, "calls", g->calls);
		json_pair_i64(o, "waiting", g->waiting);
		json_pair_i64(o, "oldest_us", g->oldest_us);
		json_pair_i64(o, "output", g->output_tokens);
		json_pair_i64(o, "text_bytes", g->text_bytes);
		json_close(o, '}');
	}
	json_close(o, ']');
}

void top_json(const struct top_frame *f, struct buf *out)
{
	struct json_out o = json_to(out);
	json_open(&o, '{');
	json_pair_i64(&o, "at_s", f->at_s);
	if (f->trouble)
		json_pair_str(&o, "trouble", span_str(f->trouble));
	json_pair_bool(&o, "all", f->is_all);
	json_known(&o, "uid", f->uid);
	json_known(&o, "open", f->open);
	json_known(&o, "waiting", f->waiting);
	json_rates(&o, f);
	json_key(&o, "today");
	json_open(&o, '{');
	json_known(&o, "cost_nusd", f->today_nusd);
	json_known(&o, "requests", f->today_calls);
	json_known(&o, "unpriced", f->today_unpriced);
	json_close(&o, '}');
	json_known(&o, "uptime_s", f->uptime_s);
	json_key(&o, "loop");
	json_open(&o, '{');
	json_known(&o, "stalls", f->stalls);
	json_known(&o, "longest_us", f->longest_us);
	json_close(&o, '}');
	json_groups(&o, f);
	json_close(&o, '}');
}
