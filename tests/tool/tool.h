/* tool.h - what do the files of the developer's tool share?
 * `dialect` shows on the command line what the dialects make of a reply or a request; tests script
 * against it. */
#ifndef TESTS_TOOL_TOOL_H
#define TESTS_TOOL_TOOL_H
#include "brokerd/dialect/dialect.h"
#include "protocol/base/json.h"
#include "tests/lib/feed.h"

/* The subcommands: what stands behind their name on the command line. They return main's status. */
int tool_decode(int argc, char **argv);
int tool_replay(int argc, char **argv);
int tool_translate(int argc, char **argv);
int tool_reply(int argc, char **argv);

/* What a name on the command line stands for: a family, or the name of a file of records. */
struct reader {
	const char *name;
	const char *family;
	/* Appends what a reply means, as one JSON object. */
	void (*read)(const struct reader *, const struct http_reply *, struct cuts, struct arena *,
		struct buf *out);
};
/* Ends the program where nothing has that name. */
const struct reader *tool_reader(const char *name);
/* The same of a family that speaks chat. */
const struct dialect *tool_family(const char *name);

/* Reads a chat reply: a reader's function. */
void tool_read_chat(const struct reader *, const struct http_reply *, struct cuts, struct arena *,
	struct buf *out);

/* The same of a reply to an operation beside chat. */
void tool_read_result(const struct reader *, const struct http_reply *, struct cuts, struct arena *,
	struct buf *out);
/* Which operation that is, by the reader's name. */
enum llm_op tool_operation(const struct reader *);

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
