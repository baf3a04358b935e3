/* catalogue_data.h - which models does the bundled snapshot have?
 * Lines as catalogue.h has them, sorted by their names' bytes; catalogue.def is the text. */
#ifndef BROKERD_CONFIG_CATALOGUE_DATA_H
#define BROKERD_CONFIG_CATALOGUE_DATA_H
#include "protocol/base/span.h"

#define CATALOGUE_DATE "2026-11-28"

extern const struct span catalogue_data[];
extern const size_t catalogue_data_n;

#endif
