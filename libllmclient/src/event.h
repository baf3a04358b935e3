/* event.h - what does a program see of one step of an answer?
 * The protocol's event, whose texts are copied out of the frame they came in and end in a NUL, and
 * what the steps before it add up to. A public llm_event is the first part of it. */
#ifndef LIBLLMCLIENT_SRC_EVENT_H
#define LIBLLMCLIENT_SRC_EVENT_H
#include "libllmclient/src/usage.h"

struct step {
	struct llm_event event; /* first: a public pointer is to this member */
	struct buf text;        /* the piece that event.text is, kept from step to step */
	struct arena arena;     /* all its other texts; gone with the next step */
	/* of tool events, from the result that they add up to */
	const char *tool_id, *tool_name, *tool_args;
	const struct account *account; /* of usage and end */
	size_t item;                   /* of a result: which of its kind */
};

void step_init(struct step *s);
void step_done(struct step *s);

/* Reads the body of a frame into the step. ERR_MORE: nothing that this version knows.
 * ERR_MALFORMED, ERR_NO_MEMORY. */
enum err step_read(struct step *s, int frame_type, struct span body, struct fault *why) MUST_USE;

/* LLM_EV_NONE: not for the program, only for the result. */
enum llm_event_type public_type(enum event_type type);

#endif
