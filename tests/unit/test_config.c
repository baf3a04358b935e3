/* test_config.c - what does a configuration mean, and what is it told that it does not? */
#include "brokerd/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/config/builtin.h"
#include "brokerd/config/keys.h"
#include "brokerd/value/ops.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define SECOND INT64_C(1000000)

static struct config *parse(const char *text)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(text), "f", &why);
	if (!c)
		bail("%s", why.message);
	return c;
}

static void is_span(struct span got, const char *want, const char *name)
{
	is_mem(got.p, got.n, want, strlen(want), "%s", name);
}

static void test_nothing(void)
{
	struct config *c = parse("");
	size_t n;
	const struct builtin *rows = builtin_rows(&n);

	is_uint(c->n_providers, n, "without a file there are the built-in providers");
	is_uint(c->n_models, 0, "and no aliases");
	is_span(c->log_level, "info", "log_level");
	is_int(c->idle_exit_us, 300 * SECOND, "idle_exit");
	is_int(c->drain_us, 30 * SECOND, "drain");
	is_int(c->request_us, 3600 * SECOND, "request_timeout");
	is_int(c->connect_us, 10 * SECOND, "connect_timeout");
	is_int(c->first_byte_us, 120 * SECOND, "first_byte_timeout");
	is_int(c->reply_us, 600 * SECOND, "reply_timeout");
	is_int(c->idle_us, 90 * SECOND, "idle_timeout");
	is_int(c->token_us, 900 * SECOND, "token_timeout");
	is_int(c->tls_us, 10 * SECOND, "tls_timeout");
	is_int(c->max_connections, 12000, "max_connections");
	is_int(c->max_calls, 2048, "max_calls");
	is_int(c->auto_lock_us, 0, "auto_lock");
	is_int(c->ledger_keep_us, 0, "rows are kept for ever");
	is_int(c->keep_prompts_us, 0, "and prompts not at all");
	is_int(c->keep_prompts_mib, 64, "keep_prompts_mib");
	ok(!c->is_locked_on_resume, "lock_on_resume");
	ok(!span_is_set(c->key_file), "key_file");
	for (size_t i = 0; i < n; i++) {
		const struct provider *p = config_provider(c, span_str(rows[i].name));
		if (!ok(p != NULL, "%s is there", rows[i].name))
			continue;
		ok(p->is_builtin, "and untouched");
		struct span said = span_str(rows[i].dialects[0].dialect);
		ok(p->n_dialects >= 1 && span_eq(p->dialects[0].family, span_cut(&said, ' ')),
			"it speaks its first dialect");
		if (p->is_offline) {
			ok(!span_is_set(p->origin), "and goes nowhere");
			continue;
		}
		if (p->missing) {
			ok(strchr(rows[i].base_url, '{') && !span_is_set(p->base_url),
				"and lacks an address before %s is said", p->missing);
			continue;
		}
		ok(span_starts(p->origin, SPAN("https://")) || p->is_local,
			"by TLS, or to this host");
		ok(p->auth != AUTH_NONE || p->is_local, "with a key, or to this host");
	}
	const struct provider *p = config_provider(c, SPAN("openai"));
	is_span(p->origin, "https://api.openai.com:443", "openai's origin");
	is_span(p->base_url, "https://api.openai.com/v1", "its base URL");
	is_int(p->auth, AUTH_BEARER, "its authentication");
	struct quirks q;
	config_quirks(c, p, 0, SPAN("gpt-4o-mini"), NULL, &q);
	is_span(q.max_tokens_field, "max_completion_tokens", "its bound's name");
	ok(q.is_openai && q.has_seed && !q.has_top_k, "its habits");
	p = config_provider(c, SPAN("anthropic"));
	is_int(p->auth, AUTH_HEADER, "anthropic's authentication");
	is_span(p->auth_header, "x-api-key", "its header");
	config_quirks(c, p, 0, SPAN("claude-sonnet-4-5"), NULL, &q);
	is_span(q.api_version, "2023-06-01", "its version");
	p = config_provider(c, SPAN("ollama"));
	is_span(p->origin, "http://127.0.0.1:11434", "ollama is on this host");
	ok(p->is_local && p->auth == AUTH_NONE, "and asks for no key");
	p = config_provider(c, SPAN("offline"));
	ok(p->is_offline && p->auth == AUTH_NONE, "offline needs nothing");
	is_span(p->model, "echo", "and echoes");
	ok(config_provider(c, SPAN("nobody")) == NULL, "nobody is not there");
	ok(config_model(c, SPAN("gpt")) == NULL, "nor is an alias");
	config_unref(config_ref(c));
	is_uint(c->n_providers, n, "who holds it keeps it");
	config_unref(c);
	config_unref(NULL);
}

/* A path may have the model's name in it. */
static void test_templates(void)
{
	struct config *c =
		parse("[provider \"az\"]\nbase_url = https://r.openai.azure.com/openai\n"
		      "dialect = openai-chat /deployments/{model}/chat/{method}?api-version=1\n");
	is_span(config_provider(c, SPAN("az"))->dialects[0].path,
		"/deployments/{model}/chat/{method}?api-version=1",
		"a path with a place for the model");
	config_unref(c);
	struct fault why = FAULT_NONE;
	ok(!config_parse(SPAN("[provider \"az\"]\ndialect = openai-chat /{mode}/x\n"), "f", &why) &&
			strstr(why.message, "in a path also model or method"),
		"any other word in braces is refused: %s", why.message);
	ok(!config_parse(SPAN("[provider \"az\"]\nbase_url = https://h/{model}\n"), "f", &why),
		"and all are in an address");
}

