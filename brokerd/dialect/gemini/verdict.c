/* verdict.c - tables of words, and sums. */
#include "brokerd/dialect/gemini/verdict.h"

#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/usage.h"
#include "protocol/base/num.h"

static const struct {
	const char *word;
	enum finish finish;
} finishes[] = {
	{"STOP",		     FINISH_STOP          },
	{"MAX_TOKENS",               FINISH_LENGTH        },
	{"CONTINUATION",             FINISH_LENGTH        },
	{"SAFETY",		   FINISH_CONTENT_FILTER},
	{"RECITATION",               FINISH_CONTENT_FILTER},
	{"BLOCKLIST",                FINISH_CONTENT_FILTER},
	{"PROHIBITED_CONTENT",       FINISH_CONTENT_FILTER},
	{"SPII",		     FINISH_CONTENT_FILTER},
	{"MODEL_ARMOR",              FINISH_CONTENT_FILTER},
	{"LANGUAGE",                 FINISH_CONTENT_FILTER},
	{"IMAGE_SAFETY",             FINISH_CONTENT_FILTER},
	{"IMAGE_PROHIBITED_CONTENT", FINISH_CONTENT_FILTER},
	{"IMAGE_RECITATION",         FINISH_CONTENT_FILTER},
};

static const char *const bad_calls[] = {
	"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"};

bool verdict_finish(struct span reason, enum finish *out)
{
	*out = FINISH_OTHER;
	for (size_t i = 0; i < COUNT_OF(finishes); i++) {
		if (span_is(reason, finishes[i].word))
			*out = finishes[i].finish;
	}
	for (size_t i = 0; i < COUNT_OF(bad_calls); i++) {
		if (span_is(reason, bad_calls[i]))
			return false;
	}
	return true;
}

/* The words of an end that has no word among ours. */
static const char *const others[] = {"OTHER", "NO_IMAGE", "IMAGE_OTHER"};

static const char *find_word(const char *const *words, size_t n, struct span word)
{
	for (size_t i = 0; i < n; i++) {
		if (span_is(word, words[i]))
			return words[i];
	}
	return NULL;
}

static const char *word_of_other(struct span native)
{
	const char *word = find_word(others, COUNT_OF(others), native);
	if (!word)
		word = find_word(bad_calls, COUNT_OF(bad_calls), native);
	return word ? word : others[0];
}

const char *verdict_word(enum finish f, struct span native)
{
	const char *first = NULL;
	if (f == FINISH_TOOL_CALLS)
		f = FINISH_STOP;
	for (size_t i = 0; i < COUNT_OF(finishes); i++) {
		if (finishes[i].finish != f)
			continue;
		if (span_is(native, finishes[i].word))
			return finishes[i].word;
		first = first ? first : finishes[i].word;
	}
	return first ? first : word_of_other(native);
}

/* ---- usage ---- */

/* Adds up a list of {"modality", "tokenCount"}. */
static void count_kinds(struct json list, int64_t *audio, int64_t *image)
{
	if (json_kind(list) != JSON_ARRAY)
		return;
	for (struct json_walk w = json_each(list); json_next(&w);) {
		const struct json kind = json_member(w.value, "modality");
		int64_t n = 0;
		int64_t *to = json_is(kind, "AUDIO")   ? audio
			      : json_is(kind, "IMAGE") ? image
						       : NULL;
		if (to && usage_count(json_member(w.value, "tokenCount"), &n))
			*to = (*to < 0 ? 0 : *to) + n;
	}
}

