/* replay.c - what recorded replies decode to, as JSON lines for a comparer. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/dialect/base64.h"
#include "protocol/limits.h"
#include "tests/golden/golden.h"
#include "tests/lib/tally.h"
#include "tests/lib/tap.h"

enum err golden_decode(const struct dialect *d, const struct notes *notes,
	const struct http_reply *reply, const struct target *target, size_t step,
	const struct event_sink *sink, struct fault *why)
{
	const struct dialect_op *op = d->ops[LLM_OP_CHAT];
	struct span rest = reply->body;
	struct arena arena;
	enum err err = OK;
	*why = FAULT_NONE;
	if (reply->head.status >= 300) {
		d->explain(reply, target, why);
		return why->err;
	}
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	struct decoder *decoder = op->decoder_new(&arena, notes, &GOLDEN_ENV, &reply->head);
	if (!decoder)
		bail("no memory for a decoder");
	while (!err && rest.n > 0) {
		/* each piece in memory of its own, so that reading past it is found */
		const struct span piece = span_first(rest, step ? step : rest.n);
		char *copy = malloc(piece.n);
		if (!copy)
			bail("no memory for a piece");
		memcpy(copy, piece.p, piece.n);
		err = op->decode(decoder, span_of(copy, piece.n), sink, why);
		free(copy);
		rest = span_skip(rest, piece.n);
	}
	if (!err)
		err = op->decode_end(decoder, sink, why);
	op->decoder_done(decoder);
	arena_done(&arena);
	return err;
}

void golden_read(const char *path, struct buf *out)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;
	if (fd < 0)
		bail("%s cannot be read", path);
	while (n > 0) {
		char *to = buf_reserve(out, 65536);
		n = to ? read(fd, to, 65536) : -1;
		if (n > 0)
			buf_commit(out, (size_t)n);
	}
	close(fd);
	if (n < 0)
		bail("%s cannot be read to its end", path);
}

static void decode_and_print(const struct dialect *d, const struct http_reply *reply, size_t step,
	struct span id, struct arena *a)
{
	OWNED(tally_done) struct tally tally = {.n_calls = 0};
	OWNED(buf_done) struct buf line = BUF_INIT(LIMIT_BODY_BYTES);
	const struct event_sink sink = {tally_event, &tally};
	const struct target target = {.provider = SPAN("recorded"), .model = SPAN("recorded")};
	struct notes notes;
	struct fault why;
	notes_init(&notes, a);
	notes.n_choices = TALLY_CHOICES;
	tally_init(&tally);
	golden_decode(d, &notes, reply, &target, step, &sink, &why);
	if (span_is_set(id)) {
		struct json_out o = json_to(&line);
		buf_text(&line, "{\"id\":");
		json_put_str(&o, id);
		buf_text(&line, ",\"got\":");
	}
	tally_json(&tally, &why, &line);
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] == '\n' || line.p[i] == '\r')
			line.p[i] = ' '; /* white space of the arguments' own */
	}
	buf_text(&line, span_is_set(id) ? "}\n" : "\n");
	if (fwrite(line.p, 1, line.n, stdout) != line.n)
		bail("the result cannot be written");
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

/* A record's body: text, or bytes in base64. */
static struct span body_of(struct json record, struct arena *a)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	struct span text;
	if (json_text(json_member(record, "response_body"), a, &text) != OK)
		bail("a record lacks its body");
	if (!json_is_true(json_member(record, "response_base64")))
		return text;
	if (!base64_decode(text, &bytes) || arena_dup(a, buf_view(&bytes), &text))
		bail("a record's body is no base64");
	return text;
}

static void replay_record(const struct dialect *d, struct span text, size_t step)
{
	struct arena a;
	struct json record;
	struct fault why;
	struct http_reply reply = {.head = {.status = 0}};
	struct span id;
	int64_t status;
	arena_init(&a, 1024 * MIB);
	if (json_scan(text, JSON_LENIENT, &record, &why) != OK)
		bail("a record is no JSON: %s", why.message);
	if (json_text(json_member(record, "id"), &a, &id) != OK ||
		!json_i64(json_member(record, "status"), &status))
		bail("a record lacks its id or status");
	reply.body = body_of(record, &a);
	reply.head.status = (int)status;
	take_headers(json_member(record, "response_headers"), &a, &reply.head);
	decode_and_print(d, &reply, step, id, &a);
	arena_done(&a);
}

int replay(const char *family, const char *path, size_t step)
{
	OWNED(buf_done) struct buf file = BUF_INIT(1024 * MIB);
	const struct dialect *d = dialect_find(span_str(family));
	if (!d)
		bail("there is no family \"%s\"", family);
	golden_read(path, &file);
	struct span rest = buf_view(&file);
	while (rest.n > 0) {
		const struct span line = span_cut(&rest, '\n');
		if (line.n > 0)
			replay_record(d, line, step);
	}
	return 0;
}

int decode_stdin(int argc, char **argv)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct http_header headers[64];
	struct http_reply reply = {
		.head = {.status = 200, .headers = headers}
        };
	size_t step = 0;
	struct arena a;
	const struct dialect *d = argc > 0 ? dialect_find(span_str(argv[0])) : NULL;
	if (!d)
		bail("there is no such family");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--status") == 0 && i + 1 < argc) {
			reply.head.status = (int)strtol(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--step") == 0 && i + 1 < argc) {
			step = strtoul(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--header") == 0 && i + 1 < argc &&
			   reply.head.n_headers < COUNT_OF(headers)) {
			struct span value = span_str(argv[++i]);
			const struct span name = span_cut(&value, ':');
			headers[reply.head.n_headers++] =
				(struct http_header){name, span_trim(value)};
		} else if (strcmp(argv[i], "--stream") != 0) {
			bail("what is %s?", argv[i]);
		}
	}
	golden_read("/dev/stdin", &body);
	reply.body = buf_view(&body);
	arena_init(&a, LIMIT_REQUEST_ARENA);
	decode_and_print(d, &reply, step, SPAN_NONE, &a);
	arena_done(&a);
	return 0;
}
