/* memo_asked.c - by whom it is asked, and the very bytes. */
#include "brokerd/exchange/memo_asked.h"

#include "brokerd/exchange/memo_scope.h"
#include "brokerd/exchange/steps.h"
#include "brokerd/log/log.h"

/* False: it is not known whose it is, or it is no body that would be read the same by itself. Others who share its answers
 * would tell by the time that it takes whether it was asked: so it is the application's own, and of what that keeps apart. */
static bool describe(const struct exchange *x, struct memo_scope *s, struct asked_of *of)
{
	if (x->is_relayed || !memo_scope(&x->peer, POLICY_SCOPE_APP, s))
		return false;
	*of = (struct asked_of){.who = span_of(s->text, s->n),
		.name_space = x->memo.terms.name_space,
		.op = x->flight->op,
		.body = buf_view(&x->flight->body)};
	return true;
}

enum err memo_read_request(struct exchange *x, struct fault *why)
{
	struct flight *f = x->flight;
	struct memo *m = &x->memo;
	const struct askeds *all = &x->organs->asked;
	struct memo_scope s;
	struct asked_of of;
	if (all->n > 0 && m->terms.wish != CACHE_OFF && describe(x, &s, &of))
		m->asked = asked_find(all, &of);
	if (!m->asked)
		return request_unpack_op(f->op, buf_view(&f->body), &f->arena, &f->request, why);
	f->request = m->asked->request;
	log_debug("cache.asked", "id=%s", x->id);
	return OK;
}

bool memo_asked_core(struct exchange *x, struct cache_core *out)
{
	struct memo *m = &x->memo;
	const struct asked_body *one = m->asked;
	const struct opt_i64 max = x->flight->request.max_tokens;
	m->asked_generation = x->organs->asked.generation;
	if (!one || one->max_tokens.is_set != max.is_set || one->max_tokens.v != max.v)
		return false;
	*out = one->core;
	return true;
}

void memo_note_found(struct exchange *x)
{
	const struct memo *m = &x->memo;
	struct askeds *all = &x->organs->asked;
	struct memo_scope s;
	struct asked_of of;
	/* it may have waited since its key was made, and what was cleared meanwhile stays so */
	if (m->asked || m->asked_generation != all->generation || !describe(x, &s, &of))
		return;
	of.read_bytes = x->flight->arena.total;
	asked_keep(all, &of, x->flight->request.max_tokens, &m->core);
}

void memo_forget_asked(struct organs *o)
{
	askeds_clear(&o->asked);
	agains_clear(&o->again);
}
