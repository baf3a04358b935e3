/* broker.h - which organs does a broker have, and when does it live and die?
 * Builds each organ once, hands it what it needs, and tears them down in turn. */
#ifndef BROKERD_BROKER_H
#define BROKERD_BROKER_H
#include "brokerd/service.h"

struct broker;

struct broker_options {
	const char *config_path;
	bool is_config_required; /* it was named: its absence is a fault */
	const char *socket_path; /* NULL: only what the service manager handed over */
	const char *state_dir;
	struct service service;
};

/* NULL: it cannot even listen, and *why says what to do. A bad configuration or a state folder that
 * cannot be used is no reason: such a broker tells every caller. Texts of the options are borrowed, the
 * service's names too. */
struct broker *broker_new(const struct broker_options *options, struct fault *why);

/* Serves until it is told to stop, or idles long enough. */
void broker_run(struct broker *b);
void broker_free(struct broker *b); /* NULL is fine */

#endif
