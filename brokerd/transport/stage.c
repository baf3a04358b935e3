/* stage.c - each stage has one limit and one moment it counts from. */
#include "brokerd/transport/stage.h"

#define NEVER INT64_MAX

/* The limit that holds now: its name, and when it runs out. */
static int64_t stage_due(const struct stages *s, const char **limit)
{
	int64_t allowed_us = 0;
	switch (s->at) {
	case STAGE_CONNECT:
		*limit = "connect";
		allowed_us = s->limits.connect_us;
		break;
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
	return allowed_us > 0 ? s->moved_us + allowed_us : NEVER;
}

static int64_t next_due(const struct stages *s, const char **limit)
{
	const int64_t total_us = s->limits.total_us > 0 ? s->began_us + s->limits.total_us : NEVER;
	const int64_t due_us = stage_due(s, limit);
	if (due_us <= total_us)
		return due_us;
	*limit = "total";
	return total_us;
}

/* Sets the timer, unless it fires early enough by itself. */
static void arm(struct stages *s)
{
	const char *limit;
	const int64_t due_us = next_due(s, &limit);
	if (due_us == NEVER || (s->timer.loop && s->timer.due_us <= due_us))
		return;
	const int64_t left_us = due_us - loop_now_us(s->loop);
	loop_timer_set(s->loop, &s->timer, left_us > 0 ? left_us : 0);
}

static void on_fire(struct loop_timer *t)
{
	struct stages *s = container_of(t, struct stages, timer);
	const char *limit = "";
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
	s->timer.on_fire = on_fire;
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
	if (s->at == STAGE_CONNECT)
		s->connect_us = s->moved_us - s->began_us;
	if (at == STAGE_BODY)
		s->first_byte_us = s->moved_us - s->began_us;
	s->at = at;
	arm(s);
}

void stages_moved(struct stages *s)
{
	/* header by header is no head: what is waited for is all of it */
	if (s->at != STAGE_WAIT)
		s->moved_us = loop_now_us(s->loop);
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
