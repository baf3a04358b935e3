/* catalogue.c - two sorted lists of lines; the imported one first. */
#include "brokerd/config/catalogue.h"

#include <inttypes.h>
#include <stdlib.h>

#include "brokerd/config/catalogue_data.h"
#include "protocol/base/buf.h"
#include "protocol/base/num.h"

enum { SNAPSHOT, IMPORT };

struct catalogue {
	unsigned refs;
	struct buf text;
	struct span *imported; /* lines of `text`, sorted */
	size_t n_imported;
	int64_t day;
	int64_t imported_at_s;
};

/* ---- one line ---- */

static struct span name_of(struct span line)
{
	return span_first(line, span_index(line, ' '));
}

/* The next "key=value" of what is behind a name; false: no more. */
static bool next_pair(struct span *rest, struct span *key, struct span *value)
{
	while (span_is_set(*rest)) {
		*value = span_cut(rest, ' ');
		*key = span_cut(value, '=');
		if (key->n > 0)
			return true;
	}
	return false;
}

enum value_kind {
	VALUE_WORDS, /* struct span */
	VALUE_COUNT, /* int64_t */
	VALUE_MONEY, /* int64_t, nano-dollars */
	VALUE_DATE,  /* struct span, YYYY-MM-DD */
};

/* What a line says, all of it. */
struct said {
	struct model_facts facts;
	struct price_row row;
};

#define IN_FACTS(m) offsetof(struct said, facts.m)
#define IN_ROW(m)   offsetof(struct said, row.m)
#define IN_PRICE(m) offsetof(struct said, row.price.m)

static const struct field {
	const char *key;
	enum value_kind kind;
	size_t at; /* in struct said */
} fields[] = {
	{"kind",		 VALUE_WORDS, IN_FACTS(kind)             },
	{"in",		   VALUE_WORDS, IN_FACTS(inputs)           },
	{"out",		  VALUE_WORDS, IN_FACTS(outputs)          },
	{"params",               VALUE_WORDS, IN_FACTS(params)           },
	{"efforts",              VALUE_WORDS, IN_FACTS(efforts)          },
	{"retires",              VALUE_DATE,  IN_FACTS(retires)          },
	{"context",              VALUE_COUNT, IN_FACTS(context_tokens)   },
	{"max_output",           VALUE_COUNT, IN_FACTS(max_output_tokens)},
	{"dimensions",           VALUE_COUNT, IN_FACTS(dimensions)       },
	{"from",		 VALUE_DATE,  IN_ROW(from)               },
	{"tier",		 VALUE_WORDS, IN_ROW(tier)               },
	{"above",                VALUE_COUNT, IN_ROW(above_tokens)       },
	{"price_input",          VALUE_MONEY, IN_PRICE(input)            },
	{"price_output",         VALUE_MONEY, IN_PRICE(output)           },
	{"price_cache_read",     VALUE_MONEY, IN_PRICE(cache_read)       },
	{"price_cache_write_5m", VALUE_MONEY, IN_PRICE(cache_write_5m)   },
	{"price_cache_write_1h", VALUE_MONEY, IN_PRICE(cache_write_1h)   },
	{"price_reasoning",      VALUE_MONEY, IN_PRICE(reasoning)        },
	{"price_audio_input",    VALUE_MONEY, IN_PRICE(audio_input)      },
	{"price_audio_output",   VALUE_MONEY, IN_PRICE(audio_output)     },
	{"price_image_input",    VALUE_MONEY, IN_PRICE(image_input)      },
	{"price_image_output",   VALUE_MONEY, IN_PRICE(image_output)     },
};

