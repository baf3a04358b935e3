/* builtin.h - which providers are known without a configuration file?
 * Rows of data; a section of the same name in a file is laid over its row. Source: the providers' own
 * documents, November 2026. */
#ifndef BROKERD_CONFIG_BUILTIN_H
#define BROKERD_CONFIG_BUILTIN_H
#include <stddef.h>

struct builtin {
	const char *name, *dialect, *base_url;
	const char *auth;  /* as in the file */
	const char *model; /* NULL: none that everybody has */
	const char *keys;  /* further keys, "key = value" lines as in the file */
};

const struct builtin *builtin_providers(size_t *n);

#endif
