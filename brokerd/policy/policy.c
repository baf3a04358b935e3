/* policy.c - the table of operations. */
#include "brokerd/policy/policy.h"

struct row {
	enum call_kind kind;
	const char *name; /* of the operation, the surface or the provider; "" for any */
};

static const struct row rows[] = {
	{CALL_TYPED,  "chat"             },
	{CALL_TYPED,  "models"           },
	{CALL_TYPED,  "complete"         },
	{CALL_TYPED,  "embed"            },
	{CALL_TYPED,  "rerank"           },
	{CALL_TYPED,  "count"            },
	{CALL_TYPED,  "moderate"         },
	{CALL_RELAY,  ""                 },
	{CALL_NATIVE, ""                 },
	{CALL_ADMIN,  "status"           },
	{CALL_ADMIN,  "models"           },
	{CALL_ADMIN,  "usage"            },
	{CALL_ADMIN,  "key.add"          },
	{CALL_ADMIN,  "key.list"         },
	{CALL_ADMIN,  "key.rotate"       },
	{CALL_ADMIN,  "key.remove"       },
	{CALL_ADMIN,  "key.test"         },
	{CALL_ADMIN,  "vault.status"     },
	{CALL_ADMIN,  "vault.lock"       },
	{CALL_ADMIN,  "vault.unlock"     },
	{CALL_ADMIN,  "vault.passphrase" },
	{CALL_ADMIN,  "vault.slots"      },
	{CALL_ADMIN,  "vault.slot.add"   },
	{CALL_ADMIN,  "vault.slot.remove"},
	{CALL_ADMIN,  "config.check"     },
	{CALL_ADMIN,  "config.reload"    },
	{CALL_ADMIN,  "catalogue.import" },
};

enum err policy_admit_peer(const struct peer_id *peer, uid_t own, struct fault *why)
{
	if (peer->confidence < PEER_UID)
		return fault_set(why, ERR_DENIED, "the kernel does not say who is calling");
	if (peer->uid == own || peer->uid == 0)
		return OK;
	return fault_set(why, ERR_DENIED,
		"this broker serves uid %u and root; you are uid %u: use a broker of your own, or "
		"ask "
		"the administrator",
		(unsigned)own, (unsigned)peer->uid);
}

static struct span call_name(const struct call *c)
{
	switch (c->kind) {
	case CALL_TYPED:
		return span_str(llm_op_name(c->op));
	case CALL_ADMIN:
		return c->admin_op;
	case CALL_RELAY:
		return c->surface.surface;
	case CALL_NATIVE:
		return c->surface.provider;
	}
	return SPAN_NONE;
}

enum err policy_admit_call(const struct peer_id *peer, const struct call *c, struct fault *why)
{
	const struct span name = call_name(c);
	(void)peer; /* every peer that was let in is the same user; profiles come with sandboxes */
	if (span_is_set(c->behalf.token) || c->behalf.fd_index >= 0)
		return fault_param(why, ERR_UNSUPPORTED, "behalf",
			"this broker does not take calls on another's behalf yet");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].kind != c->kind)
			continue;
		if (rows[i].name[0] != '\0' && !span_is(name, rows[i].name))
			continue;
		return OK;
	}
	return fault_set(
		why, ERR_DENIED, "no such operation: %.*s", SPAN_ARG(span_first(name, 64)));
}
