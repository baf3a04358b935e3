/* fuzz_json.c - whatever the bytes: a text that passes can be walked, read and written again. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "protocol/base/json.h"
#include "protocol/base/utf8.h"

#define CEILING ((size_t)16 << 20)

static void rewrite_string(struct json v, bool is_strict, struct arena *a, struct json_out *o)
{
	struct span text, repaired;
	OWNED(buf_done) struct buf again = BUF_INIT(CEILING);
	assert(json_text(v, a, &text) == OK && json_utf8(v, a, &repaired) == OK);
	assert(json_text_to(v, &again) && span_eq(buf_view(&again), text));
	assert(utf8_is_valid(repaired));
	json_put_str(o, is_strict ? repaired : text);
}

static void rewrite_number(struct json v, struct json_out *o)
{
	int64_t whole;
	double nearest;
	/* an integer lies as near to the double as rounding may put it */
	if (json_i64(v, &whole))
		assert(json_f64(v, &nearest) && nearest - (double)whole == 0);
	if (json_f64(v, &nearest))
		json_put_f64(o, nearest);
	else
		json_put_raw(o, v.text);
}

/* Writes `v` anew, strings and numbers from their meaning. */
static void rewrite(struct json v, bool is_strict, struct arena *a, struct json_out *o)
{
	const enum json_kind kind = json_kind(v);
	struct json_walk w = json_each(v);
	if (kind == JSON_STRING) {
		rewrite_string(v, is_strict, a, o);
	} else if (kind == JSON_NUMBER) {
		rewrite_number(v, o);
	} else if (kind == JSON_ARRAY || kind == JSON_OBJECT) {
		json_open(o, v.text.p[0]);
		while (json_next(&w)) {
			assert(w.value.text.p > v.text.p && w.at < v.text.p + v.text.n);
			assert((kind == JSON_OBJECT) == span_is_set(w.name));
			if (kind == JSON_OBJECT)
				json_key_raw(o, w.name);
			rewrite(w.value, is_strict, a, o);
		}
		json_close(o, kind == JSON_ARRAY ? ']' : '}');
	} else {
		json_put_raw(o, v.text);
	}
}

/* With marks, a walk finds the same. */
static void check_marked(
	struct span text, struct json_rules rules, struct span want, struct arena *a)
{
	struct json v;
	OWNED(buf_done) struct buf found = BUF_INIT(CEILING);
	struct json_out o = json_to(&found);
	rules.marks = a;
	assert(json_scan(text, rules, &v, NULL) == OK);
	rewrite(v, !rules.is_lenient, a, &o);
	assert(span_eq(buf_view(&found), want));
}

static void check(struct span text, struct json_rules rules)
{
	struct arena a;
	struct json v, again;
	struct fault why;
	const enum err err = json_scan(text, rules, &v, &why);
	OWNED(buf_done) struct buf once = BUF_INIT(CEILING);
	OWNED(buf_done) struct buf twice = BUF_INIT(CEILING);

	assert(err == OK || (why.err == err && *why.message && !span_is_set(v.text)));
	if (err)
		return;
	assert(rules.is_lenient || utf8_is_valid(text));
	assert(json_scan(v.text, rules, &again, NULL) == OK && span_eq(again.text, v.text));
	arena_init(&a, CEILING * 4);
	struct json_out o = json_to(&once);
	rewrite(v, !rules.is_lenient, &a, &o);
	assert(buf_error(&once) == OK);
	check_marked(text, rules, buf_view(&once), &a);
	assert(json_scan(buf_view(&once), rules, &again, &why) == OK);
	/* written once, it is written the same for ever */
	o = json_to(&twice);
	rewrite(again, !rules.is_lenient, &a, &o);
	assert(span_eq(buf_view(&once), buf_view(&twice)));
	arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span text = span_of((const char *)data, size);
	struct json_rules unique = JSON_STRICT;
	unique.has_unique_names = true;
	check(text, JSON_STRICT);
	check(text, JSON_LENIENT);
	check(text, unique);
	return 0;
}
