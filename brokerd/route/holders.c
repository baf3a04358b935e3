/* holders.c - sets of a few places each: who comes takes the place in its set that was used longest ago. */
#include "brokerd/route/holders.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "protocol/base/table.h"

#define WAYS ((size_t)8)
#define SETS (HOLDERS_MAX / WAYS)

struct holder {
	uint64_t key; /* 0: the place is free */
	uint64_t target;
	int64_t used_us;
	bool is_long;
};

struct holders {
	unsigned char secret[16];
	struct holder sets[SETS][WAYS];
};

struct holders *holders_new(void)
{
	struct holders *h = calloc(1, sizeof *h); /* untouched memory costs nothing */
	if (h)
		randombytes_buf(h->secret, sizeof h->secret);
	return h;
}

void holders_free(struct holders *h)
{
	if (!h)
		return;
	sodium_memzero(h->secret, sizeof h->secret);
	free(h);
}

/* ---- by what it is known ---- */

struct digest {
	const unsigned char *secret;
	uint64_t hash;
	size_t left; /* bytes that are looked at */
};

static void add_number(struct digest *d, uint64_t number)
{
	const uint64_t pair[2] = {d->hash, number};
	d->hash = siphash(d->secret, pair, sizeof pair);
}

static void add_text(struct digest *d, struct span text)
{
	size_t n = text.n < HOLDERS_TEXT_BYTES ? text.n : HOLDERS_TEXT_BYTES;
	n = n < d->left ? n : d->left;
	d->left -= n;
	const uint64_t all[3] = {d->hash, text.n, n > 0 ? siphash(d->secret, text.p, n) : 0};
	d->hash = siphash(d->secret, all, sizeof all);
}

static void add_message(struct digest *d, const struct message *m)
{
	add_number(d, (uint64_t)m->role << 32 | m->n_parts);
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		if (p->type != PART_TEXT)
			add_number(d, p->type);
		add_text(d, span_is_set(p->text)         ? p->text
			    : span_is_set(p->media.data) ? p->media.data
			    : span_is_set(p->media.url)  ? p->media.url
							 : p->media.file_id);
	}
}

static void add_request(struct digest *d, const struct llm_request *r)
{
	bool has_user = false;
	for (size_t m = 0; m < r->n_messages && !has_user; m++) {
		has_user = r->messages[m].role == ROLE_USER;
		add_message(d, &r->messages[m]);
	}
	add_number(d, r->n_tools);
	for (size_t i = 0; i < r->n_tools; i++) {
		const struct tool *t = &r->tools[i];
		add_text(d, t->name);
		add_number(d, (uint64_t)t->description.n << 32 ^ t->parameters.n ^ t->raw.n);
	}
}

uint64_t holders_key(const struct holders *h, const struct holders_ask *ask)
{
	if (!h)
		return 1;
	struct digest d = {h->secret, ask->owner, HOLDERS_BYTES};
	add_text(&d, ask->model);
	add_number(&d, span_is_set(ask->word));
	if (span_is_set(ask->word))
		add_text(&d, ask->word);
	else
		add_request(&d, ask->request);
	return d.hash ? d.hash : 1;
}

#define NAME_BYTES ((size_t)96) /* names that differ only behind these are taken for one */

static size_t put_name(char *to, struct span name)
{
	const size_t n = name.n < NAME_BYTES ? name.n : NAME_BYTES;
	to[0] = (char)n;
	if (n > 0)
		memcpy(to + 1, name.p, n);
	return n + 1;
}

/* Looked at for each target of a route: hashed in one piece. */
static uint64_t target_of(const struct holders *h, const struct target *t)
{
	char names[3 * (NAME_BYTES + 1)];
	size_t n = put_name(names, t->provider);
	n += put_name(names + n, t->model);
	n += put_name(names + n, t->key);
	const uint64_t hash = siphash(h->secret, names, n);
	return hash ? hash : 1;
}

/* ---- who has it ---- */

static bool is_alive(const struct holder *one, int64_t now_us)
{
	return now_us - one->used_us < (one->is_long ? HOLDERS_LONG_US : HOLDERS_US);
}

uint64_t holders_find(const struct holders *h, uint64_t key, int64_t now_us)
{
	for (size_t i = 0; h && i < WAYS; i++) {
		const struct holder *one = &h->sets[key % SETS][i];
		if (one->key == key)
			return is_alive(one, now_us) ? one->target : 0;
	}
	return 0;
}

bool holders_is(const struct holders *h, uint64_t holder, const struct target *t)
{
	return h && holder != 0 && holder == target_of(h, t);
}

void holders_note(
	struct holders *h, uint64_t key, const struct target *t, bool is_long, int64_t now_us)
{
	if (!h)
		return;
	assert(key != 0);
	struct holder *set = h->sets[key % SETS], *to = &set[0];
	for (size_t i = 0; i < WAYS; i++) {
		struct holder *one = &set[i];
		if (one->key == key) {
			to = one;
			break;
		}
		if (one->key == 0 ? to->key != 0 : to->key != 0 && one->used_us < to->used_us)
			to = one;
	}
	const uint64_t target = target_of(h, t);
	const bool was_long =
		to->key == key && to->target == target && to->is_long && is_alive(to, now_us);
	*to = (struct holder){key, target, now_us, is_long || was_long};
}
