/* table.h - which one goes by this key?
 * The only door to uthash: intrusive and typed, with our own keyed hash, since callers choose keys.
 * For brokerd/ alone: it aborts when memory is out. An element has a member `TABLE_LINK;`
 * a table is a pointer to an element, NULL when empty. */
#ifndef PROTOCOL_BASE_TABLE_H
#define PROTOCOL_BASE_TABLE_H
#include <stdint.h>
#include <stdlib.h>

#include "protocol/base/span.h"

/* SipHash-2-4 under a key drawn at first use; from one thread only. */
uint64_t table_hash(const void *bytes, size_t n);

/* SipHash-2-4 under a given key of 16 bytes: for test vectors and for keys that are kept. */
uint64_t siphash(const unsigned char key[16], const void *bytes, size_t n);

#define HASH_FUNCTION(key, length, hash) ((hash) = (unsigned)table_hash((key), (size_t)(length)))
#define uthash_fatal(message)            abort()
#include <uthash.h>

#define TABLE_LINK UT_hash_handle hh

/* `key` points into the element and must not change while it is in the table. */
#define TABLE_ADD(head, item, key, length) HASH_ADD_KEYPTR(hh, head, key, length, item)
/* Sets `item` to the element with that key, or NULL. */
#define TABLE_FIND(head, item, key, length) HASH_FIND(hh, head, key, length, item)
#define TABLE_REMOVE(head, item)            HASH_DELETE(hh, head, item)
#define TABLE_COUNT(head)                   HASH_COUNT(head)
/* In the order of adding; `item` may be removed inside the loop. */
#define TABLE_EACH(head, item, after) HASH_ITER(hh, head, item, after)

#endif
