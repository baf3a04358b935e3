/* event_log.c - one buffer; an entry is a byte of frame type, 32 bits of length, and the body. */
#include "brokerd/exchange/event_log.h"

#include <assert.h>

#include "protocol/base/list.h"
#include "protocol/limits.h"

#define ENTRY_BYTES 5
#define MOVE_BYTES  (64 * KIB) /* drop in steps of this, so that moving costs little */

void event_log_init(struct event_log *log)
{
	*log = (struct event_log){.bytes = BUF_INIT(0)};
	event_log_allow(log, LIMIT_FLIGHT_LOG_BYTES);
}

/* How much there may be: half of it may be what was read. */
static void set_ceiling(struct event_log *log)
{
	log->bytes.max = 2 * (log->max_lag + log->expected) + MOVE_BYTES;
}

void event_log_allow(struct event_log *log, size_t bytes)
{
	log->max_lag = bytes;
	set_ceiling(log);
}

void event_log_expect(struct event_log *log, size_t bytes)
{
	if (event_log_lag(log) <= log->max_lag)
		log->expected = 2 * bytes; /* with what each piece of it takes */
	set_ceiling(log);
}

void event_log_done(struct event_log *log)
{
	buf_done(&log->bytes);
}

/* Room for an entry, whose length is not known yet. False: the slowest cursor is too far behind. */
static bool begin_entry(struct event_log *log, int frame_type)
{
	char entry[ENTRY_BYTES] = {(char)frame_type};
	if (event_log_lag(log) > log->max_lag + log->expected)
		return false;
	buf_put(&log->bytes, entry, sizeof entry);
	return true;
}

/* It is whole; what failed is as if it had not been tried. */
static enum err end_entry(struct event_log *log, size_t mark)
{
	const enum err err = buf_error(&log->bytes);
	if (err) {
		log->bytes.err = OK;
		buf_cut(&log->bytes, mark);
		return err;
	}
	const uint32_t length = (uint32_t)(log->bytes.n - mark - ENTRY_BYTES);
	memcpy(log->bytes.p + mark + 1, &length, sizeof length);
	return OK;
}

enum err event_log_put(struct event_log *log, const struct llm_event *e)
{
	const size_t mark = log->bytes.n;
	if (!begin_entry(log, event_frame_type(e->type)))
		return ERR_TOO_BIG;
	event_pack(e, &log->bytes);
	return end_entry(log, mark);
}

enum err event_log_put_packed(struct event_log *log, int frame_type, struct span body)
{
	const size_t mark = log->bytes.n;
	if (!begin_entry(log, frame_type))
		return ERR_TOO_BIG;
	buf_span(&log->bytes, body);
	return end_entry(log, mark);
}

void event_log_room(struct event_log *log, size_t bytes)
{
	if (bytes > log->bytes.max - log->bytes.n)
		bytes = log->bytes.max - log->bytes.n;
	(void)buf_reserve(&log->bytes, bytes);
	log->bytes.err = OK; /* who puts will see */
}

void event_log_join(struct event_log *log, struct event_cursor *c)
{
	c->at = log->base + log->dropped;
	LIST_PUSH(log->cursors, c);
}

/* The entry at an offset: the bytes of its body. */
static struct span entry_at(const struct event_log *log, uint64_t at, int *frame_type)
{
	const size_t offset = (size_t)(at - log->base);
	uint32_t length;
	assert(offset + ENTRY_BYTES <= log->bytes.n);
	*frame_type = (unsigned char)log->bytes.p[offset];
	memcpy(&length, log->bytes.p + offset + 1, sizeof length);
	return span_of(log->bytes.p + offset + ENTRY_BYTES, length);
}

static uint64_t shown_end(const struct event_log *log)
{
	return log->is_held ? log->held_at : log->base + log->bytes.n;
}

bool event_log_peek(const struct event_log *log, const struct event_cursor *c, int *frame_type,
	struct span *body)
{
	if (c->at >= shown_end(log))
		return false;
	*body = entry_at(log, c->at, frame_type);
	return true;
}

bool event_log_look(const struct event_log *log, uint64_t *at, int *frame_type, struct span *body)
{
	if (*at >= shown_end(log))
		return false;
	*body = entry_at(log, *at, frame_type);
	*at += ENTRY_BYTES + body->n;
	return true;
}

static uint64_t slowest(const struct event_log *log)
{
	const struct event_cursor *c;
	uint64_t at = log->base + log->bytes.n;
	LIST_EACH(log->cursors, c) {
		if (c->at < at)
			at = c->at;
	}
	return at;
}

/* Drops what every cursor has passed, in large steps, each of which moves less than it drops. With no cursor
 * nobody has passed anything. */
static void forget_passed(struct event_log *log)
{
	if (!log->cursors)
		return;
	log->dropped = (size_t)(slowest(log) - log->base);
	if (log->dropped == log->bytes.n ||
		(log->dropped >= MOVE_BYTES && log->dropped >= log->bytes.n - log->dropped)) {
		buf_drop(&log->bytes, log->dropped);
		log->base += log->dropped;
		log->dropped = 0;
	}
}

static void move_to(struct event_log *log, struct event_cursor *c, uint64_t at)
{
	c->at = at;
	forget_passed(log);
	if (log->expected > 0 && event_log_lag(log) <= log->max_lag) {
		log->expected = 0;
		set_ceiling(log);
	}
}

void event_log_take(struct event_log *log, struct event_cursor *c)
{
	int frame_type;
	const struct span body = entry_at(log, c->at, &frame_type);
	move_to(log, c, c->at + ENTRY_BYTES + body.n);
}

void event_log_skip(struct event_log *log, struct event_cursor *c)
{
	move_to(log, c, shown_end(log));
}

void event_log_hold(struct event_log *log)
{
	assert(!log->is_held);
	log->is_held = true;
	log->held_at = log->base + log->bytes.n;
}

void event_log_show(struct event_log *log)
{
	log->is_held = false;
}

size_t event_log_held(const struct event_log *log)
{
	return log->is_held ? (size_t)(log->base + log->bytes.n - log->held_at) : 0;
}

void event_log_withdraw(struct event_log *log)
{
	buf_cut(&log->bytes, log->bytes.n - event_log_held(log));
	log->is_held = false;
}

void event_log_leave(struct event_log *log, struct event_cursor *c)
{
	if (!c->prev)
		return;
	LIST_REMOVE(log->cursors, c);
	c->prev = c->next = NULL;
	forget_passed(log);
}

size_t event_log_lag(const struct event_log *log)
{
	return log->bytes.n - log->dropped;
}
