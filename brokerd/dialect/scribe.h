/* scribe.h - what does every writer of requests carry along, and how does it end a body?
 * The request, where it goes, what is noted, and the JSON so far. */
#ifndef BROKERD_DIALECT_SCRIBE_H
#define BROKERD_DIALECT_SCRIBE_H
#include "brokerd/dialect/dialect.h"
#include "protocol/base/json.h"

struct scribe {
	const struct llm_request *r;
	const struct target *target;
	struct notes *notes;
	struct fault *why;
	struct json_out o;
};

/* Room in the body for all that the request says, so that it need not grow to it step by step. */
void scribe_make_room(struct scribe *s);

/* The place among the caller's tools of the one that is the i-th now. */
static inline size_t scribe_tool_at(const struct scribe *s, size_t i)
{
	return s->notes->tool_places ? s->notes->tool_places[i] : i;
}

/* A member that the target cannot have: a warning, or a refusal where the caller wants one. */
enum err scribe_drop(struct scribe *s, const char *param, const char *format, ...) MUST_USE
	PRINTF_LIKE(3, 4);
/* The same where something else is sent in its place; `code` as in event.h. */
enum err scribe_change(struct scribe *s, const char *code, const char *param, const char *format,
	...) MUST_USE PRINTF_LIKE(4, 5);
/* What must not be left out is refused: ERR_INVALID_REQUEST with the code "unsupported_parameter". */
enum err scribe_refuse(struct scribe *s, const char *param, const char *format, ...) MUST_USE
	PRINTF_LIKE(3, 4);
/* The same with a code of its own. */
enum err scribe_refuse_as(struct scribe *s, const char *code, const char *param, const char *format,
	...) MUST_USE PRINTF_LIKE(4, 5);
/* A warning, at most one of that sentence a request; never a refusal. */
enum err scribe_warn_once(
	struct scribe *s, const char *code, const char *param, const char *message) MUST_USE;

/* What a family may have no member for: those that are set are dropped, each with a warning. */
struct unsaid {
	const char *name;
	bool is_set;
};
enum err scribe_drop_unsaid(struct scribe *s, const struct unsaid *rows, size_t n) MUST_USE;

/* Drops the names of those who speak; a result's is its tool's, which is known from the call. */
enum err scribe_drop_names(struct scribe *s) MUST_USE;

/* Tells, once a request, that a mark for the cache was left out, where there was one and the host does not cache by itself. */
enum err scribe_drop_mark(struct scribe *s, struct span mark, const char *path) MUST_USE;
/* The same of all marks on messages and tools. */
enum err scribe_drop_marks(struct scribe *s) MUST_USE;
/* The same of what a text cites, where that is of another family's shape. */
enum err scribe_drop_citations(struct scribe *s, const char *path) MUST_USE;

/* A number, where it is set. */
void scribe_put_number(struct scribe *s, const char *name, struct opt_f64 v);

/* Is it 1, the default of most sampling numbers? */
static inline bool scribe_is_one(double v)
{
	return v > 1 - 1e-9 && v < 1 + 1e-9;
}

/* A member's name as text, before its value. */
void scribe_key(struct scribe *s, struct span name);

/* Members that nobody here knows, into the object that is open: written back to the family that
 * wrote them, else dropped. `path` is the object's: "messages[2]", or ""; `known` are the names that
 * this family's writer gives out itself, a space around each: as an extra they are refused, for
 * nobody can tell which of two the provider would believe. */
enum err scribe_extra(
	struct scribe *s, const struct extra *e, const char *path, const char *known) MUST_USE;

/* The same for an object inside of the one that has the extras: those of them whose name begins with
 * `below` ("image_url."), without it. Both pass over what is below a name in `known` that ends in a
 * dot (" url image_url. "). */
enum err scribe_extra_below(struct scribe *s, const struct extra *e, const char *path,
	const char *below, const char *known) MUST_USE;

/* Is a name one of the words of a list as `known` above? Without case: some readers have none. */
bool scribe_is_known(const char *words, struct span name);

/* Does the target take an extra member of that name, of a request of openai-chat? Its trait `extras`
 * says which, or "any". */
bool scribe_takes(const struct scribe *s, struct span name);
/* Is it one of the request's that another family wrote, and that means the same here? scribe_extra
 * writes those, too. */
bool scribe_takes_common(const struct scribe *s, struct span name);
/* Leaves out a member of the request with a warning, or refuses where it is needed: needed.h. */
enum err scribe_leave_out(struct scribe *s, const struct extra_member *m) MUST_USE;

/* Has this family an extra member of that name there? */
bool scribe_has_extra(const struct scribe *s, const struct extra *e, const char *name);
/* Are there any such that go back to this family, so that their object must be opened for them? */
bool scribe_has_extra_below(const struct scribe *s, const struct extra *e, const char *below);

/* Those same members where the object that has them is not written at all: a warning for each. */
enum err scribe_drop_below(
	struct scribe *s, const struct extra *e, const char *path, const char *below) MUST_USE;

/* The body is written: lays the caller's provider_options over it and moves it to the arena. The
 * members `model`, `messages`, `contents`, `stream`, `input`, `documents` and `query` are not the
 * caller's to replace, nor, where the target is bounded, what bounds the answer. A body longer than the target takes is refused as "request_too_large". */
enum err scribe_finish(struct scribe *s, struct buf *body, struct span *out) MUST_USE;

/* Has a body of `n` bytes more than the target takes? Then it is refused as that. */
enum err scribe_check_length(struct scribe *s, size_t n) MUST_USE;
enum err scribe_refuse_length(struct scribe *s) MUST_USE;

/* Where a request goes. */
struct place {
	const char *
		path; /* below the base URL, where the target says none: "/models/{model}:{method}" */
	const char *method; /* for {method}; NULL: none */
	const char *query;  /* behind those of the base URL: "alt=sse"; NULL: none */
	const char *accept; /* NULL: JSON, or SSE where a stream is asked for */
	/* the name of an operation beside chat, where the target's own path is not meant: it may say
	 * another in its trait `ops`. NULL: chat */
	const char *op;
};

/* POST, the URL and the headers that all have. In the path {model} becomes the target's model,
 * percent-encoded as one segment. */
enum err scribe_address(
	struct scribe *s, const struct place *place, struct http_request *out) MUST_USE;

#endif
