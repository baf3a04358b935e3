/* test_json_edit.c - is one member changed, and every other byte as it was? */
#include <string.h>

#include "libllmclient/cli/json_edit.h"
#include "tests/lib/tap.h"

#define MAX ((size_t)1 << 20)
#define A                   \
	{                   \
		{           \
			"a" \
		}           \
	}
#define AB                       \
	{                        \
		{                \
			"a", "b" \
		}                \
	}
#define ABC                           \
	{                             \
		{                     \
			"a", "b", "c" \
		}                     \
	}

/* clang-format off */
static const struct {
	const char *name, *text;
	struct json_path path;
	const char *value, *want, *back; /* without it again; NULL: as it was */
} members[] = {
	{"an empty text", "", AB, "1", "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n", "{\n  \"a\": {}\n}\n"},
	{"comments alone", "// mine\n", A, "1", "// mine\n{\n  \"a\": 1\n}\n", "// mine\n{}\n"},
	{"an empty object", "{}", A, "1", "{\n  \"a\": 1\n}", NULL},
	{"with spaces in it", "{  }\n", A, "1", "{\n  \"a\": 1\n}\n", "{}\n"},
	{"on two lines", "{\n}\n", A, "[1,2]", "{\n  \"a\": [\n    1,\n    2\n  ]\n}\n", "{}\n"},
	{"before others", "{\n\t\"x\": 1,\n\t\"y\": 2\n}\n", A, "{\"k\":true}",
	 "{\n\t\"a\": {\n\t\t\"k\": true\n\t},\n\t\"x\": 1,\n\t\"y\": 2\n}\n", NULL},
	{"on one line", "{\"x\":1}", A, "{\"k\":[]}", "{\"a\": {\"k\":[]}, \"x\":1}", NULL},
	{"deep down", "{\n    \"a\": {\n        \"b\": {\n            \"x\": 1\n        }\n    }\n}", ABC, "\"v\"",
	 "{\n    \"a\": {\n        \"b\": {\n            \"c\": \"v\",\n            \"x\": 1\n        }\n    }\n}", NULL},
	{"comments stay", "{ // one\n  /* two */ \"x\" : 1 , // three\n  // four\n}\n", A, "2",
	 "{ // one\n  /* two */ \"a\": 2, \"x\" : 1 , // three\n  // four\n}\n", NULL},
	{"a comment above", "{\n  // of x\n  \"x\": 1,\n}\n", A, "2", "{\n  // of x\n  \"a\": 2,\n  \"x\": 1,\n}\n", NULL},
	{"in an empty one with a comment", "{\n  \"a\": {\n    // nothing\n  }\n}\n", AB, "1",
	 "{\n  \"a\": {\n    \"b\": 1\n    // nothing\n  }\n}\n", "{\n  \"a\": {\n    // nothing\n  }\n}\n"},
	{"what is there is replaced", "{\"a\" :  [1, 2] /* c */ , \"x\": 0}", A, "{}", "{\"a\" :  {} /* c */ , \"x\": 0}",
	 "{ /* c */ \"x\": 0}"},
	{"line ends", "{\r\n  \"x\": 1\r\n}\r\n", A, "{\"k\":1}",
	 "{\r\n  \"a\": {\r\n    \"k\": 1\r\n  },\r\n  \"x\": 1\r\n}\r\n", NULL},
	{"a mark at the begin", "\xef\xbb\xbf{\"x\":1}", A, "1", "\xef\xbb\xbf{\"a\": 1, \"x\":1}", NULL},
	{"slashes in strings", "{\n \"x\": \"http://x /* \\\" // \",\n \"y\": \",}\"\n}", A, "1",
	 "{\n \"a\": 1,\n \"x\": \"http://x /* \\\" // \",\n \"y\": \",}\"\n}", NULL},
	{"names twice: the last counts", "{\"a\":{\"b\":1},\"a\":{\"b\":2}}", AB, "3", "{\"a\":{\"b\":1},\"a\":{\"b\":3}}",
	 "{\"a\":{\"b\":1},\"a\":{}}"},
	{"escaped names", "{\"\\u0061\":{\"x\":1}}", AB, "1", "{\"\\u0061\":{\"b\": 1, \"x\":1}}", NULL},
};

