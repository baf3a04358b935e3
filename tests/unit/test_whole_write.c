/* test_whole_write.c - answers beside chat, event by event: what no reply in a file would hold. */
#include <stdlib.h>

#include "brokerd/dialect/dialect.h"
#include "protocol/limits.h"
#include "tests/lib/feed.h"
#include "tests/lib/tap.h"

struct answering {
	struct arena a;
	struct notes notes;
	struct llm_request request;
	struct dialect_env env;
	struct answer_plan plan;
	const struct dialect_op *op;
	struct encoder *encoder;
	struct buf out;
};

static void begin(struct answering *t, enum llm_op op, size_t ceiling)
{
	*t = (struct answering){.request = {.model = SPAN("asked")},
		.env = FEED_ENV,
		.op = dialect_operation(dialect_find(SPAN("openai-chat")), op),
		.out = BUF_INIT(LIMIT_BODY_BYTES)};
	arena_init(&t->a, ceiling);
	notes_init(&t->notes, &t->a);
	t->plan = (struct answer_plan){
		.request = &t->request, .notes = &t->notes, .env = &t->env, .input_estimate = -1};
}

static void done(struct answering *t)
{
	if (t->encoder)
		t->op->encoder_done(t->encoder);
	buf_done(&t->out);
	arena_done(&t->a);
}

static enum err say(struct answering *t, const struct llm_event *e)
{
	if (!t->encoder)
		t->encoder = t->op->encoder_new(&t->a, &t->plan);
	return t->encoder ? t->op->encode(t->encoder, e, &t->out) : ERR_NO_MEMORY;
}

static enum err say_start(struct answering *t, struct span id, struct span model)
{
	struct llm_event e = {.type = EV_START};
	e.start.id = id;
	e.start.model = model;
	return say(t, &e);
}

static enum err say_vector(struct answering *t, uint32_t index, const double *values, size_t n)
{
	struct llm_event e = {.type = EV_EMBEDDING};
	e.embedding.index = index;
	e.embedding.vector = (struct vector){values, n};
	return say(t, &e);
}

static enum err say_end(struct answering *t, int64_t input)
{
	struct llm_event e = {.type = EV_END};
	e.end.usage = USAGE_UNKNOWN;
	e.end.usage.input = input;
	return say(t, &e);
}

/* Inputs that were asked for in several parts are one answer. */
static void test_batches(void)
{
	static const double values[] = {0.5, -1};
	struct answering t;
	begin(&t, LLM_OP_EMBED, LIMIT_REQUEST_ARENA);
	is_err(say_start(&t, SPAN("a"), SPAN("first")), OK, "the first part begins");
	is_err(say_vector(&t, 0, values, 2), OK, "a vector");
	is_err(say_start(&t, SPAN("b"), SPAN("second")), OK, "the second part begins");
	is_err(say_vector(&t, 1, values + 1, 1), OK, "a vector");
	is_uint(t.out.n, 0, "nothing is told before the end");
	is_err(say_end(&t, 12), OK, "the end");
	const struct span want =
		SPAN("{\"object\":\"list\",\"data\":["
		     "{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.5,-1]},"
		     "{\"object\":\"embedding\",\"index\":1,\"embedding\":[-1]}],"
		     "\"model\":\"first\",\"usage\":{\"prompt_tokens\":12,\"total_tokens\":12}}");
	is_mem(t.out.p, t.out.n, want.p, want.n, "one answer of two parts");
	done(&t);
}

/* What nobody knows is no reason to leave out a member that readers cannot do without. */
static void test_unknown_usage(void)
{
	struct answering t;
	begin(&t, LLM_OP_EMBED, LIMIT_REQUEST_ARENA);
	is_err(say_end(&t, -1), OK, "an answer without vectors and usage");
	const struct span want = SPAN("{\"object\":\"list\",\"data\":[],\"model\":\"asked\","
				      "\"usage\":{\"prompt_tokens\":0,\"total_tokens\":0}}");
	is_mem(t.out.p, t.out.n, want.p, want.n, "says so");
	done(&t);
}

static void test_fault(void)
{
	static const double values[] = {1};
	const struct fault why = FAULT_NONE;
	struct llm_event e = {.type = EV_FAULT};
	struct answering t;
	e.fault = &why;
	begin(&t, LLM_OP_EMBED, LIMIT_REQUEST_ARENA);
	is_err(say_vector(&t, 0, values, 1), OK, "a vector");
	is_err(say(&t, &e), OK, "and a fault");
	is_uint(t.out.n, 0, "nothing is told of an answer that failed");
	done(&t);
}

