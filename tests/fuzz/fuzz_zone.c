/* fuzz_zone.c - any bytes as a compiled time zone, and the last lines of one. */
#include <assert.h>

#include "brokerd/config/zone.h"

#define MIB ((size_t)1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault why = FAULT_NONE;
	struct arena a;
	arena_init(&a, 16 * MIB);
	const struct zone *z = zone_parse(&a, SPAN("f"), span_of((const char *)data, size), &why);
	assert(z || why.message[0] != '\0');
	for (int64_t year = 1970; z && year < 2110; year += 3) {
		int64_t before_s = zone_moment_s(z, year, 1, 1, 0);
		for (int month = 2; month <= 13; month++) {
			struct zone_time t;
			const int64_t at_s = zone_moment_s(z, year, month, 1, 0);
			assert(at_s >= before_s); /* walls go on */
			before_s = at_s;
			zone_read(z, at_s, &t);
			assert(t.month >= 1 && t.month <= 12 && t.day >= 1 && t.day <= 31);
			assert(t.hour >= 0 && t.hour < 24 && t.weekday >= 0 && t.weekday < 7);
			const int64_t offset_s = zone_offset_s(z, at_s);
			assert(offset_s >= -27 * 3600 && offset_s <= 27 * 3600);
			(void)zone_abbreviation(z, at_s);
		}
	}
	arena_done(&a);
	return 0;
}
