/* incoming.c - what does a request of this family ask, in our terms? */
#include "brokerd/dialect/functions.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/mistral/mistral.h"
#include "brokerd/dialect/reading.h"
#include "protocol/limits.h"

/* ---- parts ---- */

static enum err read_image(struct intake *in, const struct at *at, struct json v, void *part)
{
	static const struct intake_row rows[] = {
		{"url",    intake_text, offsetof(struct part, media.url)   },
		{"detail", intake_text, offsetof(struct part, media.detail)},
	};
	struct part *to = part;
	to->type = PART_IMAGE;
	if (json_kind(v) == JSON_STRING)
		return intake_text(in, at, v, &to->media.url);
	return intake_object(in, at, v, rows, COUNT_OF(rows), to, &to->extra, "image_url.");
}

struct audio {
	struct span data, format;
};

/* An address, or the bytes themselves; as a text, or (as OpenAI has it) in an object. */
static enum err read_audio(struct intake *in, const struct at *at, struct json v, void *part)
{
	static const struct intake_row rows[] = {
		{"data",   intake_text, offsetof(struct audio, data)  },
		{"format", intake_text, offsetof(struct audio, format)},
	};
	struct part *to = part;
	struct audio audio = {.data = SPAN("")};
	to->type = PART_AUDIO;
	const enum err err = json_kind(v) == JSON_OBJECT ? intake_object(in, at, v, rows,
								   COUNT_OF(rows), &audio, NULL, "")
							 : intake_text(in, at, v, &audio.data);
	if (err)
		return err;
	if (span_starts(audio.data, SPAN("data:")) ||
		span_find(audio.data, SPAN("://")) < audio.data.n) {
		to->media.url = audio.data;
		return OK;
	}
	const struct at inside = json_kind(v) == JSON_OBJECT ? at_member(at, SPAN("data")) : *at;
	const struct json data = json_kind(v) == JSON_OBJECT ? json_member(v, "data") : v;
	const enum err bad = intake_base64(in, &inside, data, &to->media.data);
	if (bad)
		return bad;
	to->media.mime = media_type_of(to->media.data);
	if (!span_is_set(to->media.mime) && span_is(audio.format, "wav"))
		to->media.mime = SPAN("audio/wav");
	if (!span_is_set(to->media.mime) && span_is(audio.format, "mp3"))
		to->media.mime = SPAN("audio/mpeg");
	return OK;
}

static enum err read_document(struct intake *in, const struct at *at, struct json v, void *part)
{
	struct part *to = part;
	to->type = PART_FILE;
	return intake_text(in, at, v, &to->media.url);
}

static enum err read_file_id(struct intake *in, const struct at *at, struct json v, void *part)
{
	struct part *to = part;
	to->type = PART_FILE;
	return intake_text(in, at, v, &to->media.file_id);
}

/* A chunk that only this family knows is kept whole; thinking is told as text too. */
static enum err read_opaque(struct intake *in, struct json v, struct part *to)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	const struct json thinking = json_member(v, "thinking");
	to->type = PART_OPAQUE;
	to->opaque = (struct opaque){.family = in->family, .data = v.text};
	if (json_kind(thinking) != JSON_ARRAY)
		return OK;
	to->type = PART_REASONING;
	for (struct json_walk w = json_each(thinking); json_next(&w);)
		json_text_to(json_member(w.value, "text"), &text);
	return buf_error(&text) || arena_dup(in->arena, buf_view(&text), &to->text)
		       ? intake_no_memory(in)
		       : OK;
}

