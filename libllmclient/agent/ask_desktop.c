/* ask_desktop.c - notify-send shows it, and prints the name of the button that was pressed. */
#include "libllmclient/agent/ask.h"

#include <string.h>

#include "libllmclient/agent/tool.h"

#define BODY_BYTES ((size_t)128 * 1024)

/* The body of a notification is markup, in which notify-send also undoes the escapes of C; its title is neither. */
static void put_markup(struct buf *to, const char *text)
{
	static const struct {
		char c;
		const char *as;
	} special[] = {
		{'&',  "&amp;"},
		{'<',  "&lt;" },
		{'>',  "&gt;" },
		{'\\', "\\\\" },
	};
	for (; *text; text++) {
		const char *as = NULL;
		for (size_t i = 0; i < COUNT_OF(special); i++)
			as = *text == special[i].c ? special[i].as : as;
		if (as)
			buf_text(to, as);
		else
			buf_byte(to, *text);
	}
	buf_byte(to, '\0');
}

enum reply ask_desktop(const struct asked *a)
{
	OWNED(buf_done) struct buf body = BUF_INIT(BODY_BYTES);
	put_markup(&body, a->detail.p);
	if (buf_error(&body))
		return REPLY_NONE;
	const char *const argv[] = {"notify-send", "--app-name=llm-broker", "--urgency=critical",
		"--wait", "--action=yes=Allow for 30 days", "--action=session=Allow now",
		"--action=no=Do not allow", "--", a->title.p, body.p, NULL};
	char said[64];
	if (!tool_run(argv, NULL, ASK_SECONDS, said, sizeof said))
		return REPLY_NONE;
	return strcmp(said, "yes") == 0       ? REPLY_YES
	       : strcmp(said, "session") == 0 ? REPLY_SESSION
	       : strcmp(said, "no") == 0      ? REPLY_NO
					      : REPLY_NONE;
}

bool ask_desktop_can(void)
{
	static const char *const argv[] = {"notify-send", "--version", NULL};
	char said[64];
	return tool_run(argv, NULL, ASK_SECONDS, said, sizeof said) &&
	       strncmp(said, "notify-send", strlen("notify-send")) == 0;
}
