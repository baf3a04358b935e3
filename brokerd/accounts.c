/* accounts.c - what keeps the accounts of a state folder */
#include "brokerd/accounts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/ledger/spending.h"

#define DAY_US INT64_C(86400000000)

/* As long ago as what was spent can still count: a month, and what a zone adds to it. */
#define SPENDING_DAYS 32

enum err accounts_folder(const char *path, struct fault *why)
{
	char part[4096];
	struct stat st;
	const size_t n = strlen(path);
	if (n == 0 || n >= sizeof part)
		return fault_set(why, ERR_INVALID_ARGUMENT, "the state folder's path is too long");
	memcpy(part, path, n + 1);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return fault_set(why, ERR_IO, "cannot make the folder %s: %s", part,
				strerror(errno));
		*slash = '/';
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return fault_set(
			why, ERR_IO, "cannot make the state folder %s: %s", path, strerror(errno));
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return fault_set(why, ERR_IO, "the state folder %s is no folder", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return fault_set(why, ERR_IO,
			"the state folder %s must belong to uid %u and be writable by it alone: "
			"`chown %u %s; chmod 700 %s`",
			path, (unsigned)geteuid(), (unsigned)geteuid(), path, path);
	if (access(path, W_OK | X_OK) != 0)
		return fault_set(why, ERR_IO, "the state folder %s is not writable: %s", path,
			strerror(errno));
	return OK;
}

static void remember(void *context, const struct spending *row)
{
	const struct limit_subject who = {
		.app = span_str(row->app),
		.policy = span_str(row->policy),
		.provider = span_str(row->provider),
		.key = span_str(row->key),
		.model = span_str(row->model),
		.asked = span_str(row->asked),
		.uid = row->uid,
	};
	limiter_remember(context, &who, row->at_us, row->charged_nusd);
}

enum err accounts_open(struct accounts *a, const char *state_dir, struct loop *loop,
	struct workers *workers, int64_t now_us, struct fault *why)
{
	const int64_t since_us = now_us - SPENDING_DAYS * DAY_US;
	struct fault own = FAULT_NONE;
	*a = (struct accounts){.ledger = ledger_open(state_dir, &own)};
	if (a->ledger)
		a->journal = journal_open(state_dir, a->ledger, loop, workers, &own);
	if (a->journal) {
		a->limiter = limiter_new();
		const enum err err = a->limiter ? ledger_spending(ledger_reader(a->ledger),
							  since_us, remember, a->limiter, &own)
						: fault_set(&own, ERR_NO_MEMORY,
							  "out of memory for what was spent");
		if (!err)
			return OK;
	}
	accounts_close(a);
	*why = own;
	return own.err;
}

void accounts_close(struct accounts *a)
{
	if (a->journal)
		journal_close(a->journal);
	limiter_free(a->limiter);
	ledger_close(a->ledger);
	*a = (struct accounts){.ledger = NULL};
}
