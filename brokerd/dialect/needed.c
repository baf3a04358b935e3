/* needed.c - a row a member. */
#include "brokerd/dialect/needed.h"

static const struct {
	const char *name, *purpose;
} rows[] = {
	{"safetySettings",       "safety"              }, /* gemini, in both spellings */
	{"safety_settings",      "safety"              },
	{"guardrailConfig",      "safety"              }, /* bedrock */
	{"guardrails",           "safety"              }, /* mistral */
	{"safe_prompt",          "safety"              },
	{"safety_mode",          "safety"              }, /* cohere */
	{"moderation",           "safety"              }, /* openai-chat, openai-responses */
	{"safety_model",         "safety"              }, /* Together */
	{"sensitive_word_check", "safety"              }, /* Z.ai */
	{"documents",            "what is asked about" },
	{"cachedContent",        "what was said before"}, /* gemini, in both spellings */
	{"cached_content",       "what was said before"},
	{"previous_response_id", "what was said before"}, /* openai-responses */
	{"conversation",         "what was said before"},
	{"prompt",               "what is asked"       },
	{"suffix",               "what is asked"       }, /* openai-completions */
	{"background",           "an answer later on"  },
};

/* The thresholds of Gemini by which nothing is blocked. */
static bool blocks_nothing(struct json setting)
{
	static const char *const none[] = {"BLOCK_NONE", "OFF", "HARM_BLOCK_THRESHOLD_UNSPECIFIED"};
	const struct json threshold = json_member(setting, "threshold");
	for (size_t i = 0; i < COUNT_OF(none); i++) {
		if (json_is(threshold, none[i]))
			return true;
	}
	return false;
}

/* Does it ask for nothing? */
static bool is_idle(struct json v)
{
	switch (json_kind(v)) {
	case JSON_STRING:
		return v.text.n == 2 || json_is(v, "OFF") || json_is(v, "NONE");
	case JSON_ARRAY:
		for (struct json_walk w = json_each(v); json_next(&w);) {
			if (!blocks_nothing(w.value))
				return false;
		}
		return true;
	case JSON_OBJECT: {
		struct json_walk w = json_each(v);
		return !json_next(&w);
	}
	default:
		return json_is_nil(v) || json_kind(v) == JSON_FALSE;
	}
}

const char *needed_for(struct span name, struct span json)
{
	struct json v;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!span_is(name, rows[i].name))
			continue;
		return json_scan(json, JSON_STRICT, &v, NULL) == OK && is_idle(v) ? NULL
										  : rows[i].purpose;
	}
	return NULL;
}
