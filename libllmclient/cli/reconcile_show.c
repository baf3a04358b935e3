/* reconcile_show.c - the same figures in three forms. */
#include "libllmclient/cli/reconcile_show.h"

#include <inttypes.h>

#include "libllmclient/cli/csv.h"
#include "libllmclient/cli/day.h"
#include "protocol/base/num.h"

#define NANO INT64_C(1000000000)

/* ---- money ---- */

/* "-1.500000", or with as many as nine places where that is needed. */
static void put_money(struct buf *out, int64_t nusd)
{
	const uint64_t v = nusd < 0 ? 0 - (uint64_t)nusd : (uint64_t)nusd;
	const uint64_t behind = v % NANO;
	buf_print(out, "%s%" PRIu64 ".", nusd < 0 ? "-" : "", v / NANO);
	if (behind % 1000 == 0)
		buf_print(out, "%06" PRIu64, behind / 1000);
	else
		buf_print(out, "%09" PRIu64, behind);
}

/* Hundredths of a percent of `of`, half up; INT64_MAX: there is nothing to compare with. */
static int64_t share_of(int64_t diff, int64_t of)
{
	if (of == 0)
		return diff == 0 ? 0 : INT64_MAX;
	const int64_t a = diff < 0 ? num_mul_sat(diff, -1) : diff;
	const int64_t b = of < 0 ? num_mul_sat(of, -1) : of;
	const int64_t share = num_mul_div(a, 10000, b);
	return diff < 0 ? -share : share;
}

static void put_share(struct buf *out, int64_t diff, int64_t of)
{
	const int64_t share = share_of(diff, of);
	const int64_t v = share < 0 ? -share : share;
	if (share == INT64_MAX)
		buf_text(out, "-");
	else
		buf_print(out, "%s%" PRId64 ".%02" PRId64 "%%",
			share < 0   ? "-"
			: share > 0 ? "+"
				    : "",
			v / 100, v % 100);
}

/* ---- words ---- */

static const char *state_of(const struct line *l)
{
	if (l->is_within)
		return "ok";
	return l->kind == LINE_OURS     ? "ours only"
	       : l->kind == LINE_THEIRS ? "theirs only"
					: "differs";
}

/* ---- the table ---- */

static void cell_money(struct table *t, int64_t nusd, bool is_there)
{
	OWNED(buf_done) struct buf b = BUF_INIT(64);
	if (is_there)
		put_money(&b, nusd);
	table_cell(t, is_there ? buf_view(&b) : SPAN("-"));
}

static void cell_diff(struct table *t, int64_t diff)
{
	OWNED(buf_done) struct buf b = BUF_INIT(64);
	if (diff > 0)
		buf_byte(&b, '+');
	put_money(&b, diff);
	table_cell(t, buf_view(&b));
}

static void cell_share(struct table *t, int64_t diff, int64_t of)
{
	OWNED(buf_done) struct buf b = BUF_INIT(64);
	put_share(&b, diff, of);
	table_cell(t, buf_view(&b));
}

static void cell_state(struct table *t, const struct line *l)
{
	OWNED(buf_done) struct buf b = BUF_INIT(64);
	buf_text(&b, state_of(l));
	if (l->hint != HINT_NONE)
		buf_print(&b, ": %s", line_hint_word(l->hint));
	table_cell(t, buf_view(&b));
}

static void row_of_line(struct table *t, const struct line *l, const char *day, struct span model)
{
	table_text(t, day);
	table_cell(t, model.n > 0 ? model : SPAN("(no model)"));
	cell_money(t, l->ours.nusd, l->kind != LINE_THEIRS);
	cell_money(t, l->theirs.nusd, l->kind != LINE_OURS);
	cell_diff(t, l->diff_nusd);
	cell_share(t, l->diff_nusd, l->theirs.nusd);
	table_i64(t, l->ours.requests);
	table_i64(t, l->theirs.requests);
	table_i64(t, l->ours.unpriced);
	cell_state(t, l);
}

static void day_text(int64_t day, char *to, size_t size)
{
	OWNED(buf_done) struct buf b = BUF_INIT(32);
	day_put(&b, day);
	fault_text(to, size, buf_view(&b));
}

static void put_lines(struct buf *out, const struct reconciled *r)
{
	static const char *const head[] = {"DAY", "MODEL", "OURS USD", "THEIRS USD", "DIFFERENCE",
		"%", "REQUESTS", "THEIRS", "UNPRICED", ""};
	struct table t;
	char day[16];
	table_begin(&t, COUNT_OF(head), 0x1fc);
	for (size_t i = 0; i < COUNT_OF(head); i++)
		table_text(&t, head[i]);
	for (size_t i = 0; i < r->n; i++) {
		day_text(r->lines[i].day, day, sizeof day);
		row_of_line(
			&t, &r->lines[i], day, r->is_by_day ? SPAN("(all)") : r->lines[i].model);
	}
	row_of_line(&t, &r->total, "total", SPAN("(all)"));
	table_end(&t, out);
}

static struct span label_shown(struct span label)
{
	return label.n > 0 ? label : SPAN("(default)");
}