/* Regions out of addresses. */
static void test_regions(void)
{
	static const struct {
		const char *url, *region;
	} rows[] = {
		{"https://bedrock-runtime.us-east-1.amazonaws.com",                    "us-east-1"    },
		{"https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/x",         "us-gov-west-1"},
		{"https://bedrock-runtime.cn-north-1.amazonaws.com.cn",                "cn-north-1"   },
		{"https://bedrock-runtime.eu-west-3.api.aws:8443",                     "eu-west-3"    },
		{"https://vpce-0a-0b.bedrock-runtime.eu-central-1.vpce.amazonaws.com",
                 "eu-central-1"								       },
		{"https://bedrock.amazonaws.com",                                      ""             },
		{"https://us-east-1.amazonaws.com.example.com",                        ""             },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[300];
		struct fault why = FAULT_NONE;
		snprintf(text, sizeof text,
			"[provider \"x\"]\ndialect = bedrock\nauth = sigv4\nbase_url = %s\n",
			rows[i].url);
		struct config *c = config_parse(span_str(text), "f", &why);
		if (!ok((c != NULL) == (rows[i].region[0] != '\0'), "%s", rows[i].url) || !c)
			continue;
		is_span(config_provider(c, SPAN("x"))->region, rows[i].region, "its region");
		is_span(config_provider(c, SPAN("x"))->service, "bedrock", "its service");
		config_unref(c);
	}
}

/* Proofs that cannot be made. */
static void test_proofs_refused(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"region = us east",					    "f:3:10: region is a name of letters"},
		{"auth = sigv4\nbase_url = https://bedrock.example.com",
                 "f:1:2: [provider \"x\"] needs a region"                                                            },
		{"auth = google\nbase_url = https://h\ntoken_url = http://h/t",
                 "f:5:13: http without TLS would show"							       },
		{"auth = entra\nbase_url = https://h\ntoken_url = h/t",
                 "f:5:13: \"h/t\" is no address"								     },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[300];
		struct fault why = FAULT_NONE;
		snprintf(text, sizeof text, "[provider \"x\"]\ndialect = openai-chat\n%s\n",
			rows[i].text);
		ok(!config_parse(span_str(text), "f", &why), "refused: %s", rows[i].text);
		ok(strncmp(why.message, rows[i].want, strlen(rows[i].want)) == 0, "%s",
			why.message);
	}
}

/* Where tokens come from, and whether what is said of the provider's own address holds there. */
static void test_tokens(void)
{
	struct config *c = parse(
		"[provider \"v\"]\ndialect = gemini\nauth = google\nlocal = yes\nca_file = /ca\n"
		"base_url = https://aiplatform.googleapis.com\n"
		"[provider \"a\"]\ndialect = openai-chat\nauth = entra\ntenant = my.org\n"
		"base_url = https://r.openai.azure.com/openai/v1\nscope = api://x/.default\n"
		"[provider \"o\"]\ndialect = openai-chat\nauth = entra\nlocal = yes\nca_file = "
		"/ca\n"
		"base_url = https://r.example\ntoken_url = https://login.example:444/t\n"
		"[provider \"s\"]\ndialect = bedrock\nauth = sigv4\nbase_url = "
		"https://aws.example\n"
		"region = us-west-2\nservice = sagemaker\n");
	const struct provider *p = config_provider(c, SPAN("v"));
	is_int(p->auth, AUTH_GOOGLE, "auth = google");
	is_span(p->token.url, "https://oauth2.googleapis.com/token", "Google's endpoint");
	is_span(p->token.origin, "https://oauth2.googleapis.com:443", "its origin");
	is_span(p->token.scope, "https://www.googleapis.com/auth/cloud-platform", "its scope");
	ok(!p->token.is_local && !span_is_set(p->token.ca_file), "which is no local one");
	p = config_provider(c, SPAN("a"));
	is_int(p->auth, AUTH_ENTRA, "auth = entra");
	is_span(p->token.url, "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
		"Entra's endpoint");
	is_span(p->token.origin, "https://login.microsoftonline.com:443", "its origin");
	is_span(p->token.tenant, "my.org", "tenant");
	is_span(p->token.scope, "api://x/.default", "scope");
	p = config_provider(c, SPAN("o"));
	is_span(p->token.origin, "https://login.example:444", "an endpoint of one's own");
	is_span(p->token.scope, "https://cognitiveservices.azure.com/.default", "the usual scope");
	ok(p->token.is_local, "may be local");
	is_span(p->token.ca_file, "/ca", "and has the CA file");
	p = config_provider(c, SPAN("s"));
	is_span(p->region, "us-west-2", "region");
	is_span(p->service, "sagemaker", "service");
	config_unref(c);
}

