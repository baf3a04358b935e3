/* subject.c - lengths before texts, so that no two subjects have the same bytes. */
#include "brokerd/limit/subject.h"

#include <assert.h>
#include <stdio.h>

#define N_SPANS 6

static void spans_of(const struct limit_subject *s, struct span to[N_SPANS])
{
	to[0] = s->app;
	to[1] = s->policy;
	to[2] = s->provider;
	to[3] = s->key;
	to[4] = s->model;
	to[5] = s->asked;
}

void subject_pack(const struct limit_subject *s, struct buf *out)
{
	struct span all[N_SPANS];
	uint32_t head[N_SPANS + 1];
	spans_of(s, all);
	head[0] = s->uid;
	for (size_t i = 0; i < N_SPANS; i++)
		head[i + 1] = (uint32_t)all[i].n;
	buf_put(out, head, sizeof head);
	for (size_t i = 0; i < N_SPANS; i++)
		buf_span(out, all[i]);
}

void subject_unpack(struct span bytes, struct limit_subject *out)
{
	uint32_t head[N_SPANS + 1];
	struct span all[N_SPANS];
	assert(bytes.n >= sizeof head);
	memcpy(head, bytes.p, sizeof head);
	bytes = span_skip(bytes, sizeof head);
	for (size_t i = 0; i < N_SPANS; i++) {
		assert(bytes.n >= head[i + 1]);
		all[i] = span_first(bytes, head[i + 1]);
		bytes = span_skip(bytes, head[i + 1]);
	}
	*out = (struct limit_subject){
		all[0], all[1], all[2], all[3], all[4], all[5], head[0], NULL};
}

struct span subject_value(const struct limit_subject *s, enum limit_each e, char number[16])
{
	switch (e) {
	case LIMIT_EACH_APP:
		return s->app;
	case LIMIT_EACH_USER:
		(void)snprintf(number, 16, "%u", (unsigned)s->uid);
		return span_str(number);
	case LIMIT_EACH_POLICY:
		return s->policy;
	case LIMIT_EACH_PROVIDER:
		return s->provider;
	case LIMIT_EACH_KEY:
		return s->key;
	case LIMIT_EACH_MODEL:
		return s->model;
	case LIMIT_EACH_COUNT:
		break;
	}
	return SPAN_NONE;
}

bool subject_is_alike(const struct limit_subject *a, const struct limit_subject *b, uint32_t each)
{
	char x[16], y[16];
	for (unsigned i = 0; i < LIMIT_EACH_COUNT; i++) {
		const enum limit_each e = (enum limit_each)i;
		if (each & UINT32_C(1) << i &&
			!span_eq(subject_value(a, e, x), subject_value(b, e, y)))
			return false;
	}
	return true;
}

struct limit_subject subject_only(const struct limit_subject *s, uint32_t each)
{
	struct limit_subject only = {.app = SPAN_NONE};
	if (each & UINT32_C(1) << LIMIT_EACH_APP)
		only.app = s->app;
	if (each & UINT32_C(1) << LIMIT_EACH_USER)
		only.uid = s->uid;
	if (each & UINT32_C(1) << LIMIT_EACH_POLICY)
		only.policy = s->policy;
	if (each & UINT32_C(1) << LIMIT_EACH_PROVIDER)
		only.provider = s->provider;
	if (each & UINT32_C(1) << LIMIT_EACH_KEY)
		only.key = s->key;
	if (each & UINT32_C(1) << LIMIT_EACH_MODEL)
		only.model = s->model;
	return only;
}

/* ---- rules ---- */

/* "LEFT/RIGHT" against the patterns, without a copy where it is short. */
static bool pair_fits(const struct words *w, struct span left, struct span right)
{
	char both[512];
	bool has_slash = false;
	for (size_t i = 0; i < w->n && !has_slash; i++)
		has_slash = span_index(w->list[i], '/') < w->list[i].n ||
			    span_index(w->list[i], '*') < w->list[i].n;
	if (!has_slash || left.n == 0 || left.n + right.n + 1 > sizeof both)
		return false;
	memcpy(both, left.p, left.n);
	both[left.n] = '/';
	if (right.n > 0)
		memcpy(both + left.n + 1, right.p, right.n);
	return words_fit(w, span_of(both, left.n + 1 + right.n));
}

static bool users_fit(const struct words *w, uint32_t uid)
{
	char number[16];
	(void)snprintf(number, sizeof number, "%u", (unsigned)uid);
	return w->n == 0 || words_fit(w, span_str(number));
}

static bool fits(const struct words *w, struct span text)
{
	return w->n == 0 || words_fit(w, text);
}

bool subject_falls_under(const struct limit_subject *s, const struct limit_rule *r)
{
	return fits(&r->apps, s->app) && users_fit(&r->users, s->uid) &&
	       fits(&r->policies, s->policy) && fits(&r->providers, s->provider) &&
	       (fits(&r->keys, s->key) || pair_fits(&r->keys, s->provider, s->key)) &&
	       (fits(&r->models, s->asked) || pair_fits(&r->models, s->provider, s->model));
}
