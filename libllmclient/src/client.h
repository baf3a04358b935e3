/* client.h - what is one client, inside?
 * Its connections, its calls, and one epoll descriptor that never changes, in which they all are. */
#ifndef LIBLLMCLIENT_SRC_CLIENT_H
#define LIBLLMCLIENT_SRC_CLIENT_H
#include <stdatomic.h>
#include <sys/types.h>

#include "libllmclient/src/dial.h"
#include "libllmclient/src/error.h"
#include "libllmclient/src/link.h"
#include "llmclient.h"

struct llm_client {
	unsigned char *own_page; /* holds 1; the kernel makes it 0 in a child. NULL: pid tells */
	pid_t pid;
	struct llm_options options; /* its strings are the two below */
	char *socket_path, *app_name;
	int epoll_fd, wake_fd;
	struct link *link;  /* where new calls go; NULL: none yet */
	struct link *links; /* all of them: those that are leaving, too */
	struct dial dial;
	bool is_dialling;
	bool is_wanted;          /* a connection is, though no stream waits for it */
	unsigned in_callback;    /* frees wait until it is over */
	bool is_doomed;          /* freed inside a callback */
	bool is_woken;           /* llm_client_wake() was called, and nobody has been told */
	atomic_bool has_cancels; /* a stream was cancelled from somewhere */
	atomic_bool has_wake;
	struct llm_stream *streams; /* oldest first */
	struct llm_error error;     /* the last one, its streams' too */
	struct buf info, models;    /* what llm_client_info() and _models() gave out */
};

/* Was the client made before a fork, by the other side of it? */
bool client_is_forked(const struct llm_client *c);

static inline bool client_never_blocks(const struct llm_client *c)
{
	return (c->options.flags & LLM_F_NONBLOCK) != 0;
}

/* Closes and frees all of it, its streams too, without a word to the broker. */
void client_destroy(struct llm_client *c);

/* Frees what was freed inside a callback, once there is none. False: the client is gone too. */
bool client_bury(struct llm_client *c);

/* Makes the next step, wherever it waits, begin at once. For other threads and signal handlers. */
void client_poke(struct llm_client *c);

/* Remembers a failure, and returns its code. */
int client_fail(struct llm_client *c, const struct fault *why);

/* Brings the streams that wait onto a connection, and dials where there is none. */
void client_connect(struct llm_client *c, int64_t now_ms);

/* Looks whether the connection is still there, before something goes onto it. */
void client_look(struct llm_client *c);

/* Sends what has been put into the link, and watches for room where it does not all go or room is wanted. A broken
 * connection is dealt with, so that the link may be gone afterwards. */
void client_flush(struct llm_client *c, struct link *l);

/* The link is of no more use: its streams are tried anew or fail with `why`. */
void client_lose(struct llm_client *c, struct link *l, const struct fault *why);

/* Does all that can be done now; first waits for there to be something, up to `timeout_ms` (-1: as
 * long as it takes) or to the next timer. May return early. */
void client_step(struct llm_client *c, int64_t timeout_ms);

/* When the next timer is due; NEVER_MS: there is none. */
int64_t client_due_ms(const struct llm_client *c);

/* How long a wait of at most `timeout_ms` may be, for poll: -1 is without end. */
int client_wait_ms(const struct llm_client *c, int64_t timeout_ms);

#endif
