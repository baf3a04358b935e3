/* tool.h - what do the files of the developer's tool share?
 * `dialect` shows on the command line what the dialects make of a reply or a request; tests script
 * against it. */
#ifndef TESTS_TOOL_TOOL_H
#define TESTS_TOOL_TOOL_H
#include "brokerd/config/catalogue.h"
#include "brokerd/dialect/dialect.h"
#include "protocol/base/json.h"
#include "tests/lib/feed.h"

/* The subcommands: what stands behind their name on the command line. They return main's status. */
int tool_decode(int argc, char **argv);
int tool_replay(int argc, char **argv);
int tool_translate(int argc, char **argv);
int tool_reply(int argc, char **argv);
int tool_estimate(int argc, char **argv);

/* What a name on the command line stands for: a family, or a file of records, which may be of another
 * operation than chat. */
struct reader {
	const char *name;
	const char *family; /* which there may not be */
	enum llm_op op;
};
struct reader tool_reader(const char *name);
/* The family of that name, or of its records. Ends the program where nothing has it. */
const struct dialect *tool_family(const char *name);

/* Appends what a family's reply to an operation means, as one JSON object; `prices` (may be NULL) as
 * tally_json has them. */
void tool_read(enum llm_op op, const struct dialect *d, const struct http_reply *reply,
	struct cuts cuts, const struct catalogue *prices, struct arena *a, struct buf *out);

/* The lines of a catalogue in a file. Ends the program where it is none. */
struct catalogue *tool_take_prices(const char *path);

/* One line of a file of records, and the reply in it. Ends the program where it is none. */
void tool_take_record(
	struct span line, struct arena *a, struct json *record, struct http_reply *reply);

/* "name: value" becomes a header of the head, which has room for so many. */
void tool_take_header(char *line, struct http_head *head, size_t room);

/* A file to its end, "-" being stdin. Ends the program where it cannot be read. */
void tool_load(const char *path, struct buf *out);

/* White space of a carried JSON text becomes blanks, so that the line from `first` on is one. */
void tool_end_line(struct buf *out, size_t first);

/* Writes to stdout and empties the buf. Ends the program where it cannot. */
void tool_print(struct buf *out);

/* Says why, and ends the program. */
_Noreturn void tool_die(int status, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
