/* pick.c - one walk for all that is wanted. */
#include "brokerd/dialect/pick.h"

/* Which of the names it is; n: none of them. */
static size_t find(struct span name, const char *const *names, size_t n)
{
	const char first = name.n > 0 ? name.p[0] : '\\';
	for (size_t i = 0; first != '\\' && i < n; i++) {
		if (names[i][0] == first && json_name_is_all(name, names[i]))
			return i;
	}
	for (size_t i = 0; first == '\\' && i < n; i++) {
		if (json_name_is_all(name, names[i]))
			return i;
	}
	return n;
}

void pick(struct json object, const char *const *names, struct json *found, size_t n)
{
	for (size_t i = 0; i < n; i++)
		found[i] = JSON_NONE;
	if (json_kind(object) != JSON_OBJECT)
		return;
	struct json_walk w = json_each(object);
	while (json_next(&w)) {
		const size_t i = find(w.name, names, n);
		if (i < n)
			found[i] = w.value;
	}
}
