/* test_policy.c - whom rules are for, which calls exist, and what each rule lets be done. */
#include "brokerd/policy/policy.h"
#include "tests/lib/tap.h"

#define OWN   1000
#define KNOWN .confidence = PEER_PROC

/* ---- without a file ---- */

static const struct {
	const char *name;
	struct peer_id peer;
	uid_t own;
	const char *rule; /* NULL: none, or one that says no */
} peers[] = {
	{"a program in the open",                           {.uid = OWN, .kind = PEER_KIND_HOST, KNOWN},                        OWN, "host"   },
	{"root's",					  {.uid = 0, .kind = PEER_KIND_HOST, KNOWN},                          OWN, "host"   },
	{"another user's",				  {.uid = 1001, .kind = PEER_KIND_HOST, KNOWN},                       OWN, NULL     },
	{"another user's at root's broker",                 {.uid = 1000, .kind = PEER_KIND_HOST, KNOWN},                       0,   NULL     },
	{"an overflow uid",				 {.uid = 65534, .kind = PEER_KIND_HOST, KNOWN},                      OWN, NULL     },
	{"nobody knows who",				{.uid = OWN, .kind = PEER_KIND_HOST},                               OWN, NULL     },
	{"nobody knows where",                              {.uid = OWN, .confidence = PEER_UID},                               OWN, NULL     },
	{"root in a container",                             {.uid = 0, .kind = PEER_KIND_CONTAINER, .confidence = PEER_PROC},
         OWN,															"sandbox"},
	{"a sandbox",				       {.uid = OWN, .kind = PEER_KIND_SANDBOX, KNOWN},                     OWN, "sandbox"},
	{"a Flatpak",				       {.uid = OWN, .kind = PEER_KIND_FLATPAK, KNOWN},                     OWN, "sandbox"},
	{"a snap",					  {.uid = OWN, .kind = PEER_KIND_SNAP, .confidence = PEER_LABEL},     OWN, "sandbox"},
	{"a program in the open, on the sandboxes' socket",
         {.uid = OWN, .kind = PEER_KIND_HOST, KNOWN, .socket = PEER_SOCKET_SANDBOX},                                            OWN,
         "sandbox"															    },
	{"an application's own socket",
         {.uid = OWN,
			.kind = PEER_KIND_APP,
			.socket = PEER_SOCKET_APP,
			.confidence = PEER_LISTENER},
         OWN,															"app"    },
	{"a service",				       {.uid = OWN, .kind = PEER_KIND_SERVICE, .confidence = PEER_CGROUP}, OWN,
         "service"															    },
	{"whoever has a profile that no rule is for",
         {.uid = OWN, .kind = PEER_KIND_HOST, KNOWN, .profile = "p"},                                                           OWN, NULL     },
};

static struct config *parse(const char *text)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(text), "test", &why);
	if (!c)
		bail("%s", why.message);
	return c;
}

static void without_a_file(void)
{
	struct config *c = parse("");
	for (size_t i = 0; i < COUNT_OF(peers); i++) {
		struct fault why = FAULT_NONE;
		const struct policy_rule *r = policy_find(c, &peers[i].peer, peers[i].own);
		const enum err err = policy_admit_peer(r, &peers[i].peer, peers[i].own, &why);
		is_int(err, peers[i].rule ? OK : ERR_DENIED, "%s", peers[i].name);
		ok((why.message[0] != '\0') == (err != OK), "%s: a sentence with a refusal",
			peers[i].name);
		if (peers[i].rule)
			ok(r && span_is(r->name, peers[i].rule), "%s: by the rule %s",
				peers[i].name, peers[i].rule);
	}
	config_unref(c);
}

/* ---- which calls there are ---- */

static const struct {
	const char *name;
	enum call_kind kind;
	enum llm_op op;
	const char *admin_op;
	const char *rules; /* by their first letters: host, service, app, sandbox */
} calls[] = {
	{"chat",				CALL_TYPED,  LLM_OP_CHAT,   NULL,          "hsax"},
	{"embed",			       CALL_TYPED,  LLM_OP_EMBED,  NULL,          "hsax"},
	{"models",			      CALL_TYPED,  LLM_OP_MODELS, NULL,          "hsax"},
	{"relayed bodies",                      CALL_RELAY,  0,             NULL,          "hsax"},
	{"native endpoints",                    CALL_NATIVE, 0,             NULL,          "h"   },
	{"who am I",			    CALL_ADMIN,  0,             "whoami",      "hsax"},
	{"how it is",			   CALL_ADMIN,  0,             "status",      "hs"  },
	{"what was spent",                      CALL_ADMIN,  0,             "usage",       "hs"  },
	{"what was asked, word for word",       CALL_ADMIN,  0,             "prompt.read", "h"   },
	{"what is left of it",                  CALL_ADMIN,  0,             "budget.list", "hs"  },
	{"another limit",                       CALL_ADMIN,  0,             "budget.set",  "h"   },
	{"the list of keys",                    CALL_ADMIN,  0,             "key.list",    "h"   },
	{"a new key",			   CALL_ADMIN,  0,             "key.add",     "h"   },
	{"the vault",			   CALL_ADMIN,  0,             "vault.lock",  "h"   },
	{"an operation without a row",          CALL_ADMIN,  0,             "key.show",    ""    },
	{"nor one that only begins like a row", CALL_ADMIN,  0,             "key.list2",   ""    },
	{"nor an empty one",                    CALL_ADMIN,  0,             "",            ""    },
	{"nor a typed one's name",              CALL_ADMIN,  0,             "chat",        ""    },
};

