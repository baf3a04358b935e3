/* flight.h - what is known of one answer in the making?
 * The request, where it may go, the log of its events, the commit point, the usage so far, the
 * deadline. Readers have cursors; one of them pays. Who drives it through its states is exchange.c. */
#ifndef BROKERD_EXCHANGE_FLIGHT_H
#define BROKERD_EXCHANGE_FLIGHT_H
#include <stdalign.h>
#include <stddef.h>

#include "brokerd/exchange/event_log.h"
#include "brokerd/exchange/guard.h"
#include "brokerd/exchange/leg.h"
#include "brokerd/exchange/pages.h"
#include "brokerd/exchange/tape.h"
#include "brokerd/route/route.h"
#include "brokerd/value/mishap.h"

/* What a short request and its route take. */
#define FLIGHT_ROOM_BYTES ((size_t)4096)

struct flight {
	struct organs *organs;
	struct config *config; /* as it was at the beginning */
	struct arena arena;    /* the unpacked request, the route */
	struct buf body;       /* the packed request, which the unpacked one points into */
	enum llm_op op;
	struct llm_request request;
	size_t batch_at;   /* where among the inputs the batch in hand begins */
	unsigned batches;  /* that are answered in full */
	size_t dimensions; /* of their vectors; 0: there are none yet */
	struct route route;
	struct pages pages; /* of the list of models of the target in hand */

	struct leg first, *second; /* in the arena; NULL: nothing has raced so far */
	struct leg *leg;           /* the one in hand */

	struct event_log log;
	struct tape *tape; /* for those who ask the same; NULL: nobody may have it */
	size_t tape_most;  /* bytes of it */
	bool is_shared;    /* others read it now: content goes to its own log by way of the tape */
	bool has_ended;
	bool has_content; /* there is some in the log, shown or held back */
	struct guard guard;
	struct loop_timer probe; /* runs while it is */
	uint32_t shown_warnings; /* that came before */
	bool is_paused;
	bool has_batch_content; /* of the batch in hand */
	struct llm_usage settled,
		settled_billed; /* of the batches before, or of those that broke off */
	bool is_resumed;        /* some did, and */
	int64_t resumed_nusd;   /* what is known of their usage cost so much; -1: nobody knows */
	uint32_t warnings;
	int64_t begun_us, begun_wall_us;
	int64_t first_content_us; /* 0: none yet */
	int64_t text_bytes;       /* of the answer so far, reasoning and arguments of tools too */

	unsigned attempts;   /* sent or about to be, on all targets */
	unsigned unknown;    /* of these, that may have been served */
	unsigned free;       /* and that cost nobody anything */
	int64_t former_nusd; /* what the attempts before the last one cost; -1: nothing is known */
	int64_t spent_nusd;  /* the same of all */
	bool is_cost_open;   /* one of them cost something that is not known, */
	int64_t open_nusd;   /* and those that did no more than this together */

	/* there is something new to read, or a paused reader's turn has come */
	void (*on_event)(void *context);
	/* its first content is about to be logged, and held back where that is; NULL: nobody wants to know */
	void (*on_content)(void *context);
	/* what is held back is slower than the floor: show it, or end the attempt */
	void (*on_slow)(void *context);
	void *context;

	struct mishap untold; /* an event that no frame can hold */

	/* the last: it is cleared when it is over, and as far as it was used */
	alignas(max_align_t) char room[FLIGHT_ROOM_BYTES]; /* the arena's first */
};

struct flight *flight_new(struct organs *o);
void flight_free(struct flight *f); /* NULL is fine; an attempt under way is dropped */

/* A step of the answer, from an attempt or from the broker itself: logged, and what belongs to the
 * flight is remembered. Content commits it; EV_START, EV_USAGE, EV_HEAD and the EV_RAW of a forwarded
 * reply wait for that. Of such a reply the other steps are not logged. Texts too long for one frame are
 * cut at characters. Where there is a floor, content and what follows it is held back from readers until
 * guard.h knows enough of it. ERR_SLOW_CONSUMER, ERR_NO_MEMORY, ERR_TOO_BIG. */
enum err flight_put(struct flight *f, const struct llm_event *e) MUST_USE;

/* Lets through what is held back; or forgets it, as if no content had come. Harmless where nothing is. The end of the answer
 * shows it, a fault does not. */
void flight_show(struct flight *f);
void flight_withdraw(struct flight *f);

/* A warning that is for its caller alone, and nothing of the answer: of his limits, and of what had to be tried. Errors as
 * flight_put. */
enum err flight_warn(struct flight *f, const struct llm_event *warning) MUST_USE;

/* What the broker is doing meanwhile: `word` as in event.h. Failure to say it is no failure. */
void flight_status(struct flight *f, const char *word, const char *format, ...) PRINTF_LIKE(3, 4);

/* Chooses what of the request goes to the target in hand: of many inputs to embed, as many as it
 * takes at a time. */
void flight_cut(struct flight *f, const struct target *t);

/* The batch in hand is answered. False: it was the last. */
bool flight_next_batch(struct flight *f);

/* What the attempt that broke off has used is part of the answer that another one goes on with. */
void flight_settle(struct flight *f);

/* A fresh attempt is about to begin on an answer that has shown nothing yet, or on its next part. */
void flight_rewind(struct flight *f);

/* The answer is over: the last event of all. */
void flight_end(struct flight *f, const struct reply_end *end);
void flight_fail(struct flight *f, const struct fault *why);

/* One entry of a tape, as it was packed, comes to its own log; `has_content`: there was some by then. Errors as flight_put. */
enum err flight_retell(
	struct flight *f, int frame_type, struct span body, bool has_content) MUST_USE;

/* What an answer of another's has used, as it is told of. Errors as flight_put. */
enum err flight_recount(struct flight *f, const struct llm_event *usage) MUST_USE;

/* The attempt is paused while nobody has room, its own reader or another's. */
void flight_breathe(struct flight *f);

/* A reader took something: lets a paused provider go on where there is room again. */
void flight_read(struct flight *f);

/* The tier of service that the target in hand is asked for; absent: none, or it knows of none. */
struct span flight_tier(const struct flight *f);

/* How many tokens the request can be at the most, by its bytes and a table for media. */
int64_t flight_input_bound(const struct llm_request *r);

#endif
