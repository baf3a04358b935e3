/* reply.c - how does a caller of a family read another's reply? Of one, or of each record of a file. */
#include <stdio.h>
#include <stdlib.h>

#include "protocol/limits.h"
#include "tests/lib/retell.h"
#include "tests/tool/tool.h"

static const struct dialect *speaker(const char *name, enum llm_op op)
{
	const struct dialect *d = tool_family(name);
	const struct dialect_op *speaks = dialect_operation(d, op);
	if (!speaks || !speaks->encoder_new)
		tool_die(2, "no caller speaks \"%s\"", name);
	return d;
}

static void retell_record(const struct retelling *r, struct span line, struct buf *out)
{
	OWNED(buf_done) struct buf said = BUF_INIT(LIMIT_BODY_BYTES);
	struct arena a;
	struct json record;
	struct http_reply reply;
	struct fault why;
	struct json_out o = json_to(out);
	arena_init(&a, 1024 * MIB);
	tool_take_record(line, &a, &record, &reply);
	int status;
	if (!retell(r, &reply, &said, &status, &why))
		tool_die(1, "the request is none: %s", why.message);
	buf_text(out, "{\"id\":");
	json_put_raw(&o, json_member(record, "id").text);
	buf_text(out, ",\"got\":");
	const struct http_reply again = {.head = {.status = status}, .body = buf_view(&said)};
	tool_read(r->op, r->to, &again, r->cuts, NULL, &a, out);
	buf_print(out, ",\"status\":%d,\"body\":", status);
	o = json_to(out);
	json_put_str(&o, buf_view(&said));
	buf_byte(out, '}');
	tool_end_line(out, 0);
	tool_print(out);
	arena_done(&a);
}

static int retell_records(const struct retelling *r, const char *path)
{
	OWNED(buf_done) struct buf file = BUF_INIT(1024 * MIB);
	OWNED(buf_done) struct buf out = BUF_INIT(1024 * MIB);
	tool_load(path, &file);
	struct span rest = buf_view(&file);
	while (rest.n > 0) {
		const struct span line = span_cut(&rest, '\n');
		if (line.n > 0)
			retell_record(r, line, &out);
	}
	return 0;
}

int tool_reply(int argc, char **argv)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf request = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf out = BUF_INIT(1024 * MIB);
	struct http_header headers[64];
	struct http_reply reply = {
		.head = {.status = 200, .headers = headers}
        };
	struct retelling r = {.form = ANSWER_WHOLE};
	struct fault why;
	const char *records = NULL;
	int status;
	if (argc < 2)
		tool_die(2, "reply wants FROM and TO");
	r.op = tool_reader(argv[0]).op;
	r.from = tool_family(argv[0]);
	r.to = speaker(argv[1], r.op);
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--stream") == 0) {
			r.form = ANSWER_SSE;
			continue;
		}
		if (i + 1 == argc)
			tool_die(2, "what is %s?", argv[i]);
		char *value = argv[++i];
		if (strcmp(argv[i - 1], "--records") == 0)
			records = value;
		else if (strcmp(argv[i - 1], "--request") == 0)
			tool_load(value, &request);
		else if (strcmp(argv[i - 1], "--path") == 0)
			r.call.path = span_str(value);
		else if (strcmp(argv[i - 1], "--query") == 0)
			r.call.query = span_str(value);
		else if (strcmp(argv[i - 1], "--status") == 0)
			reply.head.status = (int)strtol(value, NULL, 10);
		else if (strcmp(argv[i - 1], "--header") == 0)
			tool_take_header(value, &reply.head, COUNT_OF(headers));
		else if (strcmp(argv[i - 1], "--step") != 0 || !cuts_read(value, &r.cuts))
			tool_die(2, "what is %s %s?", argv[i - 1], value);
	}
	if (request.n > 0)
		r.body = buf_view(&request);
	if (records)
		return retell_records(&r, records);
	tool_load("-", &body);
	reply.body = buf_view(&body);
	if (!retell(&r, &reply, &out, &status, &why))
		tool_die(1, "the request is none: %s", why.message);
	if (status != 200)
		(void)fprintf(stderr, "dialect: status %d\n", status);
	tool_print(&out);
	return 0;
}
