/* app_token.h - what does a program hold in the place of a key?
 * A token that names it to the broker, and that ends with the connection on which it was made: with llmb, however that
 * ends. */
#ifndef LIBLLMCLIENT_CLI_APP_TOKEN_H
#define LIBLLMCLIENT_CLI_APP_TOKEN_H
#include "libllmclient/cli/say.h"

struct app_token {
	llm_client *client; /* that it lives with; NULL: there is no token */
	char text
		[256]; /* what stands in the key's place; KEY_PLACEHOLDER where there is no token */
	char id[64];
};

/* None yet. */
void app_token_init(struct app_token *t);

/* Makes one for the program of that name. A broker that knows no tokens gives none, and needs none. EXIT_GOOD, or what to
 * exit with: it has been said why. */
int app_token_new(struct app_token *t, const struct common *o, const char *app);

/* From now on it says nothing. */
void app_token_revoke(struct app_token *t);

#endif
