/* native_place.c - a header, a model, else whoever is alone. */
#include "brokerd/exchange/native_place.h"

#include "brokerd/exchange/form_field.h"
#include "brokerd/exchange/steps.h"
#include "brokerd/route/endpoint.h"
#include "brokerd/route/route.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

#define HEADER      "x-llm-broker-provider"
#define NAMED_BYTES ((size_t)512) /* of providers in a sentence, */
#define PATH_BYTES  ((size_t)96)  /* and of a path */

/* What is to be found, and what was. */
struct search {
	struct exchange *x;
	struct endpoint endpoint;
	const struct provider *found;
	struct buf path;    /* of *found, below its host */
	struct buf sayings; /* who it could be, for a sentence */
	struct fault denied;
	size_t n;
};

static struct span named_by_header(const struct surface_call *call)
{
	for (size_t i = 0; i < call->n_headers; i++) {
		if (span_is(call->headers[i].key, HEADER))
			return span_trim(call->headers[i].value);
	}
	return SPAN_NONE;
}

static enum err settle_on(struct exchange *x, struct span provider, struct span path)
{
	struct surface_call *call = &x->relay.call;
	call->provider = provider;
	return path.n > 0 ? arena_dup(&x->flight->arena, path, &call->path) : OK;
}

/* It goes where that provider has it; where it has nothing of the kind, as it is. */
static enum err go_by_name(struct exchange *x, struct span name, const struct endpoint *e)
{
	OWNED(buf_done) struct buf path = BUF_INIT(64 * KIB);
	const struct config *c = x->flight->config;
	const struct provider *p = config_provider(c, name);
	struct endpoint each = *e;
	if (p)
		(void)endpoint_at(c, p, &each, &path);
	while (p && path.n == 0 && endpoint_next(&each))
		(void)endpoint_at(c, p, &each, &path);
	return settle_on(x, name, buf_view(&path));
}

/* ---- who there is ---- */

static bool key_at(const void *context, struct span provider, size_t i, struct span *label)
{
	const struct exchange *x = context;
	return tokens_key_at(x->organs->tokens, x->flight->config, provider, i, label);
}

/* Of those that need none, only one that somebody has set up. */
static bool has_key(const struct exchange *x, const struct provider *p)
{
	struct span label;
	return p->auth == AUTH_NONE ? !p->is_builtin && !p->is_offline
				    : key_at(x, p->name, 0, &label);
}

static bool may_go(
	const struct exchange *x, const struct provider *p, struct span path, struct fault *why)
{
	const struct span method = x->relay.call.method;
	return allowance_native(&x->allowance, p->name, span_is_set(method) ? method : SPAN("POST"),
		       path, why) == OK;
}

/* Looks for providers that have it as surely as that. */
static void look(struct search *s, enum endpoint_has has)
{
	const struct config *c = s->x->flight->config;
	s->n = 0;
	buf_clear(&s->sayings);
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		OWNED(buf_done) struct buf path = BUF_INIT(64 * KIB);
		if (!has_key(s->x, p) || endpoint_at(c, p, &s->endpoint, &path) != has ||
			path.n == 0 || !may_go(s->x, p, buf_view(&path), &s->denied))
			continue;
		buf_print(&s->sayings, "%s/native/%.*s%.*s", s->n > 0 ? " or " : "",
			SPAN_ARG(p->name), SPAN_ARG(span_first(buf_view(&path), PATH_BYTES)));
		if (s->n++ == 0) {
			s->found = p;
			buf_clear(&s->path);
			buf_move(&s->path, &path);
		}
	}
}

/* Those that say that they have it go before those of whom nobody says. */
static void look_everywhere(struct search *s)
{
	do {
		look(s, ENDPOINT_THERE);
		if (s->n == 0)
			look(s, ENDPOINT_PERHAPS);
	} while (s->n == 0 && endpoint_next(&s->endpoint));
}

