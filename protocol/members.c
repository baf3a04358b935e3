/* members.c - the loop over a map's pairs, and the fields that more than one body has. */
#include "protocol/members.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/json.h"
#include "protocol/limits.h"
#include "protocol/request.h"

/* ---- places ---- */

struct at at_member(const struct at *up, struct span name)
{
	return (struct at){.up = up, .name = name};
}

struct at at_index(const struct at *up, size_t index)
{
	return (struct at){.up = up, .index = index};
}

/* Appends the path of `at` below `owner`. As deep as msgpack is. */
static void put_path(struct buf *out, const struct at *at, const struct at *owner)
{
	enum { DEEPEST = LIMIT_PACK_DEPTH + 2 };
	const struct at *chain[DEEPEST];
	size_t n = 0;
	for (; at && at != owner && at->up && n < DEEPEST; at = at->up)
		chain[n++] = at;
	bool is_first = true;
	while (n-- > 0) {
		if (span_is_set(chain[n]->name)) {
			if (!is_first)
				buf_byte(out, '.');
			buf_span(out, chain[n]->name);
		} else {
			buf_print(out, "[%zu]", chain[n]->index);
		}
		is_first = false;
	}
}

static enum err refuse(const struct reader *r, const struct at *at, enum err err,
	const char *format, va_list args) PRINTF_LIKE(4, 0);

static enum err refuse(
	const struct reader *r, const struct at *at, enum err err, const char *format, va_list args)
{
	char sentence[sizeof r->why->message], path[sizeof r->why->param];
	OWNED(buf_done) struct buf whole = BUF_INIT(LIMIT_FRAME_BYTES);

	if (vsnprintf(sentence, sizeof sentence, format, args) < 0)
		sentence[0] = '\0';
	put_path(&whole, at, NULL);
	fault_text(path, sizeof path, buf_view(&whole));
	if (path[0] == '\0')
		return fault_set(r->why, err, "%s", sentence);
	return fault_param(r->why, err, path, "%s: %s", path, sentence);
}

enum err reader_refuse(
	const struct reader *r, const struct at *at, enum err err, const char *format, ...)
{
	va_list args;

	if (!r->why)
		return err;
	va_start(args, format);
	refuse(r, at, err, format, args);
	va_end(args);
	return err;
}

enum err reader_wrong(
	const struct reader *r, const struct at *at, const struct pack_in *in, const char *wanted)
{
	return reader_refuse(
		r, at, r->bad, "%s is wanted, not %s", wanted, pack_kind_name(pack_kind(in)));
}

enum err reader_no_memory(const struct reader *r)
{
	return fault_set(
		r->why, ERR_NO_MEMORY, "out of memory, or more of it than one request may have");
}

/* ---- maps ---- */

static enum err check_json(const struct reader *r, const struct at *at, struct span text,
	bool is_object, bool has_unique_names)
{
	struct fault why = FAULT_NONE;
	struct json_rules rules = JSON_STRICT;
	struct json json;

	rules.has_unique_names = has_unique_names;
	const enum err err = json_scan(text, rules, &json, &why);
	if (err == ERR_NO_MEMORY)
		return reader_no_memory(r);
	if (err)
		return reader_refuse(
			r, at, err == ERR_TOO_BIG ? err : r->bad, "no valid JSON: %s", why.message);
	if (is_object && json_kind(json) != JSON_OBJECT)
		return reader_refuse(r, at, r->bad, "a JSON object is wanted");
	return OK;
}

static enum err keep_unknown(
	struct reader *r, const struct at *at, struct pack_in *in, struct extra *to)
{
	/* the room doubles each time that it is full */
	if ((to->n & (to->n - 1)) == 0) {
		struct extra_member *grown =
			arena_array(r->a, to->n ? to->n * 2 : 1, sizeof *grown);
		if (!grown)
			return reader_no_memory(r);
		if (to->n > 0)
			memcpy(grown, to->members, to->n * sizeof *grown);
		to->members = grown;
	}
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_REQUEST_ARENA);
	put_path(&text, at, r->owner);
	const size_t path = text.n;
	const bool has_json = pack_to_json(in, &text);
	if (buf_error(&text))
		return reader_no_memory(r);
	if (!has_json)
		return reader_refuse(r, at, r->bad,
			"this member is not known here, and cannot be carried as JSON: it holds an "
			"ext or a float that is not finite");
	struct span copy;
	if (arena_dup(r->a, buf_view(&text), &copy))
		return reader_no_memory(r);
	/* keys that differ in case alone are two in msgpack, and one name twice in JSON */
	const enum err err = check_json(r, at, span_skip(copy, path), false, true);
	if (err)
		return err;
	to->family = SPAN("broker");
	to->members[to->n++] = (struct extra_member){
		.name = span_first(copy, path), .json = span_skip(copy, path)};
	return OK;
}

