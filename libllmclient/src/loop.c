/* loop.c - how does a client live in a program's own event loop? */
#include <errno.h>
#include <unistd.h>

#include "libllmclient/src/call.h"
#include "libllmclient/src/clock.h"
#include "protocol/base/list.h"

int llm_client_fd(const llm_client *c)
{
	if (!c)
		return LLM_E_INVAL;
	return client_is_forked(c) ? LLM_E_FORKED : c->epoll_fd;
}

/* The one descriptor is readable when anything inside is ready, room to write included. */
int llm_client_events(const llm_client *c)
{
	if (!c)
		return LLM_E_INVAL;
	return client_is_forked(c) ? LLM_E_FORKED : LLM_READ;
}

int llm_client_timeout_ms(const llm_client *c)
{
	return c && !client_is_forked(c) ? client_wait_ms(c, -1) : -1;
}

static void free_doomed(struct llm_client *c)
{
	struct llm_stream *s, *after;
	LIST_EACH_SAFE(c->streams, s, after) {
		if (s->is_doomed) {
			LIST_REMOVE(c->streams, s);
			stream_free(s);
		}
	}
}

bool client_bury(struct llm_client *c)
{
	if (c->in_callback)
		return true;
	free_doomed(c);
	if (!c->is_doomed)
		return true;
	client_destroy(c);
	return false;
}

/* Hands a stream's events to its callback. Returns how many. */
static int call_back(struct llm_stream *s)
{
	const llm_event *ev;
	int n = 0;
	while (!s->is_doomed && s->on_event && stream_take(s, &ev) > 0) {
		n++;
		if (s->on_event(ev, s->on_event_arg) != 0)
			llm_stream_cancel(s);
		if (atomic_load(&s->is_cancelled))
			break; /* the next step stops it */
	}
	return n;
}

/* The events that a callback has had, and the streams that wait to be read or to be given more; *is_gone: a
 * callback has freed the client. */
static int hand_out(struct llm_client *c, bool *is_gone)
{
	struct llm_stream *s;
	int n = 0;
	c->in_callback++;
	LIST_EACH(c->streams, s)
		n += call_back(s);
	c->in_callback--;
	*is_gone = !client_bury(c);
	if (*is_gone)
		return n;
	LIST_EACH(c->streams, s)
		n += stream_is_readable(s) || stream_is_offered_room(s);
	return n;
}

int llm_client_process(llm_client *c)
{
	bool is_gone;
	if (!c)
		return LLM_E_INVAL;
	if (client_is_forked(c))
		return LLM_E_FORKED;
	client_step(c, 0);
	c->is_woken = false;
	return hand_out(c, &is_gone);
}

int llm_client_wait(llm_client *c, int timeout_ms)
{
	if (!c)
		return LLM_E_INVAL;
	if (client_is_forked(c))
		return LLM_E_FORKED;
	const int64_t due_ms = clock_due_ms(clock_ms(), timeout_ms);
	for (int64_t left_ms = 0;;) { /* the first look does not wait: there may be work already */
		bool is_gone;
		client_step(c, left_ms);
		const bool is_woken = c->is_woken;
		c->is_woken = false;
		if (hand_out(c, &is_gone) > 0 || is_gone || is_woken)
			return 1;
		const int64_t now_ms = clock_ms();
		if (now_ms >= due_ms)
			return 0;
		left_ms = due_ms == NEVER_MS ? -1 : due_ms - now_ms;
	}
}

void client_poke(struct llm_client *c)
{
	const uint64_t one = 1;
	const int kept = errno;                     /* a signal may come anywhere */
	(void)!write(c->wake_fd, &one, sizeof one); /* a full counter is awake already */
	errno = kept;
}

void llm_client_wake(llm_client *c)
{
	if (!c || client_is_forked(c))
		return;
	atomic_store(&c->has_wake, true);
	client_poke(c);
}