static const struct {
	const char *name, *text;
	struct json_path path;
	const char *want;
} takes[] = {
	{"the last one", "{\n  \"x\": 1,\n  \"a\": 2\n}\n", A, "{\n  \"x\": 1\n}\n"},
	{"the last one, with a comma", "{\n  \"x\": 1,\n  \"a\": 2,\n}\n", A, "{\n  \"x\": 1,\n}\n"},
	{"behind a comment with a comma", "{\"x\": 1 /* , */ , \"a\": 2}", A, "{\"x\": 1 /* , */ }"},
	{"between two", "{\"x\":1, \"a\":2, \"y\":3}", A, "{\"x\":1, \"y\":3}"},
	{"a comment behind stays", "{\n \"a\": 2, // mine\n \"y\": 3\n}", A, "{\n // mine\n \"y\": 3\n}"},
	{"all that is left is a comment", "{\"a\": 2 /* c */ ,}", A, "{ /* c */ }"},
	{"a comment before the last comma", "{\"x\": 1, \"a\": 2 /* c */ ,}", A, "{\"x\": 1, /* c */ }"},
	{"what is not there", "{\"x\":1}", A, "{\"x\":1}"},
	{"nor what it would be in", "{\"x\":1}", ABC, "{\"x\":1}"},
	{"nor in what is no object", "{\"a\":1}", AB, "{\"a\":1}"},
	{"nor anything", "", A, ""},
};

static const struct {
	const char *name, *text;
	struct json_path path;
} refusals[] = {
	{"no JSON", "{\"a\":", A},
	{"no object", "[1]", A},
	{"two of them", "{} {}", A},
	{"a comma too many in front", "{,}", A},
	{"two commas", "{\"x\":1,,}", A},
	{"a string that does not end", "{\"x", A},
	{"a value on the way", "{\"a\": 1}", AB},
	{"null on the way", "{\"a\": null}", AB},
};

/* clang-format on */

static void edit(struct span text, const struct json_path *path, const char *value, struct buf *out,
	enum err *err)
{
	struct json_document d;
	struct fault why = FAULT_NONE;
	*err = json_document_open(&d, text, &why);
	if (!*err && value)
		*err = json_document_put(&d, path, span_str(value), out, &why);
	else if (!*err)
		json_document_take(&d, path, out);
	json_document_done(&d);
}

static void check_put(size_t i)
{
	OWNED(buf_done) struct buf out = BUF_INIT(MAX);
	OWNED(buf_done) struct buf back = BUF_INIT(MAX);
	struct json_document d;
	enum err err;
	edit(span_str(members[i].text), &members[i].path, members[i].value, &out, &err);
	is_int(err, OK, "%s: it is done", members[i].name);
	is_mem(out.p, out.n, members[i].want, strlen(members[i].want), "%s: so", members[i].name);
	is_int(json_document_open(&d, buf_view(&out), NULL), OK, "%s: it can be read",
		members[i].name);
	ok(json_is_same_text(json_document_at(&d, &members[i].path), span_str(members[i].value)),
		"%s: it is there", members[i].name);
	json_document_done(&d);
	edit(buf_view(&out), &members[i].path, NULL, &back, &err);
	is_int(err, OK, "%s: it is taken out", members[i].name);
	is_mem(back.p, back.n, members[i].back ? members[i].back : members[i].text,
		strlen(members[i].back ? members[i].back : members[i].text), "%s: and back",
		members[i].name);
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(members); i++)
		check_put(i);
	for (size_t i = 0; i < COUNT_OF(takes); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(MAX);
		enum err err;
		edit(span_str(takes[i].text), &takes[i].path, NULL, &out, &err);
		is_int(err, OK, "%s: it is taken out", takes[i].name);
		is_mem(out.p, out.n, takes[i].want, strlen(takes[i].want), "%s: so", takes[i].name);
	}
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(MAX);
		enum err err;
		edit(span_str(refusals[i].text), &refusals[i].path, "1", &out, &err);
		is_int(err, ERR_MALFORMED, "%s: refused", refusals[i].name);
	}
	ok(json_is_same_text(SPAN("{\"a\": [1, \"x y\"]}"), SPAN("{ \"a\":[1,\"x y\"] }")),
		"spaces do not count");
	ok(!json_is_same_text(SPAN("\"x y\""), SPAN("\"xy\"")), "but in strings");
	ok(!json_is_same_text(SPAN("\"a\\\" b\""), SPAN("\"a\\\"b\"")),
		"also behind a quote in one");
	ok(!json_is_same_text(SPAN("12"), SPAN("1")), "nor is a beginning the same");
	return tap_done();
}
