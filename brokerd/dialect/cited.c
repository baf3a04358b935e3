/* cited.c - an address may be wrapped, and one citation may have several. */
#include "brokerd/dialect/cited.h"

#include "brokerd/dialect/pick.h"
#include "protocol/base/owned.h"

#define WRAPPED_MAX 2

/* The address in an object, and its title; absent: there is none. */
static struct json find_address(struct json v, struct json *title, int depth)
{
	static const char *const names[] = {"title",
		/* addresses: most, gemini's, a search result that the caller gave, gemini's */
		"url", "uri", "source", "retrievedUrl",
		/* what has one inside: openai-chat's, gemini's three, bedrock's, cohere's two */
		"url_citation", "web", "retrievedContext", "maps", "location", "document",
		"tool_output"};
	enum { FIRST_ADDRESS = 1, FIRST_WRAPPER = 5 };
	struct json m[COUNT_OF(names)], url = JSON_NONE;
	PICK(v, names, m);
	if (json_kind(m[0]) == JSON_STRING)
		*title = m[0];
	for (size_t i = FIRST_ADDRESS; i < FIRST_WRAPPER; i++) {
		if (span_starts(m[i].text, SPAN("\"http")))
			return m[i];
	}
	for (size_t i = FIRST_WRAPPER; depth > 0 && i < COUNT_OF(names); i++) {
		url = find_address(m[i], title, depth - 1);
		if (span_is_set(url.text))
			return url;
	}
	return url;
}

/* The characters that it is for, where it counts characters: gemini counts bytes. */
static void find_place(struct json v, struct cited *c)
{
	static const char *const names[] = {"start_index", "end_index", "start", "end"};
	struct json m[COUNT_OF(names)];
	const struct json inner = json_member(v, "url_citation");
	PICK(json_kind(inner) == JSON_OBJECT ? inner : v, names, m);
	for (size_t i = 0; i < COUNT_OF(names); i += 2) {
		if (json_i64(m[i], &c->start) && json_i64(m[i + 1], &c->end) && c->start >= 0 &&
			c->start <= c->end)
			return;
	}
	c->start = c->end = -1;
}

/* The list inside of one that has several; absent: it is one itself. */
static struct json list_in(struct json v)
{
	static const char *const names[] = {"groundingMetadata", "urlContextMetadata", "sources"};
	struct json m[COUNT_OF(names)];
	PICK(v, names, m);
	if (json_kind(m[0]) == JSON_OBJECT)
		return json_member(m[0], "groundingChunks");
	if (json_kind(m[1]) == JSON_OBJECT)
		return json_member(m[1], "urlMetadata");
	return m[2];
}

static bool take(struct json v, struct cited *c)
{
	c->title = JSON_NONE;
	c->url = span_starts(v.text, SPAN("\"http")) ? v : find_address(v, &c->title, WRAPPED_MAX);
	return span_is_set(c->url.text);
}

void cited_each(
	struct json list, void (*on_cited)(void *context, const struct cited *c), void *context)
{
	if (json_kind(list) != JSON_ARRAY)
		return;
	for (struct json_walk w = json_each(list); json_next(&w);) {
		const struct json inside = list_in(w.value);
		struct cited c;
		find_place(w.value, &c);
		if (json_kind(inside) != JSON_ARRAY) {
			if (take(w.value, &c))
				on_cited(context, &c);
			continue;
		}
		for (struct json_walk each = json_each(inside); json_next(&each);) {
			if (take(each.value, &c))
				on_cited(context, &c);
		}
	}
}
