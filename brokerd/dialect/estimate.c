/* estimate.c - a rule of thumb, and an operation made of it. */
#include "brokerd/dialect/estimate.h"

#include "brokerd/dialect/counts.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/whole.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

#define ASCII_PER_TOKEN    4
#define TOKENS_PER_MESSAGE 4
#define TOKENS_PER_IMAGE   1000
#define BYTES_PER_TOKEN    4 /* of other media */

int64_t estimate_text(struct span text)
{
	int64_t ascii = 0, others = 0;
	for (size_t i = 0; i < text.n; i++) {
		const unsigned char c = (unsigned char)text.p[i];
		ascii += c < 0x80;
		others += c >= 0xc0; /* the first byte of a character */
	}
	return (ascii + ASCII_PER_TOKEN - 1) / ASCII_PER_TOKEN + others;
}

static int64_t estimate_part(const struct part *p)
{
	const struct media *m = &p->media;
	int64_t n = estimate_text(p->text) + estimate_text(p->call.name) +
		    estimate_text(p->call.arguments);
	if (p->type == PART_IMAGE)
		n += TOKENS_PER_IMAGE;
	else if (m->data.n > 0)
		n += (int64_t)(m->data.n / BYTES_PER_TOKEN);
	return n;
}

int64_t estimate_request(const struct llm_request *r)
{
	int64_t n = 0;
	for (size_t i = 0; i < r->n_messages; i++) {
		n += TOKENS_PER_MESSAGE;
		for (size_t k = 0; k < r->messages[i].n_parts; k++)
			n = num_add_sat(n, estimate_part(&r->messages[i].parts[k]));
	}
	for (size_t i = 0; i < r->n_tools; i++) {
		const struct tool *t = &r->tools[i];
		n += TOKENS_PER_MESSAGE + estimate_text(t->name) + estimate_text(t->description) +
		     estimate_text(t->parameters) + estimate_text(t->format) +
		     estimate_text(t->raw);
	}
	for (size_t i = 0; i < r->n_inputs; i++)
		n = num_add_sat(n, estimate_part(&r->inputs[i]));
	return n + estimate_text(r->response_format.schema);
}

static enum err encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(KIB);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env;
	notes->is_reply_streamed = false;
	notes->is_count_estimated = true;
	enum err err = scribe_change(&s, "emulated", "messages",
		"%.*s does not count tokens: this is an estimate from the length of the texts",
		SPAN_ARG(target->provider));
	json_open(&s.o, '{');
	json_pair_i64(&s.o, "input_tokens", estimate_request(r));
	json_close(&s.o, '}');
	if (!err)
		err = buf_error(&body);
	return err ? err : arena_dup(notes->arena, buf_view(&body), &out->body);
}

const struct dialect_op estimate_op = {
	.is_local = true,
	.encode_request = encode_request,
	.decoder_new = counts_decoder_new,
	WHOLE_REPLY,
};
