/* log.c - one line, one write, no waiting. Usable from any thread: its few globals are atomic. */
#include "brokerd/log/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "protocol/base/utf8.h"

#define LINE_BYTES 4096 /* PIPE_BUF on Linux: a pipe takes a line whole or not at all */
#define WORD_BYTES 256  /* of an event's name, which is ours and never as long */
#define CUT        "..."

/* How a descriptor is kept from making us wait. */
enum sink_kind {
	SINK_ASKED,  /* a pipe, a terminal: asked first whether it takes a line */
	SINK_SOCKET, /* told with each line not to wait */
	SINK_FILE,   /* a regular file takes everything */
};

static atomic_int sink = STDERR_FILENO;
static atomic_int kind = SINK_ASKED;
static atomic_int loudest = LOG_LEVEL_INFO;
static atomic_bool is_journal;
static atomic_bool is_torn;    /* the last line went out in part */
static atomic_ulong n_dropped; /* lines, since the last one that went out */

static const struct {
	enum log_level level;
	const char *word;
} levels[] = {
	{LOG_LEVEL_ERROR, "error"},
	{LOG_LEVEL_WARN,  "warn" },
	{LOG_LEVEL_INFO,  "info" },
	{LOG_LEVEL_DEBUG, "debug"},
};

static enum sink_kind kind_of(int fd)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return SINK_ASKED;
	return S_ISSOCK(st.st_mode) ? SINK_SOCKET : S_ISREG(st.st_mode) ? SINK_FILE : SINK_ASKED;
}

/* systemd says in JOURNAL_STREAM which descriptor leads to the journal, as "device:inode". */
static bool leads_to_journal(int fd)
{
	const char *said = getenv("JOURNAL_STREAM");
	struct stat st;
	char here[64];
	if (!said || fstat(fd, &st) != 0)
		return false;
	(void)snprintf(here, sizeof here, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(said, here) == 0;
}

void log_init(enum log_level level, int fd)
{
	const int to = fd < 0 ? STDERR_FILENO : fd;
	atomic_store(&sink, to);
	atomic_store(&kind, kind_of(to));
	atomic_store(&is_journal, leads_to_journal(to));
	atomic_store(&is_torn, false);
	atomic_store(&n_dropped, 0);
	log_set_level(level);
}

void log_set_level(enum log_level level)
{
	atomic_store(&loudest, (int)level);
}

bool log_is_on(enum log_level level)
{
	return atomic_load_explicit(&loudest, memory_order_relaxed) >= (int)level;
}

bool log_level_from(struct span word, enum log_level *out)
{
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		if (span_is(word, levels[i].word)) {
			*out = levels[i].level;
			return true;
		}
	}
	return false;
}

static const char *level_word(enum log_level level)
{
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		if (levels[i].level == level)
			return levels[i].word;
	}
	return "";
}

/* Gives the line to the kernel if it takes it now. The descriptor may be shared, so its flags are
 * left alone. */
static bool write_now(int fd, const char *line, size_t n)
{
	const enum sink_kind how = (enum sink_kind)atomic_load(&kind);
	struct pollfd ask = {.fd = fd, .events = POLLOUT};
	ssize_t written;
	if (how == SINK_ASKED && (poll(&ask, 1, 0) != 1 || !(ask.revents & POLLOUT)))
		return false;
	do
		written = how == SINK_SOCKET ? send(fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL)
					     : write(fd, line, n);
	while (written < 0 && errno == EINTR);
	if (written < 0)
		return false;
	/* a line that went out in part is ended before the next begins */
	atomic_store(&is_torn, (size_t)written < n);
	return true;
}

/* A number of so many digits, and what stands behind it; returns where that ends. */
static char *put_digits(char *to, unsigned long v, size_t digits, char behind)
{
	for (size_t i = digits; i > 0; i--, v /= 10)
		to[i - 1] = (char)('0' + v % 10);
	to[digits] = behind;
	return to + digits + 1;
}

static char *put_word(char *to, const char *word)
{
	const size_t n = strnlen(word, WORD_BYTES);
	memcpy(to, word, n);
	to[n] = ' ';
	return to + n + 1;
}

/* The time or the journal's mark, with which each line begins: by hand, for printf takes longer over it than over
 * all that is said behind it. */
static char *put_prefix(char *to, enum log_level level)
{
	struct timespec now;
	struct tm utc;
	if (atomic_load(&is_journal)) {
		*to++ = '<';
		return put_digits(to, level, 1, '>');
	}
	if (clock_gettime(CLOCK_REALTIME, &now) != 0 || !gmtime_r(&now.tv_sec, &utc))
		return to;
	to = put_digits(to, (unsigned long)utc.tm_year + 1900, 4, '-');
	to = put_digits(to, (unsigned long)utc.tm_mon + 1, 2, '-');
	to = put_digits(to, (unsigned long)utc.tm_mday, 2, 'T');
	to = put_digits(to, (unsigned long)utc.tm_hour, 2, ':');
	to = put_digits(to, (unsigned long)utc.tm_min, 2, ':');
	to = put_digits(to, (unsigned long)utc.tm_sec, 2, '.');
	to = put_digits(to, (unsigned long)now.tv_nsec / 1000, 6, 'Z');
	*to++ = ' ';
	return put_word(to, level_word(level));
}

