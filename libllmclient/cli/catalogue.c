/* catalogue.c - two foreign vocabularies, each as tables of words. */
#include "libllmclient/cli/catalogue.h"

#include <inttypes.h>
#include <stdio.h>

#include "protocol/base/num.h"
#include "protocol/base/owned.h"

struct word {
	const char *theirs, *ours;
};

/* What a provider is called there and here. */
#define LITELLM(theirs, ours) {theirs, ours},
#define MODELS_DEV(theirs, ours)
static const struct word litellm_providers[] = {
#include "libllmclient/cli/catalogue_names.def"
};
#undef LITELLM
#undef MODELS_DEV
#define LITELLM(theirs, ours)
#define MODELS_DEV(theirs, ours) {theirs, ours},
static const struct word models_dev_providers[] = {
#include "libllmclient/cli/catalogue_names.def"
};
#undef LITELLM
#undef MODELS_DEV

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
		const struct span word = span_str(words[i].theirs);
		if (span_ends(word, SPAN("*")) ? span_starts(theirs, span_first(word, word.n - 1))
					       : span_eq(theirs, word))
			return words[i].ours;
	}
	return NULL;
}

/* Whose models these are; empty: nobody's that can be asked. A name that is not known is kept, for a
 * section of the configuration can have it. */
static struct span provider_of(const struct word *words, size_t n, struct span theirs)
{
	const char *known = translated(words, n, theirs);
	return known ? span_str(known) : theirs;
}

/* A string without escapes, as words and dates are; absent: it is none. */
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

/* Is there a digit but 0 before the exponent? */
static bool is_zero(struct span number)
{
	for (size_t i = 0; i < number.n && (number.p[i] | 0x20) != 'e'; i++) {
		if (number.p[i] >= '1' && number.p[i] <= '9')
			return false;
	}
	return true;
}

/* " key=2.5" where the member is a price. One that is smaller than the least is the least: what costs
 * something is never free. */
