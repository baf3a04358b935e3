/* memo_key.c - the scope, the request as it goes to a provider, and the target: in that order, for only the last differs. */
#include "brokerd/exchange/memo_key.h"

#include <sodium.h>
#include <string.h>

#include "brokerd/exchange/memo_asked.h"
#include "brokerd/exchange/memo_scope.h"
#include "brokerd/exchange/steps.h"
#include "protocol/limits.h"

#define SCRATCH_BYTES (256 * KIB) /* is kept for the next one */

static bool has_answers(enum llm_op op)
{
	return op == LLM_OP_CHAT || op == LLM_OP_COMPLETE || op == LLM_OP_EMBED ||
	       op == LLM_OP_RERANK || op == LLM_OP_MODERATE;
}

/* What its caller wants, as far as the rules for him allow it. */
static void decide(struct exchange *x)
{
	struct memo *m = &x->memo;
	const struct flight *f = x->flight;
	struct allowance_cache may;
	allowance_cache(&x->allowance, &may);
	const bool is_default = may.is_default || cache_is_repeatable(f->op, &f->request);
	const enum cache_wish wish = m->terms.wish;
	const bool is_on = wish == CACHE_ON || (wish == CACHE_UNSAID && is_default);
	m->is_decided = true;
	struct memo_scope s;
	if (!has_answers(f->op) || f->request.wants_raw || !memo_scope(&x->peer, may.scope, &s))
		return;
	if (arena_dup(&x->flight->arena, span_of(s.text, s.n), &m->scope))
		return;
	m->reads = (is_on || wish == CACHE_READ || wish == CACHE_ONLY) && may.may_read;
	m->writes = (is_on || wish == CACHE_WRITE || wish == CACHE_REFRESH) && may.may_write;
	m->joins = m->reads && m->writes;
}

/* The body that its caller sent, for who sends the very same. */
static void find_tag(struct exchange *x)
{
	const struct surface_call *c = &x->relay.call;
	crypto_generichash_state h;
	if (!x->is_relayed || !x->relay.surface)
		return; /* it reads no bytes, and none are of it */
	const struct span texts[] = {
		c->surface, c->op, c->path, c->query, buf_view(&x->flight->body)};
	crypto_generichash_init(
		&h, x->organs->cache_secret, CACHE_SECRET_BYTES, sizeof x->memo.tag);
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		const uint64_t n = texts[i].n;
		crypto_generichash_update(&h, (const unsigned char *)&n, sizeof n);
		crypto_generichash_update(&h, (const unsigned char *)texts[i].p, texts[i].n);
	}
	crypto_generichash_final(&h, x->memo.tag, sizeof x->memo.tag);
}

struct cache_ask memo_ask(const struct exchange *x)
{
	return (struct cache_ask){.op = x->flight->op,
		.request = &x->flight->request,
		.surface = x->is_relayed ? x->relay.call.surface : SPAN_NONE,
		.body = x->relay.body,
		.headers = x->is_relayed ? x->relay.call.headers : NULL,
		.n_headers = x->is_relayed ? x->relay.call.n_headers : 0};
}

/* What is packed to be hashed is the whole prompt: none of it stays. */
static enum err find_core_asked(struct exchange *x)
{
	struct organs *o = x->organs;
	const struct cache_ask ask = memo_ask(x);
	if (memo_asked_core(x, &x->memo.core))
		return OK;
	o->scratch.max = 2 * LIMIT_BODY_BYTES;
	if (!span_is_set(ask.surface)) /* else its body is hashed as it is */
		(void)buf_reserve(&o->scratch, x->flight->body.n + KIB); /* as much, or about */
	const enum err err = cache_core(o->cache_secret, &ask, &o->scratch, &x->memo.core);
	if (err || o->scratch.cap > SCRATCH_BYTES) {
		buf_wipe(&o->scratch);
	} else if (o->scratch.n > 0) {
		explicit_bzero(o->scratch.p, o->scratch.n);
		buf_clear(&o->scratch);
	}
	return err;
}

