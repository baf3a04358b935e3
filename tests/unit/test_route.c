/* test_route.c - which targets a model's name means. */
#include "brokerd/route/route.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static const char text[] =
	"[provider \"one\"]\ndialect = openai-chat /x\nbase_url = https://one.example/v1\nmodel = "
	"m1\n"
	"[provider \"two\"]\ndialect = anthropic\nbase_url = https://two.example\nauth = "
	"header:x-api-key\n"
	"[model \"fast\"]\ntarget = one/a\ntarget = two/b/c\nprice_input = 1\nprice_output = 2\n"
	"[model \"one/a\"]\nprice_input = 0.5\nprice_output = 5\ncontext = 1000\n";

static const struct {
	const char *name, *model, *keys; /* names of providers with a key */
	enum err want;
	const char *first; /* PROVIDER/MODEL */
	size_t n;
	bool is_offline;
} cases[] = {
	{"a provider and its model",                      "one/a",     "",        OK,                "one/a",        1, false},
	{"all behind the first slash is the model",       "one/a/b:c", "",        OK,                "one/a/b:c",    1, false},
	{"an alias, in order",                            "fast",      "",        OK,                "one/a",        2, false},
	{"nobody by that name",                           "three/x",   "",        ERR_NOT_FOUND,     NULL,           0, false},
	{"one without an address",                        "bedrock/x", "",        ERR_MISCONFIGURED, NULL,           0, false},
	{"a provider and no model",                       "one/",      "",        ERR_NOT_FOUND,     NULL,           0, false},
	{"a slash alone",				 "/",         "",        ERR_NOT_FOUND,     NULL,           0, false},
	{"the default where nobody has a key",            "default",   "",        OK,                "offline/echo", 1, true },
	{"nothing said is the default",                   "",          "",        OK,                "offline/echo", 1, true },
	{"the default of the one with a key and a model", "",          "two,one", OK,                "one/m1",       1, false},
	{"one with a key and no model is not it",         "",          "two",     OK,                "offline/echo", 1, true },
	{"a bare name where one alone has a key",         "b",         "two",     OK,                "two/b",        1, false},
	{"a bare name where several have one",            "b",         "one,two", ERR_NOT_FOUND,     NULL,           0, false},
	{"a bare name where nobody has one",              "b",         "",        ERR_NOT_FOUND,     NULL,           0, false},
};

/* Names of providers, or of one and a label: "one,two/work,two/spare". */
static bool key_at(const void *context, struct span provider, size_t i, struct span *label)
{
	struct span names = span_str(context);
	while (names.n > 0) {
		struct span rest = span_cut(&names, ',');
		if (!span_eq(span_cut(&rest, '/'), provider))
			continue;
		*label = span_is_set(rest) ? rest : SPAN("");
		if (i-- == 0)
			return true;
	}
	return false;
}

static void names(const struct config *c)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct route_keys keys = {key_at, cases[i].keys};
		struct fault why = FAULT_NONE;
		struct route r;
		struct arena a;
		arena_init(&a, MIB);
		is_err(route_find(c, span_str(cases[i].model), &keys, &a, &r, &why), cases[i].want,
			"%s", cases[i].name);
		if (cases[i].want) {
			ok(why.message[0] != '\0', "%s: a sentence: %s", cases[i].name,
				why.message);
		} else {
			OWNED(buf_done) struct buf first = BUF_INIT(KIB);
			buf_span(&first, r.targets[0].provider);
			buf_byte(&first, '/');
			buf_span(&first, r.targets[0].model);
			ok(span_is(buf_view(&first), cases[i].first), "%s: %.*s", cases[i].name,
				SPAN_ARG(buf_view(&first)));
			is_uint(r.n, cases[i].n, "%s: how many", cases[i].name);
			is_int(r.is_fallback_offline, cases[i].is_offline, "%s: for want of a key",
				cases[i].name);
		}
		arena_done(&a);
	}
}

