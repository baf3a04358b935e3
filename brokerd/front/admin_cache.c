/* admin_cache.c - answers that are kept: how many, which, and away with them. */
#include <sodium.h>
#include <stdio.h>

#include "brokerd/cache/cache.h"
#include "brokerd/cache/semantic.h"
#include "brokerd/exchange/memo_asked.h"
#include "brokerd/exchange/memo_key.h"
#include "brokerd/front/admin_call.h"
#include "brokerd/log/log.h"
#include "brokerd/vault/vault.h"

#define LIST_MOST    INT64_C(1000)
#define LIST_USUALLY INT64_C(100)
#define ID_BYTES     8 /* of its key, in hexadecimal */

static struct cache_filter filter_of(const struct admin_call *a)
{
	return admin_is_told_all(a) ? (struct cache_filter){.is_of_scope = false}
				    : memo_of_user((uint32_t)a->peer.uid);
}

static enum err find_cache(const struct admin_call *a, struct fault *why)
{
	return a->organs->cache ? OK
				: fault_set(why, ERR_UNSUPPORTED,
					  "no answers are kept: there is no state folder");
}

/* How the disk is: what the vault is where that is why nothing is there. */
static const char *disk_state(const struct admin_call *a, const struct cache_stats *s)
{
	const enum vault_state vault =
		a->organs->vault ? vault_state(a->organs->vault) : VAULT_ABSENT;
	if (a->config->cache_disk_mib == 0)
		return "off";
	if (s->is_read)
		return "reading";
	if (!s->is_open)
		return vault == VAULT_OPEN ? "away" : vault_state_name(vault);
	return s->disk_cause ? "failing" : "open";
}

void admin_put_disk(const struct admin_call *a, const struct cache_stats *s, struct json_out *o)
{
	json_pair_str(o, "state", span_str(disk_state(a, s)));
	if (s->is_open && s->disk_cause)
		json_pair_str(o, "why", span_str(strerror(s->disk_cause)));
}

static void put_disk(const struct admin_call *a, struct json_out *o, const struct cache_stats *s)
{
	json_open(o, '{');
	json_pair_bool(o, "open", s->is_open);
	admin_put_disk(a, s, o);
	json_pair_i64(o, "entries", (int64_t)s->n_disk);
	json_pair_i64(o, "bytes", s->disk_bytes);
	json_pair_i64(o, "limit_bytes", a->config->cache_disk_mib * (int64_t)MIB);
	if (admin_is_told_all(a))
		json_pair_i64(o, "hits", (int64_t)s->hits_disk);
	json_close(o, '}');
}

static void put_memory(const struct admin_call *a, struct json_out *o, const struct cache_stats *s)
{
	json_open(o, '{');
	json_pair_i64(o, "entries", (int64_t)s->n_memory);
	json_pair_i64(o, "bytes", s->memory_bytes);
	json_pair_i64(o, "limit_bytes", a->config->cache_memory_mib * (int64_t)MIB);
	if (admin_is_told_all(a))
		json_pair_i64(o, "hits", (int64_t)s->hits_memory);
	json_close(o, '}');
}

/* Counters tell what was asked by all: they are for who may know of all. */
static void put_counters(
	const struct admin_call *a, struct json_out *o, const struct cache_stats *s)
{
	const bool is_compared = span_is_set(a->config->embed_model) && a->config->vectors > 0;
	struct semantic_stats words = {.n = 0};
	if (a->organs->semantic)
		words = semantic_stats(a->organs->semantic);
	json_key(o, "semantic");
	json_open(o, '{');
	json_pair_i64(o, "entries", (int64_t)words.n);
	json_pair_i64(o, "bytes", words.bytes);
	json_pair_i64(o, "limit_bytes", is_compared ? a->config->vectors_mib * (int64_t)MIB : 0);
	json_pair_i64(o, "hits", (int64_t)words.hits);
	json_pair_i64(o, "searches", (int64_t)words.searches);
	json_pair_i64(o, "evicted", (int64_t)words.evicted);
	json_close(o, '}');
	json_pair_i64(o, "misses", (int64_t)s->misses);
	json_pair_i64(o, "kept", (int64_t)s->puts);
	json_pair_i64(o, "evicted", (int64_t)s->evicted);
	json_pair_i64(o, "expired", (int64_t)s->expired);
	json_pair_i64(o, "damaged", (int64_t)s->damaged);
}

