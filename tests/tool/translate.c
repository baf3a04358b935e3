/* translate.c - what does a caller's request become at a provider? */
#include "protocol/limits.h"
#include "tests/lib/host.h"
#include "tests/tool/tool.h"

struct job {
	enum llm_op op;
	const struct dialect *from, *to;
	struct span provider, model;
	bool is_stream, is_batch;
	bool is_written; /* by encode_request, though the family is the caller's own */
	bool is_sent;    /* between reading and writing, it goes through the wire's msgpack */
	struct span body, path, query;
};

/* What became of one request. */
struct outcome {
	struct notes notes;
	struct http_request http;
	struct fault why;
};

/* The same family goes on with the request's own model, as the caller's word for it. */
static enum err target_of(const struct job *job, const struct llm_request *r, struct arena *a,
	struct config **config, struct target *out, struct fault *why)
{
	const struct host_wish wish = {
		.family = span_str(job->to->family),
		.provider = job->provider,
		.model = span_is_set(job->model) || job->from != job->to ? job->model : r->model,
	};
	*config = host_target(&wish, a, out, why);
	return *config ? OK : why->err;
}

/* What the request is for a broker that it was sent to; its spans point into the arena. */
static enum err send(enum llm_op op, struct arena *a, struct llm_request *r, struct fault *why)
{
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_BODY_BYTES);
	struct span copy;
	request_pack(r, &packed);
	enum err err = buf_error(&packed);
	if (!err)
		err = arena_dup(a, buf_view(&packed), &copy);
	if (err)
		return fault_set(why, err, "the request cannot be packed");
	return request_unpack_op(op, copy, a, r, why);
}

/* Same family, same bytes: as a caller's own body goes on. */
static bool is_forwarded(const struct job *job)
{
	const struct dialect_op *op = dialect_operation(job->to, job->op);
	return job->from == job->to && op && op->forward && !job->is_written && !job->is_sent;
}

static enum err forward(const struct job *job, const struct surface_call *call,
	const struct llm_request *r, const struct target *target, struct outcome *o)
{
	const struct forwarded what = {.request = r,
		.body = json_of(span_trim(job->body)),
		.call = call,
		.form = o->notes.form,
		.wants_usage_event = o->notes.wants_usage_event};
	return dialect_operation(job->to, job->op)
		->forward(&what, target, &o->notes, &o->http, &o->why);
}

static enum err translate(const struct job *job, struct arena *a, struct outcome *o)
{
	const struct surface_call call = {
		.method = SPAN("POST"), .path = job->path, .query = job->query};
	struct llm_request request;
	struct target target;
	struct config *config = NULL;
	*o = (struct outcome){.why = FAULT_NONE};
	notes_init(&o->notes, a);
	enum err err = dialect_operation(job->from, job->op)
			       ->decode_request(&call, job->body, a, &request, &o->notes, &o->why);
	if (err)
		return err;
	if (job->is_sent)
		err = send(job->op, a, &request, &o->why);
	if (err)
		return err;
	request.is_stream = request.is_stream || job->is_stream;
	err = target_of(job, &request, a, &config, &target, &o->why);
	if (!err && is_forwarded(job))
		err = forward(job, &call, &request, &target, o);
	else if (!err)
		err = dialect_encode(dialect_operation(job->to, job->op), &request, &target,
			&FEED_ENV, &o->notes, &o->http, &o->why);
	if (!err) /* the configuration's, which goes now */
		err = arena_dup(a, o->http.url, &o->http.url);
	for (size_t i = 0; !err && i < o->http.n_headers; i++)
		err = arena_dup(a, o->http.headers[i].value, &o->http.headers[i].value);
	config_unref(config);
	return err;
}

/* ---- what is printed ---- */

static void put_fault(struct json_out *o, const struct fault *why)
{
	json_key(o, "error");
	json_open(o, '{');
	json_pair_str(o, "class", span_str(err_info(why->err)->word));
	json_pair_str(o, "code", span_str(why->code));
	json_pair_str(o, "param", span_str(why->param));
	json_pair_str(o, "message", span_str(why->message));
	json_close(o, '}');
}

/* The URL without scheme and host. */
static struct span path_of(struct span url)
{
	const struct span rest = span_skip(url, span_find(url, SPAN("://")));
	const struct span host = span_skip(rest, rest.n < 3 ? rest.n : 3);
	return span_skip(host, span_index(host, '/'));
}

