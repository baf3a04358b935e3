/* export.c - the first line says where things are, each other one is an entry. */
#include "libllmclient/cli/export.h"

#include <inttypes.h>

#include "libllmclient/cli/options.h"

#define HEAD_BYTES ((size_t)64 * 1024)

static const char *const field_names[] = {
	"day", "model", "cost", "key", "input", "output", "requests", "currency"};

/* Whose export has all these columns? What is marked by '?' may be missing. */
static const struct {
	const char *name;
	const char *map;
} known_exports[] = {
	{"OpenAI's costs",
         "day=start_time_iso,model=?line_item,cost=amount_value,currency=?amount_currency"     },
	{"OpenAI's costs",
         "day=start_time,model=?line_item,cost=amount_value,currency=?amount_currency"         },
	{"Anthropic's costs",     "day=usage_date_utc,model=model,cost=cost_usd,key=?api_key"  },
	{"Google's reports",      "day=Date,model=?SKU description,cost=Unrounded subtotal ($)"},
	{"OpenRouter's activity",
         "day=created_at,model=model_permaslug,cost=cost_total,key=?api_key_name,"
		"input=?tokens_prompt,output=?tokens_completion"                               },
};

/* ---- the map ---- */

static size_t field_of(struct span name)
{
	size_t i = 0;
	while (i < EXPORT_FIELDS && !span_is_nocase(name, field_names[i]))
		i++;
	return i;
}

static enum err refuse_field(struct span name, struct fault *why)
{
	char word[32];
	fault_text(word, sizeof word, name);
	const char *near = nearest_word(word, field_names, EXPORT_FIELDS);
	return fault_set(why, ERR_INVALID_ARGUMENT,
		"there is no \"%s\"%s%s%s; the fields are day, model, cost, key, input, output, "
		"requests and currency",
		word, near ? "; is \"" : "", near ? near : "", near ? "\" meant?" : "");
}

/* What stands behind the last colon of a column's name, where it is a form. */
static bool take_form(struct export_map *map, size_t field, struct span *column)
{
	static const struct {
		const char *word;
		size_t field;
		int value;
	} forms[] = {
		{"mdy",   EXPORT_DAY,  DAY_FORM_MDY     },
		{"dmy",   EXPORT_DAY,  DAY_FORM_DMY     },
		{"iso",   EXPORT_DAY,  DAY_FORM_ANY     },
		{"unix",  EXPORT_DAY,  DAY_FORM_UNIX    },
		{"point", EXPORT_COST, AMOUNT_MARK_POINT},
		{"comma", EXPORT_COST, AMOUNT_MARK_COMMA},
	};
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		const size_t n = strlen(forms[i].word);
		if (forms[i].field != field || column->n <= n + 1 ||
			column->p[column->n - n - 1] != ':' ||
			!span_is_nocase(span_skip(*column, column->n - n), forms[i].word))
			continue;
		if (field == EXPORT_DAY)
			map->day_form = (enum day_form)forms[i].value;
		else
			map->mark = (enum amount_mark)forms[i].value;
		column->n -= n + 1;
		return true;
	}
	return false;
}

/* Where the next "field=" begins: a column may have commas in its name. */
static size_t next_part(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != ',')
			continue;
		const struct span rest = span_skip(text, i + 1);
		const size_t equals = span_index(rest, '=');
		if (equals < rest.n &&
			field_of(span_trim(span_first(rest, equals))) < EXPORT_FIELDS)
			return i;
		/* a mistyped field is a mistake, and no part of a name */
		if (equals < rest.n && span_index(rest, ',') > equals)
			return i;
	}
	return text.n;
}

enum err export_map_read(struct export_map *map, struct span text, struct fault *why)
{
	while (text.n > 0) {
		const size_t end = next_part(text);
		struct span column = span_first(text, end);
		text = end < text.n ? span_skip(text, end + 1) : SPAN_NONE;
		const struct span name = span_trim(span_cut(&column, '='));
		const size_t field = field_of(name);
		if (!span_is_set(column))
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"\"%.*s\": day=COLUMN,model=COLUMN,cost=COLUMN is wanted",
				SPAN_ARG(span_first(name, 64)));
		if (field == EXPORT_FIELDS)
			return refuse_field(name, why);
		(void)take_form(map, field, &column);
		column = span_trim(column);
		if (column.n == 0)
			return fault_set(why, ERR_INVALID_ARGUMENT, "%s= names no column",
				field_names[field]);
		if (span_is_set(map->columns[field]))
			return fault_set(
				why, ERR_INVALID_ARGUMENT, "%s is said twice", field_names[field]);
		map->columns[field] = column;
	}
	return OK;
}

/* ---- the first line ---- */

void export_init(struct export *e, const struct export_map *map, const struct export_days *days,
	struct statement *to)
{
	*e = (struct export){.map = *map, .days = *days, .to = to};
	buf_init(&e->head, HEAD_BYTES);
}

