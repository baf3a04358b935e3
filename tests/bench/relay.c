/* relay.c - what does a relayed call cost, in the time that others take for the same bytes?
 *
 * For each surface of chat, by brokerd's own steps: a request is read, and goes on as it is or is written
 * for another family; a reply in one piece, and a delta of a stream, go on as they are or are told in the
 * caller's language, up to the frames of the wire. Beside it cJSON parses and prints those bytes, and
 * memcpy copies them. Prints Markdown, or with --json one object a row. */
#include <stdio.h>

#include "brokerd/dialect/passage.h"
#include "brokerd/exchange/flight.h"
#include "brokerd/exchange/relay.h"
#include "brokerd/heap.h"
#include "protocol/frame.h"
#include "protocol/limits.h"
#include "tests/lib/bench.h"
#include "tests/lib/feed.h"
#include "tests/lib/host.h"
#include "tests/lib/paired.h"
#include "tests/lib/stream_sample.h"

#define PIECE_BYTES (16 * KIB) /* of a reply, as the transport gets them */

/* Who speaks what: a caller, and the provider that it comes to. */
struct lane {
	const struct surface *surface;
	const struct dialect *provider;
	const struct dialect_op *op; /* the provider's */
	struct config *config;
	struct target target;
	struct arena arena; /* of the target */
	bool is_verbatim;
};

static void lane_open(struct lane *l, const char *surface, const char *provider)
{
	const struct host_wish wish = {.family = span_str(provider)};
	struct fault why = FAULT_NONE;
	*l = (struct lane){.surface = surface_find(span_str(surface)),
		.provider = dialect_find(span_str(provider))};
	arena_init(&l->arena, MIB);
	l->config = host_target(&wish, &l->arena, &l->target, &why);
	if (!l->surface || !l->provider || !l->config)
		bench_die("%s, %s: %s", surface, provider, why.message);
	l->op = l->provider->ops[LLM_OP_CHAT];
	l->is_verbatim = l->surface->dialect == l->provider;
}

static void lane_close(struct lane *l)
{
	config_unref(l->config);
	arena_done(&l->arena);
}

static void check(const struct lane *l, enum err err, const struct fault *why)
{
	if (err)
		bench_die("%s by %s: %s: %s", l->surface->name, l->provider->family,
			err_info(err)->word, why->message);
}

/* ---- what is asked ---- */

static void put_words(struct buf *out, size_t n)
{
	const struct span paragraph = SPAN(
		"static enum err take(struct sink *s, struct span line)\n{\n"
		"\tif (!s->is_open)\n\t\treturn fault_set(why, ERR_MORE, \"not yet: %zu\", n);\n"
		"\treturn s->on_line(s->context, line);\n}\n"
		"The quick brown fox jumps over the lazy dog, and na\xc3\xafvely says so.\n");
	while (out->n < n)
		buf_span(out, paragraph);
}

/* clang-format off */
static const struct {
	const char *name, *description, *parameters;
} tools[] = {
	{"read_file", "Reads a file, or some lines of it.",
		"{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"},\"from\":{\"type\":\"integer\"},"
		"\"lines\":{\"type\":\"integer\"}},\"required\":[\"path\"]}"},
	{"run_command", "Runs a command in the shell, and tells what it printed.",
		"{\"type\":\"object\",\"properties\":{\"command\":{\"type\":\"string\"},\"timeout_s\":{\"type\":"
		"\"number\"}},\"required\":[\"command\"]}"},
};
/* clang-format on */

/* A caller's own request, about so many bytes long, and the call that it comes with. */
struct asked {
	struct surface_call call;
	struct buf body, path;
};

/* Turns of a conversation, none of them long. */
static void make_conversation(struct arena *a, struct span words, size_t n, struct llm_request *out)
{
	struct part *parts = arena_array(a, n, sizeof *parts);
	out->messages = arena_array(a, n, sizeof *out->messages);
	out->tools = arena_array(a, COUNT_OF(tools), sizeof *out->tools);
	if (!parts || !out->messages || !out->tools)
		bench_die("no memory for a request");
	for (size_t i = 0; i < n; i++) {
		parts[i] = (struct part){.type = PART_TEXT, .text = words};
		out->messages[i] = (struct message){.role = i % 2 == 0 ? ROLE_USER : ROLE_ASSISTANT,
			.parts = &parts[i],
			.n_parts = 1};
	}
	for (size_t i = 0; i < COUNT_OF(tools); i++)
		out->tools[i] = (struct tool){.name = span_str(tools[i].name),
			.description = span_str(tools[i].description),
			.parameters = span_str(tools[i].parameters)};
	out->n_messages = n;
	out->n_tools = COUNT_OF(tools);
}

