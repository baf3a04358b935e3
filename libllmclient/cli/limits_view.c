/* limits_view.c - gone through twice: once to see how wide the columns are, once to write. */
#include "libllmclient/cli/limits_view.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/peer.h"
#include "protocol/base/num.h"

#define COLUMNS      4
#define SCREEN       80
#define PASSES       "as time passes"
#define NANO         INT64_C(1000000000)
#define LEAST_DIGITS 2 /* of a dollar, where there are any */

struct view {
	struct arena arena;
	struct table t;    /* the first time: all amounts */
	struct span lines; /* the second time: the same, as lines */
	struct buf *out;   /* NULL: it is the first time */
	bool is_whole,
		is_learned; /* where it was said too; and a provider's own, which are known about */
};

/* ---- lines ---- */

static void row(
	struct view *v, struct span amount, struct span used, struct span aside, struct span anew)
{
	OWNED(buf_done) struct buf indented = BUF_INIT(SAY_BYTES_MAX);
	if (v->out) {
		const struct span line = span_cut(&v->lines, '\n');
		buf_print(v->out, "%.*s\n", SPAN_ARG(line));
		return;
	}
	buf_print(&indented, "  %.*s", SPAN_ARG(amount));
	table_cell(&v->t, buf_view(&indented));
	table_cell(&v->t, used);
	table_cell(&v->t, aside);
	table_cell(&v->t, anew);
}

static size_t width(struct span text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++)
		n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
	return n;
}

/* A sentence: what does not go on its line goes on the next, further in. */
static void say(struct view *v, const struct buf *text)
{
	struct span left = buf_view(text);
	size_t column = 0;
	if (!v->out)
		return;
	while (span_is_set(left)) {
		const struct span word = span_cut(&left, ' ');
		const bool is_first = column == 0, fits = column + 1 + width(word) <= SCREEN;
		if (!is_first)
			buf_text(v->out, fits ? " " : "\n    ");
		buf_span(v->out, word);
		column = (is_first ? 0 : fits ? column + 1 : 4) + width(word);
	}
	buf_byte(v->out, '\n');
}

/* ---- amounts ---- */

/* "5.00", "0.000003131": all of it. */
static void put_money(struct buf *out, int64_t nusd)
{
	char digits[16];
	size_t n = 9;
	(void)snprintf(digits, sizeof digits, "%09" PRId64, nusd % NANO);
	while (n > LEAST_DIGITS && digits[n - 1] == '0')
		n--;
	buf_print(out, "%" PRId64 ".%.*s", nusd / NANO, (int)n, digits);
}

/* "60 requests/minute", in the unit of time that it is a whole one of. */
static void put_rate(struct buf *out, int64_t limit, struct span what, int64_t per_ms)
{
	/* clang-format off */
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {{1000, "second"}, {60000, "minute"}, {3600000, "hour"}, {86400000, "day"}};
	/* clang-format on */
	const size_t n = span_index(what, '_');
	buf_print(out, "%" PRId64 " %.*s%s%.*s", limit, SPAN_ARG(span_first(what, n)),
		n < what.n ? " " : "", SPAN_ARG(span_skip(what, n < what.n ? n + 1 : n)));
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (per_ms == units[i].ms) {
			buf_print(out, "/%s", units[i].name);
			return;
		}
	}
	if (per_ms % 1000 == 0)
		buf_print(out, "/%" PRId64 "s", per_ms / 1000);
	else
		buf_print(out, "/%" PRId64 "ms", per_ms);
}

static void put_count(struct buf *out, int64_t n)
{
	if (n >= 0)
		buf_print(out, "%" PRId64, n);
}

/* A member of a counter, or of what a limit amounts to, where nothing is used. */
static void row_of_rate(struct view *v, struct span what, struct json rate)
{
	OWNED(buf_done) struct buf used = BUF_INIT(64), limit = BUF_INIT(128);
	const bool is_count = span_is(what, "concurrency");
	const int64_t amount = number_of(rate, "limit");
	put_count(&used, number_of(rate, "used"));
	int64_t per_ms = number_of(rate, "per_ms");
	if (v->is_learned && per_ms > 0 && per_ms < INT64_MAX - 1000)
		per_ms = (per_ms + 999) / 1000 * 1000;
	if (is_count)
		buf_print(&limit, "%" PRId64 " at a time", amount);
	else
		put_rate(&limit, amount, what, per_ms);
	row(v, buf_view(&limit), buf_view(&used), SPAN(""),
		is_count || used.n == 0 ? SPAN("") : SPAN(PASSES));
}

