/* listing.c - aliases, sections, and a target for each provider. */
#include "brokerd/exchange/listing.h"

#include <stdio.h>

#include "brokerd/dialect/dialect.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/value/ops.h"
#include "protocol/limits.h"

/* Is it one that may be asked without being named? A server on this host is, once a section of the
 * file is about it. */
static bool is_asked(const struct flight *f, const struct provider *p)
{
	if (p->is_offline)
		return false;
	return tokens_have(f->organs->tokens, f->config, p->name) ||
	       (p->auth == AUTH_NONE && !p->is_builtin);
}

static bool has_list(const struct config *c, const struct provider *p)
{
	struct target t;
	const struct dialect *d = dialect_find(p->dialects[0].family);
	return d && dialect_operation(d, LLM_OP_MODELS) &&
	       route_target(c, p->name, SPAN("models"), &t, NULL) == OK &&
	       ops_serve(t.quirks.ops, SPAN("models"), NULL);
}

/* What is known of a model beside what its provider's list says. */
static void add_facts(
	const struct flight *f, struct span provider, struct span model, struct listed_model *m)
{
	struct target t;
	if (route_target(f->config, provider, model, &t, NULL) != OK)
		return;
	if (m->context_tokens < 0)
		m->context_tokens = t.context_tokens;
	if (m->max_output_tokens < 0)
		m->max_output_tokens = t.max_output_tokens;
}

/* One that the configuration names: an alias, or "provider/model". */
static enum err put_model(struct flight *f, const struct allowance *a, struct span id)
{
	struct llm_event e = {.type = EV_MODEL};
	const size_t slash = span_index(id, '/');
	if (!allowance_shows(a, id))
		return OK;
	e.model = (struct listed_model){.id = id, .context_tokens = -1, .max_output_tokens = -1};
	if (slash < id.n)
		add_facts(f, span_first(id, slash), span_skip(id, slash + 1), &e.model);
	return flight_put(f, &e);
}

/* The exact name of a model, which is no alias and no pattern. */
static bool is_model(const struct model *m)
{
	return m->n_targets == 0 && span_index(m->name, '/') < m->name.n &&
	       span_index(m->name, '*') == m->name.n;
}

static enum err put_sections(struct flight *f, const struct allowance *a, struct span only)
{
	const struct config *c = f->config;
	enum err err = OK;
	for (size_t i = 0; !err && i < c->n_models; i++) {
		const struct model *m = &c->models[i];
		const struct provider *p =
			config_provider(c, span_first(m->name, span_index(m->name, '/')));
		const bool is_alias = m->n_targets > 0;
		if (is_alias ? only.n > 0 : !is_model(m) || !p)
			continue;
		if (!is_alias && (only.n > 0 ? !span_eq(p->name, only) : !is_asked(f, p)))
			continue;
		err = put_model(f, a, m->name);
	}
	return err;
}

static enum err put_offline(struct flight *f, const struct allowance *a, const struct provider *p)
{
	OWNED(buf_done) struct buf id = BUF_INIT(4 * KIB);
	buf_print(&id, "%.*s/%.*s", SPAN_ARG(p->name), SPAN_ARG(p->model));
	return buf_error(&id) ? buf_error(&id) : put_model(f, a, buf_view(&id));
}

enum err listing_begin(struct flight *f, const struct allowance *a, struct fault *why)
{
	const struct config *c = f->config;
	const struct span only = span_first(f->request.model, span_index(f->request.model, '/'));
	if (only.n > 0 && !config_provider(c, only))
		return fault_param(why, ERR_NOT_FOUND, "model", "no provider is called \"%.*s\"",
			SPAN_ARG(span_first(only, LIMIT_LABEL_BYTES)));
	f->route.targets = arena_array(&f->arena, c->n_providers, sizeof *f->route.targets);
	if (!f->route.targets)
		return ERR_NO_MEMORY;
	enum err err = put_sections(f, a, only);
	for (size_t i = 0; !err && i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		if ((only.n > 0 && !span_eq(p->name, only)) || !allowance_has_any(a, p->name))
			continue;
		if (p->is_offline)
			err = put_offline(f, a, p);
		else if (only.n > 0 || (is_asked(f, p) && has_list(c, p)))
			err = route_target(
				c, p->name, SPAN("models"), &f->route.targets[f->route.n++], why);
	}
	return err;
}

enum err listing_put(struct flight *f, const struct allowance *a, const struct llm_event *e)
{
	const struct target *t = &f->route.targets[f->leg->target];
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_DATA_BYTES);
	struct llm_event named = *e;
	bool is_new;
	const enum err err = pages_entry(&f->pages, e->model.id, &f->arena, &is_new);
	if (err || !is_new)
		return err;
	buf_print(&id, "%.*s/", SPAN_ARG(t->provider));
	buf_span(&id, e->model.id);
	if (buf_error(&id))
		return buf_error(&id) == ERR_NO_MEMORY ? ERR_NO_MEMORY : OK; /* no name at all */
	named.model.id = buf_view(&id);
	if (!allowance_shows(a, named.model.id))
		return OK;
	add_facts(f, t->provider, e->model.id, &named.model);
	const struct model *known = config_model(f->config, named.model.id);
	return known && is_model(known) ? OK : flight_put(f, &named);
}

static void warn(struct flight *f, struct span code, const char *message)
{
	struct llm_event e = {.type = EV_WARNING};
	e.warning.code = code;
	e.warning.param = f->route.targets[f->leg->target].provider;
	e.warning.message = span_str(message);
	if (flight_put(f, &e) != OK)
		return; /* a reader that far behind is told by what comes next */
}

void listing_warn(struct flight *f, const struct fault *why)
{
	warn(f, SPAN("provider_failed"), why->message);
}

void listing_warn_cut(struct flight *f)
{
	char said[80];
	(void)snprintf(
		said, sizeof said, "its list goes on after %u pages, and is cut there", f->pages.n);
	warn(f, SPAN("list_cut"), said);
}
