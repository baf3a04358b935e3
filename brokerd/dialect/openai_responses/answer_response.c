/* answer_response.c - what is said of an answer as a whole, at its beginning and at its end? What the caller
 * asked is repeated as it was sent; what it did not send is as the API has it. */
#include "brokerd/dialect/openai_responses/answer.h"
#include "brokerd/dialect/pick.h"
#include "protocol/base/num.h"

/* ---- what is repeated ---- */

static const struct {
	const char *name, *unsaid;
	bool is_filled; /* an object, in which the members of the other are said, too */
} rows[] = {
	{"background",             "false",						     false},
	{"frequency_penalty",      "0.0",						       false},
	{"instructions",           "null",						      false},
	{"max_output_tokens",      "null",						      false},
	{"max_tool_calls",         "null",						      false},
	{"metadata",               "{}",							false},
	{"parallel_tool_calls",    "true",						      false},
	{"presence_penalty",       "0.0",						       false},
	{"previous_response_id",   "null",						      false},
	{"prompt_cache_key",       "null",						      false},
	{"prompt_cache_retention", "null",						      false},
	{"reasoning",              "{\"effort\":null,\"summary\":null}",                        true },
	{"safety_identifier",      "null",						      false},
	{"temperature",            "1.0",						       false},
	{"text",		   "{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"}", true },
	{"tool_choice",            "\"auto\"",						  false},
	{"tools",		  "[]",							false},
	{"top_logprobs",           "0",							 false},
	{"top_p",		  "1.0",						       false},
	{"truncation",             "\"disabled\"",					      false},
	{"user",		   "null",						      false},
};

/* The members of an object, and those of another that it lacks. */
static void put_filled(struct json_out *o, struct json said, struct json unsaid)
{
	json_open(o, '{');
	for (struct json_walk w = json_each(said); json_next(&w);) {
		json_key_raw(o, w.name);
		json_put_raw(o, w.value.text);
	}
	for (struct json_walk w = json_each(unsaid); json_next(&w);) {
		bool is_there = false;
		for (struct json_walk s = json_each(said); !is_there && json_next(&s);)
			is_there = span_eq(s.name, w.name);
		if (is_there)
			continue;
		json_key_raw(o, w.name);
		json_put_raw(o, w.value.text);
	}
	json_close(o, '}');
}

/* A body is walked once, however often it is repeated. */
static void repeat(struct encoder *e)
{
	const char *names[COUNT_OF(rows)];
	struct json found[COUNT_OF(rows)];
	struct json_out o = json_to(&e->repeated);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		names[i] = rows[i].name;
	PICK(e->plan->body, names, found);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct json unsaid = json_of(span_str(rows[i].unsaid));
		json_key(&o, rows[i].name);
		if (json_is_nil(found[i]))
			json_put_raw(&o, unsaid.text);
		else if (rows[i].is_filled && json_kind(found[i]) == JSON_OBJECT)
			put_filled(&o, found[i], unsaid);
		else
			json_put_raw(&o, found[i].text);
	}
}

/* ---- how it ended ---- */

const char *answer_status(enum finish finish)
{
	return finish == FINISH_LENGTH || finish == FINISH_CONTENT_FILTER ? "incomplete"
									  : "completed";
}

static void put_incomplete(struct json_out *o, enum finish finish)
{
	json_key(o, "incomplete_details");
	json_open(o, '{');
	json_pair_str(o, "reason",
		finish == FINISH_LENGTH ? SPAN("max_output_tokens") : SPAN("content_filter"));
	json_close(o, '}');
}

/* The codes of a failed response, and those beside the documented ones that its clients know apart. */
static struct span code_of(const struct fault *f)
{
	static const char *const known[] = {"server_error", "rate_limit_exceeded", "invalid_prompt",
		"data_residency_mismatch", "bio_policy", "vector_store_timeout", "invalid_image",
		"invalid_image_format", "invalid_base64_image", "invalid_image_url",
		"image_too_large", "image_too_small", "image_parse_error",
		"image_content_policy_violation", "invalid_image_mode", "image_file_too_large",
		"unsupported_image_media_type", "empty_image_file", "failed_to_download_image",
		"image_file_not_found"};
	static const struct {
		enum err err;
		const char *code;
	} classes[] = {
		{ERR_RATE_LIMITED,     "rate_limit_exceeded"    },
		{ERR_QUOTA_EXHAUSTED,  "insufficient_quota"     },
		{ERR_BUDGET,           "insufficient_quota"     },
		{ERR_CONTEXT_LENGTH,   "context_length_exceeded"},
		{ERR_OVERLOADED,       "server_is_overloaded"   },
		{ERR_CONTENT_FILTERED, "invalid_prompt"         },
		{ERR_INVALID_REQUEST,  "invalid_prompt"         },
	};
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (span_is(span_str(f->code), known[i]))
			return span_str(f->code);
	}
	for (size_t i = 0; i < COUNT_OF(classes); i++) {
		if (f->err == classes[i].err)
			return span_str(classes[i].code);
	}
	return SPAN("server_error");
}

