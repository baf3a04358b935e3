/* tap.h - did a check hold, and if not, what was there instead?
 * Writes TAP to stdout for `prove` and the reasons of a failure to stderr. A failed check prints
 * both values with its file and line and goes on. One process, one thread: a forked child leaves by
 * _exit() and checks nothing. Each check takes its name, a printf format, last, evaluates its
 * arguments once, and returns whether it held. */
#ifndef TESTS_LIB_TAP_H
#define TESTS_LIB_TAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ok(cond, ...) tap_ok((struct tap_at){__FILE__, __LINE__}, (cond), #cond, __VA_ARGS__)

/* Integers. A signed value in is_uint, or the reverse, is the compiler's to refuse. */
#define is_int(got, want, ...) \
	tap_int((struct tap_at){__FILE__, __LINE__}, (got), (want), __VA_ARGS__)
#define is_uint(got, want, ...) \
	tap_uint((struct tap_at){__FILE__, __LINE__}, (got), (want), __VA_ARGS__)

/* Enumerators, compared and printed by number. */
#define is_err(got, want, ...) \
	tap_int((struct tap_at){__FILE__, __LINE__}, (int)(got), (int)(want), __VA_ARGS__)

/* C strings; NULL equals NULL alone. */
#define is_str(got, want, ...) \
	tap_str((struct tap_at){__FILE__, __LINE__}, (got), (want), __VA_ARGS__)

/* Bytes with their lengths; where the length is 0, the pointer may be NULL. */
#define is_mem(got, got_len, want, want_len, ...)                                          \
	tap_mem((struct tap_at){__FILE__, __LINE__}, (got), (got_len), (want), (want_len), \
		__VA_ARGS__)

struct tap_at {
	const char *file;
	int line;
};

#define TAP_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))

bool tap_ok(struct tap_at at, bool held, const char *cond, const char *name, ...) TAP_FORMAT(4, 5);
bool tap_int(struct tap_at at, int64_t got, int64_t want, const char *name, ...) TAP_FORMAT(4, 5);
bool tap_uint(struct tap_at at, uint64_t got, uint64_t want, const char *name, ...)
	TAP_FORMAT(4, 5);
bool tap_str(struct tap_at at, const char *got, const char *want, const char *name, ...)
	TAP_FORMAT(4, 5);
bool tap_mem(struct tap_at at, const void *got, size_t got_len, const void *want, size_t want_len,
	const char *name, ...) TAP_FORMAT(6, 7);

/* Counts a check that could not be made here, and says why. */
void skip(const char *why, ...) TAP_FORMAT(1, 2);

/* Says something about the check before, on stderr. */
void diag(const char *text, ...) TAP_FORMAT(1, 2);

/* Ends the whole run of tests: going on would mean nothing. */
_Noreturn void bail(const char *why, ...) TAP_FORMAT(1, 2);

/* Prints the plan. Returns main's status: 0 if there was a check and all held, else 1. */
int tap_done(void);

#endif