static int64_t days_in(int64_t year, int64_t month)
{
	if (month == 2)
		return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Days since 1970 of "YYYY-MM-DD"; false: it is none. */
static bool day_of(struct span date, int64_t *out)
{
	int64_t y, m, d;
	if (date.n != 10 || date.p[4] != '-' || date.p[7] != '-' ||
		!num_i64(span_first(date, 4), &y) || !num_i64(span_of(date.p + 5, 2), &m) ||
		!num_i64(span_of(date.p + 8, 2), &d) || y < 1970 || m < 1 || m > 12 || d < 1 ||
		d > days_in(y, m))
		return false;
	/* years begin in March here, so that the leap day is the last */
	const int64_t year = m <= 2 ? y - 1 : y, month = (m + 9) % 12;
	*out = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + d - 1 -
	       719468;
	return true;
}

static bool is_words(struct span v)
{
	for (size_t i = 0; i < v.n; i++) {
		const char c = v.p[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("_,-", c))
			return false;
	}
	return v.n > 0;
}

static bool read_value(const struct field *f, struct span value, void *to)
{
	int64_t number;
	switch (f->kind) {
	case VALUE_WORDS:
	case VALUE_DATE:
		if (f->kind == VALUE_WORDS ? !is_words(value) : !day_of(value, &number))
			return false;
		memcpy(to, &value, sizeof value);
		return true;
	case VALUE_COUNT:
		if (!num_i64(value, &number) || number < 0)
			return false;
		memcpy(to, &number, sizeof number);
		return true;
	case VALUE_MONEY:
		if (!num_money_nusd(value, &number) || number < 0)
			return false;
		memcpy(to, &number, sizeof number);
		return true;
	}
	return false;
}

/* Reads a line into *out. False: *bad is the pair that is wrong. Keys that a later version knows are
 * passed over. */
static bool read_line(struct span line, struct said *out, struct span *bad)
{
	struct span rest = line, key, value;
	*out = (struct said){
		.facts = {.context_tokens = -1,
			  .max_output_tokens = -1,
			  .dimensions = -1,
			  .price = PRICE_UNKNOWN},
		.row = {.above_tokens = -1, .price = PRICE_UNKNOWN},
	};
	out->facts.name = span_cut(&rest, ' ');
	while (next_pair(&rest, &key, &value)) {
		for (size_t i = 0; i < COUNT_OF(fields); i++) {
			if (!span_is(key, fields[i].key))
				continue;
			*bad = key;
			if (!read_value(&fields[i], value, (char *)out + fields[i].at))
				return false;
		}
	}
	return true;
}

/* ---- lists of lines ---- */

static struct span line_at(const struct catalogue *c, int list, size_t i)
{
	return list == IMPORT ? c->imported[i] : catalogue_data[i];
}

static size_t count_of(const struct catalogue *c, int list)
{
	return list == IMPORT ? c->n_imported : catalogue_data_n;
}

/* Compares bytes as memcmp does, the shorter of two first. */
static int compare_text(struct span a, struct span b)
{
	const size_t n = a.n < b.n ? a.n : b.n;
	const int how = n > 0 ? memcmp(a.p, b.p, n) : 0;
	return how != 0 ? how : (a.n > b.n) - (a.n < b.n);
}

/* A name as lines have it: "provider/model", or without the model what all of a provider's begin
 * with. False: it is longer than any that a text may have. */
struct name {
	char room[512];
	size_t n;
};

static bool name_make(struct name *name, struct span provider, struct span model)
{
	name->n = provider.n + 1 + model.n;
	if (name->n > sizeof name->room)
		return false;
	if (provider.n > 0)
		memcpy(name->room, provider.p, provider.n);
	name->room[provider.n] = '/';
	if (model.n > 0)
		memcpy(name->room + provider.n + 1, model.p, model.n);
	return true;
}

/* The first line whose name is not less than that one. */
static size_t lower_bound(const struct catalogue *c, int list, struct span name)
{
	size_t low = 0, high = count_of(c, list);
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (compare_text(name_of(line_at(c, list, middle)), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_line_of(const struct catalogue *c, int list, size_t i, struct span name)
{
	return i < count_of(c, list) && span_eq(name_of(line_at(c, list, i)), name);
}

/* Which list has the name, and where. False: none. */
static bool find_lines(const struct catalogue *c, struct span name, int *list, size_t *at)
{
	for (*list = IMPORT; *list >= SNAPSHOT; --*list) {
		*at = lower_bound(c, *list, name);
		if (is_line_of(c, *list, *at, name))
			return true;
	}
	return false;
}

/* ---- prices ---- */

enum { CLASSES = sizeof(struct price) / sizeof(int64_t) };

void price_lay(struct price *to, const struct price *known)
{
	int64_t under[CLASSES], over[CLASSES];
	memcpy(under, to, sizeof under);
	memcpy(over, known, sizeof over);
	for (size_t i = 0; i < CLASSES; i++)
		under[i] = over[i] >= 0 ? over[i] : under[i];
	memcpy(to, under, sizeof under);
}

/* Raises a price to another one; what either does not know is the other's. */
static void price_raise(struct price *to, const struct price *other)
{
	int64_t a[CLASSES], b[CLASSES];
	memcpy(a, to, sizeof a);
	memcpy(b, other, sizeof b);
	for (size_t i = 0; i < CLASSES; i++)
		a[i] = a[i] > b[i] ? a[i] : b[i];
	memcpy(to, a, sizeof a);
}

/* Since when a row's price holds, in days since 1970; 0: ever. */
static int64_t first_day(const struct price_row *row)
{
	int64_t day = 0;
	if (span_is_set(row->from))
		(void)day_of(row->from, &day); /* it was checked */
	return day;
}

/* Does a row's price hold for every request of the day? */
static bool is_usual(const struct catalogue *c, const struct price_row *row)
{
	return row->above_tokens < 0 && !span_is_set(row->tier) && first_day(row) <= c->day;
}

/* Does it hold for some prompt that is not longer, in the tier or in none, of that day? */
static bool is_of_case(const struct price_row *row, const struct price_case *when)
{
	return first_day(row) <= when->day && row->above_tokens < when->input_tokens &&
	       (!span_is_set(row->tier) || span_eq(row->tier, when->tier));
}

/* The lines of one name that fit a case, the best of each kind; a price that none has is unknown. */
struct fit {
	struct price_row row;
	bool is_there;
};
enum { FOR_TIER = 1, FOR_LENGTH = 2, KINDS = 4 };

static void take_row(struct fit *best, const struct price_row *row)
{
	if (best->is_there) {
		if (row->above_tokens < best->row.above_tokens)
			return;
		if (row->above_tokens == best->row.above_tokens &&
			first_day(row) <= first_day(&best->row))
			return;
	}
	*best = (struct fit){*row, true};
}

static void fit_lines(const struct catalogue *c, int list, size_t at, const struct price_case *when,
	struct fit best[KINDS])
{
	const struct span name = name_of(line_at(c, list, at));
	for (size_t i = 0; i < KINDS; i++)
		best[i] = (struct fit){.row = {.price = PRICE_UNKNOWN}};
	for (; is_line_of(c, list, at, name); at++) {
		struct said said;
		struct span bad;
		(void)read_line(line_at(c, list, at), &said, &bad); /* it was checked */
		if (is_of_case(&said.row, when))
			take_row(&best[(span_is_set(said.row.tier) ? FOR_TIER : 0) |
					 (said.row.above_tokens >= 0 ? FOR_LENGTH : 0)],
				&said.row);
	}
}

static struct price_case whole_case(const struct catalogue *c, const struct price_case *when)
{
	struct price_case whole = *when;
	if (whole.day < 0)
		whole.day = c->day;
	if (whole.input_tokens < 0)
		whole.input_tokens = 0;
	return whole;
}

static struct price price_at(
	const struct catalogue *c, int list, size_t at, const struct price_case *when)
{
	struct fit best[KINDS];
	const struct price_case whole = whole_case(c, when);
	fit_lines(c, list, at, &whole, best);
	struct price price = best[0].row.price;
	struct price one_word = best[FOR_TIER].row.price;
	price_raise(&one_word, &best[FOR_LENGTH].row.price);
	price_lay(&price, &one_word);
	price_lay(&price, &best[FOR_TIER | FOR_LENGTH].row.price);
	return price;
}

/* ---- what the lines of one name say together ---- */

/* Takes over the facts that are said and were not yet. */
static void lay_facts(struct said *to, const struct said *from)
{
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		const struct field *f = &fields[i];
		char *mine = (char *)to + f->at;
		const char *theirs = (const char *)from + f->at;
		struct span words;
		int64_t count;
		memcpy(&count, mine, sizeof count);
		if (f->at >= offsetof(struct said, row))
			continue;
		if (f->kind == VALUE_COUNT) {
			if (count < 0)
				memcpy(mine, theirs, sizeof count);
			continue;
		}
		memcpy(&words, mine, sizeof words);
		if (!span_is_set(words))
			memcpy(mine, theirs, sizeof words);
	}
}

/* The facts that any of the lines says, the first that does, and the usual price. Returns the place
 * behind them. */
static size_t gather(const struct catalogue *c, int list, size_t at, struct model_facts *out)
{
	static const struct price_case usual = {.day = -1};
	const struct span name = name_of(line_at(c, list, at));
	struct said all, said;
	struct span bad;
	(void)read_line(name, &all, &bad);
	all.facts.price = price_at(c, list, at, &usual);
	all.facts.is_imported = list == IMPORT;
	for (; is_line_of(c, list, at, name); at++) {
		(void)read_line(line_at(c, list, at), &said, &bad);
		lay_facts(&all, &said);
	}
	*out = all.facts;
	return at;
}

void catalogue_price_of(const struct catalogue *c, struct span provider, struct span model,
	const struct price_case *when, struct price *out)
{
	struct name name;
	int list;
	size_t at;
	*out = PRICE_UNKNOWN;
	if (name_make(&name, provider, model) &&
		find_lines(c, span_of(name.room, name.n), &list, &at))
		*out = price_at(c, list, at, when);
}

void catalogue_price_bound(const struct catalogue *c, struct span provider, struct span model,
	const struct price_case *when, struct price *out)
{
	const struct price_case whole = whole_case(c, when);
	struct name name;
	int list;
	size_t at;
	*out = PRICE_UNKNOWN;
	if (!name_make(&name, provider, model) ||
		!find_lines(c, span_of(name.room, name.n), &list, &at))
		return;
	const struct price_case usual = {.day = whole.day};
	*out = price_at(c, list, at, &usual);
	for (; is_line_of(c, list, at, span_of(name.room, name.n)); at++) {
		struct said said;
		struct span bad;
		(void)read_line(line_at(c, list, at), &said, &bad);
		if (!is_usual(c, &said.row) && is_of_case(&said.row, &whole))
			price_raise(out, &said.row.price);
	}
}

bool catalogue_find(
	const struct catalogue *c, struct span provider, struct span model, struct model_facts *out)
{
	struct name name;
	int list;
	size_t at;
	*out = (struct model_facts){.context_tokens = -1,
		.max_output_tokens = -1,
		.dimensions = -1,
		.price = PRICE_UNKNOWN};
	if (!name_make(&name, provider, model) ||
		!find_lines(c, span_of(name.room, name.n), &list, &at))
		return false;
	gather(c, list, at, out);
	return true;
}

bool catalogue_next(const struct catalogue *c, struct span provider, struct catalogue_walk *w,
	struct model_facts *out)
{
	struct span next[2], begun = SPAN_NONE;
	struct name room;
	int list;
	if (provider.n > 0) {
		if (!name_make(&room, provider, SPAN_NONE))
			return false;
		begun = span_of(room.room, room.n);
	}
	for (list = SNAPSHOT; list <= IMPORT; list++) {
		size_t *at = &w->at[list];
		if (*at == 0 && begun.n > 0)
			*at = lower_bound(c, list, begun);
		next[list] = *at < count_of(c, list) ? line_at(c, list, *at) : SPAN_NONE;
		if (!span_starts(next[list], begun))
			next[list] = SPAN_NONE;
	}
	if (!span_is_set(next[SNAPSHOT]) && !span_is_set(next[IMPORT]))
		return false;
	int how = 0;
	if (span_is_set(next[SNAPSHOT]) && span_is_set(next[IMPORT]))
		how = compare_text(name_of(next[SNAPSHOT]), name_of(next[IMPORT]));
	else
		how = span_is_set(next[SNAPSHOT]) ? -1 : 1;
	list = how < 0 ? SNAPSHOT : IMPORT;
	const size_t end = gather(c, list, w->at[list], out);
	if (how == 0) /* the import's takes the place of the snapshot's */
		while (is_line_of(c, SNAPSHOT, w->at[SNAPSHOT], out->name))
			w->at[SNAPSHOT]++;
	w->at[list] = end;
	return true;
}

bool catalogue_price(const struct catalogue *c, struct span name, size_t i, struct price_row *out)
{
	int list;
	size_t at;
	if (!find_lines(c, name, &list, &at))
		return false;
	for (; is_line_of(c, list, at, name); at++) {
		struct said said;
		struct span bad;
		(void)read_line(line_at(c, list, at), &said, &bad);
		*out = said.row;
		out->day = first_day(out) > c->day ? first_day(out) : -1;
		if (!is_usual(c, &said.row) && i-- == 0)
			return true;
	}
	return false;
}

/* ---- the whole ---- */

static int compare_lines(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	const int how = compare_text(name_of(*x), name_of(*y));
	/* lines of one name stay in their order, which is that of their addresses */
	return how != 0 ? how : (x->p > y->p) - (x->p < y->p);
}

static enum err check_line(struct span line, size_t number, struct fault *why)
{
	const struct span name = name_of(line);
	const size_t slash = span_index(name, '/');
	struct said said;
	struct span bad;
	for (size_t i = 0; i < line.n; i++) {
		if ((unsigned char)line.p[i] <= 0x1f || (unsigned char)line.p[i] >= 0x7f)
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"line %zu of the catalogue has a character that may not be there",
				number);
	}
	if (slash == 0 || slash + 1 >= name.n || name.n > 400)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"line %zu of the catalogue begins with no PROVIDER/MODEL", number);
	if (!read_line(line, &said, &bad))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"line %zu of the catalogue: %.*s has no such value", number,
			SPAN_ARG(span_first(bad, 64)));
	return OK;
}

