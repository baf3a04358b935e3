/* line.h - how does a request reach the broker?
 * A line is a connection of its own, for one request at a time; idle ones are kept a while for the next. */
#ifndef LIBLLMCLIENT_BRIDGE_LINE_H
#define LIBLLMCLIENT_BRIDGE_LINE_H
#include <llmclient.h>
#include <stdbool.h>
#include <stddef.h>

struct ev_loop;
struct lines;
struct line;

/* `socket`: of the broker; NULL: where clients look. NULL: out of memory. */
struct lines *lines_new(struct ev_loop *loop, const char *socket);
void lines_free(struct lines *l); /* all lines were given back. NULL is fine */

/* Something may have come for the request, or may be sent. From the loop, never from inside a call of these. */
typedef void (*line_fn)(void *context);

/* NULL: out of memory. */
struct line *line_take(struct lines *l, line_fn on_ready, void *context);
/* Its request is over, or gone: its stream was freed. */
void line_give_back(struct line *n);
llm_client *line_client(const struct line *n);
/* The client's wishes may have changed: something was started, read, sent or cancelled. */
void line_touch(struct line *n);

#endif