static void ask(const struct surface *surface, size_t bytes, bool is_stream, struct asked *out)
{
	struct lane own;
	struct arena arena;
	struct notes notes;
	struct http_request http = {.n_headers = 0};
	struct fault why = FAULT_NONE;
	struct llm_request r = {
		.is_stream = is_stream, .max_tokens = {true, 4096}
        };
	OWNED(buf_done) struct buf words = BUF_INIT(4 * KIB);
	put_words(&words, bytes < 8 * KIB ? bytes / 4 : 2 * KIB);
	lane_open(&own, surface->name, surface->dialect->family);
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &arena);
	make_conversation(&arena, buf_view(&words), bytes / words.n | 1, &r);
	check(&own, dialect_encode(own.op, &r, &own.target, &FEED_ENV, &notes, &http, &why), &why);
	*out = (struct asked){.body = BUF_INIT(LIMIT_BODY_BYTES), .path = BUF_INIT(4 * KIB)};
	buf_span(&out->body, http.body);
	/* where Gemini's callers say the model */
	const size_t host = span_find(http.url, SPAN("://")) + 3;
	const struct span behind = span_skip(http.url, host);
	buf_span(&out->path, span_skip(behind, span_index(behind, '/')));
	struct span query = buf_view(&out->path);
	const struct span path = span_cut(&query, '?');
	out->call = (struct surface_call){.surface = span_str(surface->name),
		.method = SPAN("POST"),
		.path = path,
		.query = query,
		.content_type = SPAN("application/json")};
	arena_done(&arena);
	lane_close(&own);
}

static void asked_done(struct asked *a)
{
	buf_done(&a->body);
	buf_done(&a->path);
}

/* ---- a request ---- */

struct request_job {
	const struct lane *lane;
	struct asked asked;
};

static struct forwarded forwarded_of(const struct relay *r)
{
	return (struct forwarded){.request = r->request,
		.body = r->body,
		.call = &r->call,
		.form = r->notes.form,
		.wants_usage_event = r->notes.wants_usage_event};
}

static enum err send_on(const struct lane *l, const struct relay *r, struct notes *notes,
	struct http_request *out, struct fault *why)
{
	const struct forwarded forwarded = forwarded_of(r);
	return l->is_verbatim
		       ? l->op->forward(&forwarded, &l->target, notes, out, why)
		       : dialect_encode(l->op, r->request, &l->target, &FEED_ENV, notes, out, why);
}

static int64_t request_ns(void *context, size_t times)
{
	const struct request_job *job = context;
	const int64_t began = bench_thread_ns();
	for (size_t i = 0; i < times; i++) {
		OWNED(arena_done) struct arena read, sent; /* a flight's, an attempt's */
		struct http_request http = {.n_headers = 0};
		struct llm_request request;
		struct notes notes;
		struct relay relay;
		struct fault why = FAULT_NONE;
		arena_init(&read, LIMIT_REQUEST_ARENA);
		arena_init(&sent, LIMIT_REQUEST_ARENA);
		notes_init(&notes, &sent);
		enum err err = relay_init(&relay, &job->asked.call, &read, &FEED_ENV, &why);
		if (!err)
			err = relay_read(
				&relay, buf_view(&job->asked.body), SPAN_NONE, &request, &why);
		if (!err)
			err = send_on(job->lane, &relay, &notes, &http, &why);
		check(job->lane, err, &why);
		relay_done(&relay);
	}
	return bench_thread_ns() - began;
}

/* ---- an answer ---- */

/* One on its way, as an exchange has it. */
struct answer {
	const struct lane *lane;
	struct organs organs;
	struct flight *flight;
	struct event_cursor cursor;
	struct relay relay;
	struct forwarded forwarded;
	struct notes notes; /* of what was sent */
	struct decoder *decoder;
	struct passage passage;
	struct buf frames; /* that the caller's connection was written */
	size_t told_bytes; /* in all frames */
};

static void on_flight_event(void *context)
{
	(void)context; /* it is drained after each piece */
}

