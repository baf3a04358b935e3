/* body.c - tags, lengths, bytes. */
#include "brokerd/vault/body.h"

#include "protocol/limits.h"

#define VERSION     1
#define HEAD_BYTES  2
#define ITEM_BYTES  6 /* a tag and a length */
#define RECORD_KEY  1
#define NUMBER_SIZE 8

enum field {
	FIELD_ID = 1,
	FIELD_PROVIDER,
	FIELD_LABEL,
	FIELD_ORIGIN,
	FIELD_SECRET,
	FIELD_CREATED,
	FIELD_LAST_USED,
	FIELD_NOT_AFTER,
	FIELD_OLD_SECRET,
	FIELD_OLD_UNTIL,
	FIELD_COUNT,
};

/* ---- reading ---- */

struct item {
	unsigned tag;
	struct span bytes;
	struct span whole; /* with its tag and length */
};

/* False at the end, and where an item is cut off (r->is_short). */
static bool next_item(struct reader *r, struct item *out)
{
	const struct span from = r->rest;
	if (from.n == 0 || r->is_short)
		return false;
	out->tag = (unsigned)read_number(r, 2);
	const uint64_t n = read_number(r, 4);
	out->bytes = read_span(r, n);
	out->whole = span_first(from, from.n - r->rest.n);
	return !r->is_short;
}

static const struct {
	size_t min, max;
} sizes[FIELD_COUNT] = {
	[FIELD_ID] = {BODY_ID_BYTES, BODY_ID_BYTES     },
	[FIELD_PROVIDER] = {1,             BODY_NAME_BYTES   },
	[FIELD_LABEL] = {0,             BODY_NAME_BYTES   },
	[FIELD_ORIGIN] = {1,             BODY_ORIGIN_BYTES },
	[FIELD_SECRET] = {1,             LIMIT_SECRET_BYTES},
	[FIELD_CREATED] = {NUMBER_SIZE,   NUMBER_SIZE       },
	[FIELD_LAST_USED] = {NUMBER_SIZE,   NUMBER_SIZE       },
	[FIELD_NOT_AFTER] = {NUMBER_SIZE,   NUMBER_SIZE       },
	[FIELD_OLD_SECRET] = {1,             LIMIT_SECRET_BYTES},
	[FIELD_OLD_UNTIL] = {NUMBER_SIZE,   NUMBER_SIZE       },
};

static int64_t time_of(struct span bytes)
{
	struct reader r = {.rest = bytes};
	return (int64_t)read_number(&r, NUMBER_SIZE);
}

/* Takes one key's fields apart. False where they are not as they must be. */
static bool read_key(struct span fields, struct body_key *out)
{
	struct reader r = {.rest = fields};
	struct span found[FIELD_COUNT] = {
		{NULL, 0}
        };
	struct item field;
	while (next_item(&r, &field)) {
		if (field.tag == 0)
			return false;
		if (field.tag >= FIELD_COUNT)
			continue;
		const bool fits = field.bytes.n >= sizes[field.tag].min &&
				  field.bytes.n <= sizes[field.tag].max;
		if (span_is_set(found[field.tag]) || !fits)
			return false;
		found[field.tag] = field.bytes;
	}
	if (r.is_short)
		return false;
	for (size_t i = FIELD_ID; i <= FIELD_SECRET; i++) {
		const bool is_text = i == FIELD_PROVIDER || i == FIELD_LABEL || i == FIELD_ORIGIN;
		if (!span_is_set(found[i]))
			return false;
		if (is_text && span_index(found[i], '\0') < found[i].n)
			return false;
	}
	if (span_is_set(found[FIELD_OLD_SECRET]) != span_is_set(found[FIELD_OLD_UNTIL]))
		return false;
	*out = (struct body_key){
		.id = found[FIELD_ID],
		.provider = found[FIELD_PROVIDER],
		.label = found[FIELD_LABEL],
		.origin = found[FIELD_ORIGIN],
		.secret = found[FIELD_SECRET],
		.created_s = time_of(found[FIELD_CREATED]),
		.last_used_s = time_of(found[FIELD_LAST_USED]),
		.not_after_s = time_of(found[FIELD_NOT_AFTER]),
		.old_secret = found[FIELD_OLD_SECRET],
		.old_until_s = time_of(found[FIELD_OLD_UNTIL]),
		.fields = fields,
	};
	return true;
}

