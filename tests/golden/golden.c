/* golden.c - do the dialects still write and read what the files beside this one say?
 *
 * A case is a folder FAMILY/CASE with some of
 *	request.json	the unified request, in the wire's vocabulary (a string "b64:..." is bytes), or
 *	body.json	a request of a caller who speaks the family; call.json beside it has the path and
 *			query that it was sent to; with the method GET it is the whole request, without a
 *			body
 *	unified.json	what body.json must become: the unified request, a member or an element a line,
 *			or the fault
 *	target.json	where it goes: provider, model, base_url, path, traits by name; what it does not
 *			say is as the family's own host has it; `op`, where it is no chat: "embed", ...
 *	http.txt	what the request must become: the HTTP request and the warnings, or the fault
 *	reply.*		a reply: .sse and .json of status 200, .STATUS of another; .head beside it has
 *			headers; .eventstream: the messages of an AWS event stream in lines, as
 *			aws_message.h has them, and .bin: any bytes, both of that content type
 *	events.jsonl	what the reply must become, however it is cut (offline: the reply is the request)
 *	from.FAMILY.*	a reply of that family (.sse, .json, or .STATUS), which a caller who speaks this one
 *			reads: said.sse where it is streamed, said.json where it is whole; body.json, where
 *			there is one, is what the caller asked, and says which of the two it is
 *
 * Every request must also be the same for the provider after it went through the wire's msgpack.
 * Without arguments all cases are checked, from the top of the tree. `--rewrite` writes unified.json,
 * http.txt and events.jsonl anew. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/offline.h"
#include "protocol/limits.h"
#include "tests/lib/aws_message.h"
#include "tests/lib/event_json.h"
#include "tests/lib/feed.h"
#include "tests/lib/host.h"
#include "tests/lib/packed.h"
#include "tests/lib/retell.h"
#include "tests/lib/tally.h"
#include "tests/lib/tap.h"
#include "tests/lib/whole_file.h"

#define FOLDER   "tests/golden"
#define CUT_MOST ((size_t)6000) /* replies up to this length are cut at every byte */

struct golden_case {
	const struct dialect *dialect;
	enum llm_op op;
	char path[400]; /* FOLDER/FAMILY/CASE */
	struct arena arena;
	struct notes notes;
	struct target target;
	struct span sent;      /* the body that request.json became; absent: none did */
	struct config *config; /* which the target borrows from */
	bool is_rewrite;
};

static bool exists(const struct golden_case *c, const char *file)
{
	char path[512];
	(void)snprintf(path, sizeof path, "%s/%s", c->path, file);
	return access(path, R_OK) == 0;
}

static struct span read_file(struct golden_case *c, const char *file)
{
	char path[512];
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	struct span copy;
	(void)snprintf(path, sizeof path, "%s/%s", c->path, file);
	if (!whole_file(path, &bytes))
		bail("%s cannot be read", path);
	if (arena_dup(&c->arena, buf_view(&bytes), &copy))
		bail("no memory for %s", path);
	return copy;
}

/* The check, or the new file. */
static void compare(struct golden_case *c, const char *file, const struct buf *got, const char *how)
{
	char path[512];
	(void)snprintf(path, sizeof path, "%s/%s", c->path, file);
	if (c->is_rewrite) {
		FILE *f = fopen(path, "w");
		if (!f || fwrite(got->p, 1, got->n, f) != got->n || fclose(f))
			bail("%s cannot be written", path);
		return;
	}
	const struct span want = exists(c, file) ? read_file(c, file) : SPAN("(no such file)");
	is_mem(got->p, got->n, want.p, want.n, "%s, %s", path, how);
}

/* ---- target ---- */

static struct span text_of(struct golden_case *c, struct json v)
{
	struct span text;
	if (json_text(v, &c->arena, &text))
		bail("no memory");
	return text;
}