static void answer_open(
	struct answer *a, const struct lane *l, const struct asked *asked, const char *content_type)
{
	struct http_header type = {SPAN("content-type"), span_str(content_type)};
	const struct http_head head = {.status = 200, .headers = &type, .n_headers = 1};
	struct fault why = FAULT_NONE;
	*a = (struct answer){.lane = l, .frames = BUF_INIT(MIB)};
	a->organs = (struct organs){.config = l->config, .loop = loop_new(&why)};
	a->flight = a->organs.loop ? flight_new(&a->organs) : NULL;
	if (!a->flight)
		bench_die("no memory for an answer");
	struct flight *f = a->flight;
	f->on_event = on_flight_event;
	f->leg->is_forwarded = l->is_verbatim;
	f->route = (struct route){.targets = arena_alloc(&f->arena, sizeof l->target), .n = 1};
	f->route.targets[0] = l->target;
	event_log_join(&f->log, &a->cursor);
	notes_init(&a->notes, &f->arena);
	enum err err = relay_init(&a->relay, &asked->call, &f->arena, &FEED_ENV, &why);
	if (!err)
		err = relay_read(&a->relay, buf_view(&asked->body), SPAN_NONE, &f->request, &why);
	struct http_request http = {.n_headers = 0};
	if (!err)
		err = send_on(l, &a->relay, &a->notes, &http, &why);
	check(l, err, &why);
	a->forwarded = forwarded_of(&a->relay);
	a->decoder = l->op->decoder_new(&f->arena, &a->notes, &FEED_ENV, &head);
	passage_init(&a->passage, &a->forwarded, &head);
	struct string_pair told = {type.name, type.value};
	const struct llm_event e = {
		.type = EV_HEAD, .head = {.status = 200, .headers = &told, .n_headers = 1}
        };
	if (!a->decoder || (l->is_verbatim && flight_put(f, &e)))
		bench_die("no memory for an answer");
}

static void answer_close(struct answer *a)
{
	a->lane->op->decoder_done(a->decoder);
	passage_done(&a->passage);
	event_log_leave(&a->flight->log, &a->cursor);
	relay_done(&a->relay);
	flight_free(a->flight);
	loop_free(a->organs.loop);
	buf_done(&a->frames);
}

/* All that can be told goes into frames, which are gone at once. */
static void drain(struct answer *a)
{
	const struct relay_about about = {.request_id = SPAN("req_0123456789")};
	struct span body;
	int type;
	bool has_read;
	while (relay_peek(
		&a->relay, &a->flight->log, &a->cursor, &about, &type, &body, &has_read)) {
		if (frame_put(&a->frames, (enum frame_type)type, 1, body))
			bench_die("a frame cannot be written");
		relay_take(&a->relay, &a->flight->log, &a->cursor);
		a->told_bytes += a->frames.n;
		buf_clear(&a->frames);
	}
}

static enum err take_event(void *context, const struct llm_event *e)
{
	struct answer *a = context;
	return flight_put(a->flight, e);
}

static enum err decode_piece(void *context, struct span bytes, struct fault *why)
{
	struct answer *a = context;
	const struct event_sink sink = {take_event, a};
	return a->lane->op->decode(a->decoder, bytes, &sink, why);
}

static enum err pass_piece(void *context, struct span bytes)
{
	struct answer *a = context;
	struct llm_event e = {.type = EV_RAW};
	e.text = bytes;
	return flight_put(a->flight, &e);
}

static void feed(struct answer *a, struct span bytes)
{
	const struct passage_sink sink = {decode_piece, pass_piece, a};
	struct fault why;
	fault_clear(&why);
	const enum err err = a->lane->is_verbatim ? passage_take(&a->passage, bytes, &sink, &why)
						  : decode_piece(a, bytes, &why);
	check(a->lane, err, &why);
	drain(a);
}

static void feed_end(struct answer *a)
{
	const struct passage_sink sink = {decode_piece, pass_piece, a};
	const struct event_sink events = {take_event, a};
	const bool is_verbatim = a->lane->is_verbatim;
	struct fault why = FAULT_NONE;
	enum err err = is_verbatim ? passage_end(&a->passage, &sink, &why) : OK;
	if (!err)
		err = a->lane->op->decode_end(a->decoder, &events, &why);
	if (!err && is_verbatim)
		err = passage_flush(&a->passage, &sink);
	check(a->lane, err, &why);
	flight_end(a->flight, &(struct reply_end){.usage = a->flight->leg->usage});
	drain(a);
}

struct reply_job {
	const struct lane *lane;
	struct asked asked;
	struct buf reply;
};

