/* broker.h - how does a command reach the broker, and ask it something? */
#ifndef LIBLLMCLIENT_CLI_BROKER_H
#define LIBLLMCLIENT_CLI_BROKER_H
#include "libllmclient/cli/say.h"

/* A client as the options say; it connects by itself. Ends the program where there is no memory. */
llm_client *broker_client(const struct common *o);

/* What an administrative operation takes: begin, put members, ask. */
struct question {
	struct buf text;
	struct json_out out;
};
void question_begin(struct question *q);
void question_begin_long(struct question *q); /* a file's worth, which is no secret */

/* Its answer: a JSON object. */
struct answer {
	char *text;
	struct json json;
	int exit_code; /* where there is none: the error has been told */
};
void answer_done(struct answer *a);

/* Asks, and wipes the question. Connects anew for it. False: the error has been told; see exit_code. */
bool broker_ask(const struct common *o, const char *op, struct question *q, struct answer *a);

/* Asks without arguments, and says nothing where that fails. */
bool broker_try(const struct common *o, const char *op, struct answer *a);

/* A command without words or options of its own: asks `op`, and shows what came, as it is or by `say`. */
int broker_show(const struct command *self, int argc, char **argv, const char *op,
	void (*say)(const struct answer *a));

/* The answer as it came, as a line to stdout. */
void say_answer(const struct answer *a);

/* Members of an answer, for people; absent ones are "" and -1. Texts live as long as `arena`. */
struct span text_of(struct json object, const char *name, struct arena *arena);
int64_t number_of(struct json object, const char *name);

#endif
