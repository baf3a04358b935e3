/* estimate.c - a rule of thumb, and an operation made of it. */
#include "brokerd/dialect/estimate.h"

#include <string.h>

#include "brokerd/dialect/counts.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/picture.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/whole.h"
#include "protocol/base/num.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

#define ASCII_PER_TOKEN    4
#define TOKENS_PER_MESSAGE 4

/* as they came out best with requests recorded until mid 2026 */
#define PIXELS_PER_TOKEN       750
#define TOKENS_PER_IMAGE_MIN   85
#define TOKENS_PER_IMAGE_MAX   1600
#define TOKENS_PER_IMAGE       600 /* of unknown size */
#define TOKENS_PER_PAGE        1000
#define BYTES_PER_PAGE         100000 /* where pages cannot be counted */
#define AUDIO_BYTES_PER_TOKEN  400
#define PACKED_BYTES_PER_TOKEN 40 /* of an office document and the like */

/* What stands before the tools in what the model reads. */
static const struct {
	const char *word; /* of its name */
	int64_t tokens;
} preambles[] = {
	{"claude",   500},
	{"nova",     800},
	{"llama",    600},
	{"deepseek", 250},
	{"grok",     150},
	{"qwen",     90 },
	{"gpt-oss",  80 },
};

#define EACH_BYTE  UINT64_C(0x0101010101010101)
#define WORD_BYTES sizeof(uint64_t)
#define WORDS_MOST ((size_t)255) /* until a count of one byte is full */

/* The sum of a word's bytes. */
static int64_t sum_bytes(uint64_t counts)
{
	const uint64_t even = counts & UINT64_C(0x00ff00ff00ff00ff);
	const uint64_t odd = counts >> 8 & UINT64_C(0x00ff00ff00ff00ff);
	return (int64_t)((even + odd) * UINT64_C(0x0001000100010001) >> 48);
}

/* Eight at a time: a prompt has up to millions of them, and each request is estimated. */
int64_t estimate_text(struct span text)
{
	int64_t high = 0,
		first = 0; /* bytes that are not ASCII; of these, the first ones of characters */
	size_t i = utf8_ascii_bytes(text);
	while (text.n - i >= WORD_BYTES) {
		const size_t words = (text.n - i) / WORD_BYTES;
		const size_t end = i + WORD_BYTES * (words < WORDS_MOST ? words : WORDS_MOST);
		uint64_t highs = 0, firsts = 0;
		for (; i < end; i += WORD_BYTES) {
			uint64_t word;
			memcpy(&word, text.p + i, sizeof word);
			highs += word >> 7 & EACH_BYTE;
			firsts += word >> 7 & word >> 6 & EACH_BYTE;
		}
		high += sum_bytes(highs);
		first += sum_bytes(firsts);
		i += utf8_ascii_bytes(span_skip(text, i));
	}
	for (; i < text.n; i++) {
		const unsigned char c = (unsigned char)text.p[i];
		high += c >= 0x80;
		first += c >= 0xc0;
	}
	const int64_t ascii = (int64_t)text.n - high;
	return (ascii + ASCII_PER_TOKEN - 1) / ASCII_PER_TOKEN + first;
}

static int64_t estimate_image(const struct media *m)
{
	int64_t width, height;
	if (span_is(m->detail, "low"))
		return TOKENS_PER_IMAGE_MIN;
	if (!picture_size(m->data, &width, &height))
		return TOKENS_PER_IMAGE;
	const int64_t n = num_mul_sat(width, height) / PIXELS_PER_TOKEN;
	return n < TOKENS_PER_IMAGE_MIN   ? TOKENS_PER_IMAGE_MIN
	       : n > TOKENS_PER_IMAGE_MAX ? TOKENS_PER_IMAGE_MAX
					  : n;
}

/* Where the pages themselves are packed too, none is found. */
static int64_t estimate_pdf(struct span bytes)
{
	static const char *const marks[] = {"/Type /Page", "/Type/Page"};
	int64_t pages = 0;
	for (size_t i = 0; i < COUNT_OF(marks); i++) {
		const struct span mark = span_str(marks[i]);
		for (struct span rest = bytes;;) {
			const size_t at = span_find(rest, mark);
			if (at >= rest.n)
				break;
			rest = span_skip(rest, at + mark.n);
			pages += !span_starts(rest, SPAN("s")); /* not of /Pages */
		}
	}
	const int64_t least = 1 + (int64_t)(bytes.n / BYTES_PER_PAGE);
	return num_mul_sat(pages > 0 ? pages : least, TOKENS_PER_PAGE);
}

int64_t estimate_medium(const struct part *p)
{
	const struct media *m = &p->media;
	const struct span type = media_type_of(m->data);
	if (p->type == PART_IMAGE)
		return estimate_image(m);
	if (m->data.n == 0)
		return 0;
	if (span_is(type, "application/pdf"))
		return estimate_pdf(m->data);
	if (p->type == PART_AUDIO || p->type == PART_VIDEO)
		return 1 + (int64_t)(m->data.n / AUDIO_BYTES_PER_TOKEN);
	if (!span_is_set(type) && span_index(m->data, '\0') == m->data.n && utf8_is_valid(m->data))
		return estimate_text(m->data);
	return 1 + (int64_t)(m->data.n / PACKED_BYTES_PER_TOKEN);
}

static int64_t estimate_part(const struct part *p)
{
	return estimate_text(p->text) + estimate_text(p->call.name) +
	       estimate_text(p->call.arguments) + estimate_medium(p);
}

static int64_t preamble_of(struct span model)
{
	for (size_t i = 0; i < COUNT_OF(preambles); i++) {
		const struct span word = span_str(preambles[i].word);
		for (size_t at = 0; at + word.n <= model.n; at++) {
			if (span_is_nocase(
				    span_first(span_skip(model, at), word.n), preambles[i].word))
				return preambles[i].tokens;
		}
	}
	return 0;
}

int64_t estimate_request(const struct llm_request *r)
{
	int64_t n = 0;
	for (size_t i = 0; i < r->n_messages; i++) {
		n += TOKENS_PER_MESSAGE;
		for (size_t k = 0; k < r->messages[i].n_parts; k++)
			n = num_add_sat(n, estimate_part(&r->messages[i].parts[k]));
	}
	if (r->n_tools > 0)
		n += preamble_of(r->model);
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
