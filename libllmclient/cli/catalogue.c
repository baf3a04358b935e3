/* catalogue.c - two foreign vocabularies, each as tables of words. */
#include "libllmclient/cli/catalogue.h"

#include <inttypes.h>
#include <stdio.h>

#include "protocol/base/num.h"
#include "protocol/base/owned.h"

struct word {
	const char *theirs, *ours;
};

/* What a provider is called there and here; another's name is kept. */
static const struct word litellm_providers[] = {
	{"ai21_chat",                     "ai21"            },
	{"azure_text",                    "azure"           },
	{"bedrock_converse",              "bedrock"         },
	{"bedrock_mantle",                "bedrock-mantle"  },
	{"cohere_chat",                   "cohere"          },
	{"fireworks_ai",                  "fireworks"       },
	{"fireworks_ai-embedding-models", "fireworks"       },
	{"jina_ai",		       "jina"            },
	{"lambda_ai",                     "lambda"          },
	{"nvidia_nim",                    "nvidia"          },
	{"text-completion-openai",        "openai"          },
	{"together_ai",                   "together"        },
	{"vertex_ai",                     "vertex"          },
	{"vertex_ai-anthropic_models",    "vertex-anthropic"},
	{"vertex_ai-embedding-models",    "vertex"          },
	{"vertex_ai-language-models",     "vertex"          },
	{"vertex_ai-llama_models",        "vertex-openai"   },
	{"vertex_ai-mistral_models",      "vertex-openai"   },
};
static const struct word models_dev_providers[] = {
	{"alibaba",                 "dashscope"       },
	{"amazon-bedrock",          "bedrock"         },
	{"fireworks-ai",            "fireworks"       },
	{"github-models",           "github"          },
	{"google",                  "gemini"          },
	{"google-vertex",           "vertex"          },
	{"google-vertex-anthropic", "vertex-anthropic"},
	{"moonshotai",              "moonshot"        },
	{"moonshotai-cn",           "moonshot-cn"     },
	{"togetherai",              "together"        },
};

static const struct word litellm_kinds[] = {
	{"chat",                "chat"    },
	{"responses",           "chat"    },
	{"completion",          "complete"},
	{"embedding",           "embed"   },
	{"rerank",              "rerank"  },
	{"moderation",          "moderate"},
	{"image_generation",    "image"   },
	{"audio_transcription", "audio"   },
	{"audio_speech",        "audio"   },
};
static const struct word litellm_params[] = {
	{"supports_function_calling",          "tools"              },
	{"supports_tool_choice",               "tool_choice"        },
	{"supports_parallel_function_calling", "parallel_tool_calls"},
	{"supports_response_schema",           "json_schema"        },
	{"supports_reasoning",                 "reasoning"          },
	{"supports_prompt_caching",            "cache"              },
	{"supports_assistant_prefill",         "prefill"            },
	{"supports_system_messages",           "system"             },
	{"supports_web_search",                "web_search"         },
};
static const struct word litellm_inputs[] = {
	{"supports_vision",      "image"},
	{"supports_audio_input", "audio"},
	{"supports_video_input", "video"},
	{"supports_pdf_input",   "pdf"  },
};
static const struct word models_dev_params[] = {
	{"tool_call",         "tools"      },
	{"structured_output", "json_schema"},
	{"reasoning",         "reasoning"  },
	{"temperature",       "temperature"},
};

/* A price's member, and how many places its point is moved to be nano-dollars per million tokens. */
static const struct word litellm_prices[] = {
	{"input_cost_per_token",                      "price_input"         },
	{"output_cost_per_token",                     "price_output"        },
	{"cache_read_input_token_cost",               "price_cache_read"    },
	{"cache_creation_input_token_cost",           "price_cache_write_5m"},
	{"cache_creation_input_token_cost_above_1hr", "price_cache_write_1h"},
	{"output_cost_per_reasoning_token",           "price_reasoning"     },
	{"input_cost_per_audio_token",                "price_audio_input"   },
	{"output_cost_per_audio_token",               "price_audio_output"  },
	{"input_cost_per_image_token",                "price_image_input"   },
	{"output_cost_per_image_token",               "price_image_output"  },
};
static const struct word models_dev_prices[] = {
	{"input",        "price_input"         },
	{"output",       "price_output"        },
	{"cache_read",   "price_cache_read"    },
	{"cache_write",  "price_cache_write_5m"},
	{"reasoning",    "price_reasoning"     },
	{"input_audio",  "price_audio_input"   },
	{"output_audio", "price_audio_output"  },
};
enum { LITELLM_PLACES = 15, MODELS_DEV_PLACES = 9 }; /* dollars a token; dollars a million */

