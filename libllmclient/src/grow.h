/* grow.h - is there room for one more?
 * An array in an arena that doubles whenever its count is a power of two, so that the count alone says
 * how much room there is. */
#ifndef LIBLLMCLIENT_SRC_GROW_H
#define LIBLLMCLIENT_SRC_GROW_H
#include "protocol/base/arena.h"

/* Makes room behind `n` elements of `size` bytes. *items moves; what it held stays in the arena.
 * False: out of memory, and nothing has changed. */
static inline bool grow(struct arena *a, void **items, size_t n, size_t size)
{
	if (n > 0 && (n & (n - 1)) != 0)
		return true;
	void *more = arena_array(a, n > 0 ? n * 2 : 1, size);
	if (!more)
		return false;
	if (n > 0 && *items)
		memcpy(more, *items, n * size);
	*items = more;
	return true;
}

/* The same for a typed pointer. */
#define GROW(arena, items, n)                                                    \
	__extension__({                                                          \
		void *grown_ = (items);                                          \
		const bool has_room_ = grow(arena, &grown_, n, sizeof *(items)); \
		(items) = grown_;                                                \
		has_room_;                                                       \
	})

#endif
