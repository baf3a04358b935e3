/* ask.h - how is a person asked?
 * A question in words, on a terminal or on the desktop, and what they said. */
#ifndef LIBLLMCLIENT_AGENT_ASK_H
#define LIBLLMCLIENT_AGENT_ASK_H
#include "protocol/base/buf.h"
#include "protocol/base/json.h"

#define ASK_SECONDS 55 /* the broker waits a minute */

enum reply {
	REPLY_NONE, /* nobody said anything, or nobody can be asked: the broker's time runs out */
	REPLY_YES,  /* for a month */
	REPLY_SESSION, /* until the broker ends, or the vault is locked */
	REPLY_NO,
};

/* What is asked, as two texts of printable ASCII: a line, and what is to be known of it. `question` is the answer
 * to consent.next. */
struct asked {
	struct buf title, detail;
};
void asked_init(struct asked *a, struct json question);
void asked_done(struct asked *a);

/* On the controlling terminal, whatever stdin is. */
enum reply ask_terminal(const struct asked *a);
/* Is there one? Else errno says why not. */
bool ask_terminal_can(void);
/* By notify-send, which waits for a button. */
enum reply ask_desktop(const struct asked *a);
/* Is there a notify-send that can? */
bool ask_desktop_can(void);

#endif
