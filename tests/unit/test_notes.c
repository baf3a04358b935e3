/* test_notes.c - what is noted on the way can be said, and changed back. */
#include "brokerd/value/notes.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static void test_warnings(struct arena *a)
{
	struct notes n;
	struct llm_request r = {.on_unsupported = UNSUPPORTED_WARN};
	struct fault why = FAULT_NONE;
	char code[32] = "seed";

	notes_init(&n, a);
	is_int(n.n_choices, 1, "one answer, unless it is said otherwise");
	ok(n.wants_reasoning_text, "reasoning is read, unless it is said otherwise");
	is_err(notes_warn(&n, "dropped_parameter", code, "%s is not known to %s", code, "x"), OK,
		"a warning");
	code[0] = 'w';
	is_uint(n.n_warnings, (size_t)1, "is kept");
	ok(span_is(n.warnings[0].param, "seed"), "with a copy of its member");
	ok(span_is(n.warnings[0].message, "seed is not known to x"), "and its sentence");
	is_err(notes_warn(&n, "emulated", NULL, "so"), OK, "a warning about no member");
	ok(!span_is_set(n.warnings[1].param), "has none");
	for (int i = 0; i < 100; i++)
		(void)notes_warn(&n, "clamped_parameter", "n", "%d", i);
	is_uint(n.n_warnings, (size_t)102, "there is room for many");
	ok(span_is(n.warnings[101].message, "99") && span_is(n.warnings[0].param, "seed"),
		"in their order");

	is_err(notes_unsupported(&n, &r, "dropped_parameter", "top_k", &why, "no top_k"), OK,
		"the default is to warn");
	is_uint(n.n_warnings, (size_t)103, "which was done");
	r.on_unsupported = UNSUPPORTED_REJECT;
	is_err(notes_unsupported(&n, &r, "dropped_parameter", "top_k", &why, "no %s", "top_k"),
		ERR_INVALID_REQUEST, "who asks for it is refused");
	is_uint(n.n_warnings, (size_t)103, "without a warning");
	is_str(why.code, "unsupported_parameter", "with a code");
	is_str(why.param, "top_k", "the member");
	is_str(why.message, "no top_k", "and the sentence");
}

static void test_long_text(struct arena *a)
{
	char text[3000];
	struct notes n;
	notes_init(&n, a);
	for (size_t i = 0; i + 3 < sizeof text; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 4);
	is_err(notes_warn(&n, "emulated", "x", "a%s", text), OK, "a sentence too long");
	ok(n.warnings[0].message.n < 1024 && n.warnings[0].message.n > 1000, "is cut");
	is_uint(n.warnings[0].message.n % 3, (size_t)1, "between characters");
}

static void test_renames(struct arena *a)
{
	struct notes n;
	notes_init(&n, a);
	is_err(notes_rename_tool(&n, SPAN("my.tool"), SPAN("my_tool_1")), OK, "a tool renamed");
	ok(span_is(notes_tool_theirs(&n, SPAN("my.tool")), "my_tool_1"), "goes out so");
	ok(span_is(notes_tool_ours(&n, SPAN("my_tool_1")), "my.tool"), "and comes back");
	ok(span_is(notes_tool_theirs(&n, SPAN("other")), "other"), "another is left alone");
	ok(span_is(notes_tool_ours(&n, SPAN("other")), "other"), "both ways");
	is_err(notes_rename_id(&n, SPAN("a|b"), SPAN("a_b")), OK, "an id renamed");
	ok(span_is(notes_id_theirs(&n, SPAN("a|b")), "a_b"), "goes out so");
	ok(span_is(notes_id_theirs(&n, SPAN("my.tool")), "my.tool"), "ids are not tools");
}

static void test_no_memory(void)
{
	struct arena a;
	struct notes n;
	arena_init(&a, 16);
	notes_init(&n, &a);
	is_err(notes_warn(&n, "emulated", "x", "y"), ERR_NO_MEMORY, "no room for a warning");
	is_err(notes_rename_tool(&n, SPAN("x"), SPAN("y")), ERR_NO_MEMORY, "nor for a rename");
	is_uint(n.n_warnings + n.n_tools, (size_t)0, "and none is half there");
	arena_done(&a);
}

int main(void)
{
	struct arena a;
	arena_init(&a, MIB);
	test_warnings(&a);
	test_long_text(&a);
	test_renames(&a);
	test_no_memory();
	arena_done(&a);
	return tap_done();
}