static bool put_price(struct buf *out, const char *key, struct json v, int places)
{
	int64_t nusd;
	if (json_kind(v) != JSON_NUMBER || !num_scaled(v.text, places, &nusd))
		return false;
	if (nusd == 0 && !is_zero(v.text))
		nusd = 1;
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

/* What a price's name says behind the class: for longer prompts, for a tier of service, or both. */
struct condition {
	struct span suffix; /* as it is in the name; empty: the usual price */
	int64_t above;      /* -1: any length */
	const char *tier;   /* NULL: any */
};

enum { CONDITIONS_MAX = 32 };

static bool skip_over(struct span *rest, const char *word)
{
	const struct span skipped = span_str(word);
	if (!span_starts(*rest, skipped))
		return false;
	*rest = span_skip(*rest, skipped.n);
	return true;
}

/* "200k_tokens", behind "_above_". */
static bool take_length(struct span *rest, int64_t *above)
{
	size_t n = 0;
	while (n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9')
		n++;
	if (n > 6 || !num_i64(span_first(*rest, n), above))
		return false;
	*rest = span_skip(*rest, n);
	if (skip_over(rest, "k_tokens"))
		*above *= 1000;
	else if (skip_over(rest, "m_tokens"))
		*above *= 1000000;
	else
		return false;
	return true;
}

static bool read_condition(struct span suffix, struct condition *out)
{
	static const struct word tiers[] = {
		{"_flex",     "flex"    },
		{"_priority", "priority"},
		{"_batches",  "batch"   },
	};
	struct span rest = suffix;
	*out = (struct condition){.suffix = suffix, .above = -1};
	while (rest.n > 0) {
		const size_t before = rest.n;
		if (out->above < 0 && skip_over(&rest, "_above_") &&
			!take_length(&rest, &out->above))
			return false;
		for (size_t i = 0; i < COUNT_OF(tiers) && !out->tier; i++) {
			if (skip_over(&rest, tiers[i].theirs))
				out->tier = tiers[i].ours;
		}
		if (rest.n == before)
			return false;
	}
	return true;
}

/* Is it a price of some class of tokens, and on which condition? */
static bool is_token_price(struct span name, struct condition *out)
{
	size_t longest = 0;
	for (size_t i = 0; i < COUNT_OF(litellm_prices); i++) {
		const struct span base = span_str(litellm_prices[i].theirs);
		if (span_starts(name, base) && base.n > longest)
			longest = base.n;
	}
	return longest > 0 && read_condition(span_skip(name, longest), out);
}

/* What a model's prices are like, before one is written. */
struct price_list {
	struct condition conditions[CONDITIONS_MAX]; /* beside the usual one */
	size_t n;
	size_t unread;      /* that are for something else than tokens, or on another condition */
	bool is_by_request; /* it is paid for by the request, the picture, the second ... */
};

static void note_condition(struct price_list *list, const struct condition *c)
{
	if (c->suffix.n == 0)
		return;
	for (size_t i = 0; i < list->n; i++) {
		if (span_eq(list->conditions[i].suffix, c->suffix))
			return;
	}
	if (list->n < CONDITIONS_MAX)
		list->conditions[list->n++] = *c;
	else
		list->unread++;
}

static struct price_list look_at_prices(struct json m)
{
	struct price_list list = {.n = 0};
	for (struct json_walk w = json_each(m); json_next(&w);) {
		struct condition c;
		const enum json_kind kind = json_kind(w.value);
		if ((kind != JSON_NUMBER && kind != JSON_STRING) ||
			span_find(w.name, SPAN("cost")) == w.name.n)
			continue;
		if (kind == JSON_STRING || w.value.text.p[0] == '-') {
			list.unread++;
		} else if (is_token_price(w.name, &c)) {
			note_condition(&list, &c);
		} else if (!is_zero(w.value.text)) {
			list.unread++;
			list.is_by_request =
				list.is_by_request || span_find(w.name, SPAN("_token")) == w.name.n;
		}
	}
	return list;
}

/* The prices of all classes whose names end in `suffix`. Where requests are paid for, a 0 for tokens
 * is no price. */
static bool put_litellm_prices(
	struct buf *out, struct json m, struct span suffix, bool is_by_request)
{
	bool has_price = false;
	for (size_t i = 0; i < COUNT_OF(litellm_prices); i++) {
		char member[128];
		(void)snprintf(member, sizeof member, "%s%.*s", litellm_prices[i].theirs,
			SPAN_ARG(suffix));
		const struct json v = json_member(m, member);
		if (is_by_request && json_kind(v) == JSON_NUMBER && is_zero(v.text))
			continue;
		has_price = put_price(out, litellm_prices[i].ours, v, LITELLM_PLACES) || has_price;
	}
	return has_price;
}

/* A line of its own for the prices on a condition. */
static void put_litellm_variant(
	struct buf *out, struct span name, struct json m, const struct condition *c)
{
	const size_t before = out->n;
	buf_span(out, name);
	if (c->tier)
		buf_print(out, " tier=%s", c->tier);
	if (c->above >= 0)
		buf_print(out, " above=%" PRId64, c->above);
	if (put_litellm_prices(out, m, c->suffix, false))
		buf_byte(out, '\n');
	else if (!buf_error(out))
		buf_cut(out, before);
}

/* Where a step of "tiered_pricing" begins; -1: that is not said. */
static int64_t step_begin(struct json step)
{
	struct json_walk range = json_each(json_member(step, "range"));
	int64_t tokens;
	return json_next(&range) && json_i64(range.value, &tokens) && tokens >= 0 ? tokens : -1;
}

/* The step that begins at no token at all has the usual prices. */
static void put_litellm_first_step(struct buf *out, struct json steps)
{
	for (struct json_walk each = json_each(steps); json_next(&each);) {
		if (step_begin(each.value) == 0)
			put_litellm_prices(out, each.value, SPAN(""), false);
	}
}

static void put_litellm_later_steps(struct buf *out, struct span name, struct json steps)
{
	for (struct json_walk each = json_each(steps); json_next(&each);) {
		const struct condition c = {.suffix = SPAN(""), .above = step_begin(each.value)};
		if (c.above > 0)
			put_litellm_variant(out, name, each.value, &c);
	}
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

static bool put_litellm(
	struct buf *out, struct span key, struct json m, struct catalogue_tally *tally)
{
	const struct span theirs = plain(json_member(m, "litellm_provider"));
	const struct span ours =
		provider_of(litellm_providers, COUNT_OF(litellm_providers), theirs);
	const char *kind =
		translated(litellm_kinds, COUNT_OF(litellm_kinds), plain(json_member(m, "mode")));
	const struct json steps = json_member(m, "tiered_pricing");
	const struct price_list prices = look_at_prices(m);
	OWNED(buf_done) struct buf name = BUF_INIT((size_t)512);
	if (!kind || !put_name(&name, ours, litellm_model(key, theirs, ours)))
		return false;
	tally->unread += prices.unread;
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
	if (!put_litellm_prices(out, m, SPAN(""), prices.is_by_request))
		put_litellm_first_step(out, steps);
	buf_byte(out, '\n');
	for (size_t i = 0; i < prices.n; i++)
		put_litellm_variant(out, buf_view(&name), m, &prices.conditions[i]);
	put_litellm_later_steps(out, buf_view(&name), steps);
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

/* Does a name have the word in it, in letters of either case? */
static bool has_word(struct span name, const char *word)
{
	const struct span wanted = span_str(word);
	for (size_t i = 0; i + wanted.n <= name.n; i++) {
		if (span_is_nocase(span_of(name.p + i, wanted.n), word))
			return true;
	}
	return false;
}

static bool lists(struct json array, const char *word)
{
	for (struct json_walk each = json_each(array); json_next(&each);) {
		if (json_is(each.value, word))
			return true;
	}
	return false;
}

/* The list has no word for what a model is asked for: its name tells, or what it reads and writes. */
static const char *models_dev_kind(struct span key, struct json m)
{
	static const struct word names[] = {
		{"embed",      "embed"   },
		{"rerank",     "rerank"  },
		{"moderation", "moderate"},
		{"whisper",    "audio"   },
		{"transcribe", "audio"   },
	};
	static const char *const media[] = {"image", "audio", "video"};
	const struct json modalities = json_member(m, "modalities");
	const struct json in = json_member(modalities, "input");
	const struct json out = json_member(modalities, "output");
	const struct span family = plain(json_member(m, "family"));
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (has_word(key, names[i].theirs) || has_word(family, names[i].theirs))
			return names[i].ours;
	}
	for (size_t i = 0; i < COUNT_OF(media); i++) {
		if (!lists(out, "text") && lists(out, media[i]))
			return media[i];
	}
	return lists(in, "audio") && !lists(in, "text") ? "audio" : "chat";
}

/* Lines of their own for the prices of longer prompts. */
static void put_models_dev_tiers(
	struct buf *out, struct span name, struct json cost, struct catalogue_tally *tally)
{
	const struct json tiers = json_member(cost, "tiers");
	const struct json longer =
		json_member(cost, "context_over_200k"); /* as it was said before */
	for (struct json_walk each = json_each(tiers); json_next(&each);) {
		const struct json tier = json_member(each.value, "tier");
		int64_t above;
		if (!json_is(json_member(tier, "type"), "context") ||
			!json_i64(json_member(tier, "size"), &above) || above < 0) {
			tally->unread++;
			continue;
		}
		buf_span(out, name);
		buf_print(out, " above=%" PRId64, above);
		put_models_dev_prices(out, each.value);
		buf_byte(out, '\n');
	}
	if (json_kind(tiers) == JSON_ARRAY || json_kind(longer) != JSON_OBJECT)
		return;
	buf_span(out, name);
	buf_text(out, " above=200000");
	put_models_dev_prices(out, longer);
	buf_byte(out, '\n');
}

static bool put_models_dev(struct buf *out, struct span provider, struct span key, struct json m,
	struct catalogue_tally *tally)
{
	const struct json limit = json_member(m, "limit"), cost = json_member(m, "cost");
	const struct json modalities = json_member(m, "modalities");
	const char *kind = models_dev_kind(key, m);
	OWNED(buf_done) struct buf name = BUF_INIT((size_t)512);
	if (!put_name(&name, provider, key))
		return false;
	buf_span(out, buf_view(&name));
	buf_print(out, " kind=%s", kind);
	put_count(out, "context", json_member(limit, "context"));
	/* of what gives vectors the list has their length there */
	if (strcmp(kind, "embed") == 0)
		put_count(out, "dimensions", json_member(limit, "output"));
	else if (strcmp(kind, "rerank") != 0)
		put_count(out, "max_output", json_member(limit, "output"));
	struct words_out in = {out, "in", 0}, to = {out, "out", 0};
	put_list(&in, json_member(modalities, "input"));
	put_list(&to, json_member(modalities, "output"));
	struct words_out params = {out, "params", 0};
	put_flags(&params, m, models_dev_params, COUNT_OF(models_dev_params));
	put_models_dev_efforts(out, m);
	put_models_dev_prices(out, cost);
	buf_byte(out, '\n');
	put_models_dev_tiers(out, buf_view(&name), cost, tally);
	return true;
}

/* ---- both ---- */

/* The name of a member, unescaped; empty where that is too long for a model's. */
static struct span name_text(struct span raw, struct buf *room)
{
	const struct json quoted = json_of(span_of(raw.p - 1, raw.n + 2));
	buf_clear(room);
	return json_text_to(quoted, room) && !buf_error(room) ? buf_view(room) : SPAN("");
}

static void convert_provider(
	struct span theirs, struct json models, struct buf *out, struct catalogue_tally *tally)
{
	const struct span ours =
		provider_of(models_dev_providers, COUNT_OF(models_dev_providers), theirs);
	for (struct json_walk each = json_each(models); json_next(&each);) {
		OWNED(buf_done) struct buf room = BUF_INIT((size_t)4096);
		const bool is_taken =
			put_models_dev(out, ours, name_text(each.name, &room), each.value, tally);
		tally->models += is_taken;
		tally->skipped += !is_taken;
	}
}

bool catalogue_convert(struct json list, struct buf *out, struct catalogue_tally *tally)
{
	*tally = (struct catalogue_tally){.format = NULL};
	if (json_kind(list) != JSON_OBJECT)
		return false;
	for (struct json_walk w = json_each(list); json_next(&w);) {
		OWNED(buf_done) struct buf room = BUF_INIT((size_t)4096);
		const struct json models = json_member(w.value, "models");
		const struct span name = name_text(w.name, &room);
		if (!json_is_nil(json_member(w.value, "litellm_provider"))) {
			tally->format = "LiteLLM";
			const bool is_taken = !span_is(name, "sample_spec") &&
					      put_litellm(out, name, w.value, tally);
			tally->models += is_taken;
			tally->skipped += !is_taken;
		} else if (json_kind(models) == JSON_OBJECT) {
			tally->format = "models.dev";
			convert_provider(name, models, out, tally);
		} else {
			tally->skipped++;
		}
	}
	return tally->format != NULL;
}
