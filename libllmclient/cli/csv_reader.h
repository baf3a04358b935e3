/* csv_reader.h - what do the fields of a file with separators say?
 * RFC 4180, and what programs make of it: a byte-order mark, lines that end in LF or CR alone, semicolons or
 * tabs in the place of commas (the first line tells). It is fed with bytes as they come and keeps one record
 * at a time. Pure: no I/O. */
#ifndef LIBLLMCLIENT_CLI_CSV_READER_H
#define LIBLLMCLIENT_CLI_CSV_READER_H
#include "protocol/base/buf.h"
#include "protocol/base/owned.h"

#define CSV_RECORD_BYTES ((size_t)1024 * 1024)
#define CSV_FIELDS_MAX   ((size_t)1024)

struct csv_field {
	struct span text; /* without its quotes; any bytes but NUL */
	int64_t line;     /* where it begins, from 1 */
	int64_t column;   /* and at which byte of that line, from 1 */
	size_t at;        /* in the text of its record */
};

struct csv_record {
	const struct csv_field *fields; /* 1 or more; they die with the callback */
	size_t n;
};

/* Each record, the first line's too; lines with nothing in them are none. A result other than OK ends the
 * reading with it, *why being the callback's. */
struct csv_sink {
	enum err (*on_record)(void *context, const struct csv_record *r, struct fault *why);
	void *context;
};

enum csv_state {
	CSV_AT_BEGIN, /* of a field */
	CSV_IN_PLAIN,
	CSV_IN_QUOTES,
	CSV_AT_QUOTE, /* behind one that ends the field, or that stands for one */
};

struct csv_reader {
	struct csv_sink sink;
	char separator;  /* '\0': the first line is not whole yet */
	struct buf head; /* so much of it as came */
	bool is_head_quoted;
	enum csv_state state;
	bool has_cr; /* the last byte was one that ended a line */
	int64_t line, column;
	int64_t quote_line, quote_column; /* where the open quotes began */
	size_t n_begun;                   /* bytes that came, up to 3 */
	struct buf text;
	struct csv_field *fields;
	size_t n, size;
	bool is_quoted; /* the field at hand was */
};

void csv_reader_init(struct csv_reader *c, const struct csv_sink *sink);
void csv_reader_done(struct csv_reader *c);

/* More of the file. ERR_MALFORMED, ERR_TOO_BIG: *why begins with "line 3, column 7: "; after a failure
 * nothing more may be fed. ERR_NO_MEMORY. */
enum err csv_reader_feed(struct csv_reader *c, struct span bytes, struct fault *why) MUST_USE;

/* The file is over. Errors as above. */
enum err csv_reader_end(struct csv_reader *c, struct fault *why) MUST_USE;

#endif
