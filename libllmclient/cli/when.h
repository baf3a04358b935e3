/* when.h - which moment is meant? */
#ifndef LIBLLMCLIENT_CLI_WHEN_H
#define LIBLLMCLIENT_CLI_WHEN_H
#include <stdbool.h>
#include <stdint.h>

/* "7d" ago, or the beginning of a day "2026-01-31", in seconds since 1970. */
bool read_time(const char *text, int64_t *to);

#endif
