/* log.h - what does the broker say of itself, one event a line?
 * To stderr: journald's priority prefix where stderr is the journal, a dotted event, then logfmt.
 * Never bodies, never keys. Never blocks: what stderr does not take at once is dropped and counted. */
#ifndef BROKERD_LOG_LOG_H
#define BROKERD_LOG_LOG_H
#include "protocol/base/err.h"

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Lines above `level` are not written. `fd` -1: stderr. Call once, at start. */
void log_init(enum log_level level, int fd);
void log_set_level(enum log_level level);
bool log_is_on(enum log_level
		level); /* are its lines written? For those that cost something to put together */
bool log_level_from(struct span word, enum log_level *out); /* "error" "warn" "info" "debug" */

/* log_info("exchange.end", "id=%s took_us=%" PRId64, id, took_us); values with spaces are the
 * caller's to quote by log_quote. */
void log_error(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
void log_warn(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
void log_info(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
void log_debug(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);

/* A foreign or long text as a quoted logfmt value in `to`: control bytes escaped, cut to fit.
 * Returns `to`. */
const char *log_quote(char *to, size_t size, struct span text);

#endif
