/* cache_models.c - queues of object numbers, linked through arrays. */
#include "tests/lib/cache_models.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct queue {
	uint32_t *newer, *older; /* of each object; those of all queues of a model are the same */
	uint32_t newest, oldest;
	int64_t bytes;
	size_t n;
};

static void *take(size_t n, size_t each)
{
	void *p = calloc(n, each);
	if (!p)
		abort();
	return p;
}

static void push(struct queue *q, uint32_t id, uint32_t size)
{
	q->older[id] = q->newest;
	q->newer[id] = NONE;
	if (q->newest != NONE)
		q->newer[q->newest] = id;
	else
		q->oldest = id;
	q->newest = id;
	q->bytes += size;
	q->n++;
}

static void leave(struct queue *q, uint32_t id, uint32_t size)
{
	if (q->older[id] != NONE)
		q->newer[q->older[id]] = q->newer[id];
	else
		q->oldest = q->newer[id];
	if (q->newer[id] != NONE)
		q->older[q->newer[id]] = q->older[id];
	else
		q->newest = q->older[id];
	q->bytes -= size;
	q->n--;
}

enum where {
	NOWHERE,
	SMALL, /* or the window */
	MAIN,  /* or probation */
	PROTECTED,
};

struct model {
	const struct cache_trace *trace;
	int64_t most;
	struct queue queues[4]; /* by where */
	unsigned char *where, *used;
	uint64_t *left; /* S3-FIFO: when it became a ghost, by the count of those; 0: never */
	uint64_t ghosts;
	/* W-TinyLFU */
	unsigned char *sketch[4];
	size_t sketch_size, added;
};

static uint32_t size_of(const struct model *m, uint32_t id)
{
	return m->trace->sizes[id];
}

static void begin(struct model *m, const struct cache_trace *t, int64_t bytes)
{
	uint32_t *newer = take(t->n_objects, sizeof *newer),
		 *older = take(t->n_objects, sizeof *older);
	*m = (struct model){.trace = t, .most = bytes};
	for (unsigned i = 0; i < 4; i++)
		m->queues[i] = (struct queue){
			.newer = newer, .older = older, .newest = NONE, .oldest = NONE};
	m->where = take(t->n_objects, 1);
	m->used = take(t->n_objects, 1);
	m->left = take(t->n_objects, sizeof *m->left);
}

static void end(struct model *m)
{
	free(m->queues[0].newer);
	free(m->queues[0].older);
	free(m->where);
	free(m->used);
	free(m->left);
	for (unsigned i = 0; i < 4; i++)
		free(m->sketch[i]);
}

static void move(struct model *m, uint32_t id, enum where to)
{
	if (m->where[id] != NOWHERE)
		leave(&m->queues[m->where[id]], id, size_of(m, id));
	m->where[id] = (unsigned char)to;
	if (to != NOWHERE)
		push(&m->queues[to], id, size_of(m, id));
}

static int64_t held(const struct model *m)
{
	return m->queues[SMALL].bytes + m->queues[MAIN].bytes + m->queues[PROTECTED].bytes;
}

/* ---- S3-FIFO ---- */

static void s3_evict(struct model *m)
{
	if (m->queues[SMALL].n > 0 &&
		(m->queues[SMALL].bytes >= m->most / 10 || m->queues[MAIN].n == 0)) {
		const uint32_t id = m->queues[SMALL].oldest;
		if (m->used[id] > 1) {
			m->used[id] = 0;
			move(m, id, MAIN);
		} else {
			m->left[id] = ++m->ghosts;
			move(m, id, NOWHERE);
		}
		return;
	}
	const uint32_t id = m->queues[MAIN].oldest;
	if (m->used[id] == 0) {
		move(m, id, NOWHERE);
		return;
	}
	m->used[id]--;
	move(m, id, MAIN);
}

