/* base64.h - which bytes does this text stand for?
 * Lenient, as foreign encoders are: white space, the URL-safe alphabet and missing padding are
 * read. Writing is json_put_base64's. */
#ifndef BROKERD_DIALECT_BASE64_H
#define BROKERD_DIALECT_BASE64_H
#include "protocol/base/buf.h"

/* Appends the bytes. False where the text is no base64; `out` may then hold a part of it. */
bool base64_decode(struct span text, struct buf *out) MUST_USE;

#endif