static const struct policy_rule *rule(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_policy; i++) {
		if (span_is(c->policy[i].name, name))
			return &c->policy[i];
	}
	bail("no rule %s", name);
	return NULL;
}

static void calls_by_rule(void)
{
	static const char *const names[] = {"host", "service", "app", "sandbox"};
	static const char letters[] = "hsax";
	const struct peer_id peer = {.uid = OWN, KNOWN};
	struct config *c = parse("");
	struct fault why = FAULT_NONE;
	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		struct call call = CALL_INIT;
		call.kind = calls[i].kind;
		call.op = calls[i].op;
		call.admin_op = span_str(calls[i].admin_op);
		for (size_t k = 0; k < COUNT_OF(names); k++)
			is_int(policy_admit_call(rule(c, names[k]), &peer, &call, &why),
				strchr(calls[i].rules, letters[k]) ? OK : ERR_DENIED, "%s: %s",
				names[k], calls[i].name);
		is_int(policy_admit_call(NULL, &peer, &call, &why), ERR_DENIED,
			"without a rule: %s", calls[i].name);
	}
	for (int op = 0; op < LLM_OP_COUNT_OF; op++) {
		struct call call = CALL_INIT;
		call.kind = CALL_TYPED;
		call.op = (enum llm_op)op;
		ok(policy_admit_call(rule(c, "host"), &peer, &call, &why) == OK ||
				op == LLM_OP_NATIVE,
			"operation %s has a row", llm_op_name(call.op));
	}
	config_unref(c);
}

/* ---- what a file says ---- */

static const char file[] = "[policy \"editor\"]\n"
			   "kind = flatpak\n"
			   "name = org.gnome.*\n"
			   "model = openai/*\n"
			   "model = fast\n"
			   "except_model = *o1*\n"
			   "operation = chat\n"
			   "[policy \"ci\"]\n"
			   "profile = ci-*\n"
			   "native = openai GET,POST /v1/files\n"
			   "native = * GET /v1/models/\n"
			   "operation = native\n"
			   "[policy \"guests\"]\n"
			   "user = 1001\n"
			   "confidence = proc\n"
			   "[policy \"host\"]\n"
			   "max_output = 10\n";

static void find(const struct config *c, const char *what, struct peer_id peer, const char *want)
{
	const struct policy_rule *r = policy_find(c, &peer, OWN);
	ok(span_is(r ? r->name : SPAN("none"), want), "%s", what);
}

static void rules_of_a_file(void)
{
	struct config *c = parse(file);
	const enum peer_kind flatpak = PEER_KIND_FLATPAK, host = PEER_KIND_HOST;
	find(c, "by kind and name",
		(struct peer_id){.uid = OWN, .kind = flatpak, KNOWN, .name = "org.gnome.Boxes"},
		"editor");
	find(c, "another name",
		(struct peer_id){.uid = OWN, .kind = flatpak, KNOWN, .name = "org.kde.Kate"},
		"sandbox");
	find(c, "another user of that name",
		(struct peer_id){.uid = 1002, .kind = flatpak, KNOWN, .name = "org.gnome.Boxes"},
		"unknown");
	find(c, "by profile", (struct peer_id){.uid = OWN, .kind = host, KNOWN, .profile = "ci-7"},
		"ci");
	find(c, "another profile",
		(struct peer_id){.uid = OWN, .kind = host, KNOWN, .profile = "c"}, "none");
	find(c, "another user", (struct peer_id){.uid = 1001, .kind = host, KNOWN}, "guests");
	find(c, "who is not known well enough",
		(struct peer_id){.uid = 1001, .confidence = PEER_UID}, "unknown");
	find(c, "a built-in rule that is changed stays where it was",
		(struct peer_id){.uid = OWN, .kind = host, KNOWN}, "host");
	is_int(rule(c, "host")->max_output, 10, "with what is said of it");
	ok(rule(c, "host")->operations.n == 1, "and what was");
	config_unref(c);
}

