/* test_silence.c - which silence means something, of whom is known how long he leaves others waiting, and of whom is not? */
#include "brokerd/route/silence.h"

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

#define SECOND_US  INT64_C(1000000)
#define UNKNOWN_US (10 * SECOND_US)

/* So many came, one a second, the last of them now. */
static struct silence came(unsigned n, int64_t took_us, int64_t now_us)
{
	struct silence s = {.n = 0};
	for (unsigned i = 0; i < n; i++)
		silence_add(&s, took_us, now_us - (int64_t)(n - 1 - i) * SECOND_US);
	return s;
}

static const struct {
	const char *name;
	unsigned n;
	int64_t took_us, age_us, want_us;
} rows[] = {
	{"nothing came yet",         0,                 0,                      0,                    UNKNOWN_US             },
	{"one too few, and quick",   SILENCE_KNOWN - 1, SECOND_US,              0,                    UNKNOWN_US             },
	{"one, and slow",            1,                 30 * SECOND_US,         0,                    90 * SECOND_US         },
	{"enough, and quick",        SILENCE_KNOWN,     SECOND_US / 10,         0,                    2 * SECOND_US          },
	{"as quick as can be",       SILENCE_KNOWN,     0,                      0,                    2 * SECOND_US          },
	{"a second",                 SILENCE_KNOWN,     SECOND_US,              0,                    3 * SECOND_US          },
	{"half a minute",            SILENCE_KNOWN,     30 * SECOND_US,         0,                    90 * SECOND_US         },
	{"very many",                1000,              SECOND_US,              0,                    3 * SECOND_US          },
	{"to the last moment",       SILENCE_KNOWN,     SECOND_US,              SILENCE_FRESH_US,     3 * SECOND_US          },
	{"too long ago",             SILENCE_KNOWN,     SECOND_US,              SILENCE_FRESH_US + 1, UNKNOWN_US             },
	{"too long ago, and slow",   SILENCE_KNOWN,     5 * SECOND_US,          2 * SILENCE_FRESH_US,
         15 * SECOND_US												      },
	{"longer than can be noted", 1,                 2 * (INT64_C(1) << 32), 0,                    3 * (int64_t)UINT32_MAX},
	{"a clock that went back",   SILENCE_KNOWN,     -5,                     0,                    2 * SECOND_US          },
};

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const int64_t now_us = 3600 * SECOND_US;
		const struct silence s = came(rows[i].n, rows[i].took_us, now_us);
		is_int(silence_us(&s, UNKNOWN_US, now_us + rows[i].age_us), rows[i].want_us, "%s",
			rows[i].name);
	}

	struct silence s = came(SILENCE_KNOWN, SECOND_US, 0);
	silence_add(&s, 9 * SECOND_US, 0);
	for (unsigned i = 1; i < SILENCE_KNOWN; i++)
		silence_add(&s, SECOND_US, 0);
	is_int(silence_us(&s, UNKNOWN_US, 0), 27 * SECOND_US, "the longest of the last counts");
	silence_add(&s, SECOND_US, 0);
	is_int(silence_us(&s, UNKNOWN_US, 0), 3 * SECOND_US, "as long as it is one of them");
	is_int(silence_us(&s, SECOND_US, 0), 3 * SECOND_US, "whatever is thought of the unknown");

	s = came(SILENCE_KNOWN, SECOND_US, 0);
	s.last_us = INT64_MAX - 5;
	is_int(silence_us(&s, UNKNOWN_US, INT64_MAX), 3 * SECOND_US, "at the end of all time, too");
	return tap_done();
}
