/* answer.h - how does an answer appear?
 * Pieces on stdout as they come, or JSON lines; hints, warnings and what it cost on stderr. */
#ifndef LIBLLMCLIENT_CLI_ANSWER_H
#define LIBLLMCLIENT_CLI_ANSWER_H
#include "libllmclient/cli/say.h"

struct show {
	const struct common *common;
	bool is_cost_wanted;
	bool has_text, ends_line; /* of what has been shown */
	bool is_waiting; /* a line on the screen says so, for as long as nothing else is said */
};

/* Shows one event; a callback for llm_stream_run() whose argument is the struct show. */
int show_event(const llm_event *ev, void *arg);

/* Shows a whole answer. */
void show_result(struct show *s, const llm_result *a);

/* The end of a streamed answer: the line is ended, the cost told. */
void show_end(struct show *s, const llm_result *a);

/* The member `usage` of the object that is open. */
struct json_out;
void show_usage_json(struct json_out *out, const llm_usage *u);

/* Says that it is the answer to other words, where it is. */
void show_other_words(const struct common *o, const llm_usage *u);

/* "1 s", "5 min", "3 h", "2 d": what is over of the next smaller is left out. */
void put_age(struct buf *out, int64_t age_s);

/* Ends the line that an answer broke off in, or the one that says that it waits. */
void show_break(struct show *s);

/* Shows a whole streamed answer, which Ctrl-C cancels. Returns what to exit with; the error has been
 * told. */
int show_stream(struct show *s, llm_client *c, llm_stream *stream);

#endif
