/* history.h - which result answers which call, and in what order are the turns told?
 * Results go right behind the message that has their calls, in the order of the calls. Two calls of
 * one id are told apart; a result that is missing is noted, one too many refused. */
#ifndef BROKERD_DIALECT_HISTORY_H
#define BROKERD_DIALECT_HISTORY_H
#include "brokerd/value/notes.h"

struct turn {
	const struct message *m; /* NULL: the result of `call` is missing */
	size_t at; /* m's place in the request; of a missing result, its call's message */
	const struct tool_call *call; /* of a result: the call it answers; NULL: one far back */
	struct span id;               /* of a result: the id of its call, as it goes out */
	struct span *call_ids;        /* of an assistant's: those of its calls in order, the same */
};

struct history {
	struct turn *turns;
	size_t n;
};

/* `is_strict`: a result may only answer a call of the assistant's turn right before it. Everything
 * is in the notes' arena. ERR_INVALID_REQUEST names the message. */
struct history_rules {
	bool is_strict;
	bool has_earlier_turns; /* of a conversation that the provider keeps: results may answer those */
};
enum err history_plan(const struct llm_request *r, struct history_rules rules, struct notes *notes,
	struct history *out, struct fault *why) MUST_USE;

/* Does it end with words that the assistant is to go on with? */
bool history_has_prefill(const struct history *h);

#endif
