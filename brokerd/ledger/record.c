/* record.c - one table of fields a record; the bytes and the columns both follow it. */
#include "brokerd/ledger/record.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>

#include "brokerd/ledger/price.h"
#include "brokerd/value/crc32c.h"
#include "protocol/base/num.h"

const char *outcome_name(enum outcome o)
{
	switch (o) {
	case OUTCOME_OK:
		return "ok";
	case OUTCOME_FAILED:
		return "failed";
	case OUTCOME_CANCELLED:
		return "cancelled";
	case OUTCOME_UNKNOWN:
		return "unknown";
	}
	return "unknown";
}

static void add_known(int64_t *sum, int64_t more)
{
	if (more >= 0)
		*sum = *sum < 0 ? more : num_add_sat(*sum, more);
}

void open_record_count(struct open_record *o, const struct attempt_record *a)
{
	struct llm_usage *sum = &o->usage;
	const struct llm_usage *more = &a->usage;
	/* what one provider says it cost hides none of the others' */
	int64_t paid_nusd = price_paid_nusd(sum);
	add_known(&paid_nusd, price_paid_nusd(more));
	if (sum->provider_cost_nusd >= 0 || more->provider_cost_nusd >= 0)
		sum->provider_cost_nusd = paid_nusd;
	add_known(&sum->input, more->input);
	add_known(&sum->cache_read, more->cache_read);
	add_known(&sum->cache_write_5m, more->cache_write_5m);
	add_known(&sum->cache_write_1h, more->cache_write_1h);
	add_known(&sum->cache_write, more->cache_write);
	add_known(&sum->output, more->output);
	add_known(&sum->reasoning, more->reasoning);
	add_known(&sum->audio_input, more->audio_input);
	add_known(&sum->audio_output, more->audio_output);
	add_known(&sum->image_input, more->image_input);
	add_known(&sum->image_output, more->image_output);
	add_known(&sum->cost_nusd, more->cost_nusd);
	if (a->number > o->attempts)
		o->attempts = a->number;
	if (a->number >= o->announced)
		o->announced = 0;
	if (a->number == o->beside.number)
		o->beside = (struct under_way_record){.number = 0};
}

struct under_way_record open_record_last(const struct open_record *o)
{
	const struct reserve_record *r = &o->reserve;
	struct under_way_record last = {.number = o->announced};
	if (last.number == 0)
		return last;
	last.estimate_input = r->estimate_input;
	last.estimate_output = r->estimate_output;
	last.estimate_nusd = r->estimate_nusd;
	memcpy(last.provider, r->provider, sizeof last.provider);
	memcpy(last.target_model, r->target_model, sizeof last.target_model);
	memcpy(last.key_label, r->account.key_label, sizeof last.key_label);
	return last;
}

void open_record_announce(struct open_record *o, const struct reserve_record *r)
{
	if (r->beside != o->beside.number)
		o->beside = r->beside != 0 && r->beside == o->announced
				    ? open_record_last(o)
				    : (struct under_way_record){.number = 0};
	o->reserve = *r;
	o->announced = r->number;
}

/* ---- fields ---- */

#define FIELD(record, kind, name, member)                        \
	{                                                        \
		name, kind, offsetof(struct record, member),     \
			sizeof((const struct record *)0)->member \
	}
#define TEXT(record, name)   FIELD(record, FIELD_TEXT, #name, name)
#define NUMBER(record, name) FIELD(record, FIELD_NUMBER, #name, name)
#define COUNT(record, name)  FIELD(record, FIELD_COUNT, #name, name)

#define USAGE(record)                                                                \
	FIELD(record, FIELD_NUMBER, "input", usage.input),                           \
		FIELD(record, FIELD_NUMBER, "cache_read", usage.cache_read),         \
		FIELD(record, FIELD_NUMBER, "cache_write_5m", usage.cache_write_5m), \
		FIELD(record, FIELD_NUMBER, "cache_write_1h", usage.cache_write_1h), \
		FIELD(record, FIELD_NUMBER, "cache_write", usage.cache_write),       \
		FIELD(record, FIELD_NUMBER, "output", usage.output),                 \
		FIELD(record, FIELD_NUMBER, "reasoning", usage.reasoning),           \
		FIELD(record, FIELD_NUMBER, "audio_input", usage.audio_input),       \
		FIELD(record, FIELD_NUMBER, "audio_output", usage.audio_output),     \
		FIELD(record, FIELD_NUMBER, "image_input", usage.image_input),       \
		FIELD(record, FIELD_NUMBER, "image_output", usage.image_output),     \
		FIELD(record, FIELD_NUMBER, "cost_nusd", usage.cost_nusd),           \
		FIELD(record, FIELD_NUMBER, "provider_cost_nusd", usage.provider_cost_nusd)

