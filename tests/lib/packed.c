/* packed.c - JSON into msgpack, for tests alone. */
#include "tests/lib/packed.h"

#include <stdlib.h>

#include "protocol/base/json.h"
#include "protocol/pack.h"
#include "tests/lib/tap.h"

static void put(struct buf *out, struct json v)
{
	struct arena a;
	struct span text = SPAN_NONE;
	struct json_walk w;
	int64_t whole;
	double real = 0;
	size_t n = 0;

	switch (json_kind(v)) {
	case JSON_ABSENT:
	case JSON_NULL:
		pack_put_nil(out);
		return;
	case JSON_FALSE:
	case JSON_TRUE:
		pack_put_bool(out, json_is_true(v));
		return;
	case JSON_NUMBER:
		if (json_i64(v, &whole))
			pack_put_i64(out, whole);
		else if (json_f64(v, &real))
			pack_put_f64(out, real);
		return;
	case JSON_STRING:
		arena_init(&a, 1 << 20);
		if (json_text(v, &a, &text))
			bail("out of memory");
		if (span_starts(text, SPAN("bin:")))
			pack_put_bin(out, span_skip(text, 4));
		else
			pack_put_str(out, text);
		arena_done(&a);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	for (w = json_each(v); json_next(&w);)
		n++;
	if (json_kind(v) == JSON_OBJECT)
		pack_put_map(out, n);
	else
		pack_put_array(out, n);
	for (w = json_each(v); json_next(&w);) {
		if (json_kind(v) == JSON_OBJECT)
			pack_put_str(out, w.name);
		put(out, w.value);
	}
}

void packed_json(struct buf *out, const char *json)
{
	OWNED(buf_done) struct buf text = BUF_INIT(1 << 20);
	struct fault why = FAULT_NONE;
	struct json v;

	for (const char *p = json; *p; p++)
		buf_byte(&text, *p == '\'' ? '"' : *p);
	if (json_scan(buf_view(&text), JSON_STRICT, &v, &why))
		bail("%s: %s", why.message, json);
	put(out, v);
}