/* A locked or damaged vault must not look like one without keys. */
static enum err check_vault(const struct exchange *x, struct fault *why)
{
	const enum vault_state state = vault_state(x->organs->vault);
	const enum err err = state == VAULT_LOCKED    ? ERR_LOCKED
			     : state == VAULT_DAMAGED ? ERR_VAULT_DAMAGED
						      : OK;
	return err ? fault_set(why, err, "%s", err_info(err)->sentence) : OK;
}

/* Which providers have a key: any of them can be named. */
static void say_keyed(struct search *s)
{
	const struct config *c = s->x->flight->config;
	buf_clear(&s->sayings);
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		if (!has_key(s->x, p) || !allowance_has_any(&s->x->allowance, p->name))
			continue;
		buf_print(&s->sayings, "%s%.*s", s->sayings.n > 0 ? ", " : "", SPAN_ARG(p->name));
	}
}

static enum err refuse(struct search *s, struct fault *why)
{
	const struct span path = span_first(s->endpoint.path, PATH_BYTES);
	if (s->n == 0 && s->denied.err) {
		*why = s->denied;
		return why->err;
	}
	if (s->n == 0 && check_vault(s->x, why))
		return why->err;
	if (s->n == 0)
		say_keyed(s);
	if (s->sayings.n == 0)
		return fault_param(why, ERR_INVALID_REQUEST, "surface.provider",
			"no provider with %.*s has a key here: `llmb key add PROVIDER` adds one",
			SPAN_ARG(path));
	const struct span who = span_first(buf_view(&s->sayings), NAMED_BYTES);
	if (s->n > 1)
		return fault_param(why, ERR_INVALID_REQUEST, "surface.provider",
			"more than one provider has %.*s: ask at %.*s, or name one by the "
			"header " HEADER,
			SPAN_ARG(path), SPAN_ARG(who));
	return fault_param(why, ERR_INVALID_REQUEST, "surface.provider",
		"no provider with a key is known to have %.*s: ask at /native/PROVIDER%.*s, where "
		"PROVIDER is one of %.*s",
		SPAN_ARG(path), SPAN_ARG(path), SPAN_ARG(who));
}

static enum err go_to_the_only_one(struct search *s, struct fault *why)
{
	look_everywhere(s);
	if (s->n != 1)
		return refuse(s, why);
	return settle_on(s->x, s->found->name, buf_view(&s->path));
}

/* ---- the model ---- */

/* The name in a body, as a copy, and where it stands there: its JSON text, or a field of a form. */
struct asked {
	struct span model, at;
	bool is_json;
};

static bool find_model(const struct exchange *x, struct asked *out)
{
	const struct json_rules rules = {.max_depth = JSON_DEPTH_MAX, .has_unique_names = true};
	const struct span body = buf_view(&x->flight->body);
	const struct span type = x->relay.call.content_type;
	struct json v;
	*out = (struct asked){.model = SPAN_NONE};
	if (form_field(type, body, "model", &out->at))
		return arena_dup(&x->flight->arena, out->at, &out->model) == OK;
	const struct span text = span_trim(body);
	if (text.n == 0 || text.p[0] != '{' || json_scan(body, rules, &v, NULL))
		return false;
	const struct json model = json_member(v, "model");
	struct span name;
	out->is_json = true;
	out->at = model.text;
	return !json_is_nil(model) && json_utf8(model, &x->flight->arena, &name) == OK &&
	       arena_dup(&x->flight->arena, name, &out->model) == OK;
}

/* What may be told in logs, heads and frames. */
static bool is_name(struct span model)
{
	return model.n > 0 && model.n <= LIMIT_LABEL_BYTES && !span_has_control(model) &&
	       utf8_is_valid(model);
}

/* Its bytes go on as they are, but for the name. */
static enum err rename_model(struct exchange *x, const struct asked *was, struct span model)
{
	struct flight *f = x->flight;
	struct buf *body = &f->body;
	struct buf named = BUF_INIT(LIMIT_BODY_BYTES);
	const size_t before = (size_t)(was->at.p - body->p);
	buf_span(&named, span_first(buf_view(body), before));
	if (was->is_json) {
		struct json_out o = json_to(&named);
		json_put_str(&o, model);
	} else {
		buf_span(&named, model);
	}
	buf_span(&named, span_skip(buf_view(body), before + was->at.n));
	if (buf_error(&named)) {
		const enum err err = buf_error(&named);
		buf_done(&named);
		return err;
	}
	x->organs->body_bytes += named.n;
	x->organs->body_bytes -= body->n;
	buf_clear(body);
	buf_move(body, &named);
	x->relay.body = json_of(buf_view(body));
	return OK;
}

