/* usage.h - what has an answer taken, and how long?
 * The protocol's usage with the broker's times: what a public llm_usage is the first part of. */
#ifndef LIBLLMCLIENT_SRC_USAGE_H
#define LIBLLMCLIENT_SRC_USAGE_H
#include "llmclient.h"
#include "protocol/event.h"

struct account {
	struct llm_usage usage; /* first: a public pointer is to this member */
	int64_t ttft_us;        /* -1: not known */
	int64_t total_us;
	struct cached cached;
	bool is_kept;
};

#define ACCOUNT_UNKNOWN ((struct account){USAGE_UNKNOWN, -1, -1, CACHED_NOT, false})

#endif
