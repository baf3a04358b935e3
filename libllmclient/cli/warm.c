/* warm.c - so many calls under way, each in its place; whichever ends makes room for the next line. */
#include "libllmclient/cli/warm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/header_line.h"
#include "libllmclient/cli/warm_line.h"

struct job {
	llm_stream *stream; /* NULL: nothing is under way here */
	int64_t line;
};

struct run {
	const struct warm *warm;
	struct warm_sums *sums;
	llm_client *client;
	struct span rest; /* lines that are not read yet */
	int64_t line;     /* which one was read last */
	struct job jobs[WARM_JOBS_MAX];
	int64_t n_open;
	bool is_looked_at; /* whether anything may be kept was asked once */
	bool is_sure;  /* what comes is kept, or nothing is asked for: no need to go one by one */
	int exit_code; /* EXIT_GOOD: it goes on */
};

/* ---- what came of one ---- */

static void fail(struct run *r, int64_t line, const char *word, const char *message)
{
	struct json_out out = json_to(&r->sums->failures);
	out.has_value = r->sums->failures.n > 0;
	json_open(&out, '{');
	json_pair_i64(&out, "line", line);
	json_pair_str(&out, "class", span_str(word));
	json_pair_str(&out, "message", span_str(message));
	json_close(&out, '}');
	r->sums->failed++;
	say_err("line %" PRId64 ": %s", line, message);
}

static void fail_unkept(struct run *r, int64_t line, const llm_result *a)
{
	char text[512];
	const char *provider = llm_result_provider(a), *model = llm_result_model(a);
	(void)snprintf(text, sizeof text, "%s/%s answered, and that is not kept: %s",
		provider ? provider : "?", model ? model : "?",
		r->is_sure ? "it is longer than [cache] entry_kib, or what it asked for was cut by "
			     "a limit"
			   : "a rule for who asks may forbid it ([policy] cache), or it is longer "
			     "than [cache] "
			     "entry_kib. No more is asked");
	fail(r, line, "not_cached", text);
	if (!r->is_sure)
		r->rest = SPAN_NONE;
}

static void note_good(struct run *r, const struct job *j)
{
	const llm_result *a = llm_stream_result(j->stream);
	const llm_usage *u = llm_result_usage(a);
	const bool is_there = llm_usage_cache(u) != NULL;
	if (!is_there && llm_usage_cost_nanousd(u) > 0)
		r->sums->cost_nusd += llm_usage_cost_nanousd(u);
	if (is_there) {
		r->sums->there++;
	} else if (llm_usage_kept(u)) {
		r->sums->warmed++;
	} else {
		fail_unkept(r, j->line, a);
		return;
	}
	r->is_sure = true;
	if (r->warm->common->is_verbose)
		say_err("line %" PRId64 ": %s", j->line, is_there ? "there" : "warmed");
}

static void note_bad(struct run *r, const struct job *j, const llm_error *e)
{
	const int code = llm_error_code(e);
	if (code == LLM_E_UNREACHABLE) {
		if (!r->exit_code)
			r->exit_code = say_error(r->warm->common, e);
		return;
	}
	if (code != LLM_E_NOT_CACHED) {
		fail(r, j->line, llm_error_class(e), llm_error_message(e));
		return;
	}
	r->sums->missing++;
	if (r->warm->common->is_verbose)
		say_err("line %" PRId64 ": not there", j->line);
}

/* Takes what has come for it. What was answered is of no use here. */
static void drain(struct run *r, struct job *j)
{
	const llm_event *ev;
	int got;
	while ((got = llm_stream_next(j->stream, &ev)) > 0)
		;
	if (got == LLM_E_AGAIN)
		return;
	if (got == LLM_OK)
		note_good(r, j);
	else
		note_bad(r, j, llm_stream_error(j->stream));
	llm_stream_free(j->stream);
	*j = (struct job){.stream = NULL};
	r->n_open--;
}

/* ---- the next ones ---- */

static llm_request *request_of(const struct warm *w, const struct warm_call *call)
{
	llm_request *r = llm_relay_new(call->surface, "POST", NULL, NULL);
	header_lines_put(r, w->headers);
	if (span_is(span_str(call->surface), "anthropic.messages") &&
		!header_lines_have(w->headers, "anthropic-version"))
		(void)llm_relay_header(
			r, "anthropic-version", "2023-06-01"); /* as its clients do */
	(void)llm_relay_body(r, NULL, call->body.p, call->body.n);
	(void)llm_request_batch(r, w->is_batch);
	if (w->token)
		(void)llm_request_behalf(r, w->token, -1);
	cache_wishes_put(&w->cache, r);
	return r;
}

