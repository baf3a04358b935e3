/* environment.c - the variables that are read before main, and how there come to be none. */
#include "brokerd/environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "protocol/base/owned.h"

extern char **environ;

/* A sanitizer or valgrind is itself loaded that way. */
#ifndef BROKER_UNCONFINED

/* By the loader, the allocator, and what libcurl and OpenSSL bring along as they are loaded. A test watches
 * which these are: with another version of a library there may be more. */
static bool is_early(const char *variable)
{
	static const char *const early[] = {"LD_", "GLIBC_TUNABLES=", "MALLOC_", "OPENSSL_",
		"GNUTLS_", "NETTLE_", "P11_KIT_", "LOCPATH="};
	for (size_t i = 0; i < COUNT_OF(early); i++) {
		if (strncmp(variable, early[i], strlen(early[i])) == 0)
			return true;
	}
	return false;
}

void environment_renew(char **argv)
{
	char **to = environ;
	bool has_any = false;
	for (char **from = environ; from && *from; from++) {
		if (is_early(*from))
			has_any = true;
		else
			*to++ = *from;
	}
	if (!has_any)
		return;
	*to = NULL;
	const char *self = (const char *)getauxval(AT_EXECFN);
	if (self)
		execv(self, argv);
}

#else

void environment_renew(char **argv)
{
	(void)argv;
}

#endif

void environment_scrub(void)
{
	if (clearenv() != 0 || setenv("PATH", "/usr/bin:/bin", 1) != 0 ||
		setenv("LANG", "C", 1) != 0)
		abort();
}
