/* aws_message.h - messages of an AWS event stream, made by hand.
 * Its checksum is computed a bit at a time, apart from brokerd's own. */
#ifndef TESTS_LIB_AWS_MESSAGE_H
#define TESTS_LIB_AWS_MESSAGE_H
#include "protocol/base/buf.h"

struct aws_header {
	const char *name;
	int type; /* 0..9; its value is written as it is, behind a length where the type has one */
	struct span value;
};

void aws_message_put(
	struct buf *out, const struct aws_header *headers, size_t n, struct span payload);

/* Lines of text, a message each:
 *	TYPE PAYLOAD		an event
 *	exception:TYPE PAYLOAD	an exception
 *	error:CODE WORDS	an error, which has no payload */
void aws_lines_put(struct buf *out, struct span lines);

#endif
