/* secret.h - how does llmb come by a secret?
 * From a terminal with its echo off, or from a descriptor; never from an argument or a variable. */
#ifndef LIBLLMCLIENT_CLI_SECRET_H
#define LIBLLMCLIENT_CLI_SECRET_H
#include "libllmclient/cli/say.h"

#define SECRET_BYTES_MAX ((size_t)16 * 1024)

struct secret_source {
	bool is_stdin;
	int64_t fd;         /* -1: not said */
	bool may_be_a_file; /* a JSON document of several lines, as clouds give their keys */
	bool may_be_empty;
};

/* One trailing line break is no part of it. `out` is made here and to be wiped by buf_wipe.
 * EXIT_GOOD, or what to exit with: it has been said why there is none. */
int secret_read(const struct common *o, const struct secret_source *from, const char *prompt,
	struct buf *out);

/* The same, asked for twice on a terminal: what is typed blind is easily mistyped. */
int secret_read_new(const struct common *o, const struct secret_source *from, const char *prompt,
	struct buf *out);

/* May a question be asked on the terminal? */
bool may_ask(const struct common *o);

/* Asks yes or no on the terminal; no is the default. */
bool secret_confirm(const char *question);

#endif
