/* header_line.c - what stands before the first colon is the name. */
#include "libllmclient/cli/header_line.h"

#include <string.h>
#include <strings.h>

#define NAME_BYTES 1024

static size_t name_bytes(const char *line)
{
	const char *colon = strchr(line, ':');
	return colon ? (size_t)(colon - line) : 0;
}

int header_lines_check(const struct command *self, const struct text_list *lines)
{
	for (size_t i = 0; i < lines->n; i++) {
		const size_t n = name_bytes(lines->items[i]);
		if (n == 0)
			return options_refuse(
				self, "\"%s\" is no header: -H 'NAME: VALUE'", lines->items[i]);
		if (n >= NAME_BYTES)
			return options_refuse(self, "a header's name is too long");
	}
	return EXIT_GOOD;
}

void header_lines_put(llm_request *r, const struct text_list *lines)
{
	char name[NAME_BYTES];
	for (size_t i = 0; i < lines->n; i++) {
		const size_t n = name_bytes(lines->items[i]);
		const char *value = lines->items[i] + n + 1;
		if (n == 0 || n >= sizeof name)
			continue; /* checked before */
		memcpy(name, lines->items[i], n);
		name[n] = '\0';
		value += strspn(value, " \t");
		(void)llm_relay_header(r, name, value);
	}
}

bool header_lines_have(const struct text_list *lines, const char *name)
{
	for (size_t i = 0; i < lines->n; i++) {
		const size_t n = name_bytes(lines->items[i]);
		if (n == strlen(name) && strncasecmp(lines->items[i], name, n) == 0)
			return true;
	}
	return false;
}
