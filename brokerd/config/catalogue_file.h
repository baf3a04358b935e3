/* catalogue_file.h - where does an imported catalogue stay?
 * In the file `catalogue` of the state folder, and once more in `catalogue.copy`, which holds where the
 * first is damaged. */
#ifndef BROKERD_CONFIG_CATALOGUE_FILE_H
#define BROKERD_CONFIG_CATALOGUE_FILE_H
#include "brokerd/config/catalogue.h"

/* The snapshot and what was imported. ERR_IO, ERR_INVALID_ARGUMENT: *why says what is wrong with the
 * file, and *out is what the copy has, or the snapshot alone; ERR_NO_MEMORY: *out is NULL. No file is
 * fine. */
enum err catalogue_load(const char *state_dir, struct catalogue **out, struct fault *why) MUST_USE;

/* Keeps `text`, which catalogue_new took, in place of the former: whole and on the disk when it
 * returns, or not at all. Empty: the file goes. Blocks: for a worker. ERR_IO, ERR_STORAGE_FULL. */
enum err catalogue_keep(const char *state_dir, struct span text, struct fault *why) MUST_USE;

#endif