/* target.json says the provider, its model, base_url, dialect's path, and traits by name. */
static void read_target(struct golden_case *c)
{
	struct host_wish wish = {.family = span_str(c->dialect->family)};
	struct fault why;
	if (exists(c, "target.json") &&
		json_scan(read_file(c, "target.json"), JSON_STRICT, &wish.more, &why))
		bail("%s/target.json: %s", c->path, why.message);
	wish.provider = text_of(c, json_member(wish.more, "provider"));
	wish.model = text_of(c, json_member(wish.more, "model"));
	wish.path = text_of(c, json_member(wish.more, "path"));
	const struct span op = text_of(c, json_member(wish.more, "op"));
	if (span_is_set(op) && !llm_op_from(op, &c->op))
		bail("%s/target.json: there is no such operation", c->path);
	c->config = host_target(&wish, &c->arena, &c->target, &why);
	if (!c->config)
		bail("%s/target.json: %s", c->path, why.message);
	json_i64(json_member(wish.more, "max_output_tokens"), &c->target.max_output_tokens);
}

/* ---- requests ---- */

static void put_warnings(const struct notes *n, struct buf *out)
{
	for (size_t i = 0; i < n->n_warnings; i++)
		buf_print(out, "# %.*s %.*s: %.*s\n", SPAN_ARG(n->warnings[i].code),
			SPAN_ARG(n->warnings[i].param), SPAN_ARG(n->warnings[i].message));
	if (n->is_reply_streamed)
		buf_text(out, "# the reply is streamed\n");
	if (n->prefill.n > 0)
		buf_text(out, "# the request ends with a prefill\n");
}

static void put_fault(const struct fault *f, struct buf *out)
{
	const struct llm_event e = {.type = EV_FAULT, .fault = f};
	event_json(out, &e);
	buf_byte(out, '\n');
}

static struct span packed_request(struct golden_case *c)
{
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_BODY_BYTES);
	const struct span text = read_file(c, "request.json");
	struct span copy;
	packed_json(&packed, text.p); /* read_file ends it with a NUL */
	if (arena_dup(&c->arena, buf_view(&packed), &copy))
		bail("no memory");
	return copy;
}

/* Strings "b64:..." of media become their bytes: packed_json knows text only. */
static void unpack_part(struct golden_case *c, struct media *m)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	if (!span_starts(m->data, SPAN("b64:")))
		return;
	if (!base64_decode(span_skip(m->data, 4), &bytes) ||
		arena_dup(&c->arena, buf_view(&bytes), &m->data))
		bail("%s: media that is no base64", c->path);
}

static void unpack_media(struct golden_case *c, struct llm_request *r)
{
	for (size_t i = 0; i < r->n_messages; i++) {
		for (size_t k = 0; k < r->messages[i].n_parts; k++)
			unpack_part(c, &r->messages[i].parts[k].media);
	}
	for (size_t i = 0; i < r->n_inputs; i++)
		unpack_part(c, &r->inputs[i].media);
}

/* The request for the provider, or the fault, as http.txt has it. */
static void put_request(struct golden_case *c, const struct llm_request *r, struct notes *notes,
	struct http_request *http, struct buf *out)
{
	struct fault why = FAULT_NONE;
	if (dialect_encode(dialect_operation(c->dialect, c->op), r, &c->target, &FEED_ENV, notes,
		    http, &why)) {
		put_fault(&why, out);
		http->body = SPAN_NONE;
		return;
	}
	buf_print(out, "%.*s %.*s\n", SPAN_ARG(http->method), SPAN_ARG(http->url));
	for (size_t i = 0; i < http->n_headers; i++)
		buf_print(out, "%.*s: %.*s\n", SPAN_ARG(http->headers[i].name),
			SPAN_ARG(http->headers[i].value));
	buf_byte(out, '\n');
	buf_span(out, http->body);
	buf_byte(out, '\n');
	put_warnings(notes, out);
}

/* What a request is after it was packed, sent and unpacked. */
static void check_wire(
	struct golden_case *c, const struct llm_request *r, struct notes *notes, struct span want)
{
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf got = BUF_INIT(LIMIT_BODY_BYTES);
	struct llm_request again;
	struct http_request http = {.n_headers = 0};
	struct fault why = FAULT_NONE;
	request_pack(r, &packed);
	if (!is_err(request_unpack_op(c->op, buf_view(&packed), &c->arena, &again, &why), OK,
		    "%s: the request can be sent to the broker", c->path)) {
		diag("%s", why.message);
		return;
	}
	put_request(c, &again, notes, &http, &got);
	is_mem(got.p, got.n, want.p, want.n, "%s: the request, sent to the broker first", c->path);
}

