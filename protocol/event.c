/* event.c - a table for each event; the pieces of text, which are nearly all there is, are packed
 * without one. */
#include "protocol/event.h"

#include <math.h>

#include "protocol/base/num.h"
#include "protocol/frame.h"
#include "protocol/limits.h"
#include "protocol/members.h"

static const char *const names[] = {
	[EV_START] = "start",
	[EV_TEXT] = "text",
	[EV_REASONING] = "reasoning",
	[EV_REFUSAL] = "refusal",
	[EV_OPAQUE] = "opaque",
	[EV_TOOL_START] = "tool_start",
	[EV_TOOL_ARGS] = "tool_args",
	[EV_TOOL_END] = "tool_end",
	[EV_PART] = "part",
	[EV_LOGPROBS] = "logprobs",
	[EV_USAGE] = "usage",
	[EV_FINISH] = "finish",
	[EV_WARNING] = "warning",
	[EV_STATUS] = "status",
	[EV_RAW] = "raw",
	[EV_HEAD] = "head",
	[EV_END] = "end",
	[EV_FAULT] = "fault",
	[EV_EMBEDDING] = "embedding",
	[EV_RANK] = "rank",
	[EV_COUNT] = "count",
	[EV_MODERATION] = "moderation",
	[EV_MODEL] = "model",
};

const char *event_name(enum event_type type)
{
	return type >= EV_START && (size_t)type < COUNT_OF(names) ? names[type] : "unknown";
}

static const char *const finishes[] = {
	[FINISH_STOP] = "stop",
	[FINISH_LENGTH] = "length",
	[FINISH_TOOL_CALLS] = "tool_calls",
	[FINISH_CONTENT_FILTER] = "content_filter",
	[FINISH_PAUSE] = "pause",
	[FINISH_OTHER] = "other",
};

const char *finish_name(enum finish f)
{
	return f >= FINISH_STOP && (size_t)f < COUNT_OF(finishes) ? finishes[f] : "other";
}

bool finish_from(struct span word, enum finish *out)
{
	for (size_t i = FINISH_STOP; i < COUNT_OF(finishes); i++) {
		if (span_is(word, finishes[i])) {
			*out = (enum finish)i;
			return true;
		}
	}
	return false;
}

static int64_t add_known(int64_t sum, int64_t v)
{
	if (v < 0)
		return sum;
	return sum < 0 ? v : num_add_sat(sum, v);
}

int64_t usage_input_total(const struct llm_usage *u)
{
	const int64_t classes[] = {u->input, u->cache_read, u->cache_write_5m, u->cache_write_1h,
		u->cache_write, u->audio_input, u->image_input};
	int64_t sum = -1;
	for (size_t i = 0; i < COUNT_OF(classes); i++)
		sum = add_known(sum, classes[i]);
	return sum;
}

int64_t usage_output_total(const struct llm_usage *u)
{
	const int64_t classes[] = {u->output, u->reasoning, u->audio_output, u->image_output};
	int64_t sum = -1;
	for (size_t i = 0; i < COUNT_OF(classes); i++)
		sum = add_known(sum, classes[i]);
	return sum;
}

/* ---- the bodies ---- */

#define EVENT(field) offsetof(struct llm_event, field)

/* `ev` has been read before all else. */
static READER(member_read_passed)
{
	(void)field;
	return span_is_set(pack_skip(in)) ? OK : reader_wrong(r, at, in, "a value");
}

static WRITER(member_write_event)
{
	const enum event_type *type = field;
	pack_pair_str(out, m, key, span_str(event_name(*type)));
}

/* ---- vectors ---- */

static bool is_float(double v)
{
	return (double)(float)v == v;
}

static uint64_t bits_of(double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits;
}

static uint32_t bits_of_float(float v)
{
	uint32_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits;
}

static bool all_floats(const struct vector *v)
{
	for (size_t i = 0; i < v->n; i++) {
		if (!is_float(v->values[i]))
			return false;
	}
	return true;
}

static void put_little_endian(char *to, uint64_t bits, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (char)(bits >> (8 * i));
}

