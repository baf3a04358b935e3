/* state_folder.h - is there a folder for what we keep, ours alone? */
#ifndef BROKERD_VALUE_STATE_FOLDER_H
#define BROKERD_VALUE_STATE_FOLDER_H
#include "protocol/base/err.h"

/* Makes a folder and its parents; each new one is for its owner alone. ERR_IO: it cannot be made, is another's, or
 * cannot be written. Blocks. */
enum err state_folder_make(const char *path, struct fault *why) MUST_USE;

#endif
