/* world.c - birth, time and death of the broker in a story. */
#include "tests/story/world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "protocol/base/list.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

#define TURNS_MAX 100000

void world_open(struct world *w)
{
	*w = (struct world){0};
	snprintf(w->dir, sizeof w->dir, "/tmp/llmb-story-XXXXXX");
	if (!mkdtemp(w->dir))
		bail("cannot make a folder: %s", strerror(errno));
	snprintf(w->config_path, sizeof w->config_path, "%s/broker.conf", w->dir);
	snprintf(w->state_dir, sizeof w->state_dir, "%s/state", w->dir);
	snprintf(w->socket_path, sizeof w->socket_path, "%s/sock", w->dir);
	snprintf(w->log_path, sizeof w->log_path, "%s/log", w->dir);
	const int fd = open(w->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		bail("cannot write %s", w->log_path);
	log_init(LOG_LEVEL_INFO, fd);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	(void)remove(path);
	return 0;
}

void world_close(struct world *w)
{
	world_stop(w);
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void world_config(struct world *w, struct span text)
{
	FILE *f = fopen(w->config_path, "w");
	if (!f || fwrite(text.p, 1, text.n, f) != text.n || fclose(f) != 0)
		bail("cannot write %s", w->config_path);
}

void world_start(struct world *w)
{
	struct fault why = FAULT_NONE;
	const struct broker_options options = {
		.config_path = w->config_path,
		.is_config_required = true,
		.socket_path = w->socket_path,
		.state_dir = w->state_dir,
	};
	w->broker = broker_new(&options, &why);
	if (!w->broker)
		bail("no broker: %s", why.message);
	w->loop = loop_virtual_last();
	world_settle(w);
}

void world_stop(struct world *w)
{
	if (w->broker)
		broker_free(w->broker);
	w->broker = NULL;
	while (w->callers)
		world_hang_up(w, w->callers);
	w->loop = NULL;
}

void world_settle(struct world *w)
{
	bool did = true;
	for (int i = 0; did; i++) {
		struct caller *c;
		if (i == TURNS_MAX)
			bail("the broker and its clients come to no rest");
		did = false;
		LIST_EACH(w->callers, c)
			did = caller_turn(c) || did;
		loop_virtual_settle(w->loop);
		LIST_EACH(w->callers, c)
			did = caller_turn(c) || did;
	}
}

void world_after(struct world *w, int64_t us)
{
	world_settle(w);
	loop_virtual_advance(w->loop, us);
	world_settle(w);
}

struct caller *world_connect(struct world *w, struct span name, bool with_hello)
{
	struct caller *c = caller_new(name, w->socket_path, with_hello);
	LIST_PUSH(w->callers, c);
	return c;
}

void world_connect_app(struct world *w, struct span name)
{
	char path[sizeof w->dir + 64];
	snprintf(path, sizeof path, "%s/apps/%.*s/sock", w->dir, SPAN_ARG(name));
	struct caller *c = caller_new(name, path, true);
	LIST_PUSH(w->callers, c);
}

struct caller *world_caller(const struct world *w, struct span name)
{
	struct caller *c;
	LIST_EACH(w->callers, c) {
		if (span_is(name, c->name))
			return c;
	}
	return NULL;
}

void world_hang_up(struct world *w, struct caller *c)
{
	LIST_REMOVE(w->callers, c);
	caller_free(c);
}

void world_admin(struct world *w, const char *op, struct span json, struct buf *answer)
{
	struct caller *c = world_connect(w, SPAN("(admin)"), true);
	struct call call = CALL_INIT;
	call.kind = CALL_ADMIN;
	call.admin_op = span_str(op);
	caller_call(c, 1, &call, json, true);
	world_settle(w);
	const struct heard *h = caller_heard(c, 1);
	buf_text(answer, h ? h->line : "nothing");
	world_hang_up(w, c);
	world_settle(w);
}
