/* screen.c - a few sequences that every terminal since the VT220 knows. */
#include "libllmclient/cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "protocol/base/buf.h"

#define PIECE_BYTES ((size_t)256) /* a terminal that can be written to has room for these */
#define SHOWN_BYTES ((size_t)1024 * 1024)
#define STUCK_MS    50

/* the other screen, no cursor, no line that goes on in the next */
static const char enter[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
static const char leave[] = "\033[?7h\033[?25h\033[?1049l";

static struct termios before; /* of stdin */
static bool is_open, has_keys, is_registered, is_gone;

/* Stops, and says so, where it is stopped or gone. */
static bool write_now(const char *p, size_t n)
{
	while (n > 0) {
		struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
		const size_t piece = n < PIECE_BYTES ? n : PIECE_BYTES;
		if (poll(&room, 1, STUCK_MS) <= 0)
			return true;
		const ssize_t done = write(STDOUT_FILENO, p, piece);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

bool screen_is_ours(void)
{
	const pid_t job = tcgetpgrp(STDOUT_FILENO); /* -1: it is nobody's */
	return job < 0 || job == getpgrp();
}

static void take_keys(void)
{
	struct termios quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	quiet.c_cc[VMIN] = 0;
	quiet.c_cc[VTIME] = 0;
	if (has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
}

bool screen_open(void)
{
	if (!is_registered && atexit(screen_close) != 0)
		return false;
	is_registered = true;
	has_keys = tcgetattr(STDIN_FILENO, &before) == 0;
	is_open = true;
	screen_again();
	return !is_gone;
}

void screen_again(void)
{
	if (!screen_is_ours())
		return;
	take_keys();
	is_gone = !write_now(enter, sizeof enter - 1);
}

void screen_close(void)
{
	if (!is_open)
		return;
	is_open = false;
	if (!screen_is_ours())
		return;
	(void)write_now(leave, sizeof leave - 1);
	if (has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void screen_size(size_t *columns, size_t *lines)
{
	struct winsize size;
	const bool has = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
	*columns = has && size.ws_col > 0 ? size.ws_col : 80;
	*lines = has && size.ws_row > 0 ? size.ws_row : 24;
}

bool screen_show(struct span lines)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SHOWN_BYTES);
	if (!screen_is_ours())
		return true;
	buf_text(&out, "\033[H");
	while (span_is_set(lines)) {
		buf_span(&out, span_cut(&lines, '\n'));
		buf_text(&out, "\033[K");
		if (lines.n > 0)
			buf_text(&out, "\r\n");
		else
			break;
	}
	buf_text(&out, "\033[J");
	return !buf_error(&out) && write_now(out.p, out.n);
}

char screen_key(void)
{
	char key = '\0';
	if (read(STDIN_FILENO, &key, 1) != 1)
		key = '\0';
	return key;
}
