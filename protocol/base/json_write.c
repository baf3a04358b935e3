/* json_write.c - one comma ahead of each value but the first. */
#include "protocol/base/json_inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The letter that writes a byte; 0: none. */
static const char letter_of[256] = {
	['"'] = '"',
	['\\'] = '\\',
	['\b'] = 'b',
	['\f'] = 'f',
	['\n'] = 'n',
	['\r'] = 'r',
	['\t'] = 't',
};

struct json_out json_to(struct buf *to)
{
	return (struct json_out){.to = to};
}

static void comma(struct json_out *o)
{
	if (o->has_value)
		buf_byte(o->to, ',');
	o->has_value = true;
}

void json_open(struct json_out *o, char bracket)
{
	comma(o);
	buf_byte(o->to, bracket);
	o->has_value = false;
}

void json_close(struct json_out *o, char bracket)
{
	buf_byte(o->to, bracket);
	o->has_value = true;
}

/* Writes what stands for one byte that cannot stand for itself. */
static size_t put_escape(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	if (letter_of[c]) {
		memcpy(to, (const char[]){'\\', letter_of[c]}, 2);
		return 2;
	}
	memcpy(to, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
	return 6;
}

void json_escape(struct buf *to, struct span text)
{
	enum { ESCAPE_BYTES = 6 };
	const char *p = text.p, *end = text.n ? text.p + text.n : p;
	while (p < end) {
		char *const begin = buf_reserve(to, (size_t)(end - p)), *at = begin;
		char escape[ESCAPE_BYTES];
		if (!begin)
			return;
		/* escapes take of what is there beyond that */
		const char *const room = begin + (to->cap - to->n);
		for (;;) {
			const size_t run = json_copy_plain(at, p, end);
			at += run;
			p += run;
			if (p == end || room - at < end - p + ESCAPE_BYTES - 1)
				break;
			at += put_escape(at, (unsigned char)*p++);
		}
		buf_commit(to, (size_t)(at - begin));
		if (p < end)
			buf_put(to, escape, put_escape(escape, (unsigned char)*p++));
	}
}

void json_key_raw(struct json_out *o, struct span name)
{
	comma(o);
	buf_byte(o->to, '"');
	buf_span(o->to, name);
	buf_put(o->to, "\":", 2);
	o->has_value = false;
}

void json_key_text(struct json_out *o, struct span name)
{
	json_put_str(o, name);
	buf_byte(o->to, ':');
	o->has_value = false;
}

void json_key(struct json_out *o, const char *name)
{
	json_key_text(o, span_str(name));
}

void json_put_str(struct json_out *o, struct span text)
{
	comma(o);
	buf_byte(o->to, '"');
	json_escape(o->to, text);
	buf_byte(o->to, '"');
}

void json_put_i64(struct json_out *o, int64_t v)
{
	comma(o);
	buf_i64(o->to, v);
}

/* The shortest of 15, 16 or 17 digits that reads back the same, as "-d.ddde+dd"; the point is the
 * locale's. */
static void shortest(double v, char *text, size_t size)
{
	for (int places = 14; places <= 16; places++) {
		(void)snprintf(text, size, "%.*e", places, v);
		if (strtod(text, NULL) == v)
			return;
	}
}

void json_put_f64(struct json_out *o, double v)
{
	char text[64], digits[24] = "0";
	size_t n = 0;
	comma(o);
	if (!isfinite(v)) {
		if (!o->to->err)
			o->to->err = ERR_INVALID_ARGUMENT;
		return;
	}
	shortest(v, text, sizeof text);
	const char *p = text;
	if (*p == '-')
		buf_byte(o->to, *p++);
	for (; *p != 'e'; p++) {
		if (json_byte_is(p, DIGIT))
			digits[n++] = *p;
	}
	while (n > 1 && digits[n - 1] == '0')
		n--;
	const int power = (int)strtol(p + 1, NULL, 10); /* of the first digit */
	if (power >= -5 && power < 0) {
		buf_put(o->to, "0.0000", (size_t)(1 - power));
		buf_put(o->to, digits, n);
	} else if (power >= 0 && power <= 15) {
		const size_t whole = (size_t)power + 1;
		buf_put(o->to, digits, n < whole ? n : whole);
		for (size_t i = n; i < whole; i++)
			buf_byte(o->to, '0');
		if (n > whole) {
			buf_byte(o->to, '.');
			buf_put(o->to, digits + whole, n - whole);
		}
	} else {
		buf_byte(o->to, digits[0]);
		if (n > 1) {
			buf_byte(o->to, '.');
			buf_put(o->to, digits + 1, n - 1);
		}
		buf_print(o->to, "e%d", power);
	}
}

void json_put_bool(struct json_out *o, bool v)
{
	comma(o);
	buf_text(o->to, v ? "true" : "false");
}

void json_put_null(struct json_out *o)
{
	comma(o);
	buf_text(o->to, "null");
}

void json_put_raw(struct json_out *o, struct span json)
{
	comma(o);
	buf_span(o->to, json.n > 0 ? json : SPAN("null"));
}

void json_put_base64(struct json_out *o, struct span prefix, struct span bytes)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
	const size_t groups = bytes.n / 3 + (bytes.n % 3 != 0);
	comma(o);
	buf_byte(o->to, '"');
	json_escape(o->to, prefix);
	char *to = groups ? buf_reserve(o->to, groups * 4) : NULL;
	if (to) {
		const unsigned char *p = (const unsigned char *)bytes.p;
		size_t left = bytes.n;
		for (; left > 0; to += 4) {
			const uint32_t v = (uint32_t)p[0] << 16 |
					   (left > 1 ? (uint32_t)p[1] << 8 : 0) |
					   (left > 2 ? p[2] : 0u);
			to[0] = alphabet[v >> 18];
			to[1] = alphabet[v >> 12 & 63];
			to[2] = alphabet[left > 1 ? v >> 6 & 63 : 64];
			to[3] = alphabet[left > 2 ? v & 63 : 64];
			p += left > 3 ? 3 : left;
			left -= left > 3 ? 3 : left;
		}
		buf_commit(o->to, groups * 4);
	}
	buf_byte(o->to, '"');
}

void json_pair_str(struct json_out *o, const char *name, struct span text)
{
	if (!span_is_set(text))
		return;
	json_key(o, name);
	json_put_str(o, text);
}

void json_pair_i64(struct json_out *o, const char *name, int64_t v)
{
	json_key(o, name);
	json_put_i64(o, v);
}

void json_pair_bool(struct json_out *o, const char *name, bool v)
{
	json_key(o, name);
	json_put_bool(o, v);
}

void json_pair_raw(struct json_out *o, const char *name, struct span json)
{
	if (!span_is_set(json))
		return;
	json_key(o, name);
	json_put_raw(o, json);
}
