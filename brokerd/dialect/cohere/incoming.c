/* incoming.c - what does a request of this family ask, in our terms? */
#include "brokerd/dialect/cohere/cohere.h"
#include "brokerd/dialect/functions.h"
#include "brokerd/dialect/reading.h"
#include "protocol/limits.h"

/* ---- messages ---- */

static enum err read_image(struct intake *in, const struct at *at, struct json v, void *part)
{
	static const struct intake_row rows[] = {
		{"url",    intake_text, offsetof(struct part, media.url)   },
		{"detail", intake_text, offsetof(struct part, media.detail)},
	};
	struct part *to = part;
	to->type = PART_IMAGE;
	return intake_object(in, at, v, rows, COUNT_OF(rows), to, &to->extra, "image_url.");
}

static enum err read_thinking(struct intake *in, const struct at *at, struct json v, void *part)
{
	struct part *to = part;
	to->type = PART_REASONING;
	to->opaque = (struct opaque){.family = in->family, .data = SPAN("{\"type\":\"thinking\"}")};
	return intake_text(in, at, v, &to->text);
}

static enum err read_part(struct intake *in, const struct at *at, struct json v, struct part *to)
{
	static const struct intake_row rows[] = {
		{"type", intake_ignore, 0                   },
		{"text", intake_text,   offsetof(struct part, text)},
		{"thinking",      read_thinking,          0           },
		{"image_url",      read_image,         0  },
	};
	const struct json type = json_member(v, "type");
	const struct at here = at_member(at, SPAN("type"));
	if (json_is(type, "document")) {
		to->type = PART_OPAQUE;
		to->opaque = (struct opaque){.family = in->family, .data = v.text};
		return OK;
	}
	if (!json_is_nil(type) && !json_is(type, "text") && !json_is(type, "thinking") &&
		!json_is(type, "image_url"))
		return intake_refuse(in, &here, "text, thinking, image_url or document is wanted");
	return intake_object(in, at, v, rows, COUNT_OF(rows), to, &to->extra, "");
}

/* The plan comes first, before the calls that it is for. */
static enum err add_plan(struct intake *in, const struct at *at, struct json v, struct message *to)
{
	const struct json plan = json_member(v, "tool_plan");
	const struct at here = at_member(at, SPAN("tool_plan"));
	if (json_is_nil(plan))
		return OK;
	to->parts = arena_array(in->arena, 1, sizeof *to->parts);
	if (!to->parts)
		return intake_no_memory(in);
	to->parts[to->n_parts++] = (struct part){
		.type = PART_REASONING,
		.opaque = {.family = in->family, .data = SPAN("{\"type\":\"tool_plan\"}")},
	};
	return intake_text(in, &here, plan, &to->parts[0].text);
}

/* Citations are of the message: its last text has them, or else its last part. */
static enum err add_citations(
	struct intake *in, const struct at *at, struct json v, struct message *to)
{
	const struct json citations = json_member(v, "citations");
	const struct at here = at_member(at, SPAN("citations"));
	size_t k = to->n_parts;
	if (json_is_nil(citations) || to->n_parts == 0)
		return OK; /* nothing is said that could be cited for */
	if (json_kind(citations) != JSON_ARRAY)
		return intake_wrong(in, &here, citations, "an array");
	while (k > 0 && to->parts[k - 1].type != PART_TEXT)
		k--;
	to->parts[(k > 0 ? k : to->n_parts) - 1].citations = citations.text;
	return OK;
}

static enum err read_message(
	struct intake *in, const struct at *at, struct json v, struct message *to)
{
	/* clang-format off */
	static const struct intake_row rows[] = {
		{"role", reading_role, offsetof(struct message, role)},
		{"content", intake_ignore, 0},
		{"tool_calls", intake_ignore, 0},
		{"tool_plan", intake_ignore, 0},
		{"citations", intake_ignore, 0},
		{"tool_call_id", intake_text, offsetof(struct message, tool_call_id)},
	};
	/* clang-format on */
	enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), to, &to->extra, "");
	if (!err)
		err = add_plan(in, at, v, to);
	if (!err)
		err = reading_parts(in, at, v, read_part, to);
	return err ? err : add_citations(in, at, v, to);
}

static enum err read_messages(struct intake *in, const struct at *at, struct json v, void *request)
{
	return reading_messages(in, at, v, read_message, request);
}

/* ---- the rest ---- */