#define PRICES(record)                                                                     \
	FIELD(record, FIELD_NUMBER, "price_input", price.input),                           \
		FIELD(record, FIELD_NUMBER, "price_output", price.output),                 \
		FIELD(record, FIELD_NUMBER, "price_cache_read", price.cache_read),         \
		FIELD(record, FIELD_NUMBER, "price_cache_write_5m", price.cache_write_5m), \
		FIELD(record, FIELD_NUMBER, "price_cache_write_1h", price.cache_write_1h), \
		FIELD(record, FIELD_NUMBER, "price_reasoning", price.reasoning),           \
		FIELD(record, FIELD_NUMBER, "price_audio_input", price.audio_input),       \
		FIELD(record, FIELD_NUMBER, "price_audio_output", price.audio_output),     \
		FIELD(record, FIELD_NUMBER, "price_image_input", price.image_input),       \
		FIELD(record, FIELD_NUMBER, "price_image_output", price.image_output)

#define ACCOUNT(record, account)                                           \
	FIELD(record, FIELD_TEXT, "kind", account.kind),                   \
		FIELD(record, FIELD_TEXT, "unit", account.unit),           \
		FIELD(record, FIELD_TEXT, "container", account.container), \
		FIELD(record, FIELD_TEXT, "project", account.project),     \
		FIELD(record, FIELD_TEXT, "policy", account.policy),       \
		FIELD(record, FIELD_TEXT, "key_label", account.key_label), \
		FIELD(record, FIELD_TEXT, "tier", account.tier)

/* In the order in which they came to be: new ones at the end, and a count below. */

static const struct field open_fields[] = {
	FIELD(open_record, FIELD_TEXT, "id", reserve.id),
	FIELD(open_record, FIELD_NUMBER, "at_us", reserve.at_us),
	FIELD(open_record, FIELD_COUNT, "uid", reserve.uid),
	FIELD(open_record, FIELD_COUNT, "pid", reserve.pid),
	FIELD(open_record, FIELD_TEXT, "app", reserve.app),
	FIELD(open_record, FIELD_TEXT, "program", reserve.program),
	FIELD(open_record, FIELD_TEXT, "op", reserve.op),
	FIELD(open_record, FIELD_TEXT, "surface", reserve.surface),
	FIELD(open_record, FIELD_TEXT, "model", reserve.model),
	FIELD(open_record, FIELD_TEXT, "provider", reserve.provider),
	FIELD(open_record, FIELD_TEXT, "target_model", reserve.target_model),
	FIELD(open_record, FIELD_NUMBER, "estimate_input", reserve.estimate_input),
	FIELD(open_record, FIELD_NUMBER, "estimate_output", reserve.estimate_output),
	FIELD(open_record, FIELD_NUMBER, "estimate_nusd", reserve.estimate_nusd),
	COUNT(open_record, attempts),
	COUNT(open_record, announced),
	USAGE(open_record),                    /* version 1 ends here */
	ACCOUNT(open_record, reserve.account), /* version 2 ends here */
	FIELD(open_record, FIELD_COUNT, "beside", beside.number),
	FIELD(open_record, FIELD_TEXT, "beside_provider", beside.provider),
	FIELD(open_record, FIELD_TEXT, "beside_model", beside.target_model),
	FIELD(open_record, FIELD_TEXT, "beside_key", beside.key_label),
	FIELD(open_record, FIELD_NUMBER, "beside_input", beside.estimate_input),
	FIELD(open_record, FIELD_NUMBER, "beside_output", beside.estimate_output),
	FIELD(open_record, FIELD_NUMBER, "beside_nusd",
		beside.estimate_nusd), /* version 3 ends here */
	FIELD(open_record, FIELD_TEXT, "via", reserve.account.via),
};

