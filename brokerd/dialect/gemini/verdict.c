/* verdict.c - tables of words, and sums. */
#include "brokerd/dialect/gemini/verdict.h"

#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/usage.h"

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
		"candidatesTokensDetails", "responseTokenCount"};
	struct json m[COUNT_OF(names)];
	PICK(usage, names, m);
	usage_count(m[0], &c->prompt);
	usage_count(m[1], &c->tool_prompt);
	usage_count(m[2], &c->cached);
	usage_count(m[9], &c->candidates); /* as some hosts call it */
	usage_count(m[3], &c->candidates);
	usage_count(m[4], &c->thoughts);
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
	return a < 0 ? b : b < 0 ? a : a + b;
}

/* What of a kind did not come from the cache. */
static int64_t uncached(int64_t all, int64_t cached)
{
	if (all < 0 || cached < 0)
		return all;
	return all > cached ? all - cached : 0;
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
