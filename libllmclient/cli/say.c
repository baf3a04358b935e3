/* say.c - write(2), and nothing kept back. */
#include "libllmclient/cli/say.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "protocol/base/utf8.h"

bool is_terminal(int fd)
{
	return isatty(fd) == 1;
}

/* A reader that has left ends the program by SIGPIPE, as it should. */
static void write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		const ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			if (fd != STDERR_FILENO)
				say_err("llmb: stdout cannot be written: %s", strerror(errno));
			exit(EXIT_BAD);
		}
		p += done;
		n -= (size_t)done;
	}
}

/* Escape sequences can set a title, move a cursor over what stands there, or answer a prompt. */
static bool is_control(struct span s, size_t i)
{
	const unsigned char c = (unsigned char)s.p[i];
	if (c < 0x20)
		return c != '\n' && c != '\t';
	if (c == 0xc2 && i + 1 < s.n)
		return (unsigned char)s.p[i + 1] < 0xa0; /* U+0080..9F, in two bytes */
	return c == 0x7f;
}

static void write_seen(int fd, struct span s)
{
	size_t begin = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_control(s, i))
			continue;
		write_all(fd, s.p + begin, i - begin);
		write_all(fd, "?", 1);
		if ((unsigned char)s.p[i] == 0xc2)
			i++;
		begin = i + 1;
	}
	write_all(fd, s.p + begin, s.n - begin);
}

void say_text(const char *text, size_t n)
{
	if (is_terminal(STDOUT_FILENO))
		write_seen(STDOUT_FILENO, span_of(text, n));
	else
		write_all(STDOUT_FILENO, text, n);
}

void say_out(struct buf *b)
{
	if (buf_error(b)) {
		say_err("llmb: %s", err_info(buf_error(b))->sentence);
		exit(EXIT_BAD);
	}
	const struct span all = buf_view(b);
	say_text(all.p, all.n);
	buf_clear(b);
}

PRINTF_LIKE(1, 0) static void say_line(const char *format, va_list args)
{
	char text[4096];
	const int n = vsnprintf(text, sizeof text - 1, format, args);
	size_t length = n < 0 ? 0 : (size_t)n;
	if (length > sizeof text - 2)
		length = sizeof text - 2;
	text[length] = '\n';
	write_seen(STDERR_FILENO, span_of(text, length + 1));
}

void say_err(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say_line(format, args);
	va_end(args);
}

