/* test_route.c - which targets a model's name means. */
#include "brokerd/route/route.h"

#include <stdio.h>

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

/* ---- bare names, keys, lists, fallbacks ---- */

/* "one/a work usual|..." */
static void say_target(struct buf *out, const struct target *t)
{
	static const char *const lists[] = {"", " context", " refusal"};
	buf_print(out, "%s%.*s/%.*s", out->n > 0 ? "; " : "", SPAN_ARG(t->provider),
		SPAN_ARG(t->model));
	if (t->key.n > 0)
		buf_print(out, " %.*s", SPAN_ARG(t->key));
	buf_text(out, lists[t->list]);
	if (t->asked > 0)
		buf_print(out, " %zu", t->asked);
}

struct found {
	const char *name, *model, *fallbacks, *keys;
	enum err want;
	const char *says; /* the targets; of an error, a part of its sentence */
	const char *param;
};

static void look(const struct config *c, const struct found *f)
{
	OWNED(buf_done) struct buf all = BUF_INIT(MIB);
	const struct route_keys keys = {key_at, f->keys};
	struct span names[ROUTE_FALLBACKS_MAX + 1], rest = span_str(f->fallbacks);
	struct fault why = FAULT_NONE;
	struct route r;
	struct arena a;
	size_t n = 0;
	while (rest.n > 0)
		names[n++] = span_cut(&rest, ',');
	arena_init(&a, 16 * MIB);
	is_err(route_find_op(c, LLM_OP_CHAT, span_str(f->model), names, n, &keys, &a, &r, &why),
		f->want, "%s", f->name);
	if (f->want) {
		ok(strstr(why.message, f->says) != NULL, "%s: %s", f->name, why.message);
		is_str(why.param, f->param ? f->param : "model", "%s: what is wrong", f->name);
	} else if (r.n > 0) {
		size_t wrong = 0;
		for (size_t i = 0; i < r.n; i++) {
			say_target(&all, &r.targets[i]);
			wrong += i > 0 && r.targets[i].entry != r.targets[i - 1].entry &&
				 r.targets[i].entry != r.targets[i - 1].entry + 1;
		}
		buf_byte(&all, '\0');
		is_str(all.p, f->says, "%s", f->name);
		is_uint(wrong + r.targets[0].entry, 0, "%s: line by line", f->name);
	}
	arena_done(&a);
}

