/* explain.h - where would a request go, in which order, and why nowhere else?
 * Asked of the very functions that a request walks through: what is looked at is an exchange that never begins. Nothing is
 * sent, and of the limits nothing stays taken. */
#ifndef BROKERD_EXCHANGE_EXPLAIN_H
#define BROKERD_EXCHANGE_EXPLAIN_H
#include "brokerd/exchange/organs.h"
#include "brokerd/policy/allowance.h"
#include "protocol/base/json.h"

#define EXPLAIN_INPUT_MAX INT64_C(1000000) /* tokens of a prompt */

/* Spans are borrowed, and must live as long as that of the configuration. */
struct explain_ask {
	const struct peer_id *peer; /* as whom */
	struct allowance allowance; /* of the configuration that holds now */
	enum llm_op op;             /* chat, complete, embed, rerank, count or moderate */
	struct span model;
	const struct span *fallbacks, *tags;
	size_t n_fallbacks, n_tags;
	struct span session;   /* absent: none */
	int64_t input_tokens;  /* 1 to EXPLAIN_INPUT_MAX */
	int64_t output_tokens; /* -1: not said; of what writes none */
	unsigned needs;        /* bits of enum capability */
	/* the very request, as far as a text can be one: is its answer there? Absent: nobody asks that */
	struct span prompt, system;
	struct opt_f64 temperature;
	struct cache_terms cache;
	bool shows_kept;    /* `peer` is of the user who asks */
	bool shows_figures; /* of limits, to whoever asks; else what `peer` would be told */
	bool shows_house; /* names of keys, what others met, what a condition says; else what a caller in a sandbox may know */
};

/* Appends members of an object: "alias" (null: the name is none's), "strategy", "targets": first those that are in, in the
 * order in which they would be tried, each {"provider","model","key","list": "usual|context|refusal","fallback": by which
 * name, from 1,"state": "closed|open|half_open|probed" (absent: it is answered here),"place","until_ms","class","because",
 * "in_flight","first_ms","p95_ms","cost_nusd","limits": "now|wait|spent","wait_ms","limit","holds_prompt": true}; then those that are out, with
 * "out": "app|tag|size|need|budget|price|key|lacks|context|denied" and "why". What is not known is left out. With a prompt
 * "cached": {"is_looked_up","forbids": why no answer may be kept, where none may; "is_compared": true
 * where words near these may have one; where something is there "source": "hit|disk|joined|stale", of what is kept "age_s","provider","model",
 * of a call that it would read along with "request_id", where both are of one owner}. Where none is
 * left, "class" and "message": what a call would be told. ERR_NO_MEMORY: the members are not whole. */
enum err explain_route(struct organs *o, const struct explain_ask *ask, struct json_out *to,
	struct fault *why) MUST_USE;

#endif
