/* ask_terminal.c - a line typed after the question: what was typed before is no answer to it. */
#include "libllmclient/agent/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static int open_terminal(void)
{
	return open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static bool say(int fd, const char *text)
{
	const size_t n = strlen(text);
	return write(fd, text, n) == (ssize_t)n;
}

/* A line, or what was typed of one until the time was over. */
static bool read_line(int fd, char *to, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n = -1;
	if (poll(&p, 1, ASK_SECONDS * 1000) == 1)
		n = read(fd, to, size - 1);
	to[n > 0 ? n : 0] = '\0';
	return n > 0;
}

enum reply ask_terminal(const struct asked *a)
{
	char line[64];
	enum reply reply = REPLY_NONE;
	const int fd = open_terminal();
	if (fd < 0)
		return REPLY_NONE;
	(void)tcflush(fd, TCIFLUSH);
	if (say(fd, "\n") && say(fd, a->title.p) && say(fd, "\n") && say(fd, a->detail.p) &&
		say(fd, "\n[y]es, for 30 days; only this [s]ession; [n]o: ") &&
		read_line(fd, line, sizeof line)) {
		const char first =
			line[0] >= 'A' && line[0] <= 'Z' ? (char)(line[0] + 32) : line[0];
		reply = first == 'y' ? REPLY_YES : first == 's' ? REPLY_SESSION : REPLY_NO;
	}
	if (reply == REPLY_NONE)
		(void)say(fd, "\nnobody answered: it is not allowed\n");
	close(fd);
	return reply;
}

bool ask_terminal_can(void)
{
	const int fd = open_terminal();
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