static void put_error(struct json_out *o, const struct fault *f)
{
	json_key(o, "error");
	json_open(o, '{');
	json_pair_str(o, "code", code_of(f));
	json_pair_str(
		o, "message", span_str(f->message[0] ? f->message : err_info(f->err)->sentence));
	json_close(o, '}');
}

static int64_t add_known(int64_t sum, int64_t more)
{
	return more < 0 ? sum : num_add_sat(sum, more);
}

/* The two totals are all or nothing, for a missing one would have to be a number; of the parts what is
 * not known is 0, as the API has it. */
static void put_usage(struct json_out *o, const struct llm_usage *u)
{
	const int64_t input = usage_input_total(u), output = usage_output_total(u);
	const int64_t written = add_known(
		add_known(add_known(0, u->cache_write), u->cache_write_5m), u->cache_write_1h);
	json_key(o, "usage");
	if (input < 0 || output < 0) {
		json_put_null(o);
		return;
	}
	json_open(o, '{');
	json_pair_i64(o, "input_tokens", input);
	json_key(o, "input_tokens_details");
	json_open(o, '{');
	json_pair_i64(o, "cached_tokens", u->cache_read < 0 ? 0 : u->cache_read);
	json_pair_i64(o, "cache_write_tokens", written);
	json_close(o, '}');
	json_pair_i64(o, "output_tokens", output);
	json_key(o, "output_tokens_details");
	json_open(o, '{');
	json_pair_i64(o, "reasoning_tokens", u->reasoning < 0 ? 0 : u->reasoning);
	json_close(o, '}');
	json_pair_i64(o, "total_tokens", num_add_sat(input, output));
	json_close(o, '}');
}

/* ---- the response ---- */

/* The provider's word, where this family has it too; else what was asked for. */
static struct span tier_of(const struct encoder *e)
{
	static const char *const known[] = {"auto", "default", "flex", "scale", "priority"};
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (span_is(e->tier, known[i]))
			return e->tier;
	}
	const struct span asked = e->plan->request->service_tier;
	return asked.n > 0 ? asked : SPAN("default");
}

static int64_t completed_s(const struct encoder *e)
{
	const int64_t now_s = e->plan->env->wall_s + e->total_us / 1000000;
	return now_s > e->created_s ? now_s : e->created_s;
}

void answer_put_response(
	struct encoder *e, const char *status, const struct fault *fault, struct json_out *o)
{
	const bool is_completed = span_is(span_str(status), "completed");
	const bool is_incomplete = span_is(span_str(status), "incomplete");
	const struct span model = e->model.n > 0 ? e->model : e->plan->request->model;
	if (e->repeated.n == 0)
		repeat(e);
	json_open(o, '{');
	json_pair_str(o, "id", e->id);
	json_pair_str(o, "object", SPAN("response"));
	json_pair_i64(o, "created_at", e->created_s);
	json_pair_str(o, "status", span_str(status));
	json_key(o, "completed_at");
	if (is_completed)
		json_put_i64(o, completed_s(e));
	else
		json_put_null(o);
	if (fault)
		put_error(o, fault);
	else
		json_pair_raw(o, "error", SPAN("null"));
	if (is_incomplete)
		put_incomplete(o, e->finish);
	else
		json_pair_raw(o, "incomplete_details", SPAN("null"));
	json_pair_str(o, "model", span_is_set(model) ? model : SPAN(""));
	json_key(o, "output");
	answer_put_output(e, o);
	json_pair_str(o, "service_tier", tier_of(e));
	json_pair_bool(o, "store", span_is_set(e->plan->id));
	json_put_raw(o, buf_view(&e->repeated));
	put_usage(o, &e->usage);
	json_close(o, '}');
	if (buf_error(&e->repeated))
		o->to->err = o->to->err ? o->to->err : buf_error(&e->repeated);
}