static void put_vector(
	struct buf *out, struct pack_open *m, const char *key, const struct vector *v, size_t size)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	char *to = buf_reserve(&bytes, v->n * size + 1);
	for (size_t i = 0; to && i < v->n; i++)
		put_little_endian(to + i * size,
			size == sizeof(float) ? bits_of_float((float)v->values[i])
					      : bits_of(v->values[i]),
			size);
	if (to)
		buf_commit(&bytes, v->n * size);
	else
		out->err = buf_error(&bytes);
	pack_pair_bin(out, m, key, buf_view(&bytes));
}

static WRITER(member_write_f32)
{
	const struct vector *v = field;
	if (all_floats(v))
		put_vector(out, m, key, v, sizeof(float));
}

static WRITER(member_write_f64)
{
	const struct vector *v = field;
	if (!all_floats(v))
		put_vector(out, m, key, v, sizeof(double));
}

static uint64_t little_endian(const char *from, size_t size)
{
	uint64_t bits = 0;
	for (size_t i = size; i > 0; i--)
		bits = bits << 8 | (unsigned char)from[i - 1];
	return bits;
}

static double number_of(uint64_t bits, size_t size)
{
	const uint32_t low = (uint32_t)bits;
	float f;
	double d;
	memcpy(&f, &low, sizeof f);
	memcpy(&d, &bits, sizeof d);
	return size == sizeof f ? (double)f : d;
}

static enum err read_vector(
	struct reader *r, const struct at *at, struct pack_in *in, struct vector *out, size_t size)
{
	struct span bytes;
	const enum err err = member_read_bytes(r, at, in, &bytes);
	if (err)
		return err;
	if (out->values || bytes.n == 0 || bytes.n % size != 0)
		return reader_refuse(
			r, at, r->bad, "one vector of numbers of %zu bytes is wanted", size);
	double *values = arena_array(r->a, bytes.n / size, sizeof *values);
	if (!values)
		return reader_no_memory(r);
	*out = (struct vector){values, bytes.n / size};
	for (size_t i = 0; i < out->n; i++) {
		values[i] = number_of(little_endian(bytes.p + i * size, size), size);
		if (!isfinite(values[i]))
			return reader_refuse(r, at, r->bad, "a number of the vector is not finite");
	}
	return OK;
}

static READER(member_read_f32)
{
	return read_vector(r, at, in, field, sizeof(float));
}

static READER(member_read_f64)
{
	return read_vector(r, at, in, field, sizeof(double));
}

static READER(member_read_number)
{
	return pack_f64(in, field) ? OK : reader_wrong(r, at, in, "a finite number");
}

static WRITER(member_write_number)
{
	const double *v = field;
	pack_pair_f64(out, m, key, *v);
}

static WRITER(member_write_flag)
{
	const bool *v = field;
	pack_pair_bool(out, m, key, *v);
}

#define ROW_EVENT                                          \
	{                                                  \
		"ev", AS(passed, event), EVENT(type), 0, 0 \
	}
#define ROW_CHOICE                                         \
	{                                                  \
		"i", AS(u32, nonzero), EVENT(choice), 0, 0 \
	}
#define ROW_TOOL                                     \
	{                                            \
		"t", AS(u32, u32), EVENT(tool), 0, 1 \
	}

static const struct member start_rows[] = {
	ROW_EVENT,
	{"id",      AS(text,  text),     EVENT(start.id),        0, 0},
	{"model",   AS(text,  text),     EVENT(start.model),     0, 0},
	{"created", AS(count, positive), EVENT(start.created_s), 0, 0},
};

static const struct member text_rows[] = {
	ROW_EVENT,
	ROW_CHOICE,
	{"d", AS(text, required_text), EVENT(text), 0, 1},
};

static const struct member opaque_rows[] = {
	ROW_EVENT,
	ROW_CHOICE,
	{"opaque", AS(opaque, opaque), EVENT(opaque), 0, 1},
};