/* By which model words are compared, and where. */
static void test_semantic(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"[policy \"p\"]\ncache_semantic = 0.9",
                 "f:1:2: [policy \"p\"] has cache_semantic, and nothing says"                                                      },
		{"[policy \"p\"]\ncache_semantic = 0",
                 "f:2:18: this is a number above 0 and at most 1"                                                                  },
		{"[policy \"p\"]\ncache_semantic = 1.0001",                                "f:2:18: this is a number"              },
		{"[policy \"p\"]\ncache_semantic = -0.5",                                  "f:2:18: this is a number"              },
		{"[policy \"p\"]\ncache_semantic = near",                                  "f:2:18: this is a number"              },
		{"[cache]\nembed_model = vectors",                                         "f:2:15: no model is called \"vectors\""},
		{"[cache]\nembed_model = opanai/x",
                 "f:2:15: no provider is called \"opanai\": did you mean \"openai\"?"                                              },
		{"[cache]\nembed_model = azure/x",                                         "f:2:15: azure has no address yet"      },
		{"[cache]\nembed_model = openai/x\n[model \"openai/x\"]\nprice_input = 1", NULL                                    },
		{"[cache]\nembed_model = vectors\n[model \"vectors\"]\ntarget = openai/x", NULL                                    },
		{"[policy \"p\"]\ncache_semantic = never",                                 NULL                                    },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fault why = FAULT_NONE;
		struct config *c = config_parse(span_str(rows[i].text), "f", &why);
		const char *want = rows[i].want;
		ok((c == NULL) == (want != NULL), "%s", rows[i].text);
		ok(!want || strncmp(why.message, want, strlen(want)) == 0, "%s", why.message);
		config_unref(c);
	}
	struct config *c =
		parse("[policy \"p\"]\ncache_semantic = 0.95\n[policy \"q\"]\ncache_semantic = 1\n"
		      "[policy \"r\"]\n"
		      "[cache]\nembed_model = openai/small\nembed_timeout = 500ms\nvectors = 7\n"
		      "vectors_mib = 3\n");
	is_int(c->policy[0].cache_semantic, 9500, "a cosine");
	is_int(c->policy[1].cache_semantic, COSINE_ONE, "of one");
	is_int(c->policy[2].cache_semantic, 0, "none is usual");
	is_span(c->embed_model, "openai/small", "embed_model");
	is_int(c->embed_us, 500000, "embed_timeout");
	is_int(c->vectors, 7, "vectors");
	is_int(c->vectors_mib, 3, "vectors_mib");
	config_unref(c);
	c = parse("");
	ok(!span_is_set(c->embed_model), "nothing is compared as a rule");
	is_int(c->embed_us, 2000000, "the usual embed_timeout");
	is_int(c->vectors, 100000, "the usual vectors");
	is_int(c->vectors_mib, 512, "the usual vectors_mib");
	config_unref(c);
}

static void test_everything(void)
{
	struct config *c = parse(
		"# all of it\n"
		"[broker]\nlog_level = debug\nidle_exit = never\ndrain = 1.5s\nrequest_timeout = "
		"5m\n"
		"connect_timeout = 250ms\nfirst_byte_timeout = 3m\nfirst_token_timeout = "
		"7m\nreply_timeout = "
		"4m\nidle_timeout = 1h\n"
		"max_connections = 1\nmax_calls = 1000000\n"
		"[vault]\nauto_lock = 15m\nlock_on_resume = yes\nkey_file = /etc/key\n"
		"[ledger]\nkeep = 400d\nkeep_prompts = 7d\nkeep_prompts_mib = 1\n"
		"[provider \"mine\"]\ndialect = openai-chat\ndialect = anthropic "
		"/claude/v1/messages\n"
		"base_url = https://LLM.Example.com:8443/api?version=1\nauth = header:X-Token\n"
		"model = big\nca_file = /etc/ca.pem\nlocal = yes\nmax_tokens_field = "
		"max_completion_tokens\n"
		"system_role = developer\nstream_options = yes\njson_schema = no\nstrict_tools = "
		"on\n"
		"parallel_tool_calls = true\nseed = off\npenalties = false\nlogit_bias = "
		"1\nlogprobs = 1\nn = 1\n"
		"top_k = 1\nfile_parts = 1\nreasoning_history = field\nopenai_rules = 1\n"
		"anthropic_version = 2024-01-01\n"
		"[model \"fast\"]\ntarget = mine/small\ntarget = openrouter/a/b\n"
		"[model \"mine/big\"]\nprice_input = 2.50\nprice_output = $10\nprice_cache_read = "
		"0.25 "
		"USD\n"
		"price_cache_write_5m = 3\nprice_cache_write_1h = 4\nprice_reasoning = 0\n"
		"price_audio_input = 5\nprice_audio_output = 6\nprice_image_input = 7\n"
		"price_image_output = 0.000000001\n"
		"context = 128000\nmax_output = 4096\n");

	is_span(c->log_level, "debug", "log_level");
	is_int(c->idle_exit_us, 0, "idle_exit");
	is_int(c->drain_us, SECOND * 3 / 2, "drain");
	is_int(c->request_us, 300 * SECOND, "request_timeout");
	is_int(c->connect_us, SECOND / 4, "connect_timeout");
	is_int(c->first_byte_us, 180 * SECOND, "first_byte_timeout");
	is_int(c->first_token_us, 420 * SECOND, "first_token_timeout");
	is_int(c->reply_us, 240 * SECOND, "reply_timeout");
	is_int(c->idle_us, 3600 * SECOND, "idle_timeout");
	is_int(c->max_connections, 1, "max_connections");
	is_int(c->max_calls, 1000000, "max_calls");
	is_int(c->auto_lock_us, 900 * SECOND, "auto_lock");
	is_int(c->ledger_keep_us, 400 * 86400 * SECOND, "ledger keep");
	is_int(c->keep_prompts_us, 7 * 86400 * SECOND, "keep_prompts");
	is_int(c->keep_prompts_mib, 1, "keep_prompts_mib");
	ok(c->is_locked_on_resume, "lock_on_resume");
	is_span(c->key_file, "/etc/key", "key_file");

	const struct provider *p = config_provider(c, SPAN("mine"));
	is_uint(p->n_dialects, 2, "two dialects");
	is_span(p->dialects[0].family, "openai-chat", "the first");
	ok(!span_is_set(p->dialects[0].path), "on its usual path");
	is_span(p->dialects[1].family, "anthropic", "the second");
	is_span(p->dialects[1].path, "/claude/v1/messages", "on another");
	is_span(p->origin, "https://llm.example.com:8443", "origin");
	is_span(p->base_url, "https://LLM.Example.com:8443/api?version=1", "base_url");
	is_int(p->auth, AUTH_HEADER, "auth");
	is_span(p->auth_header, "X-Token", "its header");
	is_span(p->model, "big", "model");
	is_span(p->ca_file, "/etc/ca.pem", "ca_file");
	ok(p->is_local && !p->is_plain_loopback_allowed && !p->is_builtin && !p->is_offline,
		"what");
	struct quirks quirks, *q = &quirks;
	config_quirks(c, p, 0, SPAN("some"), NULL, q);
	is_span(q->max_tokens_field, "max_completion_tokens", "max_tokens_field");
	is_span(q->system_role, "developer", "system_role");
	ok(q->has_stream_options, "stream_options");
	ok(!q->has_json_schema, "json_schema");
	ok(q->has_strict_tools, "strict_tools");
	ok(q->has_parallel_flag, "parallel_tool_calls");
	ok(!q->has_seed, "seed");
	ok(!q->has_penalties, "penalties");
	ok(q->has_logit_bias, "logit_bias");
	ok(q->has_logprobs, "logprobs");
	ok(q->has_n, "n");
	ok(q->has_top_k, "top_k");
	ok(q->has_file_parts, "file_parts");
	is_int(q->reasoning_history, REASONING_HISTORY_FIELD, "reasoning_history");
	ok(q->is_openai, "openai_rules");
	is_span(q->api_version, "2024-01-01", "anthropic_version");

	const struct model *m = config_model(c, SPAN("fast"));
	is_uint(m->n_targets, 2, "two targets");
	is_span(m->targets[0].provider, "mine", "the first's provider");
	is_span(m->targets[0].model, "small", "and model");
	is_span(m->targets[1].provider, "openrouter", "the second's provider");
	is_span(m->targets[1].model, "a/b", "and model");
	is_int(m->price.input, -1, "no price is not known");
	is_int(m->context_tokens, -1, "nor is a context");
	m = config_model(c, SPAN("mine/big"));
	is_uint(m->n_targets, 0, "facts have no target");
	is_int(m->price.input, INT64_C(2500000000), "price_input");
	is_int(m->price.output, INT64_C(10000000000), "price_output");
	is_int(m->price.cache_read, INT64_C(250000000), "price_cache_read");
	is_int(m->price.cache_write_5m, INT64_C(3000000000), "price_cache_write_5m");
	is_int(m->price.cache_write_1h, INT64_C(4000000000), "price_cache_write_1h");
	is_int(m->price.reasoning, 0, "price_reasoning");
	is_int(m->price.audio_input, INT64_C(5000000000), "price_audio_input");
	is_int(m->price.audio_output, INT64_C(6000000000), "price_audio_output");
	is_int(m->price.image_input, INT64_C(7000000000), "price_image_input");
	is_int(m->price.image_output, INT64_C(1), "price_image_output");
	is_int(m->context_tokens, 128000, "context");
	is_int(m->max_output_tokens, 4096, "max_output");
	config_unref(c);
}

