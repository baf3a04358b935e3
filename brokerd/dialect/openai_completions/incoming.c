/* incoming.c - what does a request of this family ask, in our terms? A prompt of one text is a message
 * of the user's; several at
 * once, or tokens, stay the family's own, beside a message of no words. */
#include "brokerd/dialect/intake.h"
#include "brokerd/dialect/openai_completions/openai_completions.h"

static enum err read_prompt(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	struct json_walk w = json_each(v);
	struct json text = v;
	if (json_kind(v) == JSON_ARRAY && json_next(&w))
		text = w.value;
	if (json_kind(v) != JSON_STRING && json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "a string, or an array of strings or of tokens");
	struct message *m = arena_array(in->arena, 1, sizeof *m);
	struct part *part = arena_array(in->arena, 1, sizeof *part);
	if (!m || !part)
		return intake_no_memory(in);
	*part = (struct part){.type = PART_TEXT, .text = SPAN("")};
	*m = (struct message){.role = ROLE_USER, .parts = part, .n_parts = 1};
	r->messages = m;
	r->n_messages = 1;
	if (json_kind(text) != JSON_STRING || (json_kind(v) == JSON_ARRAY && json_next(&w)))
		return intake_keep(in, &r->extra, "", SPAN("prompt"), v.text);
	return intake_text(in, at, text, &part->text);
}

static enum err read_stop(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	return intake_texts(in, at, v, &r->stop, &r->n_stop);
}

static enum err read_logprobs(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	r->logprobs = (struct opt_bool){true, true};
	return intake_i64(in, at, v, &r->top_logprobs);
}

/* Usage is always asked for; whether the caller wants to see it is the reply's to know. */
static enum err read_include_usage(
	struct intake *in, const struct at *at, struct json v, void *request)
{
	(void)request;
	return intake_flag(in, at, v, &in->notes->wants_usage_event);
}

static enum err read_options(struct intake *in, const struct at *at, struct json v, void *request)
{
	static const struct intake_row options[] = {
		{"include_usage", read_include_usage, 0},
	};
	struct llm_request *r = request;
	return intake_object(
		in, at, v, options, COUNT_OF(options), r, &r->extra, "stream_options.");
}

#define R(member) offsetof(struct llm_request, member)

static const struct intake_row rows[] = {
	{"model",              intake_model,       R(model)             },
	{"prompt",             read_prompt,        0                    },
	{"stream",             intake_flag,        R(is_stream)         },
	{"max_tokens",         intake_i64,         R(max_tokens)        },
	{"temperature",        intake_f64,         R(temperature)       },
	{"top_p",              intake_f64,         R(top_p)             },
	{"top_k",              intake_i64,         R(top_k)             },
	{"min_p",              intake_f64,         R(min_p)             },
	{"presence_penalty",   intake_f64,         R(presence_penalty)  },
	{"frequency_penalty",  intake_f64,         R(frequency_penalty) },
	{"repetition_penalty", intake_f64,         R(repetition_penalty)},
	{"seed",               intake_i64,         R(seed)              },
	{"stop",               read_stop,          0                    },
	{"n",		  intake_i64,         R(n)                 },
	{"logit_bias",         intake_object_json, R(logit_bias)        },
	{"logprobs",           read_logprobs,      0                    },
	{"user",               intake_text,        R(user)              },
	{"stream_options",     read_options,       0                    },
};

enum err completions_decode_request(const struct surface_call *call, struct span body,
	struct arena *a, struct llm_request *out, struct notes *notes, struct fault *why)
{
	struct intake in = {a, notes, why, SPAN(OPENAI_COMPLETIONS_FAMILY)};
	struct json v;
	(void)call; /* the body says all */
	*out = (struct llm_request){.n_messages = 0};
	const struct at root = {.up = NULL};
	enum err err = intake_body(&in, body, &v);
	if (!err && json_is_nil(json_member(v, "prompt")))
		err = fault_param(why, ERR_INVALID_REQUEST, "prompt", "a prompt is wanted");
	if (!err)
		err = intake_object(&in, &root, v, rows, COUNT_OF(rows), out, &out->extra, "");
	notes->form = out->is_stream ? ANSWER_SSE : ANSWER_WHOLE;
	return err;
}