/* The bound on the answer that a body says, wherever its family has it; -1: none. */
static int64_t said_bound(struct span body)
{
	static const char *const places[][2] = {
		{"max_tokens",            NULL             },
                {"max_completion_tokens", NULL             },
                {"max_output_tokens",     NULL             },
		{"inferenceConfig",       "maxTokens"      },
                {"generationConfig",      "maxOutputTokens"},
		{"options",               "num_predict"    }
        };
	struct json all;
	int64_t n = -1;
	if (json_scan(body, JSON_STRICT, &all, NULL) != OK)
		return -1;
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		struct json v = json_member(all, places[i][0]);
		if (places[i][1] && !json_is_nil(v))
			v = json_member(v, places[i][1]);
		if (!json_is_nil(v) && json_kind(v) == JSON_NUMBER && json_i64(v, &n))
			return n;
	}
	return -1;
}

/* What goes out where no more may be had is no more, and is taken. */
static void check_capped(struct golden_case *c, const struct llm_request *r, int64_t cap)
{
	struct target target = c->target;
	struct llm_request capped = *r;
	struct http_request http = {.n_headers = 0};
	struct fault why = FAULT_NONE;
	struct notes notes;
	notes_init(&notes, &c->arena);
	target.max_output_tokens = cap;
	target.is_bounded = true;
	if (!capped.max_tokens.is_set || capped.max_tokens.v > cap)
		capped.max_tokens = (struct opt_i64){true, cap};
	const enum err err = dialect_encode(dialect_operation(c->dialect, c->op), &capped, &target,
		&FEED_ENV, &notes, &http, &why);
	if (err && span_starts(span_str(why.param), SPAN("provider_options")))
		return; /* they would lift it */
	const int64_t said = err ? -1 : said_bound(http.body);
	ok(said >= 1 && said <= cap, "%s: of %lld tokens that it may have it asks for %lld %s",
		c->path, (long long)cap, (long long)said, why.message);
}

/* What is set aside for the answer before it goes out is no less than what is asked for then. */
static void check_bound(struct golden_case *c, const struct llm_request *r, struct span body)
{
	struct output_bound b;
	if ((c->op != LLM_OP_CHAT && c->op != LLM_OP_COMPLETE) || c->target.is_offline ||
		(r->max_tokens.is_set && r->max_tokens.v < 1) ||
		r->on_unsupported != UNSUPPORTED_WARN)
		return;
	bounds_output(dialect_operation(c->dialect, c->op), r, &c->target, &b);
	const int64_t said = said_bound(body);
	if (r->n_provider_options == 0)
		ok(b.asked < 0 ? said < 0 : said <= b.asked, "%s: it asks for %lld tokens of %lld",
			c->path, (long long)said, (long long)b.asked);
	check_capped(c, r, b.least);
	if (b.asked > b.least)
		check_capped(c, r, (b.least + b.asked) / 2);
}

static void check_encoded(struct golden_case *c, const struct llm_request *r)
{
	OWNED(buf_done) struct buf got = BUF_INIT(LIMIT_BODY_BYTES);
	struct http_request http = {.n_headers = 0};
	struct notes notes = c->notes; /* as reading left them */
	put_request(c, r, &c->notes, &http, &got);
	c->sent = http.body;
	compare(c, "http.txt", &got, "the request");
	if (c->is_rewrite)
		return;
	if (span_is_set(http.body)) {
		check_bound(c, r, http.body);
		struct json_rules rules = JSON_STRICT;
		struct json v;
		struct fault why;
		rules.has_unique_names = true;
		ok(json_scan(http.body, rules, &v, &why) == OK, "%s: the body is JSON", c->path);
	}
	if (c->op != LLM_OP_EMBED || r->n_inputs > 0) /* tokens have no form there */
		check_wire(c, r, &notes, buf_view(&got));
}

static void check_request(struct golden_case *c)
{
	struct llm_request r;
	struct fault why = FAULT_NONE;
	if (!exists(c, "request.json"))
		return;
	if (request_unpack_op(c->op, packed_request(c), &c->arena, &r, &why)) {
		OWNED(buf_done) struct buf got = BUF_INIT(LIMIT_BODY_BYTES);
		put_fault(&why, &got);
		compare(c, "http.txt", &got, "the request");
		return;
	}
	unpack_media(c, &r);
	check_encoded(c, &r);
}

