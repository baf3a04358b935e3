/* event_log.h - which steps of an answer has this reader not had yet?
 * Packed events in the order they came, read by cursors; what all cursors have passed is dropped.
 * Bounded in bytes. No I/O. */
#ifndef BROKERD_EXCHANGE_EVENT_LOG_H
#define BROKERD_EXCHANGE_EVENT_LOG_H
#include "protocol/event.h"

struct event_cursor {
	struct event_cursor *prev, *next;
	uint64_t at; /* bytes since the beginning of the answer */
};

struct event_log {
	struct buf bytes; /* entries that are still wanted: type, length, packed body */
	uint64_t base;    /* how many bytes were dropped before them */
	struct event_cursor *cursors;
	size_t dropped; /* at the front of `bytes`, not yet moved */
	size_t max_lag, expected;
	bool is_held; /* from there on: */
	uint64_t held_at;
};

void event_log_init(struct event_log *log);
/* How far the slowest cursor may be behind: LIMIT_FLIGHT_LOG_BYTES until this is called. */
void event_log_allow(struct event_log *log, size_t bytes);
/* One step of the answer, which comes now, is so long: no reader could have kept up with it. There is room for
 * it, until the slowest cursor is no further behind than it may be. One who is already gets none. */
void event_log_expect(struct event_log *log, size_t bytes);
void event_log_done(struct event_log *log); /* the cursors are their owners' */

/* ERR_TOO_BIG: the slowest cursor lags by more than is allowed. ERR_NO_MEMORY. */
enum err event_log_put(struct event_log *log, const struct llm_event *e) MUST_USE;

/* The same of one that is packed already. */
enum err event_log_put_packed(struct event_log *log, int frame_type, struct span body) MUST_USE;

/* So many bytes are to come at once: room is made for them in one go, where there is any to be had. */
void event_log_room(struct event_log *log, size_t bytes);

/* A cursor at the oldest event that is still there. */
void event_log_join(struct event_log *log, struct event_cursor *c);
void event_log_leave(struct event_log *log, struct event_cursor *c); /* harmless when not joined */

/* The next event of this cursor: its frame type and packed body, which live until the log changes.
 * False: nothing yet. */
bool event_log_peek(const struct event_log *log, const struct event_cursor *c, int *frame_type,
	struct span *body);
void event_log_take(struct event_log *log, struct event_cursor *c); /* past what peek showed */

/* The entry at *at, which is behind it then; of one that was not dropped. False: there is no more. */
bool event_log_look(const struct event_log *log, uint64_t *at, int *frame_type, struct span *body);

/* Past all that there is. */
void event_log_skip(struct event_log *log, struct event_cursor *c);

/* What is put from now on no cursor gets to see, until it is shown, or dropped as if it had never been put. */
void event_log_hold(struct event_log *log);
void event_log_show(struct event_log *log);
void event_log_withdraw(struct event_log *log);
size_t event_log_held(const struct event_log *log); /* how many bytes of it there are */

/* How far the slowest cursor is behind, in bytes. */
size_t event_log_lag(const struct event_log *log);

#endif
