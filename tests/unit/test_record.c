/* test_record.c - records as bytes and back; what a reader makes of bytes that are none. */
#include "brokerd/ledger/record.h"

#include <stdio.h>
#include <stdlib.h>

#include "brokerd/value/crc32c.h"
#include "tests/lib/former_journal.h"
#include "tests/lib/tap.h"

static void fill_text(char *to, size_t size, int c)
{
	memset(to, c, size - 1);
	to[size - 1] = '\0';
}

/* Every field of a record at its longest, or its shortest. */
static void fill(const struct shape *shape, void *record, bool is_longest)
{
	for (size_t i = 0; i < shape->n_fields; i++) {
		const struct field *f = &shape->fields[i];
		char *at = (char *)record + f->offset;
		switch (f->kind) {
		case FIELD_TEXT:
			fill_text(at, is_longest ? f->size : 1, 'x');
			break;
		case FIELD_NUMBER:
			memcpy(at, &(int64_t){is_longest ? INT64_MAX : -1}, 8);
			break;
		case FIELD_OUTCOME:
			memcpy(at, &(uint32_t){is_longest ? OUTCOME_UNKNOWN : OUTCOME_OK}, 4);
			break;
		case FIELD_FLAG:
			memcpy(at, &(bool){is_longest}, sizeof(bool));
			break;
		case FIELD_COUNT:
			memcpy(at, &(uint32_t){is_longest ? UINT32_MAX : 0}, 4);
			break;
		case FIELD_STATUS:
		case FIELD_ERR:
			memcpy(at, &(uint32_t){is_longest ? INT32_MAX : 0}, 4);
			break;
		}
	}
}

static const struct {
	const char *name;
	enum record_type type;
	const struct shape *shape;
	size_t struct_bytes, most;
} kinds[] = {
	{"open",     RECORD_OPEN,     &open_shape,     sizeof(struct open_record),     RECORD_OPEN_BYTES},
	{"attempt",  RECORD_ATTEMPT,  &attempt_shape,  sizeof(struct attempt_record),
         RECORD_ATTEMPT_BYTES									   },
	{"exchange", RECORD_EXCHANGE, &exchange_shape, sizeof(struct exchange_record),
         RECORD_EXCHANGE_BYTES									  },
};

static void check_round_trips(void)
{
	for (size_t i = 0; i < 2 * COUNT_OF(kinds); i++) {
		const bool is_longest = i % 2;
		union record_value in, out;
		unsigned char bytes[RECORD_BYTES];
		struct record r;
		const char *name = kinds[i / 2].name, *how = is_longest ? "longest" : "shortest";
		memset(&in, 0, sizeof in);
		fill(kinds[i / 2].shape, &in, is_longest);
		const size_t n = record_pack(kinds[i / 2].type, &in, 7, bytes);
		if (is_longest)
			is_uint(n, kinds[i / 2].most, "the longest %s is as long as is set aside",
				name);
		ok(n % 8 == 0, "the %s %s ends where a frame can begin", how, name);

		struct record_reader reader = {.left = span_of((const char *)bytes, n)};
		is_err(record_next(&reader, &r), RECORD_FOUND, "the %s %s is found", how, name);
		is_uint(r.sequence, 7, "its sequence");
		is_err(r.type, kinds[i / 2].type, "its type");
		is_uint(reader.left.n, 0, "and nothing is left of it");
		is_err(record_unpack(&r, &out, NULL), OK, "its fields are read");
		is_mem(&out, kinds[i / 2].struct_bytes, &in, kinds[i / 2].struct_bytes,
			"and are the same");
	}
}