static const struct field attempt_fields[] = {
	FIELD(attempt_record, FIELD_TEXT, "exchange_id", id),
	COUNT(attempt_record, number),
	NUMBER(attempt_record, at_us),
	TEXT(attempt_record, provider),
	TEXT(attempt_record, model),
	TEXT(attempt_record, key_label),
	FIELD(attempt_record, FIELD_OUTCOME, "outcome", outcome),
	FIELD(attempt_record, FIELD_ERR, "error", err),
	FIELD(attempt_record, FIELD_STATUS, "http_status", http_status),
	TEXT(attempt_record, provider_request_id),
	FIELD(attempt_record, FIELD_FLAG, "sent_body", has_sent_body),
	NUMBER(attempt_record, sent_bytes),
	NUMBER(attempt_record, received_bytes),
	NUMBER(attempt_record, connect_us),
	NUMBER(attempt_record, first_byte_us),
	NUMBER(attempt_record, total_us),
	USAGE(attempt_record),
	PRICES(attempt_record), /* version 1 ends here */
	NUMBER(attempt_record, charged_nusd),
	NUMBER(attempt_record, estimate_input),
	NUMBER(attempt_record, estimate_output),
	NUMBER(attempt_record, estimate_raw),
};

static const struct field exchange_fields[] = {
	TEXT(exchange_record, id),
	NUMBER(exchange_record, at_us),
	NUMBER(exchange_record, total_us),
	NUMBER(exchange_record, ttft_us),
	COUNT(exchange_record, uid),
	COUNT(exchange_record, pid),
	TEXT(exchange_record, app),
	TEXT(exchange_record, program),
	TEXT(exchange_record, op),
	TEXT(exchange_record, surface),
	TEXT(exchange_record, model),
	TEXT(exchange_record, provider),
	TEXT(exchange_record, target_model),
	FIELD(exchange_record, FIELD_OUTCOME, "outcome", outcome),
	FIELD(exchange_record, FIELD_ERR, "error", err),
	TEXT(exchange_record, finish),
	FIELD(exchange_record, FIELD_FLAG, "stream", is_stream),
	COUNT(exchange_record, attempts),
	COUNT(exchange_record, warnings),
	USAGE(exchange_record),
	PRICES(exchange_record), /* version 1 ends here */
	ACCOUNT(exchange_record, account),
	NUMBER(exchange_record, queued_us),
	NUMBER(exchange_record, estimate_input),
	NUMBER(exchange_record, estimate_output),               /* version 2 ends here */
	FIELD(exchange_record, FIELD_TEXT, "via", account.via), /* version 3 ends here */
	TEXT(exchange_record, cache),
	NUMBER(exchange_record, saved_nusd),
};

#define SHAPE(name)                         \
	const struct shape name##_shape = { \
		name##_fields, COUNT_OF(name##_fields), name##_counts, COUNT_OF(name##_counts)}

static const size_t open_counts[] = {29, 36, 43, COUNT_OF(open_fields)};
static const size_t attempt_counts[] = {39, COUNT_OF(attempt_fields)};
static const size_t exchange_counts[] = {42, 52, 53, COUNT_OF(exchange_fields)};
SHAPE(open);
SHAPE(attempt);
SHAPE(exchange);

static inline int64_t number_of(const struct field *f, const void *record)
{
	const void *at = (const char *)record + f->offset;
	switch (f->kind) {
	case FIELD_NUMBER:
		return *(const int64_t *)at;
	case FIELD_COUNT:
		return *(const uint32_t *)at;
	case FIELD_STATUS:
		return *(const int *)at;
	case FIELD_OUTCOME:
		return (int64_t) * (const enum outcome *)at;
	case FIELD_ERR:
		return (int64_t) * (const enum err *)at;
	case FIELD_FLAG:
		return *(const bool *)at;
	case FIELD_TEXT:
		break;
	}
	assert(f->kind != FIELD_TEXT);
	return -1;
}

int64_t field_number(const struct field *f, const void *record)
{
	return number_of(f, record);
}

/* False where the number is none that such a field can have; -1 is "not known". */
static bool field_set(const struct field *f, void *record, int64_t number)
{
	void *at = (char *)record + f->offset;
	switch (f->kind) {
	case FIELD_NUMBER:
		*(int64_t *)at = number;
		return true;
	case FIELD_COUNT:
		*(uint32_t *)at = (uint32_t)number;
		return number >= 0 && number <= UINT32_MAX;
	case FIELD_STATUS:
		*(int *)at = (int)number;
		return number >= 0 && number <= INT_MAX;
	case FIELD_OUTCOME:
		*(enum outcome *)at = (enum outcome)number;
		return number >= OUTCOME_OK && number <= OUTCOME_UNKNOWN;
	case FIELD_ERR: /* a class that a newer version added is kept as its number */
		*(enum err *)at = (enum err)number;
		return number >= 0 && number <= INT_MAX;
	case FIELD_FLAG:
		*(bool *)at = number != 0;
		return number == 0 || number == 1;
	case FIELD_TEXT:
		break;
	}
	return false;
}

/* ---- bytes ---- */