void verdict_count(struct json usage, struct gemini_counts *c)
{
	static const char *const names[] = {"promptTokenCount", "toolUsePromptTokenCount",
		"cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
		"promptTokensDetails", "toolUsePromptTokensDetails", "cacheTokensDetails",
		"candidatesTokensDetails", "responseTokenCount", "totalTokenCount"};
	struct json m[COUNT_OF(names)];
	PICK(usage, names, m);
	usage_count(m[0], &c->prompt);
	usage_count(m[1], &c->tool_prompt);
	usage_count(m[2], &c->cached);
	usage_count(m[9], &c->candidates); /* as some hosts call it */
	usage_count(m[3], &c->candidates);
	usage_count(m[4], &c->thoughts);
	usage_count(m[10], &c->total);
	if (span_is_set(m[5].text)) {
		c->audio_prompt = c->image_prompt = -1;
		count_kinds(m[5], &c->audio_prompt, &c->image_prompt);
		count_kinds(m[6], &c->audio_prompt, &c->image_prompt);
	}
	if (span_is_set(m[7].text)) {
		c->audio_cached = c->image_cached = -1;
		count_kinds(m[7], &c->audio_cached, &c->image_cached);
	}
	if (span_is_set(m[8].text)) {
		c->audio_output = c->image_output = -1;
		count_kinds(m[8], &c->audio_output, &c->image_output);
	}
}

static int64_t sum_known(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 ? a : num_add_sat(a, b);
}

/* What of a kind did not come from the cache. */
static int64_t uncached(int64_t all, int64_t cached)
{
	if (all < 0 || cached < 0)
		return all;
	return all > cached ? all - cached : 0;
}

void verdict_count_nothing(struct gemini_counts *c)
{
	const int64_t input = sum_known(c->prompt, c->tool_prompt);
	if (c->candidates < 0 && c->thoughts < 0 && input >= 0 && c->total == input)
		c->candidates = 0;
}

bool verdict_usage(const struct gemini_counts *c, struct llm_usage *out, bool *fits)
{
	struct llm_usage u = USAGE_UNKNOWN;
	const int64_t input = sum_known(c->prompt, c->tool_prompt);
	const int64_t output = sum_known(c->candidates, c->thoughts);
	u.cache_read = c->cached;
	u.reasoning = c->thoughts;
	u.audio_input = uncached(c->audio_prompt, c->audio_cached);
	u.image_input = uncached(c->image_prompt, c->image_cached);
	u.audio_output = c->audio_output;
	u.image_output = c->image_output;
	*fits = usage_split(&u, input, output);
	*out = u;
	return input >= 0 || output >= 0;
}

struct span verdict_tier(struct json usage)
{
	static const char *const tiers[][2] = {
		{"standard", "ON_DEMAND"         },
		{"flex",     "ON_DEMAND_FLEX"    },
		{"priority", "ON_DEMAND_PRIORITY"},
	};
	const struct json tier = json_member(usage, "serviceTier");
	const struct json traffic = json_member(usage, "trafficType");
	for (size_t i = 0; i < COUNT_OF(tiers); i++) {
		if (json_is(tier, tiers[i][0]) || json_is(traffic, tiers[i][1]))
			return span_str(tiers[i][0]);
	}
	return SPAN_NONE;
}

static void put_kind(struct json_out *o, const char *kind, int64_t n)
{
	if (n < 0)
		return;
	json_open(o, '{');
	json_pair_str(o, "modality", span_str(kind));
	json_pair_i64(o, "tokenCount", n);
	json_close(o, '}');
}

/* A list of kinds, where there is more than text. */
static void put_kinds(
	struct json_out *o, const char *name, int64_t total, int64_t audio, int64_t image)
{
	const int64_t beside = sum_known(audio, image);
	if (beside <= 0)
		return;
	json_key(o, name);
	json_open(o, '[');
	put_kind(o, "TEXT", total - beside);
	put_kind(o, "AUDIO", audio);
	put_kind(o, "IMAGE", image);
	json_close(o, ']');
}

static void put_known(struct json_out *o, const char *name, int64_t n)
{
	if (n >= 0)
		json_pair_i64(o, name, n);
}