static void cell_whose(struct table *t, const struct key_line *k)
{
	OWNED(buf_done) struct buf b = BUF_INIT(512);
	if (!span_is_set(k->label)) {
		table_text(t, "not known");
		return;
	}
	buf_span(&b, label_shown(k->label));
	if (k->proof != KEY_UNKNOWN)
		buf_print(&b, " (%s)", key_proof_word(k->proof));
	table_cell(t, buf_view(&b));
}

static void put_keys(struct buf *out, const struct reconciled *r)
{
	static const char *const head[] = {
		"KEY", "OF THE BROKER'S", "OURS USD", "THEIRS USD", "DIFFERENCE", "FROM", "TO"};
	struct table t;
	char day[16];
	table_begin(&t, COUNT_OF(head), 0x1c);
	for (size_t i = 0; i < COUNT_OF(head); i++)
		table_text(&t, head[i]);
	for (size_t i = 0; i < r->n_keys; i++) {
		const struct key_line *k = &r->keys[i];
		table_cell(&t, span_is_set(k->key) ? k->key : SPAN("-"));
		cell_whose(&t, k);
		cell_money(&t, k->ours.nusd, span_is_set(k->label));
		cell_money(&t, k->theirs.nusd, span_is_set(k->key));
		cell_diff(&t, k->diff_nusd);
		day_text(k->first_day, day, sizeof day);
		table_text(&t, day);
		day_text(k->last_day, day, sizeof day);
		table_text(&t, day);
	}
	buf_byte(out, '\n');
	table_end(&t, out);
}

/* "0.5 %" */
static void put_percent(struct buf *out, int64_t millionths)
{
	int64_t behind = millionths % 10000;
	int places = 4;
	for (; places > 0 && behind % 10 == 0; places--)
		behind /= 10;
	buf_i64(out, millionths / 10000);
	if (places > 0)
		buf_print(out, ".%0*" PRId64, places, behind);
	buf_text(out, " %");
}

static void put_verdict(struct buf *out, const struct reconcile_view *v, const struct reconciled *r)
{
	buf_byte(out, '\n');
	if (r->foreign_nusd != 0) {
		buf_text(out, "Of models that the broker did not call on the day: ");
		put_money(out, r->foreign_nusd);
		buf_text(out, " USD.\n");
	}
	if (r->unknown_key_nusd != 0) {
		buf_text(out, "On keys that are not known to be the broker's: ");
		put_money(out, r->unknown_key_nusd);
		buf_text(out, " USD.\n");
	}
	if (r->n_keys > 0 && r->unassigned_nusd != 0) {
		buf_text(out, "Of no key that could be told: ");
		put_money(out, r->unassigned_nusd);
		buf_text(out, " USD.\n");
	}
	buf_print(out,
		r->is_within ? "The ledger agrees with %s, within "
			     : "The ledger does not agree with %s, within ",
		v->source);
	put_percent(out, v->tolerance->millionths);
	buf_text(out, " or ");
	put_money(out, v->tolerance->nusd);
	buf_text(out, " USD.\n");
}

/* ---- JSON ---- */

static void put_count(struct json_out *o, const char *name, int64_t v)
{
	json_key(o, name);
	if (v < 0)
		json_put_null(o);
	else
		json_put_i64(o, v);
}

static void put_side(struct json_out *o, const char *name, const struct spend *s, bool is_there)
{
	json_key(o, name);
	if (!is_there) {
		json_put_null(o);
		return;
	}
	json_open(o, '{');
	json_pair_i64(o, "nusd", s->nusd);
	put_count(o, "requests", s->requests);
	put_count(o, "tokens", spend_tokens(s));
	json_close(o, '}');
}

static void put_day(struct json_out *o, const char *name, int64_t day)
{
	char text[16];
	day_text(day, text, sizeof text);
	json_pair_str(o, name, span_str(text));
}

static void put_line_members(struct json_out *o, const struct line *l)
{
	put_side(o, "ours", &l->ours, l->kind != LINE_THEIRS);
	put_side(o, "theirs", &l->theirs, l->kind != LINE_OURS);
	json_pair_i64(o, "difference_nusd", l->diff_nusd);
	json_pair_i64(o, "unpriced", l->ours.unpriced);
	json_pair_i64(o, "unknown", l->ours.unknown);
	json_pair_str(o, "state", span_str(state_of(l)));
	json_pair_str(o, "hint", span_str(line_hint_word(l->hint)));
	json_pair_bool(o, "within", l->is_within);
}

static void put_json_keys(struct json_out *o, const struct reconciled *r)
{
	json_key(o, "keys");
	json_open(o, '[');
	for (size_t i = 0; i < r->n_keys; i++) {
		const struct key_line *k = &r->keys[i];
		json_open(o, '{');
		json_key(o, "key");
		if (span_is_set(k->key))
			json_put_str(o, k->key);
		else
			json_put_null(o);
		json_key(o, "label");
		if (span_is_set(k->label))
			json_put_str(o, k->label);
		else
			json_put_null(o);
		json_pair_str(o, "known_by", span_str(key_proof_word(k->proof)));
		put_side(o, "ours", &k->ours, span_is_set(k->label));
		put_side(o, "theirs", &k->theirs, span_is_set(k->key));
		json_pair_i64(o, "difference_nusd", k->diff_nusd);
		put_day(o, "first_day", k->first_day);
		put_day(o, "last_day", k->last_day);
		json_pair_bool(o, "within", k->is_within);
		json_close(o, '}');
	}
	json_close(o, ']');
}

