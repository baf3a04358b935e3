/* decode.c - what does a reply mean? Of one, or of each record of a file. */
#include <stdlib.h>

#include "brokerd/dialect/base64.h"
#include "protocol/limits.h"
#include "tests/lib/event_json.h"
#include "tests/lib/tally.h"
#include "tests/tool/tool.h"

static void feed(enum llm_op op, const struct dialect *d, const struct http_reply *reply,
	struct cuts cuts, struct arena *a, const struct event_sink *sink, struct fault *why)
{
	const struct target target = {.provider = SPAN("recorded"), .model = SPAN("recorded")};
	struct notes notes;
	notes_init(&notes, a);
	notes.n_choices = TALLY_CHOICES;
	feed_op(op, d, &notes, reply, &target, cuts, sink, why);
}

void tool_read(enum llm_op op, const struct dialect *d, const struct http_reply *reply,
	struct cuts cuts, const struct catalogue *prices, struct arena *a, struct buf *out)
{
	OWNED(tally_done) struct tally tally = {.n_calls = 0};
	const struct event_sink sink = {tally_event, &tally};
	struct fault why;
	tally_init(&tally);
	feed(op, d, reply, cuts, a, &sink, &why);
	tally_json(&tally, &why, prices, out);
}

struct catalogue *tool_take_prices(const char *path)
{
	OWNED(buf_done) struct buf text = BUF_INIT(CATALOGUE_BYTES);
	struct catalogue *c;
	struct fault why;
	tool_load(path, &text);
	if (catalogue_new(buf_view(&text), &c, &why))
		tool_die(2, "%s: %s", path, why.message);
	return c;
}

/* ---- records ---- */

static struct span text_of(struct json record, const char *name, struct arena *a)
{
	struct span text;
	if (json_text(json_member(record, name), a, &text) != OK || !span_is_set(text))
		tool_die(1, "a record lacks its %s", name);
	return text;
}

/* A record's headers, as the transport gives them: names in lower case. */
static void take_headers(struct json object, struct arena *a, struct http_head *head)
{
	size_t n = 0;
	for (struct json_walk w = json_each(object); json_next(&w);)
		n++;
	head->headers = arena_array(a, n, sizeof *head->headers);
	for (struct json_walk w = json_each(object); json_next(&w);) {
		struct http_header *h = &head->headers[head->n_headers];
		h->name = w.name;
		if (json_text(w.value, a, &h->value) == OK && span_is_set(h->value))
			head->n_headers++;
	}
}

static void take_body(struct json record, struct arena *a, struct http_reply *reply)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	reply->body = text_of(record, "response_body", a);
	if (!json_is_true(json_member(record, "response_base64")))
		return;
	if (!base64_decode(reply->body, &bytes) || arena_dup(a, buf_view(&bytes), &reply->body))
		tool_die(1, "a record's body is no base64");
}

void tool_take_record(
	struct span line, struct arena *a, struct json *record, struct http_reply *reply)
{
	struct fault why;
	int64_t status;
	*reply = (struct http_reply){.head = {.status = 0}};
	if (json_scan(line, JSON_LENIENT, record, &why) != OK)
		tool_die(1, "a record is no JSON: %s", why.message);
	if (!json_i64(json_member(*record, "status"), &status))
		tool_die(1, "a record lacks its status");
	reply->head.status = (int)status;
	take_headers(json_member(*record, "response_headers"), a, &reply->head);
	take_body(*record, a, reply);
}

static void replay_record(const char *name, struct span line, struct cuts cuts,
	const struct catalogue *prices, struct buf *out)
{
	struct arena a;
	struct json record;
	struct http_reply reply;
	struct json_out o = json_to(out);
	arena_init(&a, 1024 * MIB);
	tool_take_record(line, &a, &record, &reply);
	buf_text(out, "{\"id\":");
	json_put_str(&o, text_of(record, "id", &a));
	buf_text(out, ",\"got\":");
	tool_read(tool_reader(name).op, tool_family(name), &reply, cuts, prices, &a, out);
	buf_byte(out, '}');
	tool_end_line(out, 0);
	tool_print(out);
	arena_done(&a);
}