/* Writes the provider's reply: a text of about so many bytes. */
static void make_reply(const struct lane *l, size_t bytes, struct buf *out)
{
	OWNED(buf_done) struct buf words = BUF_INIT(bytes + 4 * KIB);
	const struct llm_request request = {.model = l->target.model};
	struct llm_usage usage = USAGE_UNKNOWN;
	struct notes notes;
	struct arena arena;
	const struct answer_plan plan = {
		.request = &request, .notes = &notes, .env = &FEED_ENV, .input_estimate = -1};
	put_words(&words, bytes);
	usage.input = 1000;
	usage.output = 250;
	const struct llm_event events[] = {
		{.type = EV_START,  .start = {.id = SPAN("made"), .model = l->target.model}},
		{.type = EV_TEXT,   .text = buf_view(&words)                               },
		{.type = EV_USAGE,  .usage = usage                                         },
		{.type = EV_FINISH, .finish = {.finish = FINISH_STOP}                      },
		{.type = EV_END,    .end = {.usage = usage}                                },
	};
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &arena);
	struct encoder *encoder = l->op->encoder_new(&arena, &plan);
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		if (!encoder || l->op->encode(encoder, &events[i], out))
			bench_die("%s: a reply cannot be written", l->provider->family);
	}
	l->op->encoder_done(encoder);
	arena_done(&arena);
}

static int64_t reply_ns(void *context, size_t times)
{
	const struct reply_job *job = context;
	int64_t took_ns = 0;
	for (size_t i = 0; i < times; i++) {
		struct answer a;
		answer_open(&a, job->lane, &job->asked, "application/json");
		const int64_t began = bench_thread_ns();
		for (struct span left = buf_view(&job->reply); left.n > 0;
			left = span_skip(left, span_first(left, PIECE_BYTES).n))
			feed(&a, span_first(left, PIECE_BYTES));
		feed_end(&a);
		took_ns += bench_thread_ns() - began;
		if (a.told_bytes < job->reply.n / 2)
			bench_die("%s: of %zu bytes only %zu were told", job->lane->surface->name,
				job->reply.n, a.told_bytes);
		answer_close(&a);
	}
	return took_ns;
}

struct delta_job {
	const struct lane *lane;
	const struct stream_sample *sample;
	struct asked asked;
	struct buf begin, delta;
};

static int64_t delta_ns(void *context, size_t times)
{
	const struct delta_job *job = context;
	struct answer a;
	answer_open(&a, job->lane, &job->asked, job->sample->type);
	feed(&a, buf_view(&job->begin));
	feed(&a, buf_view(&job->delta));
	const size_t before = a.told_bytes;
	const int64_t began = bench_thread_ns();
	for (size_t i = 0; i < times; i++)
		feed(&a, buf_view(&job->delta));
	const int64_t took_ns = bench_thread_ns() - began;
	if (a.told_bytes - before < times * sizeof " token")
		bench_die("%s: not all deltas were told", job->lane->surface->name);
	answer_close(&a);
	return took_ns;
}

/* ---- the table ---- */

enum { OURS, CJSON, COPY, SIDES };

struct plan {
	int64_t rounds;
	const char *only; /* rows whose title has this */
	bool is_json, is_alone;
};

struct row {
	const struct lane *lane;
	const char *what, *size;
};

static const char *how(const struct lane *l)
{
	return l->is_verbatim ? "verbatim" : "translated";
}

static void print_row(const struct plan *plan, const struct row *row, size_t bytes,
	const struct paired_figure f[SIDES])
{
	const struct lane *l = row->lane;
	printf(plan->is_json ? "{\"caller\":\"%s\",\"provider\":\"%s\",\"how\":\"%s\","
			       "\"what\":\"%s\",\"size\":\"%s\",\"bytes\":%zu,\"ns\":%.1f,"
			       "\"mb_s\":%.1f,\"cjson\":%.4f,\"copy\":%.3f}\n"
			     : "| %s | %s | %s | %s | %s | %zu | %.0f | %.0f | %.2f | %.1f |\n",
		l->surface->name, l->provider->family, how(l), row->what, row->size, bytes,
		f[OURS].ns, (double)bytes / f[OURS].ns * 1000, f[CJSON].ratio, f[COPY].ratio);
	fflush(stdout);
}

static bool is_wanted(const struct plan *plan, const struct row *row)
{
	char title[256];
	const struct lane *l = row->lane;
	(void)snprintf(title, sizeof title, "%s %s %s %s %s", l->surface->name, l->provider->family,
		how(l), row->what, row->size);
	return strstr(title, plan->only) != NULL;
}

static void measure(const struct plan *plan, const struct row *row, const struct paired_side *ours,
	struct span bytes, struct span json, size_t times)
{
	const struct paired_side sides[SIDES] = {
		*ours, {paired_cjson, &json },
                 {paired_copy,  &bytes}
        };
	struct paired_figure f[SIDES] = {{.ns = 0}};
	paired_run(sides, plan->is_alone ? 1 : SIDES, plan->rounds, times, f);
	print_row(plan, row, bytes.n, f);
}

