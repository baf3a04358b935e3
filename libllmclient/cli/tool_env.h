/* tool_env.h - which variables lead a program to the bridge, and which would lead it past?
 * One table for `llmb env` and `llmb run`. It reads the environment's proxies, and changes nothing. */
#ifndef LIBLLMCLIENT_CLI_TOOL_ENV_H
#define LIBLLMCLIENT_CLI_TOOL_ENV_H
#include "protocol/base/arena.h"

/* What stands where a key is wanted and none is needed: clients start with no empty one. */
#define KEY_PLACEHOLDER "llm-broker"

#define TOOL_VARIABLES_MAX 96

/* Where programs are led. */
struct reach {
	const char *base;   /* "http://127.0.0.1:8411"; "" none */
	const char *socket; /* of the bridge; "" none */
	const char *key;    /* a token, or KEY_PLACEHOLDER */
	const char *model;  /* that it is to use; NULL: its own choice */
};

struct variable {
	const char *name;
	const char *value; /* NULL: it is to be unset */
};

/* Those for a program of that name ("claude", "codex"; NULL: for all that a shell starts), at most TOOL_VARIABLES_MAX.
 * Values live in `a`, as long as `to`'s. Returns how many; 0: out of memory. */
size_t tool_env(const struct reach *to, const char *program, struct arena *a, struct variable *out);

#endif