/* ---- pieces of a line ---- */

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static const char *translated(const struct word *words, size_t n, struct span theirs)
{
	for (size_t i = 0; i < n; i++) {
		if (span_is(theirs, words[i].theirs))
			return words[i].ours;
	}
	return NULL;
}

/* A string without escapes, as all names of these lists are; absent: it is none. */
static struct span plain(struct json v)
{
	if (json_kind(v) != JSON_STRING)
		return SPAN_NONE;
	const struct span text = span_of(v.text.p + 1, v.text.n - 2);
	return span_index(text, '\\') < text.n ? SPAN_NONE : text;
}

static void put_count(struct buf *out, const char *key, struct json v)
{
	int64_t n;
	if (json_i64(v, &n) && n > 0)
		buf_print(out, " %s=%" PRId64, key, n);
}

/* " key=2.5" where the member is a price. */
static bool put_price(struct buf *out, const char *key, struct json v, int places)
{
	int64_t nusd;
	if (json_kind(v) != JSON_NUMBER || !num_scaled(v.text, places, &nusd))
		return false;
	char digits[16];
	(void)snprintf(digits, sizeof digits, "%09" PRId64, nusd % 1000000000);
	size_t n = 9;
	while (n > 0 && digits[n - 1] == '0')
		n--;
	buf_print(out, " %s=%" PRId64 "%s%.*s", key, nusd / 1000000000, n > 0 ? "." : "", (int)n,
		digits);
	return true;
}

/* A list of words in the making: " key=a,b". */
struct words_out {
	struct buf *to;
	const char *key;
	size_t n;
};

static void put_word(struct words_out *w, struct span word)
{
	for (size_t i = 0; i < word.n; i++) {
		if (!is_word_byte(word.p[i]))
			return;
	}
	if (word.n == 0)
		return;
	if (w->n++ == 0)
		buf_print(w->to, " %s=", w->key);
	else
		buf_byte(w->to, ',');
	buf_span(w->to, word);
}

/* The words whose flags are set. */
static void put_flags(struct words_out *w, struct json object, const struct word *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (json_is_true(json_member(object, words[i].theirs)))
			put_word(w, span_str(words[i].ours));
	}
}

/* The strings of an array, all that are words. */
static void put_list(struct words_out *w, struct json array)
{
	if (json_kind(array) != JSON_ARRAY)
		return;
	for (struct json_walk each = json_each(array); json_next(&each);)
		put_word(w, plain(each.value));
}

static bool is_date(struct span v)
{
	static const char pattern[] = "0000-00-00";
	for (size_t i = 0; i < v.n && i < sizeof pattern - 1; i++) {
		const bool is_digit = v.p[i] >= '0' && v.p[i] <= '9';
		if (pattern[i] == '0' ? !is_digit : v.p[i] != pattern[i])
			return false;
	}
	return v.n == sizeof pattern - 1;
}

/* PROVIDER/MODEL, where both are what a line can have. */
static bool put_name(struct buf *out, struct span provider, struct span model)
{
	if (provider.n == 0 || model.n == 0 || provider.n + model.n > 300)
		return false;
	for (size_t i = 0; i < model.n; i++) {
		if ((unsigned char)model.p[i] <= ' ' || (unsigned char)model.p[i] >= 0x7f)
			return false;
	}
	for (size_t i = 0; i < provider.n; i++) {
		if (!is_word_byte(provider.p[i]) && provider.p[i] != '.')
			return false;
	}
	buf_span(out, provider);
	buf_byte(out, '/');
	buf_span(out, model);
	return true;
}

/* ---- LiteLLM ---- */