/* More than a whole reply may be is refused where it comes to be so. */
static void test_too_big(void)
{
	enum { LENGTH = 1 << 20 };
	double *values = calloc(LENGTH, sizeof *values);
	enum err err = OK;
	uint32_t n = 0;
	struct answering t;
	if (!values)
		bail("no memory");
	begin(&t, LLM_OP_EMBED, LIMIT_REQUEST_ARENA);
	t.notes.wants_base64 = true;
	while (!err && n < 100)
		err = say_vector(&t, n++, values, LENGTH);
	is_err(err, ERR_TOO_BIG, "64 MiB of vectors");
	is_uint(n, 12, "are eleven of 4 MiB in base64, and one too many");
	is_err(say_vector(&t, n, values, 1), ERR_TOO_BIG, "no more are taken then");
	is_err(say_end(&t, 1), ERR_TOO_BIG, "nor an end");
	is_uint(t.out.n, 0, "and nothing is told");
	done(&t);
	free(values);
}

/* At each amount of memory there is a whole answer or none. */
static void test_no_memory(void)
{
	struct llm_event e = {.type = EV_MODEL};
	size_t whole = 0, wrong = 0;
	e.model = (struct listed_model){.id = SPAN("a/b"), .context_tokens = -1};
	for (size_t ceiling = 0; ceiling < 2000; ceiling += 50) {
		struct answering t;
		begin(&t, LLM_OP_MODELS, ceiling);
		enum err err = say_start(&t, SPAN("an id"), SPAN("a model"));
		if (!err)
			err = say(&t, &e);
		if (!err)
			err = say_end(&t, 1);
		wrong += (err != OK && err != ERR_NO_MEMORY) || (err == OK) != (t.out.n > 0);
		whole += err == OK;
		done(&t);
	}
	is_uint(wrong, 0, "out of memory, and nothing told");
	ok(whole > 0 && whole < 40, "at some of the ceilings: %zu were enough", whole);
}

static void test_document_missing(void)
{
	struct part parts[] = {{.text = SPAN("a")}};
	struct llm_event e = {.type = EV_RANK};
	struct answering t;
	begin(&t, LLM_OP_RERANK, LIMIT_REQUEST_ARENA);
	t.request.inputs = parts;
	t.request.n_inputs = 1;
	t.notes.wants_documents = true;
	e.rank.index = 1;
	is_err(say_start(&t, SPAN("i"), SPAN_NONE), OK, "a ranking");
	is_err(say(&t, &e), OK, "of a document that there is not");
	is_err(say_end(&t, -1), OK, "can be told");
	const struct span want = SPAN("{\"results\":[{\"index\":1,\"relevance_score\":0}],"
				      "\"id\":\"i\",\"model\":\"asked\"}");
	is_mem(t.out.p, t.out.n, want.p, want.n, "without it");
	done(&t);
}

/* One that is listed twice is one answer; one that is not listed is none. */
static void test_one_model(void)
{
	struct llm_event e = {.type = EV_MODEL};
	struct answering t;
	begin(&t, LLM_OP_MODELS, LIMIT_REQUEST_ARENA);
	t.notes.one_model = SPAN("a/b");
	e.model = (struct listed_model){
		.id = SPAN("a/b"), .context_tokens = -1, .max_output_tokens = -1};
	e.model.created_s = INT64_C(253402300800); /* the year 10000 has no such text */
	is_err(say(&t, &e), OK, "a model");
	is_err(say(&t, &e), OK, "and once more");
	is_err(say_end(&t, -1), OK, "are one");
	const struct span want =
		SPAN("{\"id\":\"a/b\",\"object\":\"model\",\"owned_by\":\"a\",\"type\":\"model\","
		     "\"display_name\":\"a/b\",\"created\":0,"
		     "\"created_at\":\"1970-01-01T00:00:00Z\"}");
	is_mem(t.out.p, t.out.n, want.p, want.n, "as it is told");
	done(&t);
	begin(&t, LLM_OP_MODELS, LIMIT_REQUEST_ARENA);
	t.notes.one_model = SPAN("a/bc");
	is_err(say(&t, &e), OK, "another model");
	is_err(say_end(&t, -1), ERR_NOT_FOUND, "is not the one");
	is_uint(t.out.n, 0, "and is not told");
	done(&t);
}

int main(void)
{
	test_batches();
	test_unknown_usage();
	test_fault();
	test_too_big();
	test_no_memory();
	test_document_missing();
	test_one_model();
	return tap_done();
}
