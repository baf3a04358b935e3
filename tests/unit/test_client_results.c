/* test_client_results.c - what does a program get of an operation that gives no words? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fake_client.h"

/* ---- answers ---- */

static const double first[] = {0.5, -0.25, 1}, second[] = {0.1, 0.2, 0.3};

static void send_vectors(struct fake_call *c)
{
	const struct llm_event events[] = {
		{.type = EV_EMBEDDING, .embedding = {0, {first, 3}} },
		{.type = EV_EMBEDDING, .embedding = {1, {second, 3}}},
	};
	for (size_t i = 0; i < COUNT_OF(events); i++)
		fake_event(c->to, &events[i]);
}

static void send_verdicts(struct fake_call *c)
{
	const struct llm_event events[] = {
		{.type = EV_MODERATION,
                 .moderation = {0, true, SPAN("{\"hate\":true}"), SPAN("{\"hate\":0.9}")}},
		{.type = EV_MODERATION, .moderation = {1, false, SPAN_NONE, SPAN_NONE}   },
	};
	for (size_t i = 0; i < COUNT_OF(events); i++)
		fake_event(c->to, &events[i]);
}

static void send_models(struct fake_call *c)
{
	const struct llm_event events[] = {
		{.type = EV_MODEL, .model = {SPAN("fast"), SPAN_NONE, -1, -1, 0}                  },
		{.type = EV_MODEL, .model = {SPAN("a/b"), SPAN("someone"), 8192, 1024, 1700000000}},
	};
	for (size_t i = 0; i < COUNT_OF(events); i++)
		fake_event(c->to, &events[i]);
}

/* Answers as the operation is, and keeps the request as it came. */
static void answer(struct fake_call *c, void *arg)
{
	struct buf *asked = arg;
	const struct llm_event best = {
		.type = EV_RANK, .rank = {2, 0.75}
        };
	const struct llm_event next = {
		.type = EV_RANK, .rank = {0, -1.5}
        };
	const struct llm_event count = {
		.type = EV_COUNT, .count = {42, true}
        };
	if (asked) {
		buf_clear(asked);
		buf_text(asked, llm_op_name(c->call.op));
		buf_byte(asked, ' ');
		struct pack_in in = pack_from(c->body);
		ok(pack_to_json(&in, asked), "the request is JSON");
		buf_byte(asked, '\0');
	}
	switch (c->call.op) {
	case LLM_OP_EMBED:
		send_vectors(c);
		break;
	case LLM_OP_RERANK:
		fake_event(c->to, &best);
		fake_event(c->to, &next);
		break;
	case LLM_OP_COUNT:
		fake_event(c->to, &count);
		break;
	case LLM_OP_MODERATE:
		send_verdicts(c);
		break;
	case LLM_OP_MODELS:
		send_models(c);
		break;
	case LLM_OP_CHAT:
	case LLM_OP_COMPLETE:
	case LLM_OP_COUNT_OF:
		fake_text(c->to, "hello");
		break;
	}
	fake_end(c->to);
}

static llm_request *with_inputs(void)
{
	llm_request *r = llm_request_new("fake/e");
	if (!r)
		bail("no request");
	llm_request_input(r, "one");
	llm_request_input(r, "two");
	return r;
}