static void test_overlay(void)
{
	struct config *c =
		parse("[provider \"openai\"]\nbase_url = https://proxy.example/v1\n"
		      "seed = no\n[provider \"groq\"]\ndialect = anthropic\n"
		      "[provider \"own\"]\ndialect = openai-chat\nbase_url = https://h/\n"
		      "auth = none\nseed = no\nn = yes\n");
	const struct provider *p = config_provider(c, SPAN("openai"));
	ok(!p->is_builtin, "a row that a section touched");
	is_span(p->origin, "https://proxy.example:443", "goes elsewhere");
	is_span(p->model, "gpt-4o-mini", "and is the same else");
	struct quirks q;
	config_quirks(c, p, 0, SPAN("gpt-4o-mini"), NULL, &q);
	ok(!q.has_seed && q.has_penalties, "but for what was said");
	is_uint(p->n_dialects, 2, "its dialects stay");
	ok(config_provider(c, SPAN("groq"))->n_dialects == 1, "a list replaces the row's");
	is_span(config_provider(c, SPAN("groq"))->dialects[0].family, "anthropic", "as a whole");
	config_quirks(c, config_provider(c, SPAN("groq")), 0, SPAN("some"), NULL, &q);
	is_span(q.api_version, "2023-06-01", "what a family cannot do without comes along");
	p = config_provider(c, SPAN("own"));
	config_quirks(c, p, 0, SPAN("some"), NULL, &q);
	ok(!q.has_seed && q.has_n, "a provider's own words count");
	ok(q.has_json_schema && q.has_stream_options && !q.has_top_k,
		"the rest is what strangers can be expected to know");
	is_span(q.max_tokens_field, "max_tokens", "by its usual name");
	is_int(p->auth, AUTH_NONE, "without a key where it says so");
	config_unref(c);
}

/* Addresses with names in braces, headers, and which dialect speaks. */
static void test_places(void)
{
	struct config *c = parse("[provider \"azure\"]\nresource = mine\n"
				 "[provider \"vertex\"]\nproject = p-1\nlocation = global\n"
				 "[provider \"openrouter\"]\nheader = X-Title: my app\nheader = "
				 "HTTP-Referer: https://example.com\n"
				 "[model \"openai/some*\"]\ndialect = openai-responses\n"
				 "[provider \"bedrock\"]\n");
	const struct provider *p = config_provider(c, SPAN("azure"));
	is_span(p->base_url, "https://mine.openai.azure.com/openai/v1", "a name filled in");
	is_span(p->origin, "https://mine.openai.azure.com:443", "and bound to");
	p = config_provider(c, SPAN("vertex"));
	is_span(p->base_url, "https://aiplatform.googleapis.com/v1",
		"a host that follows from one");
	is_span(p->dialects[0].path,
		"/projects/p-1/locations/global/publishers/google/models/{model}:{method}",
		"paths, but for what is the dialect's");
	is_uint(config_dialect_of(c, p, SPAN("claude-sonnet-4-5"), NULL), 1,
		"a rule names the dialect");
	is_uint(config_dialect_of(c, p, SPAN("gemini-2.5-pro"), NULL), 0, "else it is the first");
	p = config_provider(c, SPAN("openai"));
	is_uint(config_dialect_of(c, p, SPAN("o3-pro"), NULL), 1, "models of one dialect alone");
	is_uint(config_dialect_of(c, p, SPAN("something"), NULL), 1, "a section's word");
	is_uint(config_dialect_of(c, p, SPAN("gpt-4o-mini"), NULL), 0, "and the rest");
	p = config_provider(c, SPAN("openrouter"));
	is_uint(p->n_headers, 2, "two headers");
	is_span(p->headers[0].name, "X-Title", "the first's name");
	is_span(p->headers[1].value, "https://example.com", "the second's value");
	p = config_provider(c, SPAN("bedrock"));
	is_str(p->missing, "region", "what is not set is named, and is no error");
	ok(!span_is_set(p->base_url) && !span_is_set(p->origin), "and there is no address");
	struct quirks q;
	struct span path;
	config_quirks(c, config_provider(c, SPAN("github")), 0, SPAN("x"), NULL, &q);
	ok(ops_serve(q.ops, SPAN("models"), &path) && span_is(path, "//catalog/models"),
		"an operation on a path of its own");
	ok(ops_serve(q.ops, SPAN("chat"), &path) && !span_is_set(path), "one on the usual path");
	ok(!ops_serve(q.ops, SPAN("rerank"), NULL), "one that is not served");
	ok(ops_serve(SPAN_NONE, SPAN("rerank"), NULL), "without a list everything is");
	config_unref(c);
}

