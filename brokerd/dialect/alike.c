/* alike.c - one buffer, compared at both ends. */
#include "brokerd/dialect/alike.h"

#include <assert.h>

#define AROUND_BYTES ((size_t)4096)

void alike_init(struct alike *a)
{
	*a = (struct alike){.around = BUF_INIT(AROUND_BYTES)};
}

void alike_done(struct alike *a)
{
	buf_done(&a->around);
	a->before = 0;
}

static struct span behind(const struct alike *a)
{
	return span_skip(buf_view(&a->around), a->before);
}

void alike_note(struct alike *a, struct span data, struct json text)
{
	assert(text.text.p > data.p && text.text.p + text.text.n < data.p + data.n);
	assert(json_kind(text) == JSON_STRING);
	const size_t before = (size_t)(text.text.p - data.p) + 1;
	buf_clear(&a->around);
	buf_span(&a->around, span_first(data, before));
	buf_span(&a->around, span_skip(data, before + text.text.n - 2));
	a->before = buf_error(&a->around) ? 0 : before;
	if (!a->before)
		alike_done(a);
}

void alike_forget(struct alike *a)
{
	a->before = 0;
}

struct json alike_text(const struct alike *a, struct span data)
{
	struct json text;
	const struct span last = behind(a);
	if (a->before == 0 || data.n < a->around.n || memcmp(data.p, a->around.p, a->before) != 0 ||
		memcmp(data.p + data.n - last.n, last.p, last.n) != 0)
		return JSON_NONE;
	/* with both quotes, of which it may have more: then it is no string */
	const struct span string = span_of(data.p + a->before - 1, data.n - a->around.n + 2);
	return json_scan(string, JSON_LENIENT, &text, NULL) == OK ? text : JSON_NONE;
}
