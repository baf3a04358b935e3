/* test_resolver.c - who is asked, how often, and what serves meanwhile? In virtual time, with a name
 * server of the test's own. */
#include "brokerd/transport/resolver.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

static struct loop *loop;
static struct workers *workers;
static struct resolver *resolver;

/* The name server: answers `answer`, or fails where it is "". */
static const char *answer = "192.0.2.1";
static int n_asked;
static char asked[256];

static void look_up(const char *name, struct addresses *out)
{
	n_asked++;
	snprintf(asked, sizeof asked, "%s", name);
	snprintf(out->text, sizeof out->text, "%s", answer);
	if (!answer[0])
		snprintf(out->reason, sizeof out->reason, "it does not answer");
}

struct asker {
	struct lookup lookup;
	int n_told;
	struct addresses got;
	struct asker *stops; /* another one */
};

static void on_found(struct lookup *l, const struct addresses *found)
{
	struct asker *a = container_of(l, struct asker, lookup);
	a->n_told++;
	a->got = *found;
	if (a->stops)
		lookup_stop(&a->stops->lookup);
}

static enum err ask(struct asker *a, const char *name)
{
	const struct addresses *found = NULL;
	struct fault why;
	*a = (struct asker){.lookup.on_found = on_found, .stops = a->stops};
	const enum err err = resolver_ask(resolver, span_str(name), &a->lookup, &found, &why);
	if (err == OK && found)
		a->got = *found;
	return err;
}

static void begin(void)
{
	n_asked = 0;
	answer = "192.0.2.1";
	loop = loop_new(NULL);
	workers = loop ? workers_new(loop, 3, NULL) : NULL;
	resolver = workers ? resolver_new(loop, workers, look_up, NULL) : NULL;
	if (!resolver)
		bail("no resolver");
}

static void end(void)
{
	resolver_free(resolver);
	workers_free(workers);
	loop_free(loop);
}

static void an_answer_is_kept(void)
{
	struct asker a = {0}, b = {0};
	begin();
	is_err(ask(&a, "api.example.com"), ERR_MORE, "the first waits");
	is_err(ask(&b, "api.example.com"), ERR_MORE, "so does the second");
	loop_virtual_settle(loop);
	is_int(n_asked, 1, "for one lookup");
	is_str(asked, "api.example.com", "of that name");
	is_str(a.got.text, "192.0.2.1", "the first is told");
	is_str(b.got.text, "192.0.2.1", "and the second");
	is_int(a.n_told + b.n_told, 2, "once each");
	is_err(ask(&a, "api.example.com"), OK, "the third is told at once");
	is_str(a.got.text, "192.0.2.1", "the same");
	const uint64_t serial = a.got.serial;

	loop_virtual_advance(loop, RESOLVER_FRESH_US - 1);
	is_err(ask(&a, "api.example.com"), OK, "as long as it is fresh");
	is_int(n_asked, 1, "nobody is asked");
	loop_virtual_advance(loop, 1);
	is_err(ask(&a, "api.example.com"), OK, "and also when it is not");
	loop_virtual_settle(loop);
	is_int(n_asked, 2, "but then it is sought anew meanwhile");
	is_err(ask(&a, "api.example.com"), OK, "the same answer");
	is_uint(a.got.serial, serial, "keeps its number");

	answer = "192.0.2.2";
	loop_virtual_advance(loop, RESOLVER_FRESH_US);
	is_err(ask(&a, "api.example.com"), OK, "once more stale");
	is_str(a.got.text, "192.0.2.1", "serves the old answer");
	loop_virtual_settle(loop);
	is_err(ask(&a, "api.example.com"), OK, "and then");
	is_str(a.got.text, "192.0.2.2", "the new one");
	ok(a.got.serial != serial, "with a number of its own");

	loop_virtual_advance(loop, RESOLVER_STALE_US);
	is_err(ask(&a, "api.example.com"), ERR_MORE, "one that is too old makes wait");
	loop_virtual_settle(loop);
	is_str(a.got.text, "192.0.2.2", "for the new one");
	end();
}

static void a_failure_is_bridged(void)
{
	struct asker a = {0};
	begin();
	ask(&a, "api.example.com");
	loop_virtual_settle(loop);
	answer = "";
	loop_virtual_advance(loop, RESOLVER_STALE_US);
	is_err(ask(&a, "api.example.com"), ERR_MORE, "too old: waits");
	loop_virtual_settle(loop);
	is_str(a.got.text, "192.0.2.1", "and gets the old answer, as there is no new one");
	is_int(n_asked, 2, "after asking");
	is_err(ask(&a, "api.example.com"), OK, "the next does not wait");
	is_int(n_asked, 2, "nor ask");
	loop_virtual_advance(loop, RESOLVER_AGAIN_US);
	is_err(ask(&a, "api.example.com"), ERR_MORE, "until a while later");
	loop_virtual_settle(loop);
	is_int(n_asked, 3, "it is tried again");
	loop_virtual_advance(loop, RESOLVER_KEPT_US);
	is_err(ask(&a, "api.example.com"), ERR_MORE, "after a day");
	loop_virtual_settle(loop);
	is_str(a.got.text, "", "the old answer is no more");
	is_str(a.got.reason, "it does not answer", "and the reason is said");
	end();
}

