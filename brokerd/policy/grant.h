/* grant.h - to whom has a person said yes, or no?
 * A few lines in the file `grants` of the state folder, for good, until a day, or until the broker ends. What is
 * said holds at once; a worker writes it down. A file that cannot be read grants nothing, and says so. */
#ifndef BROKERD_POLICY_GRANT_H
#define BROKERD_POLICY_GRANT_H
#include "brokerd/loop/worker.h"
#include "brokerd/value/peer_id.h"
#include "protocol/base/json.h"

#define GRANTS_MAX         4096
#define GRANT_MODELS_BYTES 512

struct grant {
	uid_t uid;
	char who[PEER_TEXT_BYTES]; /* "flatpak:org.gnome.Builder" */
	bool is_yes;
	bool is_kept;                    /* beyond the end of the broker */
	char models[GRANT_MODELS_BYTES]; /* patterns with spaces between; "": all */
	bool has_socket;       /* it is an application's, which has a socket of its own: */
	char profile[64];      /* what that gives it; "" none */
	int64_t at_s, until_s; /* since 1970; until 0: for good */
};

struct grants;

/* Reads them. NULL: out of memory. *why is set where the file is there and cannot be used. */
struct grants *grants_new(struct workers *w, const char *state_dir, struct fault *why);
void grants_free(struct grants *g); /* its jobs must have ended; NULL is fine */

/* What was said of a peer, while it holds; NULL: nothing. Lives until the next change. */
const struct grant *grants_find(const struct grants *g, const struct peer_id *peer, int64_t now_s);
/* May it use that model, as policy has it (policy.h)? */
bool grant_covers(
	const struct grant *grant, struct span asked, struct span provider, struct span model);
/* Is it one of those patterns, with spaces between? None is all of them. */
bool grant_fits(struct span patterns, struct span asked, struct span provider, struct span model);

/* Whether it is on the disk: OK or a fault. On the loop's thread, once, never from inside. */
struct grants_reply {
	void (*on_done)(void *context, enum err err, const struct fault *why);
	void *context;
};

/* Takes the place of what was said of the same. Where it cannot be written it holds until the broker ends. */
void grants_put(struct grants *g, const struct grant *grant, struct grants_reply reply);
/* *found: there was one. */
void grants_remove(
	struct grants *g, uid_t uid, struct span who, bool *found, struct grants_reply reply);
/* Writes the file again, for it may be on another disk than it was. One that cannot be used is left alone. */
void grants_write(struct grants *g);
/* Those that are not kept go. */
void grants_end_session(struct grants *g);

/* The i-th, in the order in which they were given; NULL: no more. */
const struct grant *grants_at(const struct grants *g, size_t i);

/* One as JSON, as it is kept and shown. */
void grant_json(const struct grant *grant, struct json_out *o);

#endif