/* ---- requests of callers who speak the family ---- */

/* A member a line, and of its arrays an element a line. */
static void put_laid_out(struct json v, struct buf *out)
{
	size_t n = 0;
	for (struct json_walk w = json_each(v); json_next(&w); n++) {
		buf_text(out, n == 0 ? "{\n" : ",\n");
		buf_print(out, "\"%.*s\": ", SPAN_ARG(w.name));
		size_t k = 0;
		if (json_kind(w.value) != JSON_ARRAY) {
			buf_span(out, w.value.text);
			continue;
		}
		for (struct json_walk e = json_each(w.value); json_next(&e); k++) {
			buf_text(out, k == 0 ? "[\n\t" : ",\n\t");
			buf_span(out, e.value.text);
		}
		buf_text(out, k == 0 ? "[]" : "\n]");
	}
	buf_text(out, n == 0 ? "{}\n" : "\n}\n");
}

static void put_unified(const struct llm_request *r, const struct notes *notes, struct buf *out)
{
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	struct json v;
	struct fault why;
	request_pack(r, &packed);
	struct pack_in in = pack_from(buf_view(&packed));
	if (!pack_to_json(&in, &json) || json_scan(buf_view(&json), JSON_STRICT, &v, &why))
		bail("a packed request cannot be shown");
	put_laid_out(v, out);
	put_warnings(notes, out);
	if (notes->is_older_call_form)
		buf_text(out, "# the caller wants calls in their older form\n");
	if (notes->wants_usage_event)
		buf_text(out, "# the caller wants the usage of a stream\n");
	if (notes->wants_base64)
		buf_text(out, "# the caller wants its vectors in base64\n");
	if (notes->wants_documents)
		buf_text(out, "# the caller wants each rank with its document\n");
	if (span_is_set(notes->one_model))
		buf_print(
			out, "# the caller asks for one model: %.*s\n", SPAN_ARG(notes->one_model));
}

/* How the caller sent its request, and the body, which is absent where the case has no such request. */
static struct span read_call(struct golden_case *c, struct surface_call *call)
{
	struct json where = JSON_NONE;
	struct fault why;
	if (exists(c, "call.json") &&
		json_scan(read_file(c, "call.json"), JSON_STRICT, &where, &why))
		bail("%s/call.json: %s", c->path, why.message);
	const struct json method = json_member(where, "method");
	*call = (struct surface_call){
		.method = json_is_nil(method) ? SPAN("POST") : text_of(c, method),
		.path = text_of(c, json_member(where, "path")),
		.query = text_of(c, json_member(where, "query")),
	};
	if (exists(c, "body.json"))
		return read_file(c, "body.json");
	return json_is(method, "GET") ? SPAN("") : SPAN_NONE;
}

static void check_body(struct golden_case *c)
{
	OWNED(buf_done) struct buf got = BUF_INIT(LIMIT_BODY_BYTES);
	const struct dialect_op *op = dialect_operation(c->dialect, c->op);
	struct surface_call call;
	struct llm_request r;
	struct fault why = FAULT_NONE;
	const struct span body = read_call(c, &call);
	if (!span_is_set(body))
		return;
	if (!op || !op->decode_request)
		bail("%s: nobody reads requests of this family", c->path);
	const enum err err = op->decode_request(&call, body, &c->arena, &r, &c->notes, &why);
	if (err)
		put_fault(&why, &got);
	else
		put_unified(&r, &c->notes, &got);
	compare(c, "unified.json", &got, "the request as it was read");
	if (!err)
		check_encoded(c, &r);
}

/* ---- replies ---- */

static enum err print_event(void *context, const struct llm_event *e)
{
	struct buf *out = context;
	const size_t first = out->n;
	event_json(out, e);
	for (size_t i = first; i < out->n; i++) {
		if (out->p[i] == '\n' || out->p[i] == '\r')
			out->p[i] = ' '; /* white space of JSON that is carried */
	}
	buf_byte(out, '\n');
	return buf_error(out);
}