static enum err read_part(struct intake *in, const struct at *at, struct json v, struct part *to)
{
	static const struct intake_row rows[] = {
		{"type",           intake_ignore, 0                   },
		{"text",           intake_text,   offsetof(struct part, text)},
		{"image_url",                read_image,                   0             },
		{"input_audio",                read_audio,                 0},
		{"document_url",                read_document,                0         },
		{"document_name",                intake_text,               offsetof(struct part,media.filename)},
		{"file_id", read_file_id,              0                          },
	};
	static const char *const types[] = {
		"text", "image_url", "input_audio", "document_url", "file"};
	const struct json type = json_member(v, "type");
	if (json_is(type, "thinking") || json_is(type, "reference"))
		return read_opaque(in, v, to);
	bool is_known = json_is_nil(type);
	for (size_t i = 0; i < COUNT_OF(types); i++)
		is_known = is_known || json_is(type, types[i]);
	const struct at here = at_member(at, SPAN("type"));
	if (!is_known)
		return intake_refuse(in, &here,
			"text, image_url, input_audio, document_url, file, thinking or reference "
			"is wanted");
	return intake_object(in, at, v, rows, COUNT_OF(rows), to, &to->extra, "");
}

/* ---- messages ---- */

static enum err read_message(
	struct intake *in, const struct at *at, struct json v, struct message *to)
{
	/* clang-format off */
	static const struct intake_row rows[] = {
		{"role", reading_role, offsetof(struct message, role)},
		{"content", intake_ignore, 0},
		{"tool_calls", intake_ignore, 0},
		{"prefix", intake_ignore, 0},
		{"name", intake_text, offsetof(struct message, name)},
		{"tool_call_id", intake_text, offsetof(struct message, tool_call_id)},
	};
	/* clang-format on */
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), to, &to->extra, "");
	return err ? err : reading_parts(in, at, v, read_part, to);
}

static enum err read_messages(struct intake *in, const struct at *at, struct json v, void *request)
{
	return reading_messages(in, at, v, read_message, request);
}

/* ---- the rest ---- */

static enum err read_stop(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	return intake_texts(in, at, v, &r->stop, &r->n_stop);
}

/* Pairs of texts; anything else is this family's alone. */
static enum err read_metadata(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	for (struct json_walk w = json_each(v); json_next(&w);) {
		if (json_kind(w.value) != JSON_STRING)
			return intake_wrong(in, at, w.value, "an object of strings");
	}
	return intake_pairs(in, at, v, &r->metadata, &r->n_metadata);
}

#define AT(member) offsetof(struct llm_request, member)

enum err mistral_decode_request(const struct surface_call *call, struct span body,
	struct arena *arena, struct llm_request *out, struct notes *notes, struct fault *why)
{
	static const struct intake_row rows[] = {
		{"model",               intake_model,          AT(model)              },
		{"messages",            read_messages,         0                      },
		{"tools",               functions_read_tools,  0                      },
		{"tool_choice",         functions_read_choice, AT(tool_choice)        },
		{"parallel_tool_calls", intake_bool,           AT(parallel_tool_calls)},
		{"response_format",     reading_format,        0                      },
		{"max_tokens",          intake_i64,            AT(max_tokens)         },
		{"reasoning_effort",    intake_text,           AT(reasoning.effort)   },
		{"temperature",         intake_f64,            AT(temperature)        },
		{"top_p",               intake_f64,            AT(top_p)              },
		{"presence_penalty",    intake_f64,            AT(presence_penalty)   },
		{"frequency_penalty",   intake_f64,            AT(frequency_penalty)  },
		{"random_seed",         intake_i64,            AT(seed)               },
		{"stop",                read_stop,             0                      },
		{"n",                   intake_i64,            AT(n)                  },
		{"metadata",            read_metadata,         0                      },
		{"service_tier",        intake_text,           AT(service_tier)       },
		{"prompt_cache_key",    intake_text,           AT(cache_key)          },
		{"stream",              intake_flag,           AT(is_stream)          },
	};
	struct intake in = {arena, notes, why, SPAN(MISTRAL_FAMILY)};
	struct json v;
	(void)call;
	*out = (struct llm_request){.model = SPAN_NONE};
	const enum err err = intake_body(&in, body, &v);
	const struct at top = {.up = NULL};
	return err ? err : intake_object(&in, &top, v, rows, COUNT_OF(rows), out, &out->extra, "");
}