/* How much of the first `n` bytes is whole characters. */
static size_t whole_characters(const char *text, size_t n)
{
	for (size_t back = 1; back <= 4 && back <= n; back++) {
		const unsigned char c = (unsigned char)text[n - back];
		if ((c & 0xc0) == 0x80)
			continue;
		return utf8_length(span_of(text + n - back, back)) < 0 ? n - back : n;
	}
	return n;
}

static void put_line(enum log_level level, const char *event, const char *format, va_list args)
	PRINTF_LIKE(3, 0);
static void put_line(enum log_level level, const char *event, const char *format, va_list args)
{
	char line[LINE_BYTES];
	const size_t room = sizeof line - 1; /* for the newline */
	size_t used = 0;
	if (atomic_load(&is_torn))
		line[used++] = '\n';
	used = (size_t)(put_prefix(line + used, level) - line);
	const size_t text = used;
	used = (size_t)(put_word(line + used, event) - line);
	const int body = vsnprintf(line + used, room - used, format, args);
	used += body > 0 ? (size_t)body : 0;
	if (used >= room) {
		used = whole_characters(line, room - sizeof CUT);
		memcpy(line + used, CUT, sizeof CUT - 1);
		used += sizeof CUT - 1;
	}
	while (used > text && line[used - 1] == ' ')
		used--;
	for (size_t i = text; i < used; i++) {
		/* one event, one line, and no terminal is told what to do */
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
	}
	line[used++] = '\n';
	if (!write_now(atomic_load(&sink), line, used))
		atomic_fetch_add(&n_dropped, 1);
}

static void put_plain(enum log_level level, const char *event, const char *format, ...)
	PRINTF_LIKE(3, 4);
static void put_plain(enum log_level level, const char *event, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	put_line(level, event, format, args);
	va_end(args);
}

static void put(enum log_level level, const char *event, const char *format, va_list args)
	PRINTF_LIKE(3, 0);
static void put(enum log_level level, const char *event, const char *format, va_list args)
{
	/* taken out first: if this line does not go out either, it counts them anew */
	const unsigned long lost = atomic_exchange(&n_dropped, 0);
	if (lost > 0) {
		put_plain(LOG_LEVEL_WARN, "log.dropped", "lines=%lu", lost);
		if (atomic_load(&n_dropped) > 0) {
			atomic_fetch_add(&n_dropped, lost);
			return;
		}
	}
	put_line(level, event, format, args);
}

#define LOG_AT(level_)                              \
	do {                                        \
		va_list args;                       \
		if (!log_is_on(level_))             \
			return;                     \
		va_start(args, format);             \
		put((level_), event, format, args); \
		va_end(args);                       \
	} while (0)

void log_error(const char *event, const char *format, ...)
{
	LOG_AT(LOG_LEVEL_ERROR);
}

void log_warn(const char *event, const char *format, ...)
{
	LOG_AT(LOG_LEVEL_WARN);
}

void log_info(const char *event, const char *format, ...)
{
	LOG_AT(LOG_LEVEL_INFO);
}

void log_debug(const char *event, const char *format, ...)
{
	LOG_AT(LOG_LEVEL_DEBUG);
}

const char *log_quote(char *to, size_t size, struct span text)
{
	static const char hex[] = "0123456789abcdef";
	size_t used = 0;
	assert(size > sizeof "\"" CUT "\"");
	const size_t room = size - sizeof CUT "\""; /* so that an end always fits */
	to[used++] = '"';
	while (text.n > 0) {
		const unsigned char c = (unsigned char)text.p[0];
		const int length = utf8_length(text);
		char unit[4];
		size_t n = 2;
		size_t eaten = 1;
		unit[0] = '\\';
		if (c == '"' || c == '\\') {
			unit[1] = (char)c;
		} else if (c == '\n') {
			unit[1] = 'n';
		} else if (c == '\t') {
			unit[1] = 't';
		} else if (c == '\r') {
			unit[1] = 'r';
		} else if (length <= 0 || c < 0x20 || c == 0x7f) {
			unit[1] = 'x';
			unit[2] = hex[c >> 4];
			unit[3] = hex[c & 15];
			n = 4;
		} else {
			n = eaten = (size_t)length;
			memcpy(unit, text.p, n);
		}
		if (used + n > room) {
			memcpy(to + used, CUT, sizeof CUT - 1);
			used += sizeof CUT - 1;
			break;
		}
		memcpy(to + used, unit, n);
		used += n;
		text = span_skip(text, eaten);
	}
	to[used++] = '"';
	to[used] = '\0';
	return to;
}
