/* admin_call.h - what do the administrative operations share?
 * One call under way, the ends that it can come to, and the operations themselves, which admin.c's table
 * names. An operation begins, and answers by admin_done or admin_fail, at once or later; or it returns a
 * fault, and has begun nothing. */
#ifndef BROKERD_FRONT_ADMIN_CALL_H
#define BROKERD_FRONT_ADMIN_CALL_H
#include <stdatomic.h>

#include "brokerd/cache/cache.h"
#include "brokerd/config/catalogue_file.h"
#include "brokerd/exchange/bill.h"
#include "brokerd/exchange/fetch.h"
#include "brokerd/front/admin.h"
#include "brokerd/ledger/export.h"
#include "brokerd/ledger/report.h"
#include "protocol/base/json.h"

/* What there must not be much of at once. */
enum admin_cost {
	ADMIN_CHEAP,
	ADMIN_COSTLY,  /* hashes a passphrase, or holds much */
	ADMIN_READING, /* reads through the ledger, or from the cache's disk */
	ADMIN_WAITING, /* for what comes, and that may take long */
	ADMIN_COSTS,
};

/* By what calls that end are chosen. */
enum follow_choice {
	FOLLOW_APP,
	FOLLOW_MODEL,
	FOLLOW_PROVIDER,
	FOLLOW_OP,
	FOLLOW_OUTCOME,
	FOLLOW_CHOICES,
};

/* What becomes of a text of limits: into a->text. */
struct admin_call;
typedef enum err admin_change(struct admin_call *a, struct span limits, struct fault *why);

struct admin_call {
	struct admin_call *prev, *next; /* of env->calls */
	struct admin_env *env;
	struct organs *organs;
	struct config *config; /* as it was when the call came */
	struct peer_id peer;
	uint64_t connection;      /* that it came on */
	struct passed *passed;    /* while it begins: descriptors that came along */
	const char *op;           /* as the table has it; NULL: none of that name */
	struct admin_reply reply; /* on_done NULL: nobody waits any more */
	struct loop_task done;
	struct arena arena; /* what is no secret */
	struct buf json;    /* the answer */
	struct fault why;
	/* of operations that go on */
	struct job job;
	union {
		struct report report;
		struct export export;
	} usage;
	struct span provider, label;
	struct span about; /* whom the audit log says it was about; absent: the two above say it */
	int64_t begun_us;
	enum slot_type slot;
	struct buf code; /* that was made for a slot; shown once, and wiped */
	bool has_created_vault, has_passphrase;
	enum admin_cost cost;
	atomic_bool is_unwanted; /* nobody waits any more: a job under way looks at it */
	struct fetch **fetches;
	size_t n_fetches, n_waiting;
	struct bill *bill;   /* what a provider says was spent */
	struct json_out out; /* an answer that is written piece by piece */
	struct buf errors;
	struct buf
		text; /* a catalogue that is imported, and what it became; or all limits set by hand */
	struct json asked;    /* of a change of limits: the request, */
	admin_change *change; /* what it is, */
	bool is_in_line;      /* and that others are before it */
	struct catalogue *catalogue;
	struct consent_agent agent; /* one that waits for a question, */
	struct loop_timer wait;     /* for so long */
	struct audit_question *audit;
	struct prompts_wait prompt;
	struct {
		struct follower follower;
		struct loop_task news;
		struct span only[FOLLOW_CHOICES]; /* patterns; absent: any */
		uint64_t at, missed;
		bool is_lost;   /* the place where it was to go on is none of this broker's */
		int64_t due_us; /* then it is answered, with nothing */
	} follow;
	struct cache_clearing clearing;
	struct cache_telling telling;
};

void admin_done(struct admin_call *a);
void admin_fail(struct admin_call *a, enum err err, const struct fault *why);

/* It is over: where it was to change something, the audit log has it. */
void admin_record(const struct admin_call *a);

/* ---- members of the request ---- */