static const struct member tool_start_rows[] = {
	ROW_EVENT,
	ROW_CHOICE,
	ROW_TOOL,
	{"id",     AS(text,   required_text), EVENT(call.id),        0, 1},
	{"name",   AS(text,   required_text), EVENT(call.name),      0, 1},
	{"custom", AS(bool,   bool),          EVENT(call.is_custom), 0, 0},
	{"opaque", AS(opaque, opaque),        EVENT(call.opaque),    0, 0},
};

static const struct member tool_args_rows[] = {
	ROW_EVENT,
	ROW_CHOICE,
	ROW_TOOL,
	{"d", AS(text, required_text), EVENT(text), 0, 1},
};

static const struct member tool_end_rows[] = {
	ROW_EVENT,
	ROW_CHOICE,
	ROW_TOOL,
};

static const struct member part_rows[] = {
	ROW_EVENT,
	ROW_CHOICE,
	{"part", AS(part, part), EVENT(part),     0, 1},
	{"more", AS(bool, bool), EVENT(has_more), 0, 0},
};

static const struct member logprobs_rows[] = {
	ROW_EVENT,
	ROW_CHOICE,
	{"content", AS(json, text), EVENT(text), 0, 1},
};

#define USAGE(field) offsetof(struct llm_usage, field)
static const struct member usage_classes[] = {
	{"input",              AS(count, count), USAGE(input),              0, 0},
	{"cache_read",         AS(count, count), USAGE(cache_read),         0, 0},
	{"cache_write_5m",     AS(count, count), USAGE(cache_write_5m),     0, 0},
	{"cache_write_1h",     AS(count, count), USAGE(cache_write_1h),     0, 0},
	{"cache_write",        AS(count, count), USAGE(cache_write),        0, 0},
	{"output",             AS(count, count), USAGE(output),             0, 0},
	{"reasoning",          AS(count, count), USAGE(reasoning),          0, 0},
	{"audio_input",        AS(count, count), USAGE(audio_input),        0, 0},
	{"audio_output",       AS(count, count), USAGE(audio_output),       0, 0},
	{"image_input",        AS(count, count), USAGE(image_input),        0, 0},
	{"image_output",       AS(count, count), USAGE(image_output),       0, 0},
	{"cost_nusd",          AS(count, count), USAGE(cost_nusd),          0, 0},
	{"provider_cost_nusd", AS(count, count), USAGE(provider_cost_nusd), 0, 0},
};

static READER(member_read_usage)
{
	return members_read(r, at, in, usage_classes, COUNT_OF(usage_classes), field, NULL);
}

static WRITER(member_write_usage)
{
	pack_key(out, m, key);
	members_write(out, usage_classes, COUNT_OF(usage_classes), field);
}

static const struct member usage_rows[] = {
	ROW_EVENT,
	{"usage", AS(usage, usage), EVENT(usage), 0, 1},
};

/* A word of a later version is "other". */
static READER(member_read_finish)
{
	enum finish *finish = field;
	struct span word;
	const enum err err = member_read_text(r, at, in, &word);
	if (!err && !finish_from(word, finish))
		*finish = FINISH_OTHER;
	return err;
}

static WRITER(member_write_finish)
{
	const enum finish *finish = field;
	pack_pair_str(out, m, key, span_str(finish_name(*finish)));
}

static const struct member finish_rows[] = {
	ROW_EVENT,
	ROW_CHOICE,
	{"finish",        AS(finish, finish), EVENT(finish.finish),       0, 1},
	{"native_finish", AS(text,   text),   EVENT(finish.native),       0, 0},
	{"matched_stop",  AS(text,   text),   EVENT(finish.matched_stop), 0, 0},
};

static const struct member warning_rows[] = {
	ROW_EVENT,
	{"code",    AS(text, required_text), EVENT(warning.code),    0, 1},
	{"param",   AS(text, text),          EVENT(warning.param),   0, 0},
	{"message", AS(text, text),          EVENT(warning.message), 0, 0},
};

static const struct member status_rows[] = {
	ROW_EVENT,
	{"status", AS(text, required_text), EVENT(status.word),   0, 1},
	{"detail", AS(text, text),          EVENT(status.detail), 0, 0},
};

