/* amount.h - how much money, or how many, does a cell of somebody's table mean?
 * Exact: a decimal text becomes nano-dollars by integers, half up. What could mean two things is refused. Pure. */
#ifndef LIBLLMCLIENT_CLI_AMOUNT_H
#define LIBLLMCLIENT_CLI_AMOUNT_H
#include <stdbool.h>
#include <stdint.h>

#include "protocol/base/err.h"

/* Which mark is before the decimals? The other one may stand between thousands. */
enum amount_mark {
	AMOUNT_MARK_ANY, /* as the text shows */
	AMOUNT_MARK_POINT,
	AMOUNT_MARK_COMMA,
};

/* What the amounts of a column have shown of it so far. */
struct amount_column {
	bool has_comma; /* before decimals */
	bool has_guess; /* a point that may be between thousands was read as the one before decimals */
};

/* "1,234.56", "$0.07", "-1.5e-7", "(2.50)", "0,15 USD": nano-dollars, less than 0 for a credit.
 * Without a word about the mark "1.234" is not much more than 1, unless the column has a comma before the decimals
 * elsewhere. ERR_MALFORMED says what is wrong with it. */
enum err amount_nusd(struct span text, enum amount_mark mark, struct amount_column *column,
	int64_t *out, struct fault *why) MUST_USE;

/* "1234", "1,234", "12.0": 0 or more. Errors as above. */
enum err amount_count(struct span text, int64_t *out, struct fault *why) MUST_USE;

#endif
