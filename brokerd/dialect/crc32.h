/* crc32.h - are these still the bytes that were sent?
 * CRC-32/ISO-HDLC, that of zlib and Ethernet; the journal's is another polynomial. No I/O. */
#ifndef BROKERD_DIALECT_CRC32_H
#define BROKERD_DIALECT_CRC32_H
#include <stddef.h>
#include <stdint.h>

/* The checksum of some bytes and then these; of the first, `before` is 0. */
uint32_t crc32_of(uint32_t before, const void *bytes, size_t n);

#endif