#define ROW_INDEX(of)                                        \
	{                                                    \
		"index", AS(u32, u32), EVENT(of.index), 0, 1 \
	}

static const struct member embedding_rows[] = {
	ROW_EVENT,
	ROW_INDEX(embedding),
	{"f32", AS(f32, f32), EVENT(embedding.vector), 0, 0},
	{"f64", AS(f64, f64), EVENT(embedding.vector), 0, 0},
};

static const struct member rank_rows[] = {
	ROW_EVENT,
	ROW_INDEX(rank),
	{"score", AS(number, number), EVENT(rank.score), 0, 1},
};

static const struct member count_rows[] = {
	ROW_EVENT,
	{"input_tokens", AS(count, count), EVENT(count.input_tokens), 0, 1},
	{"estimate",     AS(bool,  bool),  EVENT(count.is_estimate),  0, 0},
};

static const struct member moderation_rows[] = {
	ROW_EVENT,
	ROW_INDEX(moderation),
	{"flagged",    AS(bool,        flag), EVENT(moderation.is_flagged), 0, 1},
	{"categories", AS(json_object, text), EVENT(moderation.categories), 0, 0},
	{"scores",     AS(json_object, text), EVENT(moderation.scores),     0, 0},
};

static const struct member model_rows[] = {
	ROW_EVENT,
	{"id",         AS(text,  required_text), EVENT(model.id),                0, 1},
	{"owner",      AS(text,  text),          EVENT(model.owner),             0, 0},
	{"context",    AS(count, count),         EVENT(model.context_tokens),    0, 0},
	{"max_output", AS(count, count),         EVENT(model.max_output_tokens), 0, 0},
	{"created",    AS(count, positive),      EVENT(model.created_s),         0, 0},
};

static const struct member raw_rows[] = {
	{"d", AS(bytes, required_bytes), EVENT(text), 0, 1},
};

static READER(member_read_status_code)
{
	int *status = field;
	int64_t v = 0;
	const enum err err = member_read_i64(r, at, in, &v);
	if (!err && (v < 0 || v > 999))
		return reader_refuse(r, at, r->bad, "an HTTP status is wanted");
	*status = (int)v;
	return err;
}

static WRITER(member_write_status_code)
{
	const int *status = field;
	pack_pair_i64(out, m, key, *status);
}

static READER(member_read_headers)
{
	struct reply_head *head = field;
	return member_read_pairs(r, at, in, &head->headers, &head->n_headers);
}

static WRITER(member_write_headers)
{
	const struct reply_head *head = field;
	if (head->n_headers == 0)
		return;
	pack_key(out, m, key);
	member_write_pairs(out, head->headers, head->n_headers);
}

static const struct member head_rows[] = {
	{"status",  AS(status_code, status_code), EVENT(head.status),    0, 1},
	{"headers", AS(headers,     headers),     EVENT(head),           0, 0},
	{"stream",  AS(bool,        bool),        EVENT(head.is_stream), 0, 0},
};

static const char *const cache_sources[] = {[CACHE_NOT] = "",
	[CACHE_HIT] = "hit",
	[CACHE_JOINED] = "joined",
	[CACHE_SEMANTIC] = "semantic",
	[CACHE_STALE] = "stale"};

const char *cache_source_name(enum cache_source s)
{
	return cache_sources[s];
}

static READER(member_read_source)
{
	size_t which = 0;
	const enum err err = member_read_word(
		r, at, in, cache_sources + CACHE_HIT, COUNT_OF(cache_sources) - CACHE_HIT, &which);
	*(enum cache_source *)field = (enum cache_source)(which + CACHE_HIT);
	return err;
}

static WRITER(member_write_source)
{
	const enum cache_source *source = field;
	pack_pair_str(out, m, key, span_str(cache_sources[*source]));
}

