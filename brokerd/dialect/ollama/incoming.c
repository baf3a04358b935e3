/* incoming.c - what does a request of this family ask, in our terms? */
#include "brokerd/dialect/functions.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/ollama/ollama.h"
#include "brokerd/dialect/reading.h"

/* ---- messages ---- */

static enum err no_part(struct intake *in, const struct at *at, struct json v, struct part *to)
{
	(void)to;
	return intake_wrong(in, at, v, "content is a string, so a string");
}

static enum err read_image(struct intake *in, const struct at *at, struct json v, struct part *to)
{
	const enum err err = intake_base64(in, at, v, &to->media.data);
	to->media.mime = media_type_of(to->media.data);
	to->type = span_starts(to->media.mime, SPAN("audio/")) ? PART_AUDIO : PART_IMAGE;
	return err;
}

/* A message's own parts besides its content. */
struct draft {
	struct message *m;
	struct json thinking, images;
};

static enum err add_images(struct intake *in, const struct at *at, struct draft *d)
{
	const struct at here = at_member(at, SPAN("images"));
	const size_t n = intake_count(d->images);
	struct message *m = d->m;
	size_t i = 0;
	if (json_is_nil(d->images))
		return OK;
	if (json_kind(d->images) != JSON_ARRAY)
		return intake_wrong(in, &here, d->images, "an array of images");
	struct part *parts = arena_array(in->arena, m->n_parts + n, sizeof *parts);
	if (!parts)
		return intake_no_memory(in);
	if (m->n_parts > 0)
		memcpy(parts, m->parts, m->n_parts * sizeof *parts);
	m->parts = parts;
	for (struct json_walk w = json_each(d->images); json_next(&w); i++) {
		const struct at one = at_index(&here, i);
		const enum err err = read_image(in, &one, w.value, &m->parts[m->n_parts++]);
		if (err)
			return err;
	}
	return OK;
}

static enum err add_thinking(struct intake *in, const struct at *at, struct draft *d)
{
	const struct at here = at_member(at, SPAN("thinking"));
	if (json_is_nil(d->thinking))
		return OK;
	d->m->parts = arena_array(in->arena, 1, sizeof *d->m->parts);
	if (!d->m->parts)
		return intake_no_memory(in);
	d->m->parts[d->m->n_parts++] = (struct part){.type = PART_REASONING};
	return intake_text(in, &here, d->thinking, &d->m->parts[0].text);
}

static enum err read_message(
	struct intake *in, const struct at *at, struct json v, struct message *to)
{
	/* clang-format off */
	static const struct intake_row rows[] = {
		{"role", reading_role, offsetof(struct message, role)},
		{"content", intake_ignore, 0},
		{"thinking", intake_ignore, 0},
		{"images", intake_ignore, 0},
		{"tool_calls", intake_ignore, 0},
		{"tool_name", intake_text, offsetof(struct message, name)},
		{"tool_call_id", intake_text, offsetof(struct message, tool_call_id)},
	};
	/* clang-format on */
	struct draft d = {to, json_member(v, "thinking"), json_member(v, "images")};
	enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), to, &to->extra, "");
	if (!err)
		err = add_thinking(in, at, &d);
	if (!err)
		err = reading_parts(in, at, v, no_part, to);
	return err ? err : add_images(in, at, &d);
}

/* Older versions give calls no ids: a result answers the first call of its name that has none yet. */
static enum err pair_results(struct intake *in, struct llm_request *r)
{
	for (size_t i = 0, made = 0; i < r->n_messages; i++) {
		struct message *m = &r->messages[i];
		for (size_t k = 0; m->role == ROLE_ASSISTANT && k < m->n_parts; k++) {
			OWNED(buf_done) struct buf id = BUF_INIT(64);
			struct tool_call *call = &m->parts[k].call;
			if (m->parts[k].type != PART_TOOL_CALL || span_is_set(call->id))
				continue;
			buf_print(&id, "call_%zu", made++);
			if (buf_error(&id) || arena_dup(in->arena, buf_view(&id), &call->id))
				return intake_no_memory(in);
			for (size_t j = i + 1; j < r->n_messages; j++) {
				struct message *result = &r->messages[j];
				if (result->role == ROLE_ASSISTANT)
					break;
				if (result->role != ROLE_TOOL ||
					span_is_set(result->tool_call_id) ||
					(result->name.n > 0 && !span_eq(result->name, call->name)))
					continue;
				result->tool_call_id = call->id;
				break;
			}
		}
	}
	return OK;
}