enum err admin_cache_stats(struct admin_call *a, struct json body, struct fault *why)
{
	const struct cache_filter filter = filter_of(a);
	struct cache_stats s, own;
	(void)body;
	if (find_cache(a, why))
		return why->err;
	cache_stats(a->organs->cache, &s);
	if (!admin_is_told_all(a)) {
		cache_count(a->organs->cache, &filter, &own);
		own.is_open = s.is_open;
		own.is_read = s.is_read;
		own.disk_cause = s.disk_cause;
		s = own;
	}
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	json_key(&o, "memory");
	put_memory(a, &o, &s);
	json_key(&o, "disk");
	put_disk(a, &o, &s);
	if (admin_is_told_all(a))
		put_counters(a, &o, &s);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

static void put_entry(struct cache_telling *t, const struct cache_key *key,
	const struct cache_entry *e, size_t body_bytes)
{
	struct admin_call *a = container_of(t, struct admin_call, telling);
	struct json_out *o = &a->out;
	const int64_t now_s = admin_now_s(a);
	char id[2 * ID_BYTES + 1];
	for (size_t i = 0; i < ID_BYTES; i++)
		(void)snprintf(id + 2 * i, 3, "%02x", key->bytes[i]);
	json_open(o, '{');
	json_pair_str(o, "id", span_str(id));
	struct span about = e->about;
	json_pair_str(o, "scope", span_cut(&about, '\n'));
	json_pair_str(o, "target", span_cut(&about, '\n'));
	json_pair_str(o, "op", span_cut(&about, '\n'));
	json_pair_i64(o, "bytes", (int64_t)body_bytes);
	json_pair_i64(o, "age_s", e->at_s < now_s ? now_s - e->at_s : 0);
	json_pair_i64(o, "fresh_s", e->fresh_s > now_s ? e->fresh_s - now_s : 0);
	json_close(o, '}');
}

static void on_listed(struct cache_telling *t)
{
	struct admin_call *a = container_of(t, struct admin_call, telling);
	json_close(&a->out, ']');
	json_close(&a->out, '}');
	admin_done(a);
}

enum err admin_cache_list(struct admin_call *a, struct json body, struct fault *why)
{
	int64_t most = LIST_USUALLY;
	const struct cache_filter filter = filter_of(a);
	enum err err = find_cache(a, why);
	if (!err)
		err = admin_read_i64(body, "limit", &most, why);
	if (!err && (most < 1 || most > LIST_MOST))
		err = fault_param(why, ERR_INVALID_ARGUMENT, "limit",
			"limit: a number from 1 to 1000 is wanted");
	if (err)
		return err;
	a->out = json_to(&a->json);
	json_open(&a->out, '{');
	json_key(&a->out, "entries");
	json_open(&a->out, '[');
	a->telling = (struct cache_telling){.tell = put_entry, .on_done = on_listed};
	cache_each(a->organs->cache, &filter, (size_t)most, &a->telling);
	return OK;
}

/* The call is answered when they are gone for good: what is cleared is not to come back. */
static void on_cleared(struct cache_clearing *t, int cause)
{
	struct admin_call *a = container_of(t, struct admin_call, clearing);
	struct fault why = FAULT_NONE;
	if (!cause) {
		admin_done(a);
		return;
	}
	fault_set(&why, ERR_IO,
		"the answers are gone from memory, but not all from the disk: %s. Remove the "
		"folder "
		"\"cache\" in the state folder",
		strerror(cause));
	admin_fail(a, ERR_IO, &why);
}

static bool read_id(struct span text, unsigned char to[ID_BYTES])
{
	size_t n;
	return text.n == 2 * (size_t)ID_BYTES &&
	       sodium_hex2bin(to, ID_BYTES, text.p, text.n, NULL, &n, NULL) == 0 && n == ID_BYTES;
}

/* The one that `cache.list` calls so. */
static enum err clear_one(struct admin_call *a, const struct cache_filter *filter, struct span id,
	size_t *n, struct fault *why)
{
	unsigned char begins[ID_BYTES];
	struct cache_key key;
	if (!read_id(id, begins))
		return fault_param(why, ERR_INVALID_ARGUMENT, "id",
			"an answer's id is 16 hexadecimal digits, as `llmb cache list` shows it");
	*n = cache_find(a->organs->cache, filter, span_of((const char *)begins, ID_BYTES), &key);
	if (*n > 0)
		cache_remove(a->organs->cache, &key);
	cache_make_sure(a->organs->cache, &a->clearing);
	return OK;
}

enum err admin_cache_clear(struct admin_call *a, struct json body, struct fault *why)
{
	const struct cache_filter filter = filter_of(a);
	struct span id = SPAN_NONE;
	size_t n = 0;
	enum err err = find_cache(a, why);
	if (!err)
		err = admin_read_text(a, body, "id", &id, why);
	a->clearing.on_done = on_cleared;
	if (!err && span_is_set(id))
		err = clear_one(a, &filter, id, &n, why);
	else if (!err)
		n = cache_clear(a->organs->cache, &filter, &a->clearing);
	if (err)
		return err;
	memo_forget_asked(a->organs); /* nothing that is looked for again is lost by it */
	if (!span_is_set(id) && a->organs->semantic)
		(void)semantic_clear(a->organs->semantic, &filter);
	log_info("cache.cleared", "entries=%zu uid=%u", n, (unsigned)a->peer.uid);
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	json_pair_i64(&o, "removed", (int64_t)n);
	json_close(&o, '}');
	return OK;
}