/* The bytes of a frame are a promise to files that exist. */
static void check_bytes(void)
{
	static const unsigned char want[] = {
		0x08, 0x07, 0x06, 0x05, 4, 3, 2, 1, /* sequence */
		2, 2,                               /* attempt, version */
		5, 'r', 'e', 'q', '_', '1',         /* id */
		1, 2,                               /* number */
		2, 0x34, 0x12,                      /* at_us */
		6, 'o', 'p', 'e', 'n', 'a', 'i',    /* provider */
		1, 'm',                             /* model */
		0,                                  /* key_label */
		1, 1,                               /* outcome */
		1, 0,                               /* err */
		2, 0xf7, 0x01,                      /* http_status */
		0,                                  /* provider_request_id */
		1, 1,                               /* sent_body */
		0,                                  /* sent_bytes: not known */
	};
	struct attempt_record a = {.id = "req_1",
		.number = 2,
		.at_us = 0x1234,
		.provider = "openai",
		.model = "m",
		.outcome = OUTCOME_OK,
		.http_status = 503,
		.has_sent_body = true,
		.sent_bytes = -1,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	unsigned char bytes[RECORD_BYTES];
	const size_t n = record_pack(RECORD_ATTEMPT, &a, 0x0102030405060708, bytes);
	is_mem(bytes + 8, sizeof want, want, sizeof want, "an attempt begins like this");
	is_uint(n, (8u + bytes[0] + 7) / 8 * 8, "the length does not count the padding");
	const uint32_t sum = crc32c(crc32c(0, bytes, 4), bytes + 8, bytes[0]);
	is_uint((uint32_t)bytes[4] | (uint32_t)bytes[5] << 8 | (uint32_t)bytes[6] << 16 |
			(uint32_t)bytes[7] << 24,
		sum, "the sum is over the length and what follows");
}

/* Three frames in a row, then zeroes. */
static size_t three(unsigned char *to, size_t *second, size_t *third)
{
	struct exchange_record x = {.id = "req_three",
		.at_us = 5,
		.outcome = OUTCOME_FAILED,
		.err = ERR_TIMEOUT,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	size_t n = record_pack(RECORD_EXCHANGE, &x, 41, to);
	*second = n;
	n += record_pack(RECORD_EXCHANGE, &x, 42, to + n);
	*third = n;
	n += record_pack(RECORD_EXCHANGE, &x, 43, to + n);
	return n;
}

static size_t count(
	const unsigned char *p, size_t n, struct record_reader *reader, enum record_next *end)
{
	struct record r;
	size_t found = 0;
	*reader = (struct record_reader){.left = span_of((const char *)p, n)};
	while ((*end = record_next(reader, &r)) == RECORD_FOUND)
		found++;
	return found;
}

/* No change of one byte, and no cut, gives anything but the frames before it. */
static void check_damage(void)
{
	unsigned char bytes[4 * RECORD_BYTES] = {0}, was;
	size_t second, third;
	const size_t n = three(bytes, &second, &third);
	struct record_reader reader;
	enum record_next end;
	size_t wrong = 0, unnoticed = 0;

	is_uint(count(bytes, sizeof bytes, &reader, &end), 3, "three frames");
	is_err(end, RECORD_END, "and a clean end");
	is_uint(count(bytes, n, &reader, &end), 3, "also where the bytes end with them");

	for (size_t i = 0; i < n; i++) {
		const size_t before = i < second ? 0 : i < third ? 1 : 2;
		for (int flip = 1; flip < 256; flip = flip * 2 + 1) {
			was = bytes[i];
			bytes[i] ^= (unsigned char)flip;
			const size_t found = count(bytes, sizeof bytes, &reader, &end);
			/* padding is in no sum */
			const bool is_padding = found == 3;
			wrong += !is_padding && (found != before || end != RECORD_TORN);
			unnoticed += !is_padding && before < 2 && !record_is_damaged(&reader);
			bytes[i] = was;
		}
	}
	is_uint(wrong, 0, "a changed byte costs its frame and those after it, no more");
	is_uint(unnoticed, 0, "whole frames after a damaged one are noticed");

	wrong = 0;
	for (size_t i = 0; i < n; i++) {
		const size_t whole = i < second ? 0 : i < third ? 1 : 2;
		unsigned char cut[4 * RECORD_BYTES] = {0};
		memcpy(cut, bytes, i);
		const size_t found = count(cut, sizeof cut, &reader, &end);
		/* a cut inside the padding takes nothing */
		wrong += found != whole && !(found == whole + 1 && bytes[i] == 0);
		wrong += found == whole && end == RECORD_TORN && record_is_damaged(&reader);
		wrong += count(bytes, i, &reader, &end) != whole;
	}
	is_uint(wrong, 0, "a cut costs the last frame, and is no damage");
}

static void check_rounds(void)
{
	unsigned char bytes[4 * RECORD_BYTES] = {0}, older[RECORD_BYTES];
	size_t second, third;
	struct record_reader reader;
	enum record_next end;
	struct exchange_record x = {.id = "req_three",
		.at_us = 5,
		.outcome = OUTCOME_FAILED,
		.err = ERR_TIMEOUT,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	three(bytes, &second, &third);
	record_pack(RECORD_EXCHANGE, &x, 13, older);
	memcpy(bytes + third, older, third - second);
	is_uint(count(bytes, sizeof bytes, &reader, &end), 2,
		"a frame of a former round is not read");
	is_err(end, RECORD_END, "and is an end like any other");
	ok(!record_is_damaged(&reader), "and no damage");
}

static const struct {
	const char *name;
	size_t at; /* where in a short frame's fields a byte is changed */
	unsigned char to;
	enum err want;
} unsound[] = {
	{"as it was",                    18, 5,   OK           },
	{"a text longer than its field", 18, 32,  ERR_MALFORMED},
	{"a text longer than all",       18, 255, ERR_MALFORMED},
	{"a NUL in a text",              19, 0,   ERR_MALFORMED},
	{"a number of nine bytes",       24, 9,   ERR_MALFORMED},
	{"a count that is not known",    24, 0,   ERR_MALFORMED},
	{"a newer version",              17, 3,   ERR_VERSION  },
	{"more than a former one wrote", 17, 1,   ERR_MALFORMED},
	{"version 0",                    17, 0,   ERR_VERSION  },
	{"a type of a newer version",    16, 9,   ERR_VERSION  },
	{"another type's fields",        16, 3,   ERR_MALFORMED},
};

static void check_unsound(void)
{
	struct attempt_record a = {.id = "req_1",
		.number = 2,
		.outcome = OUTCOME_OK,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	for (size_t i = 0; i < COUNT_OF(unsound); i++) {
		unsigned char bytes[RECORD_BYTES];
		union record_value v;
		struct fault why = FAULT_NONE;
		record_pack(RECORD_ATTEMPT, &a, 1, bytes);
		bytes[unsound[i].at] = unsound[i].to;
		const struct record r = {.type = (enum record_type)bytes[16],
			.version = bytes[17],
			.sequence = 1,
			.fields = span_of((const char *)bytes + 18, bytes[0] - 10u)};
		is_err(record_unpack(&r, &v, &why), unsound[i].want, "%s", unsound[i].name);
		ok((why.message[0] != '\0') == (unsound[i].want != OK), "and a sentence: %s",
			why.message);
	}
	/* the fields of a frame, with one byte less or more */
	unsigned char bytes[RECORD_BYTES + 1] = {0};
	union record_value v;
	record_pack(RECORD_ATTEMPT, &a, 1, bytes);
	struct record r = {.type = RECORD_ATTEMPT, .version = 2, .sequence = 1};
	for (size_t n = 0; n < bytes[0] - 10u; n++) {
		r.fields = span_of((const char *)bytes + 18, n);
		if (record_unpack(&r, &v, NULL) != ERR_MALFORMED)
			break;
		r.fields.n = n + 1;
	}
	is_uint(r.fields.n, bytes[0] - 10u, "fields cut anywhere are refused");
	r.fields.n++;
	is_err(record_unpack(&r, &v, NULL), ERR_MALFORMED, "a byte too many is refused");
}

/* Records of version 1 that are out there. */
static void check_former(void)
{
	struct record_reader reader = {
		.left = span_of((const char *)former_frames, FORMER_FRAMES_BYTES)};
	struct record r;
	union record_value v;
	unsigned char again[RECORD_BYTES];

	is_err(record_next(&reader, &r), RECORD_FOUND, "a former version's reservation");
	is_uint(r.version, 1, "its version");
	is_err(record_unpack(&r, &v, NULL), OK, "is read");
	is_str(v.open.reserve.id, "req_open", "its id");
	is_int(v.open.reserve.estimate_nusd, 45000, "what was reserved");
	is_uint(v.open.announced, 1, "its attempt under way");
	is_int(v.open.usage.provider_cost_nusd, -1, "the last that it wrote");
	is_str(v.open.reserve.account.kind, "", "what it did not write is not known");

	is_err(record_next(&reader, &r), RECORD_FOUND, "an attempt");
	is_err(record_unpack(&r, &v, NULL), OK, "is read");
	is_int(v.attempt.usage.cost_nusd, 19500, "what it cost");
	is_int(v.attempt.price.output, 600000000, "at which price");
	is_int(v.attempt.charged_nusd, -1, "what budgets counted is not known");
	is_int(v.attempt.estimate_input, -1, "nor what was expected");

	is_err(record_next(&reader, &r), RECORD_FOUND, "an exchange");
	is_err(record_unpack(&r, &v, NULL), OK, "is read");
	is_str(v.exchange.finish, "stop", "how it ended");
	is_str(v.exchange.account.project, "", "no project is known");
	is_int(v.exchange.queued_us, -1, "nor how long it waited");
	is_int(v.exchange.estimate_output, -1, "nor what was expected");

	const size_t n = record_pack(RECORD_EXCHANGE, &v, 3, again);
	is_uint(again[17], 4, "written again it is of our version");
	is_mem(again + 18, r.fields.n, r.fields.p, r.fields.n, "and begins with what it was");
	reader.left = span_of((const char *)again, n);
	reader.sequence = 0;
	is_err(record_next(&reader, &r), RECORD_FOUND, "ours");
	r.version = 0;
	is_err(record_unpack(&r, &v, NULL), ERR_VERSION, "there was no version 0");

	/* of version 3, what version 4 adds is missing: a text; of version 2 besides a count and three numbers, of two bytes
	 * each, and three texts */
	const struct open_record o = {
		.reserve = {.id = "req_open", .number = 1, .provider = "a"},
		.announced = 1,
		.usage = USAGE_UNKNOWN
        };
	reader.left = span_of((const char *)again, record_pack(RECORD_OPEN, &o, 4, again));
	reader.sequence = 0;
	is_err(record_next(&reader, &r), RECORD_FOUND, "a reservation of ours");
	is_uint(r.version, 4, "its version");
	r.version = 3;
	is_err(record_unpack(&r, &v, NULL), ERR_MALFORMED, "is none of version 3");
	r.fields.n--;
	is_err(record_unpack(&r, &v, NULL), OK, "which had a text less");
	is_str(v.open.reserve.account.via, "", "and nobody between");
	r.version = 2;
	is_err(record_unpack(&r, &v, NULL), ERR_MALFORMED, "is none of version 2");
	r.fields.n -= 4 * 2 + 3;
	is_err(record_unpack(&r, &v, NULL), OK, "which had that much less");
	is_uint(v.open.beside.number, 0, "and nothing beside it");
	is_str(v.open.beside.provider, "", "anywhere");
}

static void check_counting(void)
{
	struct open_record o = {.announced = 1, .usage = USAGE_UNKNOWN};
	struct attempt_record a = {.number = 1, .usage = USAGE_UNKNOWN};
	open_record_count(&o, &a);
	is_int(o.usage.input, -1, "what is not known stays so");
	is_uint(o.announced, 0, "the announced attempt has ended");
	o.announced = 2;
	a.number = 2;
	a.usage.input = 10;
	a.usage.cost_nusd = INT64_MAX;
	open_record_count(&o, &a);
	open_record_count(&o, &a);
	is_int(o.usage.input, 20, "what is known adds up");
	is_int(o.usage.cost_nusd, INT64_MAX, "and does not wrap");
	is_uint(o.attempts, 2, "attempts are counted by their numbers");
	o.announced = 4;
	open_record_count(&o, &a);
	is_uint(o.announced, 4, "a former attempt's end is not the announced one's");

	o = (struct open_record){
		.reserve = {.number = 1, .provider = "a"},
                  .usage = USAGE_UNKNOWN
        };
	open_record_announce(&o, &(struct reserve_record){.number = 1, .provider = "b"});
	is_uint(o.announced, 1, "an attempt is announced");
	is_uint(o.beside.number, 0, "beside none");
	open_record_announce(
		&o, &(struct reserve_record){.number = 2, .beside = 1, .provider = "c"});
	is_uint(o.announced, 2, "and another one");
	is_uint(o.beside.number, 1, "beside the first");
	is_str(o.beside.provider, "b", "with where that goes");
	a.number = 1;
	open_record_count(&o, &a);
	ok(o.beside.number == 0 && o.announced == 2, "the end of one is not the other's");
	open_record_announce(
		&o, &(struct reserve_record){.number = 3, .beside = 2, .provider = "d"});
	a.number = 3;
	open_record_count(&o, &a);
	ok(o.beside.number == 2 && o.announced == 0, "and the other way round");
	is_uint(open_record_last(&o).number, 0, "nothing is known of what has ended");
	a.number = 2;
	open_record_count(&o, &a);
	open_record_announce(&o, &(struct reserve_record){.number = 4, .provider = "e"});
	open_record_announce(&o, &(struct reserve_record){.number = 5, .provider = "f"});
	ok(o.beside.number == 0 && o.announced == 5, "one that never began is forgotten");
	o.attempts = 0;

	o.usage = a.usage = USAGE_UNKNOWN;
	a.usage.cost_nusd = 100;
	open_record_count(&o, &a);
	is_int(o.usage.provider_cost_nusd, -1, "no provider says what it cost");
	a.usage.provider_cost_nusd = 70;
	open_record_count(&o, &a);
	is_int(o.usage.cost_nusd, 200, "by our prices");
	is_int(o.usage.provider_cost_nusd, 170, "one provider's own figure, and ours of the other");
	a.usage.provider_cost_nusd = -1;
	open_record_count(&o, &a);
	is_int(o.usage.provider_cost_nusd, 270, "also where it came first");
}

/* What differs in its id and its time alone is packed from the one before as it would be by itself. */
static void check_alike(void)
{
	static const int64_t times[] = {1764558000000000, 1764558000000001, -1, 0, 255, 256, 65536,
		INT64_MAX, 1764558000000002, 1764558000000003};
	static const char *const ids[] = {
		"req_0123456789abcdefghjkmnpqrs", "req_1", "", "req_zzzzzzzzzzzzzzzzzzzzzzzzzz"};
	for (int is_longest = 0; is_longest < 2; is_longest++) {
		struct exchange_record r = {.id = ""};
		struct record_form form = {.n = 0};
		unsigned char one[RECORD_BYTES], other[RECORD_BYTES];
		size_t same = 0, n = 0;
		fill(&exchange_shape, &r, is_longest);
		for (size_t i = 0; i < COUNT_OF(times); i++) {
			for (size_t k = 0; k < COUNT_OF(ids); k++, n++) {
				r.at_us = times[i];
				fault_text(r.id, sizeof r.id, span_str(ids[k]));
				const size_t bytes = record_pack(RECORD_EXCHANGE, &r, n + 7, one);
				same += record_pack_like(&form, &r, n + 7, other) == bytes &&
					memcmp(one, other, bytes) == 0;
			}
		}
		is_uint(same, n, "%s, packed like the one before",
			is_longest ? "the longest" : "the shortest");
	}
}

/* And is read from the one before as it would be by itself; any other is not. */
static void check_read_alike(void)
{
	struct exchange_record x = {
		.id = "req_1", .at_us = 5, .app = "notes", .outcome = OUTCOME_OK};
	unsigned char bytes[4][RECORD_BYTES];
	struct record records[4];
	union record_value v, like;
	for (size_t i = 0; i < COUNT_OF(records); i++) {
		snprintf(x.id, sizeof x.id, "req_%zu", i);
		x.at_us = (int64_t)(1000 + i);
		if (i == 2)
			x.app[0] = 'v';
		if (i == 3)
			x.uid = 1; /* as long */
		struct record_reader reader = {
			.left = span_of((const char *)bytes[i],
				record_pack(RECORD_EXCHANGE, &x, i + 1, bytes[i]))};
		if (record_next(&reader, &records[i]) != RECORD_FOUND)
			bail("no record");
	}
	memset(&like, 0x55, sizeof like);
	if (record_unpack(&records[0], &like, NULL) || record_unpack(&records[1], &v, NULL))
		bail("no record is read");
	ok(record_unpack_like(&records[1], &records[0], &like) && memcmp(&v, &like, sizeof v) == 0,
		"like the one before, it is read as by itself");
	const union record_value before = like;
	ok(!record_unpack_like(&records[2], &records[1], &like) &&
			memcmp(&before, &like, sizeof like) == 0,
		"one with another text is not");
	ok(!record_unpack_like(&records[3], &records[2], &like) &&
			memcmp(&before, &like, sizeof like) == 0,
		"nor with another number");
	struct record other = records[1];
	other.version--;
	ok(!record_unpack_like(&other, &records[0], &like), "nor of another version");
	other = records[1];
	other.type = RECORD_ATTEMPT;
	ok(!record_unpack_like(&other, &other, &like), "nor an attempt's");
	other = records[1];
	other.fields.n = 3;
	ok(!record_unpack_like(&other, &other, &like), "nor one that is cut");
}

int main(void)
{
	static const unsigned char zeroes[32];
	char many[1000];
	is_uint(crc32c(0, "123456789", 9), 0xe3069283, "the check value of CRC-32C");
	is_uint(crc32c(0, zeroes, 32), 0x8a9136aa, "32 zeroes, as in RFC 3720");
	for (size_t i = 0; i < sizeof many; i++)
		many[i] = (char)(i * 7 + 3);
	size_t same = 0;
	for (size_t i = 0; i < sizeof many; i++)
		same += crc32c(crc32c(0, many, i), many + i, sizeof many - i) ==
			crc32c_plain(0, many, sizeof many);
	is_uint(same, sizeof many, "in two pieces, and by the table: the same");

	is_str(outcome_name(OUTCOME_OK), "ok", "a word for each outcome");
	is_str(outcome_name(OUTCOME_CANCELLED), "cancelled", "cancelled");
	check_round_trips();
	check_alike();
	check_read_alike();
	check_bytes();
	check_damage();
	check_rounds();
	check_unsound();
	check_former();
	check_counting();
	return tap_done();
}
