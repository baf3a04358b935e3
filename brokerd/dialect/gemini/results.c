/* results.c - what is a caller of this family answered beside a chat: counts? */
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/whole_write.h"

static void put_count(struct whole_answer *w, const struct llm_event *e)
{
	json_pair_i64(&w->o, "totalTokens", e->count.input_tokens);
}

struct encoder *gemini_count_encoder_new(struct arena *a, const struct answer_plan *plan)
{
	static const struct whole_language language = {.result = EV_COUNT, .put = put_count};
	return whole_writer_new(a, plan, &language);
}
