/* cache_check.c - a rule against what [cache] has for it. */
#include "brokerd/config/cache_check.h"

/* Why words are compared for nobody under that rule; NULL: they are. */
static const char *why_not(const struct config *c, const struct policy_rule *r)
{
	if (r->cache == POLICY_CACHE_OFF)
		return "with cache = off";
	if (r->cache == POLICY_CACHE_WRITE)
		return "with cache = write";
	if (c->vectors == 0)
		return "with vectors = 0 in [cache]";
	if (c->cache_memory_mib == 0 && c->cache_disk_mib == 0)
		return "with memory_mib = 0 and disk_mib = 0 in [cache]";
	return NULL;
}

static void check_length(const struct config *c, struct buf *to)
{
	const int64_t memory_kib = c->cache_memory_mib * 1024, disk_kib = c->cache_disk_mib * 512;
	const bool is_for_memory = memory_kib > 0 && c->cache_entry_kib > memory_kib,
		   is_for_disk = disk_kib > 0 && c->cache_entry_kib > disk_kib;
	if (is_for_memory)
		buf_text(to, "[cache] entry_kib is more than memory_mib: what is so long is not "
			     "kept in memory\n");
	if (is_for_disk)
		buf_text(to, "[cache] entry_kib is more than half of disk_mib: what is so long is "
			     "not kept on disk\n");
}

void cache_check(const struct config *c, struct buf *to)
{
	for (size_t i = 0; i < c->n_policy; i++) {
		const struct policy_rule *r = &c->policy[i];
		const char *why = r->cache_semantic > 0 ? why_not(c, r) : NULL;
		if (why)
			buf_print(to, "[policy \"%.*s\"] cache_semantic does nothing %s\n",
				SPAN_ARG(span_first(r->name, 64)), why);
	}
	check_length(c, to);
}