static enum err take_text(struct catalogue *c, struct fault *why)
{
	struct span rest = buf_view(&c->text);
	size_t most = 0, number = 0;
	for (size_t i = 0; i < rest.n; i++)
		most += rest.p[i] == '\n';
	c->imported = calloc(most + 1, sizeof *c->imported);
	if (!c->imported)
		return fault_set(why, ERR_NO_MEMORY, "no memory for the catalogue");
	while (rest.n > 0) {
		const struct span line = span_trim(span_cut(&rest, '\n'));
		number++;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		const enum err err = check_line(line, number, why);
		if (err)
			return err;
		c->imported[c->n_imported++] = line;
	}
	qsort(c->imported, c->n_imported, sizeof *c->imported, compare_lines);
	return OK;
}

enum err catalogue_new(struct span text, struct catalogue **out, struct fault *why)
{
	struct catalogue *c = calloc(1, sizeof *c);
	*out = NULL;
	if (!c)
		return fault_set(why, ERR_NO_MEMORY, "no memory for the catalogue");
	c->refs = 1;
	buf_init(&c->text, CATALOGUE_BYTES);
	buf_span(&c->text, text);
	enum err err = buf_error(&c->text);
	if (err)
		fault_set(why, err, "the catalogue is larger than %zu bytes", CATALOGUE_BYTES);
	else
		err = take_text(c, why);
	if (err) {
		catalogue_unref(c);
		return err;
	}
	*out = c;
	return OK;
}

