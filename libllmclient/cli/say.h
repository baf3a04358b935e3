/* say.h - how does llmb speak?
 * Answers to stdout, everything else to stderr, each whole and at once. What others wrote reaches a
 * terminal without its control bytes. */
#ifndef LIBLLMCLIENT_CLI_SAY_H
#define LIBLLMCLIENT_CLI_SAY_H
#include "libllmclient/cli/options.h"
#include "llmclient.h"
#include "protocol/base/buf.h"
#include "protocol/base/json.h"

#define SAY_BYTES_MAX ((size_t)256 * 1024 * 1024)

/* Writes all of it to stdout now, and empties it. Ends the program where that cannot be. */
void say_out(struct buf *b);

/* The same for a piece of somebody's text. */
void say_text(const char *text, size_t n);

/* A line to stderr. */
void say_err(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* To stderr: `before` as it is, then as much of a text as goes on the line of that screen, which stays open. */
void say_passing(const char *before, struct span text);

/* "llmb: SENTENCE" (and, where JSON is wanted, an object with the error to stdout). Returns the exit
 * code that err.def gives the class. */
int say_error(const struct common *o, const llm_error *e);

/* The same for a failure of our own. */
int say_failure(const struct common *o, int exit_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Is it a terminal? */
bool is_terminal(int fd);

/* Texts that are shown as a table: columns are as wide as they must be. */
struct table {
	struct buf cells; /* each with a NUL */
	size_t columns, n;
	unsigned right; /* a bit for each column that is set to the right */
};
void table_begin(struct table *t, size_t columns, unsigned right);
/* Begins it with a first row of as many columns. */
void table_heads(struct table *t, const char *const *heads, size_t n, unsigned right);
void table_cell(struct table *t, struct span text); /* row by row */
void table_text(struct table *t, const char *text);
void table_i64(struct table *t, int64_t v); /* less than 0: "-" */
void table_end(struct table *t, struct buf *out);

/* "12s", "3m 4s", "2h 3m", "5d 6h": so many seconds. */
void put_lasting(struct buf *out, int64_t s);

/* "1.234567": nano-dollars as USD; "unknown" below 0. */
void put_usd(struct buf *out, int64_t nusd);

#endif
