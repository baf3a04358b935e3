/* session_parts.h - what do the files of a session share?
 * Its struct and that of a call, for session.c, which makes and ends them; session_doubt.c, which learns whose it is;
 * session_calls.c, which begins calls; session_read.c, which takes frames; session_write.c, which tells. */
#ifndef BROKERD_FRONT_SESSION_PARTS_H
#define BROKERD_FRONT_SESSION_PARTS_H
#include "brokerd/exchange/exchange.h"
#include "brokerd/front/named.h"
#include "brokerd/front/pinned.h"
#include "brokerd/front/session.h"
#include "protocol/frame.h"

#define SESSION_OUT_BYTES     (4 * MIB)           /* control frames alone cannot reach it */
#define SESSION_SCRATCH_BYTES ((size_t)64 * 1024) /* of the receive buffer that all share */

enum session_state {
	HELLO,   /* nothing but a hello may come */
	OPEN,    /* calls may be made */
	CLOSING, /* what is written goes out; nothing is read any more, and no call goes on */
};

struct open_call {
	struct open_call *prev, *next;
	struct session *session; /* NULL: it is gone, and the exchange goes on */
	struct sessions *all;
	struct identity *identity; /* of whom it then is */
	uint32_t number;
	int64_t credit;                 /* what we may send of the answer */
	int64_t upload;                 /* what the client may send of the body */
	struct exchange *exchange;      /* a typed call, or */
	struct named named;             /* for whom that is, beside who has the connection */
	char token[APP_TOKEN_ID_BYTES]; /* that it shows; "" none */
	struct identity *account;       /* on whose account, where it is not the session's own */
	struct admin_call *admin;       /* an administrative one under way, or */
	struct buf admin_body;          /* one whose body is still coming, or */
	struct buf answer;              /* one that is answered: its JSON */
	size_t answered;                /* how much of that is written */
	bool is_answered;
	char *admin_op;
	bool is_ready;   /* there may be something to write */
	bool is_blocked; /* there is, and no credit for it */
};

/* Only while one runs: an idle client has none. */
struct session_timer {
	struct loop_timer timer;
	struct session *session;
};

struct session {
	struct session *prev, *next;
	struct sessions *all;
	struct loop *loop;
	uint64_t number; /* of all that there were, from 1 */
	int fd;
	enum session_state state;
	struct loop_io io;
	struct loop_task flush;
	struct session_timer *timer;    /* for the hello, or for a client that stopped reading */
	const struct peer_place *place; /* where it came from: compared, and never looked at */
	struct pinned *who;
	struct doubt *doubt;       /* it may turn out to be another; NULL none */
	struct identity *identity; /* what its like have of the broker, all together */
	struct seat *seat;         /* and its user */
	struct buf in, out;
	size_t sent; /* bytes of `out` that are gone */
	struct open_call *calls;
	size_t n_calls;
	int64_t progress_us; /* when the client last took or granted something */
	/* A reading ends with the message that descriptors came with: they are of the frame that is the last in it, or whose
	 * beginning is. Frames before that have none. */
	struct passed held; /* with one that ended inside a frame, for that */
	bool is_last,
		is_resumed; /* the frame being taken ends this reading; it began in one before */
	bool is_draining;
	bool may_pass;       /* descriptors, which the next call may want */
	bool is_without_fds; /* none can come, wanted or not */
};

/* ---- session.c ---- */

void session_free(struct session *s);
/* Its timer is set, anew where it runs; or is stopped, and gone. False: it has none, and there is no memory for one. */
bool session_time(struct session *s, int64_t delay_us);
void session_time_stop(struct session *s);
bool session_is_timed(const struct session *s);
/* Is it let in, are there not too many of its like, and may it pass descriptors? If not, it is told and closed. */
void session_admit(struct session *s);
int64_t session_now_s(const struct sessions *all); /* since 1970 */

/* ---- session_doubt.c ---- */

/* Would policy let it in, were it proved to be who it seems? Then it is not sent away before that is settled. */
bool session_may_be_let_in(const struct session *s);
/* Bytes have come while there was doubt. Where that settles it the session is moved to who it is, and admitted. */
void session_hear(struct session *s, const struct sender *who);
/* A call was denied while there was doubt: says what its client can do. */
enum err session_deny_early(struct fault *why);

/* What came along with the frame that is being taken. */
static inline struct passed *session_passed(struct session *s)
{
	if (s->is_resumed && s->held.n > 0)
		return &s->held;
	return s->is_last ? &s->all->passed : &s->all->none;
}

/* ---- session_calls.c ---- */

struct open_call *session_call(struct session *s, uint32_t number); /* NULL: there is none */
enum err session_call_begin(
	struct session *s, uint32_t number, const struct call *call, struct fault *why) MUST_USE;
/* Is that frame the call that was answered before, and is it answered by the same now? Then it is told, and over. False: it is to
 * begin like any other. */
bool session_call_again(struct session *s, const struct frame *f);
/* It has begun: where that is of use it is remembered, for the next one like it. */
void session_call_remember(struct session *s, const struct frame *f);
/* An administrative call's body is whole. */
enum err session_admin_begin(struct open_call *c, const struct peer_id *who, struct span op,
	struct span body, struct fault *why) MUST_USE;
/* It ends with a fault: its exchange tells it, unless that has ended well and what is left of its answer cannot
 * or need not be read. It may be freed. */
void session_call_fail(struct open_call *c, const struct fault *why);
/* It has a fault for its end and is freed; its exchange goes on without it, where exchange_leave says so. */
void session_call_let_go(struct open_call *c, const struct fault *why);
void session_call_free(struct open_call *c);
/* For the audit log. */
void session_note_denied(const struct session *s, const struct peer_id *who, const char *what,
	struct span subject, const struct fault *why);

/* ---- session_read.c ---- */

/* False: the connection is over and the session freed. */
bool session_read(struct session *s);

/* ---- session_write.c ---- */

/* Something may be written: it is so in the buffer that all share, where no other has that just now. Once all is out it goes
 * back: an idle client owns none. */
void session_borrow(struct session *s);
/* Writes what may be written, and watches for what comes next; may free the session. */
void session_flush(struct session *s);
void session_later(struct session *s); /* the same, at the end of this turn */
void session_watch(struct session *s);
/* The last frame: what follows is only the writing of it. */
void session_close_with(struct session *s, const struct fault *why);
/* A fault of one call that has no exchange to say it. */
void session_refuse_call(struct session *s, uint32_t number, const struct fault *why);
bool session_has_output(const struct session *s);
size_t session_room(const struct session *s); /* so many bytes more may wait to be written */
/* Is it a frame that costs no credit? */
bool session_is_free(int frame_type);

#endif