static void put_request(struct json_out *o, const struct outcome *done)
{
	const struct http_request *http = &done->http;
	json_pair_str(o, "method", http->method);
	json_pair_str(o, "path", path_of(http->url));
	json_key(o, "headers");
	json_open(o, '{');
	for (size_t i = 0; i < http->n_headers; i++) {
		json_key_text(o, http->headers[i].name);
		json_put_str(o, http->headers[i].value);
	}
	json_close(o, '}');
	json_pair_str(o, "body", http->body);
	json_key(o, "warnings");
	json_open(o, '[');
	for (size_t i = 0; i < done->notes.n_warnings; i++) {
		const struct warning *w = &done->notes.warnings[i];
		json_open(o, '{');
		json_pair_str(o, "code", w->code);
		json_pair_str(o, "param", w->param);
		json_pair_str(o, "message", w->message);
		json_close(o, '}');
	}
	json_close(o, ']');
}

/* Prints one result, with the members of `id` where it is one of a batch. Returns main's status. */
static int run(const struct job *job, struct json id, struct arena *a)
{
	OWNED(buf_done) struct buf out = BUF_INIT(1024 * MIB);
	struct json_out o = json_to(&out);
	struct outcome done;
	const enum err err = translate(job, a, &done);
	json_open(&o, '{');
	json_pair_raw(&o, "id", id.text);
	if (err)
		put_fault(&o, &done.why);
	else
		put_request(&o, &done);
	json_close(&o, '}');
	tool_end_line(&out, 0);
	tool_print(&out);
	return err_info(err)->exit_code;
}

/* ---- batches ---- */

static struct span text_of(
	struct json line, const char *name, struct span otherwise, struct arena *a)
{
	struct span text;
	if (json_text(json_member(line, name), a, &text))
		tool_die(1, "out of memory");
	return span_is_set(text) ? text : otherwise;
}

static void run_line(const struct job *all, struct span text)
{
	struct job job = *all;
	struct arena a;
	struct json line;
	struct fault why;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	if (json_scan(text, JSON_STRICT, &line, &why))
		tool_die(1, "a line is no JSON: %s", why.message);
	const struct json body = json_member(line, "body");
	job.body = text_of(line, "body", body.text, &a);
	job.path = text_of(line, "path", job.path, &a);
	job.query = text_of(line, "query", job.query, &a);
	job.provider = text_of(line, "provider", job.provider, &a);
	job.model = text_of(line, "model", job.model, &a);
	run(&job, json_member(line, "id"), &a);
	arena_done(&a);
}

static int run_batch(const struct job *job)
{
	OWNED(buf_done) struct buf file = BUF_INIT(1024 * MIB);
	tool_load("-", &file);
	struct span rest = buf_view(&file);
	while (rest.n > 0) {
		const struct span line = span_cut(&rest, '\n');
		if (line.n > 0)
			run_line(job, line);
	}
	return 0;
}

/* ---- the command ---- */

static void read_options(struct job *job, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		struct span *value = NULL;
		if (strcmp(argv[i], "--stream") == 0)
			job->is_stream = true;
		else if (strcmp(argv[i], "--batch") == 0)
			job->is_batch = true;
		else if (strcmp(argv[i], "--sent") == 0)
			job->is_sent = true;
		else if (strcmp(argv[i], "--written") == 0)
			job->is_written = true;
		else if (strcmp(argv[i], "--provider") == 0)
			value = &job->provider;
		else if (strcmp(argv[i], "--model") == 0)
			value = &job->model;
		else if (strcmp(argv[i], "--path") == 0)
			value = &job->path;
		else if (strcmp(argv[i], "--query") == 0)
			value = &job->query;
		else
			tool_die(2, "what is %s?", argv[i]);
		if (value && ++i == argc)
			tool_die(2, "%s wants a value", argv[i - 1]);
		if (value)
			*value = span_str(argv[i]);
	}
}

int tool_translate(int argc, char **argv)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct job job = {.is_stream = false};
	struct arena a;
	if (argc < 2)
		tool_die(2, "translate wants FROM and TO");
	job.op = tool_reader(argv[0]).op;
	job.from = tool_family(argv[0]);
	job.to = tool_family(argv[1]);
	read_options(&job, argc - 2, argv + 2);
	const struct dialect_op *reads = dialect_operation(job.from, job.op);
	const struct dialect_op *writes = dialect_operation(job.to, job.op);
	if (!reads || !reads->decode_request)
		tool_die(2, "nobody reads requests of \"%s\" yet", argv[0]);
	if (!writes || !writes->encode_request)
		tool_die(2, "nobody writes such requests for \"%s\" yet", argv[1]);
	if (job.is_batch)
		return run_batch(&job);
	tool_load("-", &body);
	job.body = buf_view(&body);
	arena_init(&a, LIMIT_REQUEST_ARENA);
	const int status = run(&job, JSON_NONE, &a);
	arena_done(&a);
	return status;
}
