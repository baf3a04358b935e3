/* test_exchange_body.c - how much is held of requests that never become whole? */
#include "brokerd/exchange/exchange.h"
#include "protocol/limits.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

static void on_ready(void *context)
{
	(void)context;
}

static struct exchange *begin(struct organs *o)
{
	const struct peer_id peer = {.uid = 1000};
	const struct exchange_caller caller = {on_ready, NULL};
	struct call c = CALL_INIT;
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

int main(void)
{
	struct fault why = FAULT_NONE;
	struct organs o = {.max_body_bytes = 2500, .ailment = FAULT_NONE};
	o.loop = loop_new(&why);
	o.config = config_parse(SPAN(""), "test", &why);
	ok(o.loop && o.config, "a loop and a configuration");

	struct exchange *a = begin(&o), *b = begin(&o);
	is_int(feed(a, 1000), OK, "the first piece of one");
	is_int(feed(b, 1000), OK, "and of another");
	is_int(feed(a, 1000), ERR_OVERLOADED, "together they reach the limit");
	is_int(feed(a, 500), OK, "what is left may be filled");
	is_int((long long)o.body_bytes, 2500, "what is held is counted");

	struct fault stop = FAULT_NONE;
	fault_set(&stop, ERR_OVERLOADED, "too much");
	exchange_cancel(b, &stop);
	is_int(feed(b, 1000), OK, "pieces of a call that has failed are passed over");
	exchange_free(b);
	is_int((long long)o.body_bytes, 1500, "what ends gives back");
	is_int(feed(a, 1000), OK, "and others may have it");
	exchange_free(a);
	is_int((long long)o.body_bytes, 0, "nothing is left");

	config_unref(o.config);
	loop_free(o.loop);
	return tap_done();
}
