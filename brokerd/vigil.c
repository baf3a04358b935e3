/* vigil.c - the loop counts and tells; here is decided what of it is worth a line. */
#include "brokerd/vigil.h"

#include <inttypes.h>

#include "brokerd/log/log.h"

#define QUIET_US INT64_C(10000000)

static void on_stall(struct loop_watch *w, const char *name, int64_t took_us)
{
	struct vigil *v = container_of(w, struct vigil, watch);
	const int64_t now_us = loop_now_us(v->loop);
	const bool is_quiet = v->took_us > 0 && now_us - v->told_us < QUIET_US;
	if (is_quiet && took_us / 2 < v->took_us) {
		v->untold++;
		return;
	}
	log_warn("loop.stall", "callback=%s took_us=%" PRId64 " untold=%" PRIu64, name, took_us,
		v->untold);
	v->told_us = now_us;
	v->took_us = took_us;
	v->untold = 0;
}

static void on_spin(struct loop_watch *w, const char *name, int fd, uint64_t turns)
{
	(void)w;
	log_error("loop.spin", "callback=%s fd=%d turns_per_s=%" PRIu64, name, fd, turns);
}

void vigil_begin(struct vigil *v, struct loop *l)
{
	*v = (struct vigil){
		.watch = {on_stall, on_spin},
                  .loop = l
        };
	loop_watched_by(l, &v->watch);
}
