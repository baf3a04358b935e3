/* catalogue_data.c - the lines of catalogue.def. */
#include "brokerd/config/catalogue_data.h"

#include "protocol/base/owned.h"

#define MODEL(line) {line, sizeof(line) - 1},

/* clang-format off */
const struct span catalogue_data[] = {
#include "brokerd/config/catalogue.def"
};
/* clang-format on */

const size_t catalogue_data_n = COUNT_OF(catalogue_data);
