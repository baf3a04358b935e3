/* spare.c - a list in the blocks themselves. */
#include "brokerd/exchange/spare.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base/sanitized.h"

#if ADDRESS_SANITIZED
#define SPARE_MOST ((size_t)0) /* so that what is used after its end is found */
#else
#define SPARE_MOST ((size_t)16)
#endif

struct spare {
	struct spare *next;
};

void *spare_take(struct spares *s, size_t bytes, size_t cleared)
{
	struct spare *first = s->list;
	assert(cleared >= sizeof *first && cleared <= bytes);
	if (first) {
		s->list = first->next;
		s->n--;
		first->next = NULL; /* and so all of it is cleared */
		return first;
	}
	void *block = malloc(bytes);
	if (block)
		memset(block, 0, cleared);
	return block;
}

/* Twice the same would be two calls' one day. Whoever is watched has the time to look. */
static void check_is_not_there(const struct spares *s, const void *block)
{
#ifdef BROKER_PLAIN_HEAP
	for (const struct spare *each = s->list; each; each = each->next)
		assert(each != block);
#endif
	assert(s->list != block);
	(void)s;
	(void)block;
}

void spare_give(struct spares *s, void *block, size_t cleared)
{
	struct spare *first = block;
	check_is_not_there(s, block);
	explicit_bzero(block, cleared);
	if (s->n >= SPARE_MOST) {
		free(block);
		return;
	}
	first->next = s->list;
	s->list = first;
	s->n++;
}

void spare_done(struct spares *s)
{
	while (s->list) {
		struct spare *first = s->list;
		s->list = first->next;
		free(first);
	}
	s->n = 0;
}
