/* chunks.c - what all chunks have in common is written once. */
#include "brokerd/dialect/gemini/chunks.h"

#include "brokerd/dialect/envelope.h"
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/gemini/verdict.h"
#include "brokerd/dialect/sse_write.h"
#include "protocol/limits.h"

void chunks_init(struct chunks *c, enum answer_form form)
{
	*c = (struct chunks){
		.form = form,
		.usage = USAGE_UNKNOWN,
		.tail = BUF_INIT(LIMIT_BODY_BYTES),
	};
}

void chunks_done(struct chunks *c)
{
	buf_done(&c->tail);
}

static void write_tail(struct chunks *c)
{
	struct json_out o = json_to(&c->tail);
	o.has_value = true; /* it stands behind others */
	json_pair_str(&o, "modelVersion", c->model);
	json_pair_str(&o, "responseId", c->id);
}

/* Up to the value itself. */
static void begin(struct chunks *c)
{
	if (c->form == ANSWER_SSE)
		c->mark = sse_begin(c->out, NULL);
	else if (c->form == ANSWER_LIST)
		buf_text(c->out, c->n == 0 ? "[" : ",\r\n");
	c->n++;
}

static void finish(struct chunks *c)
{
	if (c->form == ANSWER_SSE)
		sse_finish(c->out, c->mark);
}

static struct json_out open_with(struct chunks *c, struct span lead)
{
	if (c->n == 0)
		write_tail(c);
	begin(c);
	buf_span(c->out, lead);
	return json_to(c->out);
}

void chunks_count(struct chunks *c, const struct llm_usage *u)
{
	if (usage_input_total(u) < 0 && usage_output_total(u) < 0)
		return;
	c->usage = *u;
	c->is_counted = true;
}

static void close_with(struct chunks *c, struct span end)
{
	struct json_out o = json_to(c->out);
	o.has_value = true;
	buf_span(c->out, end);
	if (c->is_counted)
		verdict_put_usage(&o, &c->usage);
	buf_span(c->out, buf_view(&c->tail));
	json_pair_raw(&o, GEMINI_TOKEN, c->token);
	json_close(&o, '}');
	if (buf_error(&c->tail) && !c->out->err)
		c->out->err = buf_error(&c->tail);
	finish(c);
}

struct json_out chunks_open(struct chunks *c)
{
	return open_with(c, SPAN("{\"candidates\":["));
}

void chunks_close(struct chunks *c)
{
	close_with(c, SPAN("]"));
}

struct json_out chunks_open_part(struct chunks *c)
{
	return open_with(c, SPAN("{\"candidates\":[{\"content\":{\"parts\":["));
}

void chunks_write_end(uint32_t index, struct buf *end)
{
	buf_text(end, "],\"role\":\"model\"},\"index\":");
	buf_i64(end, index);
	buf_text(end, "}]");
}

void chunks_close_part(struct chunks *c, struct span end)
{
	close_with(c, end);
}

void chunks_fail(struct chunks *c, const struct fault *f)
{
	int status;
	if (c->form == ANSWER_WHOLE)
		return;
	begin(c);
	envelope_gemini(f, c->out, &status);
	finish(c);
	chunks_end(c);
}

void chunks_end(struct chunks *c)
{
	if (c->form == ANSWER_LIST)
		buf_text(c->out, "]");
}
