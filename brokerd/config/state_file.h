/* state_file.h - how does a small file of the state folder get on the disk, whole or not at all?
 * Written beside the old one, synced, put in its place, the folder synced. Blocks: for workers, and at start. */
#ifndef BROKERD_CONFIG_STATE_FILE_H
#define BROKERD_CONFIG_STATE_FILE_H
#include "protocol/base/err.h"
#include "protocol/base/span.h"

#define STATE_FILE_NAME_BYTES 64

/* In the open folder `dir`. ERR_STORAGE_FULL, ERR_IO; errno says why, and the old file is there. */
enum err state_file_put(int dir, const char *name, struct span text) MUST_USE;

#endif
