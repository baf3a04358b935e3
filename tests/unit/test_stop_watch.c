/* test_stop_watch.c - is a text cut at its first stop sequence, however it comes? */
#include "brokerd/dialect/outlet.h"
#include "brokerd/dialect/stop_watch.h"
#include "protocol/limits.h"
#include "tests/lib/tally.h"
#include "tests/lib/tap.h"

static const struct {
	const char *name, *stops[3], *text, *want;
	const char *found; /* NULL: none */
} rows[] = {
	{"none there",                    {"END"},          "all of it",      "all of it",      NULL          },
	{"in the middle",                 {"END"},          "one END two",    "one ",           "END"         },
	{"at the beginning",              {"END"},          "ENDless",        "",               "END"         },
	{"at the end",                    {"END"},          "the END",        "the ",           "END"         },
	{"only begun",                    {"END"},          "the EN",         "the EN",         NULL          },
	{"begun twice",                   {"aab"},          "aaaab",          "aa",             "aab"         },
	{"the one that ends first",       {"xyz!", "z"},    "wxyz!",          "wxy",            "z"           },
	{"the longer of two",             {"z", "xyz"},     "wxyz!",          "w",              "xyz"         },
	{"one inside the other",          {"abcd", "bc"},   "xabcd",          "xa",             "bc"          },
	{"a line's end",                  {"\n"},           "first\nsecond",  "first",          "\n"          },
	{"more than one byte",            {"\xe2\x82\xac"}, "5 \xe2\x82\xac", "5 ",             "\xe2\x82\xac"},
	{"a character that begins alike", {"\xe2\x82\xac"}, "5 \xe2\x82\xad", "5 \xe2\x82\xad",
         NULL												 },
	{"nothing",		       {"END"},          "",               "",               NULL          },
};

static size_t stops_of(size_t row, struct span out[3])
{
	size_t n = 0;
	for (; n < 3 && rows[row].stops[n]; n++)
		out[n] = span_str(rows[row].stops[n]);
	return n;
}

/* Feeds the text in pieces of about `step` bytes, characters whole. */
static void feed(size_t row, size_t step)
{
	struct span stops[3];
	struct stop_watch w;
	struct span rest = span_str(rows[row].text);
	const struct span *found = NULL;
	OWNED(buf_done) struct buf got = BUF_INIT(4096);
	stop_watch_init(&w, stops, stops_of(row, stops));
	while (!found && rest.n > 0) {
		struct span out, piece = span_first(rest, step);
		while (piece.n < rest.n && !utf8_is_valid(piece))
			piece.n++;
		found = stop_watch_add(&w, piece, &out);
		ok(utf8_is_valid(out), "%s, by %zu: whole characters", rows[row].name, step);
		buf_span(&got, out);
		rest = span_skip(rest, piece.n);
	}
	if (!found)
		buf_span(&got, stop_watch_rest(&w));
	buf_byte(&got, '\0');
	is_str(got.p, rows[row].want, "%s, by %zu: the text", rows[row].name, step);
	is_str(found ? found->p : "(none)", rows[row].found ? rows[row].found : "(none)",
		"%s, by %zu: the sequence", rows[row].name, step);
	stop_watch_done(&w);
}

struct seen {
	struct tally tally;
	char matched[32];
};

static enum err on_event(void *context, const struct llm_event *e)
{
	struct seen *s = context;
	if (e->type == EV_FINISH)
		fault_text(s->matched, sizeof s->matched, e->finish.matched_stop);
	return tally_event(&s->tally, e);
}

/* Through an outlet: nothing of what follows the sequence goes out, and calls before it do. */
static void test_outlet(void)
{
	static struct span stops[] = {
		{"END", 3}
        };
	const struct dialect_env env = {.wall_s = 1795305600, .seed = 7};
	const struct part part = {.type = PART_IMAGE};
	struct seen seen = {.matched = ""};
	const struct event_sink sink = {on_event, &seen};
	struct outlet_call *call;
	struct arena a;
	struct notes notes;
	struct outlet o;
	arena_init(&a, MIB);
	notes_init(&notes, &a);
	notes.stops = stops;
	notes.n_stops = COUNT_OF(stops);
	tally_init(&seen.tally);
	ok(outlet_init(&o, &a, &notes, &env), "an outlet");
	o.sink = &sink;
	is_err(outlet_text(&o, 0, OUTLET_TEXT, SPAN("one E")), OK, "text");
	is_mem(seen.tally.text.p, seen.tally.text.n, "one ", 4, "what may be the sequence waits");
	ok(!outlet_has_enough(&o), "it goes on");
	is_err(outlet_text(&o, 0, OUTLET_REASONING, SPAN("END is near")), OK,
		"reasoning is not watched");
	is_err(outlet_text(&o, 0, OUTLET_TEXT, SPAN("ND two END")), OK, "the sequence, and more");
	ok(outlet_has_enough(&o), "it is enough");
	is_err(outlet_text(&o, 0, OUTLET_TEXT, SPAN("three")), OK, "more text");
	is_err(outlet_part(&o, 0, &part), OK, "a part");
	is_err(outlet_call_new(&o, 0, &call), OK, "a call");
	buf_text(&call->name, "f");
	is_err(outlet_call_args(&o, call, SPAN("{}")), OK, "its arguments");
	is_err(outlet_finish(&o, 0, FINISH_LENGTH, SPAN("length"), SPAN_NONE), OK, "another end");
	is_err(outlet_flush(&o), OK, "the end");
	is_mem(seen.tally.text.p, seen.tally.text.n, "one ", 4, "the text ends before it");
	is_str(seen.matched, "END", "and says at what");
	is_int(seen.tally.finish, FINISH_STOP, "finish");
	is_uint(seen.tally.n_calls, 0, "no call");
	is_str(seen.tally.broken, "", "events in order");
	outlet_done(&o);
	tally_done(&seen.tally);
	arena_done(&a);
}

/* What is held back goes out before what follows the text. */
static void test_outlet_in_order(void)
{
	static struct span stops[] = {
		{"END", 3}
        };
	const struct dialect_env env = {.wall_s = 1795305600, .seed = 7};
	struct seen seen = {.matched = ""};
	const struct event_sink sink = {on_event, &seen};
	struct outlet_call *call;
	struct arena a;
	struct notes notes;
	struct outlet o;
	arena_init(&a, MIB);
	notes_init(&notes, &a);
	notes.stops = stops;
	notes.n_stops = COUNT_OF(stops);
	tally_init(&seen.tally);
	ok(outlet_init(&o, &a, &notes, &env), "an outlet");
	o.sink = &sink;
	is_err(outlet_text(&o, 0, OUTLET_TEXT, SPAN("EN")), OK, "text");
	is_uint(seen.tally.n_events, 0, "all of it waits");
	is_err(outlet_call_new(&o, 0, &call), OK, "a call");
	buf_text(&call->name, "f");
	is_err(outlet_call_args(&o, call, SPAN("{}")), OK, "its arguments");
	is_mem(seen.tally.text.p, seen.tally.text.n, "EN", 2, "the text came before");
	is_err(outlet_text(&o, 0, OUTLET_TEXT, SPAN("D")), OK, "no sequence");
	is_err(outlet_flush(&o), OK, "the end");
	is_mem(seen.tally.text.p, seen.tally.text.n, "END", 3, "reaches over a call");
	is_uint(seen.tally.n_calls, 1, "the call");
	outlet_done(&o);
	tally_done(&seen.tally);
	arena_done(&a);
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (size_t step = 1; step < 8; step++)
			feed(i, step);
	}
	test_outlet();
	test_outlet_in_order();
	return tap_done();
}