static enum err read_format_type(struct intake *in, const struct at *at, struct json v, void *field)
{
	enum format_type *to = field;
	if (json_is(v, "text"))
		*to = FORMAT_TEXT;
	else if (json_is(v, "json_object"))
		*to = *to == FORMAT_SCHEMA ? *to : FORMAT_JSON;
	else
		return intake_refuse(in, at, "text or json_object is wanted");
	return OK;
}

static enum err read_schema(struct intake *in, const struct at *at, struct json v, void *format)
{
	struct response_format *to = format;
	to->type = FORMAT_SCHEMA;
	return intake_object_json(in, at, v, &to->schema);
}

static enum err read_format(struct intake *in, const struct at *at, struct json v, void *format)
{
	static const struct intake_row rows[] = {
		{"type", read_format_type, offsetof(struct response_format, type)},
		{"json_schema",      read_schema,          0                        },
		{"schema",      read_schema,               0     },
	};
	return intake_object(in, at, v, rows, COUNT_OF(rows), format, NULL, "");
}

struct thinking {
	struct span type;
	struct opt_i64 budget;
};

static enum err read_thinking_member(
	struct intake *in, const struct at *at, struct json v, void *reasoning)
{
	static const struct intake_row rows[] = {
		{"type",         intake_text, offsetof(struct thinking, type)  },
		{"token_budget", intake_i64,  offsetof(struct thinking, budget)},
	};
	struct reasoning *to = reasoning;
	struct thinking t = {.type = SPAN("enabled")};
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), &t, NULL, "");
	if (err)
		return err;
	if (span_is(t.type, "disabled"))
		to->effort = SPAN("none");
	else if (t.budget.is_set)
		to->budget_tokens = t.budget;
	else if (span_is(t.type, "enabled"))
		to->effort = SPAN("max"); /* without a bound of its own */
	else
		return intake_refuse(in, at, "the type enabled or disabled is wanted");
	return OK;
}

static enum err read_stop(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	return intake_texts(in, at, v, &r->stop, &r->n_stop);
}

/* All tools or none are held to their schemas. */
static enum err make_strict(struct intake *in, struct json body, struct llm_request *r)
{
	static const struct at top = {.up = NULL};
	const struct at here = at_member(&top, SPAN("strict_tools"));
	const struct json v = json_member(body, "strict_tools");
	struct opt_bool strict = {.is_set = false};
	if (json_is_nil(v))
		return OK;
	const enum err err = intake_bool(in, &here, v, &strict);
	for (size_t i = 0; i < r->n_tools; i++) {
		if (r->tools[i].type == TOOL_FUNCTION)
			r->tools[i].strict = strict;
	}
	return err;
}

#define AT(member) offsetof(struct llm_request, member)

enum err cohere_decode_request(const struct surface_call *call, struct span body,
	struct arena *arena, struct llm_request *out, struct notes *notes, struct fault *why)
{
	static const struct intake_row rows[] = {
		{"model",             intake_model,          AT(model)            },
		{"messages",          read_messages,         0                    },
		{"tools",             functions_read_tools,  0                    },
		{"strict_tools",      intake_ignore,         0                    },
		{"tool_choice",       functions_read_choice, AT(tool_choice)      },
		{"response_format",   read_format,           AT(response_format)  },
		{"max_tokens",        intake_i64,            AT(max_tokens)       },
		{"thinking",          read_thinking_member,  AT(reasoning)        },
		{"temperature",       intake_f64,            AT(temperature)      },
		{"p",                 intake_f64,            AT(top_p)            },
		{"k",                 intake_i64,            AT(top_k)            },
		{"seed",              intake_i64,            AT(seed)             },
		{"stop_sequences",    read_stop,             0                    },
		{"frequency_penalty", intake_f64,            AT(frequency_penalty)},
		{"presence_penalty",  intake_f64,            AT(presence_penalty) },
		{"logprobs",          intake_bool,           AT(logprobs)         },
		{"stream",            intake_flag,           AT(is_stream)        },
	};
	struct intake in = {arena, notes, why, SPAN(COHERE_FAMILY)};
	struct json v;
	(void)call;
	*out = (struct llm_request){.model = SPAN_NONE};
	enum err err = intake_body(&in, body, &v);
	const struct at top = {.up = NULL};
	if (!err)
		err = intake_object(&in, &top, v, rows, COUNT_OF(rows), out, &out->extra, "");
	return err ? err : make_strict(&in, v, out);
}
