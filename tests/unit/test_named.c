/* test_named.c - is each who is named counted, once, and does one of them leave room for the others? */
#include "brokerd/front/named.h"

#include <stdio.h>

#include "tests/lib/tap.h"

static struct identities all;
static struct config *config;

static struct peer_id app(const char *name)
{
	struct peer_id p = {.uid = 1000, .kind = PEER_KIND_TOKEN, .confidence = PEER_PROC};
	(void)snprintf(p.name, sizeof p.name, "%s", name);
	return p;
}

static struct identity *join(const char *name)
{
	const struct peer_id p = app(name);
	struct identity *i = identity_join(&all, &p, 1);
	if (!i)
		bail("out of memory");
	return i;
}

/* A call for them; "" nobody more. */
static void name(struct behalf *b, const char *first, const char *second)
{
	b->n = 0;
	for (int i = 0; i < 2; i++) {
		const char *who = i ? second : first;
		if (!who[0])
			continue;
		b->parties[b->n].allowance = (struct allowance){.rule = NULL};
		b->parties[b->n++].peer = app(who);
	}
	b->own = (struct allowance){.rule = NULL};
}

static const struct {
	const char *name, *first, *second;
	size_t own, a,
		b; /* calls of who has the connection, and of these two, with the one that was made */
} counted[] = {
	{"nobody is named",                 "",    "",  0, 0, 0},
	{"one",			     "a",   "",  0, 1, 0},
	{"two",			     "a",   "b", 0, 1, 1},
	{"one twice",		       "a",   "a", 0, 1, 0},
	{"who has the connection",          "own", "",  0, 0, 0},
	{"who has the connection, and one", "own", "a", 0, 1, 0},
};

static void counts_each_once(void)
{
	struct identity *own = join("own"), *a = join("a"), *b = join("b");
	static struct behalf behalf;
	for (size_t i = 0; i < COUNT_OF(counted); i++) {
		struct named n = {.n = 0};
		name(&behalf, counted[i].first, counted[i].second);
		ok(named_join(&n, &all, own, &behalf, 1), "%s: they are found", counted[i].name);
		named_count(&n);
		is_uint(own->n_calls, counted[i].own, "%s: who has the connection",
			counted[i].name);
		is_uint(a->n_calls, counted[i].a, "%s: the one", counted[i].name);
		is_uint(b->n_calls, counted[i].b, "%s: the other", counted[i].name);
		is_uint(own->n_connections, 1, "%s: it has no connection more", counted[i].name);
		named_leave(&n, &all, 1);
		named_leave(&n, &all, 1);
		is_uint(own->n_calls + a->n_calls + b->n_calls, 0, "%s: none is left",
			counted[i].name);
		is_uint(own->n_connections + a->n_connections + b->n_connections, 3,
			"%s: nobody is held any more", counted[i].name);
	}
	identity_leave(&all, own, 1);
	identity_leave(&all, a, 1);
	identity_leave(&all, b, 1);
}

static void uncounted_leaves_as_it_came(void)
{
	static struct behalf behalf;
	struct identity *own = join("own"), *a = join("a");
	struct named n = {.n = 0};
	name(&behalf, "a", "");
	ok(named_join(&n, &all, own, &behalf, 1), "it is found");
	named_leave(&n, &all, 1);
	is_uint(a->n_calls, 0, "a call that never began is nobody's");
	identity_leave(&all, own, 1);
	identity_leave(&all, a, 1);
}

/* With max_calls = 8. */
static const struct {
	const char *name, *party;
	size_t own, a; /* calls under way */
	enum err want;
} rooms[] = {
	{"nothing is under way",                      "a",   0, 0, OK            },
	{"one has half, and a quarter is free",       "a",   5, 5, OK            },
	{"one has half, and the last quarter begins", "a",   6, 4, ERR_OVERLOADED},
	{"one has less in the last quarter",          "a",   7, 3, OK            },
	{"nothing is left",                           "a",   8, 0, ERR_OVERLOADED},
	{"one has all of his own, elsewhere",         "a",   0, 8, ERR_OVERLOADED},
	{"one has much, elsewhere",                   "a",   5, 7, OK            },
	{"for itself a program may have all",         "",    7, 0, OK            },
	{"also where it names itself",                "own", 7, 0, OK            },
	{"and no more",			       "own", 8, 0, ERR_OVERLOADED},
};

static void leaves_room(void)
{
	struct identity *own = join("own"), *a = join("a");
	static struct behalf behalf;
	for (size_t i = 0; i < COUNT_OF(rooms); i++) {
		struct named n = {.n = 0};
		struct fault why = FAULT_NONE;
		name(&behalf, rooms[i].party, "");
		if (!named_join(&n, &all, own, &behalf, 1))
			bail("out of memory");
		own->n_calls = rooms[i].own;
		a->n_calls = rooms[i].a;
		is_err(named_check(&n, config, own, &behalf, &why), rooms[i].want, "%s",
			rooms[i].name);
		named_leave(&n, &all, 1);
	}
	own->n_calls = a->n_calls = 0;
	identity_leave(&all, own, 1);
	identity_leave(&all, a, 1);
}

int main(void)
{
	struct fault why = FAULT_NONE;
	config = config_parse(SPAN("[broker]\nmax_calls = 8\n"), "test", &why);
	if (!config)
		bail("%s", why.message);
	counts_each_once();
	uncounted_leaves_as_it_came();
	leaves_room();
	identities_done(&all);
	config_unref(config);
	return tap_done();
}