static void lookups(void)
{
	static const char many[] =
		"[provider \"one\"]\ndialect = openai-chat\nbase_url = https://one.example/v1\n"
		"[provider \"two\"]\ndialect = openai-chat\nbase_url = https://two.example/v1\n"
		"key_label = b\nkey_label = a model=m*,big weight=3\nkey_label = gone\n"
		"[provider \"three\"]\ndialect = openai-chat\nbase_url = https://three.example/v1\n"
		"key_label = a model=small\n"
		"[provider \"mine\"]\ndialect = openai-chat\nbase_url = https://mine.example/v1\n"
		"auth = none\n"
		"[provider \"adm\"]\ndialect = openai-chat\nbase_url = https://adm.example/v1\n"
		"key_label = admin\n"
		"[provider \"own\"]\ndialect = openai-chat\nbase_url = https://own.example/v1\n"
		"key_source = file: /k\n"
		"[model \"one/special\"]\ncontext = 5\n[model \"two/special\"]\ncontext = 6\n"
		"[model \"mine/special\"]\ncontext = 7\n[model \"azure/special\"]\ncontext = 7\n"
		"[model \"azure/other\"]\ncontext = 7\n"
		"[model \"fast\"]\nstrategy = weighted\ntarget = one/m\ntarget = two/m weight=2 "
		"app=x\n"
		"target = three/m\n"
		"fallback_context = one/long\nfallback_refusal = two/x\n"
		"fallback_refusal = mine/mild\n"
		"[model \"none\"]\ntarget = three/m\nfallback_context = one/long\n";
	static const struct found rows[] = {
  /* clang-format off */
		{"a bare name that the catalogue has once", "gpt-4o-mini", "", "one,openai,anthropic", OK, "openai/gpt-4o-mini", NULL},
		{"at two", "gpt-oss-120b", "", "sambanova,openai,cerebras", OK,
			"cerebras/gpt-oss-120b; sambanova/gpt-oss-120b", NULL},
		{"and that sections name, in the configuration's order, not in that of keys", "special", "", "two/b,one", OK,
			"one/special; two/special b; mine/special", NULL},
		{"of one that needs no key", "special", "", "", OK, "mine/special", NULL},
		{"not of one without a key", "special", "", "two/b", OK, "two/special b; mine/special", NULL},
		{"one without an address is left out", "special", "", "azure,one", OK, "one/special; mine/special", NULL},
		{"unless it is the only one", "other", "", "azure,one", ERR_MISCONFIGURED, "azure has no address yet", NULL},
		{"a name that nobody knows, with one key", "who", "", "one", OK, "one/who", NULL},
		{"with two", "who", "", "one,two/b", ERR_NOT_FOUND, "several providers have a key: name it as PROVIDER/MODEL", NULL},
		{"a name near to one", "gpt-4o-mimi", "", "openai,anthropic", ERR_NOT_FOUND, "did you mean openai/gpt-4o-mini?", NULL},
		{"near to an alias", "fsat", "", "openai,anthropic", ERR_NOT_FOUND, "did you mean fast?", NULL},
		{"one of a provider without a key", "gpt-4o-mini", "", "one,two/b", ERR_NOT_FOUND, "`llmb key add ", NULL},

		{"all keys of the vault", "one/m", "", "one,one/a,one/b", OK, "one/m; one/m a; one/m b", NULL},
		{"those that are named, in that order, as far as they are there", "two/m", "", "two,two/a,two/b,two/c", OK,
			"two/m b; two/m a", NULL},
		{"those that are for the model", "two/x", "", "two/a,two/b", OK, "two/x b", NULL},
		{"one that is not there is asked for all the same", "two/x", "", "two/c", OK, "two/x b", NULL},
		{"as where there is no key at all", "two/x", "", "", OK, "two/x b", NULL},
		{"even so, one that is for the model", "two/big", "", "two/c", OK, "two/big b", NULL},
		{"of one key, which is not there", "three/small", "", "", OK, "three/small a", NULL},
		{"and not for the model", "three/x", "", "", ERR_NO_KEY, "is for the model x", NULL},
		{"the one that administers is never listed", "adm/x", "", "adm", OK, "adm/x admin", NULL},
		{"no key is for that model", "three/x", "", "three/a", ERR_NO_KEY, "none of the keys that [provider \"three\"] names", NULL},
		{"one is", "three/small", "", "three/a", OK, "three/small a", NULL},
		{"a key of elsewhere", "own/x", "", "own", OK, "own/x", NULL},

		{"an alias with its lists", "fast", "", "one,two/a,two/b", OK,
			"one/m; two/m b; two/m a; three/m a; one/long context; two/x b refusal; mine/mild refusal", NULL},
		{"one whose only line has no key", "none", "", "three/a,one", ERR_NO_KEY, "is for the model m", NULL},
		{"fallbacks of a request", "one/m", "two/x,one/k,fast", "one,two/b", OK,
			"one/m; two/x b 1; one/k 2; two/m b 3; three/m a 3", NULL},
		{"come before the lists", "fast", "one/z", "one,two/b", OK,
			"one/m; two/m b; three/m a; one/z 1; one/long context; two/x b refusal; mine/mild refusal", NULL},
		{"what is there for all is not there twice", "fast", "one/m,one/m,two/m,two/m", "one,two/b", OK,
			"one/m; two/m b; three/m a; two/m b 3; one/long context; two/x b refusal; mine/mild refusal", NULL},
		{"a bare one", "one/m", "special", "one", OK, "one/m; one/special 1; mine/special 1", NULL},
		{"one that means nothing", "one/m", "two/x,four/y", "one", ERR_NOT_FOUND, "no provider is called \"four\"", "fallbacks"},
		{"a bare one that means nothing", "one/m", "what", "one,two/b", ERR_NOT_FOUND, "\"what\" is no alias", "fallbacks"},
		{"the model's own error", "four/m", "two/x", "one", ERR_NOT_FOUND, "no provider is called \"four\"", "model"},
		{"too many", "one/m", "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", "one", ERR_INVALID_REQUEST, "16 other names at most", "fallbacks"},
  /* clang-format on */
	};
	struct fault why = FAULT_NONE;
	struct catalogue *empty = NULL;
	struct config *c = config_parse(span_str(many), "t.conf", &why);
	if (!c || catalogue_new(SPAN(""), &empty, &why))
		bail("%s", why.message);
	config_set_catalogue(c, empty);
	catalogue_unref(empty);         /* it is the configuration's alone, */
	config_set_catalogue(c, empty); /* which may be given the one that it has */
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		look(c, &rows[i]);

	/* what goes along with a target */
	const struct route_keys keys = {key_at, "one,two/a,two/b"};
	struct route r;
	struct arena a;
	arena_init(&a, MIB);
	is_err(route_find(c, SPAN("fast"), &keys, &a, &r, &why), OK, "an alias");
	ok(r.alias == config_model(c, SPAN("fast")), "the route has its section");
	ok(r.targets[1].rule == &r.alias->targets[1] && r.targets[2].rule == r.targets[1].rule,
		"each key of a line has the line's rule");
	ok(!r.targets[0].key_rule, "no rule for a key that no section names");
	is_int(r.targets[2].key_rule->weight, 3, "else it is there");
	ok(span_is(r.targets[2].alias, "fast"), "the alias's name");
	is_err(route_find(c, SPAN("one/m"), &keys, &a, &r, &why), OK, "a model by its name");
	ok(!r.alias && !r.targets[0].rule, "has neither");
	arena_done(&a);
	config_unref(c);
}