/* Whose word counts: the family's, the row's, the rules for the name, the section's, the model's. */
static void test_quirks(void)
{
	struct config *c =
		parse("[provider \"anthropic\"]\nprefill = no\n"
		      "[model \"anthropic/claude-3*\"]\nstops_max = 5\ntop_k = no\n"
		      "[model \"anthropic/claude-3-5-*\"]\nstops_max = 6\nmax_output = 7\n"
		      "[model \"anthropic/claude-3-5-haiku\"]\nprefill = plain\n"
		      "[provider \"mine\"]\ndialect = openai-chat\nbase_url = https://h/\n"
		      "rules = openai\n");
	const struct provider *p = config_provider(c, SPAN("anthropic"));
	struct quirks q;
	config_quirks(c, p, 0, SPAN("claude-sonnet-4-5"), NULL, &q);
	is_int(q.reasoning_by, REASONING_BY_BUDGET, "a rule for the name");
	is_int(q.tokens_max, 64000, "with a number");
	is_int(q.prefill, PREFILL_NO, "the section beats the rule");
	ok(q.has_top_k && q.has_file_parts, "the row's stay");
	config_quirks(c, p, 0, SPAN("claude-opus-4-8-20270101"), NULL, &q);
	is_int(q.reasoning_by, REASONING_BY_ADAPTIVE, "the longest pattern holds");
	ok(words_have(q.efforts, SPAN("xhigh")) && !words_have(q.efforts, SPAN("none")),
		"its efforts");
	config_quirks(c, p, 0, SPAN("claude-3-5-sonnet"), NULL, &q);
	is_int(q.stops_max, 6, "the longer of two patterns of the file");
	ok(!q.has_top_k, "over the shorter one, whose other words stay");
	config_quirks(c, p, 0, SPAN("claude-3-5-haiku"), NULL, &q);
	is_int(q.prefill, PREFILL_PLAIN, "the model's own section beats all");
	struct said_facts said;
	config_facts(c, SPAN("anthropic"), SPAN("claude-3-5-x"), NULL, &said);
	is_int(said.max_output_tokens, 7, "facts by pattern");
	config_facts(c, SPAN("anthropic"), SPAN("claude-4"), NULL, &said);
	is_int(said.max_output_tokens, -1, "or none");
	config_quirks(c, config_provider(c, SPAN("mine")), 0, SPAN("o3-mini"), NULL, &q);
	is_int(q.reasons, REASONS_ALWAYS, "another's rules, by name");
	config_unref(c);
}