void verdict_put_usage(struct json_out *o, const struct llm_usage *u)
{
	const int64_t input = usage_input_total(u), total = usage_output_total(u);
	const int64_t said = sum_known(sum_known(u->output, u->audio_output), u->image_output);
	if (input < 0 && total < 0)
		return;
	json_key(o, "usageMetadata");
	json_open(o, '{');
	put_known(o, "promptTokenCount", input);
	put_known(o, "cachedContentTokenCount", u->cache_read);
	put_known(o, "candidatesTokenCount", said);
	put_known(o, "thoughtsTokenCount", u->reasoning);
	json_pair_i64(o, "totalTokenCount", sum_known(input, total));
	put_kinds(o, "promptTokensDetails", input, u->audio_input, u->image_input);
	put_kinds(o, "candidatesTokensDetails", said, u->audio_output, u->image_output);
	json_close(o, '}');
}

/* ---- logprobs ---- */

/* Opens an entry. */
static bool put_entry(struct json_out *o, struct json v)
{
	static const char *const names[] = {"token", "logProbability"};
	struct json m[COUNT_OF(names)];
	PICK(v, names, m);
	if (json_kind(m[0]) != JSON_STRING)
		return false;
	json_open(o, '{');
	json_pair_raw(o, "token", m[0].text);
	json_pair_raw(o, "logprob", json_kind(m[1]) == JSON_NUMBER ? m[1].text : SPAN("0"));
	json_key(o, "bytes");
	json_put_null(o);
	return true;
}

static void put_top(struct json_out *o, struct json list)
{
	json_key(o, "top_logprobs");
	json_open(o, '[');
	for (struct json_walk w = json_each(list);
		json_kind(list) == JSON_ARRAY && json_next(&w);) {
		if (put_entry(o, w.value))
			json_close(o, '}');
	}
	json_close(o, ']');
}

bool verdict_logprobs(struct json result, struct buf *out)
{
	static const char *const names[] = {"chosenCandidates", "topCandidates"};
	struct json_out o = json_to(out);
	struct json m[COUNT_OF(names)];
	bool has_any = false;
	PICK(result, names, m);
	if (json_kind(m[0]) != JSON_ARRAY)
		return false;
	struct json_walk top = json_each(m[1]);
	json_open(&o, '{');
	json_key(&o, "content");
	json_open(&o, '[');
	for (struct json_walk w = json_each(m[0]); json_next(&w);) {
		const bool has_top = json_kind(m[1]) == JSON_ARRAY && json_next(&top);
		if (!put_entry(&o, w.value))
			continue;
		put_top(&o, has_top ? json_member(top.value, "candidates") : JSON_NONE);
		json_close(&o, '}');
		has_any = true;
	}
	json_close(&o, ']');
	json_close(&o, '}');
	return has_any;
}

/* An entry of OpenAI's shape, which is ours, too. */
static void put_token(struct json_out *o, struct json v)
{
	static const char *const names[] = {"token", "logprob"};
	struct json m[COUNT_OF(names)];
	PICK(v, names, m);
	if (json_kind(m[0]) != JSON_STRING || json_kind(m[1]) != JSON_NUMBER)
		return;
	json_open(o, '{');
	json_pair_raw(o, "token", m[0].text);
	json_pair_raw(o, "logProbability", m[1].text);
	json_close(o, '}');
}

void verdict_add_logprobs(struct json logprobs, struct buf *chosen, struct buf *top)
{
	struct json_out each = json_to(chosen), others_of = json_to(top);
	const struct json list = json_member(logprobs, "content");
	each.has_value = chosen->n > 0;
	others_of.has_value = top->n > 0;
	for (struct json_walk w = json_each(list);
		json_kind(list) == JSON_ARRAY && json_next(&w);) {
		const size_t before = chosen->n;
		put_token(&each, w.value);
		if (chosen->n == before)
			continue;
		const struct json best = json_member(w.value, "top_logprobs");
		json_open(&others_of, '{');
		json_key(&others_of, "candidates");
		json_open(&others_of, '[');
		for (struct json_walk k = json_each(best);
			json_kind(best) == JSON_ARRAY && json_next(&k);)
			put_token(&others_of, k.value);
		json_close(&others_of, ']');
		json_close(&others_of, '}');
	}
}
