/* admin_call.h - what do the administrative operations share?
 * One call under way, the ends that it can come to, and the operations themselves, which admin.c's table
 * names. An operation begins, and answers by admin_done or admin_fail, at once or later; or it returns a
 * fault, and has begun nothing. */
#ifndef BROKERD_FRONT_ADMIN_CALL_H
#define BROKERD_FRONT_ADMIN_CALL_H
#include "brokerd/config/catalogue_file.h"
#include "brokerd/exchange/fetch.h"
#include "brokerd/front/admin.h"
#include "brokerd/ledger/ledger.h"
#include "protocol/base/json.h"

struct admin_call {
	struct admin_call *prev, *next; /* of env->calls */
	struct admin_env *env;
	struct organs *organs;
	struct config *config; /* as it was when the call came */
	struct peer_id peer;
	struct admin_reply reply; /* on_done NULL: nobody waits any more */
	struct loop_task done;
	struct arena arena; /* what is no secret */
	struct buf json;    /* the answer */
	struct fault why;
	/* of operations that go on */
	struct job job;
	struct usage_query query;
	struct span provider, label;
	int64_t begun_us;
	enum slot_type slot;
	struct buf code; /* that was made for a slot; shown once, and wiped */
	bool has_created_vault, has_passphrase, is_costly;
	struct fetch **fetches;
	size_t n_fetches, n_waiting;
	struct json_out out; /* an answer that is written piece by piece */
	struct buf errors;
	struct buf text; /* a catalogue that is imported, and what it became */
	struct catalogue *catalogue;
};

void admin_done(struct admin_call *a);
void admin_fail(struct admin_call *a, enum err err, const struct fault *why);

/* ---- members of the request ---- */

/* A text, copied; absent: there is none. */
struct span admin_text(struct admin_call *a, struct json body, const char *name);
/* A secret, into a buf of its own that the caller wipes. False: it is not there. */
bool admin_secret(struct json body, const char *name, struct buf *out);
bool admin_flag(struct json body, const char *name);

/* ---- parts of answers ---- */

void admin_put_vault(const struct admin_call *a, struct json_out *o);
/* Has the provider what it needs to be asked? */
bool admin_has_key(const struct admin_call *a, const struct provider *p);

/* ---- the operations ---- */

typedef enum err admin_run(struct admin_call *a, struct json body, struct fault *why);
admin_run admin_key_add, admin_key_rotate, admin_key_remove, admin_key_list, admin_key_test;
admin_run admin_vault_status, admin_vault_lock, admin_vault_unlock, admin_vault_passphrase;
admin_run admin_vault_slots, admin_vault_slot_add, admin_vault_slot_remove;
admin_run admin_models, admin_catalogue_import;
admin_run admin_usage, admin_config_check, admin_config_reload, admin_status;

#endif
