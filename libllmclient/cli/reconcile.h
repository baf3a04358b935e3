/* reconcile.h - do the provider's bill and the broker's books say the same?
 * Both sides by day and model, what differs and what may explain it; and by key, where the provider tells keys
 * apart. It asks nobody and reads no clock. Pure. */
#ifndef LIBLLMCLIENT_CLI_RECONCILE_H
#define LIBLLMCLIENT_CLI_RECONCILE_H
#include "libllmclient/cli/statement.h"

/* So much is no difference: the larger of the two. */
struct tolerance {
	int64_t millionths; /* of their figure */
	int64_t nusd;
};

struct name_pair {
	struct span theirs, ours;
};

struct reconcile_rules {
	struct tolerance tolerance;
	const struct name_pair *
		aliases; /* names of models; * stands for anything in theirs, and the first counts */
	size_t n_aliases;
	const struct name_pair *keys; /* their id of a key, our label */
	size_t n_keys;
};

enum line_kind {
	LINE_BOTH,
	LINE_OURS,   /* they bill nothing of the kind, perhaps not yet */
	LINE_THEIRS, /* nothing of the kind went through the broker */
};

/* What may explain a difference. */
enum line_hint {
	HINT_NONE,
	HINT_PRICE,     /* as much was used: it is the price */
	HINT_MORE_USED, /* more was used than went through the broker */
	HINT_LESS_USED,
	HINT_UNPRICED, /* ours lack a price */
	HINT_UNKNOWN,  /* the end of some of ours was never seen */
};
const char *line_hint_word(enum line_hint h); /* "price"; "" */

struct line {
	int64_t day;
	struct span model; /* ours, else theirs; a common stem where there are several */
	struct spend ours, theirs;
	int64_t diff_nusd; /* theirs less ours */
	enum line_kind kind;
	enum line_hint hint;
	bool is_within; /* the tolerance */
};

/* How is it known whose a key is? */
enum key_proof {
	KEY_UNKNOWN,   /* it is not: nothing says that it is the broker's */
	KEY_GIVEN,     /* --key-id */
	KEY_SAME_NAME, /* it has our label */
	KEY_INFERRED,  /* it alone used the same as ours, day by day */
};
const char *key_proof_word(enum key_proof p);

struct key_line {
	struct span key;   /* theirs; absent: of ours, and nothing of theirs is known to be it */
	struct span label; /* ours; absent: not known */
	enum key_proof proof;
	struct spend ours, theirs; /* all days; theirs.nusd is its part of the models' cost */
	int64_t diff_nusd, first_day, last_day;
	bool is_within;
};

struct reconciled {
	struct line *lines; /* by day, then by model */
	size_t n;
	struct line total;
	struct key_line *keys; /* the dearest first; none: they do not tell keys apart */
	size_t n_keys;
	int64_t foreign_nusd;     /* of lines that are theirs alone */
	int64_t unknown_key_nusd; /* of keys that are not known to be ours */
	int64_t unassigned_nusd;  /* of no key, where keys are told apart */
	bool is_by_day;           /* they name no models */
	bool is_within;           /* every line, and the total */
	struct arena arena;
};

/* ERR_NO_MEMORY. *out is to be freed in any case; its names are its own or the statements'. */
enum err reconcile(const struct statement *ours, const struct statement *theirs,
	const struct reconcile_rules *rules, struct reconciled *out) MUST_USE;
void reconciled_done(struct reconciled *r);

/* What both sides' names of a model have in common: "gpt-4o" of "GPT-4o, cached input" and of
 * "gpt-4o-2024-08-06". For tests. */
enum err model_stem(struct span name, struct arena *a, struct span *out) MUST_USE;

/* "0.5%", "0.01", "0.5%,0.01": what is not said is 0. False: it is neither. */
bool tolerance_read(struct span text, struct tolerance *out);
bool tolerance_has(const struct tolerance *t, int64_t ours_nusd, int64_t theirs_nusd);

#endif
