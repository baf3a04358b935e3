/* cited.h - which addresses on the web does a list of citations name?
 * Each family, and some hosts of one, cite in a shape of their own, which `citations` of a part has as it
 * came. Places in documents and results of tools have no address. Pure. */
#ifndef BROKERD_DIALECT_CITED_H
#define BROKERD_DIALECT_CITED_H
#include <stdint.h>

#include "protocol/base/json.h"

struct cited {
	struct json url;   /* a string */
	struct json title; /* a string, or absent */
	int64_t start,
		end; /* which characters of the text it is for, from 0; -1: it does not say */
};

/* Gives each address of the scanned list, in order. */
void cited_each(
	struct json list, void (*on_cited)(void *context, const struct cited *c), void *context);

#endif
