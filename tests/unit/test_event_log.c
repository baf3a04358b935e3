/* test_event_log.c - what readers of one answer see, each at its own pace. */
#include "brokerd/exchange/event_log.h"

#include <stdlib.h>

#include "protocol/frame.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static struct llm_event text(const char *words)
{
	struct llm_event e = {.type = EV_TEXT};
	e.text = span_str(words);
	return e;
}

/* The next event's text, or "" where there is none; it is taken. */
static const char *next(struct event_log *log, struct event_cursor *c)
{
	static char out[64];
	int type;
	struct span body;
	struct llm_event e;
	struct arena a;
	out[0] = '\0';
	if (!event_log_peek(log, c, &type, &body))
		return out;
	arena_init(&a, MIB);
	if (event_unpack(type, pack_from(body), &a, &e, NULL) == OK && e.type == EV_TEXT)
		fault_text(out, sizeof out, e.text);
	event_log_take(log, c);
	arena_done(&a);
	return out;
}

static void two_readers(void)
{
	struct event_log log;
	struct event_cursor a = {0}, b = {0};
	const struct llm_event one = text("one"), two = text("two"), three = text("three");

	event_log_init(&log);
	event_log_join(&log, &a);
	is_str(next(&log, &a), "", "nothing yet");
	is_int(event_log_put(&log, &one), OK, "one");
	is_int(event_log_put(&log, &two), OK, "two");
	is_str(next(&log, &a), "one", "the first reader");
	event_log_join(&log, &b);
	is_int(event_log_put(&log, &three), OK, "three");
	is_str(next(&log, &a), "two", "goes on");
	is_str(next(&log, &a), "three", "to the end");
	is_str(next(&log, &a), "", "where nothing is left");
	ok(event_log_lag(&log) > 0, "the other has not read it yet");
	is_str(next(&log, &b), "two", "a late reader begins with what not all have passed");
	is_str(next(&log, &b), "three", "and goes on from there");
	is_str(next(&log, &b), "", "to the same end");
	is_uint(event_log_lag(&log), 0, "all have read all");
	event_log_leave(&log, &a);
	event_log_leave(&log, &a);
	event_log_leave(&log, &b);
	event_log_done(&log);
}

static void a_laggard_holds_only_itself(void)
{
	struct event_log log;
	struct event_cursor quick = {0}, slow = {0};
	const struct llm_event e = text("word");

	event_log_init(&log);
	event_log_join(&log, &quick);
	event_log_join(&log, &slow);
	for (int i = 0; i < 1000; i++) {
		if (event_log_put(&log, &e) != OK)
			bail("the log is full at %d", i);
		next(&log, &quick);
	}
	ok(event_log_lag(&log) > 1000, "the slow one is behind");
	event_log_leave(&log, &slow);
	is_uint(event_log_lag(&log), 0, "and is not waited for once it has left");
	event_log_leave(&log, &quick);
	event_log_done(&log);
}

/* A step of the answer that comes at once may be longer than a reader may be behind; what follows it at once
 * finds room, too, and nobody who is behind already gets any. */
static void a_long_step(void)
{
	struct event_log log;
	struct event_cursor c = {0};
	static char words[64 * 1024 + 1];
	const size_t pieces = 2 * LIMIT_FLIGHT_LOG_BYTES / (64 * KIB);
	size_t refused = 0, taken = 0;

	memset(words, 'x', sizeof words - 1);
	const struct llm_event e = text(words), small = text("word");
	event_log_init(&log);
	event_log_join(&log, &c);
	event_log_expect(&log, pieces * 64 * KIB);
	for (size_t i = 0; i < pieces; i++)
		refused += event_log_put(&log, &e) != OK;
	is_uint(refused, 0, "a step of %zu bytes has room", pieces * 64 * KIB);
	event_log_expect(&log, 4);
	is_err(event_log_put(&log, &small), OK, "and what comes with it");
	for (; taken < pieces && event_log_lag(&log) > LIMIT_FLIGHT_LOG_BYTES; taken++)
		next(&log, &c);
	for (; event_log_lag(&log) <= LIMIT_FLIGHT_LOG_BYTES;)
		refused += event_log_put(&log, &e) != OK;
	is_uint(refused, 0, "who has caught up may be as far behind as ever");
	is_err(event_log_put(&log, &e), ERR_TOO_BIG, "and no further");
	event_log_expect(&log, 4);
	is_err(event_log_put(&log, &small), ERR_TOO_BIG, "who is behind gets no room for more");
	event_log_leave(&log, &c);
	event_log_done(&log);
}

