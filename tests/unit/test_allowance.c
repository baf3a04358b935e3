/* test_allowance.c - what do the rules of all on whose behalf a call is made say together? */
#include "brokerd/policy/allowance.h"

#include "tests/lib/tap.h"

static struct span one_model[1];
static struct policy_rule open_rule, narrow_rule;

static void say_rules(void)
{
	one_model[0] = SPAN("a/m");
	open_rule = (struct policy_rule){.name = SPAN("open"),
		.max_input = -1,
		.max_output = -1,
		.max_cost_nusd = -1,
		.cache = POLICY_CACHE_ON,
		.cache_scope = POLICY_SCOPE_USER,
		.cache_semantic = 9000};
	narrow_rule = (struct policy_rule){
		.name = SPAN("narrow"),
		.allow = POLICY_ASK,
		.models = {one_model, 1},
		.max_input = 100,
		.max_output = -1,
		.max_cost_nusd = 7,
		.cache = POLICY_CACHE_ON,
		.cache_semantic = 9500
        };
}

static int64_t semantic_of(const struct allowance *a)
{
	struct allowance_cache may;
	allowance_cache(a, &may);
	return may.semantic;
}

static void test_semantic(void)
{
	static struct policy_rule silent = {.cache = POLICY_CACHE_ON};
	struct allowance first = {.rule = &open_rule},
			 second = {.rule = &narrow_rule, .also = &first};
	is_int(semantic_of(&first), 9000, "as the rule says");
	is_int(semantic_of(&second), 9500, "of two, what is nearer");
	first.rule = &silent;
	is_int(semantic_of(&second), 0, "not where one of them says nothing");
	first.rule = NULL;
	is_int(semantic_of(&second), 0, "nor where one has no rule");
}

static void test_any_model(void)
{
	struct grant grant = {.is_yes = true, .models = "a/m"};
	struct allowance last = {.rule = &open_rule};
	struct allowance from = {
		.rule = &narrow_rule, .grant = &grant, .models = SPAN("a/*"), .also = &last};
	struct allowance to;
	struct fault why = FAULT_NONE;
	OWNED(arena_done) struct arena a;
	int64_t most = 0;
	arena_init(&a, 1 << 20);
	is_err(allowance_model(&from, SPAN("v/e"), SPAN("v"), SPAN("e"), &why), ERR_DENIED,
		"it has one model");
	is_err(allowance_any_model(&a, &from, &to), OK, "and then any");
	why = FAULT_NONE;
	is_err(allowance_model(&to, SPAN("v/e"), SPAN("v"), SPAN("e"), &why), OK, "another too");
	ok(!allowance_limits_models(&to), "nothing is said of models");
	ok(to.rule->allow == POLICY_YES && !to.grant, "nobody is asked");
	ok(span_eq(to.rule->name, narrow_rule.name), "it is counted as that rule's");
	ok(allowance_ceiling(&to, CEILING_INPUT, &most) && most == 100, "ceilings stay");
	ok(allowance_ceiling(&to, CEILING_COST, &most) && most == 7, "of money as well");
	ok(to.also && to.also->rule && span_eq(to.also->rule->name, open_rule.name) &&
			!to.also->also,
		"and so does whoever else is asked for");
	ok(narrow_rule.models.n == 1 && narrow_rule.allow == POLICY_ASK, "the rule is as it was");
}

int main(void)
{
	say_rules();
	test_semantic();
	test_any_model();
	return tap_done();
}
