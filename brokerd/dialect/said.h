/* said.h - what does a message say, as one text?
 * For families that take a string where others take parts. No I/O. */
#ifndef BROKERD_DIALECT_SAID_H
#define BROKERD_DIALECT_SAID_H
#include "brokerd/dialect/scribe.h"

/* Appends the texts and refusals of a message, with `between` after each but the last. */
void said_text(const struct message *m, const char *between, struct buf *out);

/* Puts "Error: " before a text, unless it begins so already: for results that failed, where the
 * provider has no other word for it. */
void said_error(struct buf *text);

/* Appends a text file as words of a message, with its name around it. ERR_INVALID_REQUEST: it is no
 * UTF-8. */
enum err said_file(
	struct scribe *s, const struct media *m, const char *path, struct buf *out) MUST_USE;

bool said_is_media(enum part_type type);

/* A system text in the midst of things, as words that can stand in the user's turn; nothing where it is
 * blank. Refused where it is no text. */
enum err said_later_system(
	struct scribe *s, const struct part *p, const char *path, struct buf *out) MUST_USE;
/* Tells, once a request, that one went out there. */
enum err said_tell_later(struct scribe *s) MUST_USE;

/* A text file, by what was declared: it can be told among the texts. */
bool said_is_text_file(const struct part *p);

/* Has it a medium that cannot? `m` may be NULL. */
bool said_has_media(const struct message *m);

/* A part's medium with its bytes and type found out (see media.h), or a refusal with its path. */
enum err said_resolve(
	struct scribe *s, const struct part *p, const char *path, struct media *out) MUST_USE;

/* ERR_INVALID_REQUEST: the medium is at an address of a kind that the provider does not follow. */
enum err said_check_url(struct scribe *s, const struct media *m, const char *path) MUST_USE;

/* Tell, once a request, what is not said of a medium there: how closely to look, and its name. */
enum err said_drop_detail(struct scribe *s, const struct media *m, const char *path) MUST_USE;
enum err said_drop_filename(struct scribe *s, const struct media *m, const char *path) MUST_USE;

/* A string: the address, or the bytes as a data: URI, of the type `otherwise` where none is known. */
void said_put_url(struct json_out *o, const struct media *m, const char *otherwise);

/* Appends the texts, refusals and text files of message `at`, with `between` after each but the
 * last. */
enum err said_gather(struct scribe *s, const struct message *m, size_t at, const char *between,
	struct buf *out) MUST_USE;

#endif
