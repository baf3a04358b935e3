/* top_feed.h - what does the broker say of what it does now?
 * A few administrative questions, each asked again in its time, on one connection that is made anew where it breaks. Nothing
 * blocks. */
#ifndef LIBLLMCLIENT_CLI_TOP_FEED_H
#define LIBLLMCLIENT_CLI_TOP_FEED_H
#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/top_view.h"

enum top_question { TOP_OPEN, TOP_FOLLOW, TOP_STATUS, TOP_USAGE, TOP_BEFORE, TOP_QUESTIONS };

#define TOP_TROUBLE_BYTES 256

struct top_ask {
	llm_stream *stream;              /* NULL: it is not asked just now */
	struct buf text;                 /* of its answer, so far */
	int64_t asked_us, due_us;        /* of a clock that only goes on */
	bool is_settled;                 /* it was answered, or failed, once */
	bool is_refused;                 /* it is not asked again */
	char trouble[TOP_TROUBLE_BYTES]; /* ""; or why there is no answer */
};

struct top_feed {
	const struct common *common;
	llm_client *client;
	struct top_ask asks[TOP_QUESTIONS];
	struct top_frame frame; /* as it is known now, but for at_s and what ended */
	struct minute minute;
	struct arena arena; /* the groups */
	int64_t began_us;   /* the wall clock's: what ended before is TOP_BEFORE's to tell */
	int64_t after;      /* where TOP_FOLLOW goes on; -1: at what comes */
	bool has_seen;      /* TOP_OPEN was answered once */
	int exit_code; /* it never was, and will not be: said, and to exit with; else EXIT_GOOD */
};

void top_feed_init(struct top_feed *f, const struct common *o);
void top_feed_done(struct top_feed *f);

/* Takes what has come, and asks what is due. */
void top_feed_step(struct top_feed *f);

/* Until then nothing is due. */
int top_feed_timeout_ms(const struct top_feed *f);

/* Has everything been asked once? */
bool top_feed_is_whole(const struct top_feed *f);

/* What there is to show now; until the next step. */
const struct top_frame *top_feed_frame(struct top_feed *f);

/* Microseconds of a clock that only goes on, for who shows it in turns. */
int64_t top_clock_us(void);

#endif
