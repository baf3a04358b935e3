/* broker.h - how does a command reach the broker, and ask it something? */
#ifndef LIBLLMCLIENT_CLI_BROKER_H
#define LIBLLMCLIENT_CLI_BROKER_H
#include "libllmclient/cli/say.h"

/* A client as the options say; it connects by itself. Ends the program where there is no memory. */
llm_client *broker_client(const struct common *o);
/* The same for several calls at once: nothing blocks but llm_client_wait(). */
llm_client *broker_loop_client(const struct common *o);

/* The same for who looks at the broker that runs: it starts none, and a call that the end of one broke off has failed. */
llm_client *broker_watching_client(const struct common *o);

/* What an administrative operation takes: begin, put members, ask. */
struct question {
	struct buf text;
	struct json_out out;
};
void question_begin(struct question *q);
void question_begin_long(struct question *q); /* a file's worth, which is no secret */
void question_texts(struct question *q, const char *name, const struct text_list *list);

/* Its answer: a JSON object. */
struct answer {
	char *text;
	struct json json;
	int exit_code; /* where there is none: the error has been told */
};
void answer_done(struct answer *a);

/* Asks, and wipes the question. Connects anew for it. False: the error has been told; see exit_code. */
bool broker_ask(const struct common *o, const char *op, struct question *q, struct answer *a);

/* The same, on a connection that is there, or is made for the first of several questions. */
bool broker_ask_on(llm_client *c, const struct common *o, const char *op, struct question *q,
	struct answer *a);

/* Asks without arguments, and says nothing where that fails. */
bool broker_try(const struct common *o, const char *op, struct answer *a);

/* Asks `op`, and shows what came, as it is or by `say`. `q` may be NULL: it takes nothing. Returns what to exit with. */
int broker_tell(const struct common *o, const char *op, struct question *q,
	void (*say)(const struct answer *a));

/* A command without words or options of its own that does so. */
int broker_show(const struct command *self, int argc, char **argv, const char *op,
	void (*say)(const struct answer *a));

/* What is said of a change: `done`, or "`absent` `word``hint`" where there was nothing to change, if that can be. */
/* What the answer warns of, if it does. */
void broker_warn(const struct answer *answer);

struct change_words {
	const char *done, *absent, *word, *hint;
};

/* Asks for one, and says how it went, as it is or in these words. EXIT_BAD where there was nothing. */
int broker_change(const struct common *o, const char *op, struct question *q,
	const struct change_words *words);

/* The answer as it came, as a line to stdout. */
void say_answer(const struct answer *a);

/* Members of an answer, for people; absent ones are "" and -1. Texts live as long as `arena`. */
struct span text_of(struct json object, const char *name, struct arena *arena);
int64_t number_of(struct json object, const char *name);

#endif
