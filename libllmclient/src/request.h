/* request.h - what is being asked, while it is being put together?
 * The protocol's request with the arena that its texts are in and what goes into the call around it.
 * A public llm_request is the first part of it. */
#ifndef LIBLLMCLIENT_SRC_REQUEST_H
#define LIBLLMCLIENT_SRC_REQUEST_H
#include "llmclient.h"
#include "protocol/control.h"
#include "protocol/request.h"

struct builder {
	struct llm_request request; /* first: a public pointer is to this member */
	struct arena arena;
	enum call_kind kind;
	enum llm_op op;              /* typed */
	bool is_model_open;          /* none was named: of a list of models, all of them */
	struct surface_call surface; /* relay, native */
	struct span admin_op;        /* admin */
	struct span body;            /* their body; a typed call's is the request itself */
	bool is_body_later;          /* it follows by llm_stream_body() */
	int64_t later_bytes;         /* then its length; -1: not known */
	struct extra options;        /* members for whichever provider answers */
	int64_t timeout_ms;          /* 0: the client's */
	int64_t max_cost_nusd;       /* -1: none */
	bool is_at_most_once, is_batch;
	struct span *tags, *fallbacks;
	size_t n_tags, n_fallbacks;
	struct span session; /* absent: none */
	struct cache_terms cache;
	struct span token; /* on whose behalf; absent: nobody is named so */
	int behalf_fd;     /* the same by a handle of a process, our own; -1: not */
	struct fault why;  /* the first failure; it stands for all that came after it */
};

static inline const struct builder *builder_of(const llm_request *r)
{
	return (const struct builder *)(const void *)r;
}

static inline struct builder *builder_open(llm_request *r)
{
	return (struct builder *)(void *)r;
}

/* An empty one; NULL: no memory. */
struct builder *builder_new(enum call_kind kind);

/* Keeps the first failure, and returns its code. */
int builder_fail(struct builder *b, enum err err, const char *format, ...) PRINTF_LIKE(3, 4);

int builder_no_memory(struct builder *b);

/* Adds an empty message; NULL: no memory, which sticks. */
struct message *builder_message(struct builder *b, enum role role);

/* Adds an empty part to a message; NULL: no memory, which sticks. */
struct part *builder_part(struct builder *b, struct message *m, enum part_type type);

/* Copies into the builder; false: no memory, which sticks. */
bool builder_text(struct builder *b, struct span from, struct span *to);
bool builder_opaque(struct builder *b, const struct opaque *from, struct opaque *to);
bool builder_media(struct builder *b, const struct media *from, struct media *to);
bool builder_extra(struct builder *b, const struct extra *from, struct extra *to);

/* Adds a member, whose texts are the builder's already, to what is carried for `family`. */
bool builder_carry(struct builder *b, struct extra *extra, const char *family,
	const struct extra_member *member);

/* Copies a caller's text, which `what` names. False: it is NULL or no UTF-8, there is no memory, or
 * something has failed before; all of them stick. */
bool builder_take(struct builder *b, const char *what, const char *text, struct span *to);

/* Takes a copy of a handle of a process, in the place of one that is there; -1: none. False: it cannot be copied, which
 * sticks. */
bool builder_behalf_fd(struct builder *b, int fd);

/* The code of what has failed so far, or LLM_OK. */
int builder_code(const struct builder *b);

#endif
