/* statement.h - what was spent, by day, model and key, as one side says?
 * Rows with the same three are added up as they come, so that a file of any length takes the memory of what it
 * sums up to. Pure. */
#ifndef LIBLLMCLIENT_CLI_STATEMENT_H
#define LIBLLMCLIENT_CLI_STATEMENT_H
#include <stdint.h>

#include "protocol/base/arena.h"

#define STATEMENT_ROWS_MAX ((size_t)200000)

/* What is counted, and priced, apart. */
enum spend_class {
	SPEND_INPUT,
	SPEND_CACHE_READ,
	SPEND_CACHE_WRITE,
	SPEND_OUTPUT,
	SPEND_CLASSES,
};

struct spend {
	int64_t day;
	struct span model, key; /* as that side calls them; key absent: it does not say */
	int64_t nusd;           /* less than 0: a credit */
	bool has_cost;
	int64_t class_nusd[SPEND_CLASSES]; /* what of it is said to be for that class */
	int64_t tokens[SPEND_CLASSES];     /* -1: not said */
	int64_t requests;                  /* the same */
	int64_t unpriced, unknown; /* of ours: requests without a price; whose end nobody saw */
};
/* Nothing is known of it. */
extern const struct spend spend_none;

/* Adds what `more` says to what `to` says; the day and the names stay. */
void spend_add(struct spend *to, const struct spend *more);
/* All tokens together, or of all input; -1: not said. */
int64_t spend_tokens(const struct spend *s);

struct statement {
	struct spend *rows; /* in the order in which they first came */
	size_t n, size;
	uint32_t *slots; /* a hash: the row's number and one; 0: free */
	size_t n_slots;
	struct arena arena; /* the names */
};

void statement_init(struct statement *s);
void statement_done(struct statement *s);

/* Its names are copied, as valid UTF-8 without control bytes. ERR_TOO_BIG: more rows than
 * STATEMENT_ROWS_MAX; ERR_NO_MEMORY. */
enum err statement_add(struct statement *s, const struct spend *row, struct fault *why) MUST_USE;

#endif
