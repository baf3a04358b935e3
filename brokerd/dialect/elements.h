/* elements.h - which elements does this JSON array hold, while it still comes?
 * As Gemini streams where nobody asks for events: cuts a text, resumable at any byte, by counting brackets
 * and quotes; it checks nothing. Pure. */
#ifndef BROKERD_DIALECT_ELEMENTS_H
#define BROKERD_DIALECT_ELEMENTS_H
#include <stdint.h>

#include "protocol/base/span.h"

/* A zeroed struct is ready to use. */
struct elements {
	bool is_begun;  /* the opening bracket came */
	bool is_over;   /* and the closing one */
	bool has_rest;  /* something comes behind that */
	bool is_inside; /* an element is open: */
	uint32_t depth; /* brackets in it */
	bool is_in_string, is_escaped;
};

/* How many bytes stand before the next element: brackets of the array, commas, white space; behind the
 * array all do. */
size_t elements_lead(struct elements *e, struct span bytes);
/* How many bytes the element has from here on; *has_end: it ends with them. */
size_t elements_body(struct elements *e, struct span bytes, bool *has_end);

#endif
