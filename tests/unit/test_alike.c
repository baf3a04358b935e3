/* test_alike.c - an event that is the one before but for its text has that text, and no other event has one. */
#include "brokerd/dialect/alike.h"

#include "tests/lib/tap.h"

#define BEFORE "{\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
#define BEHIND "},\"finish_reason\":null}]}"

/* What is remembered of the event of a text, written as JSON has it. */
static void note(struct alike *a, struct span data)
{
	struct json v;
	if (json_scan(data, JSON_LENIENT, &v, NULL))
		bail("no JSON");
	struct json_walk w = json_each(json_member(v, "choices"));
	if (!json_next(&w))
		bail("no choice");
	alike_note(a, data, json_member(json_member(w.value, "delta"), "content"));
}

static void has(const struct alike *a, struct span data, const char *text, const char *what)
{
	const struct json found = alike_text(a, data);
	if (!text) {
		ok(!span_is_set(found.text), "%s", what);
		return;
	}
	OWNED(buf_done) struct buf words = BUF_INIT(1000);
	ok(json_text_to(found, &words) && span_is(buf_view(&words), text), "%s", what);
	ok(found.text.p > data.p && found.text.p + found.text.n < data.p + data.n, "it lies there");
}

static void t_texts(void)
{
	struct alike a;
	alike_init(&a);
	has(&a, SPAN(BEFORE "\"a\"" BEHIND), NULL, "nothing is remembered at first");
	note(&a, SPAN(BEFORE "\"first\"" BEHIND));
	has(&a, SPAN(BEFORE "\"first\"" BEHIND), "first", "the same again");
	has(&a, SPAN(BEFORE "\"and another\"" BEHIND), "and another", "a longer one");
	has(&a, SPAN(BEFORE "\"\"" BEHIND), "", "an empty one");
	has(&a, SPAN(BEFORE "\"a \\\"b\\\" \\u00e9\\n\"" BEHIND), "a \"b\" \xc3\xa9\n",
		"one with escapes");
	has(&a, SPAN(BEFORE "\"},\\\"finish_reason\\\":null}]}\"" BEHIND),
		"},\"finish_reason\":null}]}", "one that looks like what is behind it");
	has(&a, SPAN(BEFORE "\"a\tb\"" BEHIND), "a\tb",
		"one with a control byte, as providers send them");
	alike_done(&a);
	has(&a, SPAN(BEFORE "\"first\"" BEHIND), NULL, "what was given back is forgotten");
}

static void t_others(void)
{
	struct alike a;
	alike_init(&a);
	note(&a, SPAN(BEFORE "\"first\"" BEHIND));
	has(&a, SPAN(BEFORE "null" BEHIND), NULL, "no string");
	has(&a, SPAN(BEFORE "\"a\",\"role\":\"assistant\"" BEHIND), NULL,
		"another member behind it");
	has(&a, SPAN(BEFORE "\"a\"},\"logprobs\":{\"content\":\"b\"" BEHIND), NULL,
		"another that ends as it does");
	has(&a, SPAN(BEFORE "\"a\\\"" BEHIND), NULL, "a string without its end");
	has(&a, SPAN(BEFORE "\"\\x\"" BEHIND), NULL, "an escape that is none");
	has(&a, SPAN("{\"id\":\"y\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"" BEHIND),
		NULL, "another id");
	has(&a, SPAN(BEFORE "\"a\"},\"finish_reason\":\"stop\"}]}"), NULL, "another end");
	has(&a, SPAN(BEFORE "\"" BEHIND), NULL, "one quote for both");
	has(&a, SPAN(BEFORE), NULL, "half of it");
	has(&a, SPAN(""), NULL, "nothing");
	for (size_t n = 0; n < sizeof(BEFORE "\"first\"" BEHIND) - 1; n++) {
		const struct span cut = span_first(SPAN(BEFORE "\"first\"" BEHIND), n);
		if (span_is_set(alike_text(&a, cut).text))
			ok(false, "cut at %zu", n);
	}
	note(&a, SPAN("{\"choices\":[{\"delta\":{\"content\":\"b\"}}]}"));
	has(&a, SPAN(BEFORE "\"first\"" BEHIND), NULL, "the last one alone is remembered");
	has(&a, SPAN("{\"choices\":[{\"delta\":{\"content\":\"c\"}}]}"), "c", "and is");
	alike_forget(&a);
	has(&a, SPAN("{\"choices\":[{\"delta\":{\"content\":\"c\"}}]}"), NULL,
		"until it is forgotten");
	alike_done(&a);
}

static void t_long(void)
{
	struct alike a;
	OWNED(buf_done) struct buf data = BUF_INIT(20000);
	alike_init(&a);
	note(&a, SPAN(BEFORE "\"first\"" BEHIND));
	buf_text(&data, "{\"choices\":[{\"delta\":{\"content\":\"b\"}}],\"pad\":\"");
	for (int i = 0; i < 5000; i++)
		buf_byte(&data, 'p');
	buf_text(&data, "\"}");
	note(&a, buf_view(&data));
	has(&a, buf_view(&data), NULL, "what is long is not remembered");
	has(&a, SPAN(BEFORE "\"first\"" BEHIND), NULL, "nor what was before it");
	note(&a, SPAN(BEFORE "\"first\"" BEHIND));
	has(&a, SPAN(BEFORE "\"second\"" BEHIND), "second", "and what comes behind it is again");
	alike_done(&a);
}

int main(void)
{
	t_texts();
	t_others();
	t_long();
	return tap_done();
}
