/* dialects.c - what do the dialects cost, in the time that a JSON library takes for the same bytes?
 *
 * For each family: a delta of a stream decoded to its event, and a request of 4 KiB and of 1 MiB
 * encoded. The unit is what cJSON takes to parse and print those bytes, once, measured in turn with
 * it, so that the ratios hold on a machine whose speed drifts. Prints Markdown, or with --json one
 * object. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/dialect/dialect.h"
#include "protocol/limits.h"
#include "tests/lib/bench.h"
#include "tests/lib/feed.h"
#include "tests/lib/host.h"

#define DELTAS 2000 /* of one stream */
#define PARTS  24   /* messages of a request */

/* A stream's beginning and one delta of it, as the family frames them. A family whose framing is
 * binary has the payload alone, and the name of its event. */
/* clang-format off */
static const struct sample {
	const char *family, *type, *begin, *delta;
	const char *begin_event, *delta_event; /* binary: else NULL */
} samples[] = {
	{"openai-chat", "text/event-stream",
		"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1760000001,\"model\":\"gpt-5.4\","
		"\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
		"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1760000001,\"model\":\"gpt-5.4\","
		"\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n",
		NULL, NULL},
	{"openai-responses", "text/event-stream",
		"event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":"
		"\"resp_1\",\"status\":\"in_progress\",\"output\":[],\"model\":\"gpt-5.6\",\"usage\":null}}\n\n"
		"event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,"
		"\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[]}}\n\n"
		"event: response.content_part.added\ndata: {\"type\":\"response.content_part.added\",\"sequence_number\":2,"
		"\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\"}}"
		"\n\n",
		"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,"
		"\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\" token\",\"logprobs\":[]}\n\n",
		NULL, NULL},
	{"openai-completions", "text/event-stream", "",
		"data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1760000001,\"model\":\"m\",\"choices\":"
		"[{\"text\":\" token\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}]}\n\n",
		NULL, NULL},
	{"anthropic", "text/event-stream",
		"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":"
		"\"assistant\",\"model\":\"claude\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":9,"
		"\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
		"\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
		"\"text\":\" token\"}}\n\n",
		NULL, NULL},
	{"gemini", "text/event-stream", "",
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" token\"}],\"role\":\"model\"},\"index\":0}],"
		"\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":12,\"totalTokenCount\":21},"
		"\"modelVersion\":\"gemini-3-flash\",\"responseId\":\"r1\"}\n\n",
		NULL, NULL},
	{"bedrock", "application/vnd.amazon.eventstream", "{\"role\":\"assistant\"}",
		"{\"contentBlockIndex\":0,\"delta\":{\"text\":\" token\"},\"p\":\"abcdefghijklm\"}", "messageStart",
		"contentBlockDelta"},
	{"mistral", "text/event-stream", "",
		"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1760000001,\"model\":\"mistral-small\","
		"\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n",
		NULL, NULL},
	{"cohere", "text/event-stream",
		"event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"c1\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}"
		"\n\nevent: content-start\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":"
		"\"text\",\"text\":\"\"}}}}\n\n",
		"event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":"
		"\" token\"}}}}\n\n",
		NULL, NULL},
	{"ollama", "application/x-ndjson", "",
		"{\"model\":\"qwen3:8b\",\"created_at\":\"2026-11-01T10:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":"
		"\" token\"},\"done\":false}\n",
		NULL, NULL},
};
/* clang-format on */

/* ---- AWS's frames ---- */

static uint32_t crc32_of(const char *p, size_t n)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < n; i++) {
		crc ^= (unsigned char)p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~crc;
}

static void put_u32(struct buf *out, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_byte(out, (char)(v >> shift & 0xff));
}

static void put_header(struct buf *out, const char *name, const char *value)
{
	buf_byte(out, (char)strlen(name));
	buf_text(out, name);
	buf_byte(out, 7);
	buf_byte(out, 0);
	buf_byte(out, (char)strlen(value));
	buf_text(out, value);
}

static void put_message(struct buf *out, const char *event, const char *payload)
{
	OWNED(buf_done) struct buf headers = BUF_INIT(KIB);
	const size_t at = out->n;
	put_header(&headers, ":event-type", event);
	put_header(&headers, ":content-type", "application/json");
	put_header(&headers, ":message-type", "event");
	put_u32(out, (uint32_t)(16 + headers.n + strlen(payload)));
	put_u32(out, (uint32_t)headers.n);
	put_u32(out, crc32_of(out->p + at, 8));
	buf_span(out, buf_view(&headers));
	buf_text(out, payload);
	put_u32(out, crc32_of(out->p + at, out->n - at));
}

static void put_piece(struct buf *out, const char *event, const char *text)
{
	if (event)
		put_message(out, event, text);
	else
		buf_text(out, text);
}

/* ---- measuring ---- */