static const struct member *find_row(const struct member *rows, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++) {
		if (span_is(name, rows[i].name))
			return &rows[i];
	}
	return NULL;
}

enum err members_read(struct reader *r, const struct at *at, struct pack_in *in,
	const struct member *rows, size_t n, void *object, uint64_t *seen)
{
	uint32_t pairs;
	uint64_t present = 0;
	struct span name;

	if (!pack_map(in, &pairs))
		return reader_wrong(r, at, in, "a map");
	for (; pairs > 0; pairs--) {
		if (!pack_str(in, &name))
			return reader_wrong(r, at, in, "a map's key");
		const struct at here = at_member(at, name);
		const struct member *row = find_row(rows, n, name);
		if (row && pack_nil(in))
			continue;
		enum err err = OK;
		if (row) {
			present |= UINT64_C(1) << (row - rows);
			err = row->read(r, &here, in, (char *)object + row->offset);
		} else if (r->unknown) {
			err = keep_unknown(r, &here, in, r->unknown);
		} else if (r->is_closed) {
			return reader_refuse(r, &here, ERR_UNSUPPORTED,
				"this member is not known here, and may not be passed over");
		} else if (!span_is_set(pack_skip(in))) {
			return reader_wrong(r, &here, in, "a value");
		}
		if (err)
			return err;
	}
	if (seen)
		*seen = present;
	else
		return members_check(r, at, rows, n, present, 0, "it", "");
	return OK;
}

enum err members_check(const struct reader *r, const struct at *at, const struct member *rows,
	size_t n, uint64_t seen, unsigned kind, const char *what, const char *word)
{
	const uint32_t bit = UINT32_C(1) << kind;
	for (size_t i = 0; i < n; i++) {
		const bool is_there = (seen >> i & 1) != 0;
		const bool is_foreign = is_there && rows[i].allowed && !(rows[i].allowed & bit);
		if (!is_foreign && (is_there || !(rows[i].required & bit)))
			continue;
		const struct at here = at_member(at, span_str(rows[i].name));
		return reader_refuse(r, &here, r->bad,
			is_foreign ? "%s%s has no such member" : "%s%s must have this member", what,
			word);
	}
	return OK;
}

void members_write(struct buf *out, const struct member *rows, size_t n, const void *object)
{
	struct pack_open m = pack_open_map(out);
	for (size_t i = 0; i < n; i++)
		rows[i].write(out, &m, rows[i].name, (const char *)object + rows[i].offset);
	pack_close_map(out, &m);
}

/* ---- lists and words ---- */

enum err member_read_array(struct reader *r, const struct at *at, struct pack_in *in, size_t limit,
	size_t size, void *out_pointer, size_t *count)
{
	uint32_t n;
	if (!pack_array(in, &n))
		return reader_wrong(r, at, in, "an array");
	if (n > limit)
		return reader_refuse(r, at, ERR_TOO_BIG, "%lu elements; the limit is %zu",
			(unsigned long)n, limit);
	void *elements = n > 0 ? arena_array(r->a, n, size) : NULL;
	if (n > 0 && !elements)
		return reader_no_memory(r);
	memcpy(out_pointer, &elements, sizeof elements);
	*count = n;
	return OK;
}

enum err member_read_word(struct reader *r, const struct at *at, struct pack_in *in,
	const char *const *words, size_t n, size_t *which)
{
	struct span text;
	if (!pack_str(in, &text))
		return reader_wrong(r, at, in, "a word");
	for (size_t i = 0; i < n; i++) {
		if (span_is(text, words[i])) {
			*which = i;
			return OK;
		}
	}
	char all[256] = "";
	size_t used = 0;
	for (size_t i = 0; i < n && used < sizeof all; i++)
		used += (size_t)snprintf(
			all + used, sizeof all - used, "%s%s", i ? ", " : "", words[i]);
	return reader_refuse(r, at, r->bad, "\"%.*s\" is not a word for this; it is one of %s",
		SPAN_ARG(span_first(text, 64)), all);
}

static int by_name(const void *a, const void *b)
{
	const struct numbered_name *x = a, *y = b;
	if (x->name.n != y->name.n)
		return x->name.n < y->name.n ? -1 : 1;
	const int order = x->name.n == 0 ? 0 : memcmp(x->name.p, y->name.p, x->name.n);
	if (order != 0)
		return order;
	return x->index < y->index ? -1 : x->index > y->index;
}

size_t members_repeated(struct numbered_name *list, size_t n)
{
	size_t found = SIZE_MAX;
	if (n > 1)
		qsort(list, n, sizeof *list, by_name);
	for (size_t i = 1; i < n; i++) {
		if (span_eq(list[i - 1].name, list[i].name) && list[i].index < found)
			found = list[i].index;
	}
	return found;
}