#define OWN "[provider \"x\"]\ndialect = openai-chat\n"
static const struct {
	const char *name, *text, *want;
} wrongs[] = {
	{"rules of nobody",			      "[provider \"openai\"]\nrules = opennai",
         "f:2:9: rules names whose rules hold"															},
	{"errors of nobody",			     "[provider \"openai\"]\nerrors = grok",
         "f:2:10: errors names a built-in provider"														   },
	{"a word that is none of a list",                "[provider \"openai\"]\ndrops = seed, temprature",
         "f:2:9: \"temprature\" is none of drops's words"													     },
	{"an operation that is none",                    "[provider \"openai\"]\nops = chat,embd",
         "f:2:7: \"embd\" is none of ops's words"														     },
	{"an operation's path without its slash",        "[provider \"openai\"]\nops = chat,embed:v1/e",
         "f:2:7: the path of embed begins with a /"														   },
	{"a dialect that is none",                       "[model \"openai/x\"]\ndialect = openai-respnses",
         "f:2:11: dialect is one of"																  },
	{"an unknown section",                           "[brokre]",
         "f:1:2: there is no section [brokre]: did you mean [broker]?"												},
	{"one far from all",			     "[elsewhere]",						 "f:1:2: there is no section [elsewhere]"      },
	{"an unknown key",			       "[broker]\n log_levle = info",
         "f:2:2: [broker] has no key log_levle: did you mean log_level?"											      },
	{"another section's key",                        "[broker]\nkey_file = /x",                                     "f:2:1: [broker] has no key key_file"         },
	{"a key twice",				  "[broker]\ndrain = 1s\ndrain = 2s",
         "f:3:1: drain was given before, on line 2"														   },
	{"a section twice",			      "[broker]\n[vault]\n[broker]",
         "f:3:2: this section was there before, on line 1"													    },
	{"a provider twice",			     "[provider \"a\"]\n[provider \"a\"]",
         "f:2:2: this section was there before, on line 1"													    },
	{"a section without its name",                   "[provider]",                                                  "f:1:2: this section needs a name"            },
	{"a name too many",			      "[broker \"x\"]",					      "f:1:2: there is one [broker], without a name"},
	{"a provider with a slash",                      "[provider \"a/b\"]",                                          "f:1:2: a provider's name is made of"         },
	{"no word",				      "[broker]\nlog_level = inof",
         "f:2:13: log_level is one of "
		"error|warn|info|debug: did you mean info?"													   },
	{"no time",				      "[broker]\ndrain = 30",                                        "f:2:9: drain is a time with its unit"        },
	{"never, where that cannot be",                  "[broker]\nconnect_timeout = never",
         "f:2:19: connect_timeout is a time"															  },
	{"a time too long",			      "[broker]\ndrain = 2h",                                        "f:2:9: drain is from 1ms to 1h"              },
	{"rows that go before a month is over",          "[ledger]\nkeep = 31d",
         "f:2:8: keep is from 32d to 36500d, or never"														},
	{"rows that stay for what is no time",           "[ledger]\nkeep = long",
         "f:2:8: keep is a time with its unit: 250ms, 30s, 5m, 2h, 7d, or never"                                                                                      },
	{"a time too short",			     "[broker]\nrequest_timeout = 0s",                              "f:2:19: request_timeout is from"             },
	{"no number",				    "[broker]\nmax_calls = many",                                  "f:2:13: max_calls is a whole number from 1"  },
	{"none at all",				  "[broker]\nmax_calls = 0",                                     "f:2:13: max_calls is a whole number from 1"  },
	{"no yes or no",				 OWN "local = maybe",                                           "f:3:9: this is yes or no"                    },
	{"a relative path",			      "[vault]\nkey_file = key",                                     "f:2:12: a path begins with a slash"          },
	{"no price",				     "[model \"openai/x\"]\nprice_input = cheap",                   "f:2:15: a price is dollars"                  },
	{"a price for one token",                        "[model \"openai/x\"]\nprice_input = 2000000",
         "f:2:15: this is over"																       },
	{"a price below nothing",                        "[model \"openai/x\"]\nprice_input = -1",                      "f:2:15: a price is"                          },
	{"a price without end",                          "[model \"openai/x\"]\nprice_input = inf",
         "f:2:15: a price is dollars"																 },
	{"a price that is no number",                    "[model \"openai/x\"]\nprice_input = NaN",
         "f:2:15: a price is dollars"																 },
	{"a price with an exponent",                     "[model \"openai/x\"]\nprice_input = 1e400",
         "f:2:15: a price is dollars"																 },
	{"a price with a comma",                         "[model \"openai/x\"]\nprice_input = 0,15",
         "f:2:15: a price is dollars"																 },
	{"a price of too many figures",                  "[model \"openai/x\"]\nprice_input = 99999999999999999999",
         "f:2:15: a price is dollars"																 },
	{"a price finer than we count",                  "[model \"openai/x\"]\nprice_input = 0.0000000001",
         "f:2:15: a price is dollars"																 },
	{"what budgets count, below nothing",            "[broker]\nunknown_price = -3",
         "f:2:17: a price is dollars"																 },
	{"a dialect that is none",                       "[provider \"x\"]\ndialect = smtp",
         "f:2:11: \"smtp\" is no dialect"															     },
	{"a path that is none",                          "[provider \"x\"]\ndialect = anthropic v1",
         "f:2:11: behind the dialect there may be a path"													     },
	{"a header that carries a key",                  OWN "header = X-Api-Key: x",
         "f:3:10: a header that may carry a key"														      },
	{"another one",				  OWN "header = Authorization: x",                               "f:3:10: a header that may carry a key"       },
	{"no header",				    OWN "header = X-Title",                                        "f:3:10: a header is NAME: VALUE"             },
	{"a header of ours",			     OWN "header = Accept: x",                                      "f:3:10: the Accept header has another use"   },
	{"a name in braces that is none",                "[provider \"x\"]\nbase_url = https://{x}/",
         "f:2:12: in an address, braces hold"															 },
	{"braces that are open",                         "[provider \"x\"]\nbase_url = https://{region/",
         "f:2:12: in an address, braces hold"															 },
	{"the dialect's names in an address",            "[provider \"x\"]\nbase_url = https://{model}/",
         "f:2:12: in an address, braces hold"															 },
	{"a value that is no name",                      "[provider \"azure\"]\nresource = a/b",
         "f:2:12: resource is a name of letters"														      },
	{"a target without an address",                  "[model \"x\"]\ntarget = azure/y",
         "f:2:10: azure has no address yet: add resource"													     },
	{"no authentication",                            OWN "auth = basic",                                            "f:3:8: auth is bearer, header:NAME, sigv4"   },
	{"a header without a name",                      OWN "auth = header:",                                          "f:3:8: header: is followed by"               },
	{"a header with a space",                        OWN "auth = header:a b",                                       "f:3:8: header: is followed by"               },
	{"a header that is ours",                        OWN "auth = header:Host",
         "f:3:8: the Host header has another use"														     },
	{"no dialect",				   "[broker]\n[provider \"x\"]\nbase_url = https://h",
         "f:2:2: [provider \"x\"] needs a dialect"														    },
	{"no address",				   OWN,							   "f:1:2: [provider \"x\"] needs a base_url"    },
	{"an address without a scheme",                  OWN "base_url = h/v1",                                         "f:3:12: \"h/v1\" is no address"              },
	{"an address with a password",                   OWN "base_url = https://u:p@h/",                               "f:3:12: the address"                         },
	{"an address with a fragment",                   OWN "base_url = https://h/#x",
         "f:3:12: an address cannot hold what is at its character 11"												 },
	{"plain http",				   OWN "base_url = http://h.example/",                            "f:3:12: http without TLS would show"         },
	{"plain http, allowed",                          OWN "allow_plain_loopback = yes\nbase_url = http://10.0.0.1/",
         "f:4:12: http without TLS would show"															},
	{"plain http to a name like an address of ours",
         OWN "allow_plain_loopback = yes\nbase_url = http://127.0.0.1.example/",
         "f:4:12: http without TLS would show"															},
	{"plain http to a name like ours",
         OWN "allow_plain_loopback = yes\nbase_url = http://localhost.example/",
         "f:4:12: http without TLS would show"															},
	{"plain http to this host",                      OWN "base_url = http://127.0.0.1:80/",
         "f:3:12: http without TLS needs a word: add allow_plain_loopback"											    },
	{"a row's plain http, disallowed",               "[provider \"ollama\"]\nallow_plain_loopback = no",
         "f:1:2: http without TLS needs a word"														       },
	{"a pattern with a * inside",                    "[model \"openai/a*b\"]\nprice_input = 1",
         "f:1:2: a * stands for any text at the beginning or the end of a model's name: "
		"this one is inside it, and no model would fit"												       },
	{"an alias without a target",                    "[model \"x\"]",                                               "f:1:2: [model \"x\"] needs a target"         },
	{"a target that is none",                        "[model \"x\"]\ntarget = openai",                              "f:2:10: a target is"                         },
	{"a target without a model",                     "[model \"x\"]\ntarget = openai/",                             "f:2:10: a target is"                         },
	{"a target nowhere",			     "[model \"x\"]\ntarget = openai/a\ntarget = opnai/b",
         "f:3:10: no provider is called \"opnai\": did you mean \"openai\"?"											  },
	{"facts of nobody",			      "[model \"nobody/x\"]",                                        "f:1:2: no provider is called \"nobody\""     },
	{"a broken line",				"[broker]\nx",						 "f:2:2: this is no"                           },
};

