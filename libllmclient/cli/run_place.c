/* run_place.c - a folder that nobody holds any more is one that was left behind. */
#include "libllmclient/cli/run_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libllmclient/cli/gemini_home.h"
#include "protocol/base/owned.h"

#define NAME      "llmb-run-"
#define TRIES_MAX 16

static void remove_folder(const char *folder)
{
	static const char *const names[] = {"sock", "http"};
	char path[128];
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	gemini_home_remove(folder);
	(void)rmdir(folder);
}

/* -1: it is no folder of ours, or (EWOULDBLOCK) somebody holds it, or it cannot be held here. */
static int hold(const char *folder)
{
	struct stat st;
	const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	const int failed = errno;
	close(fd);
	errno = failed;
	return -1;
}

/* What a killed llmb could not. */
static void sweep(const char *base)
{
	char folder[sizeof((struct run_place *)0)->folder];
	DIR *d = opendir(base);
	if (!d)
		return;
	for (const struct dirent *e; (e = readdir(d));) {
		if (strncmp(e->d_name, NAME, sizeof NAME - 1) != 0 ||
			(size_t)snprintf(folder, sizeof folder, "%s/%s", base, e->d_name) >=
				sizeof folder)
			continue;
		const int held = hold(folder);
		if (held < 0)
			continue;
		remove_folder(folder);
		close(held);
	}
	closedir(d);
}

/* One that another llmb is sweeping away, or has, between the two, is none. */
static bool make_folder(struct run_place *p)
{
	struct stat st;
	for (int i = 0; i < TRIES_MAX; i++) {
		(void)snprintf(p->folder, sizeof p->folder, "%s/" NAME "XXXXXX", p->base);
		if (!mkdtemp(p->folder))
			break;
		p->lock = hold(p->folder);
		const bool is_taken = p->lock < 0 && errno == EWOULDBLOCK;
		if (!is_taken && stat(p->folder, &st) == 0)
			return true;
		if (p->lock >= 0)
			close(p->lock);
		p->lock = -1;
		errno = EAGAIN;
	}
	p->folder[0] = '\0';
	return false;
}

static struct sockaddr_un address_of(const struct run_place *p)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, p->path, strlen(p->path) + 1);
	return address;
}

bool run_place_make(struct run_place *p)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	*p = (struct run_place){
		.lock = -1, .listening = -1, .connected = -1, .until = {-1, -1}
        };
	p->base = base && base[0] == '/' && strlen(base) <= 40 ? base : P_tmpdir;
	sweep(p->base);
	if (!make_folder(p))
		return false;
	(void)snprintf(p->path, sizeof p->path, "%s/sock", p->folder);
	(void)snprintf(p->http, sizeof p->http, "%s/http", p->folder);
	const struct sockaddr_un address = address_of(p);
	p->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->connected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return p->listening >= 0 && p->connected >= 0 &&
	       bind(p->listening, (const struct sockaddr *)&address, sizeof address) == 0 &&
	       listen(p->listening, 64) == 0 && pipe2(p->until, O_CLOEXEC) == 0;
}

bool run_place_connect(struct run_place *p)
{
	const struct sockaddr_un address = address_of(p);
	return connect(p->connected, (const struct sockaddr *)&address, sizeof address) == 0;
}

void run_place_done(struct run_place *p)
{
	const int all[] = {p->listening, p->connected, p->until[0], p->until[1]};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (all[i] >= 0)
			close(all[i]);
	}
	if (p->folder[0])
		remove_folder(p->folder);
	if (p->lock >= 0)
		close(p->lock);
}
