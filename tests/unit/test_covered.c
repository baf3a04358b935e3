/* test_covered.c - which rules can never hold? */
#include "brokerd/policy/covered.h"

#include <stdio.h>

#include "tests/lib/tap.h"

static struct config *parse(const char *text)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(text), "test", &why);
	if (!c)
		bail("%s", why.message);
	return c;
}

/* What the first rule says, and the second. */
static const struct {
	const char *name, *first, *second;
	bool is_covered;
} pairs[] = {
	{"the same",				 "kind = host\n",                   "kind = host\n",             true },
	{"of all kinds",			     "",				"kind = host\n",             true },
	{"one kind of two",                          "kind = app\nkind = host\n",       "kind = host\n",             true },
	{"two kinds, of which it has one",           "kind = host\n",                   "kind = app\nkind = host\n", false},
	{"all kinds, of which it has one",           "kind = host\n",                   "",                          false},
	{"one socket of all",                        "",                                "socket = app\n",            true },
	{"another socket",			   "socket = main\n",                 "socket = app\n",            false},
	{"all sockets, of which it has one",         "socket = app\n",                  "",                          false},
	{"apps, which come on sockets of their own", "socket = app\n",                  "kind = app\n",              true },
	{"apps, which come on no other",             "socket = main\n",                 "kind = app\n",              false},
	{"apps and others",                          "socket = app\n",                  "kind = app\nkind = host\n", false},
	{"better known callers",                     "",                                "confidence = listener\n",   true },
	{"less well known ones",                     "confidence = cgroup\n",           "confidence = proc\n",       false},
	{"one user of all",                          "user = *\n",                      "user = 1001\n",             true },
	{"the own user and root of all",             "user = *\n",                      "",                          true },
	{"root of these two",                        "",                                "user = 0\n",                true },
	{"root and another",                         "",                                "user = 0\nuser = 1001\n",   false},
	{"the own user, who may be that one",        "user = 0\nuser = 1001\n",         "",                          false},
	{"all users",				"user = 1001\n",                   "user = *\n",                false},
	{"all users, of whom it has two",            "",                                "user = *\n",                false},
	{"one user of two",                          "user = 1001\nuser = 1002\n",      "user = 1002\n",             true },
	{"one name of all",                          "",				"name = notes\n",            true },
	{"all names",				"name = notes\n",                  "",                          false},
	{"a name that a pattern fits",               "name = no*\n",                    "name = notes\n",            true },
	{"a pattern that a wider one fits",          "name = no*\n",                    "name = notes.*\n",          true },
	{"a pattern that is wider",                  "name = notes.*\n",                "name = no*\n",              false},
	{"a pattern with another end",               "name = *.service\n",              "name = web*\n",             false},
	{"two names, of which it has one",           "name = a\n",                      "name = a\nname = b\n",      false},
	{"two names, by two patterns",               "name = a*\nname = b*\n",          "name = ab\nname = ba\n",    true },
	{"a profile, which others have not",         "user = *\n",                      "profile = small\n",         false},
	{"whoever has none",                         "profile = *\n",                   "",                          false},
	{"a profile that a pattern fits",            "profile = s*\n",                  "profile = small\n",         true },
	{"what is refused is covered too",           "kind = host\nallow = no\n",
         "kind = host\nallow = yes\n",									       true },
	{"what they may do says nothing",            "operation = chat\nmodel = a/*\n", "operation = *\n",
         true													     },
};

static void pairs_of_rules(void)
{
	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		char text[512];
		(void)snprintf(text, sizeof text, "[policy \"first\"]\n%s[policy \"second\"]\n%s",
			pairs[i].first, pairs[i].second);
		struct config *c = parse(text);
		const struct policy_rule *by = policy_covering(c, 1);
		ok((by != NULL) == pairs[i].is_covered, "%s", pairs[i].name);
		ok(!by || by == &c->policy[0], "%s: by the first", pairs[i].name);
		ok(policy_covering(c, 0) == NULL, "%s: the first never is", pairs[i].name);
		config_unref(c);
	}
}

static void is_said(const char *text, const char *want, const char *what)
{
	OWNED(buf_done) struct buf said = BUF_INIT(4096);
	struct config *c = parse(text);
	policy_say_covered(c, &said);
	buf_byte(&said, 0);
	is_str((const char *)buf_view(&said).p, want, "%s", what);
	config_unref(c);
}

static void lines(void)
{
	is_said("", "", "what is built in says nothing");
	is_said("[policy \"all\"]\nuser = *\n", "", "nor where a file covers what is built in");
	is_said("[policy \"notes\"]\nkind = app\nname = notes\n\n[policy \"apps\"]\nkind = app\n",
		"", "nor the wide one behind the narrow one");
	is_said("[policy \"apps\"]\nkind = app\n\n[policy \"notes\"]\nkind = app\nname = notes\n"
		"[policy \"mine\"]\nkind = host\n[policy \"too\"]\nkind = app\nname = n*\n",
		"[policy \"notes\"] (test:4) never holds: [policy \"apps\"] (test:1) comes before "
		"it "
		"and fits whoever it fits\n"
		"[policy \"too\"] (test:9) never holds: [policy \"apps\"] (test:1) comes before it "
		"and fits whoever it fits\n",
		"a line for each, with where both stand");
	is_said("[policy \"all\"]\nuser = *\n[policy \"service\"]\nmodel = a/*\n",
		"[policy \"service\"] (test:3) never holds: [policy \"all\"] (test:1) comes before "
		"it "
		"and fits whoever it fits\n",
		"a built-in one that a file changes stands where it stood");
}

int main(void)
{
	pairs_of_rules();
	lines();
	return tap_done();
}
