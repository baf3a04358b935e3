/* test_form_field.c - which part of a form is a field, and which only looks like it. */
#include "brokerd/exchange/form_field.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

#define FORM "multipart/form-data; boundary=xx"
#define FILE_PART                                                 \
	"--xx\r\nContent-Disposition: form-data; name=\"file\"; " \
	"filename=\"a\"\r\n\r\n\1\2\r\n-\r\n"
#define PART(name, value) \
	"--xx\r\nContent-Disposition: form-data; name=" name "\r\n\r\n" value "\r\n"
#define END "--xx--\r\n"

/* clang-format off */
static const struct {
	const char *name, *type, *body, *want; /* NULL: there is none */
} cases[] = {
	{"one part", FORM, PART("\"model\"", "whisper-1") END, "whisper-1"},
	{"behind a file", FORM, FILE_PART PART("\"model\"", "m") END, "m"},
	{"before it", FORM, PART("\"model\"", "m") FILE_PART END, "m"},
	{"a name without quotes", FORM, PART("model", "m") END, "m"},
	{"an empty value", FORM, PART("\"model\"", "") END, ""},
	{"lines in a value", FORM, PART("\"model\"", "a\r\n--x\r\nb") END, "a\r\n--x\r\nb"},
	{"a quoted boundary", "Multipart/Form-Data; charset=x; Boundary=\"xx\"",
		PART("\"model\"", "m") END, "m"},
	{"words before the first", FORM, "hello\r\n" PART("\"model\"", "m") END, "m"},
	{"more headers", FORM,
		"--xx\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; "
		"name=\"model\"\r\n\r\nm\r\n" END,
		"m"},
	{"another name", FORM, PART("\"models\"", "m") END, NULL},
	{"a file of that name", FORM,
		"--xx\r\nContent-Disposition: form-data; name=\"model\"; filename=\"m\"\r\n\r\nm\r\n" END,
		NULL},
	{"two of that name", FORM, PART("\"model\"", "a") PART("\"model\"", "b") END, NULL},
	{"a name in a value", FORM, PART("\"x\"", "name=\"model\"") END, NULL},
	{"a part of no end", FORM, "--xx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm",
		NULL},
	{"a part of no body", FORM, "--xx\r\nContent-Disposition: form-data; name=\"model\"\r\n" END,
		NULL},
	{"no boundary", "multipart/form-data", PART("\"model\"", "m") END, NULL},
	{"an empty one", "multipart/form-data; boundary=", PART("\"model\"", "m") END, NULL},
	{"one too long",
		"multipart/form-data; boundary="
		"12345678901234567890123456789012345678901234567890123456789012345678901",
		"", NULL},
	{"an open quote", "multipart/form-data; boundary=\"xx", PART("\"model\"", "m") END, "m"},
	{"no form", "application/json", PART("\"model\"", "m") END, NULL},
	{"nothing", FORM, "", NULL},
	{"less than a boundary", FORM, "--x", NULL},
	{"the end alone", FORM, END, NULL},
	{"no type", "", PART("\"model\"", "m") END, NULL},
};
/* clang-format on */

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span value = SPAN_NONE;
		const bool is_there = form_field(
			span_str(cases[i].type), span_str(cases[i].body), "model", &value);
		is_int(is_there, cases[i].want != NULL, "%s", cases[i].name);
		if (is_there && cases[i].want)
			is_mem(value.p, value.n, cases[i].want, strlen(cases[i].want), "%s: what",
				cases[i].name);
	}
	/* whatever is cut off, no byte behind the end is read: the sanitizer and valgrind see to that */
	static const char whole[] = FILE_PART PART("\"model\"", "m") END;
	size_t found = 0;
	for (size_t n = 0; n < sizeof whole; n++) {
		struct span value;
		char *cut = malloc(n > 0 ? n : 1);
		if (!cut)
			bail("no memory");
		memcpy(cut, whole, n);
		found += form_field(SPAN(FORM), span_of(cut, n), "model", &value);
		free(cut);
	}
	ok(found > 0, "the field is there once its part has ended");
	return tap_done();
}