size_t cache_model_s3_fifo(const struct cache_trace *t, int64_t bytes)
{
	struct model m;
	size_t hits = 0;
	begin(&m, t, bytes);
	for (size_t i = 0; i < t->n; i++) {
		const uint32_t id = t->asked[i];
		if (m.where[id] != NOWHERE) {
			hits++;
			m.used[id] = m.used[id] < 3 ? (unsigned char)(m.used[id] + 1) : 3;
			continue;
		}
		if (t->sizes[id] > bytes)
			continue;
		const bool is_ghost = m.left[id] > 0 && m.ghosts - m.left[id] < m.queues[MAIN].n;
		while (held(&m) + t->sizes[id] > bytes)
			s3_evict(&m);
		m.used[id] = 0;
		m.left[id] = 0;
		move(&m, id, is_ghost ? MAIN : SMALL);
	}
	end(&m);
	return hits;
}

/* ---- W-TinyLFU ---- */

static size_t slot(const struct model *m, uint32_t id, unsigned row)
{
	uint64_t x = ((uint64_t)id + 1) * UINT64_C(0x9e3779b97f4a7c15) +
		     row * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 31)) * UINT64_C(0x94d049bb133111eb);
	x ^= x >> 29;
	return (size_t)(x & (m->sketch_size - 1));
}

static unsigned count_of(const struct model *m, uint32_t id)
{
	unsigned least = 15;
	for (unsigned r = 0; r < 4; r++) {
		const unsigned n = m->sketch[r][slot(m, id, r)];
		least = n < least ? n : least;
	}
	return least;
}

static void count(struct model *m, uint32_t id)
{
	for (unsigned r = 0; r < 4; r++) {
		unsigned char *n = &m->sketch[r][slot(m, id, r)];
		*n = *n < 15 ? (unsigned char)(*n + 1) : 15;
	}
	const size_t in = m->queues[SMALL].n + m->queues[MAIN].n + m->queues[PROTECTED].n;
	if (++m->added < 10 * (in > 64 ? in : 64))
		return;
	m->added /= 2;
	for (unsigned r = 0; r < 4; r++) {
		for (size_t i = 0; i < m->sketch_size; i++)
			m->sketch[r][i] /= 2;
	}
}

/* What leaves the window comes into probation, where it is asked for oftener than each that would go for it. */
static void admit(struct model *m, uint32_t id)
{
	const int64_t most = m->most - m->most / 100;
	int64_t room = most - m->queues[MAIN].bytes - m->queues[PROTECTED].bytes;
	for (uint32_t v = m->queues[MAIN].oldest; room < size_of(m, id);
		v = m->queues[MAIN].newer[v]) {
		if (v == NONE || count_of(m, v) >= count_of(m, id)) {
			move(m, id, NOWHERE);
			return;
		}
		room += size_of(m, v);
	}
	while (m->queues[MAIN].bytes + m->queues[PROTECTED].bytes + size_of(m, id) > most)
		move(m, m->queues[MAIN].oldest, NOWHERE);
	move(m, id, MAIN);
}

static void touch(struct model *m, uint32_t id)
{
	move(m, id, m->where[id] == SMALL ? SMALL : PROTECTED);
	const int64_t most = (m->most - m->most / 100) / 5 * 4;
	while (m->queues[PROTECTED].bytes > most)
		move(m, m->queues[PROTECTED].oldest, MAIN);
}

size_t cache_model_w_tinylfu(const struct cache_trace *t, int64_t bytes)
{
	struct model m;
	size_t hits = 0;
	begin(&m, t, bytes);
	m.sketch_size = 64;
	while (m.sketch_size < t->n_objects)
		m.sketch_size *= 2;
	for (unsigned r = 0; r < 4; r++)
		m.sketch[r] = take(m.sketch_size, 1);
	for (size_t i = 0; i < t->n; i++) {
		const uint32_t id = t->asked[i];
		count(&m, id);
		if (m.where[id] != NOWHERE) {
			hits++;
			touch(&m, id);
			continue;
		}
		if (t->sizes[id] > bytes / 2)
			continue;
		move(&m, id, SMALL);
		while (m.queues[SMALL].bytes > bytes / 100)
			admit(&m, m.queues[SMALL].oldest);
	}
	end(&m);
	return hits;
}