bool memo_wants(struct exchange *x)
{
	struct memo *m = &x->memo;
	if (m->is_decided)
		return m->reads || m->writes;
	decide(x);
	if (!m->reads && !m->writes)
		return false;
	if (find_core_asked(x)) {
		m->reads = m->writes = m->joins = false;
		return false;
	}
	find_tag(x);
	return true;
}

void memo_key_of(const struct exchange *x, const struct cache_core *core, const struct target *t,
	struct cache_key *out)
{
	const struct memo *m = &x->memo;
	const struct cache_place place = {.scope = m->scope,
		.name_space = m->terms.name_space,
		.provider = t->provider,
		.base_url = t->base_url,
		.path = t->path,
		.family = t->family,
		.model = t->model,
		.headers = t->headers,
		.n_headers = t->n_headers};
	cache_key(x->organs->cache_secret, core, &place, out);
}

bool memo_has_items(const struct llm_request *r)
{
	for (size_t i = 0; i < r->n_messages; i++) {
		for (size_t k = 0; k < r->messages[i].n_parts; k++) {
			const struct part *p = &r->messages[i].parts[k];
			if (p->type == PART_TOOL_CALL || span_is_set(p->opaque.family))
				return true;
		}
	}
	return false;
}

/* What cannot be told has one that nobody else has. */
static void core_sent(
	const struct exchange *x, const struct llm_request *sent, struct cache_core *core)
{
	OWNED(buf_done) struct buf scratch = BUF_INIT(2 * LIMIT_BODY_BYTES);
	*core = x->memo.core;
	if (!sent || cache_core_sent(x->organs->cache_secret, sent, &scratch, core))
		randombytes_buf(core->bytes, sizeof core->bytes);
}

/* Of the request as it would go to the target in hand now. */
static void find_core(const struct exchange *x, struct cache_core *core)
{
	const struct llm_request *asked = &x->flight->request, *sent = asked;
	bool is_whole;
	OWNED(arena_done) struct arena a;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	if (exchange_as_sent(x, asked, &a, &sent, &is_whole))
		sent = NULL;
	*core = x->memo.core;
	if (sent != asked)
		core_sent(x, sent, core);
}

/* The same for all targets who have made the same items, and read them alike: once a call. NULL: out of memory. */
static const struct memo_sent *sent_to(struct exchange *x, size_t i)
{
	struct flight *f = x->flight;
	const struct target *t = &f->route.targets[i];
	const size_t was = f->leg->target;
	struct memo_sent *s = x->memo.sent;
	f->leg->target = i;
	const bool may_forward = exchange_may_forward(x);
	while (s && (s->may_forward != may_forward || !span_eq(s->provider, t->provider) ||
			    !span_eq(s->key, t->key) || !span_eq(s->family, t->family)))
		s = s->next;
	if (!s && (s = arena_alloc(&f->arena, sizeof *s))) {
		*s = (struct memo_sent){.next = x->memo.sent,
			.provider = t->provider,
			.key = t->key,
			.family = t->family,
			.may_forward = may_forward};
		find_core(x, &s->core);
		x->memo.sent = s;
	}
	f->leg->target = was;
	return s;
}

void memo_key(struct exchange *x, size_t i, struct cache_key *out)
{
	const struct flight *f = x->flight;
	struct cache_core core = x->memo.core;
	if (memo_has_items(&f->request)) {
		const struct memo_sent *s = sent_to(x, i);
		if (s)
			core = s->core;
		else
			core_sent(x, NULL, &core);
	}
	memo_key_of(x, &core, &f->route.targets[i], out);
}

void memo_note_sent(struct exchange *x, const struct llm_request *sent)
{
	struct leg *l = x->flight->leg;
	l->has_core = x->memo.writes && sent != &l->asked;
	if (l->has_core)
		core_sent(x, sent, &l->core);
}

/* Who may clear it: a user all that is his. What is the host's is of no user. */
#define OF_HOST (UINT64_C(1) << 32)

uint64_t memo_scope_number(const struct exchange *x)
{
	const struct memo *m = &x->memo;
	const bool is_host = span_is(m->scope, "host");
	return is_host ? OF_HOST : (uint64_t)x->peer.uid;
}

struct cache_filter memo_of_user(uint32_t uid)
{
	return (struct cache_filter){.is_of_scope = true, .scope = uid};
}