void export_done(struct export *e)
{
	csv_reader_done(&e->csv);
	buf_done(&e->head);
}

static bool is_column(struct span cell, struct span name)
{
	cell = span_trim(cell);
	if (cell.n != name.n)
		return false;
	for (size_t i = 0; i < cell.n; i++) {
		if (span_lower(cell.p[i]) != span_lower(name.p[i]))
			return false;
	}
	return true;
}

static size_t column_of(const struct csv_record *r, struct span name, size_t from)
{
	for (size_t i = from; i < r->n; i++) {
		if (is_column(r->fields[i].text, name))
			return i;
	}
	return SIZE_MAX;
}

/* "Date, Model, Cost": what there is to choose from. */
static void list_columns(const struct csv_record *r, char *to, size_t size)
{
	OWNED(buf_done) struct buf b = BUF_INIT(HEAD_BYTES);
	for (size_t i = 0; i < r->n && b.n < size; i++) {
		buf_text(&b, i > 0 ? ", " : "");
		buf_span(&b, span_first(span_trim(r->fields[i].text), 64));
	}
	fault_text(to, size, buf_view(&b));
}

static const char *near_column(const struct csv_record *r, struct span name, char *to, size_t size)
{
	const char *names[64];
	char texts[COUNT_OF(names)][24];
	char word[24];
	size_t n = 0;
	for (; n < r->n && n < COUNT_OF(names); n++) {
		fault_text(texts[n], sizeof texts[n], span_trim(r->fields[n].text));
		names[n] = texts[n];
	}
	fault_text(word, sizeof word, name);
	const char *near = nearest_word(word, names, n);
	fault_text(to, size, near ? span_str(near) : SPAN(""));
	return near ? to : NULL;
}

static enum err refuse_column(const struct csv_record *r, struct span name, struct fault *why)
{
	char all[500], near[24], shown[64];
	list_columns(r, all, sizeof all);
	fault_text(shown, sizeof shown, name);
	const char *meant = near_column(r, name, near, sizeof near);
	return fault_set(why, ERR_INVALID_ARGUMENT,
		"there is no column \"%s\"%s%s%s; the first line has: %s", shown,
		meant ? "; is \"" : "", meant ? meant : "", meant ? "\" meant?" : "", all);
}

/* Finds the columns of a map. `*missing` is the first that has to be there and is not. */
static void place(struct export *e, const struct csv_record *r, const struct export_map *map,
	struct span *missing)
{
	*missing = SPAN_NONE;
	for (size_t i = 0; i < EXPORT_FIELDS; i++) {
		struct span name = map->columns[i];
		const bool may_be_missing = name.n > 0 && name.p[0] == '?';
		e->at[i] = SIZE_MAX;
		if (!span_is_set(name))
			continue;
		if (may_be_missing)
			name = span_skip(name, 1);
		e->at[i] = column_of(r, name, 0);
		if (e->at[i] == SIZE_MAX && !may_be_missing && !span_is_set(*missing))
			*missing = name;
	}
}

/* A name that two columns have names neither. */
static enum err check_single(const struct export *e, const struct csv_record *r, struct fault *why)
{
	char shown[64];
	for (size_t i = 0; i < EXPORT_FIELDS; i++) {
		if (e->at[i] == SIZE_MAX)
			continue;
		const struct span name = span_trim(r->fields[e->at[i]].text);
		if (column_of(r, name, e->at[i] + 1) == SIZE_MAX)
			continue;
		fault_text(shown, sizeof shown, name);
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"there are two columns \"%s\", and which is meant cannot be told", shown);
	}
	return OK;
}

static bool has_map(const struct export_map *map)
{
	for (size_t i = 0; i < EXPORT_FIELDS; i++) {
		if (span_is_set(map->columns[i]))
			return true;
	}
	return false;
}

static enum err know(struct export *e, const struct csv_record *r, struct fault *why)
{
	char all[500];
	for (size_t i = 0; i < COUNT_OF(known_exports); i++) {
		struct export_map map = {.day_form = DAY_FORM_ANY};
		struct span missing;
		const enum err err = export_map_read(&map, span_str(known_exports[i].map), why);
		if (err)
			return err;
		place(e, r, &map, &missing);
		if (span_is_set(missing))
			continue;
		e->known_as = known_exports[i].name;
		return check_single(e, r, why);
	}
	list_columns(r, all, sizeof all);
	return fault_set(why, ERR_INVALID_ARGUMENT,
		"it is no export that is known by its columns: say which is which by --map "
		"day=COLUMN,model=COLUMN,cost=COLUMN; the first line has: %s",
		all);
}

