/* estimate.c - how many tokens are the recorded requests, by the rule of thumb, and by what was learnt? */
#include "brokerd/dialect/estimate.h"

#include "brokerd/limit/fit.h"
#include "protocol/limits.h"
#include "tests/tool/tool.h"

/* The path of a URL and what stands behind its question mark. */
static void take_url(struct span url, struct surface_call *call)
{
	struct span rest = span_skip(url, span_find(url, SPAN("://")));
	rest = span_skip(rest, rest.n < 3 ? rest.n : 3);
	rest = span_skip(rest, span_index(rest, '/'));
	call->path = span_cut(&rest, '?');
	call->query = span_is_set(rest) ? rest : SPAN("");
}

/* What its provider reported; -1: it does not say. */
static int64_t reported(struct json record)
{
	int64_t n = -1;
	const struct json usage = json_member(json_member(record, "expected"), "usage");
	return json_i64(json_member(usage, "input"), &n) ? n : -1;
}

/* What is learnt from it is of use to the next. */
static void put_estimate(
	const struct dialect_op *chat, struct fit *fit, struct span line, struct json_out *o)
{
	struct surface_call call = {.method = SPAN("POST")};
	struct llm_request request;
	struct arena a;
	struct notes notes;
	struct json record;
	struct span url, provider;
	struct fault why;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	if (json_scan(line, JSON_LENIENT, &record, &why) ||
		json_text(json_member(record, "url"), &a, &url) ||
		json_text(json_member(record, "provider"), &a, &provider))
		tool_die(1, "a record is no JSON, or without its address and provider");
	take_url(url, &call);
	const struct json body = json_member(record, "request_body");
	json_open(o, '{');
	json_pair_raw(o, "id", json_member(record, "id").text);
	if (json_kind(body) == JSON_OBJECT &&
		chat->decode_request(&call, body.text, &a, &request, &notes, &why) == OK) {
		const int64_t raw = estimate_request(&request);
		json_pair_i64(o, "estimate", raw);
		json_pair_i64(o, "fitted", fit_tokens(fit, provider, request.model, raw));
		fit_learn(fit, provider, request.model, raw, reported(record));
	}
	json_close(o, '}');
	arena_done(&a);
}

int tool_estimate(int argc, char **argv)
{
	OWNED(buf_done) struct buf file = BUF_INIT(1024 * MIB);
	OWNED(buf_done) struct buf out = BUF_INIT(1024 * MIB);
	if (argc != 2)
		tool_die(2, "estimate wants FAMILY FILE");
	const struct dialect *d = tool_family(argv[0]);
	const struct dialect_op *chat = dialect_operation(d, LLM_OP_CHAT);
	if (!chat || !chat->decode_request)
		tool_die(2, "nobody reads requests of \"%s\"", argv[0]);
	tool_load(argv[1], &file);
	struct fit *fit = fit_new();
	struct span rest = buf_view(&file);
	while (rest.n > 0) {
		const struct span line = span_cut(&rest, '\n');
		struct json_out o = json_to(&out);
		if (line.n == 0)
			continue;
		put_estimate(chat, fit, line, &o);
		tool_end_line(&out, 0);
		tool_print(&out);
	}
	fit_free(fit);
	return 0;
}
