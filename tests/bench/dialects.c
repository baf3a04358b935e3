/* dialects.c - what do the dialects cost, in the time that a JSON library takes for the same bytes?
 *
 * For each family: a delta of a stream decoded to its event, and a request of 4 KiB and of 1 MiB
 * encoded. The unit is what cJSON takes to parse and print those bytes, once. Prints Markdown, or with
 * --json one object. */
#include <stdio.h>

#include "brokerd/dialect/dialect.h"
#include "brokerd/heap.h"
#include "protocol/limits.h"
#include "tests/lib/bench.h"
#include "tests/lib/feed.h"
#include "tests/lib/host.h"
#include "tests/lib/paired.h"
#include "tests/lib/stream_sample.h"

#define PARTS 24 /* messages of a request */

struct figure {
	struct paired_figure sides[2]; /* ours, cJSON's */
	size_t bytes;
};

/* ---- a delta ---- */

struct stream {
	const struct dialect *dialect;
	const struct stream_sample *sample;
	struct buf begin, delta;
};

static enum err count_text(void *context, const struct llm_event *e)
{
	*(size_t *)context += e->type == EV_TEXT;
	return OK;
}

static int64_t decode_ns(void *context, size_t times)
{
	const struct stream *s = context;
	struct http_header type = {SPAN("content-type"), span_str(s->sample->type)};
	const struct http_head head = {.status = 200, .headers = &type, .n_headers = 1};
	const struct dialect_op *op = s->dialect->ops[LLM_OP_CHAT];
	struct arena arena;
	struct notes notes;
	struct fault why;
	size_t n = 0;
	const struct event_sink sink = {count_text, &n};
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &arena);
	struct decoder *decoder = op->decoder_new(&arena, &notes, &FEED_ENV, &head);
	enum err err = decoder && s->begin.n > 0
			       ? op->decode(decoder, buf_view(&s->begin), &sink, &why)
			       : OK;
	const int64_t began = bench_thread_ns();
	for (size_t i = 0; decoder && !err && i < times; i++)
		err = op->decode(decoder, buf_view(&s->delta), &sink, &why);
	const int64_t took_ns = bench_thread_ns() - began;
	if (!decoder || err || n != times)
		bench_die("%s: the stream was not decoded: %zu of %zu texts", s->dialect->family, n,
			times);
	op->decoder_done(decoder);
	arena_done(&arena);
	return took_ns;
}

static struct figure measure_delta(
	const struct dialect *d, const struct stream_sample *sample, int64_t rounds)
{
	struct stream s = {.dialect = d,
		.sample = sample,
		.begin = BUF_INIT(64 * KIB),
		.delta = BUF_INIT(64 * KIB)};
	struct span json = stream_sample_json(sample);
	const struct paired_side sides[] = {
		{decode_ns,    &s   },
                {paired_cjson, &json}
        };
	struct figure f;
	stream_sample_begin(sample, &s.begin);
	stream_sample_delta(sample, &s.delta);
	f.bytes = s.delta.n;
	paired_run(sides, COUNT_OF(sides), rounds, 2000, f.sides);
	buf_done(&s.begin);
	buf_done(&s.delta);
	return f;
}

/* ---- a request ---- */

struct writing {
	const struct dialect *dialect;
	const struct target *target;
	struct llm_request request;
	struct buf body;
};

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

static int64_t encode_ns(void *context, size_t times)
{
	struct writing *w = context;
	struct arena arena;
	struct notes notes;
	struct fault why = FAULT_NONE;
	int64_t took_ns = 0;
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	for (size_t i = 0; i < times; i++) {
		struct http_request http = {.n_headers = 0};
		const int64_t began = bench_thread_ns();
		notes_init(&notes, &arena);
		const enum err err = dialect_encode(w->dialect->ops[LLM_OP_CHAT], &w->request,
			w->target, &FEED_ENV, &notes, &http, &why);
		took_ns += bench_thread_ns() - began;
		if (err)
			bench_die("%s: the request was not encoded: %s", w->dialect->family,
				why.message);
		buf_clear(&w->body);
		buf_span(&w->body, http.body);
		arena_done(&arena);
	}
	return took_ns;
}

static struct figure measure_request(
	const struct dialect *d, const struct target *target, size_t bytes, int64_t rounds)
{
	OWNED(buf_done) struct buf words = BUF_INIT(2 * bytes);
	struct writing w = {.dialect = d, .target = target, .body = BUF_INIT(4 * bytes + MIB)};
	struct arena arena;
	struct figure f;
	const bool is_single = strcmp(d->family, "openai-completions") == 0;
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	bench_prompt(&words, bytes);
	make_request(&arena, buf_view(&words), is_single ? 1 : PARTS - 1, &w.request);
	encode_ns(&w, 1);
	struct span body = buf_view(&w.body); /* the same bytes at the same place each time */
	const struct paired_side sides[] = {
		{encode_ns,    &w   },
                {paired_cjson, &body}
        };
	f.bytes = body.n;
	paired_run(sides, COUNT_OF(sides), rounds, bytes > 64 * KIB ? 4 : 200, f.sides);
	buf_done(&w.body);
	arena_done(&arena);
	return f;
}

/* ---- the table ---- */

static double mib_s(const struct figure *f)
{
	return (double)f->bytes / 1048576 / (f->sides[0].ns * 1e-9);
}

static void print_row(const char *family, const struct figure *f, bool is_json, bool is_first)
{
	static const char *const names[] = {"delta", "encode_4k", "encode_1m"};
	if (!is_json) {
		printf("| %s | %.2f | %.2f | %.1f | %.0f | %.2f | %.0f | %.0f | %.2f |\n", family,
			f[0].sides[0].ns / 1000, f[0].sides[1].ratio, f[1].sides[0].ns / 1000,
			mib_s(&f[1]), f[1].sides[1].ratio, f[2].sides[0].ns / 1000, mib_s(&f[2]),
			f[2].sides[1].ratio);
		return;
	}
	printf("%s\"%s\":{", is_first ? "" : ",", family);
	for (int i = 0; i < 3; i++)
		printf("%s\"%s\":{\"us\":%.3f,\"cjson_us\":%.3f,\"ratio\":%.3f,\"mib_s\":%.1f,"
		       "\"bytes\":%zu}",
			i ? "," : "", names[i], f[i].sides[0].ns / 1000, f[i].sides[1].ns / 1000,
			f[i].sides[1].ratio, mib_s(&f[i]), f[i].bytes);
	printf("}");
}

static void measure(const struct stream_sample *s, int64_t rounds, bool is_json, bool is_first)
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
		{"rounds", &rounds, NULL, NULL,      1, PAIRED_ROUNDS_MAX,
                 "how often each is measured (11)"                                                        },
		{"quick",  NULL,    NULL, &is_quick, 0, 0,                 "once, to see that it runs"    },
		{"json",   NULL,    NULL, &is_json,  0, 0,                 "one object instead of a table"},
	};
	heap_settle(); /* as the daemon does */
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
	size_t n;
	const struct stream_sample *samples = stream_samples(&n);
	for (size_t i = 0; i < n; i++)
		measure(&samples[i], rounds, is_json, i == 0);
	if (is_json)
		printf("}\n");
	return 0;
}
