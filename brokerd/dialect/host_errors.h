/* host_errors.h - what does an error mean at one provider, beyond what its family says?
 * Data, in one table. A host is the provider's name, or what its trait `errors` says. No I/O. */
#ifndef BROKERD_DIALECT_HOST_ERRORS_H
#define BROKERD_DIALECT_HOST_ERRORS_H
#include "brokerd/dialect/errors.h"

/* What the headers say, as if the body said it: that nothing is left of a bound for a day, and that a
 * wait will do. */
#define HOST_ERROR_SPENT_DAY "(nothing is left of the day's)"
#define HOST_ERROR_TOLD_WAIT "(a wait is named)"

/* A row; what it leaves out fits all. Of a host's rows the first that fits holds. */
struct host_error {
	const char *host;
	int status; /* 0: any */
	const char
		*code; /* the body's code, inner code or type, without case; a * at its end stands
	                        for any text */
	const char
		*message; /* a part of the message, or of what else the body says, in lower case */
	enum err class;
	const char *sub;          /* the code of our own that it gets; NULL: the provider's */
	int64_t wait_ms;          /* where nothing else names a wait; 0: none */
	enum retry_advice advice; /* may the same provider be asked again? */
};

/* All rows, those of a host together. */
const struct host_error *host_errors(size_t *n);

#endif
