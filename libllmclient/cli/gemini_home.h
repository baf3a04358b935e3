/* gemini_home.h - how is Gemini CLI told for one run that it has a key?
 * It asks its user's settings alone (those of the system have to be root's), so that it gets a home in which they are
 * another file, and everything else is a link to what the user has. */
#ifndef LIBLLMCLIENT_CLI_GEMINI_HOME_H
#define LIBLLMCLIENT_CLI_GEMINI_HOME_H
#include "protocol/base/arena.h"
#include "protocol/base/err.h"

#define GEMINI_HOME "GEMINI_CLI_HOME" /* the variable that names it */

/* Makes one inside `folder`, and its path in `a`; *path is NULL where none is needed. ERR_IO and the like: *why. */
enum err gemini_home_make(
	const char *folder, struct arena *a, const char **path, struct fault *why) MUST_USE;

/* Takes it away with all that is in it; what is behind its links stays. None is fine. */
void gemini_home_remove(const char *folder);

#endif