struct figure {
	double ours_us, unit_us; /* the medians of the rounds, for one */
	double ratio;            /* the median of the rounds' own */
	size_t bytes;
};

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

enum { ROUNDS_MAX = 99 };

struct rounds {
	double ours[ROUNDS_MAX], unit[ROUNDS_MAX], ratio[ROUNDS_MAX];
	int64_t n;
};

static struct figure figure_of(struct rounds *r, size_t bytes)
{
	const size_t n = (size_t)r->n, middle = n / 2;
	for (size_t i = 0; i < n; i++)
		r->ratio[i] = r->ours[i] / r->unit[i];
	qsort(r->ours, n, sizeof *r->ours, compare);
	qsort(r->unit, n, sizeof *r->unit, compare);
	qsort(r->ratio, n, sizeof *r->ratio, compare);
	return (struct figure){r->ours[middle], r->unit[middle], r->ratio[middle], bytes};
}

/* cJSON's time for these bytes, `times` over. */
static int64_t unit_ns(struct span json, size_t times)
{
	const int64_t began = bench_now_ns();
	for (size_t i = 0; i < times; i++) {
		cJSON *v = cJSON_ParseWithLength(json.p, json.n);
		char *text = v ? cJSON_PrintUnformatted(v) : NULL;
		if (!text)
			bench_die("cJSON cannot read or print the sample");
		cJSON_free(text);
		cJSON_Delete(v);
	}
	return bench_now_ns() - began;
}

static enum err count_text(void *context, const struct llm_event *e)
{
	*(size_t *)context += e->type == EV_TEXT;
	return OK;
}

static int64_t decode_ns(
	const struct dialect *d, const struct sample *s, struct span begin, struct span delta)
{
	struct http_header type = {SPAN("content-type"), span_str(s->type)};
	const struct http_head head = {.status = 200, .headers = &type, .n_headers = 1};
	const struct dialect_op *op = d->ops[LLM_OP_CHAT];
	struct arena arena;
	struct notes notes;
	struct fault why;
	size_t n = 0;
	const struct event_sink sink = {count_text, &n};
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &arena);
	struct decoder *decoder = op->decoder_new(&arena, &notes, &FEED_ENV, &head);
	enum err err = decoder && begin.n > 0 ? op->decode(decoder, begin, &sink, &why) : OK;
	const int64_t began = bench_now_ns();
	for (size_t i = 0; decoder && !err && i < DELTAS; i++)
		err = op->decode(decoder, delta, &sink, &why);
	const int64_t took_ns = bench_now_ns() - began;
	if (!decoder || err || n != DELTAS)
		bench_die("%s: the stream was not decoded: %zu of %d texts", d->family, n, DELTAS);
	op->decoder_done(decoder);
	arena_done(&arena);
	return took_ns;
}

/* The JSON of a delta, without its framing. */
static struct span payload_of(const char *delta)
{
	struct span text = span_str(delta);
	text = span_skip(text, span_index(text, '{'));
	return span_trim(text);
}

static struct figure measure_delta(const struct dialect *d, const struct sample *s, int64_t rounds)
{
	OWNED(buf_done) struct buf begin = BUF_INIT(64 * KIB);
	OWNED(buf_done) struct buf delta = BUF_INIT(64 * KIB);
	struct rounds r = {.n = rounds};
	put_piece(&begin, s->begin_event, s->begin);
	put_piece(&delta, s->delta_event, s->delta);
	decode_ns(d, s, buf_view(&begin), buf_view(&delta));
	for (int64_t i = 0; i < rounds; i++) {
		r.unit[i] = (double)unit_ns(payload_of(s->delta), DELTAS) / DELTAS / 1000;
		r.ours[i] =
			(double)decode_ns(d, s, buf_view(&begin), buf_view(&delta)) / DELTAS / 1000;
	}
	return figure_of(&r, delta.n);
}

/* A conversation of so many bytes, in equal messages; one is all that completions take. */
static void make_request(
	struct arena *a, struct span words, size_t messages, struct llm_request *out)
{
	*out = (struct llm_request){.model = SPAN("m"), .is_stream = true};
	out->messages = arena_array(a, messages, sizeof *out->messages);
	struct part *parts = arena_array(a, messages, sizeof *parts);
	if (!out->messages || !parts)
		bench_die("no memory for a request");
	for (size_t i = 0; i < messages; i++) {
		parts[i] = (struct part){
			.type = PART_TEXT, .text = span_first(words, words.n / messages)};
		out->messages[i] = (struct message){.role = i % 2 == 0 ? ROLE_USER : ROLE_ASSISTANT,
			.parts = &parts[i],
			.n_parts = 1};
	}
	out->n_messages = messages;
}

