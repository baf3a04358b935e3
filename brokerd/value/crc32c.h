/* crc32c.h - are these still the bytes that were written?
 * CRC-32C (Castagnoli), as in iSCSI and ext4. It finds accidents, not forgeries. Pure. */
#ifndef BROKERD_VALUE_CRC32C_H
#define BROKERD_VALUE_CRC32C_H
#include <stddef.h>
#include <stdint.h>

/* The sum over `n` bytes; `before` is that of the bytes before them, 0 at the start. */
uint32_t crc32c(uint32_t before, const void *bytes, size_t n);

/* The same without the processor's help: what other processors run. */
uint32_t crc32c_plain(uint32_t before, const void *bytes, size_t n);

#endif
