/* capability.h - what does a request need that not every target has, and which of it is a target known not to have?
 * Pure. What nobody knows is taken for there. */
#ifndef BROKERD_ROUTE_CAPABILITY_H
#define BROKERD_ROUTE_CAPABILITY_H
#include "brokerd/config/config.h"
#include "protocol/request.h"

/* What it needs, as bits of enum capability. A file of text is text; tools that must not be called, and reasoning that
 * is only a wish, are no need. */
unsigned capability_needs(const struct llm_request *r);

/* What a target has not: by what its encoder would refuse, else, where the configuration does not say, by the catalogue
 * (`facts`; NULL: it is not there). Sets t->lacks, and in t->poor what it has by a makeshift alone, as a schema in words,
 * or what would be left out with a warning, or what the catalogue only has a word less for. */
void capability_note(const struct config *c, const struct provider *p, const struct model *alias,
	const struct model_facts *facts, struct target *t);

/* Of that, what is known not to be there. */
unsigned capability_lacks(const struct target *t, unsigned needs);

#endif
