/* template.h - which address is meant, once the names in braces are filled in?
 * Addresses and paths may hold {region}, {resource}, {account}, {project}, {location} and
 * {workspace}, which are keys of a [provider] section, and {vertex_host}, which follows from the
 * location. In paths {model} and {method} are left to the dialect. No I/O. */
#ifndef BROKERD_CONFIG_TEMPLATE_H
#define BROKERD_CONFIG_TEMPLATE_H
#include "brokerd/config/config.h"

/* Are all names in braces ones that can be filled in? `is_path`: {model} and {method} too. */
bool template_is_sound(struct span text, bool is_path);

/* `text` with the provider's values. Where one is not set, *out is absent and *missing its key's
 * name. ERR_NO_MEMORY. */
enum err template_fill(const struct provider *p, struct span text, struct arena *a,
	struct span *out, const char **missing) MUST_USE;

#endif