/* The key is MODEL, or FOLDER/MODEL where the folder only repeats the provider. */
static struct span litellm_model(struct span key, struct span theirs, struct span ours)
{
	const size_t slash = span_index(key, '/');
	const struct span folder = span_first(key, slash);
	if (slash < key.n &&
		(span_eq(folder, theirs) || span_eq(folder, ours) || span_starts(theirs, folder)))
		return span_skip(key, slash + 1);
	return key;
}

/* The prices of a variant, as a line of its own: those whose names end in `suffix`. */
static void put_litellm_variant(
	struct buf *out, struct span name, struct json m, const char *suffix, const char *condition)
{
	OWNED(buf_done) struct buf line = BUF_INIT((size_t)4096);
	bool has_price = false;
	buf_span(&line, name);
	buf_print(&line, " %s", condition);
	for (size_t i = 0; i < COUNT_OF(litellm_prices); i++) {
		char member[128];
		(void)snprintf(member, sizeof member, "%s%s", litellm_prices[i].theirs, suffix);
		has_price = put_price(&line, litellm_prices[i].ours, json_member(m, member),
				    LITELLM_PLACES) ||
			    has_price;
	}
	if (!has_price)
		return;
	buf_span(out, buf_view(&line));
	buf_byte(out, '\n');
}

static const struct {
	const char *flag, *effort;
} litellm_efforts[] = {
	{"supports_none_reasoning_effort",    "none"   },
	{"supports_minimal_reasoning_effort", "minimal"},
	{"supports_reasoning",                "low"    },
	{"supports_reasoning",                "medium" },
	{"supports_reasoning",                "high"   },
	{"supports_xhigh_reasoning_effort",   "xhigh"  },
	{"supports_max_reasoning_effort",     "max"    },
};

static void put_litellm_efforts(struct buf *out, struct json m)
{
	struct words_out w = {out, "efforts", 0};
	const struct json levels = json_member(m, "reasoning_effort_levels");
	if (json_kind(levels) == JSON_ARRAY) {
		put_list(&w, levels);
		return;
	}
	/* without a word on the ends of the ladder nothing is known of its middle */
	if (json_is_nil(json_member(m, "supports_none_reasoning_effort")) &&
		json_is_nil(json_member(m, "supports_minimal_reasoning_effort")) &&
		json_is_nil(json_member(m, "supports_xhigh_reasoning_effort")) &&
		json_is_nil(json_member(m, "supports_max_reasoning_effort")))
		return;
	for (size_t i = 0; i < COUNT_OF(litellm_efforts); i++) {
		if (json_is_true(json_member(m, litellm_efforts[i].flag)))
			put_word(&w, span_str(litellm_efforts[i].effort));
	}
}

static bool put_litellm(struct buf *out, struct span key, struct json m)
{
	static const struct {
		const char *suffix, *condition;
	} variants[] = {
		{"_flex",              "tier=flex"    },
		{"_priority",          "tier=priority"},
		{"_batches",           "tier=batch"   },
		{"_above_100k_tokens", "above=100000" },
		{"_above_128k_tokens", "above=128000" },
		{"_above_200k_tokens", "above=200000" },
		{"_above_256k_tokens", "above=256000" },
		{"_above_272k_tokens", "above=272000" },
	};
	const struct span theirs = plain(json_member(m, "litellm_provider"));
	const char *known = translated(litellm_providers, COUNT_OF(litellm_providers), theirs);
	const struct span ours = known ? span_str(known) : theirs;
	const char *kind =
		translated(litellm_kinds, COUNT_OF(litellm_kinds), plain(json_member(m, "mode")));
	OWNED(buf_done) struct buf name = BUF_INIT((size_t)512);
	if (!kind || !put_name(&name, ours, litellm_model(key, theirs, ours)))
		return false;
	buf_span(out, buf_view(&name));
	buf_print(out, " kind=%s", kind);
	put_count(out, "context", json_member(m, "max_input_tokens"));
	if (strcmp(kind, "embed") != 0 && strcmp(kind, "rerank") != 0)
		put_count(out, "max_output", json_member(m, "max_output_tokens"));
	put_count(out, "dimensions", json_member(m, "output_vector_size"));
	struct words_out in = {out, "in", 0};
	put_word(&in, SPAN("text"));
	put_flags(&in, m, litellm_inputs, COUNT_OF(litellm_inputs));
	struct words_out modalities = {out, "out", 0};
	put_list(&modalities, json_member(m, "supported_output_modalities"));
	struct words_out params = {out, "params", 0};
	put_flags(&params, m, litellm_params, COUNT_OF(litellm_params));
	put_litellm_efforts(out, m);
	const struct span retires = plain(json_member(m, "deprecation_date"));
	if (is_date(retires))
		buf_print(out, " retires=%.*s", SPAN_ARG(retires));
	for (size_t i = 0; i < COUNT_OF(litellm_prices); i++)
		put_price(out, litellm_prices[i].ours, json_member(m, litellm_prices[i].theirs),
			LITELLM_PLACES);
	buf_byte(out, '\n');
	for (size_t i = 0; i < COUNT_OF(variants); i++)
		put_litellm_variant(
			out, buf_view(&name), m, variants[i].suffix, variants[i].condition);
	return true;
}