static void row_of_budget(struct view *v, struct json budget, bool is_rolling)
{
	OWNED(buf_done)
	struct buf used = BUF_INIT(64), aside = BUF_INIT(64), limit = BUF_INIT(128),
		   anew = BUF_INIT(64);
	const int64_t spent_nusd = number_of(budget, "spent_nusd");
	const int64_t reserved_nusd = number_of(budget, "reserved_nusd");
	put_money(&limit, number_of(budget, "limit_nusd"));
	buf_print(&limit, " USD/%.*s%s", SPAN_ARG(text_of(budget, "period", &v->arena)),
		json_is_true(json_member(budget, "soft")) ? ", soft" : "");
	if (spent_nusd >= 0)
		put_money(&used, spent_nusd);
	if (reserved_nusd > 0)
		put_money(&aside, reserved_nusd);
	if (is_rolling && spent_nusd >= 0)
		buf_text(&anew, PASSES);
	else if (spent_nusd >= 0)
		put_time(&anew, number_of(budget, "until_s"));
	row(v, buf_view(&limit), buf_view(&used), buf_view(&aside), buf_view(&anew));
}

static void rows_of(struct view *v, struct json amounts, bool is_rolling)
{
	for (struct json_walk w = json_each(amounts); json_next(&w);) {
		if (json_kind(w.value) == JSON_OBJECT && !span_is(w.name, "of"))
			row_of_rate(v, w.name, w.value);
	}
	for (struct json_walk w = json_each(json_member(amounts, "budgets")); json_next(&w);)
		row_of_budget(v, w.value, is_rolling);
}

/* ---- whose they are ---- */

/* A user by name, where it has one here. */
static void put_value(struct view *v, struct buf *out, struct span what, struct json value)
{
	struct span text = value.text;
	int64_t uid;
	if (json_kind(value) == JSON_STRING && json_utf8(value, &v->arena, &text) != OK)
		text = SPAN_NONE;
	const struct passwd *who =
		span_is(what, "user") && num_i64(text, &uid) ? getpwuid((uid_t)uid) : NULL;
	if (who)
		buf_text(out, who->pw_name);
	else
		buf_span(out, text.n > 0 ? text : SPAN("(unnamed)"));
}

/* "app notes, user root": whose count it is. Nothing where it is everybody's. */
static void say_whose(struct view *v, struct json of)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SAY_BYTES_MAX);
	for (struct json_walk w = json_each(of); json_next(&w);) {
		buf_print(&text, "%s%.*s ", text.n > 0 ? ", " : "for ", SPAN_ARG(w.name));
		put_value(v, &text, w.name, w.value);
	}
	if (text.n > 0)
		say(v, &text);
}

/* "app agent-* or mail, model gpt-4o": the calls that it is for. */
static void put_patterns(struct view *v, struct buf *text, struct json patterns)
{
	const char *before = "";
	for (struct json_walk w = json_each(patterns); json_next(&w);) {
		buf_print(text, "%s%.*s ", before, SPAN_ARG(w.name));
		const char *between = "";
		for (struct json_walk l = json_each(w.value); json_next(&l);) {
			buf_text(text, between);
			put_value(v, text, w.name, l.value);
			between = " or ";
		}
		before = ", ";
	}
	if (before[0] == '\0')
		buf_text(text, "all calls");
}

static bool has_budget(struct json limit)
{
	const struct json amounts = json_member(limit, "amounts");
	struct json_walk w = json_each(json_member(amounts, "budgets"));
	return json_next(&w);
}

/* "daily: app agent-*; for each user; by the calendar of Europe/Berlin" */
static void say_head(struct view *v, struct json limit, bool is_rolling)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SAY_BYTES_MAX);
	const struct span zone = text_of(limit, "zone", &v->arena);
	const char *before = "; for each ";
	buf_print(&text, "%.*s: ", SPAN_ARG(text_of(limit, "name", &v->arena)));
	put_patterns(v, &text, json_member(limit, "for"));
	for (struct json_walk w = json_each(json_member(limit, "each")); json_next(&w);) {
		buf_text(&text, before);
		put_value(v, &text, SPAN("each"), w.value);
		before = " and ";
	}
	if (has_budget(limit))
		buf_print(&text, "; %s %.*s", is_rolling ? "rolling, in" : "by the calendar of",
			SPAN_ARG(zone));
	say(v, &text);
}

