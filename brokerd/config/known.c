/* known.c - a place for each name, which the next one of the same place takes. */
#include "brokerd/config/known.h"

#include <stdlib.h>

#define PLACES     ((size_t)32)
#define NAME_BYTES ((size_t)96)

struct place {
	const struct provider *provider; /* NULL: nothing is there */
	const struct model *alias;
	int64_t day;
	size_t name_bytes;
	char name[NAME_BYTES];
	struct target target; /* but for its model's name */
};

struct known {
	struct place *places; /* NULL: nothing was kept so far */
};

struct known *known_new(void)
{
	return calloc(1, sizeof(struct known));
}

void known_free(struct known *k)
{
	if (k)
		free(k->places);
	free(k);
}

void known_forget(struct known *k)
{
	if (k)
		free(TAKE(k->places));
}

/* Whoever makes others meet finds no more than what is not remembered. */
static struct place *place_of(const struct known *k, const struct provider *p, struct span model,
	const struct model *alias)
{
	uint64_t h = (uint64_t)(uintptr_t)p ^ (uint64_t)(uintptr_t)alias << 1;
	for (size_t i = 0; i < model.n; i++)
		h = (h ^ (unsigned char)model.p[i]) * UINT64_C(0x100000001b3);
	return &k->places[h >> 32 & (PLACES - 1)];
}

static int64_t today(const struct config *c)
{
	return c->catalogue ? catalogue_day(c->catalogue) : 0;
}

bool known_find(const struct config *c, const struct provider *p, struct span model,
	const struct model *alias, struct target *out)
{
	if (!c->known || !c->known->places || model.n > NAME_BYTES)
		return false;
	const struct place *at = place_of(c->known, p, model, alias);
	if (at->provider != p || at->alias != alias || at->day != today(c) ||
		!span_eq(span_of(at->name, at->name_bytes), model))
		return false;
	*out = at->target;
	out->model = model;
	return true;
}

void known_keep(const struct config *c, const struct provider *p, const struct model *alias,
	const struct target *t)
{
	struct known *k = c->known;
	if (!k || t->model.n > NAME_BYTES)
		return;
	if (!k->places)
		k->places = calloc(PLACES, sizeof *k->places);
	if (!k->places)
		return; /* it is found out each time */
	struct place *at = place_of(k, p, t->model, alias);
	at->provider = p;
	at->alias = alias;
	at->day = today(c);
	at->name_bytes = t->model.n;
	if (t->model.n > 0)
		memcpy(at->name, t->model.p, t->model.n);
	at->target = *t;
	at->target.model = SPAN_NONE;
}
