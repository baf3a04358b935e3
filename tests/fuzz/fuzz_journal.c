/* fuzz_journal.c - a half of a journal, any bytes: as they are, and as the fields of a sound frame. */
#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#include "brokerd/ledger/record.h"
#include "brokerd/value/crc32c.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n);

/* What can be read is written as it was, and says what it said. */
static void check(const struct record *r)
{
	union record_value v, again;
	unsigned char frame[RECORD_BYTES];
	struct record copy;
	struct fault why = FAULT_NONE;
	if (record_unpack(r, &v, &why) != OK) {
		assert(why.message[0] != '\0');
		return;
	}
	const size_t n = record_pack(r->type, &v, r->sequence, frame);
	struct record_reader reader = {.left = span_of((const char *)frame, n)};
	assert(record_next(&reader, &copy) == RECORD_FOUND);
	assert(copy.sequence == r->sequence && copy.version >= r->version);
	/* of a former version it is the beginning */
	assert(span_starts(copy.fields, r->fields));
	assert(copy.version > r->version || copy.fields.n == r->fields.n);
	assert(record_unpack(&copy, &again, NULL) == OK && memcmp(&v, &again, sizeof v) == 0);
	if (r->type == RECORD_ATTEMPT) {
		struct open_record o = {.announced = 1, .usage = USAGE_UNKNOWN};
		open_record_count(&o, &v.attempt);
	}
}

/* The bytes behind a length and a sum that fit them: else no fuzzer gets past the sum. */
static void check_summed(const unsigned char *bytes, size_t n)
{
	unsigned char *frame = calloc(1, 8 + (n + 7) / 8 * 8);
	if (!frame || n > UINT32_MAX)
		abort();
	memcpy(frame, &(uint32_t){htole32((uint32_t)n)}, 4);
	if (n > 0)
		memcpy(frame + 8, bytes, n);
	const uint32_t sum = crc32c(crc32c(0, frame, 4), frame + 8, n);
	memcpy(frame + 4, &(uint32_t){htole32(sum)}, 4);
	struct record_reader reader = {.left = span_of((const char *)frame, 8 + (n + 7) / 8 * 8)};
	struct record r;
	if (record_next(&reader, &r) == RECORD_FOUND)
		check(&r);
	free(frame);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n)
{
	struct record_reader reader = {.left = span_of((const char *)bytes, n)};
	struct record r;
	while (record_next(&reader, &r) == RECORD_FOUND)
		check(&r);
	(void)record_is_damaged(&reader);
	check_summed(bytes, n);
	return 0;
}
