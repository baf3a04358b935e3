/* legal.h - does what a caller is told keep the order of its language?
 * A second opinion for the fuzzer, which no encoder had a hand in: framing, JSON, what opens and closes
 * what, and what comes last. Which members there are is asked by tests/strict/answers. Pure. */
#ifndef TESTS_LIB_LEGAL_H
#define TESTS_LIB_LEGAL_H
#include "protocol/base/json.h"

enum legal_end {
	LEGAL_OPEN,   /* it may go on */
	LEGAL_WHOLE,  /* it must have its end */
	LEGAL_FAILED, /* it must end with an error */
};

/* What is wrong with an event stream of a family that callers speak; NULL: nothing. */
const char *legal_stream(struct span family, struct span said, enum legal_end end);

/* The same of Gemini's JSON array, that has its end. */
const char *legal_list(struct span said, enum legal_end end);

#endif
