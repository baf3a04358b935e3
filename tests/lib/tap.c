/* tap.c - a value that differs is shown from shortly before the first difference. */
#include "tests/lib/tap.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 512
#define BEFORE_BYTES   40
#define SHOWN_BYTES    200

static unsigned int checks, failures;

/* Ends a line with a name. '#' starts a directive and a newline the next line, so neither may come
 * from the name. Flushed, so that a child forked later does not write it again. */
static void TAP_FORMAT(1, 0) put_name(const char *name, va_list args)
{
	char text[NAME_MAX_BYTES];

	if (vsnprintf(text, sizeof text, name, args) < 0)
		*text = '\0';
	for (const char *c = text; *c != '\0'; c++)
		putchar(*c == '#' ? '.' : iscntrl((unsigned char)*c) ? ' ' : *c);
	putchar('\n');
	(void)fflush(stdout);
}

static bool TAP_FORMAT(3, 0) result(struct tap_at at, bool held, const char *name, va_list args)
{
	printf("%s %u - ", held ? "ok" : "not ok", ++checks);
	put_name(name, args);
	if (!held) {
		failures++;
		fprintf(stderr, "# %s:%d: check %u failed\n", at.file, at.line, checks);
	}
	return held;
}

static void show(const char *label, const void *bytes, size_t len, size_t from)
{
	const unsigned char *const byte = bytes;
	size_t i = from;

	if (bytes == NULL) { /* then len is 0 */
		fprintf(stderr, "# %6s: nothing\n", label);
		return;
	}
	fprintf(stderr, "# %6s: %s\"", label, from > 0 ? "..." : "");
	for (; i < len && i - from < SHOWN_BYTES; i++) {
		if (byte[i] == '\n')
			fprintf(stderr, "\\n");
		else if (byte[i] == '"' || byte[i] == '\\')
			fprintf(stderr, "\\%c", byte[i]);
		else if (byte[i] >= 0x20 && byte[i] < 0x7f)
			fprintf(stderr, "%c", byte[i]);
		else
			fprintf(stderr, "\\x%02x", byte[i]);
	}
	fprintf(stderr, "\"%s (%zu bytes)\n", i < len ? "..." : "", len);
}

static bool TAP_FORMAT(6, 0) same(struct tap_at at, const void *got, size_t got_len,
	const void *want, size_t want_len, const char *name, va_list args)
{
	const unsigned char *const a = got, *const b = want;
	size_t at_byte = 0;

	while (at_byte < got_len && at_byte < want_len && a[at_byte] == b[at_byte])
		at_byte++;
	if (result(at, at_byte == got_len && at_byte == want_len, name, args))
		return true;

	const size_t from = at_byte > BEFORE_BYTES ? at_byte - BEFORE_BYTES : 0;
	show("got", got, got_len, from);
	show("wanted", want, want_len, from);
	fprintf(stderr, "# they differ at byte %zu\n", at_byte);
	return false;
}

bool tap_ok(struct tap_at at, bool held, const char *cond, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	if (!result(at, held, name, args))
		fprintf(stderr, "# wanted: %s\n", cond);
	va_end(args);
	return held;
}

bool tap_int(struct tap_at at, int64_t got, int64_t want, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	if (!result(at, got == want, name, args))
		fprintf(stderr, "#    got: %" PRId64 "\n# wanted: %" PRId64 "\n", got, want);
	va_end(args);
	return got == want;
}

bool tap_uint(struct tap_at at, uint64_t got, uint64_t want, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	if (!result(at, got == want, name, args))
		fprintf(stderr, "#    got: %" PRIu64 "\n# wanted: %" PRIu64 "\n", got, want);
	va_end(args);
	return got == want;
}

bool tap_str(struct tap_at at, const char *got, const char *want, const char *name, ...)
{
	va_list args;
	bool held;

	va_start(args, name);
	if (got != NULL && want != NULL) {
		held = same(at, got, strlen(got), want, strlen(want), name, args);
	} else {
		held = result(at, got == want, name, args);
		if (!held)
			fprintf(stderr, "#    got: %s\n# wanted: %s\n", got ? got : "NULL",
				want ? want : "NULL");
	}
	va_end(args);
	return held;
}

bool tap_mem(struct tap_at at, const void *got, size_t got_len, const void *want, size_t want_len,
	const char *name, ...)
{
	va_list args;

	va_start(args, name);
	const bool held = same(at, got, got_len, want, want_len, name, args);
	va_end(args);
	return held;
}

void skip(const char *why, ...)
{
	va_list args;

	va_start(args, why);
	printf("ok %u # SKIP ", ++checks);
	put_name(why, args);
	va_end(args);
}

void diag(const char *text, ...)
{
	va_list args;

	va_start(args, text);
	fprintf(stderr, "# ");
	(void)vfprintf(stderr, text, args);
	fprintf(stderr, "\n");
	va_end(args);
}

_Noreturn void bail(const char *why, ...)
{
	va_list args;

	va_start(args, why);
	printf("Bail out! ");
	put_name(why, args);
	va_end(args);
	exit(EXIT_FAILURE);
}

int tap_done(void)
{
	if (checks == 0) {
		puts("not ok 1 - a test makes at least one check");
		checks = failures = 1;
	}
	printf("1..%u\n", checks);
	return failures == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
