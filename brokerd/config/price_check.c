/* price_check.c - each section with prices, against the models that it is for. */
#include "brokerd/config/price_check.h"

#include "protocol/base/num.h"

#define IN_PRICE(m) offsetof(struct price, m)

static const struct {
	const char *key;
	size_t at;
} classes[] = {
	{"price_input",          IN_PRICE(input)         },
	{"price_output",         IN_PRICE(output)        },
	{"price_cache_read",     IN_PRICE(cache_read)    },
	{"price_cache_write_5m", IN_PRICE(cache_write_5m)},
	{"price_cache_write_1h", IN_PRICE(cache_write_1h)},
	{"price_reasoning",      IN_PRICE(reasoning)     },
	{"price_audio_input",    IN_PRICE(audio_input)   },
	{"price_audio_output",   IN_PRICE(audio_output)  },
	{"price_image_input",    IN_PRICE(image_input)   },
	{"price_image_output",   IN_PRICE(image_output)  },
};

static int64_t price_in(const struct price *p, size_t i)
{
	int64_t nusd;
	memcpy(&nusd, (const char *)p + classes[i].at, sizeof nusd);
	return nusd;
}

/* What is free here, or there, says nothing about units. */
static bool is_off(int64_t said, int64_t known)
{
	if (said <= 0 || known <= 0)
		return false;
	return said > num_mul_sat(known, PRICE_TIMES_MAX) ||
	       num_mul_sat(said, PRICE_TIMES_MAX) < known;
}

static enum err check(const struct model *m, const struct model_facts *facts, struct fault *why)
{
	for (size_t i = 0; i < COUNT_OF(classes); i++) {
		const int64_t said = price_in(&m->price, i), known = price_in(&facts->price, i);
		OWNED(buf_done) struct buf here = BUF_INIT(64), there = BUF_INIT(64);
		if (!is_off(said, known))
			continue;
		money_print(said, &here);
		money_print(known, &there);
		return fault_set(why, ERR_MISCONFIGURED,
			"%.*s: %s = %.*s cannot be meant for %.*s, which costs about %.*s: prices "
			"are US dollars for a million tokens. If it is meant, add price_force = "
			"yes to [model \"%.*s\"]",
			SPAN_ARG(m->said_at), classes[i].key, SPAN_ARG(buf_view(&here)),
			SPAN_ARG(span_first(facts->name, 100)), SPAN_ARG(buf_view(&there)),
			SPAN_ARG(m->name));
	}
	return OK;
}

static bool has_price(const struct model *m)
{
	for (size_t i = 0; i < COUNT_OF(classes); i++) {
		if (price_in(&m->price, i) > 0)
			return true;
	}
	return false;
}

/* A section "PROVIDER/MODEL", whose model may be for many. */
static enum err check_model(
	const struct model *m, const struct catalogue *catalogue, struct fault *why)
{
	const size_t slash = span_index(m->name, '/');
	const struct span provider = span_first(m->name, slash);
	const struct span model = span_skip(m->name, slash + (slash < m->name.n));
	struct model_facts facts;
	struct catalogue_walk walk = {.at = {0}};
	enum err err = OK;
	if (span_index(model, '*') == model.n)
		return catalogue_find(catalogue, provider, model, &facts) ? check(m, &facts, why)
									  : OK;
	while (!err && catalogue_next(catalogue, provider, &walk, &facts)) {
		if (pattern_fits(m->name, facts.name))
			err = check(m, &facts, why);
	}
	return err;
}

enum err config_check_prices(
	const struct config *c, const struct catalogue *catalogue, struct fault *why)
{
	enum err err = OK;
	for (size_t i = 0; !err && i < c->n_models; i++) {
		const struct model *m = &c->models[i];
		struct model_facts facts;
		if (m->is_price_forced || !has_price(m))
			continue;
		if (m->n_targets == 0)
			err = check_model(m, catalogue, why);
		for (size_t t = 0; !err && t < m->n_targets; t++) {
			if (catalogue_find(
				    catalogue, m->targets[t].provider, m->targets[t].model, &facts))
				err = check(m, &facts, why);
		}
	}
	return err;
}