/* A text, copied; absent: there is none. */
struct span admin_text(struct admin_call *a, struct json body, const char *name);
/* A secret, into a buf of its own that the caller wipes. False: it is not there. */
bool admin_secret(struct json body, const char *name, struct buf *out);
bool admin_flag(struct json body, const char *name);

/* What an answer would be wrong without, if it were passed over: absent or null leaves *out as it is, and what is
 * there and is none is ERR_INVALID_ARGUMENT, which names it. A text is copied. */
enum err admin_read_text(struct admin_call *a, struct json body, const char *name, struct span *out,
	struct fault *why) MUST_USE;
enum err admin_read_i64(
	struct json body, const char *name, int64_t *out, struct fault *why) MUST_USE;
enum err admin_read_flag(struct json body, const char *name, bool *out, struct fault *why) MUST_USE;

/* A list of patterns of models, as they are kept: with spaces between. ERR_INVALID_ARGUMENT. */
enum err admin_read_models(struct json list, char *to, size_t size, struct fault *why) MUST_USE;

/* As whom is something asked? "as": KIND:NAME, known as well as can be, unless "uid", "socket" or "profile" say more;
 * absent: as who calls. ERR_INVALID_ARGUMENT. */
enum err admin_read_peer(
	struct admin_call *a, struct json body, struct peer_id *out, struct fault *why) MUST_USE;
/* Is it a request's id, and nothing that was typed in its place? */
bool admin_is_request_id(struct span id);

/* May who asks see, and speak of, what is of all users, or of that one? Of his own he may, and who runs the broker of all. */
bool admin_is_told_all(const struct admin_call *a);
bool admin_is_told_of(const struct admin_call *a, uid_t uid);

/* What is known to be no secret: the audit log may have it. */
void admin_about(struct admin_call *a, const char *who);

/* ---- parts of answers ---- */

void admin_put_vault(const struct admin_call *a, struct json_out *o);
/* How the disk with kept answers is: members "state", and where it fails "why". There is a cache. */
struct cache_stats;
void admin_put_disk(const struct admin_call *a, const struct cache_stats *s, struct json_out *o);
/* Has the provider what it needs to be asked? */
bool admin_has_key(const struct admin_call *a, const struct provider *p);

/* What would be said of a peer. */
struct policy_verdict {
	const struct peer_id *peer;
	const struct policy_rule *rule; /* NULL: none */
	const struct grant *grant;      /* NULL: none */
	enum policy_answer answer;
};
struct policy_verdict admin_judge(const struct admin_call *a, const struct peer_id *peer);
void admin_put_verdict(struct json_out *o, const struct policy_verdict *v);

int64_t admin_now_s(const struct admin_call *a); /* since 1970 */

/* ---- the operations ---- */

typedef enum err admin_run(struct admin_call *a, struct json body, struct fault *why);
admin_run admin_key_add, admin_key_rotate, admin_key_remove, admin_key_list, admin_key_test;
admin_run admin_vault_status, admin_vault_lock, admin_vault_unlock, admin_vault_passphrase;
admin_run admin_vault_slots, admin_vault_slot_add, admin_vault_slot_remove;
admin_run admin_models, admin_catalogue_import;
admin_run admin_audit_list, admin_audit_verify;
admin_run admin_usage, admin_usage_estimates, admin_usage_export, admin_follow, admin_open,
	admin_prompt_read;
admin_run admin_config_check, admin_config_reload, admin_status, admin_metrics;
admin_run admin_budget_list, admin_budget_set, admin_budget_remove;
admin_run admin_reconcile;
admin_run admin_route_explain, admin_request_explain;
admin_run admin_whoami, admin_policy_show, admin_policy_test;
admin_run admin_app_list, admin_app_allow, admin_app_revoke, admin_app_forget, admin_app_add,
	admin_app_remove;
admin_run admin_token_new, admin_token_list, admin_token_revoke;
admin_run admin_cache_stats, admin_cache_list, admin_cache_clear;
admin_run admin_consent_next, admin_consent_answer, admin_listener_add;

#endif
