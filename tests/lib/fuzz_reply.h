/* fuzz_reply.h - does a family's decoder hold what it promises, whatever the bytes? */
#ifndef TESTS_LIB_FUZZ_REPLY_H
#define TESTS_LIB_FUZZ_REPLY_H
#include <stddef.h>
#include <stdint.h>

/* Decodes the bytes as a reply, once whole and once in pieces (their size is the first byte's): the
 * events must be the same, in the order of event.h, and end in one way. The same bytes as an error
 * reply must be explained. A broken promise ends the program. */
void fuzz_reply(const char *family, const uint8_t *data, size_t size);

#endif
