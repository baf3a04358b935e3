/* admin.h - what does the person who runs this broker want done?
 * One table of operations, JSON in and JSON out. Operations that hash, sync or ask a provider answer
 * later. What they carry (keys, passphrases) is wiped when they are done. */
#ifndef BROKERD_FRONT_ADMIN_H
#define BROKERD_FRONT_ADMIN_H
#include "brokerd/exchange/organs.h"
#include "brokerd/front/evidence.h"
#include "brokerd/front/identity.h"
#include "brokerd/value/peer_id.h"

/* What admin needs of the broker beside its organs. */
struct admin_env {
	struct organs *organs;
	const char *config_path, *state_dir, *socket_path;
	struct sockets *sockets; /* that clients come on */
	int64_t started_wall_us, started_us;
	size_t n_connections;
	struct identities identities; /* of all who are connected, and of some who were */
	bool is_confined;
	struct fault config_fault; /* of the last load; OK: it is good */
	struct admin_call *calls;  /* all under way, those that nobody waits for too */
	size_t n_calls;
	bool is_writing_limits; /* those that were set by hand; other changes wait in line */
	/* Reads the configuration again; a bad one changes nothing. */
	void (*reload)(struct admin_env *env);
	/* An operation is over: whether the broker idles may have changed. */
	void (*ended)(struct admin_env *env);
};

struct admin_call;

/* The answer: a JSON text (absent where `err`), valid until it returns. Once, never from inside
 * admin_new; not at all after admin_abandon. */
struct admin_reply {
	void (*on_done)(void *context, struct span json, const struct fault *why);
	void *context;
};

/* Begins an operation. `body` is a JSON text (absent: {}) and is not kept. `connection`: which of all
 * it came on, from 1. What was passed along is the caller's but for what an operation takes out of it. NULL: out of memory. */
struct admin_call *admin_new(struct admin_env *env, const struct peer_id *peer, uint64_t connection,
	struct passed *passed, struct span op, struct span body, const struct admin_reply *reply);

/* How long the body of that operation may be. */
size_t admin_body_max(struct span op);

/* The caller is gone, and nobody is told. An operation that changes something goes on; one that only reads, waits for
 * questions or asks a provider what was spent is given up. */
void admin_abandon(struct admin_call *a);

/* The broker ends, and the callers are gone. First those that ask a provider are dropped, so that
 * the transport may go; then, when no job is under way any more, what is left. */
void admin_drop_fetches(struct admin_env *env);
void admin_end(struct admin_env *env);

#endif
