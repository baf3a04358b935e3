/* catalogue.h - what is known of this model: its sizes, what it takes and gives, what it costs?
 * Lines of text, one a model, sorted by name: a bundled snapshot, and over it what was imported. A
 * line is looked up by bisection and read when it is asked for, so that a start reads nothing. Facts
 * age: whatever the configuration says beats them. Reads its file once; no clock.
 *
 * A line is PROVIDER/MODEL and then key=value, a space between:
 *	kind=chat,embed,...		what it is asked for: names of operations, "image", "audio", "video"
 *	context= max_output= dimensions=	tokens it reads and writes at the most; a vector's length
 *	in= out=			modalities: text,image,audio,video,pdf
 *	params=				what it takes: tools,tool_choice,parallel_tool_calls,json_schema,
 *					reasoning,temperature,cache,prefill,system,web_search
 *	efforts=			of its reasoning, lowest first
 *	retires=YYYY-MM-DD		when its provider ends it
 *	price_input= price_output= price_cache_read= price_cache_write_5m= price_cache_write_1h=
 *	price_reasoning= price_audio_input= price_audio_output= price_image_input=
 *	price_image_output=		USD per million tokens
 * More lines of the same name have other prices: from=YYYY-MM-DD since that day, above=TOKENS for
 * prompts longer than that, tier=flex|priority|batch for that tier of service. */
#ifndef BROKERD_CONFIG_CATALOGUE_H
#define BROKERD_CONFIG_CATALOGUE_H
#include "brokerd/value/target.h"

struct catalogue; /* counted; belongs to the loop's thread */

#define CATALOGUE_BYTES (8 * (size_t)1024 * 1024) /* of an imported text */

/* The snapshot alone, or with the lines of `text` (may be empty; copied), of which one replaces all
 * lines of the snapshot that have its name. ERR_INVALID_ARGUMENT names the line that is wrong;
 * ERR_NO_MEMORY. */
enum err catalogue_new(struct span text, struct catalogue **out, struct fault *why) MUST_USE;
struct catalogue *catalogue_ref(struct catalogue *c);
void catalogue_unref(struct catalogue *c); /* NULL is fine */

/* The day whose prices are meant, since 1970; 0, the beginning: before all dates. */
void catalogue_set_day(struct catalogue *c, int64_t day);
int64_t catalogue_day(const struct catalogue *c);

/* How many models, of them from the import; when the snapshot was made, "YYYY-MM-DD". */
size_t catalogue_count(const struct catalogue *c, size_t *imported);
struct span catalogue_snapshot_date(void);

/* When it was imported, in seconds since 1970; 0: it was not. */
void catalogue_set_age(struct catalogue *c, int64_t imported_at_s);
int64_t catalogue_imported_at_s(const struct catalogue *c);

struct model_facts {
	struct span name;                                            /* "provider/model" */
	struct span kind, inputs, outputs, params, efforts, retires; /* absent: not said */
	int64_t context_tokens, max_output_tokens, dimensions;       /* -1: not said */
	struct price price; /* of the day, the usual tier, prompts of any length */
	bool is_imported;
};

/* False, and *out with nothing known, where the model is not there. Spans live as long as `c`. */
bool catalogue_find(const struct catalogue *c, struct span provider, struct span model,
	struct model_facts *out);

/* Other prices of a model: those that do not hold for every request of today. */
struct price_row {
	struct span from, tier; /* absent: any */
	int64_t above_tokens;   /* -1: any */
	int64_t day;            /* on which it holds: its first where that is to come, else -1 */
	struct price price;
};

/* Which price is meant. */
struct price_case {
	int64_t input_tokens; /* of all classes; of a bound, the most there can be */
	struct span
		tier; /* of service, as lines have it; absent, or one that none has: the usual */
	int64_t day;  /* since 1970; -1: that of the catalogue */
};

/* The price of that case, member by member from the line that fits it best: one for the tier and the
 * length, else the dearer of those for the tier and for the length, else the usual one; of several
 * lengths the greatest, of several days the latest. *out is unknown where the model is not there. */
void catalogue_price_of(const struct catalogue *c, struct span provider, struct span model,
	const struct price_case *when, struct price *out);

/* The dearest, member by member, of all cases that differ from it by a shorter prompt or by no tier:
 * what a request can cost before its length is counted and its tier is told. */
void catalogue_price_bound(const struct catalogue *c, struct span provider, struct span model,
	const struct price_case *when, struct price *out);

/* Lays what is known over a price; what is not is left. */
void price_lay(struct price *to, const struct price *known);

/* Walks the models in the order of their names; begin with a zeroed walk. `provider` absent: of all.
 * False: no more. */
struct catalogue_walk {
	size_t at[2]; /* in the snapshot, in the import */
};
bool catalogue_next(const struct catalogue *c, struct span provider, struct catalogue_walk *w,
	struct model_facts *out);

/* The `i`th other price of a model; false: there are not so many. */
bool catalogue_price(const struct catalogue *c, struct span name, size_t i, struct price_row *out);

#endif
