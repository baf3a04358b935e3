/* fake_broker.h - what does a client do when a broker says this?
 * A broker of one thread on a Unix socket in a folder of its own. It welcomes who comes, reads calls,
 * and lets a script answer each. Calls that are cancelled get their fault by themselves. */
#ifndef TESTS_LIB_FAKE_BROKER_H
#define TESTS_LIB_FAKE_BROKER_H
#include "protocol/control.h"
#include "protocol/frame.h"

struct fake_broker;

/* A call as it came in; valid while its script runs, but `to` may be copied to answer later. */
struct fake_call {
	struct fake_to {
		struct fake_broker *broker;
		int fd;
		uint32_t number;
	} to;
	struct call call;
	struct span body;           /* the whole of it */
	struct llm_request request; /* of a typed call */
	int nth;                    /* calls before this one */
};

struct fake_options {
	void (*script)(struct fake_call *c, void *arg); /* NULL: answers "hello" */
	/* Called for a call whose body comes in data frames, and for each of them: `body` is what is there
	 * so far. True: the call is at its end, and what still comes of it is passed over. */
	bool (*piece)(struct fake_call *c, void *arg);
	void *arg;
	int64_t credit_bytes; /* in the welcome; 0: LIMIT_CREDIT_BYTES */
	bool is_stingy;       /* gives none back */
	/* Called for each connection instead of welcoming it; true: the connection is closed after. */
	bool (*greet)(int fd, int nth, void *arg);
};

struct fake_broker *fake_start(const struct fake_options *o);
void fake_stop(struct fake_broker *b);
const char *fake_socket(const struct fake_broker *b);

/* What has been seen so far. */
int fake_connections(struct fake_broker *b);
int fake_calls(struct fake_broker *b);
int fake_begun(struct fake_broker *b);  /* call frames, whose bodies may not have come */
int fake_pieces(struct fake_broker *b); /* data frames */
int fake_cancels(struct fake_broker *b);
int64_t fake_credit(struct fake_broker *b); /* given back, all calls together */

/* Waits, up to a few seconds, for that many cancels. */
bool fake_wait_cancels(struct fake_broker *b, int n);

/* ---- for scripts ---- */
void fake_event(struct fake_to to, const struct llm_event *e);
void fake_text(struct fake_to to, const char *text);
void fake_status(struct fake_to to, const char *word, const char *detail);
void fake_end(struct fake_to to); /* finish stop, and an account of 12 in, 34 out, 5600 nUSD */
void fake_fault(struct fake_to to, enum err err, const char *sentence);
void fake_goaway(struct fake_to to);
void fake_json(struct fake_to to, const char *json); /* an admin call's answer, and its end */
void fake_bytes(struct fake_to to, const void *bytes, size_t n); /* as they are */
void fake_drip(struct fake_to to, bool is_on);                   /* from now on byte by byte */
void fake_hang_up(struct fake_to to);

#endif
