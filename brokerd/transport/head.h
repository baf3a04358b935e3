/* head.h - what do a reply's header lines say?
 * Gathers lines as they come, replies of 1xx forgotten, and hands out the head of the final one. No
 * I/O. */
#ifndef BROKERD_TRANSPORT_HEAD_H
#define BROKERD_TRANSPORT_HEAD_H
#include "brokerd/value/http.h"

/* Beyond it the reply is refused; curl itself refuses somewhat later. What of it is kept is
 * LIMIT_HEADERS_BYTES. */
#define HEAD_BYTES_MAX ((size_t)256 * 1024)
#define HEAD_1XX_MAX   16 /* replies before the final one */
#define HEAD_FOLDS_MAX \
	64 /* lines that go on with the one before; libcurl copies all of it for each */

struct head_field {
	uint32_t at; /* of the name; the value is behind it */
	uint32_t name_bytes, value_bytes;
};

/* A zeroed one with an initialised `text` is ready to use. */
struct head {
	struct buf text; /* names in lower case and values, one behind the other */
	struct head_field *lines;
	size_t n_lines, cap_lines;
	size_t bytes; /* of all lines that came, 1xx included */
	unsigned n_1xx, n_folds;
	int status;         /* of the reply that is being read; 0: none yet */
	bool is_whole;      /* the final head came: further lines are trailers */
	bool has_kept_last; /* so that a folded line has something to go on */
};

void head_init(struct head *h);
void head_done(struct head *h); /* frees the fields; status and is_whole stay */

/* Takes one line, with its line end. OK: the head is whole now, and head_view gives it; ERR_MORE: feed
 * me. ERR_SERVER_ERROR: too many or too long, a transfer coding that nobody asked for,
 * or an impossible length.
 * ERR_NO_MEMORY. Lines after a whole head are ERR_MORE. */
enum err head_line(struct head *h, struct span line, struct fault *why) MUST_USE;

/* The head; its spans live until `h` does. `headers` has room for head->n_lines. */
void head_view(const struct head *h, struct http_header *headers, struct http_head *out);

#endif
