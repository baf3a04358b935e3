/* way.h - where does a path lead, and may it be believed?
 * Through links that are the user's own or root's, as those of dotfiles are; whoever else made one would choose what is
 * written. Root, who may write everywhere, goes through folders alone that nobody else can change. */
#ifndef LIBLLMCLIENT_CLI_WAY_H
#define LIBLLMCLIENT_CLI_WAY_H
#include <limits.h>

#include "protocol/base/err.h"

/* Writes where an absolute path leads, behind all links. *is_there is false where there is nothing; folders of it may be
 * missing, too. ERR_DENIED: it is not to be believed; ERR_IO: it leads nowhere, or the kernel says no. */
enum err way_follow(
	const char *path, char to[PATH_MAX], bool *is_there, struct fault *why) MUST_USE;

#endif
