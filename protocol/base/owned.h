/* owned.h - who frees this, and may its result be ignored?
 * Attributes only; no code of its own. */
#ifndef PROTOCOL_BASE_OWNED_H
#define PROTOCOL_BASE_OWNED_H
#include <stddef.h>

/* OWNED(buf_done) struct buf b = BUF_INIT(n);  calls buf_done(&b) where the scope ends. */
#define OWNED(done) __attribute__((cleanup(done)))

/* return TAKE(p);  gives an owned pointer away and leaves NULL behind for its cleanup. */
#define TAKE(p)                             \
	__extension__({                     \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* The object of `type` whose `member` is at `ptr`. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#endif
