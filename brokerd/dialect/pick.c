/* pick.c - one walk for all that is wanted. */
#include "brokerd/dialect/pick.h"

void pick(struct json object, const char *const *names, struct json *found, size_t n)
{
	for (size_t i = 0; i < n; i++)
		found[i] = JSON_NONE;
	if (json_kind(object) != JSON_OBJECT)
		return;
	struct json_walk w = json_each(object);
	while (json_next(&w)) {
		for (size_t i = 0; i < n; i++) {
			if (json_name_is(w.name, names[i])) {
				found[i] = w.value;
				break;
			}
		}
	}
}