/* The first of the model's targets that has the endpoint and a key; else the first that has the endpoint, which can be told
 * that a key is missing. NULL: none has. */
static const struct target *first_that_has(struct search *s, const struct route *route)
{
	const struct config *c = s->x->flight->config;
	const struct target *best = NULL;
	bool is_best_keyed = false;
	for (size_t i = 0; i < route->n && !is_best_keyed; i++) {
		const struct target *t = &route->targets[i];
		const struct provider *p = config_provider(c, t->provider);
		OWNED(buf_done) struct buf path = BUF_INIT(64 * KIB);
		if (!p || t->list != TARGETS_USUAL ||
			endpoint_at(c, p, &s->endpoint, &path) == ENDPOINT_NOT)
			continue;
		const bool is_keyed = has_key(s->x, p);
		if ((best && !is_keyed) || !may_go(s->x, p, buf_view(&path), &s->denied))
			continue;
		best = t;
		is_best_keyed = is_keyed;
		buf_clear(&s->path);
		buf_move(&s->path, &path);
	}
	return best;
}

/* Is it the name of a provider's, as this broker has them, or one of its aliases? */
static bool says_where(const struct config *c, struct span model)
{
	const size_t slash = span_index(model, '/');
	const struct model *alias = config_model(c, model);
	return (alias && alias->n_targets > 0) ||
	       (slash < model.n && config_provider(c, span_first(model, slash)));
}

/* *is_found: the model said where. */
static enum err go_by_model(
	struct search *s, const struct asked *asked, bool *is_found, struct fault *why)
{
	struct exchange *x = s->x;
	struct flight *f = x->flight;
	const struct route_keys keys = {key_at, x};
	struct fault own = FAULT_NONE;
	struct route route = {.n = 0};
	const bool must = says_where(f->config, asked->model);
	enum err err = route_find_op(
		f->config, LLM_OP_CHAT, asked->model, NULL, 0, &keys, &f->arena, &route, &own);
	if (err == ERR_NO_MEMORY)
		return err;
	if (err && must) {
		*why = own;
		return err;
	}
	const struct target *t = err ? NULL : first_that_has(s, &route);
	if (!t && must && s->denied.err) {
		*why = s->denied;
		return why->err;
	}
	if (!t && must)
		return fault_param(why, ERR_INVALID_REQUEST, "model",
			"where %.*s leads to there is no %.*s",
			SPAN_ARG(span_first(asked->model, LIMIT_LABEL_BYTES)),
			SPAN_ARG(span_first(s->endpoint.path, PATH_BYTES)));
	if (!t)
		return OK;
	*is_found = true;
	x->asked_model = asked->model;
	f->request.model = t->model;
	err = settle_on(x, t->provider, buf_view(&s->path));
	return err || span_eq(t->model, asked->model) ? err : rename_model(x, asked, t->model);
}

enum err native_place(struct exchange *x, struct fault *why)
{
	const struct surface_call *call = &x->relay.call;
	const struct span named = named_by_header(call);
	struct search s = {.x = x, .denied = FAULT_NONE};
	struct asked asked;
	bool is_found = false;
	enum err err = OK;
	endpoint_find(call, &s.endpoint);
	if (named.n > 0)
		return go_by_name(x, named, &s.endpoint);
	buf_init(&s.path, 64 * KIB);
	buf_init(&s.sayings, 64 * KIB);
	if (find_model(x, &asked) && is_name(asked.model))
		err = go_by_model(&s, &asked, &is_found, why);
	if (!err && !is_found) {
		s.denied = FAULT_NONE;
		err = go_to_the_only_one(&s, why);
	}
	buf_done(&s.path);
	buf_done(&s.sayings);
	return err;
}
