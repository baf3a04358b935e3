/* err.c - rows of err.def as data, and sentences that always fit. */
#include "protocol/base/err.h"

#include <stdarg.h>
#include <stdio.h>

#include "protocol/base/utf8.h"

static const struct err_info rows[] = {
#define FAULT(name, number, word, client, exit, http, otype, ocode, astatus, atype, gstatus,    \
	retry, sentence)                                                                        \
	{ERR_##name, word, "LLM_E_" #client, exit, http, otype, ocode, astatus, atype, gstatus, \
		(retry) != 0, sentence},
#include "protocol/base/err.def"
#undef FAULT
};

const struct err_info *err_table(size_t *n)
{
	*n = COUNT_OF(rows);
	return rows;
}

const struct err_info *err_info(enum err err)
{
	const struct err_info *internal = &rows[COUNT_OF(rows) - 1];
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].err == err)
			return &rows[i];
	}
	return internal;
}

enum err err_from_word(struct span word)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (span_is(word, rows[i].word))
			return rows[i].err;
	}
	return ERR_INTERNAL;
}

/* A control character, of one byte or (U+0080 to U+009F) of two. */
static bool is_control(const char *p, size_t n)
{
	const unsigned char c = (unsigned char)p[0];
	return n == 1 ? c < 0x20 || c == 0x7f : n == 2 && c == 0xc2 && (unsigned char)p[1] < 0xa0;
}

/* Are they neither control characters nor beyond ASCII? A byte's high bit says so: below a space, of DEL, or its own. */
static bool are_plain(uint64_t eight)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	return (((eight - ones * 0x20) | (eight + ones) | eight) & ones << 7) == 0;
}

static uint64_t eight_at(const char *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

/* How many of the first bytes are plain: names and sentences mostly are to their end. */
static size_t plain(struct span text, size_t most)
{
	const size_t end = text.n < most ? text.n : most;
	size_t n = 0;
	while (end - n >= 8 && are_plain(eight_at(text.p + n)))
		n += 8;
	if (end >= 8 && n < end && are_plain(eight_at(text.p + end - 8)) && end - n < 8)
		return end; /* with some that were looked at before */
	while (n < end && text.p[n] >= 0x20 && text.p[n] < 0x7f)
		n++;
	return n;
}

void fault_text(char *field, size_t size, struct span text)
{
	size_t used = plain(text, size - 1);
	if (used > 0)
		memcpy(field, text.p, used);
	text = span_skip(text, used);
	while (text.n > 0) {
		const int length = utf8_length(text);
		const size_t taken = length > 0 ? (size_t)length : 1;
		const bool is_text = length > 0 && !is_control(text.p, taken);
		const size_t given = is_text ? taken : 1;
		if (used + given >= size)
			break;
		if (is_text)
			memcpy(field + used, text.p, given);
		else
			field[used] = length > 0 ? ' ' : '?';
		used += given;
		text = span_skip(text, taken);
	}
	field[used] = '\0';
}

void fault_wipe(struct fault *f)
{
	if (f->code[0] || f->param[0] || f->provider[0] || f->request_id[0] || f->message[0])
		explicit_bzero(f, sizeof *f);
	fault_clear(f);
}

/* The texts may come from the very fault that is filled. */
static void PRINTF_LIKE(4, 0) fault_fill(
	struct fault *why, enum err err, const char *param, const char *format, va_list args)
{
	char text[sizeof why->message * 2];
	struct fault filled = FAULT_NONE;
	filled.err = err;
	if (vsnprintf(text, sizeof text, format, args) > 0)
		fault_text(filled.message, sizeof filled.message, span_str(text));
	fault_text(filled.param, sizeof filled.param, span_str(param));
	*why = filled;
}

enum err fault_set(struct fault *why, enum err err, const char *format, ...)
{
	va_list args;
	if (!why)
		return err;
	va_start(args, format);
	fault_fill(why, err, NULL, format, args);
	va_end(args);
	return err;
}

enum err fault_param(struct fault *why, enum err err, const char *param, const char *format, ...)
{
	va_list args;
	if (!why)
		return err;
	va_start(args, format);
	fault_fill(why, err, param, format, args);
	va_end(args);
	return err;
}
