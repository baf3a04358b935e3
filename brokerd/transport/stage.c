/* stage.c - each stage has one limit and one moment it counts from. */
#include "brokerd/transport/stage.h"

#define NEVER INT64_MAX

/* How often it is looked whether TCP is done: four times in what TLS may take. */
#define LOOK_LEAST_US INT64_C(10000)
#define LOOK_MOST_US  INT64_C(1000000)

/* When one that has begun then is over. */
static int64_t due(int64_t from_us, int64_t allowed_us)
{
	return allowed_us > 0 ? from_us + allowed_us : NEVER;
}

/* TLS has a time of its own, and is within what both may take. */
static int64_t tls_due(const struct stages *s, const char **limit)
{
	const int64_t both_us = due(s->began_us, s->limits.connect_us),
		      tls_us = due(s->moved_us, s->limits.tls_us);
	*limit = tls_us < both_us ? "tls" : "connect";
	return tls_us < both_us ? tls_us : both_us;
}

/* The limit that holds now: its name, and when it runs out. */
static int64_t stage_due(const struct stages *s, const char **limit)
{
	int64_t allowed_us = 0;
	switch (s->at) {
	case STAGE_CONNECT:
		*limit = "connect";
		allowed_us = s->limits.connect_us;
		break;
	case STAGE_TLS:
		return tls_due(s, limit);
	case STAGE_SEND:
		*limit = "send";
		allowed_us = s->limits.first_byte_us;
		break;
	case STAGE_WAIT:
		*limit = "first_byte";
		allowed_us = s->limits.first_byte_us;
		break;
	case STAGE_BODY:
		*limit = "idle";
		allowed_us = s->is_paused ? 0 : s->limits.idle_us;
		break;
	case STAGE_OVER:
		break;
	}
	return due(s->moved_us, allowed_us);
}

static int64_t next_due(const struct stages *s, const char **limit)
{
	const int64_t total_us = due(s->began_us, s->limits.total_us);
	const int64_t due_us = stage_due(s, limit);
	if (due_us <= total_us)
		return due_us;
	*limit = "total";
	return total_us;
}

/* When it is to be looked whether TCP is done; where TLS has all the time that both have, never. */
static int64_t next_look(const struct stages *s, int64_t now_us)
{
	const struct transfer_limits *l = &s->limits;
	int64_t look_us = l->tls_us / 4;
	if (s->at != STAGE_CONNECT || !s->is_past_tcp || l->tls_us <= 0 ||
		(l->connect_us > 0 && l->tls_us >= l->connect_us))
		return NEVER;
	if (look_us < LOOK_LEAST_US)
		look_us = LOOK_LEAST_US;
	return now_us + (look_us < LOOK_MOST_US ? look_us : LOOK_MOST_US);
}

/* Sets the timer, unless it fires early enough by itself. */
static void arm(struct stages *s)
{
	const char *limit;
	const int64_t look_us = next_look(s, loop_now_us(s->loop));
	int64_t due_us = next_due(s, &limit);
	if (look_us < due_us)
		due_us = look_us;
	if (due_us == NEVER || (s->timer.loop && s->timer.due_us <= due_us))
		return;
	const int64_t left_us = due_us - loop_now_us(s->loop);
	loop_timer_set(s->loop, &s->timer, left_us > 0 ? left_us : 0);
}

static void on_fire(struct loop_timer *t)
{
	struct stages *s = container_of(t, struct stages, timer);
	const char *limit = "";
	if (next_look(s, 0) != NEVER && s->is_past_tcp(s))
		stages_enter(s, STAGE_TLS);
	if (next_due(s, &limit) > loop_now_us(s->loop)) {
		arm(s);
		return;
	}
	s->on_late(s, limit);
}

void stages_start(struct stages *s, struct loop *l, const struct transfer_limits *limits)
{
	s->loop = l;
	s->limits = *limits;
	s->at = STAGE_CONNECT;
	s->began_us = s->moved_us = loop_now_us(l);
	s->connect_us = s->first_byte_us = -1;
	LOOP_CALLS(&s->timer, on_fire, on_fire);
	arm(s);
}

void stages_stop(struct stages *s)
{
	s->at = STAGE_OVER;
	loop_timer_stop(&s->timer);
}

void stages_enter(struct stages *s, enum stage at)
{
	if (at <= s->at)
		return;
	s->moved_us = loop_now_us(s->loop);
	if (s->at < STAGE_SEND && at >= STAGE_SEND)
		s->connect_us = s->moved_us - s->began_us;
	if (at == STAGE_BODY)
		s->first_byte_us = s->moved_us - s->began_us;
	s->at = at;
	arm(s);
}

void stages_moved(struct stages *s)
{
	/* header by header is no head, and a handshake is none until it is done: what is waited for is all of it */
	if (s->at != STAGE_WAIT && s->at != STAGE_TLS)
		s->moved_us = loop_now_us(s->loop);
}

void stages_until(struct stages *s, int64_t due_us)
{
	/* the timer sees it when it fires */
	if (s->limits.total_us > 0 && s->limits.total_us < due_us - s->began_us)
		s->limits.total_us = due_us - s->began_us;
}

void stages_pause(struct stages *s, bool is_paused)
{
	if (s->at == STAGE_OVER || s->is_paused == is_paused)
		return;
	s->is_paused = is_paused;
	s->moved_us = loop_now_us(s->loop);
	arm(s);
}

enum err cut_verdict(enum cut cut, bool has_sent_body, bool has_head)
{
	if (cut == CUT_REPLY)
		return ERR_SERVER_ERROR;
	if (!has_head && has_sent_body)
		return ERR_OUTCOME_UNKNOWN;
	return cut == CUT_LATE ? ERR_TIMEOUT : ERR_CONNECTION;
}
