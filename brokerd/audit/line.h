/* line.h - what does a record look like in the file?
 * One JSON object a line. Its text ends before the members that seal it, and is what is hashed:
 *
 *     {"seq":12,"at_us":...,"what":"key.add",...,"hash":"64 digits"}
 *     {"seq":13,"at_us":...,"what":"key.add",...,"hash":"64 digits","mac":"64 digits"}
 *
 * Pure: no I/O, no clock. */
#ifndef BROKERD_AUDIT_LINE_H
#define BROKERD_AUDIT_LINE_H
#include "brokerd/audit/chain.h"
#include "brokerd/audit/event.h"
#include "protocol/base/buf.h"

#define LINE_BYTES ((size_t)8 * 1024) /* no record is longer */

/* Like events that one record stands for. */
struct line_fold {
	uint64_t count;
	int64_t since_us; /* wall time of the first */
};

/* Appends the members of an event, between `seq` and the seal. `fold` may be NULL. */
void line_event(
	const struct audit_event *e, int64_t at_us, const struct line_fold *fold, struct buf *out);

/* Appends the line of the next record, by its members, and moves the chain on. */
void line_seal(struct chain *c, struct span members, struct buf *out);

struct line {
	struct span text; /* what is hashed: it begins with '{' and has no end of its own */
	uint64_t seq;
	unsigned char hash[CHAIN_HASH_BYTES], mac[CHAIN_HASH_BYTES];
	bool has_mac;
};

/* Takes a line, without its end, apart. False: it is none of ours. What its text says is not looked at. */
bool line_parse(struct span line, struct line *out) MUST_USE;

/* Lower-case digits, `n` bytes of them and no others. */
bool line_hex(struct span digits, unsigned char *to, size_t n) MUST_USE;
void line_put_hex(struct buf *out, const unsigned char *bytes, size_t n);

#endif
