/* test_policy.c - who may come in, and which calls exist. */
#include "brokerd/policy/policy.h"
#include "tests/lib/tap.h"

static const struct {
	const char *name;
	struct peer_id peer;
	uid_t own;
	enum err want;
} peers[] = {
	{"the same user",                 {.uid = 1000, .confidence = PEER_UID},     1000, OK        },
	{"root",			  {.uid = 0, .confidence = PEER_UID},        1000, OK        },
	{"another user",                  {.uid = 1001, .confidence = PEER_UID},     1000, ERR_DENIED},
	{"nobody knows who",              {.uid = 1000, .confidence = PEER_UNKNOWN}, 1000, ERR_DENIED},
	{"an overflow uid",               {.uid = 65534, .confidence = PEER_UID},    1000, ERR_DENIED},
	{"another user at root's broker", {.uid = 1000, .confidence = PEER_UID},     0,    ERR_DENIED},
};

static const struct {
	const char *name;
	enum call_kind kind;
	enum llm_op op;
	const char *admin_op;
	enum err want;
} calls[] = {
	{"chat",				CALL_TYPED,  LLM_OP_CHAT,   NULL,        OK        },
	{"embed",			       CALL_TYPED,  LLM_OP_EMBED,  NULL,        OK        },
	{"models",			      CALL_TYPED,  LLM_OP_MODELS, NULL,        OK        },
	{"relayed bodies",                      CALL_RELAY,  0,             NULL,        OK        },
	{"native endpoints",                    CALL_NATIVE, 0,             NULL,        OK        },
	{"the list of keys",                    CALL_ADMIN,  0,             "key.list",  OK        },
	{"an operation without a row",          CALL_ADMIN,  0,             "key.show",  ERR_DENIED},
	{"nor one that only begins like a row", CALL_ADMIN,  0,             "key.list2", ERR_DENIED},
	{"nor an empty one",                    CALL_ADMIN,  0,             "",          ERR_DENIED},
};

int main(void)
{
	struct fault why;
	for (size_t i = 0; i < COUNT_OF(peers); i++) {
		why = FAULT_NONE;
		is_int(policy_admit_peer(&peers[i].peer, peers[i].own, &why), peers[i].want, "%s",
			peers[i].name);
		ok((why.message[0] != '\0') == (peers[i].want != OK),
			"%s: a sentence with a refusal", peers[i].name);
	}
	const struct peer_id peer = {.uid = 1000, .confidence = PEER_UID};
	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		struct call c = CALL_INIT;
		c.kind = calls[i].kind;
		c.op = calls[i].op;
		c.admin_op = span_str(calls[i].admin_op);
		is_int(policy_admit_call(&peer, &c, &why), calls[i].want, "%s", calls[i].name);
	}
	for (int op = 0; op < LLM_OP_COUNT_OF; op++) {
		struct call c = CALL_INIT;
		c.kind = CALL_TYPED;
		c.op = (enum llm_op)op;
		ok(policy_admit_call(&peer, &c, &why) != ERR_DENIED, "operation %s has a row",
			llm_op_name(c.op));
	}
	struct call c = CALL_INIT;
	c.behalf.token = SPAN("t");
	is_int(policy_admit_call(&peer, &c, &why), ERR_UNSUPPORTED, "on another's behalf: not yet");
	return tap_done();
}
