/* test_log.c - what does a line look like, and what when nobody takes it? */
#include "brokerd/log/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/tap.h"

static char got[1 << 17];

/* What is there to read now. */
static const char *read_all(int fd)
{
	size_t n = 0;
	ssize_t more;
	while ((more = read(fd, got + n, sizeof got - 1 - n)) > 0)
		n += (size_t)more;
	got[n] = '\0';
	return got;
}

static void make_pipe(int fd[2])
{
	if (pipe2(fd, O_CLOEXEC) != 0 || fcntl(fd[0], F_SETFL, O_NONBLOCK) != 0)
		bail("no pipe");
}

/* Behind the time stamp. */
static const char *behind_time(const char *line)
{
	int y, mo, d, h, mi, s, us, n = 0;
	if (sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ %n", &y, &mo, &d, &h, &mi, &s, &us, &n) != 7)
		return line;
	return line + n;
}

static void lines(void)
{
	int fd[2];
	make_pipe(fd);
	unsetenv("JOURNAL_STREAM");
	log_init(LOG_LEVEL_INFO, fd[1]);
	log_info("exchange.end", "id=%d took_us=%s", 7, "12");
	is_str(behind_time(read_all(fd[0])), "info exchange.end id=7 took_us=12\n", "a line");
	log_debug("too.fine", "a=%d", 1);
	is_str(read_all(fd[0]), "", "what is finer than the level is not written");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("fine.now", "a=%d", 1);
	is_str(behind_time(read_all(fd[0])), "debug fine.now a=1\n", "unless asked for");
	log_error("two.lines", "text=%s", "a\nb\x1b[0m\x7f");
	is_str(behind_time(read_all(fd[0])), "error two.lines text=a b [0m \n",
		"one event is one line, without control bytes");
	log_warn("nothing.more", "%s", "");
	is_str(behind_time(read_all(fd[0])), "warn nothing.more\n", "an event alone");
	close(fd[0]);
	close(fd[1]);
}

static void journal(void)
{
	int fd[2];
	struct stat st;
	char stream[64];
	make_pipe(fd);
	if (fstat(fd[1], &st) != 0)
		bail("no stat");
	snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init(LOG_LEVEL_DEBUG, fd[1]);
	log_error("a", "n=%d", 1);
	log_warn("b", "n=%d", 2);
	log_info("c", "n=%d", 3);
	log_debug("d", "n=%d", 4);
	is_str(read_all(fd[0]), "<3>a n=1\n<4>b n=2\n<6>c n=3\n<7>d n=4\n",
		"the journal gets priorities and no time");
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init(LOG_LEVEL_DEBUG, fd[1]);
	log_error("a", "n=%d", 1);
	is_str(behind_time(read_all(fd[0])), "error a n=1\n",
		"a descriptor that is not the journal gets the time");
	unsetenv("JOURNAL_STREAM");
	close(fd[0]);
	close(fd[1]);
}

static void long_lines(void)
{
	static char text[6000];
	int fd[2];
	make_pipe(fd);
	log_init(LOG_LEVEL_INFO, fd[1]);
	for (size_t shift = 0; shift < 3; shift++) {
		/* three bytes a character, so that the cut falls on each of them */
		memset(text, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof text; i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4);
		log_info("long", "text=%s", text);
		read_all(fd[0]);
		const size_t n = strlen(got);
		ok(n <= 4096 && n > 4080, "a long line is cut (%zu bytes)", n);
		is_str(got + n - 7, "\xe2\x82\xac...\n", "at a character, and says so");
	}
	close(fd[0]);
	close(fd[1]);
}

static void a_full_pipe(void)
{
	int fd[2];
	make_pipe(fd);
	const int flags = fcntl(fd[1], F_GETFL);
	log_init(LOG_LEVEL_INFO, fd[1]);
	static char text[1001];
	memset(text, 'x', sizeof text - 1);
	int n_written = 0;
	for (int i = 0; i < 500; i++)
		log_info("much", "n=%d text=%s", i, text);
	read_all(fd[0]);
	for (const char *p = got; (p = strchr(p, '\n')); p++)
		n_written++;
	ok(n_written > 10 && n_written < 500, "some lines went out (%d), none waited", n_written);
	log_info("after", "n=%d", 1);
	read_all(fd[0]);
	char want[64];
	snprintf(want, sizeof want, "warn log.dropped lines=%d\n", 500 - n_written);
	const char *second = strchr(got, '\n');
	ok(second && strncmp(behind_time(got), want, strlen(want)) == 0,
		"the lost ones are counted: %s", got);
	is_str(second ? behind_time(second + 1) : "", "info after n=1\n", "and it goes on");
	is_int(fcntl(fd[1], F_GETFL), flags, "the descriptor's flags are as they were");
	close(fd[0]);
	close(fd[1]);
}

static void a_full_socket(void)
{
	int fd[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0 ||
		fcntl(fd[0], F_SETFL, O_NONBLOCK) != 0)
		bail("no socket pair");
	log_init(LOG_LEVEL_INFO, fd[1]);
	static char text[3001];
	memset(text, 'x', sizeof text - 1);
	for (int i = 0; i < 500; i++)
		log_info("much", "n=%d text=%s", i, text);
	size_t n = 0;
	ssize_t more;
	while ((more = read(fd[0], got, sizeof got)) > 0)
		n += (size_t)more;
	ok(n > 3000, "a socket takes what it holds, and nobody waits");
	log_info("after", "n=%d", 1);
	read_all(fd[0]);
	ok(strstr(got, " warn log.dropped lines=") != NULL, "and the rest is counted");
	ok(strstr(got, " info after n=1\n") != NULL, "and it goes on");
	close(fd[0]);
	log_info("nobody", "n=%d", 2);
	ok(true, "a socket that nobody reads kills nobody");
	close(fd[1]);
}

static void levels(void)
{
	static const struct {
		const char *word;
		bool is_one;
		enum log_level level;
	} words[] = {
		{"error",   true,  LOG_LEVEL_ERROR},
		{"warn",    true,  LOG_LEVEL_WARN },
		{"info",    true,  LOG_LEVEL_INFO },
		{"debug",   true,  LOG_LEVEL_DEBUG},
		{"warning", false, LOG_LEVEL_ERROR},
		{"",        false, LOG_LEVEL_ERROR},
	};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		enum log_level level = LOG_LEVEL_ERROR;
		is_int(log_level_from(span_str(words[i].word), &level), words[i].is_one,
			"is \"%s\" a level", words[i].word);
		is_err(level, words[i].level, "level of \"%s\"", words[i].word);
	}
}

