/* test_marked.c - do lines of ours get into texts of others, only where that is sure, and out again? */
#include "libllmclient/cli/marked.h"

#include <string.h>

#include "tests/lib/tap.h"

#define MAX   ((size_t)1 << 20)
#define BEGIN "# >>> llm-broker: `llmb wire` has written this, and takes it out with --undo\n"
#define END   "# <<< llm-broker\n"
#define ASIDE "# llm-broker has put aside: "
#define TOP   BEGIN "a = 1\n" END
#define TABLE BEGIN "[t.x]\nk = 2\n" END
#define MAP   BEGIN "a: 1\n" END
#define ITEM  BEGIN "- i: 1\n  j: 2\n" END
#define INNER "  " BEGIN "  - i: 1\n    j: 2\n  " END
#define UNDER BEGIN "list:\n  - i: 1\n    j: 2\n" END

enum how {
	TOML,
	YAML,
	ITEMS,
	LIST,
	VARIABLES,
};

/* clang-format off */
static const struct {
	const char *name;
	enum how how;
	const char *text, *want; /* NULL: refused */
} cases[] = {
	{"nothing", TOML, "", TOP TABLE},
	{"keys and tables of others", TOML, "b = 1 # x\n\n[t.y]\na = 3\n", TOP "b = 1 # x\n\n[t.y]\na = 3\n" TABLE},
	{"the key", TOML, "  a = 3 # mine\nb = 1\n", TOP ASIDE "  a = 3 # mine\nb = 1\n" TABLE},
	{"the key in quotes", TOML, "\"a\"=3\n'a' = 4\n", TOP ASIDE "\"a\"=3\n" ASIDE "'a' = 4\n" TABLE},
	{"others that begin so", TOML, "ab = 3\na.b = 4\n-a = 1\n", TOP "ab = 3\na.b = 4\n-a = 1\n" TABLE},
	{"no last line end", TOML, "b = 1", TOP "b = 1\n" TABLE},
	{"line ends", TOML, "b = 1\r\n", "# >>> llm-broker: `llmb wire` has written this, and takes it out with --undo\r\na = 1\r\n"
	 "# <<< llm-broker\r\nb = 1\r\n# >>> llm-broker: `llmb wire` has written this, and takes it out with --undo\r\n[t.x]\r\nk = 2\r\n# <<< llm-broker\r\n"},
	{"a mark at the begin", TOML, "\xef\xbb\xbf" "b = 1\n", "\xef\xbb\xbf" TOP "b = 1\n" TABLE},
	{"in a text of several lines it is no key", TOML, "b = \"\"\"\na = 3\n[t.x]\n\\\"\"\"\n\"\"\"\n", TOP "b = \"\"\"\na = 3\n[t.x]\n\\\"\"\"\n\"\"\"\n" TABLE},
	{"nor in another kind", TOML, "b = '''\na = 3\n\\'''\n", TOP "b = '''\na = 3\n\\'''\n" TABLE},
	{"nor in a list", TOML, "b = [\n \"]\", # ]\n a = 3\n]\n", TOP "b = [\n \"]\", # ]\n a = 3\n]\n" TABLE},
	{"a text that ends in five quotes", TOML, "b = \"\"\"x\"\"\"\"\"\nc = 1\n", TOP "b = \"\"\"x\"\"\"\"\"\nc = 1\n" TABLE},
	{"the table", TOML, "[t.x]\n", NULL},
	{"however it is written", TOML, " [ t . \"x\" ] # y\n", NULL},
	{"a longer name", TOML, "[t.xy]\n[t]\n[[t.z]]\n", TOP "[t.xy]\n[t]\n[[t.z]]\n" TABLE},
	{"what the table is in, otherwise", TOML, "t = {}\n", NULL},
	{"but inside another table", TOML, "[z]\nt = {}\n", TOP "[z]\nt = {}\n" TABLE},
	{"the key on several lines", TOML, "a = \"\"\"\n\"\"\"\n", NULL},
	{"a string that does not end", TOML, "b = '''\n", NULL},
	{"a bracket that does not end", TOML, "b = [\n", NULL},

	{"nothing", YAML, "", MAP},
	{"comments", YAML, "# x\n", "# x\n" MAP},
	{"nested", YAML, "---\nb: 1\nc:\n  a: 2\nd: |\n  a: 3\n", "---\nb: 1\nc:\n  a: 2\nd: |\n  a: 3\n" MAP},
	{"the key", YAML, "a: 3 # mine\n# x\nb: 1\n", ASIDE "a: 3 # mine\n# x\nb: 1\n" MAP},
	{"the key with more lines", YAML, "a:\n  - 3\n", NULL},
	{"and as lists may stand", YAML, "a:\n\n- 3\n", NULL},
	{"no last line end", YAML, "b: 1", "b: 1\n" MAP},
	{"in braces", YAML, "{b: 1}\n", NULL},
	{"a list", YAML, "- b\n", NULL},
	{"indented", YAML, "  b: 1\n", NULL},
	{"two documents", YAML, "b: 1\n---\nc: 1\n", NULL},
	{"a document that ends", YAML, "b: 1\n...\n", NULL},

	{"nothing", ITEMS, "", ITEM},
	{"an empty list", ITEMS, "# x\n[]\n", "# x\n" ASIDE "[]\n" ITEM},
	{"others", ITEMS, "- x: 1\n  y: 2\n- z\n", "- x: 1\n  y: 2\n- z\n" ITEM},
	{"indented", ITEMS, "# x\n  - x: 1\n", "# x\n  - x: 1\n" INNER},
	{"a mapping", ITEMS, "a: 1\n", NULL},
	{"in brackets", ITEMS, "[a]\n", NULL},

	{"nothing", LIST, "", BEGIN "head: 1\nlist:\n  - i: 1\n    j: 2\n" END},
	{"without the key", LIST, "x: 1\n", "x: 1\n" UNDER},
	{"others in it", LIST, "list: # x\n  # y\n  - z\nx: 1\n", "list: # x\n" INNER "  # y\n  - z\nx: 1\n"},
	{"not indented", LIST, "list:\n- z\nx: 1\n", "list:\n" ITEM "- z\nx: 1\n"},
	{"an empty list", LIST, "list: [] # none\nx: 1\n", ASIDE "list: [] # none\n" UNDER "x: 1\n"},
	{"at its end", LIST, "x: 1\nlist:", "x: 1\nlist:\n" INNER},
	{"in brackets", LIST, "list: [a]\n", NULL},
	{"by another name", LIST, "list: *x\n", NULL},
	{"the key deeper", LIST, "x:\n  list:\n    - z\n", "x:\n  list:\n    - z\n" UNDER},

	{"nothing", VARIABLES, "", BEGIN "a=1\n" END},
	{"others", VARIABLES, "b=2\n a=3\nexport a=4\nab=5\n#a=6", "b=2\n" ASIDE " a=3\n" ASIDE "export a=4\nab=5\n#a=6\n" BEGIN "a=1\n" END},
};
/* clang-format on */

