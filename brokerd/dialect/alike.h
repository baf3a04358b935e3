/* alike.h - is this event of a stream the one before, but for its text?
 * Most of a stream is: who answers, when, and which choice it goes on with are the same bytes in each. An event that was read,
 * and brought a piece of one text and nothing else, is remembered by what stands before that text and behind it; one that
 * has just these bytes around another string says the same with another text, and need not be read again. No I/O. */
#ifndef BROKERD_DIALECT_ALIKE_H
#define BROKERD_DIALECT_ALIKE_H
#include "protocol/base/buf.h"
#include "protocol/base/json.h"

struct alike {
	struct buf
		around; /* what stood before the text, with its quote, and behind it, with that */
	size_t before;  /* so much of it; 0: none is remembered */
};

void alike_init(struct alike *a);
void alike_done(struct alike *a);

/* `text`, a string that lies in `data`, is all that the event brought. Long ones are not remembered. */
void alike_note(struct alike *a, struct span data, struct json text);

void alike_forget(struct alike *a);

/* Where `data` is such an event, its text, as json_scan hands it out. Absent: it is none, or it is no JSON. */
struct json alike_text(const struct alike *a, struct span data);

#endif