static void read_head(struct golden_case *c, struct http_reply *reply)
{
	static struct http_header headers[16];
	reply->head.headers = headers;
	reply->head.n_headers = 0;
	if (!exists(c, "reply.head"))
		return;
	struct span rest = read_file(c, "reply.head");
	while (rest.n > 0 && reply->head.n_headers < COUNT_OF(headers)) {
		struct span value = span_cut(&rest, '\n');
		const struct span name = span_cut(&value, ':');
		if (name.n > 0)
			headers[reply->head.n_headers++] =
				(struct http_header){name, span_trim(value)};
	}
}

/* Wherever a reply breaks off, there is one ending, and what came before it is the beginning of
 * what the whole reply says. */
static void check_cuts(struct golden_case *c, const struct http_reply *whole)
{
	OWNED(tally_done) struct tally all = {.n_calls = 0};
	struct fault why;
	size_t bad = 0;
	tally_init(&all);
	feed_op(c->op, c->dialect, &c->notes, whole, &c->target, (struct cuts){0},
		&(struct event_sink){tally_event, &all}, &why);
	for (size_t n = 0; n < whole->body.n && bad == 0; n++) {
		OWNED(tally_done) struct tally cut = {.n_calls = 0};
		struct http_reply part = *whole;
		part.body = span_first(whole->body, n);
		tally_init(&cut);
		const enum err err = feed_op(c->op, c->dialect, &c->notes, &part, &c->target,
			(struct cuts){0}, &(struct event_sink){tally_event, &cut}, &why);
		const bool is_fair = cut.broken[0] == '\0' && (err != OK) == (why.err != OK) &&
				     (err != OK || cut.finish != 0 || cut.result != 0) &&
				     span_starts(buf_view(&all.text), buf_view(&cut.text));
		if (!is_fair) {
			diag("%s, cut at %zu: %s %s", c->path, n, cut.broken, why.message);
			bad++;
		}
	}
	ok(bad == 0, "%s, cut at every byte", c->path);
}

static void check_reply(struct golden_case *c, const struct http_reply *reply)
{
	static const char *const ways[] = {"0", "1", "7", "64", "4096", "special"};
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		OWNED(buf_done) struct buf got = BUF_INIT(LIMIT_BODY_BYTES);
		OWNED(tally_done) struct tally tally = {.n_calls = 0};
		struct fault why;
		struct cuts cuts;
		char how[64];
		if (!cuts_read(ways[i], &cuts))
			bail("%s is no way to cut", ways[i]);
		const enum err err = feed_op(c->op, c->dialect, &c->notes, reply, &c->target, cuts,
			&(struct event_sink){print_event, &got}, &why);
		if (err)
			put_fault(&why, &got);
		(void)snprintf(how, sizeof how, "cut: %s", ways[i]);
		compare(c, "events.jsonl", &got, how);
		if (c->is_rewrite)
			return;
		tally_init(&tally);
		feed_op(c->op, c->dialect, &c->notes, reply, &c->target, cuts,
			&(struct event_sink){tally_event, &tally}, &why);
		is_str(tally.broken, "", "%s, %s: events in order", c->path, how);
	}
	if (reply->head.status < 300 && reply->body.n <= CUT_MOST)
		check_cuts(c, reply);
}

static void check_reply_file(struct golden_case *c, const char *file, int status)
{
	struct http_reply reply = {.head = {.status = status}};
	if (!exists(c, file))
		return;
	reply.body = read_file(c, file);
	read_head(c, &reply);
	check_reply(c, &reply);
}

/* A stream in binary, as it is or made of lines. */
static void check_binary(struct golden_case *c)
{
	struct http_header type = {
		SPAN("content-type"), SPAN("application/vnd.amazon.eventstream")};
	OWNED(buf_done) struct buf framed = BUF_INIT(LIMIT_BODY_BYTES);
	struct http_reply reply = {
		.head = {.status = 200, .headers = &type, .n_headers = 1}
        };
	if (exists(c, "reply.eventstream"))
		aws_lines_put(&framed, read_file(c, "reply.eventstream"));
	else if (exists(c, "reply.bin"))
		buf_span(&framed, read_file(c, "reply.bin"));
	else
		return;
	reply.body = buf_view(&framed);
	check_reply(c, &reply);
}

/* ---- answers to callers who speak the family ---- */

