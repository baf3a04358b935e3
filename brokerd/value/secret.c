/* secret.c - a count of holders and an origin around a guarded block. */
#include "brokerd/value/secret.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "brokerd/value/guarded.h"
#include "brokerd/value/secret_open.h"
#include "protocol/limits.h"

/* what a vault with a few keys, open, keeps locked: more than this is more than most need */
#define PROBE_BYTES (32 * KIB)

struct secret {
	unsigned refs;
	struct guarded *bytes;
	size_t origin_bytes;
	char origin[];
};

enum err secret_new(struct span bytes, struct span origin, struct secret **out)
{
	assert(bytes.n >= 1 && bytes.n <= LIMIT_SECRET_BYTES); /* the vault made sure */
	*out = NULL;
	struct secret *s = malloc(sizeof *s + origin.n + 1);
	if (!s)
		return ERR_NO_MEMORY;
	*s = (struct secret){.refs = 1, .origin_bytes = origin.n};
	if (origin.n > 0)
		memcpy(s->origin, origin.p, origin.n);
	s->origin[origin.n] = '\0';
	if (guarded_copy(bytes, &s->bytes)) {
		free(s);
		return ERR_NO_MEMORY;
	}
	*out = s;
	return OK;
}

struct secret *secret_ref(struct secret *s)
{
	s->refs++;
	return s;
}

void secret_unref(struct secret *s)
{
	if (!s)
		return;
	assert(s->refs > 0);
	if (--s->refs > 0)
		return;
	guarded_free(s->bytes);
	free(s);
}

struct span secret_origin(const struct secret *s)
{
	return span_of(s->origin, s->origin_bytes);
}

struct span secret_open(struct secret *s)
{
	return guarded_read(s->bytes);
}

void secret_close(struct secret *s)
{
	guarded_close(s->bytes);
}

bool secret_memory_locks(struct fault *why)
{
	const int prot = PROT_READ | PROT_WRITE;
	void *probe = mmap(NULL, PROBE_BYTES, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (probe == MAP_FAILED) {
		fault_set(why, ERR_NO_MEMORY, "no memory to hold a key in: %s", strerror(errno));
		return false;
	}
	/* libsodium's own allocations do not tell when this fails */
	const bool is_locked = mlock(probe, PROBE_BYTES) == 0;
	const int cause = errno;
	munmap(probe, PROBE_BYTES);
	if (!is_locked)
		fault_set(why, ERR_NO_MEMORY,
			"memory cannot be locked (%s), so open keys may reach the swap space: "
			"raise "
			"the limit (LimitMEMLOCK=, ulimit -l) to 8 MiB",
			strerror(cause));
	return is_locked;
}