struct body_walk body_each(struct span body)
{
	return (struct body_walk){.at = {.rest = span_skip(body, HEAD_BYTES)}};
}

bool body_next(struct body_walk *w, struct body_key *out)
{
	struct item record;
	while (next_item(&w->at, &record)) {
		if (record.tag == RECORD_KEY && read_key(record.bytes, out))
			return true;
	}
	return false;
}

int64_t body_next_end_s(struct span body)
{
	struct body_walk w = body_each(body);
	struct body_key key;
	int64_t end_s = 0;
	while (body_next(&w, &key)) {
		if (span_is_set(key.old_secret) && (end_s == 0 || key.old_until_s < end_s))
			end_s = key.old_until_s;
	}
	return end_s;
}

static bool is_same(const struct body_key *k, struct span provider, struct span label)
{
	return span_eq(k->provider, provider) && span_eq(k->label, label);
}

/* Is there an earlier key of the same name or id? */
static bool is_repeated(struct span body, const struct body_key *key)
{
	struct body_walk w = body_each(body);
	struct body_key other;
	while (body_next(&w, &other) && other.fields.p != key->fields.p) {
		if (is_same(&other, key->provider, key->label) || span_eq(other.id, key->id))
			return true;
	}
	return false;
}

enum err body_check(struct span body, struct fault *why)
{
	struct reader r = {.rest = body};
	struct item record;
	struct body_key key;
	size_t keys = 0;
	const unsigned version = (unsigned)read_number(&r, 2);
	if (!r.is_short && version != VERSION)
		return fault_set(why, ERR_VERSION,
			"holds keys of version %u, and this version of llm-broker knows 1",
			version);
	while (next_item(&r, &record)) {
		if (record.tag != RECORD_KEY)
			continue;
		if (++keys > BODY_KEYS_MAX)
			return fault_set(
				why, ERR_VAULT_DAMAGED, "holds more than %d keys", BODY_KEYS_MAX);
		if (!read_key(record.bytes, &key))
			return fault_set(why, ERR_VAULT_DAMAGED,
				"opens, but its key number %zu cannot be read", keys);
		if (is_repeated(body, &key))
			return fault_set(why, ERR_VAULT_DAMAGED,
				"opens, but its key number %zu is there twice", keys);
	}
	if (r.is_short)
		return fault_set(why, ERR_VAULT_DAMAGED, "opens, but its content is cut off");
	return OK;
}

/* ---- writing ---- */

static void write_item(struct writer *w, unsigned tag, struct span bytes)
{
	write_number(w, tag, 2);
	write_number(w, bytes.n, 4);
	write_bytes(w, bytes.p, bytes.n);
}

static void write_time(struct writer *w, unsigned tag, int64_t at_s)
{
	write_number(w, tag, 2);
	write_number(w, NUMBER_SIZE, 4);
	write_number(w, (uint64_t)at_s, NUMBER_SIZE);
}

void body_empty(struct writer *out)
{
	write_number(out, VERSION, 2);
}

