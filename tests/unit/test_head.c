/* test_head.c - what is read from a reply's header lines? */
#include "brokerd/transport/head.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/limits.h"
#include "tests/lib/tap.h"

/* Feeds lines until the head is whole or refused. */
static enum err feed(struct head *h, const char *text, struct fault *why)
{
	struct span rest = span_str(text);
	enum err err = ERR_MORE;
	while (rest.n > 0 && err == ERR_MORE) {
		const size_t n = span_index(rest, '\n') + 1;
		err = head_line(h, span_first(rest, n), why);
		rest = span_skip(rest, n < rest.n ? n : rest.n);
	}
	return err;
}

static const struct {
	const char *name, *text;
	enum err err;
	int status;
	const char *fields; /* "name=value;" */
} rows[] = {
	{"a head",				  "HTTP/1.1 200 OK\r\nA: 1\r\nB-c:2\r\n\r\n",                          OK,               200, "a=1;b-c=2;"},
	{"no reason",			       "HTTP/1.1 404\r\n\r\n",					      OK,               404, ""          },
	{"HTTP/2 has none",                         "HTTP/2 200 \r\n\r\n",                                               OK,               200, ""          },
	{"lone line feeds",                         "HTTP/1.1 200 OK\nA: 1\n\n",                                         OK,               200, "a=1;"      },
	{"names in lower case, values as they are", "HTTP/1.1 200 OK\r\nX-ID: AbC\r\n\r\n",                              OK,               200,
         "x-id=AbC;"																	},
	{"spaces around a value",                   "HTTP/1.1 200 OK\r\nA: \t b c \t\r\n\r\n",                           OK,               200, "a=b c;"    },
	{"an empty value",                          "HTTP/1.1 200 OK\r\nA:\r\nB: 1\r\n\r\n",                             OK,               200, "a=;b=1;"   },
	{"colons in a value",                       "HTTP/1.1 200 OK\r\nDate: 12:00:01\r\n\r\n",                         OK,               200,
         "date=12:00:01;"																   },
	{"twice the same",                          "HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\n\r\n",                           OK,               200, "a=1;a=2;"  },
	{"a folded line",			   "HTTP/1.1 200 OK\r\nA: 1\r\n\t 2\r\nB: 3\r\n\r\n",                   OK,               200, "a=1 2;b=3;"},
	{"folded onto nothing",                     "HTTP/1.1 200 OK\r\n x\r\nB: 3\r\n\r\n",                             OK,               200, "b=3;"      },
	{"a line without a colon",                  "HTTP/1.1 200 OK\r\nhello\r\n\r\n",                                  OK,               200, "hello=;"   },
	{"a line without a name",                   "HTTP/1.1 200 OK\r\n: 1\r\n\r\n",                                    OK,               200, ""          },
	{"1xx is forgotten",                        "HTTP/1.1 103 Early\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nB: 2\r\n\r\n",
         OK,															       200, "b=2;"      },
	{"chunked is known",                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n",             OK,               200,
         "transfer-encoding=Chunked;"														       },
	{"another coding is not",                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
         ERR_SERVER_ERROR,														 200, NULL        },
	{"a length",				"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",    OK,               200,
         "content-length=9223372036854775807;"													      },
	{"a length beyond all",                     "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n",
         ERR_SERVER_ERROR,														 200, NULL        },
	{"a length below nothing",                  "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
         ERR_SERVER_ERROR,														 200, NULL        },
	{"a length of words",                       "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",                   ERR_SERVER_ERROR,
         200,																   NULL        },
	{"not yet",				 "HTTP/1.1 200 OK\r\nA: 1\r\n",                                       ERR_MORE,         200, NULL        },
	{"no HTTP",				 "hello\r\n",							 ERR_SERVER_ERROR, 0,   NULL        },
	{"no status",			       "HTTP/1.1 OK\r\n",						   ERR_SERVER_ERROR, 0,   NULL        },
	{"half a status",			   "HTTP/1.1 20\r\n",						   ERR_SERVER_ERROR, 0,   NULL        },
	{"a status of 0",			   "HTTP/1.1 000 X\r\n",						ERR_SERVER_ERROR, 0,   NULL        },
};