static void a_name_that_is_none(void)
{
	struct asker a = {0}, b = {0};
	begin();
	answer = "";
	is_err(ask(&a, "nosuch.example.com"), ERR_MORE, "it is looked for");
	loop_virtual_settle(loop);
	is_int(a.n_told, 1, "and said");
	is_str(a.got.text, "", "that there is none");
	is_err(ask(&b, "nosuch.example.com"), OK, "for a moment nobody asks again");
	is_str(b.got.reason, "it does not answer", "but hears the reason");
	is_int(n_asked, 1, "one lookup");
	loop_virtual_advance(loop, RESOLVER_AGAIN_US);
	answer = "192.0.2.9";
	is_err(ask(&b, "nosuch.example.com"), ERR_MORE, "then it is asked again");
	loop_virtual_settle(loop);
	is_str(b.got.text, "192.0.2.9", "and found");
	is_str(b.got.reason, "", "without a reason left over");
	end();
}

static void who_stops_is_not_told(void)
{
	struct asker a = {0}, b = {0}, c = {0};
	begin();
	a.stops = &b;
	ask(&a, "api.example.com");
	ask(&b, "api.example.com");
	ask(&c, "api.example.com");
	lookup_stop(&c.lookup);
	lookup_stop(&c.lookup);
	loop_virtual_settle(loop);
	is_int(a.n_told, 1, "one is told");
	is_int(b.n_told, 0, "one that another stops is not");
	is_int(c.n_told, 0, "nor one that has given up");
	end();
}

static void the_end_of_the_resolver(void)
{
	struct asker a = {0}, many[RESOLVER_JOBS + 3] = {0};
	begin();
	ask(&a, "api.example.com");
	for (size_t i = 0; i < COUNT_OF(many); i++) {
		char name[32];
		snprintf(name, sizeof name, "host%zu.example.com", i);
		is_err(ask(&many[i], name), ERR_MORE, "name %zu waits", i);
	}
	resolver_free(resolver);
	resolver = NULL;
	ok(a.lookup.name == NULL && many[0].lookup.name == NULL, "nobody waits any more");
	loop_virtual_settle(loop);
	is_int(a.n_told, 0, "or is told");
	end();
}

static void few_at_once(void)
{
	struct asker many[20] = {0};
	begin();
	for (size_t i = 0; i < COUNT_OF(many); i++) {
		char name[32];
		snprintf(name, sizeof name, "host%zu.example.com", i);
		ask(&many[i], name);
	}
	ok(workers_pending(workers) <= RESOLVER_JOBS, "few lookups run at once");
	lookup_stop(&many[19].lookup);
	loop_virtual_settle(loop);
	int n_told = 0;
	for (size_t i = 0; i < COUNT_OF(many); i++)
		n_told += many[i].n_told;
	is_int(n_told, 19, "all are told in the end");
	is_int(n_asked, 19, "and a name that nobody wants any more is not looked up");
	end();
}

static void many_names(void)
{
	struct asker *many = calloc(RESOLVER_NAMES + 1, sizeof *many), a = {0};
	if (!many)
		bail("no memory");
	begin();
	for (size_t i = 0; i < RESOLVER_NAMES; i++) {
		char name[32];
		snprintf(name, sizeof name, "host%zu.example.com", i);
		ask(&many[i], name);
	}
	is_err(ask(&a, "one.more.example.com"), ERR_OVERLOADED, "so many and no more");
	loop_virtual_settle(loop);
	is_err(ask(&a, "one.more.example.com"), ERR_MORE, "unless some are done");
	loop_virtual_settle(loop);
	is_int(n_asked, RESOLVER_NAMES + 1, "all were looked up");
	free(many);
	end();
}

static void doubt(void)
{
	struct asker a = {0};
	begin();
	ask(&a, "api.example.com");
	loop_virtual_settle(loop);
	resolver_doubt(resolver);
	is_err(ask(&a, "api.example.com"), ERR_MORE, "after a suspend it is asked anew");
	loop_virtual_settle(loop);
	is_int(n_asked, 2, "at once");
	end();
}

static void bad_names(void)
{
	struct asker a = {0};
	char text[RESOLVER_NAME_BYTES + 1];
	begin();
	is_err(ask(&a, ""), ERR_INVALID_ARGUMENT, "an empty name");
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	is_err(ask(&a, text), ERR_INVALID_ARGUMENT, "a name that is too long");
	end();
}

static void literals(void)
{
	static const struct {
		const char *text;
		bool is_one;
	} rows[] = {
		{"127.0.0.1",       true },
		{"[::1]",           true },
		{"2001:db8::1",     true },
		{"localhost",       false},
		{"127.1",           false},
		{"2130706433",      false},
		{"0x7f.0.0.1",      false},
		{"api.example.com", false},
		{"",                false},
		{"[]",              false},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		is_int(resolver_is_literal(span_str(rows[i].text)), rows[i].is_one,
			"is \"%s\" an address", rows[i].text);
}

static void the_real_one(void)
{
	struct addresses found = {0};
	resolver_look_up("localhost", &found);
	ok(strstr(found.text, "127.0.0.1") || strstr(found.text, "[::1]"), "localhost: %s%s",
		found.text, found.reason);
}

int main(void)
{
	an_answer_is_kept();
	a_failure_is_bridged();
	a_name_that_is_none();
	who_stops_is_not_told();
	the_end_of_the_resolver();
	few_at_once();
	many_names();
	doubt();
	bad_names();
	literals();
	the_real_one();
	return tap_done();
}
