/* stage.h - how far has a transfer come, and has it been given long enough?
 * One loop timer for all limits of a transfer. Bytes that come only note the time: the timer, when
 * it fires, sees whether there is anything to be late for. No I/O, no curl. */
#ifndef BROKERD_TRANSPORT_STAGE_H
#define BROKERD_TRANSPORT_STAGE_H
#include "brokerd/transport/transport.h"

enum stage {
	STAGE_CONNECT, /* name and TCP; and TLS, until it is seen that TCP is done */
	STAGE_TLS,
	STAGE_SEND, /* the request is going out; first_byte_us without a step is too long */
	STAGE_WAIT, /* it is out, and there is no head yet */
	STAGE_BODY,
	STAGE_OVER,
};

struct stages {
	struct loop *loop;
	struct loop_timer timer;
	struct transfer_limits limits;
	enum stage at;
	bool is_paused;
	int64_t began_us, moved_us;        /* moved_us: the last step, byte or resume */
	int64_t connect_us, first_byte_us; /* since the beginning; -1 */
	void (*on_late)(struct stages *s,
		const char *limit); /* "connect" "tls" "send" "first_byte" "idle" "total" */
	/* Is TCP done, at STAGE_CONNECT? Nothing tells of it: it is looked at now and then, where TLS
	 * has a limit that could end before the one of both. NULL: there is no TLS. */
	bool (*is_past_tcp)(struct stages *s);
};

/* Begins at STAGE_CONNECT. The struct is zeroed but for its callbacks. */
void stages_start(struct stages *s, struct loop *l, const struct transfer_limits *limits);
void stages_stop(struct stages *s); /* harmless when over */

void stages_enter(struct stages *s, enum stage at); /* a later one than now, else nothing */
void stages_moved(struct stages *s); /* bytes went, or came; header lines do not count */

/* As a whole it may take until then, by the loop's clock, where that is later than before. */
void stages_until(struct stages *s, int64_t due_us);

/* A paused transfer cannot be idle; all else goes on. */
void stages_pause(struct stages *s, bool is_paused);

/* Why a transfer ends before its end. */
enum cut {
	CUT_LATE,       /* a limit of ours */
	CUT_CONNECTION, /* it broke, or never was */
	CUT_REPLY,      /* what came is no HTTP, or over limits.h */
};

/* What that means for the caller: was nothing sent, is it unknown, is it a fault of the reply's?
 * See struct transfer_end. */
enum err cut_verdict(enum cut cut, bool has_sent_body, bool has_head);

#endif