static int64_t encode_ns(const struct dialect *d, const struct llm_request *request,
	const struct target *target, struct buf *body)
{
	struct arena arena;
	struct notes notes;
	struct http_request http = {.n_headers = 0};
	struct fault why = FAULT_NONE;
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	const int64_t began = bench_now_ns();
	notes_init(&notes, &arena);
	const enum err err = dialect_encode(
		d->ops[LLM_OP_CHAT], request, target, &FEED_ENV, &notes, &http, &why);
	const int64_t took_ns = bench_now_ns() - began;
	if (err)
		bench_die("%s: the request was not encoded: %s", d->family, why.message);
	buf_clear(body);
	buf_span(body, http.body);
	arena_done(&arena);
	return took_ns;
}

static struct figure measure_request(
	const struct dialect *d, const struct target *target, size_t bytes, int64_t rounds)
{
	OWNED(buf_done) struct buf words = BUF_INIT(2 * bytes);
	OWNED(buf_done) struct buf body = BUF_INIT(4 * bytes + MIB);
	struct rounds r = {.n = rounds};
	struct llm_request request;
	struct arena arena;
	const size_t times = bytes > 64 * KIB ? 4 : 200;
	const bool is_single = strcmp(d->family, "openai-completions") == 0;
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	bench_prompt(&words, bytes);
	make_request(&arena, buf_view(&words), is_single ? 1 : PARTS - 1, &request);
	encode_ns(d, &request, target, &body);
	for (int64_t i = 0; i < rounds; i++) {
		int64_t ns = 0;
		r.unit[i] = (double)unit_ns(buf_view(&body), times) / (double)times / 1000;
		for (size_t k = 0; k < times; k++)
			ns += encode_ns(d, &request, target, &body);
		r.ours[i] = (double)ns / (double)times / 1000;
	}
	arena_done(&arena);
	return figure_of(&r, body.n);
}

/* ---- the table ---- */

static double mib_s(const struct figure *f)
{
	return (double)f->bytes / 1048576 / (f->ours_us / 1e6);
}

static void print_row(const char *family, const struct figure *f, bool is_json, bool is_first)
{
	static const char *const names[] = {"delta", "encode_4k", "encode_1m"};
	if (!is_json) {
		printf("| %s | %.2f | %.2f | %.1f | %.0f | %.2f | %.0f | %.0f | %.2f |\n", family,
			f[0].ours_us, f[0].ratio, f[1].ours_us, mib_s(&f[1]), f[1].ratio,
			f[2].ours_us, mib_s(&f[2]), f[2].ratio);
		return;
	}
	printf("%s\"%s\":{", is_first ? "" : ",", family);
	for (int i = 0; i < 3; i++)
		printf("%s\"%s\":{\"us\":%.3f,\"cjson_us\":%.3f,\"ratio\":%.3f,\"mib_s\":%.1f,"
		       "\"bytes\":%zu}",
			i ? "," : "", names[i], f[i].ours_us, f[i].unit_us, f[i].ratio,
			mib_s(&f[i]), f[i].bytes);
	printf("}");
}

static void measure(const struct sample *s, int64_t rounds, bool is_json, bool is_first)
{
	const struct dialect *d = dialect_find(span_str(s->family));
	const struct host_wish wish = {.family = span_str(s->family)};
	struct target target;
	struct fault why;
	struct arena arena;
	if (!d)
		bench_die("there is no family %s", s->family);
	arena_init(&arena, MIB);
	struct config *config = host_target(&wish, &arena, &target, &why);
	if (!config)
		bench_die("%s: %s", s->family, why.message);
	const struct figure f[] = {
		measure_delta(d, s, rounds),
		measure_request(d, &target, 4 * KIB, rounds),
		measure_request(d, &target, MIB, rounds),
	};
	print_row(s->family, f, is_json, is_first);
	config_unref(config);
	arena_done(&arena);
}

int main(int argc, char **argv)
{
	int64_t rounds = 11;
	bool is_json = false, is_quick = false;
	const struct bench_option options[] = {
		{"rounds", &rounds, NULL, NULL,      1, ROUNDS_MAX, "how often each is measured (11)"},
		{"quick",  NULL,    NULL, &is_quick, 0, 0,          "once, to see that it runs"      },
		{"json",   NULL,    NULL, &is_json,  0, 0,          "one object instead of a table"  },
	};
	bench_options(argc, argv, "what do the dialects cost, in cJSON's time for the same bytes?",
		options, COUNT_OF(options));
	if (is_quick)
		rounds = 1;
	if (is_json)
		printf("{");
	else
		printf("| family | delta us | x cJSON | 4 KiB us | MiB/s | x cJSON | 1 MiB us | "
		       "MiB/s | "
		       "x cJSON |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: "
		       "|\n");
	for (size_t i = 0; i < COUNT_OF(samples); i++)
		measure(&samples[i], rounds, is_json, i == 0);
	if (is_json)
		printf("}\n");
	return 0;
}