static bool many_keys(const void *context, struct span provider, size_t i, struct span *label)
{
	static char name[24];
	(void)context;
	snprintf(name, sizeof name, "k%zu", i);
	*label = span_str(name);
	return span_is(provider, "one") && i < 100;
}

/* A route has an end, and each of its lines the first of its keys. */
static void bounds(const struct config *c)
{
	char all[8192] =
		"[provider \"one\"]\ndialect = openai-chat\nbase_url = https://one.example\n"
		"[model \"x\"]\n";
	for (unsigned i = 0; i < ROUTE_TARGETS_MAX; i++)
		snprintf(all + strlen(all), sizeof all - strlen(all), "target = one/m%u\n", i);
	const struct route_keys keys = {many_keys, NULL};
	struct fault why = FAULT_NONE;
	struct route r;
	struct arena a;
	arena_init(&a, 16 * MIB);
	is_err(route_find(c, SPAN("one/m"), &keys, &a, &r, &why), OK, "one of many keys");
	is_uint(r.n, ROUTE_KEYS_MAX, "has so many of them");
	ok(span_is(r.targets[0].key, "k0") && span_is(r.targets[63].key, "k63"), "the first ones");
	struct config *own = config_parse(span_str(all), "t.conf", &why);
	if (!own)
		bail("%s", why.message);
	is_err(route_find(own, SPAN("x"), &keys, &a, &r, &why), OK, "many lines of many keys");
	is_uint(r.n, ROUTE_MAX, "are a route of the longest");
	size_t wrong = 0;
	for (size_t i = 0; i < r.n; i++)
		wrong += r.targets[i].entry != i / (ROUTE_MAX / ROUTE_TARGETS_MAX);
	is_uint(wrong, 0, "of each line the same number");
	arena_done(&a);
	config_unref(own);
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
	lookups();
	bounds(c);
	config_unref(c);
	return tap_done();
}
