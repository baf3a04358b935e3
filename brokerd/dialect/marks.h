/* marks.h - what of a prompt is its provider told to keep?
 * Marks stand behind what is to be kept: those of the caller's (`cache` of parts and tools, `cache_ttl` of all), or, for one who
 * set none, some that are put in here. Pure functions. */
#ifndef BROKERD_DIALECT_MARKS_H
#define BROKERD_DIALECT_MARKS_H
#include "brokerd/dialect/scribe.h"

#define MARKS_MAX ((size_t)4) /* of one request: Anthropic's, wherever it is served */
/* What is shorter its models keep nothing of, and say nothing. Some want twice or four times as much. */
#define MARKS_LEAST_TOKENS INT64_C(1024)

/* Does the host keep every prompt by itself, as it thinks best? A mark that is not sent there is no loss, and no word is said
 * of it. */
bool marks_are_needless(const struct target *t);

/* A part whose extra members say `prompt_cache_breakpoint`, as OpenAI has it: its own family gets that back as it came, and for all
 * others it is a mark. */
void marks_read(struct part *p);

/* Those that were written so far. */
struct cache_marks {
	size_t seen,
		first;  /* marks before that one, counted over the whole request, are left out */
	bool has_short; /* one for five minutes went out */
};

/* How long a mark goes out for, in *out: "5m" or "1h"; absent: it does not. One that is one too many is left out, and one for
 * an hour behind one for five minutes, which providers refuse, goes out for five minutes; each with a warning. `ttl` may be
 * absent. */
enum err marks_take(struct scribe *s, struct span ttl, const char *path, struct cache_marks *marks,
	struct span *out) MUST_USE;

/* The same of all of a request at once, for who writes them in another order than the provider keeps them in: tools, then
 * messages. A mark of the whole becomes one behind its last part. What is changed is a copy in the notes' arena. */
enum err marks_fit(struct llm_request *r, const struct target *t, struct notes *notes,
	struct fault *why) MUST_USE;

/* Has the caller set any? */
bool marks_are_set(const struct llm_request *r);

/* A request without marks, for a target that keeps what is marked, as Anthropic's models do, gets some in *out: behind its tools,
 * its system texts, and what the user said last and the time before, so that what goes on from there finds what was kept; each only where
 * so much is before it that it is kept (MARKS_LEAST_TOKENS). `ttl` is "5m" or "1h". Else *out is `r` itself. What is made is the
 * arena's. ERR_NO_MEMORY. */
enum err marks_set(const struct llm_request *r, const struct target *t, struct span ttl,
	struct arena *a, const struct llm_request **out) MUST_USE;

/* The request without any mark; `r` itself where there is none. The same. */
enum err marks_remove(
	const struct llm_request *r, struct arena *a, const struct llm_request **out) MUST_USE;

#endif