static void wholes(void)
{
	OWNED(buf_done) struct buf asked = BUF_INIT(1 << 16);
	const struct fake_options o = {.script = answer, .arg = &asked};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_request *r = with_inputs();
	size_t n = 0;

	llm_request_dimensions(r, 3);
	llm_request_input_type(r, "query");
	llm_request_truncate(r, "end");
	llm_result *a = llm_embeddings(c, r);
	is_str(asked.p,
		"embed {\"model\":\"fake/e\",\"inputs\":[\"one\",\"two\"],\"dimensions\":3,"
		"\"input_type\":\"query\",\"truncate\":\"end\"}",
		"what is asked for vectors");
	is_uint(llm_result_embeddings(a), 2, "a vector each");
	const float *v = llm_result_embedding(a, 0, &n);
	ok(n == 3 && v[0] == 0.5F && v[1] == -0.25F && v[2] == 1.0F, "exactly");
	v = llm_result_embedding(a, 1, NULL);
	ok(v && v[0] == 0.1F, "or as near as a float is");
	ok(!llm_result_embedding(a, 2, &n) && n == 0, "and no more");
	is_int(llm_usage_input_tokens(llm_result_usage(a)), 12, "with an account");
	llm_result_free(a);
	llm_request_free(r);

	r = with_inputs();
	llm_request_query(r, "q");
	llm_request_top_n(r, 2);
	a = llm_rerank(c, r);
	is_str(asked.p,
		"rerank "
		"{\"model\":\"fake/e\",\"inputs\":[\"one\",\"two\"],\"query\":\"q\",\"top_n\":2}",
		"what is asked for ranks");
	is_uint(llm_result_ranks(a), 2, "two ranks");
	is_uint(llm_result_rank_index(a, 0), 2, "the best");
	ok(llm_result_rank_score(a, 1) == -1.5, "and the score of the next");
	is_uint(llm_result_rank_index(a, 2), SIZE_MAX, "and no more");
	llm_result_free(a);
	llm_request_free(r);

	r = question("hi");
	a = llm_count(c, r);
	ok(strncmp(asked.p, "count {", 7) == 0, "a chat is counted");
	is_int(llm_result_tokens(a), 42, "its tokens");
	is_int(llm_result_tokens_estimated(a), 1, "by an estimate");
	llm_result_free(a);
	llm_request_free(r);

	r = with_inputs();
	a = llm_moderate(c, r);
	is_uint(llm_result_verdicts(a), 2, "a verdict each");
	is_int(llm_result_flagged(a, 0), 1, "one is flagged");
	is_str(llm_result_categories(a, 0), "{\"hate\":true}", "for this");
	is_str(llm_result_category_scores(a, 0), "{\"hate\":0.9}", "by so much");
	ok(!llm_result_flagged(a, 1) && !llm_result_categories(a, 1), "one is not");
	llm_result_free(a);
	llm_request_free(r);

	a = llm_models(c, NULL);
	is_str(asked.p, "models {}", "all models");
	is_uint(llm_result_models(a), 2, "two models");
	is_str(llm_result_model_id(a, 1), "a/b", "one of them");
	is_int(llm_result_model_context(a, 1), 8192, "what it reads");
	is_int(llm_result_model_max_output(a, 0), -1, "not known");
	llm_result_free(a);
	a = llm_models(c, "a");
	is_str(asked.p, "models {\"model\":\"a\"}", "of one provider");
	llm_result_free(a);

	ok(llm_result_embeddings(NULL) == 0 && llm_result_tokens(NULL) == -1 &&
			!llm_result_model_id(NULL, 0) && !llm_result_flagged(NULL, 0),
		"nothing has nothing");
	llm_client_free(c);
	fake_stop(b);
}

static void blocks(void)
{
	const struct fake_options o = {.script = answer};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	const char *const texts[] = {"one", "two"};
	size_t n = 0;
	float *block = llm_embed(c, NULL, texts, 2, &n);
	ok(block && n == 3 && block[0] == 0.5F && block[3] == 0.1F, "rows in one block");
	llm_free(block);
	ok(!llm_embed(c, NULL, texts, 1, &n), "one text, two vectors");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_PROVIDER, "is a fault");
	ok(!llm_embed(c, NULL, texts, 0, &n), "of nothing");
	ok(llm_error_code(llm_last_error(c)) != LLM_OK, "and that is told");
	llm_client_free(c);
	fake_stop(b);
}

static void streamed(void)
{
	const struct fake_options o = {.script = answer};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_request *r = with_inputs();
	const llm_event *ev;
	size_t n = 0;
	is_int(llm_request_operation(r, "embed"), LLM_OK, "a request for a stream says what it is");
	llm_request *copy = llm_request_copy(r);
	llm_stream *s = llm_stream_start(c, copy);
	while (s && llm_stream_next(s, &ev) > 0) {
		if (llm_event_type_of(ev) != LLM_EV_ITEM)
			continue;
		is_uint(llm_event_index(ev), n, "which");
		is_uint(llm_result_embeddings(llm_stream_result(s)), ++n, "it is in the result");
		is_str(llm_event_text(ev, NULL), "", "and has no text");
	}
	is_uint(n, 2, "an event each");
	llm_stream_free(s);
	llm_request_free(copy);
	is_int(llm_request_operation(r, "sing"), LLM_E_INVAL, "no such operation");
	llm_request_free(r);
	llm_client_free(c);
	fake_stop(b);
}

/* A stream for models, once of no provider and once of one; a copy is the same. */
static void streamed_models(void)
{
	static const struct {
		const char *provider, *asked;
	} cases[] = {
		{NULL, "models {\"stream\":true}"                },
		{"a",  "models {\"model\":\"a\",\"stream\":true}"},
	};
	OWNED(buf_done) struct buf asked = BUF_INIT(1 << 16);
	const struct fake_options o = {.script = answer, .arg = &asked};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		llm_request *r = llm_request_new(cases[i].provider);
		const llm_event *ev;
		is_int(llm_request_operation(r, "models"), LLM_OK, "models");
		llm_request *copy = llm_request_copy(r);
		llm_request_free(r);
		llm_stream *s = llm_stream_start(c, copy);
		while (s && llm_stream_next(s, &ev) > 0)
			;
		is_str(asked.p, cases[i].asked, "models of %s",
			cases[i].provider ? cases[i].provider : "all");
		llm_stream_free(s);
		llm_request_free(copy);
	}
	llm_client_free(c);
	fake_stop(b);
}

/* ---- what is wrong ---- */

