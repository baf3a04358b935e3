/* test_strict_schema.c - what OpenAI would refuse of a strict schema, and where. */
#include "brokerd/dialect/strict_schema.h"

#include "tests/lib/tap.h"

#define CLOSED "\"additionalProperties\":false"

static const struct {
	const char *schema, *path, *what; /* what NULL: it is legal */
} rows[] = {
	{"{\"type\":\"object\",\"properties\":{}," CLOSED "}",                                "",             NULL                                             },
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"]"
	 "," CLOSED "}",
         "",												  NULL					     },
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"string\",\"null\"]}},"
	 "\"required\":[\"a\"]," CLOSED "}",
         "",												  NULL					     },
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/"
	 "X\"}},\"required\":[\"a\"]," CLOSED
	 ",\"$defs\":{\"X\":{\"type\":\"string\",\"enum\":[\"x\"]}}}",               "",             NULL					     },
	{"{\"$ref\":\"#/$defs/X\",\"$defs\":{\"X\":{\"type\":\"object\",\"properties\":{}," CLOSED
	 "}}}",								      "",             NULL					     },
	{"{\"type\":\"object\",\"properties\":{}}",                                           "",             "lacks \"additionalProperties\": false"          },
	{"{\"type\":\"object\",\"properties\":{},\"additionalProperties\":true}",             "",
         "lacks \"additionalProperties\": false"													       },
	{"{\"type\":\"string\"}",							     "",             "is not an object's at its root"                 },
	{"{\"anyOf\":[{\"type\":\"object\"}]}",                                               "",             "is not an object's at its root"                 },
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":"
	 "\"string\"}},\"required\":["
	 "\"a\"]," CLOSED "}",
         "properties.b",										      "is not among the required: an optional one is required, with null among its "
		"types"														},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\"}},\"required\":[\"a\"]"
	 "," CLOSED "}",
         "properties.a",										      "is an array without items"                      },
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"type\":"
	 "\"object\",\"properties\":"
	 "{}}}},\"required\":[\"a\"]," CLOSED "}",
         "properties.a.items",										"lacks \"additionalProperties\": false"          },
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"oneOf\":[]}},\"required\":[\"a\"]," CLOSED
	 "}",									"properties.a", "has a keyword that a strict schema may not have"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":"
	 "\"object\"}]}},"
	 "\"required\":[\"a\"]," CLOSED "}",
         "properties.a.anyOf",										"lacks \"additionalProperties\": false"          },
	{"{\"type\":\"object\",\"properties\":{},\"$defs\":{\"X\":{\"not\":{}}}," CLOSED "}",
         "$defs.X",											   "has a keyword that a strict schema may not have"},
};

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		OWNED(buf_done) struct buf path = BUF_INIT(4096);
		struct json schema;
		const char *what = "(untouched)";
		if (json_scan(span_str(rows[i].schema), JSON_STRICT, &schema, NULL))
			bail("row %zu is no JSON", i);
		is_int(strict_schema_breach(schema, &path, &what), rows[i].what != NULL,
			"row %zu: legal, or not", i);
		is_str(what, rows[i].what ? rows[i].what : "(untouched)", "row %zu: why", i);
		is_mem(buf_view(&path).p, path.n, rows[i].path, strlen(rows[i].path),
			"row %zu: where", i);
	}
	return tap_done();
}
