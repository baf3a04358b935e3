/* event_words.h - which event of an answer does this word mean?
 * A small language for tests of what takes events one by one:
 *
 *	S=MODEL  start            t=X r=X f=X  text, reasoning, refusal
 *	+0=NAME  call 0 begins, its id being "id-NAME"; with "~JSON" behind it, what must come back with it
 *	0=X      its arguments    -0           its end
 *	o=JSON   an opaque item   p=JSON       a part that is one
 *	c=JSON   what a text cites             w=X  a part of words
 *	i=X      an image of these bytes       i<X  the first of them, or more
 *	l=JSON   logprobs         u=IN,OUT     usage, counted so
 *	F=WORD   finish, or F=WORD,NATIVE, or F=WORD,NATIVE,MATCHED
 *	E        the end          X            a fault
 *
 * O and P are as o and p, of the reader's own family instead of another one, "kin"; "&" before a word is
 * the second choice's. A ' in a value stands for ". Words go with a blank between them. */
#ifndef TESTS_LIB_EVENT_WORDS_H
#define TESTS_LIB_EVENT_WORDS_H
#include "protocol/event.h"

/* Takes the first word off *rest; its event's texts are the arena's. False: there is none. Ends the
 * program where a word means nothing. */
bool event_word(struct span *rest, struct span own, struct arena *a, struct llm_event *out);

#endif
