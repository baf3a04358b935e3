/* retell.c - events go from the one to the other; usage is remembered for the end. */
#include "tests/lib/retell.h"

#include <assert.h>

#include "protocol/limits.h"

struct link {
	const struct dialect_op *op;
	struct encoder *encoder;
	struct llm_usage usage;
	struct buf *out;
};

static enum err pass_on(void *context, const struct llm_event *e)
{
	struct link *l = context;
	if (e->type == EV_USAGE)
		l->usage = e->usage;
	return l->op->encode(l->encoder, e, l->out);
}

static bool read_request(const struct retelling *r, struct arena *a, struct llm_request *request,
	struct notes *notes, struct json *body, struct fault *why)
{
	const struct dialect_op *op = dialect_operation(r->to, r->op);
	*request = (struct llm_request){.model = SPAN("asked")};
	notes->form = r->form;
	notes->n_choices = 8;
	notes->wants_usage_event = !span_is_set(r->body);
	request->is_stream = r->form != ANSWER_WHOLE;
	*body = JSON_NONE;
	if (!span_is_set(r->body))
		return true;
	if (r->body.n > 0 && json_scan(r->body, JSON_STRICT, body, why))
		return false;
	return op->decode_request(&r->call, r->body, a, request, notes, why) == OK;
}

static void end(struct link *l, const struct dialect *to, enum answer_form form, struct fault *why,
	int *status)
{
	struct llm_event last = {.type = EV_END};
	last.end.usage = l->usage;
	const size_t before = l->out->n;
	if (why->err) {
		last = (struct llm_event){.type = EV_FAULT, .fault = why};
		if (before == 0 || form == ANSWER_WHOLE) {
			to->phrase(why, l->out, status);
			return;
		}
	}
	const enum err err = l->op->encode(l->encoder, &last, l->out);
	if (err == ERR_NOT_FOUND) { /* the one thing that only the end can tell */
		fault_set(why, err, "%s", err_info(err)->sentence);
		to->phrase(why, l->out, status);
		return;
	}
	assert(err == OK && "an answer can always be ended");
}

bool retell(const struct retelling *r, const struct http_reply *reply, struct buf *out, int *status,
	struct fault *why)
{
	OWNED(arena_done) struct arena a;
	const struct target target = {.provider = SPAN("recorded"), .model = SPAN("recorded")};
	struct link l = {.op = dialect_operation(r->to, r->op), .usage = USAGE_UNKNOWN, .out = out};
	struct llm_request request;
	struct notes asked, sent;
	struct json body;
	*why = FAULT_NONE;
	*status = 200;
	arena_init(&a, 1024 * MIB);
	notes_init(&asked, &a);
	notes_init(&sent, &a);
	if (!read_request(r, &a, &request, &asked, &body, why))
		return false;
	const struct answer_plan plan = {.request = &request,
		.notes = &asked,
		.body = body,
		.env = &FEED_ENV,
		.input_estimate = 17};
	l.encoder = l.op->encoder_new(&a, &plan);
	assert(l.encoder);
	sent.n_choices = asked.n_choices;
	sent.wants_reasoning_text = true;
	feed_op(r->op, r->from, &sent, reply, &target, r->cuts, &(struct event_sink){pass_on, &l},
		why);
	if (why->err) /* as an attempt has it */
		fault_text(why->provider, sizeof why->provider, target.provider);
	end(&l, r->to, asked.form, why, status);
	l.op->encoder_done(l.encoder);
	return true;
}