/* An operation as `route.explain` has it. */
static const char *op_of(const struct warm_call *call)
{
	static const struct {
		const char *surface, *op;
	} ops[] = {
		{"openai.embeddings",  "embed"   },
		{"openai.completions", "complete"},
		{"openai.moderations", "moderate"},
		{"rerank",             "rerank"  },
	};
	for (size_t i = 0; i < COUNT_OF(ops); i++) {
		if (strcmp(call->surface, ops[i].surface) == 0)
			return ops[i].op;
	}
	return "chat";
}

/* What the broker says of such a call; NULL: nothing, as where a rule gives the caller no such answers. */
static char *look(const struct warm *w, const struct warm_call *call)
{
	OWNED(buf_done) struct buf question = BUF_INIT(SAY_BYTES_MAX);
	struct json_out out = json_to(&question);
	struct json body;
	if (json_scan(call->body, JSON_STRICT, &body, NULL))
		return NULL;
	const struct json model = json_member(body, "model");
	json_open(&out, '{');
	json_pair_str(&out, "op", span_str(op_of(call)));
	json_pair_str(&out, "prompt", SPAN("?"));
	json_pair_str(&out, "cache", SPAN("on"));
	if (json_kind(model) == JSON_STRING)
		json_pair_raw(&out, "model", model.text);
	json_close(&out, '}');
	buf_byte(&question, '\0');
	if (buf_error(&question))
		return NULL;
	llm_client *c = broker_client(w->common);
	char *text = llm_admin_call(c, "route.explain", question.p);
	llm_client_free(c);
	return text;
}

/* Nothing is paid for that cannot be kept. Whose rules hold for an application's token is not known here: then the first
 * answer shows. False: it ends here. */
static bool may_go_on(struct run *r, const struct warm_call *call)
{
	OWNED(arena_done) struct arena arena;
	struct json said;
	arena_init(&arena, SAY_BYTES_MAX);
	char *text = r->warm->token ? NULL : look(r->warm, call);
	struct span forbids = SPAN("");
	if (text && json_scan(span_str(text), JSON_STRICT, &said, NULL) == OK) {
		const struct json kept = json_member(said, "cached");
		forbids = text_of(kept, "forbids", &arena);
		r->is_sure |= json_kind(kept) == JSON_OBJECT && forbids.n == 0;
	}
	llm_free(text);
	if (forbids.n == 0)
		return true;
	if (r->is_sure) { /* nobody is asked */
		say_err("note: no answer would be kept: %.*s", SPAN_ARG(forbids));
		return true;
	}
	OWNED(buf_done) struct buf why = BUF_INIT(SAY_BYTES_MAX);
	buf_print(&why, "no answer would be kept, so nothing is asked: %.*s", SPAN_ARG(forbids));
	buf_byte(&why, '\0');
	fail(r, r->line, "not_cached", buf_error(&why) ? "no answer would be kept" : why.p);
	r->rest = SPAN_NONE;
	return false;
}

static void start(struct run *r, struct span line)
{
	struct fault why = FAULT_NONE;
	struct warm_call call;
	size_t at = 0;
	if (warm_line(line, &call, &why)) {
		fail(r, r->line, err_info(why.err)->word, why.message);
		return;
	}
	if (!r->is_looked_at) {
		r->is_looked_at = true;
		if (!may_go_on(r, &call))
			return;
	}
	while (r->jobs[at].stream)
		at++;
	llm_request *asked = request_of(r->warm, &call);
	r->jobs[at] = (struct job){llm_stream_start(r->client, asked), r->line};
	llm_request_free(asked);
	if (r->jobs[at].stream)
		r->n_open++;
	else
		note_bad(r, &r->jobs[at], llm_last_error(r->client));
}

/* As many as there is room for. */
static void start_more(struct run *r)
{
	while (r->n_open < (r->is_sure ? r->warm->jobs : 1) && span_is_set(r->rest) &&
		!r->exit_code) {
		const struct span line = span_trim(span_cut(&r->rest, '\n'));
		r->line++;
		if (line.n > 0)
			start(r, line);
	}
}

int warm_all(const struct warm *w, struct span text, struct warm_sums *sums)
{
	struct run r = {
		.warm = w, .sums = sums, .client = broker_loop_client(w->common), .rest = text};
	r.is_sure = strcmp(w->cache.wish, "only") == 0;
	*sums = (struct warm_sums){.failures = BUF_INIT(SAY_BYTES_MAX)};
	start_more(&r);
	while (r.n_open > 0 && !r.exit_code) {
		(void)llm_client_wait(r.client, -1); /* of what fails each stream tells */
		for (size_t i = 0; i < WARM_JOBS_MAX; i++) {
			if (r.jobs[i].stream)
				drain(&r, &r.jobs[i]);
		}
		start_more(&r);
	}
	llm_client_free(r.client); /* and with it what is still under way */
	if (r.exit_code)
		return r.exit_code;
	return sums->failed > 0 ? EXIT_BAD : EXIT_GOOD;
}