static void print_fields(const struct head *h, struct buf *out)
{
	struct http_header *fields = calloc(h->n_lines + 1, sizeof *fields);
	struct http_head head;
	if (!fields)
		bail("no memory");
	head_view(h, fields, &head);
	for (size_t i = 0; i < head.n_headers; i++)
		buf_print(out, "%.*s=%.*s;", SPAN_ARG(head.headers[i].name),
			SPAN_ARG(head.headers[i].value));
	buf_byte(out, '\0');
	free(fields);
}

static void each_head(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct head h;
		struct fault why = FAULT_NONE;
		OWNED(buf_done) struct buf fields = BUF_INIT(1 * MIB);
		head_init(&h);
		is_err(feed(&h, rows[i].text, &why), rows[i].err, "%s: result", rows[i].name);
		is_int(h.status, rows[i].status, "%s: status", rows[i].name);
		print_fields(&h, &fields);
		if (rows[i].fields)
			is_str(fields.p, rows[i].fields, "%s: fields", rows[i].name);
		head_done(&h);
	}
}

static void trailers(void)
{
	struct head h;
	head_init(&h);
	is_err(feed(&h, "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n", NULL), OK, "a head");
	is_err(feed(&h, "A: 2\r\n\r\nHTTP/1.1 500 No\r\n\r\n", NULL), ERR_MORE, "what comes after");
	is_int(h.status, 200, "changes nothing");
	is_uint(h.n_lines, 1, "at all");
	head_done(&h);
}

static void too_much(void)
{
	struct head h;
	struct fault why = FAULT_NONE;
	char line[1024];
	enum err err = ERR_MORE;
	size_t n = 0;

	head_init(&h);
	is_err(head_line(&h, SPAN("HTTP/1.1 200 OK\r\n"), &why), ERR_MORE, "a long head begins");
	memset(line, 'x', sizeof line);
	memcpy(line, "A: ", 3);
	while (err == ERR_MORE) {
		err = head_line(&h, span_of(line, sizeof line), &why);
		n += sizeof line;
	}
	is_err(err, ERR_SERVER_ERROR, "and is refused");
	ok(n > HEAD_BYTES_MAX - 2 * sizeof line && n <= HEAD_BYTES_MAX, "at its ceiling");
	ok(h.text.cap <= LIMIT_HEADERS_BYTES, "of which not all is kept");
	head_done(&h);

	head_init(&h);
	is_err(head_line(&h, SPAN("HTTP/1.1 200 OK\r\n"), &why), ERR_MORE, "many small ones");
	for (int i = 0; i < 20000; i++)
		err = head_line(&h, SPAN("a:\r\n"), &why);
	is_err(err, ERR_MORE, "are read");
	ok(h.n_lines * sizeof(struct http_header) <= LIMIT_HEADERS_BYTES,
		"but as many as fit are kept (%zu)", h.n_lines);
	is_err(head_line(&h, SPAN("\r\n"), &why), OK, "to the end");
	head_done(&h);

	head_init(&h);
	err = ERR_MORE;
	for (n = 0; err == ERR_MORE && n < 1000; n++)
		err = feed(&h, "HTTP/1.1 100 Continue\r\n\r\n", &why);
	is_err(err, ERR_SERVER_ERROR, "interim replies have an end");
	is_uint(n, HEAD_1XX_MAX + 1, "after so many");
	head_done(&h);

	head_init(&h);
	err = feed(&h, "HTTP/1.1 200 OK\r\nA: 1\r\n", &why);
	for (n = 0; err == ERR_MORE && n < 1000; n++)
		err = feed(&h, " b\r\n", &why);
	is_err(err, ERR_SERVER_ERROR, "a line does not go on without end");
	is_uint(n, HEAD_FOLDS_MAX + 1, "but so often");
	head_done(&h);
}

int main(void)
{
	each_head();
	trailers();
	too_much();
	return tap_done();
}