static void say_note(struct view *v, struct span note)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SAY_BYTES_MAX);
	buf_print(&text, "note: %.*s", SPAN_ARG(note));
	say(v, &text);
}

static void view_limit(struct view *v, struct json limit)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SAY_BYTES_MAX);
	const bool is_rolling = span_is(text_of(limit, "window", &v->arena), "rolling");
	const struct span warning = text_of(limit, "warning", &v->arena);
	const int64_t more = number_of(limit, "more");
	struct json_walk counters = json_each(json_member(limit, "counters"));
	say_head(v, limit, is_rolling);
	if (v->is_whole) {
		buf_print(&text, "said in: %.*s", SPAN_ARG(text_of(limit, "said_at", &v->arena)));
		say(v, &text);
	}
	if (warning.n > 0)
		say_note(v, warning);
	bool is_used = false;
	while (json_next(&counters)) {
		say_whose(v, json_member(counters.value, "of"));
		rows_of(v, counters.value, is_rolling);
		is_used = true;
	}
	if (!is_used)
		rows_of(v, json_member(limit, "amounts"), is_rolling);
	if (more > 0) {
		buf_clear(&text);
		buf_print(&text, "and %" PRId64 " more, who have spent no more than these", more);
		say(v, &text);
	}
}

/* ---- what providers have said ---- */

static void view_provider(struct view *v, struct json provider)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SAY_BYTES_MAX), wait = BUF_INIT(64);
	const struct span key = text_of(provider, "key", &v->arena);
	const struct span model = text_of(provider, "model", &v->arena);
	const int64_t rest_ms = number_of(provider, "rest_ms");
	buf_print(&text, "provider %.*s", SPAN_ARG(text_of(provider, "provider", &v->arena)));
	if (key.n > 0)
		buf_print(&text, ", key %.*s", SPAN_ARG(key));
	if (model.n > 0)
		buf_print(&text, ", model %.*s", SPAN_ARG(model));
	buf_text(&text, ": its own limits, as it said");
	say(v, &text);
	v->is_learned = true;
	rows_of(v, provider, false);
	v->is_learned = false;
	if (rest_ms > 0) {
		buf_print(&wait, "in %" PRId64 " s", (rest_ms + 999) / 1000);
		row(v, SPAN("wants no call now"), SPAN(""), SPAN(""), buf_view(&wait));
	}
}

/* ---- all of it ---- */

static void go_through(struct view *v, struct json answer)
{
	OWNED(buf_done) struct buf text = BUF_INIT(256);
	const int64_t waiting = number_of(answer, "waiting");
	for (struct json_walk w = json_each(json_member(answer, "limits")); json_next(&w);)
		view_limit(v, w.value);
	for (struct json_walk w = json_each(json_member(answer, "providers")); json_next(&w);)
		view_provider(v, w.value);
	if (waiting <= 0)
		return;
	buf_print(&text, "%" PRId64 " %s", waiting,
		waiting == 1 ? "call waits for its turn" : "calls wait for their turn");
	say(v, &text);
}

static void view(struct json answer, struct buf *out, bool is_whole)
{
	static const char *const heads[COLUMNS] = {"LIMIT", "USED", "SET ASIDE", "ANEW"};
	OWNED(buf_done) struct buf lines = BUF_INIT(SAY_BYTES_MAX);
	struct view v = {.is_whole = is_whole};
	arena_init(&v.arena, SAY_BYTES_MAX);
	table_begin(&v.t, COLUMNS, 0);
	for (size_t i = 0; i < COLUMNS; i++)
		table_text(&v.t, heads[i]);
	go_through(&v, answer);
	const bool has_any = v.t.n > COLUMNS;
	table_end(&v.t, &lines);
	v.lines = buf_view(&lines);
	v.out = out;
	const struct span head = span_cut(&v.lines, '\n');
	if (has_any)
		buf_print(out, "%.*s\n", SPAN_ARG(head));
	go_through(&v, answer);
	arena_done(&v.arena);
}

void limits_view(struct json answer, struct buf *out)
{
	view(answer, out, false);
}

void limits_view_whole(struct json answer, struct buf *out)
{
	view(answer, out, true);
}