#define FRAME_WORD  8  /* length and sum */
#define FRAME_FIXED 18 /* and sequence, type, version */

static uint32_t get_u32(const char *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return le32toh(v);
}

static uint64_t get_u64(const char *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return le64toh(v);
}

static const struct shape *shape_of(enum record_type type)
{
	switch (type) {
	case RECORD_OPEN:
		return &open_shape;
	case RECORD_ATTEMPT:
		return &attempt_shape;
	case RECORD_EXCHANGE:
		return &exchange_shape;
	}
	return NULL;
}

static size_t padded(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* Eight bytes are written, of which only the first few count: there is always room for them. */
static unsigned char *put_number(unsigned char *to, int64_t number)
{
	if (number < 0) {
		*to = 0;
		return to + 1;
	}
	const uint64_t bytes = htole64((uint64_t)number);
	const int bits = 64 - __builtin_clzll((unsigned long long)number | 1);
	const int n = (bits + 7) / 8;
	*to = (unsigned char)n;
	memcpy(to + 1, &bytes, sizeof bytes);
	return to + 1 + n;
}

static unsigned char *put_text(unsigned char *to, const struct field *f, const void *record)
{
	const char *text = (const char *)record + f->offset;
	if (text[0] == '\0') { /* as most */
		*to = 0;
		return to + 1;
	}
	const size_t n = strnlen(text, f->size - 1);
	*to = (unsigned char)n;
	memcpy(to + 1, text, n);
	return to + 1 + n;
}

static void put_sequence(unsigned char *frame, uint64_t sequence)
{
	memcpy(frame + FRAME_WORD, &(uint64_t){htole64(sequence)}, 8);
}

/* The sum over a frame of `n` bytes without the padding, whose length is there. */
static void seal(unsigned char *frame, size_t n)
{
	const uint32_t sum = crc32c(crc32c(0, frame, 4), frame + FRAME_WORD, n - FRAME_WORD);
	memcpy(frame + 4, &(uint32_t){htole32(sum)}, 4);
}

size_t record_pack(enum record_type type, const void *record, uint64_t sequence, unsigned char *to)
{
	const struct shape *shape = shape_of(type);
	unsigned char frame[RECORD_BYTES + 16]; /* and what put_number writes too much */
	unsigned char *at = frame + FRAME_FIXED;

	assert(shape);
	put_sequence(frame, sequence);
	frame[16] = (unsigned char)type;
	frame[17] = (unsigned char)shape->version;
	for (size_t i = 0; i < shape->n_fields; i++) {
		const struct field *f = &shape->fields[i];
		at = f->kind == FIELD_TEXT ? put_text(at, f, record)
					   : put_number(at, number_of(f, record));
	}

	const size_t n = (size_t)(at - frame);
	const uint32_t length = htole32((uint32_t)(n - FRAME_WORD));
	memcpy(frame, &length, sizeof length);
	seal(frame, n);
	memset(at, 0, padded(n) - n);
	assert(padded(n) <= RECORD_BYTES);
	memcpy(to, frame, padded(n));
	return padded(n);
}

/* The first two fields of an exchange's. */
static size_t put_head(unsigned char *to, const struct exchange_record *r)
{
	assert(exchange_fields[0].offset == offsetof(struct exchange_record, id) &&
		exchange_fields[1].offset == offsetof(struct exchange_record, at_us));
	return (size_t)(put_number(put_text(to, &exchange_fields[0], r), r->at_us) - to);
}

size_t record_pack_like(struct record_form *form, const struct exchange_record *r,
	uint64_t sequence, unsigned char *to)
{
	unsigned char head[REQUEST_ID_BYTES + 24];
	const size_t n = put_head(head, r);
	if (n != form->head_bytes) {
		form->head_bytes = n;
		form->n = record_pack(RECORD_EXCHANGE, r, sequence, to);
		memcpy(form->frame, to, form->n);
		return form->n;
	}
	memcpy(form->frame + FRAME_FIXED, head, n);
	put_sequence(form->frame, sequence);
	seal(form->frame, FRAME_WORD + get_u32((const char *)form->frame));
	memcpy(to, form->frame, form->n);
	return form->n;
}

/* The length of the whole frame at the start of `s`, with padding, or 0. */
static size_t frame_bytes(struct span s)
{
	if (s.n < FRAME_FIXED)
		return 0;
	const size_t length = get_u32(s.p);
	if (length < FRAME_FIXED - FRAME_WORD || length > RECORD_BYTES - FRAME_WORD ||
		padded(FRAME_WORD + length) > s.n)
		return 0;
	const uint32_t sum = crc32c(crc32c(0, s.p, 4), s.p + FRAME_WORD, length);
	return sum == get_u32(s.p + 4) ? padded(FRAME_WORD + length) : 0;
}

enum record_next record_next(struct record_reader *r, struct record *out)
{
	if (r->left.n < FRAME_WORD || get_u64(r->left.p) == 0)
		return RECORD_END;
	const size_t n = frame_bytes(r->left);
	if (n == 0)
		return RECORD_TORN;
	const uint64_t sequence = get_u64(r->left.p + FRAME_WORD);
	if (sequence == 0 || (r->sequence != 0 && sequence != r->sequence + 1))
		return RECORD_END;

	const size_t length = get_u32(r->left.p);
	out->sequence = sequence;
	out->type = (enum record_type)(unsigned char)r->left.p[16];
	out->version = (unsigned char)r->left.p[17];
	out->fields = span_of(r->left.p + FRAME_FIXED, FRAME_WORD + length - FRAME_FIXED);
	r->sequence = sequence;
	r->left = span_skip(r->left, n);
	return RECORD_FOUND;
}

bool record_is_damaged(const struct record_reader *r)
{
	for (struct span s = r->left; s.n >= FRAME_FIXED; s = span_skip(s, 8)) {
		/* the sequence first: it is cheap, and tells the rounds apart */
		if (get_u64(s.p + FRAME_WORD) > r->sequence && frame_bytes(s) > 0)
			return true;
	}
	return false;
}

static bool take_text(struct span *in, const struct field *f, void *record)
{
	char *to = (char *)record + f->offset;
	const size_t n = in->n > 0 ? (unsigned char)in->p[0] : 0;
	if (in->n < 1 + n || n >= f->size || memchr(in->p + 1, '\0', n))
		return false;
	memcpy(to, in->p + 1, n);
	memset(to + n, 0, f->size - n);
	*in = span_skip(*in, 1 + n);
	return true;
}

static bool take_number(struct span *in, const struct field *f, void *record)
{
	const size_t n = in->n > 0 ? (unsigned char)in->p[0] : 9;
	uint64_t v = 0;
	if (n > 8 || in->n < 1 + n)
		return false;
	memcpy(&v, in->p + 1, n);
	v = le64toh(v);
	if (v > INT64_MAX || (n > 1 && v >> (8 * (n - 1)) == 0))
		return false;
	*in = span_skip(*in, 1 + n);
	return field_set(f, record, n == 0 ? -1 : (int64_t)v);
}

/* Its value where a former version did not write it. */
static void field_unknown(const struct field *f, void *record)
{
	if (f->kind == FIELD_NUMBER)
		*(int64_t *)(void *)((char *)record + f->offset) = -1;
}

enum err record_unpack(const struct record *r, union record_value *out, struct fault *why)
{
	const struct shape *shape = shape_of(r->type);
	if (!shape || r->version < 1 || r->version > shape->version)
		return fault_set(why, ERR_VERSION,
			"a record of type %u, version %u, which this llm-brokerd does not know",
			(unsigned)r->type, r->version);

	struct span in = r->fields;
	size_t i = 0;
	memset(out, 0, sizeof *out);
	for (; i < shape->n_fields_of[r->version - 1]; i++) {
		const struct field *f = &shape->fields[i];
		const bool is_sound =
			f->kind == FIELD_TEXT ? take_text(&in, f, out) : take_number(&in, f, out);
		if (!is_sound)
			return fault_set(why, ERR_MALFORMED,
				"the field %s of a record of type %u is not sound", f->name,
				(unsigned)r->type);
	}
	for (; i < shape->n_fields; i++)
		field_unknown(&shape->fields[i], out);
	if (in.n > 0)
		return fault_set(why, ERR_MALFORMED, "a record of type %u has %zu bytes too many",
			(unsigned)r->type, in.n);
	return OK;
}

bool record_unpack_like(
	const struct record *r, const struct record *before, union record_value *out)
{
	struct span in = r->fields, was = before->fields;
	struct exchange_record head;
	if (r->type != RECORD_EXCHANGE || before->type != r->type ||
		before->version != r->version || in.n != was.n ||
		!take_text(&in, &exchange_fields[0], &head) ||
		!take_number(&in, &exchange_fields[1], &head))
		return false;
	was = span_skip(was, was.n - in.n);
	if (!span_eq(in, was))
		return false;
	memcpy(out->exchange.id, head.id, sizeof head.id);
	out->exchange.at_us = head.at_us;
	return true;
}