static void wrong_order(struct fake_call *c, void *arg)
{
	const struct llm_event e = {
		.type = EV_EMBEDDING, .embedding = {1, {first, 3}}
        };
	(void)arg;
	fake_event(c->to, &e);
	fake_end(c->to);
}

static void refused(void)
{
	const struct fake_options o = {.script = wrong_order};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	llm_request *r = with_inputs();
	ok(!llm_embeddings(c, r), "a vector out of turn");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_PROTOCOL, "is the broker's fault");
	ok(!llm_rerank(c, r), "a ranking without a query");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_INVAL, "is ours");
	ok(!llm_count(c, r), "a count of no chat");
	is_int(llm_error_code(llm_last_error(c)), LLM_E_INVAL, "is ours too");
	is_int(llm_request_dimensions(r, 0), LLM_E_INVAL, "no dimensions");
	is_int(llm_request_input(r, "more"), LLM_E_INVAL, "the first failure sticks");
	llm_request_free(r);
	r = llm_request_new("fake/e");
	is_int(llm_request_input_image(r, NULL, "x", 0), LLM_E_INVAL, "an image of no bytes");
	llm_request_free(r);
	is_int(llm_request_input(NULL, "a"), LLM_E_INVAL, "nor of no request");
	llm_client_free(c);
	fake_stop(b);
}

/* ---- memory ---- */

static _Thread_local bool is_counted;
static long n_taken, n_live, fail_at; /* fail_at 0: never */
static bool stays_out;                /* and all after it */

static void *count_memory(void *p, size_t n, void *arg)
{
	(void)arg;
	if (!is_counted)
		return n > 0 ? realloc(p, n) : (free(p), NULL);
	if (n == 0) {
		n_live -= p != NULL;
		free(p);
		return NULL;
	}
	n_taken++;
	if (fail_at > 0 && (stays_out ? n_taken >= fail_at : n_taken == fail_at))
		return NULL;
	void *grown = realloc(p, n);
	n_live += grown && !p;
	return grown;
}

/* One of each. True: everything worked. */
static bool one_of_each(const llm_options *o)
{
	const char *const texts[] = {"one", "two"};
	size_t n;
	llm_client *c = llm_client_new(o);
	llm_request *r = llm_request_new("fake/e");
	llm_result *a = NULL, *ranks = NULL, *verdicts = NULL, *models = NULL;
	llm_request *copy = NULL;
	float *block = NULL;
	bool is_good = false;
	if (!c || !r)
		goto done;
	(void)llm_request_input(r, "one");
	(void)llm_request_input_image(r, "image/png", "abc", 3);
	copy = llm_request_copy(r);
	if (!copy)
		goto done;
	(void)llm_request_query(copy, "q");
	a = llm_embeddings(c, r);
	ranks = llm_rerank(c, copy);
	verdicts = llm_moderate(c, r);
	models = llm_models(c, NULL);
	block = llm_embed(c, NULL, texts, 2, &n);
	is_good = a && ranks && verdicts && models && block;
done:
	llm_free(block);
	llm_result_free(a);
	llm_result_free(ranks);
	llm_result_free(verdicts);
	llm_result_free(models);
	llm_request_free(copy);
	llm_request_free(r);
	llm_client_free(c);
	return is_good;
}

/* Each of the first n_all allocations fails once. What could not be had the first time can be the second, so some
 * of these runs are good; how many, is a matter of time. */
static void fail_each(const llm_options *o, long n_all, long *n_good, long *n_leaking)
{
	*n_good = *n_leaking = 0;
	for (long n = 1; n <= n_all; n++) {
		fail_at = n;
		n_taken = n_live = 0;
		*n_good += one_of_each(o);
		*n_leaking += n_live != 0;
	}
	fail_at = 0;
}

static void out_of_memory(void)
{
	const struct fake_options fake = {.script = answer};
	struct fake_broker *b = fake_start(&fake);
	llm_options o = options_for(b);
	long n_leaking, n_good;
	o.max_retries = 0;
	is_counted = true;
	ok(one_of_each(&o), "one of each, with memory");
	is_int(n_live, 0, "and nothing of it stays");
	const long n_all = n_taken;
	fail_each(&o, n_all, &n_good, &n_leaking);
	is_int(n_leaking, 0, "whichever of %ld allocations fails, nothing leaks", n_all);
	ok(n_good < n_all, "and some are told as lost");
	stays_out = true;
	fail_each(&o, n_all / 2, &n_good, &n_leaking);
	is_int(n_leaking, 0, "nor when there is no memory from there on");
	is_int(n_good, 0, "which is told as lost wherever it begins");
	is_counted = false;
	fake_stop(b);
}

int main(void)
{
	llm_set_allocator(count_memory, NULL);
	wholes();
	blocks();
	streamed();
	streamed_models();
	refused();
	out_of_memory();
	return tap_done();
}
