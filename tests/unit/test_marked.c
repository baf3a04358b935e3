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
	{"others that begin so", TOML, "ab = 3\n-a = 1\n\"a.b\" = 4\n", TOP "ab = 3\n-a = 1\n\"a.b\" = 4\n" TABLE},
	{"the key with keys in it", TOML, "a.b = 4\n", NULL},
	{"and as a table", TOML, "[a]\n", NULL},
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
	{"by a key of the one it is in", TOML, "[t]\nx.k = 1\n", NULL},
	{"from outside of all", TOML, "t . 'x' . k = 1\n", NULL},
	{"a list of it", TOML, "[[t.x]]\n", NULL},
	{"what the table is in, otherwise", TOML, "t = {}\n", NULL},
	{"a list of what it is in", TOML, "[[t]]\n", NULL},
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
	{"a text that goes on at the begin of a line", YAML, "b: \"x\na: 3\"\n", NULL},
	{"nor behind a name and a kind", YAML, "b: &x !!str \"x\na: 3\"\n", NULL},
	{"a name alone", YAML, "b: &x\n  c: 1\na: 3\n", "b: &x\n  c: 1\n" ASIDE "a: 3\n" MAP},
	{"a bracket's end may stand there", YAML, "b: [\n  1, # ]\n]\nc:\n  - {k: 'it''s'}\n", "b: [\n  1, # ]\n]\nc:\n  - {k: 'it''s'}\n" MAP},
	{"a bracket that does not end", YAML, "b: [\n", NULL},
	{"lines of a text are no values", YAML, "b: |\n  \"x\n  [\na: 3\n", "b: |\n  \"x\n  [\n" ASIDE "a: 3\n" MAP},
	{"such a text without a line end", YAML, "b: |\n  x", NULL},
	{"quotes in the middle are none", YAML, "b: it's [\n", "b: it's [\n" MAP},
	{"a document that ends", YAML, "b: 1\n...\n", NULL},

	{"a mark at the begin", YAML, "\xef\xbb\xbf" "a: 3\n", "\xef\xbb\xbf" ASIDE "a: 3\n" MAP},

	{"nothing", ITEMS, "", ITEM},
	{"a mark at the begin", ITEMS, "\xef\xbb\xbf" "- x\n", "\xef\xbb\xbf" "- x\n" ITEM},
	{"and nothing behind it", ITEMS, "\xef\xbb\xbf", "\xef\xbb\xbf" ITEM},
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
	{"a mark at the begin", LIST, "\xef\xbb\xbf" "list:\n- z\n", "\xef\xbb\xbf" "list:\n" ITEM "- z\n"},
	{"in brackets", LIST, "list: [a]\n", NULL},
	{"a mapping on the next line", LIST, "list:\n\n  # x\n  a: 1\n", NULL},
	{"a text on the next line", LIST, "list:\n  a\n", NULL},
	{"twice", LIST, "list:\nx: 1\nlist:\n", NULL},
	{"none, and a key behind it", LIST, "list: # x\n# y\nx: 1\n", "list: # x\n" INNER "# y\nx: 1\n"},
	{"a document of nothing", LIST, "# x\n---\n", "# x\n---\n" BEGIN "head: 1\nlist:\n  - i: 1\n    j: 2\n" END},
	{"by another name", LIST, "list: *x\n", NULL},
	{"the key deeper", LIST, "x:\n  list:\n    - z\n", "x:\n  list:\n    - z\n" UNDER},

	{"a mark at the begin", VARIABLES, "\xef\xbb\xbf" "a=2\n", "\xef\xbb\xbf" ASIDE "a=2\n" BEGIN "a=1\n" END},
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

static const struct {
	const char *name, *text;
} torn[] = {
	{"the last line of ours is gone",     "x\n" BEGIN "a = 1\nmine\n"},
	{"and another place of ours follows", BEGIN "a = 1\nmine\n" TABLE},
};

static void check_torn(size_t i)
{
	OWNED(buf_done) struct buf out = BUF_INIT(MAX);
	struct fault why = FAULT_NONE;
	is_err(marked_take(span_str(torn[i].text), &out, &why), ERR_MALFORMED, "%s", torn[i].name);
	is_uint(why.message[0] != 0, 1, "%s: it is said", torn[i].name);
}

/* A line end that was missing is what is not taken back. */
static void check_back(size_t i, struct span made)
{
	OWNED(buf_done) struct buf back = BUF_INIT(MAX);
	OWNED(buf_done) struct buf ours = BUF_INIT(MAX);
	struct fault why = FAULT_NONE;
	const size_t n = strlen(cases[i].text);
	const bool has_end = n == 0 || cases[i].text[n - 1] == '\n' ||
			     strcmp(cases[i].text, "\xef\xbb\xbf") == 0;
	is_err(marked_take(made, &back, &why), OK, "%d, %s: it can be taken out", cases[i].how,
		cases[i].name);
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
	for (size_t i = 0; i < sizeof torn / sizeof *torn; i++)
		check_torn(i);
	is_uint(marked_has_any(SPAN(TABLE), SPAN("x\n  k = 2\r\n")), 1, "a line of ours is there");
	is_uint(marked_has_any(SPAN(TABLE ASIDE "x\n"), SPAN(BEGIN "x\nk = 3\n")), 0, "none is");
	return tap_done();
}
