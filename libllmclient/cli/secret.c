/* secret.c - a terminal is read key by key, so that Ctrl-C cannot leave it without its echo. */
#include "libllmclient/cli/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "protocol/base/utf8.h"

bool may_ask(const struct common *o)
{
	return !o->has_no_input && is_terminal(STDIN_FILENO) && is_terminal(STDERR_FILENO);
}

/* ---- from a terminal ---- */

static void rub_out(struct buf *b)
{
	while (b->n > 0 && ((unsigned char)b->p[b->n - 1] & 0xc0) == 0x80)
		b->n--;
	if (b->n > 0)
		b->n--;
}

/* A JSON document that has begun and is not closed yet: the lines of a pasted one go on, and must not
 * go to the shell. */
static bool is_open_document(const struct buf *b)
{
	int depth = 0;
	bool is_text = false;
	if (b->n == 0 || b->p[0] != '{')
		return false;
	for (size_t i = 0; i < b->n; i++) {
		const char c = b->p[i];
		if (is_text && c == '\\')
			i++;
		else if (c == '"')
			is_text = !is_text;
		else if (!is_text)
			depth += (c == '{') - (c == '}');
	}
	return depth > 0;
}

/* Takes one key. -1: more are wanted. */
static int take_key(struct buf *b, char key, bool may_be_a_file)
{
	switch (key) {
	case '\r':
	case '\n':
		if (!may_be_a_file || !is_open_document(b))
			return EXIT_GOOD;
		buf_byte(b, '\n');
		return -1;
	case 3: /* Ctrl-C */
		return EXIT_INTERRUPTED;
	case 4: /* Ctrl-D */
		return b->n > 0 ? EXIT_GOOD : EXIT_INTERRUPTED;
	case 21: /* Ctrl-U */
		buf_cut(b, 0);
		return -1;
	case '\b':
	case 0x7f:
		rub_out(b);
		return -1;
	default:
		buf_byte(b, key);
		return -1;
	}
}

static int read_terminal(const char *prompt, bool may_be_a_file, struct buf *out)
{
	struct termios was, quiet;
	char key = 0;
	int code = -1;
	if (tcgetattr(STDIN_FILENO, &was) != 0)
		return EXIT_BAD;
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
	quiet.c_cc[VMIN] = 1;
	quiet.c_cc[VTIME] = 0;
	/* what was typed before the question is no answer to it */
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) != 0)
		return EXIT_BAD;
	(void)!write(STDERR_FILENO, prompt, strlen(prompt));
	while (code < 0) {
		const ssize_t n = read(STDIN_FILENO, &key, 1);
		if (n < 0 && errno == EINTR)
			continue;
		code = n == 1 ? take_key(out, key, may_be_a_file) : EXIT_INTERRUPTED;
	}
	key = 0;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &was);
	(void)!write(STDERR_FILENO, "\n", 1);
	return code;
}

/* ---- from a descriptor ---- */

static enum err read_fd(int fd, struct buf *out)
{
	for (;;) {
		const size_t room = SECRET_BYTES_MAX + 2 - out->n;
		char *at = buf_reserve(out, room);
		if (!at || room == 0)
			return ERR_TOO_BIG;
		const ssize_t n = read(fd, at, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return OK;
		buf_commit(out, (size_t)n);
	}
}

static void strip_line_break(struct buf *b)
{
	if (b->n > 0 && b->p[b->n - 1] == '\n')
		b->n--;
	if (b->n > 0 && b->p[b->n - 1] == '\r')
		b->n--;
}

static bool is_space(char c)
{
	return c == '\n' || c == '\r' || c == '\t';
}

static int check(const struct common *o, const struct buf *b, const struct secret_source *from)
{
	const struct span all = buf_view(b);
	const bool is_file = from->may_be_a_file && all.n > 0 && all.p[0] == '{';
	if (all.n == 0 && from->may_be_empty)
		return EXIT_GOOD;
	if (all.n == 0)
		return say_failure(o, EXIT_USAGE, "nothing was given");
	if (all.n > SECRET_BYTES_MAX)
		return say_failure(
			o, EXIT_USAGE, "that is longer than %zu bytes", SECRET_BYTES_MAX);
	for (size_t i = 0; i < all.n; i++) {
		if (is_file && is_space(all.p[i]))
			continue; /* the broker knows whether this provider's key may be one */
		if ((unsigned char)all.p[i] < 0x20 || all.p[i] == 0x7f)
			return say_failure(o, EXIT_USAGE,
				"there is a line break or another control byte in it: give the one "
				"line alone");
	}
	if (!utf8_is_valid(all))
		return say_failure(o, EXIT_USAGE, "it is not valid UTF-8");
	return EXIT_GOOD;
}

int secret_read(const struct common *o, const struct secret_source *from, const char *prompt,
	struct buf *out)
{
	int code = EXIT_GOOD;
	buf_init(out, SECRET_BYTES_MAX + 2);
	if (!buf_reserve(out, SECRET_BYTES_MAX + 2))
		return say_failure(o, EXIT_BAD, "%s", llm_strerror(LLM_E_NOMEM));
	if (from->is_stdin || from->fd >= 0) {
		const int fd = from->is_stdin ? STDIN_FILENO : (int)from->fd;
		const enum err err = read_fd(fd, out);
		if (err == ERR_IO)
			return say_failure(o, EXIT_USAGE, "descriptor %d cannot be read: %s", fd,
				strerror(errno));
		strip_line_break(out);
	} else if (may_ask(o)) {
		code = read_terminal(prompt, from->may_be_a_file, out);
	} else {
		return say_failure(o, EXIT_USAGE,
			"there is no terminal to ask on: use --from-stdin or --from-fd N");
	}
	return code ? code : check(o, out, from);
}

int secret_read_new(const struct common *o, const struct secret_source *from, const char *prompt,
	struct buf *out)
{
	OWNED(buf_wipe) struct buf again = BUF_INIT(0);
	int code = secret_read(o, from, prompt, out);
	if (code || out->n == 0 || from->is_stdin || from->fd >= 0)
		return code;
	code = secret_read(o, from, "Once more: ", &again);
	if (code)
		return code;
	if (!span_eq(buf_view(out), buf_view(&again)))
		return say_failure(o, EXIT_USAGE, "the two differ: nothing was changed");
	return EXIT_GOOD;
}

bool secret_confirm(const char *question)
{
	char line[16];
	ssize_t n;
	say_err("%s [y/N]", question);
	do
		n = read(STDIN_FILENO, line, sizeof line);
	while (n < 0 && errno == EINTR);
	return n > 0 && (line[0] == 'y' || line[0] == 'Y');
}
