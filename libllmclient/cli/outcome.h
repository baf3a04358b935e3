/* outcome.h - how does what is no text appear: vectors, ranks, a count?
 * Results on stdout when all of them are there, or as one JSON object; hints, warnings and what it cost
 * on stderr, in JSON inside the object. */
#ifndef LIBLLMCLIENT_CLI_OUTCOME_H
#define LIBLLMCLIENT_CLI_OUTCOME_H
#include "libllmclient/cli/answer.h"

struct outcome_view {
	const char *op;   /* as llm_request_operation() takes it */
	const char *type; /* of the JSON object */
	/* lines for people; and members of the object that is open */
	void (*print)(const llm_result *a, struct buf *out, const void *context);
	void (*put)(const llm_result *a, struct json_out *out, const void *context);
	const void *context;
};

/* Asks, waits and shows. Returns what to exit with; the error has been told. */
int outcome_ask(const struct common *o, llm_request *r, const struct outcome_view *view);

/* The shortest text that is the same float again. */
void outcome_put_float(struct buf *out, float v);

/* All that a descriptor has, as it is. ERR_IO (errno says why), ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err fd_read(int fd, struct buf *out) MUST_USE;

/* One text: the words of the line, or all of stdin; ends in a NUL. EXIT_GOOD, or what to exit with. */
int text_read(
	const struct command *self, const struct common *o, int n, char **words, struct buf *out);

/* The inputs of a command: the words of its line, else the lines of stdin that are not empty. */
struct inputs {
	const char **items;
	size_t n;
	struct buf text; /* what they point into */
};
/* EXIT_GOOD, or what to exit with; the reason has been told. */
int inputs_read(const struct command *self, const struct common *o, int n, char **words,
	struct inputs *out);
void inputs_done(struct inputs *in);

#endif