static const struct {
	const char *asked, *provider, *model;
	enum err want;
} models[] = {
	{"openai/gpt-4o",  "openai",    "gpt-4o",   OK        },
	{"gpt-4o",         "openai",    "gpt-4o",   OK        },
	{"fast",           "anthropic", "claude-x", OK        },
	{"claude-x",       "anthropic", "claude-x", ERR_DENIED},
	{"openai/o1-mini", "openai",    "o1-mini",  ERR_DENIED},
	{"fast",           "openai",    "o1-mini",  ERR_DENIED},
	{"openai",         "openaiX",   "gpt-4o",   ERR_DENIED},
	{"",	       "openai",    "",         OK        },
};

static const struct {
	const char *provider, *method, *path;
	enum err want;
} natives[] = {
	{"openai", "GET",    "/v1/files",           OK        },
	{"openai", "POST",   "/v1/files/x/y",       OK        },
	{"openai", "DELETE", "/v1/files/x",         ERR_DENIED},
	{"openai", "GET",    "/v1/files_of_others", ERR_DENIED},
	{"openai", "GET",    "/v1",                 ERR_DENIED},
	{"openai", "get",    "/v1/files",           ERR_DENIED},
	{"groq",   "GET",    "/v1/files",           ERR_DENIED},
	{"groq",   "GET",    "/v1/models/x",        OK        },
	{"groq",   "GET",    "/v1/models",          ERR_DENIED},
};

static void what_they_allow(void)
{
	struct config *c = parse(file);
	struct fault why = FAULT_NONE;
	for (size_t i = 0; i < COUNT_OF(models); i++)
		is_int(policy_admit_model(rule(c, "editor"), span_str(models[i].asked),
			       span_str(models[i].provider), span_str(models[i].model), &why),
			models[i].want, "%s as %s/%s", models[i].asked, models[i].provider,
			models[i].model);
	ok(!policy_limits_models(rule(c, "host")), "a rule without models limits none");
	is_int(policy_admit_model(rule(c, "host"), SPAN("x"), SPAN("y"), SPAN("z"), &why), OK,
		"and allows all");
	for (size_t i = 0; i < COUNT_OF(natives); i++)
		is_int(policy_admit_native(rule(c, "ci"), span_str(natives[i].provider),
			       span_str(natives[i].method), span_str(natives[i].path), &why),
			natives[i].want, "%s %s %s", natives[i].provider, natives[i].method,
			natives[i].path);
	is_int(policy_admit_native(
		       rule(c, "host"), SPAN("x"), SPAN("PUT"), SPAN("/any/thing"), &why),
		OK, "the owner may go anywhere");
	is_int(policy_admit_native(rule(c, "app"), SPAN("x"), SPAN("GET"), SPAN("/"), &why),
		ERR_DENIED, "an application nowhere");
	config_unref(c);
}

/* ---- patterns ---- */

static const struct {
	const char *pattern, *text;
	bool want;
} patterns[] = {
	{"",       "",           true },
	{"",       "a",          false},
	{"a",      "a",          true },
	{"a",      "ab",         false},
	{"*",      "",           true },
	{"*",      "anything",   true },
	{"a*",     "a",          true },
	{"a*",     "ba",         false},
	{"*a",     "bba",        true },
	{"*a*b*",  "xxaxxbxx",   true },
	{"*a*b*",  "xxbxxaxx",   false},
	{"a**b",   "ab",         true },
	{"*aab",   "aaaab",      true },
	{"a*a*a",  "aa",         false},
	{"o*/gpt", "openai/gpt", true },
};

static void fitting(void)
{
	OWNED(buf_done) struct buf pattern = BUF_INIT(4096), text = BUF_INIT(65536);
	for (size_t i = 0; i < COUNT_OF(patterns); i++)
		ok(pattern_fits(span_str(patterns[i].pattern), span_str(patterns[i].text)) ==
				patterns[i].want,
			"\"%s\" and \"%s\"", patterns[i].pattern, patterns[i].text);
	for (int i = 0; i < 1000; i++)
		buf_text(&pattern, "*a");
	for (int i = 0; i < 60000; i++)
		buf_byte(&text, 'a');
	buf_byte(&pattern, 'b');
	ok(!pattern_fits(buf_view(&pattern), buf_view(&text)), "a pattern of stars ends soon");
}

int main(void)
{
	without_a_file();
	calls_by_rule();
	rules_of_a_file();
	what_they_allow();
	fitting();
	return tap_done();
}