struct size {
	const char *name;
	size_t bytes, times;
};

static void measure_request(const struct plan *plan, const struct lane *l, const struct size *size)
{
	const struct row row = {l, "request", size->name};
	struct request_job job = {.lane = l};
	if (!is_wanted(plan, &row))
		return;
	ask(l->surface, size->bytes, true, &job.asked);
	const struct span body = buf_view(&job.asked.body);
	measure(plan, &row, &(struct paired_side){request_ns, &job}, body, body, size->times);
	asked_done(&job.asked);
}

static void measure_reply(const struct plan *plan, const struct lane *l, const struct size *size)
{
	const struct row row = {l, "reply", size->name};
	struct reply_job job = {.lane = l, .reply = BUF_INIT(LIMIT_BODY_BYTES)};
	if (!is_wanted(plan, &row))
		return;
	ask(l->surface, KIB, false, &job.asked);
	make_reply(l, size->bytes, &job.reply);
	const struct span body = buf_view(&job.reply);
	measure(plan, &row, &(struct paired_side){reply_ns, &job}, body, body, size->times);
	asked_done(&job.asked);
	buf_done(&job.reply);
}

static void measure_delta(const struct plan *plan, const struct lane *l)
{
	const struct row row = {l, "delta", ""};
	struct delta_job job = {.lane = l,
		.sample = stream_sample_find(span_str(l->provider->family)),
		.begin = BUF_INIT(64 * KIB),
		.delta = BUF_INIT(64 * KIB)};
	if (!is_wanted(plan, &row))
		return;
	ask(l->surface, KIB, true, &job.asked);
	stream_sample_begin(job.sample, &job.begin);
	stream_sample_delta(job.sample, &job.delta);
	measure(plan, &row, &(struct paired_side){delta_ns, &job}, buf_view(&job.delta),
		stream_sample_json(job.sample), 2000);
	asked_done(&job.asked);
	buf_done(&job.begin);
	buf_done(&job.delta);
}

static void measure_lane(const struct plan *plan, const char *surface, const char *provider)
{
	static const struct size sizes[] = {
		{"4 KiB",   4 * KIB,   200},
		{"100 KiB", 100 * KIB, 20 },
		{"4 MiB",   4 * MIB,   1  },
	};
	struct lane l;
	lane_open(&l, surface, provider);
	measure_delta(plan, &l);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		measure_request(plan, &l, &sizes[i]);
		measure_reply(plan, &l, &sizes[i]);
	}
	lane_close(&l);
}

int main(int argc, char **argv)
{
	static const char *const lanes[][2] = {
		{"openai.chat",        "openai-chat"     },
		{"openai.chat",        "anthropic"       },
		{"openai.responses",   "openai-responses"},
		{"openai.responses",   "openai-chat"     },
		{"anthropic.messages", "anthropic"       },
		{"anthropic.messages", "openai-chat"     },
		{"gemini.generate",    "gemini"          },
		{"gemini.generate",    "openai-chat"     },
	};
	struct plan plan = {.rounds = 11, .only = ""};
	bool is_quick = false;
	const struct bench_option options[] = {
		{"rounds", &plan.rounds, NULL,       NULL,           1, PAIRED_ROUNDS_MAX,
                 "how often each is measured (11)"									     },
		{"only",   NULL,         &plan.only, NULL,           0, 0,
                 "rows with this in them: \"translated delta\""                                                                },
		{"alone",  NULL,         NULL,       &plan.is_alone, 0, 0,
                 "without cJSON and memcpy: for a profiler"								    },
		{"quick",  NULL,         NULL,       &is_quick,      0, 0,                 "once, to see that it runs"         },
		{"json",   NULL,         NULL,       &plan.is_json,  0, 0,                 "an object a row instead of a table"},
	};
	heap_settle(); /* as the daemon does */
	bench_options(argc, argv, "what does a relayed call cost?", options, COUNT_OF(options));
	if (is_quick)
		plan.rounds = 1;
	if (!plan.is_json)
		printf("| caller | provider | how | what | size | bytes | ns | MB/s | x cJSON | x "
		       "memcpy |\n| --- | --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: "
		       "|\n");
	for (size_t i = 0; i < COUNT_OF(lanes); i++)
		measure_lane(&plan, lanes[i][0], lanes[i][1]);
	return 0;
}