struct catalogue *catalogue_ref(struct catalogue *c)
{
	c->refs++;
	return c;
}

void catalogue_unref(struct catalogue *c)
{
	if (!c || --c->refs > 0)
		return;
	free(c->imported);
	buf_done(&c->text);
	free(c);
}

void catalogue_set_day(struct catalogue *c, int64_t day)
{
	c->day = day;
}

int64_t catalogue_day(const struct catalogue *c)
{
	return c->day;
}

/* How many names a list has. */
static size_t names_in(const struct catalogue *c, int list)
{
	size_t n = 0;
	for (size_t i = 0; i < count_of(c, list); i++)
		n += i == 0 || !is_line_of(c, list, i - 1, name_of(line_at(c, list, i)));
	return n;
}

size_t catalogue_count(const struct catalogue *c, size_t *imported)
{
	size_t n = names_in(c, SNAPSHOT);
	*imported = 0;
	for (size_t i = 0; i < c->n_imported; i++) {
		const struct span name = name_of(c->imported[i]);
		if (i > 0 && is_line_of(c, IMPORT, i - 1, name))
			continue;
		++*imported;
		n += !is_line_of(c, SNAPSHOT, lower_bound(c, SNAPSHOT, name), name);
	}
	return n;
}

void catalogue_set_age(struct catalogue *c, int64_t imported_at_s)
{
	c->imported_at_s = imported_at_s;
}

int64_t catalogue_imported_at_s(const struct catalogue *c)
{
	return c->n_imported > 0 ? c->imported_at_s : 0;
}

struct span catalogue_snapshot_date(void)
{
	return span_str(CATALOGUE_DATE);
}