static enum err take_head(struct export *e, const struct csv_record *r, struct fault *why)
{
	struct span missing;
	e->columns = r->n;
	for (size_t i = 0; i < r->n; i++) {
		char name[64];
		fault_text(name, sizeof name, span_trim(r->fields[i].text));
		buf_put(&e->head, name, strlen(name) + 1);
	}
	if (!has_map(&e->map))
		return know(e, r, why);
	if (!span_is_set(e->map.columns[EXPORT_DAY]) || !span_is_set(e->map.columns[EXPORT_COST]))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the map has to say at least day=COLUMN and cost=COLUMN");
	place(e, r, &e->map, &missing);
	return span_is_set(missing) ? refuse_column(r, missing, why) : check_single(e, r, why);
}

/* ---- entries ---- */

static const char *column_name(const struct export *e, size_t column)
{
	const char *at = e->head.p, *end = e->head.p + e->head.n;
	for (; at && at < end && column > 0; column--)
		at += strlen(at) + 1;
	return at && at < end ? at : "?";
}

/* Puts where it is before what is wrong with it. */
static enum err at_cell(
	const struct export *e, const struct csv_record *r, size_t column, struct fault *why)
{
	const struct fault said = *why;
	return fault_set(why, said.err, "line %" PRId64 ", column %" PRId64 " (%s): %.700s",
		r->fields[column].line, r->fields[column].column, column_name(e, column),
		said.message);
}

static struct span cell(const struct export *e, const struct csv_record *r, enum export_field field)
{
	return e->at[field] < r->n ? span_trim(r->fields[e->at[field]].text) : SPAN_NONE;
}

static enum err take_count(const struct export *e, const struct csv_record *r,
	enum export_field field, int64_t *out, struct fault *why)
{
	const struct span text = cell(e, r, field);
	if (text.n == 0)
		return OK;
	const enum err err = amount_count(text, out, why);
	return err ? at_cell(e, r, e->at[field], why) : OK;
}

static enum err take_currency(const struct export *e, const struct csv_record *r, struct fault *why)
{
	const struct span text = cell(e, r, EXPORT_CURRENCY);
	if (text.n == 0 || span_is_nocase(text, "usd"))
		return OK;
	fault_set(why, ERR_MALFORMED, "\"%.*s\" is not USD, and nothing here converts it",
		SPAN_ARG(span_first(text, 16)));
	return at_cell(e, r, e->at[EXPORT_CURRENCY], why);
}

static enum err take_figures(
	struct export *e, const struct csv_record *r, struct spend *s, struct fault *why)
{
	enum err err = take_currency(e, r, why);
	if (!err && amount_nusd(cell(e, r, EXPORT_COST), e->map.mark, &e->cost, &s->nusd, why))
		err = at_cell(e, r, e->at[EXPORT_COST], why);
	s->has_cost = true;
	if (!err)
		err = take_count(e, r, EXPORT_INPUT, &s->tokens[SPEND_INPUT], why);
	if (!err)
		err = take_count(e, r, EXPORT_OUTPUT, &s->tokens[SPEND_OUTPUT], why);
	if (!err)
		err = take_count(e, r, EXPORT_REQUESTS, &s->requests, why);
	return err;
}

/* A line that sums up others. */
static bool is_sum(struct span day)
{
	return day.n == 0 || span_is_nocase(day, "total");
}

static enum err take_entry(struct export *e, const struct csv_record *r, struct fault *why)
{
	struct spend s = spend_none;
	if (r->n != e->columns)
		return fault_set(why, ERR_MALFORMED,
			"line %" PRId64 ": it has %zu fields, and the first line %zu",
			r->fields[0].line, r->n, e->columns);
	if (is_sum(cell(e, r, EXPORT_DAY))) {
		e->n_sums++;
		return OK;
	}
	const enum err err = day_read(cell(e, r, EXPORT_DAY), e->map.day_form, &s.day, why);
	if (err)
		return at_cell(e, r, e->at[EXPORT_DAY], why);
	if (cell(e, r, EXPORT_COST).n == 0) {
		e->n_blank++;
		return OK;
	}
	if (s.day < e->days.first || s.day > e->days.last) {
		e->n_outside++;
		return OK;
	}
	s.model = cell(e, r, EXPORT_MODEL);
	s.key = cell(e, r, EXPORT_KEY);
	const enum err unread = take_figures(e, r, &s, why);
	if (unread)
		return unread;
	e->n_rows++;
	return statement_add(e->to, &s, why);
}

static enum err on_record(void *context, const struct csv_record *r, struct fault *why)
{
	struct export *e = context;
	return e->columns == 0 ? take_head(e, r, why) : take_entry(e, r, why);
}

enum err export_feed(struct export *e, struct span bytes, struct fault *why)
{
	if (!e->csv.sink.on_record)
		csv_reader_init(&e->csv, &(struct csv_sink){on_record, e});
	return csv_reader_feed(&e->csv, bytes, why);
}

enum err export_end(struct export *e, struct fault *why)
{
	enum err err = export_feed(e, SPAN(""), why);
	if (!err)
		err = csv_reader_end(&e->csv, why);
	if (!err && e->columns == 0)
		return fault_set(why, ERR_MALFORMED, "there is nothing in it");
	return err;
}
