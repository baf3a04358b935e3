/* world.h - where does a story take place?
 * A whole broker in this process, in a folder of its own, on the loop of virtual time, and the
 * clients that speak to it. Nothing sleeps: time moves where the story says so. */
#ifndef TESTS_STORY_WORLD_H
#define TESTS_STORY_WORLD_H
#include "brokerd/broker.h"
#include "tests/story/caller.h"

struct world {
	char dir[64], config_path[96], state_dir[96], socket_path[96], log_path[96];
	struct broker *broker; /* NULL: not started */
	struct loop *loop;
	struct caller *callers;
};

void world_open(struct world *w);
void world_close(struct world *w); /* removes its folder */

/* What the broker's configuration says from its next start or reload on. */
void world_config(struct world *w, struct span text);

/* Starts a broker. Ends the run where it does not even listen. */
void world_start(struct world *w);
void world_stop(struct world *w); /* as the end of broker_run is: what is open ends */

/* Lets everything happen that can happen now; then moves time on, and again. */
void world_settle(struct world *w);
void world_after(struct world *w, int64_t us);

struct caller *world_connect(struct world *w, struct span name, bool with_hello);
void world_connect_app(
	struct world *w, struct span name); /* on the socket that it has for itself */
struct caller *world_caller(const struct world *w, struct span name); /* NULL: none of that name */
void world_hang_up(struct world *w, struct caller *c);

/* One administrative call on a connection of its own: its answer, or its fault, as one line in
 * *answer. */
void world_admin(struct world *w, const char *op, struct span json, struct buf *answer);

#endif
