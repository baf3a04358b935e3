/* writer.h - what the files that write turns share: messages.c the turns, results.c the results of tools
 * in them, marks.c the cache points. */
#ifndef BROKERD_DIALECT_BEDROCK_WRITER_H
#define BROKERD_DIALECT_BEDROCK_WRITER_H
#include <stdio.h>

#include "brokerd/dialect/bedrock/bedrock.h"
#include "brokerd/dialect/bedrock/media.h"
#include "brokerd/dialect/history.h"
#include "brokerd/dialect/scribe.h"

#define PATH_BYTES 64

/* What is being written: one turn at a time, opened by its first block. */
struct writer {
	struct scribe *s;
	struct cache_marks *marks;
	enum { TURN_NONE, TURN_USER, TURN_ASSISTANT } turn;
	bool has_user;               /* something of the user's went out */
	bool has_document, has_text; /* in the open turn */
	struct document_names names;
	const struct message *told; /* whose extra members are still to go out */
	size_t told_at;
	const struct message *last;
	size_t last_text; /* where `last` is a prefill: its last text that goes out */
};

static inline void part_path(char path[PATH_BYTES], size_t at, size_t k)
{
	(void)snprintf(path, PATH_BYTES, "messages[%zu].content[%zu]", at, k);
}

static inline bool is_blank(struct span text)
{
	return span_trim(text).n == 0;
}

static inline bool is_said(const struct part *p)
{
	return p->type == PART_TEXT || p->type == PART_REFUSAL;
}

static inline bool is_media(const struct part *p)
{
	return p->type == PART_IMAGE || p->type == PART_FILE || p->type == PART_AUDIO ||
	       p->type == PART_VIDEO;
}

/* The block of this family that an opaque item holds, or an absent value. */
struct json bedrock_own_block(const struct opaque *opaque);

/* Opens a turn of the user's, unless one is open. */
enum err bedrock_open_user(struct writer *w) MUST_USE;

/* The id of a call as the model takes it; the same for its result. */
enum err bedrock_legal_id(struct writer *w, struct span id, struct span *out) MUST_USE;

/* The part of a result that has the mark, or NULL: it is one, whichever has it. */
const struct part *bedrock_marked_part(const struct message *m);

/* A toolResult. `behind` is a text of the user's that may not stand beside it; absent: none. */
enum err bedrock_put_result(struct writer *w, const struct turn *t, struct span behind) MUST_USE;

#endif