enum err member_check_clear(const struct reader *r, const struct at *at, struct span name)
{
	return json_name_is_clear(name) ? OK
					: reader_refuse(r, at, r->bad,
						  "some readers take this name for another one");
}

enum err member_read_texts(struct reader *r, const struct at *at, struct pack_in *in, size_t limit,
	struct span **out, size_t *n)
{
	enum err err = member_read_array(r, at, in, limit, sizeof **out, out, n);
	for (size_t i = 0; !err && i < *n; i++) {
		const struct at here = at_index(at, i);
		err = member_read_text(r, &here, in, &(*out)[i]);
	}
	return err;
}

void member_write_texts(struct buf *out, const struct span *texts, size_t n)
{
	pack_put_array(out, n);
	for (size_t i = 0; i < n; i++)
		pack_put_str(out, texts[i]);
}

enum err member_read_pairs(struct reader *r, const struct at *at, struct pack_in *in,
	struct string_pair **out, size_t *n)
{
	enum err err = member_read_array(r, at, in, LIMIT_PACK_NODES, sizeof **out, out, n);
	for (size_t i = 0; !err && i < *n; i++) {
		const struct at here = at_index(at, i);
		uint32_t two;
		if (!pack_array(in, &two) || two != 2)
			return reader_refuse(r, &here, r->bad, "an array of two str is wanted");
		const struct at first = at_index(&here, 0), second = at_index(&here, 1);
		err = member_read_text(r, &first, in, &(*out)[i].key);
		if (!err)
			err = member_read_text(r, &second, in, &(*out)[i].value);
	}
	return err;
}

void member_write_pairs(struct buf *out, const struct string_pair *pairs, size_t n)
{
	pack_put_array(out, n);
	for (size_t i = 0; i < n; i++) {
		pack_put_array(out, 2);
		pack_put_str(out, pairs[i].key);
		pack_put_str(out, pairs[i].value);
	}
}

/* ---- readers ---- */

READER(member_read_text)
{
	return pack_str(in, field) ? OK : reader_wrong(r, at, in, "a str");
}

READER(member_read_name)
{
	struct span *text = field;
	const enum err err = member_read_text(r, at, in, text);
	if (!err && text->n == 0)
		return reader_refuse(r, at, r->bad, "this may not be empty");
	return err;
}

READER(member_read_label)
{
	const struct span *text = field;
	const enum err err = member_read_name(r, at, in, field);
	if (!err && text->n > LIMIT_LABEL_BYTES)
		return reader_refuse(r, at, ERR_TOO_BIG, "%zu bytes; the limit is %zu", text->n,
			LIMIT_LABEL_BYTES);
	if (!err && span_has_control(*text))
		return reader_refuse(r, at, r->bad, "a control byte stands in no label");
	return err;
}

READER(member_read_bytes)
{
	return pack_bin(in, field) ? OK : reader_wrong(r, at, in, "a bin");
}

READER(member_read_i64)
{
	return pack_i64(in, field) ? OK : reader_wrong(r, at, in, "an integer of 64 bits");
}

READER(member_read_count)
{
	const int64_t *v = field;
	const enum err err = member_read_i64(r, at, in, field);
	if (!err && *v < 0)
		return reader_refuse(r, at, r->bad, "this may not be less than 0");
	return err;
}

READER(member_read_u32)
{
	return pack_u32(in, field) ? OK
				   : reader_wrong(r, at, in, "an integer from 0 to 4294967295");
}

READER(member_read_bool)
{
	return pack_bool(in, field) ? OK : reader_wrong(r, at, in, "a bool");
}

READER(member_read_opt_i64)
{
	struct opt_i64 *opt = field;
	opt->is_set = true;
	return member_read_i64(r, at, in, &opt->v);
}

READER(member_read_opt_f64)
{
	struct opt_f64 *opt = field;
	opt->is_set = true;
	return pack_f64(in, &opt->v) ? OK : reader_wrong(r, at, in, "a finite number");
}

READER(member_read_opt_bool)
{
	struct opt_bool *opt = field;
	opt->is_set = true;
	return member_read_bool(r, at, in, &opt->v);
}

static enum err member_read_json_by(struct reader *r, const struct at *at, struct pack_in *in,
	struct span *out, bool is_object, bool has_unique_names)
{
	const enum err err = member_read_text(r, at, in, out);
	return err ? err : check_json(r, at, *out, is_object, has_unique_names);
}

READER(member_read_json)
{
	return member_read_json_by(r, at, in, field, false, false);
}

READER(member_read_json_object)
{
	return member_read_json_by(r, at, in, field, true, false);
}

READER(member_read_json_merged)
{
	return member_read_json_by(r, at, in, field, false, true);
}

