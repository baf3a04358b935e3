/* trace.h - what became of the last requests, step by step?
 * TRACES_MAX of them; where one more comes, whoever has the most loses his oldest, so that nobody who makes many pushes
 * out those of others. Of each as many steps as TRACE_BYTES hold, from the first on (targets that were out: as half of that
 * holds): of those that come after only the number is known. Nothing of it is on disk; of what a request said it has the
 * model's name, and what a provider's complaint quotes. No clock, no I/O; only trace_json makes words of it. */
#ifndef BROKERD_EXCHANGE_TRACE_H
#define BROKERD_EXCHANGE_TRACE_H
#include "brokerd/ledger/record.h"
#include "protocol/base/json.h"

#define TRACES_MAX      ((size_t)1024)
#define TRACE_BYTES     ((size_t)4096)
#define TRACE_WHY_BYTES ((size_t)160) /* of a sentence; what is longer is cut */

enum trace_what {
	TRACE_OUT,     /* a target was not to be asked at all: why */
	TRACE_ATTEMPT, /* one was asked, and that is over */
	TRACE_REST,    /* one was passed over, for it rests: why, and for how long */
	TRACE_QUEUE,   /* it waited for what limits allow: why, and how long it did */
	TRACE_NEXT,    /* the target is tried now: why */
	TRACE_PAUSE,   /* nobody is asked for so long */
	TRACE_HIT,     /* an answer of the target was kept, and how old it is: nobody is asked */
	TRACE_JOIN, /* it reads along with another call: why says with which, where that may be known */
	TRACE_ALONE, /* it does so no more: why */
	TRACE_STALE, /* as TRACE_HIT, of one that is no longer fresh: why */
};

struct trace_step {
	enum trace_what what;
	int64_t at_us;                    /* since the request came; of an attempt, when it began */
	struct span provider, model, key; /* absent: it is about none */
	struct span why;                  /* absent: there is no more to say */
	int64_t us;                       /* how long; -1: not known */
	/* of an attempt */
	unsigned number;
	enum outcome outcome;
	enum err err;
	int http_status;                   /* 0: none */
	int64_t connect_us, first_byte_us; /* -1: not known */
	int64_t nusd;                      /* -1: not known */
};

struct trace_end {
	struct span op, model; /* as asked */
	enum outcome outcome;
	enum err err;
	struct span why;
	unsigned attempts;
	int64_t total_us, ttft_us, queued_us; /* as the ledger has them */
	int64_t nusd;
};

struct traces;

struct traces *traces_new(void);    /* NULL: out of memory */
void traces_free(struct traces *t); /* NULL is fine, here and below: then nothing is kept */

/* A request of that owner's begins, and where all lines are taken one is forgotten. Returns its number, for the two below: what is said of one that is
 * forgotten is, too. */
uint64_t trace_begin(struct traces *t, uint64_t owner, const char *id, int64_t wall_us);
void trace_step(struct traces *t, uint64_t number, const struct trace_step *s);
void trace_end(struct traces *t, uint64_t number, const struct trace_end *e);

/* Appends what is known of it: {"id","from":"memory","at_us" (since 1970),"is_over", of one that is over "op","model",
 * "outcome","class","message","attempts","total_us","ttft_us","queued_us","cost_nusd"; "steps":[{"step","at_us" (since
 * then),"provider","model","key","why","us", of an attempt "number","outcome","class","http_status","connect_us",
 * "first_byte_us","cost_nusd"}],"left_out":N}; what is not known is left out. False: nothing is, and nothing is appended. */
bool trace_json(const struct traces *t, struct span id, struct json_out *o);

#endif
