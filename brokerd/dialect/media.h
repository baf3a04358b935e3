/* media.h - what kind of bytes are these, and where are they?
 * No I/O: an address is never followed. */
#ifndef BROKERD_DIALECT_MEDIA_H
#define BROKERD_DIALECT_MEDIA_H
#include "protocol/request.h"

/* "image/png" by the first bytes; absent where they say nothing. */
struct span media_type_of(struct span bytes);

/* Where the address is a data: URI: its bytes become `data`, its type `mime`, and `url` absent. Then
 * what the bytes say beats what was declared, and aliases ("image/jpg") get their proper name.
 * ERR_INVALID_REQUEST: a data: URI that is none; ERR_NO_MEMORY. */
enum err media_resolve(struct arena *a, struct media *m) MUST_USE;

#endif
