/* test_splice.c - which bytes change when members do, and which do not? */
#include "brokerd/dialect/splice.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

enum { EDITS = 4 };

#define GONE            \
	{               \
		NULL, 0 \
	}
#define TO(text)                      \
	{                             \
		text, sizeof text - 1 \
	}

static const struct {
	const char *name, *from;
	struct splice edits[EDITS];
	const char *to;
} rows[] = {
	{"a value alone",			  "{\"model\" : \"a/b\" , \"x\":1.0}",         {{"model", TO("\"b\"")}},
         "{\"model\" : \"b\" , \"x\":1.0}"															},
	{"a name with an escape is the same name", "{\"mod\\u0065l\":\"a\"}",
         {{"model", TO("\"b\"")}},												       "{\"mod\\u0065l\":\"b\"}"},
	{"one inside another is another",          "{\"x\":{\"model\":\"a\"}}",                 {{"model", TO("\"b\"")}},
         "{\"x\":{\"model\":\"a\"},\"model\":\"b\"}"													      },
	{"what is not there comes last",           "{\"x\":1\n}",                               {{"store", TO("false")}},
         "{\"x\":1\n,\"store\":false}"															    },
	{"also into nothing",                      "{ }",				       {{"a", TO("1")}, {"b", TO("2")}},        "{ \"a\":1,\"b\":2}"     },
	{"the first goes",                         "{\"a\":1, \"b\":2}",                        {{"a", GONE}},                           "{\"b\":2}"              },
	{"the last goes",			  "{\"a\":1, \"b\":2 }",                       {{"b", GONE}},                           "{\"a\":1 }"             },
	{"the middle goes",                        "{\"a\":1, \"b\":2 ,\"c\":3}",               {{"b", GONE}},                           "{\"a\":1 ,\"c\":3}"     },
	{"two in the midst go",                    "{\"a\":1, \"b\":2 ,\"c\":3, \"d\":4}",      {{"b", GONE}, {"c", GONE}},
         "{\"a\":1, \"d\":4}"																     },
	{"the last two go",                        "{\"a\":1, \"b\":2 ,\"c\":3}",               {{"b", GONE}, {"c", GONE}},              "{\"a\":1}"              },
	{"the first two go",                       "{\"a\":1, \"b\":2 ,\"c\":3}",               {{"b", GONE}, {"a", GONE}},
         "{\"c\":3}"																	      },
	{"all go",				 "{ \"a\":1, \"b\":2 }",                      {{"b", GONE}, {"a", GONE}},              "{ }"                    },
	{"all go and one comes",                   "{\"a\":1}",                                 {{"a", GONE}, {"c", TO("3")}},           "{\"c\":3}"              },
	{"what is not there cannot go",            "{\"a\":1}",                                 {{"b", GONE}},                           "{\"a\":1}"              },
	{"inside of a member",                     "{\"s\":{\"a\":1,\"u\":false},\"b\":[ 1 ]}", {{"s.u", TO("true")}},
         "{\"s\":{\"a\":1,\"u\":true},\"b\":[ 1 ]}"													       },
	{"one that it did not have",               "{\"s\":{\"a\":1}}",                         {{"s.u", TO("true")}},
         "{\"s\":{\"a\":1,\"u\":true}}"															   },
	{"a member that there was not",            "{\"a\":1}",                                 {{"s.u", TO("true")}, {"s.v", TO("0")}},
         "{\"a\":1,\"s\":{\"u\":true,\"v\":0}}"														   },
	{"what was no object becomes one",         "{\"s\":null}",                              {{"s.u", TO("true")}},
         "{\"s\":{\"u\":true}}"																   },
	{"brackets in texts are none",             "{\"t\":\"}{\\\"a\\\":\",\"a\":1}",          {{"a", TO("2")}},
         "{\"t\":\"}{\\\"a\\\":\",\"a\":2}"														       },
};

static size_t n_edits(const struct splice *edits)
{
	size_t n = 0;
	while (n < EDITS && edits[n].name)
		n++;
	return n;
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		OWNED(buf_done) struct buf got = BUF_INIT(64 * KIB);
		const size_t n = n_edits(rows[i].edits);
		struct json object, again;
		struct fault why;
		if (json_scan(span_str(rows[i].from), JSON_STRICT, &object, &why))
			bail("%s: %s", rows[i].name, why.message);
		splice_put(object, rows[i].edits, n, &got);
		is_mem(got.p, got.n, rows[i].to, strlen(rows[i].to), "%s", rows[i].name);
		ok(json_scan(buf_view(&got), JSON_STRICT, &again, &why) == OK, "%s: JSON",
			rows[i].name);
		ok(splice_changes(object, rows[i].edits, n) ==
				(strcmp(rows[i].from, rows[i].to) != 0),
			"%s: is it a change?", rows[i].name);
		ok(!splice_changes(again, rows[i].edits, n), "%s: and then no more", rows[i].name);
	}
	return tap_done();
}
