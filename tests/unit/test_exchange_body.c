/* test_exchange_body.c - how much is held of requests that never become whole? */
#include "brokerd/exchange/exchange.h"
#include "protocol/limits.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

static void on_ready(void *context)
{
	(void)context;
}

static struct exchange *begin(struct organs *o, enum call_kind kind)
{
	const struct peer_id peer = {.uid = 1000};
	const struct exchange_caller caller = {on_ready, NULL};
	struct call c = CALL_INIT;
	c.kind = kind;
	c.surface.method = SPAN("POST");
	if (kind == CALL_RELAY)
		c.surface.surface = SPAN("openai.chat");
	if (kind == CALL_NATIVE) {
		c.surface.provider = SPAN("here");
		c.surface.path = SPAN("/v1/files");
	}
	static const struct policy_rule rule = {.max_input = -1,
		.max_output = -1,
		.max_cost_nusd = -1,
		.max_calls = -1,
		.max_connections = -1};
	static const struct exchange_bounds bounds = {.allowance = {.rule = &rule}};
	return exchange_new(o, &peer, &bounds, &c, &caller);
}

static enum err feed(struct exchange *x, size_t n)
{
	static const char bytes[1000];
	const struct data d = {.bytes = span_of(bytes, n)};
	struct fault why = FAULT_NONE;
	return exchange_body(x, &d, &why);
}

/* None of them says how long it will be. */
static void together(struct organs *o, enum call_kind kind, const char *name)
{
	struct exchange *a = begin(o, kind), *b = begin(o, kind);
	is_int(feed(a, 1000), OK, "%s: the first piece of one", name);
	is_int(feed(b, 1000), OK, "%s: and of another", name);
	is_int(feed(a, 1000), ERR_OVERLOADED, "%s: together they reach the limit", name);
	is_int(feed(a, 500), OK, "%s: what is left may be filled", name);
	is_int((long long)o->body_bytes, 2500, "%s: what is held is counted", name);

	struct fault stop = FAULT_NONE;
	fault_set(&stop, ERR_OVERLOADED, "too much");
	exchange_refuse(b, &stop);
	is_int(feed(b, 1000), OK, "%s: pieces of a call that has failed are passed over", name);
	is_int((long long)o->body_bytes, 2500, "%s: and not held", name);
	exchange_free(b);
	is_int((long long)o->body_bytes, 1500, "%s: what ends gives back", name);
	is_int(feed(a, 1000), OK, "%s: and others may have it", name);
	exchange_free(a);
	is_int((long long)o->body_bytes, 0, "%s: nothing is left", name);
}

int main(void)
{
	struct fault why = FAULT_NONE;
	struct organs o = {.max_body_bytes = 2500, .ailment = FAULT_NONE};
	o.loop = loop_new(&why);
	o.config = config_parse(SPAN("[provider \"here\"]\nbase_url = https://example.com\n"
				     "dialect = openai-chat /v1/chat/completions\n"),
		"test", &why);
	ok(o.loop && o.config, "a loop and a configuration");

	together(&o, CALL_TYPED, "typed");
	together(&o, CALL_RELAY, "relayed");
	together(&o, CALL_NATIVE, "native");

	spare_done(&o.spare_exchanges);
	spare_done(&o.spare_flights);
	config_unref(o.config);
	loop_free(o.loop);
	return tap_done();
}