static void a_ceiling(void)
{
	struct event_log log;
	struct event_cursor c = {0};
	char *words = malloc(64 * KIB + 1);
	enum err err = OK;
	size_t put = 0;

	memset(words, 'x', 64 * KIB);
	words[64 * KIB] = '\0';
	const struct llm_event e = text(words);
	event_log_init(&log);
	event_log_join(&log, &c);
	for (; put < 1000 && err == OK; put++)
		err = event_log_put(&log, &e);
	is_int(err, ERR_TOO_BIG, "a reader that far behind is too slow");
	ok(put * 64 * KIB >= LIMIT_FLIGHT_LOG_BYTES, "but not before the ceiling: %zu pieces", put);
	next(&log, &c);
	next(&log, &c);
	next(&log, &c);
	next(&log, &c);
	is_int(event_log_put(&log, &e), OK, "room again once it has read");
	event_log_leave(&log, &c);
	event_log_done(&log);
	free(words);
}

/* What is held back is seen by nobody until it is shown; what is withdrawn never was. */
static void held_back(void)
{
	struct event_log log;
	struct event_cursor a = {0}, late = {0};
	const struct llm_event one = text("one"), two = text("two"), three = text("three");

	event_log_init(&log);
	event_log_join(&log, &a);
	is_uint(event_log_held(&log), 0, "nothing is held back");
	is_int(event_log_put(&log, &one), OK, "one");
	event_log_hold(&log);
	is_int(event_log_put(&log, &two), OK, "two");
	is_int(event_log_put(&log, &three), OK, "three");
	const size_t held = event_log_held(&log);
	ok(held > 6 && held < event_log_lag(&log), "two and three are, %zu bytes", held);
	is_str(next(&log, &a), "one", "what came before is read");
	is_str(next(&log, &a), "", "and no more");
	event_log_skip(&log, &a);
	event_log_join(&log, &late);
	is_str(next(&log, &late), "", "nor by who comes later");
	is_uint(event_log_held(&log), held, "it is still there");
	event_log_show(&log);
	is_uint(event_log_held(&log), 0, "shown");
	is_str(next(&log, &a), "two", "it comes");
	is_str(next(&log, &a), "three", "in its order");
	is_str(next(&log, &late), "two", "for all");

	event_log_hold(&log);
	is_int(event_log_put(&log, &one), OK, "one is put after that");
	event_log_withdraw(&log);
	is_uint(event_log_held(&log), 0, "and withdrawn");
	is_str(next(&log, &a), "", "it never was");
	is_int(event_log_put(&log, &two), OK, "two");
	is_str(next(&log, &a), "two", "is next");
	is_str(next(&log, &late), "three", "and for the other one");
	event_log_skip(&log, &late);
	is_str(next(&log, &late), "", "who passes over what is left");
	is_uint(event_log_lag(&log), 0, "all have read all");

	event_log_hold(&log);
	event_log_withdraw(&log);
	is_int(event_log_put(&log, &three), OK, "an empty one");
	is_str(next(&log, &a), "three", "takes nothing away");
	event_log_leave(&log, &a);
	event_log_leave(&log, &late);
	event_log_done(&log);
}

/* Room is made once, and none is no fault. */
static void room(void)
{
	struct event_log log;
	struct event_cursor c = {0};
	const struct llm_event one = text("one"), two = text("two");
	event_log_init(&log);
	event_log_join(&log, &c);
	event_log_room(&log, 5000);
	const char *const at = log.bytes.p;
	ok(at && log.bytes.cap >= 5000 && log.bytes.n == 0, "there is room");
	is_int(event_log_put(&log, &one), OK, "one");
	event_log_room(&log, SIZE_MAX);
	is_int(event_log_put(&log, &two), OK, "more than there may ever be is no fault");
	is_str(next(&log, &c), "one", "what was there stays");
	is_str(next(&log, &c), "two", "and goes on");
	ok(log.bytes.cap <= log.bytes.max, "within what it may take");
	event_log_leave(&log, &c);
	event_log_done(&log);
}

int main(void)
{
	room();
	held_back();
	two_readers();
	a_laggard_holds_only_itself();
	a_long_step();
	a_ceiling();
	return tap_done();
}