READER(member_read_json_options)
{
	return member_read_json_by(r, at, in, field, true, true);
}

static enum err member_read_extra_members(
	struct reader *r, const struct at *at, struct pack_in *in, void *field)
{
	struct extra *extra = field;
	enum err err = member_read_array(
		r, at, in, LIMIT_PACK_NODES, sizeof *extra->members, &extra->members, &extra->n);
	if (err)
		return err;
	struct numbered_name *names = arena_array(r->a, extra->n, sizeof *names);
	if (!names)
		return reader_no_memory(r);
	for (size_t i = 0; i < extra->n; i++) {
		const struct at here = at_index(at, i);
		uint32_t two;
		if (!pack_array(in, &two) || two != 2)
			return reader_refuse(
				r, &here, r->bad, "an array of a name and a JSON text is wanted");
		const struct at first = at_index(&here, 0), second = at_index(&here, 1);
		err = member_read_text(r, &first, in, &extra->members[i].name);
		if (!err)
			err = member_check_clear(r, &here, extra->members[i].name);
		if (!err)
			err = member_read_json_merged(r, &second, in, &extra->members[i].json);
		if (err)
			return err;
		names[i] = (struct numbered_name){extra->members[i].name, i};
	}
	const size_t twice = members_repeated(names, extra->n);
	if (twice != SIZE_MAX) {
		const struct at here = at_index(at, twice);
		return reader_refuse(r, &here, r->bad, "this name is there twice");
	}
	return OK;
}

static void member_write_extra_members(
	struct buf *out, struct pack_open *m, const char *key, const void *field)
{
	const struct extra *extra = field;
	pack_key(out, m, key);
	pack_put_array(out, extra->n);
	for (size_t i = 0; i < extra->n; i++) {
		pack_put_array(out, 2);
		pack_put_str(out, extra->members[i].name);
		pack_put_str(out, extra->members[i].json);
	}
}

static const struct member extra_rows[] = {
	{"family", member_read_label, member_write_text, offsetof(struct extra,                     family), 0, 1},
	{"members",        member_read_extra_members,                 member_write_extra_members,  0, 0,      1     },
};

READER(member_read_extra)
{
	struct extra *extra = field;
	/* no member of this one may be kept in another of its kind */
	struct reader closed = *r;
	closed.unknown = NULL;
	closed.is_closed = true;
	const enum err err =
		members_read(&closed, at, in, extra_rows, COUNT_OF(extra_rows), extra, NULL);
	if (!err && extra->n == 0)
		*extra = (struct extra){.n = 0};
	return err;
}

/* ---- writers ---- */

WRITER(member_write_text)
{
	const struct span *text = field;
	pack_pair_str(out, m, key, *text);
}

WRITER(member_write_bytes)
{
	const struct span *bytes = field;
	pack_pair_bin(out, m, key, *bytes);
}

WRITER(member_write_required_text)
{
	const struct span *text = field;
	pack_key(out, m, key);
	pack_put_str(out, *text);
}

WRITER(member_write_required_bytes)
{
	const struct span *bytes = field;
	pack_key(out, m, key);
	pack_put_bin(out, *bytes);
}

WRITER(member_write_i64)
{
	const int64_t *v = field;
	pack_pair_i64(out, m, key, *v);
}

WRITER(member_write_count)
{
	const int64_t *v = field;
	if (*v >= 0)
		pack_pair_i64(out, m, key, *v);
}

WRITER(member_write_positive)
{
	const int64_t *v = field;
	if (*v > 0)
		pack_pair_i64(out, m, key, *v);
}

WRITER(member_write_u32)
{
	const uint32_t *v = field;
	pack_pair_i64(out, m, key, *v);
}

WRITER(member_write_nonzero)
{
	const uint32_t *v = field;
	if (*v != 0)
		pack_pair_i64(out, m, key, *v);
}

WRITER(member_write_bool)
{
	const bool *v = field;
	if (*v)
		pack_pair_bool(out, m, key, true);
}

WRITER(member_write_opt_i64)
{
	const struct opt_i64 *opt = field;
	if (opt->is_set)
		pack_pair_i64(out, m, key, opt->v);
}

WRITER(member_write_opt_f64)
{
	const struct opt_f64 *opt = field;
	if (opt->is_set)
		pack_pair_f64(out, m, key, opt->v);
}

WRITER(member_write_opt_bool)
{
	const struct opt_bool *opt = field;
	if (opt->is_set)
		pack_pair_bool(out, m, key, opt->v);
}

WRITER(member_write_extra)
{
	const struct extra *extra = field;
	if (extra->n == 0)
		return;
	pack_key(out, m, key);
	members_write(out, extra_rows, COUNT_OF(extra_rows), extra);
}