static void write_new_key(
	struct writer *w, const struct body_change *c, const struct body_key *replaced)
{
	const size_t texts = c->provider.n + c->label.n + c->origin.n + c->secret.n;
	const bool keeps_old =
		replaced && c->old_until_s > c->now_s && span_eq(replaced->origin, c->origin);
	const size_t old =
		keeps_old ? (size_t)2 * ITEM_BYTES + replaced->secret.n + NUMBER_SIZE : 0;
	write_number(w, RECORD_KEY, 2);
	write_number(w, 6 * ITEM_BYTES + BODY_ID_BYTES + texts + NUMBER_SIZE + old, 4);
	write_item(w, FIELD_ID, span_of((const char *)c->id, BODY_ID_BYTES));
	write_item(w, FIELD_PROVIDER, c->provider);
	write_item(w, FIELD_LABEL, c->label);
	write_item(w, FIELD_ORIGIN, c->origin);
	write_item(w, FIELD_SECRET, c->secret);
	write_time(w, FIELD_CREATED, c->now_s);
	if (!keeps_old)
		return;
	write_item(w, FIELD_OLD_SECRET, replaced->secret);
	write_time(w, FIELD_OLD_UNTIL, c->old_until_s);
}

static bool has_field(const struct body_key *key, enum field tag)
{
	struct reader r = {.rest = key->fields};
	struct item field;
	while (next_item(&r, &field)) {
		if (field.tag == tag)
			return true;
	}
	return false;
}

static bool is_over(const struct body_key *key, int64_t now_s)
{
	return span_is_set(key->old_secret) && key->old_until_s <= now_s;
}

/* A key that stays: its fields as they were, the time of its last use as it is now. */
static void write_old_key(struct writer *w, const struct body_key *key, const struct body_change *c)
{
	int64_t used_s = key->last_used_s;
	for (size_t i = 0; i < c->n_uses; i++) {
		const struct span id = span_of((const char *)c->uses[i].id, BODY_ID_BYTES);
		if (span_eq(key->id, id) && c->uses[i].at_s > used_s)
			used_s = c->uses[i].at_s;
	}
	const bool is_added = used_s != key->last_used_s && !has_field(key, FIELD_LAST_USED);
	const bool is_rid = is_over(key, c->now_s);
	const size_t more = is_added ? ITEM_BYTES + NUMBER_SIZE : 0;
	const size_t less = is_rid ? (size_t)2 * ITEM_BYTES + key->old_secret.n + NUMBER_SIZE : 0;
	struct reader r = {.rest = key->fields};
	struct item field;
	write_number(w, RECORD_KEY, 2);
	write_number(w, key->fields.n + more - less, 4);
	while (next_item(&r, &field)) {
		const bool is_old = field.tag == FIELD_OLD_SECRET || field.tag == FIELD_OLD_UNTIL;
		if (field.tag == FIELD_LAST_USED)
			write_time(w, FIELD_LAST_USED, used_s);
		else if (!is_rid || !is_old)
			write_bytes(w, field.whole.p, field.whole.n);
	}
	if (is_added)
		write_time(w, FIELD_LAST_USED, used_s);
}

size_t body_rewrite_bound(struct span old, const struct body_change *c)
{
	const size_t per_item = ITEM_BYTES + NUMBER_SIZE + BODY_ID_BYTES;
	return old.n + c->provider.n + c->label.n + c->origin.n + c->secret.n +
	       (16 + c->n_uses) * per_item;
}

void body_rewrite(struct span old, const struct body_change *c, struct writer *out, bool *found)
{
	struct reader r = {.rest = span_skip(old, HEAD_BYTES)};
	struct item record;
	struct body_key key;
	*found = false;
	body_empty(out);
	while (next_item(&r, &record)) {
		if (record.tag != RECORD_KEY || !read_key(record.bytes, &key)) {
			write_bytes(out, record.whole.p, record.whole.n);
			continue;
		}
		if (!span_is_set(c->provider) || !is_same(&key, c->provider, c->label)) {
			write_old_key(out, &key, c);
			continue;
		}
		*found = true;
		if (!c->is_removal)
			write_new_key(out, c, &key);
	}
	if (span_is_set(c->provider) && !*found && !c->is_removal)
		write_new_key(out, c, NULL);
}