static void put_json_notes(struct json_out *o, struct span notes)
{
	json_key(o, "notes");
	json_open(o, '[');
	while (notes.n > 0)
		json_put_str(o, span_cut(&notes, '\n'));
	json_close(o, ']');
}

static void put_json(struct buf *out, const struct reconcile_view *v, const struct reconciled *r)
{
	struct json_out o = json_to(out);
	json_open(&o, '{');
	json_pair_str(&o, "provider", span_str(v->provider));
	json_pair_str(&o, "source", span_str(v->source));
	json_pair_str(&o, "zone", span_str(v->zone));
	put_day(&o, "first_day", v->first_day);
	put_day(&o, "last_day", v->last_day);
	json_key(&o, "tolerance");
	json_open(&o, '{');
	json_pair_i64(&o, "millionths", v->tolerance->millionths);
	json_pair_i64(&o, "nusd", v->tolerance->nusd);
	json_close(&o, '}');
	json_key(&o, "lines");
	json_open(&o, '[');
	for (size_t i = 0; i < r->n; i++) {
		json_open(&o, '{');
		put_day(&o, "day", r->lines[i].day);
		json_key(&o, "model");
		if (r->is_by_day)
			json_put_null(&o);
		else
			json_put_str(&o, r->lines[i].model);
		put_line_members(&o, &r->lines[i]);
		json_close(&o, '}');
	}
	json_close(&o, ']');
	json_key(&o, "total");
	json_open(&o, '{');
	put_line_members(&o, &r->total);
	json_close(&o, '}');
	put_json_keys(&o, r);
	json_pair_i64(&o, "foreign_nusd", r->foreign_nusd);
	json_pair_i64(&o, "unknown_key_nusd", r->unknown_key_nusd);
	json_pair_i64(&o, "unassigned_nusd", r->unassigned_nusd);
	put_json_notes(&o, buf_view(&v->notes));
	json_pair_bool(&o, "within", r->is_within);
	json_close(&o, '}');
	buf_byte(out, '\n');
}

/* ---- CSV ---- */

static void csv_money(struct csv *line, int64_t nusd, bool is_there)
{
	OWNED(buf_done) struct buf b = BUF_INIT(64);
	put_money(&b, nusd);
	csv_number(line, is_there ? buf_view(&b) : SPAN_NONE);
}

static void csv_count(struct csv *line, int64_t v)
{
	OWNED(buf_done) struct buf b = BUF_INIT(64);
	buf_i64(&b, v);
	csv_number(line, v >= 0 ? buf_view(&b) : SPAN_NONE);
}

static void put_csv(struct buf *out, const struct reconciled *r)
{
	static const char *const head[] = {"day", "model", "ours_usd", "theirs_usd",
		"difference_usd", "ours_requests", "theirs_requests", "unpriced", "state", "hint"};
	struct csv line = {.to = out};
	char day[16];
	for (size_t i = 0; i < COUNT_OF(head); i++)
		csv_text(&line, span_str(head[i]));
	csv_end(&line);
	for (size_t i = 0; i < r->n; i++) {
		const struct line *l = &r->lines[i];
		day_text(l->day, day, sizeof day);
		csv_text(&line, span_str(day));
		csv_text(&line, r->is_by_day ? SPAN("") : l->model);
		csv_money(&line, l->ours.nusd, l->kind != LINE_THEIRS);
		csv_money(&line, l->theirs.nusd, l->kind != LINE_OURS);
		csv_money(&line, l->diff_nusd, true);
		csv_count(&line, l->ours.requests);
		csv_count(&line, l->theirs.requests);
		csv_count(&line, l->ours.unpriced);
		csv_text(&line, span_str(state_of(l)));
		csv_text(&line, span_str(line_hint_word(l->hint)));
		csv_end(&line);
	}
}

/* ---- all of it ---- */

static void say_notes(const struct reconcile_view *v)
{
	struct span notes = buf_view(&v->notes);
	while (!v->common->is_quiet && notes.n > 0) {
		const struct span note = span_cut(&notes, '\n');
		say_err("note: %.*s", SPAN_ARG(note));
	}
}

void reconcile_show(struct reconcile_view *v, const struct reconciled *r)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	switch (v->form) {
	case RECONCILE_JSON:
		put_json(&out, v, r);
		break;
	case RECONCILE_CSV:
		put_csv(&out, r);
		break;
	case RECONCILE_TABLE:
		put_lines(&out, r);
		if (r->n_keys > 0)
			put_keys(&out, r);
		put_verdict(&out, v, r);
		break;
	}
	say_out(&out);
	if (v->form != RECONCILE_JSON)
		say_notes(v);
}
