/* fuzz_config.c - any bytes as a configuration. */
#include <assert.h>

#include "brokerd/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_of((const char *)data, size), "f", &why);
	if (!c) {
		assert(why.message[0] == 'f' && why.message[1] == ':');
		return 0;
	}
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		assert(p->n_dialects > 0);
		/* what lacks a key of its own has no address yet */
		assert(p->is_offline || p->is_local || p->missing ||
			span_starts(p->origin, SPAN("https://")));
		assert(config_provider(c, p->name) == p);
		for (size_t k = 0; k < p->n_keys; k++)
			assert(p->keys[k].label.n > 0 && p->keys[k].weight >= 0);
	}
	for (size_t i = 0; i < c->n_models; i++) {
		const struct model *m = &c->models[i];
		assert(m->n_targets > 0 || span_index(m->name, '/') < m->name.n);
		for (size_t t = 0; t < m->n_targets; t++)
			assert(config_provider(c, m->targets[t].provider));
		assert(m->n_targets > 0 || m->route.context.n + m->route.refusal.n == 0);
	}
	config_unref(c);
	return 0;
}
