/* traits.h - in what may one provider or model differ from the next, and how is one difference laid
 * over another?
 * One table of the quirks that a [provider] or [model] section, a built-in row or a rule for names
 * can set. An overlay holds those that were set; laid over quirks, it changes these and no others. */
#ifndef BROKERD_CONFIG_TRAITS_H
#define BROKERD_CONFIG_TRAITS_H
#include "brokerd/value/target.h"

enum trait_kind {
	TRAIT_BOOL,   /* bool */
	TRAIT_TEXT,   /* struct span: what a header can carry */
	TRAIT_COUNT,  /* int64_t, 0 or more */
	TRAIT_CHOICE, /* an enum, by the place of the word in `words` */
	TRAIT_WORD,   /* struct span: one of `words` */
	TRAIT_LIST,   /* struct span: some of `words`, with commas between */
	TRAIT_OPS,    /* the same, each with ":/PATH" behind it or without */
	TRAIT_SCOPE,  /* struct span: a scope of config/rules.h */
	TRAIT_HOST,   /* struct span: the name of a built-in provider */
};

struct trait {
	const char *name;
	enum trait_kind kind;
	size_t at;         /* in struct quirks */
	const char *words; /* TRAIT_CHOICE, TRAIT_WORD, TRAIT_LIST, TRAIT_OPS: "low|high" */
	const char *help;  /* a sentence or two, for the manual */
};

enum { TRAITS_MAX = 128 };

const struct trait *traits_table(size_t *n);      /* at most TRAITS_MAX */
const struct trait *trait_find(struct span name); /* or NULL */

/* What was set, and to what. A zeroed one changes nothing. */
struct overlay {
	struct quirks values;
	uint64_t given[TRAITS_MAX / 64];
};

/* Sets one from its text, copied into `a`. ERR_MISCONFIGURED with a sentence; ERR_NO_MEMORY. */
enum err overlay_set(struct overlay *o, const struct trait *t, struct span value, struct arena *a,
	struct fault *why) MUST_USE;

/* Sets all of a list of ours, "seed stops_max=4", whose text lives for ever. */
void overlay_parse(struct overlay *o, const char *traits);

/* Which of these quirks, by their places in struct quirks, were set? A bit for each, from the first; at most 32. */
unsigned overlay_given(const struct overlay *o, const size_t *quirks, size_t n);

/* Lays `over` on top; what both set is as `over` has it. */
void overlay_lay(struct overlay *under, const struct overlay *over);
void overlay_apply(const struct overlay *o, struct quirks *q);

#endif
