/* test_strict_schema.c - what OpenAI would refuse of a strict schema, and where. Schemas are written with
 * ' for their quotes. */
#include "brokerd/dialect/strict_schema.h"

#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define OPEN(properties)           "{'type':'object','properties':{" properties "}}"
#define SHUT(properties, required) SHUT_MORE(properties, required, "")
#define SHUT_MORE(properties, required, more)                                       \
	"{'type':'object','properties':{" properties "},'required':[" required "]," \
	"'additionalProperties':false" more "}"
#define NEEDS_SHUT "lacks \"additionalProperties\": false"
#define NO_KEYWORD "has a keyword that a strict schema may not have"
#define NO_FORMAT  "has a format that a strict schema may not have"
#define NO_LOOKING "has a pattern that looks ahead or behind"
#define NO_SIBLING "has something beside its $ref: that goes inside an anyOf"
#define NO_OBJECT  "is not an object's at its root"
#define OPTIONAL   "is not among the required: an optional one is required, with null among its types"

/* clang-format off */
static const struct {
	const char *schema, *path, *what; /* what NULL: it is legal */
} rows[] = {
	{SHUT("", ""),                                                      "",                   NULL},
	{SHUT("'a':{'type':'string'}", "'a'"),                              "",                   NULL},
	{SHUT("'a':{'type':['string','null']}", "'a'"),                     "",                   NULL},
	{SHUT_MORE("'a':{'$ref':'#/$defs/X'}", "'a'",
		",'$defs':{'X':{'type':'string','enum':['x']}}"),           "",                   NULL},
	{"{'$ref':'#/$defs/X','$defs':{'X':" SHUT("", "") "}}",             "",                   NULL},
	{OPEN(""),                                                          "",                   NEEDS_SHUT},
	{"{'type':'object','properties':{},'additionalProperties':true}",   "",                   NEEDS_SHUT},
	{"{'type':'string'}",                                               "",                   NO_OBJECT},
	{"{'anyOf':[{'type':'object'}]}",                                   "",                   NO_OBJECT},
	{SHUT("'a':{'type':'string'},'b':{'type':'string'}", "'a'"),        "properties.b",       OPTIONAL},
	{SHUT("'a':{'type':'array'}", "'a'"),                               "properties.a",       "is an array without items"},
	{SHUT("'a':{'type':'array','items':" OPEN("") "}", "'a'"),          "properties.a.items", NEEDS_SHUT},
	{SHUT("'a':{'oneOf':[]}", "'a'"),                                   "properties.a",       NO_KEYWORD},
	{SHUT("'a':{'anyOf':[{'type':'string'},{'type':'object'}]}", "'a'"), "properties.a.anyOf", NEEDS_SHUT},
	{SHUT_MORE("", "", ",'$defs':{'X':{'not':{}}}"),                    "$defs.X",            NO_KEYWORD},
	/* OpenAI's list has it as unknown; it was seen to take it */
	{SHUT("'a':{'type':'string','default':'x'}", "'a'"),                 "",                   NULL},
	{SHUT("'a':{'type':'string','format':'uuid'}", "'a'"),               "",                   NULL},
	{SHUT("'a':{'type':'string','format':'uri'}", "'a'"),                "properties.a",       NO_FORMAT},
	{SHUT("'a':{'type':'string','pattern':'^(?:a|(?<n>b))\\\\(?=$'}", "'a'"), "",              NULL},
	{SHUT("'a':{'type':'string','pattern':'(?=a)b'}", "'a'"),            "properties.a",       NO_LOOKING},
	{SHUT("'a':{'type':'string','pattern':'(?<!a)b'}", "'a'"),           "properties.a",       NO_LOOKING},
	{SHUT_MORE("'a':{'$ref':'#/$defs/A','description':'d'}", "'a'",
		",'$defs':{'A':{'type':'string'}}"),                         "properties.a",       NO_SIBLING},
	{"{'type':'object','anyOf':[],'additionalProperties':false}",        "",                   "has an anyOf at its root"},
	{SHUT("'a':{'type':'array','items':{}}", "'a'"),                     "properties.a.items", "does not say which type it is of"},
	{SHUT("'a':{'type':'array','items':{'enum':[1]}}", "'a'"),           "",                   NULL},
};
/* clang-format on */

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		OWNED(buf_done) struct buf path = BUF_INIT(KIB), text = BUF_INIT(KIB);
		struct json schema;
		const char *what = "(untouched)";
		for (const char *c = rows[i].schema; *c; c++)
			buf_byte(&text, (char)(*c == '\'' ? '"' : *c));
		if (json_scan(buf_view(&text), JSON_STRICT, &schema, NULL))
			bail("row %zu is no JSON", i);
		is_int(strict_schema_breach(schema, &path, &what), rows[i].what != NULL,
			"row %zu: legal, or not", i);
		is_str(what, rows[i].what ? rows[i].what : "(untouched)", "row %zu: why", i);
		is_mem(buf_view(&path).p, path.n, rows[i].path, strlen(rows[i].path),
			"row %zu: where", i);
	}
	return tap_done();
}
