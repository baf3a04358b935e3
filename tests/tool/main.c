/* main.c - dialect: what do the dialects make of these bytes? A table of subcommands.
 *
 * dialect decode FAMILY [--all] [--stream] [--status N] [--header 'k: v'] [--step STEP] < body
 *	what a reply means, as one JSON object; a STEP is a number of bytes, or "special": feed.h; with
 *	--all its events go before it, a line each; with --prices FILE, lines of a catalogue for the model
 *	recorded/recorded, its cost is there, too: cost_nusd
 * dialect replay FAMILY FILE STEP [--prices FILE]
 *	the same of each record of a file, a line each: {"id", "got"}
 * dialect estimate FAMILY FILE
 *	how many tokens the request of each record is by the rule of thumb, and by what was learnt of its
 *	provider's model from those before, a line each: {"id", "estimate", "fitted"}
 * dialect reply FROM TO [--stream] [--request FILE] [--status N] [--header 'k: v'] [--step STEP] < body
 *	a reply of FROM's as TO says it, whole or as a stream; the request of TO's caller decides otherwise
 * dialect reply FROM TO --records FILE [--stream]
 *	the same of each record of a file, a line each: {"id", "got", "status", "body"}, `got` being what TO's
 *	reader makes of the body
 * dialect translate FROM TO [--provider P] [--model M] [--stream] < body
 *	the request that a caller's body becomes: {"method", "path", "headers", "body", "warnings"}, or
 *	{"error"}; --path and --query say where the caller sent it, for families that tell something there;
 *	with --sent it is packed for the broker's wire and unpacked in between. The same family gets the
 *	caller's own bytes, but for what is the broker's; with --written (or --sent) what is made of them
 *	FROM may be embeddings, rerank, moderations, count-tokens or models, too, for an operation beside chat
 * dialect translate FROM TO --batch [...] < lines
 *	the same of lines {"id", "body", "path", "query", "provider", "model"}, of which only body must be
 *	there: a JSON value, or a string that is one */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/whole_file.h"
#include "tests/tool/tool.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
} commands[] = {
	{"decode",    tool_decode,
         "FAMILY [--all] [--stream] [--status N] [--header 'k: v'] [--step N] [--prices "
		"FILE]"									},
	{"replay",    tool_replay,    "FAMILY FILE STEP [--prices FILE]"                       },
	{"estimate",  tool_estimate,  "FAMILY FILE"                                            },
	{"reply",     tool_reply,     "FROM TO [--stream] [--request FILE] [--records FILE]"   },
	{"translate", tool_translate, "FROM TO [--provider P] [--model M] [--stream] [--batch]"},
};

void tool_die(int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)fputs("dialect: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	exit(status);
}

void tool_load(const char *path, struct buf *out)
{
	if (!whole_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, out))
		tool_die(1, "%s cannot be read", path);
}

void tool_end_line(struct buf *out, size_t first)
{
	for (size_t i = first; i < out->n; i++) {
		if (out->p[i] == '\n' || out->p[i] == '\r')
			out->p[i] = ' ';
	}
	buf_byte(out, '\n');
}

void tool_print(struct buf *out)
{
	if (buf_error(out) || fwrite(out->p, 1, out->n, stdout) != out->n)
		tool_die(1, "the result cannot be written");
	buf_clear(out);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < COUNT_OF(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	}
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		(void)fprintf(
			stderr, "usage: dialect %s %s\n", commands[i].name, commands[i].usage);
	return 2;
}
