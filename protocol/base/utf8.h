/* utf8.h - is this text, and what is left of it where it is not?
 * Pure functions and one small state; nothing is allocated but in the caller's buf. */
#ifndef PROTOCOL_BASE_UTF8_H
#define PROTOCOL_BASE_UTF8_H
#include <stdint.h>

#include "protocol/base/buf.h"

/* The length (1..4) of the valid character at the start of `s`; 0 where its bytes are not valid
 * UTF-8, overlong forms and surrogates included; -1 where they are the beginning of one that `s`
 * cuts off. `s` is not empty. */
int utf8_length(struct span s);

/* How many bytes at the start of `s` are valid, whole characters. */
size_t utf8_valid_bytes(struct span s);

/* How many of the first bytes are certainly ASCII: many at once are looked at, and most text is. */
size_t utf8_ascii_bytes(struct span s);
bool utf8_is_valid(struct span s);

/* A byte order mark, and a text without the one that it begins with. */
#define UTF8_BOM "\xef\xbb\xbf"
struct span utf8_past_bom(struct span s);

/* Writes a code point 0..0x10ffff (surrogates too, as three bytes) to `to`; returns 1..4. */
size_t utf8_encode(uint32_t code_point, char to[4]);

/* Repairs a text that comes in pieces, so that each piece that goes out is valid on its own:
 * - a character cut at the end of a piece is held back and joined to the next (at most 3 bytes);
 * - a high surrogate (three bytes, as json_text gives them) waits for its low half, and the two
 *   become one character, which also cures CESU-8;
 * - every other invalid byte, and each surrogate left alone, becomes U+FFFD.
 * A zeroed struct is ready to use. */
struct utf8_repair {
	char held[6];
	uint8_t n;
	bool has_replaced; /* U+FFFD was put somewhere: worth a warning */
};

/* Appends what is certain of the held bytes and `piece`. Errors stick to `out`. */
void utf8_repair(struct utf8_repair *r, struct span piece, struct buf *out);

/* The text is over: what is still held becomes U+FFFD. */
void utf8_repair_end(struct utf8_repair *r, struct buf *out);

#endif