static void quotes(void)
{
	static const struct {
		struct span text;
		size_t size;
		const char *want;
	} rows[] = {
		{{"plain", 5},                32, "\"plain\""                 },
		{{"", 0},                     32, "\"\""                      },
		{{NULL, 0},                   32, "\"\""                      },
		{{"a \"b\" \\c", 8},          32, "\"a \\\"b\\\" \\\\c\""     },
		{{"l\n\t\r\0", 5},            32, "\"l\\n\\t\\r\\x00\""       },
		{{"\x1b[0m\x7f", 5},          32, "\"\\x1b[0m\\x7f\""         },
		{{"\xe2\x82\xac\xff\xe2", 5}, 32, "\"\xe2\x82\xac\\xff\\xe2\""},
		{{"0123456789abcdef", 16},    12, "\"012345...\""             },
		{{"012345", 6},               12, "\"012345\""                },
		{{"01234\n", 6},              12, "\"01234...\""              },
		{{"0123\xe2\x82\xac", 7},     12, "\"0123...\""               },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char to[32];
		is_str(log_quote(to, rows[i].size, rows[i].text), rows[i].want, "quoted %zu", i);
	}
}

int main(void)
{
	lines();
	journal();
	long_lines();
	a_full_pipe();
	a_full_socket();
	levels();
	quotes();
	return tap_done();
}