int tool_replay(int argc, char **argv)
{
	OWNED(buf_done) struct buf file = BUF_INIT(1024 * MIB);
	OWNED(buf_done) struct buf out = BUF_INIT(1024 * MIB);
	struct catalogue *prices = NULL;
	struct cuts cuts;
	if (argc == 5 && strcmp(argv[3], "--prices") == 0)
		prices = tool_take_prices(argv[4]);
	if ((argc != 3 && !prices) || !cuts_read(argv[2], &cuts))
		tool_die(2, "replay wants FAMILY FILE STEP, a STEP being a number or \"special\"");
	tool_load(argv[1], &file);
	struct span rest = buf_view(&file);
	while (rest.n > 0) {
		const struct span line = span_cut(&rest, '\n');
		if (line.n > 0)
			replay_record(argv[0], line, cuts, prices, &out);
	}
	catalogue_unref(prices);
	return 0;
}

/* ---- one reply ---- */

void tool_take_header(char *line, struct http_head *head, size_t room)
{
	for (char *c = line; *c && *c != ':'; c++)
		*c = span_lower(*c);
	struct span value = span_str(line);
	const struct span name = span_cut(&value, ':');
	if (head->n_headers == room)
		tool_die(2, "that is more than %zu headers", room);
	head->headers[head->n_headers++] = (struct http_header){name, span_trim(value)};
}

static enum err on_event(void *context, const struct llm_event *e)
{
	struct buf *out = context;
	const size_t first = out->n;
	event_json(out, e);
	tool_end_line(out, first);
	return OK;
}

/* The events themselves, a line each: what adds up to nothing (warnings, opaque parts) is there too. */
static void show_events(enum llm_op op, const struct dialect *d, const struct http_reply *reply,
	struct cuts cuts, struct arena *a, struct buf *out)
{
	const struct event_sink sink = {on_event, out};
	struct fault why;
	feed(op, d, reply, cuts, a, &sink, &why);
}

int tool_decode(int argc, char **argv)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf out = BUF_INIT(1024 * MIB);
	struct http_header headers[64];
	struct http_reply reply = {
		.head = {.status = 200, .headers = headers}
        };
	struct cuts cuts = {.step = 0};
	struct arena a;
	struct catalogue *prices = NULL;
	bool has_events = false;
	if (argc < 1)
		tool_die(2, "decode wants a FAMILY");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--stream") == 0)
			continue; /* the bytes say so themselves */
		if (strcmp(argv[i], "--all") == 0) {
			has_events = true;
			continue;
		}
		if (i + 1 == argc)
			tool_die(2, "what is %s?", argv[i]);
		char *value = argv[i + 1];
		if (strcmp(argv[i], "--status") == 0)
			reply.head.status = (int)strtol(value, NULL, 10);
		else if (strcmp(argv[i], "--header") == 0)
			tool_take_header(value, &reply.head, COUNT_OF(headers));
		else if (strcmp(argv[i], "--prices") == 0)
			prices = tool_take_prices(value);
		else if (strcmp(argv[i], "--step") != 0 || !cuts_read(value, &cuts))
			tool_die(2, "what is %s %s?", argv[i], value);
		i++;
	}
	const enum llm_op op = tool_reader(argv[0]).op;
	const struct dialect *d = tool_family(argv[0]);
	tool_load("-", &body);
	reply.body = buf_view(&body);
	arena_init(&a, LIMIT_REQUEST_ARENA);
	if (has_events)
		show_events(op, d, &reply, cuts, &a, &out);
	const size_t first = out.n;
	tool_read(op, d, &reply, cuts, prices, &a, &out);
	tool_end_line(&out, first);
	tool_print(&out);
	arena_done(&a);
	catalogue_unref(prices);
	return 0;
}
