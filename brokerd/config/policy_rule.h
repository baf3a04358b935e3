/* policy_rule.h - what does one [policy "NAME"] section say?
 * Whom it is for, and what they may do. Rules stand in the order of the files; those that are built in come
 * behind all others. Plain values: policy/ judges by them. */
#ifndef BROKERD_CONFIG_POLICY_RULE_H
#define BROKERD_CONFIG_POLICY_RULE_H
#include <stdint.h>

#include "brokerd/value/peer_id.h"
#include "protocol/base/json.h"

/* Words, or patterns in which a * stands for any text, as often as one likes. */
struct words {
	struct span *list;
	size_t n;
};

/* A member with all of them, as texts; nothing where there are none. */
void words_json(struct json_out *o, const char *name, const struct words *w);

enum policy_answer {
	POLICY_YES,
	POLICY_NO,
	POLICY_ASK, /* only with a grant, which a person gives */
};

/* One endpoint that a native call may go to. */
struct native_rule {
	struct span provider; /* a pattern */
	struct span methods;  /* "GET,POST"; "*" any */
	struct span path;     /* how it begins */
};

/* How far its callers' answers may be ones that were given before, and are kept. */
enum policy_cache {
	POLICY_CACHE_AUTO, /* of what is not left to chance; of others where their caller asks for it */
	POLICY_CACHE_OFF,   /* never, whatever they ask for */
	POLICY_CACHE_READ,  /* they may be given what was kept */
	POLICY_CACHE_WRITE, /* theirs may be kept */
	POLICY_CACHE_ON,    /* of all, where their caller does not say otherwise */
};

/* With whom they are shared, from the narrowest on. */
enum policy_scope {
	POLICY_SCOPE_APP,
	POLICY_SCOPE_USER,
	POLICY_SCOPE_HOST,
};

/* What becomes of the marks of a prompt for its provider's own cache, from the least on. */
enum policy_prompt_cache {
	POLICY_PROMPTS_OFF,     /* none goes out, and nobody is asked because he holds a prompt */
	POLICY_PROMPTS_ASKED,   /* those that its caller set */
	POLICY_PROMPTS_AUTO,    /* where he set none, some that are kept for five minutes, */
	POLICY_PROMPTS_AUTO_1H, /* or for an hour */
};
/* A cosine in whole numbers, so that one that is said is one that is kept. */
#define COSINE_PLACES 4
#define COSINE_ONE    INT64_C(10000)

struct policy_rule {
	struct span name;
	bool is_builtin;     /* no file says anything of it */
	struct span said_at; /* "/etc/llm-broker/broker.conf:12" */
	/* whom it is for: all that is said must hold */
	uint32_t kinds, sockets;         /* a bit for each of their enums; 0: any */
	enum peer_confidence confidence; /* at least */
	struct words names, profiles;    /* empty: any name; and whoever has no profile */
	struct words users;              /* numbers; empty: the broker's own and root; "*": any */
	/* what they may do */
	enum policy_answer allow;
	struct words operations; /* patterns; empty: all but native and administrative ones */
	struct words models, except_models; /* patterns; empty: all, and none */
	struct native_rule *natives;
	size_t n_natives;
	int64_t max_input, max_output;      /* tokens of a call; -1: as they come */
	int64_t max_cost_nusd;              /* of a call; -1: as it comes */
	int64_t max_calls, max_connections; /* of one identity; -1: as [broker] says */
	enum policy_cache cache;
	enum policy_scope cache_scope;
	enum policy_prompt_cache prompt_cache;
	int64_t cache_semantic; /* so near, or nearer, words are as good as the same, in ten-thousandths; 0: none are */
	bool is_resend_denied; /* what may have been served is not sent again elsewhere */
};

/* How the rules that are built in are written. */
struct span policy_builtin_rules(void);

/* Does the text fit the pattern? Linear in both but for their product at worst. */
bool pattern_fits(struct span pattern, struct span text);
bool words_fit(const struct words *w, struct span text); /* any of them */

#endif
