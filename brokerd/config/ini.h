/* ini.h - which sections and keys does this text hold, and where?
 * A strict INI: one thing a line, no continuation, no escapes.
 *
 *     # a comment, or ; one: on a line of its own
 *     [section]          or  [section "NAME"]
 *     key = value        the rest of the line, without the space around it
 *
 * Pure: walks the text where it lies; spans are borrowed from it. */
#ifndef BROKERD_CONFIG_INI_H
#define BROKERD_CONFIG_INI_H
#include "protocol/base/err.h"
#include "protocol/base/span.h"

#define INI_LINE_BYTES 4096
#define INI_NAME_BYTES 128 /* a section's quoted name */

struct ini {
	struct span rest;
	unsigned line; /* the last one read, from 1 */
	bool is_in_section;
};

enum ini_kind {
	INI_END,
	INI_SECTION,
	INI_PAIR,
};

struct ini_item {
	enum ini_kind kind;
	struct span word;                    /* the section's, or the key */
	struct span name;                    /* INI_SECTION: between its quotes; absent: none */
	struct span value;                   /* INI_PAIR: never empty */
	unsigned line, column, value_column; /* of word and value (or name), in characters from 1 */
};

/* A byte order mark at the start is skipped. */
void ini_init(struct ini *i, struct span text);

/* The next thing; INI_END at the end, and again. ERR_MISCONFIGURED: *why is a sentence, and *out has
 * line and column. Checked here: UTF-8 without control characters but tab, length of a line. */
enum err ini_next(struct ini *i, struct ini_item *out, struct fault *why) MUST_USE;

#endif