#define CACHED(field) offsetof(struct cached, field)
static const struct member cached_rows[] = {
	{"source",     AS(source,  source),  CACHED(source),     0, 1},
	{"age_s",      AS(count,   count),   CACHED(age_s),      0, 0},
	{"saved_nusd", AS(count,   count),   CACHED(saved_nusd), 0, 0},
	{"score",      AS(opt_f64, opt_f64), CACHED(score),      0, 0},
};

static READER(member_read_cached)
{
	struct cached *cached = field;
	*cached = (struct cached){.age_s = -1, .saved_nusd = -1};
	return members_read(r, at, in, cached_rows, COUNT_OF(cached_rows), field, NULL);
}

static WRITER(member_write_cached)
{
	const struct cached *cached = field;
	if (cached->source == CACHE_NOT)
		return;
	pack_key(out, m, key);
	members_write(out, cached_rows, COUNT_OF(cached_rows), cached);
}

static const struct member end_rows[] = {
	{"usage",      AS(usage,  usage),  EVENT(end.usage),      0, 0},
	{"provider",   AS(text,   text),   EVENT(end.provider),   0, 0},
	{"model",      AS(text,   text),   EVENT(end.model),      0, 0},
	{"request_id", AS(text,   text),   EVENT(end.request_id), 0, 0},
	{"ttft_us",    AS(count,  count),  EVENT(end.ttft_us),    0, 0},
	{"total_us",   AS(count,  count),  EVENT(end.total_us),   0, 0},
	{"attempts",   AS(count,  count),  EVENT(end.attempts),   0, 0},
	{"cache",      AS(cached, cached), EVENT(end.cached),     0, 0},
	{"kept",       AS(bool,   bool),   EVENT(end.is_kept),    0, 0},
};

static const struct {
	const struct member *rows;
	size_t n;
} bodies[] = {
	[EV_START] = {start_rows,      COUNT_OF(start_rows)     },
	[EV_TEXT] = {text_rows,       COUNT_OF(text_rows)      },
	[EV_REASONING] = {text_rows,       COUNT_OF(text_rows)      },
	[EV_REFUSAL] = {text_rows,       COUNT_OF(text_rows)      },
	[EV_OPAQUE] = {opaque_rows,     COUNT_OF(opaque_rows)    },
	[EV_TOOL_START] = {tool_start_rows, COUNT_OF(tool_start_rows)},
	[EV_TOOL_ARGS] = {tool_args_rows,  COUNT_OF(tool_args_rows) },
	[EV_TOOL_END] = {tool_end_rows,   COUNT_OF(tool_end_rows)  },
	[EV_PART] = {part_rows,       COUNT_OF(part_rows)      },
	[EV_LOGPROBS] = {logprobs_rows,   COUNT_OF(logprobs_rows)  },
	[EV_USAGE] = {usage_rows,      COUNT_OF(usage_rows)     },
	[EV_FINISH] = {finish_rows,     COUNT_OF(finish_rows)    },
	[EV_WARNING] = {warning_rows,    COUNT_OF(warning_rows)   },
	[EV_STATUS] = {status_rows,     COUNT_OF(status_rows)    },
	[EV_RAW] = {raw_rows,        COUNT_OF(raw_rows)       },
	[EV_HEAD] = {head_rows,       COUNT_OF(head_rows)      },
	[EV_END] = {end_rows,        COUNT_OF(end_rows)       },
	[EV_EMBEDDING] = {embedding_rows,  COUNT_OF(embedding_rows) },
	[EV_RANK] = {rank_rows,       COUNT_OF(rank_rows)      },
	[EV_COUNT] = {count_rows,      COUNT_OF(count_rows)     },
	[EV_MODERATION] = {moderation_rows, COUNT_OF(moderation_rows)},
	[EV_MODEL] = {model_rows,      COUNT_OF(model_rows)     },
};

/* ---- faults ---- */

/* A fault as it travels: its texts are of any length, its class may be a later version's. */
struct fault_body {
	struct span word;
	int64_t number;
	struct span message, code, param;
	int64_t status;
	struct span provider, request_id;
	int64_t retry_after_ms;
	bool is_partial, is_retryable;
};

