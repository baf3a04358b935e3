/* models.c - ids out of a list, in its order. */
#include "brokerd/dialect/models.h"

static struct json list_in(struct json v)
{
	static const char *const names[] = {"data", "models"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const struct json list = json_member(v, names[i]);
		if (json_kind(list) == JSON_ARRAY)
			return list;
	}
	return v;
}

static struct json id_in(struct json entry)
{
	static const char *const names[] = {"id", "name"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const struct json id = json_member(entry, names[i]);
		if (json_kind(id) == JSON_STRING)
			return id;
	}
	return json_kind(entry) == JSON_STRING ? entry : JSON_NONE;
}

enum err models_decode(
	struct span body, struct arena *a, struct span **ids, size_t *n, struct fault *why)
{
	struct json v;
	size_t count = 0;
	*ids = NULL;
	*n = 0;
	if (json_scan(body, JSON_LENIENT, &v, why) != OK)
		return fault_set(why, ERR_SERVER_ERROR, "the provider's list of models is no JSON");
	const struct json list = list_in(v);
	if (json_kind(list) != JSON_ARRAY)
		return fault_set(
			why, ERR_SERVER_ERROR, "the provider's list of models holds no list");
	for (struct json_walk w = json_each(list); json_next(&w);)
		count++;
	*ids = arena_array(a, count, sizeof **ids);
	if (!*ids)
		return fault_set(why, ERR_NO_MEMORY, "no memory for the provider's models");
	for (struct json_walk w = json_each(list); json_next(&w);) {
		const struct json id = id_in(w.value);
		if (json_kind(id) != JSON_STRING || id.text.n == 2)
			continue;
		if (json_utf8(id, a, &(*ids)[*n]))
			return fault_set(why, ERR_NO_MEMORY, "no memory for the provider's models");
		(*n)++;
	}
	return OK;
}
