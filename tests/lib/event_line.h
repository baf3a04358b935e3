/* event_line.h - which event does a line of a test's script tell?
 * A word, the choice, and what there is to say of it:
 *
 *	start				end	fault
 *	text 0 WORDS			think, refusal, probs (JSON), said (a part of the answer)
 *	call 0 TOOL ID			custom: with a raw input; signed: with an item of gemini's
 *	args 0 TOOL WORDS		called 0 TOOL: it is over
 *	seal 0 FAMILY JSON		block: a part of its own
 *	image 0 BYTES			audio, video; BYTES+: its bytes go on
 *	cites 0 JSON			of the text so far
 *	finish 0 HOW
 *	usage	cached			five tokens each; a cached part alone
 *	warning	status	head	count
 *
 * For tests of those who write answers. */
#ifndef TESTS_LIB_EVENT_LINE_H
#define TESTS_LIB_EVENT_LINE_H
#include "protocol/event.h"

/* A choice is less than that. */
enum { EVENT_LINE_CHOICES = 64 };

/* Fills *out, whose texts are the line's. False: it is none. */
bool event_line_read(struct span line, struct llm_event *out) MUST_USE;

#endif