/* ---- models.dev ---- */

static void put_models_dev_prices(struct buf *out, struct json cost)
{
	for (size_t i = 0; i < COUNT_OF(models_dev_prices); i++)
		put_price(out, models_dev_prices[i].ours,
			json_member(cost, models_dev_prices[i].theirs), MODELS_DEV_PLACES);
}

static void put_models_dev_efforts(struct buf *out, struct json m)
{
	const struct json options = json_member(m, "reasoning_options");
	struct words_out w = {out, "efforts", 0};
	if (json_kind(options) != JSON_ARRAY)
		return;
	for (struct json_walk each = json_each(options); json_next(&each);) {
		if (json_is(json_member(each.value, "type"), "effort"))
			put_list(&w, json_member(each.value, "values"));
	}
}

static bool put_models_dev(struct buf *out, struct span provider, struct span key, struct json m)
{
	const struct json limit = json_member(m, "limit"), cost = json_member(m, "cost");
	const struct json modalities = json_member(m, "modalities");
	OWNED(buf_done) struct buf name = BUF_INIT((size_t)512);
	if (!put_name(&name, provider, key))
		return false;
	buf_span(out, buf_view(&name));
	buf_text(out, " kind=chat");
	put_count(out, "context", json_member(limit, "context"));
	put_count(out, "max_output", json_member(limit, "output"));
	struct words_out in = {out, "in", 0}, to = {out, "out", 0};
	put_list(&in, json_member(modalities, "input"));
	put_list(&to, json_member(modalities, "output"));
	struct words_out params = {out, "params", 0};
	put_flags(&params, m, models_dev_params, COUNT_OF(models_dev_params));
	put_models_dev_efforts(out, m);
	put_models_dev_prices(out, cost);
	buf_byte(out, '\n');
	const struct json longer = json_member(cost, "context_over_200k");
	if (json_kind(longer) == JSON_OBJECT) {
		buf_span(out, buf_view(&name));
		buf_text(out, " above=200000");
		put_models_dev_prices(out, longer);
		buf_byte(out, '\n');
	}
	return true;
}

/* ---- both ---- */

bool catalogue_convert(struct json list, struct buf *out, struct catalogue_tally *tally)
{
	*tally = (struct catalogue_tally){.format = NULL};
	if (json_kind(list) != JSON_OBJECT)
		return false;
	for (struct json_walk w = json_each(list); json_next(&w);) {
		const struct json models = json_member(w.value, "models");
		if (!json_is_nil(json_member(w.value, "litellm_provider"))) {
			tally->format = "LiteLLM";
			const bool is_taken = !span_is(w.name, "sample_spec") &&
					      put_litellm(out, w.name, w.value);
			tally->models += is_taken;
			tally->skipped += !is_taken;
			continue;
		}
		if (json_kind(models) != JSON_OBJECT) {
			tally->skipped++;
			continue;
		}
		tally->format = "models.dev";
		const char *known =
			translated(models_dev_providers, COUNT_OF(models_dev_providers), w.name);
		for (struct json_walk each = json_each(models); json_next(&each);) {
			const bool is_taken = put_models_dev(
				out, known ? span_str(known) : w.name, each.name, each.value);
			tally->models += is_taken;
			tally->skipped += !is_taken;
		}
	}
	return tally->format != NULL;
}