static enum err put(size_t i, struct buf *out)
{
	static const char *const keys[] = {"a", NULL};
	const struct span text = span_str(cases[i].text);
	struct fault why = FAULT_NONE;
	switch (cases[i].how) {
	case TOML:
		return marked_put_toml(
			text, keys, SPAN("a = 1\n"), "t.x", SPAN("[t.x]\nk = 2\n"), out, &why);
	case YAML:
		return marked_put_yaml(text, keys, SPAN("a: 1\n"), out, &why);
	case ITEMS:
		return marked_put_yaml_items(
			text, NULL, SPAN("- i: 1\n  j: 2\n"), SPAN(""), out, &why);
	case LIST:
		return marked_put_yaml_items(
			text, "list", SPAN("- i: 1\n  j: 2\n"), SPAN("head: 1\n"), out, &why);
	case VARIABLES:
		marked_put_variables(text, keys, SPAN("a=1\n"), out);
		return OK;
	}
	return ERR_INTERNAL;
}

/* A line end that was missing is what is not taken back. */
static void check_back(size_t i, struct span made)
{
	OWNED(buf_done) struct buf back = BUF_INIT(MAX);
	OWNED(buf_done) struct buf ours = BUF_INIT(MAX);
	const size_t n = strlen(cases[i].text);
	const bool has_end = n == 0 || cases[i].text[n - 1] == '\n';
	marked_take(made, &back);
	is_mem(back.p, has_end ? back.n : back.n - 1, cases[i].text, n, "%d, %s: and back",
		cases[i].how, cases[i].name);
	marked_ours(made, &ours);
	is_uint(ours.n > 0, 1, "%d, %s: what is ours is found", cases[i].how, cases[i].name);
}

int main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(MAX);
		const enum err err = put(i, &out);
		is_err(err, cases[i].want ? OK : ERR_MALFORMED, "%d, %s", cases[i].how,
			cases[i].name);
		if (err || !cases[i].want)
			continue;
		is_mem(out.p, out.n, cases[i].want, strlen(cases[i].want), "%d, %s: so",
			cases[i].how, cases[i].name);
		check_back(i, buf_view(&out));
	}
	return tap_done();
}
