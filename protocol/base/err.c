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

void fault_text(char *field, size_t size, struct span text)
{
	size_t used = 0;
	while (text.n > 0) {
		const int length = utf8_length(text);
		const size_t room = length > 0 ? (size_t)length : 1;
		if (used + room >= size)
			break;
		memcpy(field + used, text.p, room);
		if (length <= 0)
			field[used] = '?';
		else if (room == 1 && ((unsigned char)text.p[0] < 0x20 || text.p[0] == 0x7f))
			field[used] = ' ';
		used += room;
		text = span_skip(text, room);
	}
	field[used] = '\0';
}

static void fault_fill(struct fault *why, enum err err, const char *format, va_list args)
{
	char text[sizeof why->message * 2];
	const int n = vsnprintf(text, sizeof text, format, args);
	*why = FAULT_NONE;
	why->err = err;
	if (n > 0)
		fault_text(why->message, sizeof why->message, span_str(text));
}

enum err fault_set(struct fault *why, enum err err, const char *format, ...)
{
	va_list args;
	if (!why)
		return err;
	va_start(args, format);
	fault_fill(why, err, format, args);
	va_end(args);
	return err;
}

enum err fault_param(struct fault *why, enum err err, const char *param, const char *format, ...)
{
	va_list args;
	if (!why)
		return err;
	va_start(args, format);
	fault_fill(why, err, format, args);
	va_end(args);
	fault_text(why->param, sizeof why->param, span_str(param));
	return err;
}