static void test_wrong(void)
{
	for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
		struct fault why = FAULT_NONE;
		struct config *c = config_parse(span_str(wrongs[i].text), "f", &why);
		ok(c == NULL, "%s is refused", wrongs[i].name);
		is_err(why.err, ERR_MISCONFIGURED, "as such");
		const size_t n = strlen(wrongs[i].want);
		is_mem(why.message, strlen(why.message) < n ? strlen(why.message) : n,
			wrongs[i].want, n, "and told why");
		config_unref(c);
	}
}

static const struct {
	const char *url, *origin;
} loopbacks[] = {
	{"http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"},
	{"http://127.1.2.3/",        "http://127.1.2.3:80"  },
	{"http://LOCALHOST:1",       "http://localhost:1"   },
	{"http://a.localhost/",      "http://a.localhost:80"},
	{"http://[::1]:9/",          "http://[::1]:9"       },
};

static void test_loopback(void)
{
	char text[256];
	for (size_t i = 0; i < COUNT_OF(loopbacks); i++) {
		snprintf(text, sizeof text, OWN "allow_plain_loopback = yes\nbase_url = %s\n",
			loopbacks[i].url);
		struct config *c = parse(text);
		const struct provider *p = config_provider(c, SPAN("x"));
		is_span(p->origin, loopbacks[i].origin, loopbacks[i].url);
		ok(p->is_local, "is this host");
		config_unref(c);
	}
}

/* ---- files ---- */

static char dir[128];