static enum err read_messages(struct intake *in, const struct at *at, struct json v, void *request)
{
	const enum err err = reading_messages(in, at, v, read_message, request);
	return err ? err : pair_results(in, request);
}

/* ---- the rest ---- */

static enum err read_format(struct intake *in, const struct at *at, struct json v, void *format)
{
	struct response_format *to = format;
	if (json_is(v, "json")) {
		to->type = FORMAT_JSON;
		return OK;
	}
	if (json_is(v, ""))
		return OK;
	if (json_kind(v) != JSON_OBJECT)
		return intake_refuse(in, at, "\"json\" or a schema is wanted");
	to->type = FORMAT_SCHEMA;
	to->schema = v.text;
	return OK;
}

static enum err read_think(struct intake *in, const struct at *at, struct json v, void *effort)
{
	struct span *to = effort;
	if (json_kind(v) == JSON_STRING)
		return intake_text(in, at, v, to);
	if (json_kind(v) != JSON_TRUE && json_kind(v) != JSON_FALSE)
		return intake_wrong(in, at, v, "true, false or a level");
	*to = json_is_true(v) ? SPAN("medium") : SPAN("none");
	return OK;
}

static enum err read_stop(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	return intake_texts(in, at, v, &r->stop, &r->n_stop);
}

#define AT(member) offsetof(struct llm_request, member)

/* -1, without a bound, is what comes unasked. */
static enum err read_num_predict(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct opt_i64 *to = field;
	const enum err err = intake_i64(in, at, v, to);
	to->is_set = to->is_set && to->v >= 0;
	return err;
}

static enum err read_options(struct intake *in, const struct at *at, struct json v, void *request)
{
	static const struct intake_row rows[] = {
		{"num_predict",       read_num_predict, AT(max_tokens)        },
		{"temperature",       intake_f64,       AT(temperature)       },
		{"top_p",             intake_f64,       AT(top_p)             },
		{"top_k",             intake_i64,       AT(top_k)             },
		{"min_p",             intake_f64,       AT(min_p)             },
		{"repeat_penalty",    intake_f64,       AT(repetition_penalty)},
		{"presence_penalty",  intake_f64,       AT(presence_penalty)  },
		{"frequency_penalty", intake_f64,       AT(frequency_penalty) },
		{"seed",              intake_i64,       AT(seed)              },
		{"stop",              read_stop,        0                     },
	};
	struct llm_request *r = request;
	return intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra, "options.");
}

enum err ollama_decode_request(const struct surface_call *call, struct span body,
	struct arena *arena, struct llm_request *out, struct notes *notes, struct fault *why)
{
	static const struct intake_row rows[] = {
		{"model",        intake_model,         AT(model)           },
		{"messages",     read_messages,        0                   },
		{"tools",        functions_read_tools, 0                   },
		{"format",       read_format,          AT(response_format) },
		{"think",        read_think,           AT(reasoning.effort)},
		{"options",      read_options,         0                   },
		{"logprobs",     intake_bool,          AT(logprobs)        },
		{"top_logprobs", intake_i64,           AT(top_logprobs)    },
		{"stream",       intake_flag,          AT(is_stream)       },
	};
	struct intake in = {arena, notes, why, SPAN(OLLAMA_FAMILY)};
	struct json v;
	(void)call;
	*out = (struct llm_request){.is_stream = true}; /* unless it says otherwise */
	const enum err err = intake_body(&in, body, &v);
	const struct at top = {.up = NULL};
	return err ? err : intake_object(&in, &top, v, rows, COUNT_OF(rows), out, &out->extra, "");
}
