/* ask_desktop.c - notify-send shows it, and prints the name of the button that was pressed. */
#include "libllmclient/agent/ask.h"

#include <string.h>

#include "libllmclient/agent/tool.h"

enum reply ask_desktop(const struct asked *a)
{
	const char *const argv[] = {"notify-send", "--app-name=llm-broker", "--urgency=critical",
		"--wait", "--action=yes=Allow for 30 days", "--action=session=Allow now",
		"--action=no=Do not allow", "--", a->title.p, a->detail.p, NULL};
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