#define BODY(field) offsetof(struct fault_body, field)
static const struct member fault_rows[] = {
	{"class",          AS(text, text),     BODY(word),           0, 0},
	{"number",         AS(i64,  i64),      BODY(number),         0, 0},
	{"message",        AS(text, text),     BODY(message),        0, 0},
	{"code",           AS(text, text),     BODY(code),           0, 0},
	{"param",          AS(text, text),     BODY(param),          0, 0},
	{"status",         AS(i64,  positive), BODY(status),         0, 0},
	{"provider",       AS(text, text),     BODY(provider),       0, 0},
	{"request_id",     AS(text, text),     BODY(request_id),     0, 0},
	{"retry_after_ms", AS(i64,  count),    BODY(retry_after_ms), 0, 0},
	{"partial",        AS(bool, bool),     BODY(is_partial),     0, 0},
	{"retryable",      AS(bool, bool),     BODY(is_retryable),   0, 0},
};

static struct span text_of(const char *field)
{
	return field[0] ? span_str(field) : SPAN_NONE;
}

static void pack_fault(const struct fault *fault, struct buf *out)
{
	const struct err_info *info = err_info(fault->err);
	const struct fault_body body = {
		.word = span_str(info->word),
		.number = info->err,
		.message = text_of(fault->message[0] ? fault->message : info->sentence),
		.code = text_of(fault->code),
		.param = text_of(fault->param),
		.status = fault->http_status,
		.provider = text_of(fault->provider),
		.request_id = text_of(fault->request_id),
		.retry_after_ms = fault->retry_after_ms,
		.is_partial = fault->is_partial,
		.is_retryable = info->is_retryable,
	};
	members_write(out, fault_rows, COUNT_OF(fault_rows), &body);
}

/* By its word, else by its number, else "internal". */
static enum err class_of(const struct fault_body *body)
{
	const enum err by_word = err_from_word(body->word);
	if (span_is(body->word, err_info(by_word)->word))
		return by_word;
	size_t n;
	const struct err_info *rows = err_table(&n);
	for (size_t i = 0; i < n; i++) {
		if ((int64_t)rows[i].err == body->number)
			return rows[i].err;
	}
	return ERR_INTERNAL;
}

static enum err unpack_fault(struct reader *r, struct pack_in *in, const struct fault **out)
{
	struct fault_body body = {.retry_after_ms = -1};
	const struct at top = {.up = NULL};

	const enum err err =
		members_read(r, &top, in, fault_rows, COUNT_OF(fault_rows), &body, NULL);
	if (err)
		return err;
	struct fault *fault = arena_alloc(r->a, sizeof *fault);
	if (!fault)
		return reader_no_memory(r);
	*fault = FAULT_NONE;
	fault->err = class_of(&body);
	fault->http_status = body.status >= 0 && body.status <= 999 ? (int)body.status : 0;
	fault->retry_after_ms = body.retry_after_ms >= 0 ? body.retry_after_ms : -1;
	fault->is_partial = body.is_partial;
	fault_text(fault->message, sizeof fault->message, body.message);
	fault_text(fault->code, sizeof fault->code, body.code);
	fault_text(fault->param, sizeof fault->param, body.param);
	fault_text(fault->provider, sizeof fault->provider, body.provider);
	fault_text(fault->request_id, sizeof fault->request_id, body.request_id);
	*out = fault;
	return OK;
}

/* ---- events ---- */

int event_frame_type(enum event_type type)
{
	switch (type) {
	case EV_RAW:
		return FRAME_DATA;
	case EV_HEAD:
		return FRAME_HEAD;
	case EV_END:
		return FRAME_END;
	case EV_FAULT:
		return FRAME_FAULT;
	case EV_START:
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
	case EV_OPAQUE:
	case EV_TOOL_START:
	case EV_TOOL_ARGS:
	case EV_TOOL_END:
	case EV_PART:
	case EV_LOGPROBS:
	case EV_USAGE:
	case EV_FINISH:
	case EV_WARNING:
	case EV_STATUS:
	case EV_EMBEDDING:
	case EV_RANK:
	case EV_COUNT:
	case EV_MODERATION:
	case EV_MODEL:
		break;
	}
	return FRAME_EVENT;
}