static const char *path(const char *name)
{
	static char paths[2][256];
	static unsigned next;
	char *p = paths[next++ % 2];
	snprintf(p, sizeof paths[0], "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(path(name), "we");
	if (!f || fputs(text, f) < 0 || fchmod(fileno(f), mode) != 0 || fclose(f) != 0)
		bail("cannot write %s: %s", path(name), strerror(errno));
}

static void fresh_dir(void)
{
	char command[192];
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	if (*dir && system(command) != 0)
		bail("cannot remove %s", dir);
	snprintf(dir, sizeof dir, "%s/test_config.XXXXXX", P_tmpdir);
	if (!mkdtemp(dir) || mkdir(path("broker.conf.d"), 0755) != 0)
		bail("cannot make %s", dir);
}

/* The file's drain in seconds, or the sentence. */
static const char *loaded(bool may_be_absent)
{
	static char text[1200];
	struct fault why = FAULT_NONE;
	struct config *c = config_load(path("broker.conf"), may_be_absent, &why);
	if (c)
		snprintf(text, sizeof text, "%d", (int)(c->drain_us / SECOND));
	else
		snprintf(text, sizeof text, "%s", why.message);
	config_unref(c);
	return text;
}

static bool says(const char *sentence, const char *words)
{
	const bool is_said = strstr(sentence, words) != NULL;
	if (!is_said)
		diag("%s", sentence);
	return is_said;
}

static void test_files(void)
{
	struct fault why = FAULT_NONE;

	fresh_dir();
	is_str(loaded(true), "30", "no file is no fault");
	ok(says(loaded(false), "there is no file"), "unless it was asked for");
	put("broker.conf.d/20-b.conf", "[broker]\ndrain = 3s\n[model \"m\"]\ntarget = openai/c\n",
		0644);
	put("broker.conf.d/10-a.conf", "[broker]\ndrain = 2s\nmax_calls = 7\n", 0644);
	put("broker.conf.d/30-c.conf.bak", "nonsense", 0644);
	put("broker.conf.d/.hidden.conf", "nonsense", 0644);
	is_str(loaded(true), "3", "the parts are read without it");
	put("broker.conf",
		"[broker]\ndrain = 1s\nmax_calls = 5\n"
		"[model \"m\"]\ntarget = openai/a\ntarget = openai/b\nprice_input = 1\n",
		0644);
	struct config *c = config_load(path("broker.conf"), false, &why);
	if (!c)
		bail("%s", why.message);
	is_int(c->drain_us, 3 * SECOND, "the later file wins");
	is_int(c->max_calls, 7, "key by key");
	const struct model *m = config_model(c, SPAN("m"));
	is_uint(m->n_targets, 1, "a list as a whole");
	is_span(m->targets[0].model, "c", "is the later one");
	is_int(m->price.input, INT64_C(1000000000), "what it does not say stays");
	config_unref(c);

	put("broker.conf.d/40-d.conf", "[broker]\nx = 1\n", 0644);
	ok(says(loaded(false), "broker.conf.d/40-d.conf:2:1: [broker] has no key x"),
		"a fault names its file");
	unlink(path("broker.conf.d/40-d.conf"));
	put("broker.conf.d/40-d.conf", "[broker]\n", 0664);
	ok(says(loaded(false), "others may write"), "a file that a group can write is not read");
	ok(says(loaded(false), "chmod go-w"), "and what to do is said");
	unlink(path("broker.conf.d/40-d.conf"));
	chmod(path("broker.conf.d"), 0777);
	ok(says(loaded(false), "others may write"), "nor is a folder's that all can write");
	chmod(path("broker.conf.d"), 0755);
	is_str(loaded(false), "3", "mended, it is");

	put("real", "[broker]\ndrain = 4s\n", 0644);
	if (symlink("../real", path("broker.conf.d/50-e.conf")))
		bail("symlink");
	is_str(loaded(false), "4", "a link of one's own is followed");
	put("real", "[broker]\ndrain = 4s\n", 0646);
	ok(says(loaded(false), "others may write"), "to a file that is one's own alone");
	put("real", "[broker]\ndrain = 4s\n", 0644);
	if (geteuid() == 0 && lchown(path("broker.conf.d/50-e.conf"), 12345, 12345) == 0)
		ok(says(loaded(false), "belongs to user 12345"), "somebody else's link is not");
	else
		skip("only root can make somebody else's link");
	unlink(path("broker.conf.d/50-e.conf"));
	if (geteuid() == 0 && chown(path("broker.conf"), 12345, 12345) == 0)
		ok(says(loaded(false), "belongs to user 12345"), "nor is somebody else's file");
	else
		skip("only root can make somebody else's file");
	unlink(path("broker.conf"));
	if (mkdir(path("broker.conf"), 0755))
		bail("mkdir");
	ok(says(loaded(true), "is not a regular file"), "a folder is no file");
	rmdir(path("broker.conf"));
	if (mkfifo(path("broker.conf"), 0600))
		bail("mkfifo");
	ok(says(loaded(true), "is not a regular file"), "nor is a FIFO");
	unlink(path("broker.conf"));
	put("broker.conf", "", 0644);
	if (truncate(path("broker.conf"), (off_t)LIMIT_CONFIG_BYTES + 1))
		bail("truncate");
	ok(says(loaded(true), "is larger than 1024 KiB"), "a file has its limit");
	put("broker.conf", "[broker]\n", 0000);
	if (geteuid() == 0)
		skip("root reads everything");
	else
		ok(says(loaded(true), "Permission denied"),
			"one that cannot be read is no absence");
	fresh_dir();
	rmdir(path("broker.conf.d"));
	rmdir(dir);
}

/* ---- the table ---- */

static void test_table(void)
{
	static const struct {
		const char *a, *b;
		size_t want;
	} distances[] = {
		{"",       "",     0},
		{"a",      "",     1},
		{"abc",    "abc",  0},
		{"abc",    "abd",  1},
		{"abc",    "acb",  2},
		{"abc",    "bc",   1},
		{"abc",    "xabc", 1},
		{"abc",    "xyz",  3},
		{"abcdef", "ab",   3},
	};
	size_t n;
	const struct key *keys = keys_table(&n);

	for (size_t i = 0; i < COUNT_OF(distances); i++)
		is_uint(keys_distance(span_str(distances[i].a), span_str(distances[i].b), 2),
			distances[i].want, "from \"%s\" to \"%s\"", distances[i].a, distances[i].b);
	for (size_t i = 0; i < n; i++) {
		ok(keys_find(keys[i].section, span_str(keys[i].name)) == &keys[i],
			"%s.%s is there once", keys[i].section, keys[i].name);
		ok(strlen(keys[i].help) > 10 && keys[i].help[strlen(keys[i].help) - 1] == '.',
			"and explained in a sentence");
	}
}

static void test_manual(void)
{
	OWNED(buf_done) struct buf page = BUF_INIT(LIMIT_CONFIG_BYTES);
	size_t n, missing = 0;
	const struct key *keys = keys_table(&n);

	config_manual(&page);
	is_err(buf_error(&page), OK, "the manual is written");
	for (size_t i = 0; i < n; i++) {
		OWNED(buf_done) struct buf name = BUF_INIT(256);
		buf_byte(&name, '*');
		for (const char *p = keys[i].name; *p; p++)
			buf_print(&name, "%s%c", *p == '_' ? "\\" : "", *p);
		buf_text(&name, "* = ");
		missing += span_find(buf_view(&page), buf_view(&name)) == page.n;
	}
	is_uint(missing, 0, "and has every key");
	if (system("command -v scdoc >/dev/null") != 0) {
		skip("there is no scdoc here");
		return;
	}
	FILE *f = popen("scdoc >/dev/null", "we");
	fwrite(page.p, 1, page.n, f);
	is_int(pclose(f), 0, "scdoc takes it");
}

int main(void)
{
	umask(022);
	test_nothing();
	test_everything();
	test_semantic();
	test_templates();
	test_regions();
	test_proofs_refused();
	test_tokens();
	test_overlay();
	test_quirks();
	test_places();
	test_wrong();
	test_loopback();
	test_files();
	test_table();
	test_manual();
	return tap_done();
}