/* Of the screen that stderr is. */
static size_t screen_columns(void)
{
	struct winsize size;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

void say_passing(const char *before, struct span text)
{
	const size_t room = screen_columns() - 1; /* a full line would go on in the next */
	size_t n = 0, seen = 0;
	for (; n < text.n; n++) {
		seen += ((unsigned char)text.p[n] & 0xc0) != 0x80;
		if (seen > room)
			break;
	}
	write_all(STDERR_FILENO, before, strlen(before));
	write_seen(STDERR_FILENO, span_first(text, n));
}

static void json_error(const char *word, const char *message, const llm_error *e, int exit_code)
{
	OWNED(buf_done) struct buf b = BUF_INIT(SAY_BYTES_MAX);
	struct json_out out = json_to(&b);
	json_open(&out, '{');
	json_key(&out, "error");
	json_open(&out, '{');
	json_pair_str(&out, "class", span_str(word));
	json_pair_str(&out, "message", span_str(message));
	json_pair_i64(&out, "exit", exit_code);
	if (e) {
		json_pair_str(&out, "provider", span_str(llm_error_provider(e)));
		json_pair_str(&out, "request_id", span_str(llm_error_request_id(e)));
		if (llm_error_http_status(e) > 0)
			json_pair_i64(&out, "http_status", llm_error_http_status(e));
		if (llm_error_retry_after_ms(e) >= 0)
			json_pair_i64(&out, "retry_after_ms", llm_error_retry_after_ms(e));
		json_pair_bool(&out, "retryable", llm_error_retryable(e));
	}
	json_close(&out, '}');
	json_close(&out, '}');
	buf_byte(&b, '\n');
	say_out(&b);
}

int say_error(const struct common *o, const llm_error *e)
{
	const char *word = llm_error_class(e);
	const int exit_code = err_info(err_from_word(span_str(word)))->exit_code;
	const char *provider = llm_error_provider(e);
	if (o->is_json)
		json_error(word, llm_error_message(e), e, exit_code);
	if (provider)
		say_err("llmb: %s: %s", provider, llm_error_message(e));
	else
		say_err("llmb: %s", llm_error_message(e));
	return exit_code;
}

int say_failure(const struct common *o, int exit_code, const char *format, ...)
{
	char text[2048];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (o->is_json)
		json_error(
			exit_code == EXIT_USAGE ? "invalid_argument" : "io", text, NULL, exit_code);
	say_err("llmb: %s", text);
	return exit_code;
}

/* ---- tables ---- */

void table_begin(struct table *t, size_t columns, unsigned right)
{
	*t = (struct table){.columns = columns, .right = right};
	buf_init(&t->cells, SAY_BYTES_MAX);
}

void table_heads(struct table *t, const char *const *heads, size_t n, unsigned right)
{
	table_begin(t, n, right);
	for (size_t i = 0; i < n; i++)
		table_text(t, heads[i]);
}

void table_cell(struct table *t, struct span text)
{
	buf_span(&t->cells, text);
	buf_byte(&t->cells, '\0');
	t->n++;
}

void table_text(struct table *t, const char *text)
{
	table_cell(t, span_str(text));
}

void table_i64(struct table *t, int64_t v)
{
	char text[24];
	if (v < 0) {
		table_text(t, "-");
		return;
	}
	(void)snprintf(text, sizeof text, "%" PRId64, v);
	table_text(t, text);
}

/* Characters, where bytes are more. */
static size_t width(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void pad(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_byte(out, ' ');
}

/* Ends the line, without what blanks its last columns left. */
static void end_row(struct buf *out)
{
	while (out->n > 0 && out->p[out->n - 1] == ' ')
		buf_cut(out, out->n - 1);
	buf_byte(out, '\n');
}

void table_end(struct table *t, struct buf *out)
{
	size_t widths[16] = {0};
	const char *cell = t->cells.p;
	for (size_t i = 0; i < t->n; i++, cell += strlen(cell) + 1) {
		const size_t w = width(cell);
		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	cell = t->cells.p;
	for (size_t i = 0; i < t->n; i++, cell += strlen(cell) + 1) {
		const size_t column = i % t->columns;
		const bool is_last = column + 1 == t->columns;
		const bool is_right = t->right >> column & 1;
		const size_t gap = widths[column] - width(cell);
		if (is_right)
			pad(out, gap);
		buf_text(out, cell);
		if (!is_right && !is_last)
			pad(out, gap);
		if (is_last)
			end_row(out);
		else
			buf_text(out, "  ");
	}
	buf_done(&t->cells);
}

void put_lasting(struct buf *out, int64_t s)
{
	if (s >= 86400)
		buf_print(out, "%" PRId64 "d %" PRId64 "h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		buf_print(out, "%" PRId64 "h %" PRId64 "m", s / 3600, s / 60 % 60);
	else if (s >= 60)
		buf_print(out, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
	else
		buf_print(out, "%" PRId64 "s", s > 0 ? s : 0);
}

void put_usd(struct buf *out, int64_t nusd)
{
	if (nusd < 0) {
		buf_text(out, "unknown");
		return;
	}
	if (nusd > 0 && nusd < 500) {
		buf_text(out, "<0.000001");
		return;
	}
	const int64_t micro = nusd / 1000 + (nusd % 1000 >= 500);
	buf_print(out, "%" PRId64 ".%06" PRId64, micro / 1000000, micro % 1000000);
}