bool event_is_content(enum event_type type)
{
	switch (type) {
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
	case EV_OPAQUE:
	case EV_TOOL_START:
	case EV_TOOL_ARGS:
	case EV_TOOL_END:
	case EV_PART:
	case EV_LOGPROBS:
	case EV_RAW:
	case EV_EMBEDDING:
	case EV_RANK:
	case EV_COUNT:
	case EV_MODERATION:
	case EV_MODEL:
		return true;
	case EV_START:
	case EV_USAGE:
	case EV_FINISH:
	case EV_WARNING:
	case EV_STATUS:
	case EV_HEAD:
	case EV_END:
	case EV_FAULT:
		break;
	}
	return false;
}

void event_pack(const struct llm_event *e, struct buf *out)
{
	if (e->type == EV_FAULT)
		pack_fault(e->fault, out);
	else
		members_write(out, bodies[e->type].rows, bodies[e->type].n, e);
}

/* Which event an event frame's body is; nothing else of it is read. */
static enum err find_type(struct reader *r, struct pack_in in, enum event_type *out)
{
	const struct at top = {.up = NULL}, at = at_member(&top, SPAN("ev"));
	struct span key, word = SPAN_NONE;
	uint32_t pairs;

	if (!pack_map(&in, &pairs))
		return reader_wrong(r, &top, &in, "a map");
	for (; pairs > 0 && pack_str(&in, &key); pairs--) {
		if (span_is(key, "ev")) {
			const enum err err = member_read_text(r, &at, &in, &word);
			if (err)
				return err;
			break;
		}
		pack_skip(&in);
	}
	if (!span_is_set(word))
		return reader_refuse(r, &at, r->bad, "an event must have this member");
	for (size_t i = EV_START; i < COUNT_OF(names); i++) {
		if (span_is(word, names[i]) &&
			event_frame_type((enum event_type)i) == FRAME_EVENT) {
			*out = (enum event_type)i;
			return OK;
		}
	}
	return ERR_MORE;
}

static enum err type_of_frame(
	struct reader *r, int frame_type, struct pack_in body, enum event_type *out)
{
	switch (frame_type) {
	case FRAME_EVENT:
		return find_type(r, body, out);
	case FRAME_DATA:
		*out = EV_RAW;
		return OK;
	case FRAME_HEAD:
		*out = EV_HEAD;
		return OK;
	case FRAME_END:
		*out = EV_END;
		return OK;
	case FRAME_FAULT:
		*out = EV_FAULT;
		return OK;
	default:
		return fault_set(r->why, ERR_MALFORMED, "a frame of type %s (%d) holds no event",
			frame_name(frame_type), frame_type);
	}
}

enum err event_unpack(int frame_type, struct pack_in body, struct arena *a, struct llm_event *out,
	struct fault *why)
{
	struct reader r = {.a = a, .why = why, .bad = ERR_MALFORMED};
	const struct at top = {.up = NULL};

	enum event_type type = EV_TEXT;
	const enum err err = type_of_frame(&r, frame_type, body, &type);
	if (err)
		return err;
	*out = (struct llm_event){.type = type};
	if (type == EV_FAULT)
		return unpack_fault(&r, &body, &out->fault);
	if (type == EV_USAGE)
		out->usage = USAGE_UNKNOWN;
	if (type == EV_END)
		out->end =
			(struct reply_end){.usage = USAGE_UNKNOWN, .ttft_us = -1, .total_us = -1};
	if (type == EV_MODEL)
		out->model.context_tokens = out->model.max_output_tokens = -1;
	const enum err bad =
		members_read(&r, &top, &body, bodies[type].rows, bodies[type].n, out, NULL);
	if (!bad && type == EV_EMBEDDING && !out->embedding.vector.values)
		return reader_refuse(&r, &top, r.bad, "an embedding has a vector, f32 or f64");
	return bad;
}