/* What sections say of one model, together: the alias's, a wide pattern's, a narrower one's, its own. */
static void sections(void)
{
	static const char many[] =
		"[provider \"acme\"]\ndialect = openai-chat\ndialect = anthropic\n"
		"base_url = https://acme.example/v1\n"
		"[model \"acme/m10\"]\nseed = no\n"
		"[model \"acme/*mini\"]\nprice_output = 3\n"
		"[model \"acme/m1*\"]\nprice_input = 7\nprice_output = 8\ncontext = 900\n"
		"[model \"acme/m11\"]\nprice_output = 9\n"
		"[model \"nick\"]\ntarget = acme/m11\ntarget = acme/else\nprice_input = 4\n"
		"price_cache_read = 5\nmax_output = 77\ntools_max = 3\ndialect = anthropic\n";
	const struct route_keys keys = {key_at, ""};
	struct fault why = FAULT_NONE;
	struct target t, other;
	struct route r;
	struct arena a;
	struct config *c = config_parse(span_str(many), "t.conf", &why);
	if (!c)
		bail("%s", why.message);
	is_err(route_target(c, SPAN("acme"), SPAN("m10"), &t, &why), OK, "a model");
	is_int(t.price.input, INT64_C(7000000000), "its section does not hide the pattern's price");
	ok(!t.quirks.has_seed, "and its trait holds");
	is_err(route_target(c, SPAN("acme"), SPAN("m11"), &t, &why), OK, "another");
	is_int(t.price.output, INT64_C(9000000000), "the more exact one wins");
	is_int(t.price.input, INT64_C(7000000000), "member by member");
	is_err(route_target(c, SPAN("acme"), SPAN("q-mini"), &t, &why), OK, "by its end");
	is_int(t.price.output, INT64_C(3000000000), "a pattern that begins with *");
	is_err(route_target(c, SPAN("acme"), SPAN("m1-mini"), &t, &why), OK, "by both");
	is_int(t.price.output, INT64_C(3000000000), "the longer one wins");
	is_int(t.context_tokens, 900, "the shorter one's stays");
	arena_init(&a, MIB);
	is_err(route_find(c, SPAN("nick"), &keys, &a, &r, &why), OK, "an alias with facts");
	is_int(r.targets[0].price.input, INT64_C(7000000000), "a model's own sections beat it");
	is_int(r.targets[0].price.cache_read, INT64_C(5000000000), "key by key");
	is_int(r.targets[0].max_output_tokens, 77, "sizes too");
	is_int(r.targets[1].price.input, INT64_C(4000000000), "where there are none it holds");
	is_int(r.targets[1].quirks.tools_max, 3, "traits as well");
	ok(span_is(r.targets[1].family, "anthropic"), "even the dialect");
	ok(route_in_dialect(c, 0, &r.targets[1], &other), "in another dialect");
	is_int(other.quirks.tools_max, 3, "they are the same");
	is_err(route_target(c, SPAN("acme"), SPAN("else"), &t, &why), OK, "by its own name");
	is_int(t.price.input, -1, "the alias says nothing of it");
	arena_done(&a);
	config_unref(c);
}

static void facts(const struct config *c)
{
	const struct route_keys keys = {key_at, ""};
	struct fault why = FAULT_NONE;
	struct route r;
	struct arena a;
	arena_init(&a, MIB);
	is_err(route_find(c, SPAN("fast"), &keys, &a, &r, &why), OK, "the alias");
	is_int(r.targets[0].price.input, 500000000, "a model's own price comes first");
	is_int(r.targets[0].context_tokens, 1000, "and its context");
	is_int(r.targets[1].price.input, 1000000000, "the alias's where it has none");
	ok(span_is(r.targets[1].origin, "https://two.example:443"), "where it is");
	ok(span_is(r.targets[1].auth_header, "x-api-key"), "how it is asked");
	ok(span_is(r.targets[0].path, "/x") && !span_is_set(r.targets[1].path),
		"its own path, if any");
	arena_done(&a);
}

int main(void)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(text), "t.conf", &why);
	if (!c)
		bail("%s", why.message);
	names(c);
	facts(c);
	sections();
	config_unref(c);
	return tap_done();
}
