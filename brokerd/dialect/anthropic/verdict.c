/* verdict.c - a table of words, and sums. */
#include "brokerd/dialect/anthropic/verdict.h"

#include "protocol/base/num.h"

static const struct {
	const char *word;
	enum finish finish;
} stops[] = {
  /* of each finish, the one that stands for any other word comes first */
	{"end_turn",		      FINISH_STOP          },
	{"stop_sequence",                 FINISH_STOP          },
	{"max_tokens",                    FINISH_LENGTH        },
	{"model_context_window_exceeded", FINISH_LENGTH        },
	{"tool_use",		      FINISH_TOOL_CALLS    },
	{"pause_turn",                    FINISH_PAUSE         },
	{"refusal",		       FINISH_CONTENT_FILTER},
	{"compaction",                    FINISH_OTHER         },
};

enum finish anthropic_read_stop(struct span word)
{
	for (size_t i = 0; i < COUNT_OF(stops); i++) {
		if (span_is(word, stops[i].word))
			return stops[i].finish;
	}
	return FINISH_OTHER;
}

struct span anthropic_stop_word(enum finish f, struct span native, bool has_matched)
{
	if (f == FINISH_STOP)
		return has_matched ? SPAN("stop_sequence") : SPAN("end_turn");
	for (size_t i = 0; i < COUNT_OF(stops); i++) {
		if (stops[i].finish == f && span_is(native, stops[i].word))
			return native;
	}
	for (size_t i = 0; f != FINISH_OTHER && i < COUNT_OF(stops); i++) {
		if (stops[i].finish == f)
			return span_str(stops[i].word);
	}
	return SPAN("end_turn");
}

/* ---- usage ---- */

static int64_t sum_known(const int64_t *counts, size_t n)
{
	int64_t sum = -1;
	for (size_t i = 0; i < n; i++) {
		if (counts[i] >= 0)
			sum = sum < 0 ? counts[i] : num_add_sat(sum, counts[i]);
	}
	return sum;
}

static void put_count(struct json_out *o, const char *name, int64_t v)
{
	json_key(o, name);
	if (v >= 0)
		json_put_i64(o, v);
	else
		json_put_null(o);
}

static int64_t least_0(int64_t v)
{
	return v > 0 ? v : 0;
}

void anthropic_put_usage(
	struct json_out *o, const struct llm_usage *u, struct anthropic_guess otherwise)
{
	const int64_t inputs[] = {u->input, u->audio_input, u->image_input};
	const int64_t writes[] = {u->cache_write, u->cache_write_5m, u->cache_write_1h};
	const int64_t input = sum_known(inputs, COUNT_OF(inputs));
	const int64_t output = usage_output_total(u);
	json_key(o, "usage");
	json_open(o, '{');
	put_count(o, "input_tokens", input >= 0 ? input : otherwise.input);
	put_count(o, "cache_creation_input_tokens", sum_known(writes, COUNT_OF(writes)));
	put_count(o, "cache_read_input_tokens", u->cache_read);
	/* callers look into it unasked; what it is not told of how long it lives, lives the usual time */
	json_key(o, "cache_creation");
	json_open(o, '{');
	json_pair_i64(o, "ephemeral_5m_input_tokens",
		num_add_sat(least_0(u->cache_write_5m), least_0(u->cache_write)));
	json_pair_i64(o, "ephemeral_1h_input_tokens", least_0(u->cache_write_1h));
	json_close(o, '}');
	put_count(o, "output_tokens", output >= 0 ? output : otherwise.output);
	if (u->reasoning >= 0) {
		json_key(o, "output_tokens_details");
		json_open(o, '{');
		json_pair_i64(o, "thinking_tokens", u->reasoning);
		json_close(o, '}');
	}
	json_close(o, '}');
}
