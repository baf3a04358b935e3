/* builtin.h - which providers are known without a file, and what is usual for a family?
 * Data. Traits are those of traits.h with spaces between: "seed stops_max=4"; a bare name is yes. What
 * a row says of all its dialects goes before what it says of one. */
#ifndef BROKERD_CONFIG_BUILTIN_H
#define BROKERD_CONFIG_BUILTIN_H
#include <stddef.h>

#include "protocol/base/span.h"

enum { BUILTIN_DIALECTS = 4 };

struct builtin {
	const char *name;
	const char *base_url; /* "" none; may hold names in braces, as template.h has them */
	const char *auth;
	const char *model; /* "" none: too many, or they change too often */
	struct {
		const char *dialect; /* as the key: a family, and a path; NULL: no more */
		const char *traits;  /* of it alone; NULL: none */
	} dialects[BUILTIN_DIALECTS];
	const char *traits;
	const char *header; /* as the key; NULL: none */
};

const struct builtin *builtin_rows(size_t *n);

/* The traits of a built-in provider that are about operations beside chat. */
const char *builtin_services(struct span name);
/* And those that say which members of a chat request it takes that are only passed on. */
const char *builtin_extras(struct span name);

/* What every provider of the family has unless its row or section says otherwise; and what, beyond
 * that, one without a row has. Unknown families have nothing. */
const char *builtin_always(struct span family);
const char *builtin_unlisted(struct span family);

#endif