static void check_said(struct golden_case *c, struct retelling *r, const struct http_reply *reply)
{
	static const char *const ways[] = {"0", "1", "7"};
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		OWNED(buf_done) struct buf got = BUF_INIT(LIMIT_BODY_BYTES);
		struct fault why;
		char how[64];
		int status;
		if (!cuts_read(ways[i], &r->cuts))
			bail("%s is no way to cut", ways[i]);
		if (!retell(r, reply, &got, &status, &why))
			bail("%s/body.json: %s", c->path, why.message);
		if (status != 200)
			buf_print(&got, "\nstatus %d", status);
		if (status != 200 || r->form == ANSWER_WHOLE)
			buf_byte(&got, '\n');
		(void)snprintf(how, sizeof how, "as it is said, cut: %s", ways[i]);
		compare(c, r->form == ANSWER_WHOLE ? "said.json" : "said.sse", &got, how);
		if (c->is_rewrite)
			return;
	}
}

/* "from.anthropic.sse" is a reply of anthropic's, of status 200; "from.gemini.429" of that one. */
static void check_from(struct golden_case *c, const char *file)
{
	struct span rest = span_skip(span_str(file), strlen("from."));
	const struct span family = span_cut(&rest, '.');
	struct retelling r = {.from = dialect_find(family), .to = c->dialect, .op = c->op};
	const struct dialect_op *op = dialect_operation(r.to, r.op);
	const int status = atoi(rest.p);
	struct http_reply reply = {.head = {.status = status ? status : 200}};
	if (!r.from || !op || !op->encoder_new)
		bail("%s/%s: nobody tells or reads that", c->path, file);
	reply.body = read_file(c, file);
	r.body = read_call(c, &r.call);
	if (span_is_set(r.body))
		r.form = c->notes.form;
	check_said(c, &r, &reply);
	if (span_is_set(r.body) || (r.op != LLM_OP_CHAT && r.op != LLM_OP_COMPLETE))
		return;
	r.form = ANSWER_SSE;
	check_said(c, &r, &reply);
}

static void check_answers(struct golden_case *c)
{
	struct dirent **names;
	const int n = scandir(c->path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (span_starts(span_str(names[i]->d_name), SPAN("from.")))
			check_from(c, names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

static void run_case(const struct dialect *d, const char *name, bool is_rewrite)
{
	static const int statuses[] = {400, 401, 402, 403, 404, 408, 413, 422, 424, 429, 498, 499,
		500, 502, 503, 504, 529, 307};
	struct golden_case c = {.dialect = d, .is_rewrite = is_rewrite};
	(void)snprintf(c.path, sizeof c.path, "%s/%s/%s", FOLDER, d->family, name);
	arena_init(&c.arena, LIMIT_REQUEST_ARENA);
	notes_init(&c.notes, &c.arena);
	read_target(&c);
	check_request(&c);
	check_body(&c);
	check_answers(&c);
	check_reply_file(&c, "reply.sse", 200);
	check_reply_file(&c, "reply.json", 200);
	check_binary(&c);
	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		char file[32];
		(void)snprintf(file, sizeof file, "reply.%d", statuses[i]);
		check_reply_file(&c, file, statuses[i]);
	}
	if (c.target.is_offline && span_is_set(c.sent)) /* its reply is what was sent */
		check_reply(&c, &(struct http_reply){offline_head, c.sent});
	arena_done(&c.arena);
	config_unref(c.config);
}

static int run_all(bool is_rewrite)
{
	for (const struct dialect *const *d = dialect_all(); *d; d++) {
		char path[256];
		struct dirent **names;
		(void)snprintf(path, sizeof path, "%s/%s", FOLDER, (*d)->family);
		const int n = scandir(path, &names, NULL, alphasort);
		if (n < 0)
			bail("no cases in %s: run from the top of the tree", path);
		for (int i = 0; i < n; i++) {
			if (names[i]->d_name[0] != '.')
				run_case(*d, names[i]->d_name, is_rewrite);
			free(names[i]);
		}
		free(names);
	}
	return is_rewrite ? 0 : tap_done();
}

int main(int argc, char **argv)
{
	return run_all(argc == 2 && strcmp(argv[1], "--rewrite") == 0);
}
