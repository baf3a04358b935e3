/* outlet.h - in what order do a reply's events go out?
 * Stands between a family's decoder and the sink and keeps the promise of event.h: `start` is held
 * back until something real follows, texts are repaired to valid UTF-8, each call is begun, filled
 * and ended once, usage comes before finish, finish once a choice. No I/O. */
#ifndef BROKERD_DIALECT_OUTLET_H
#define BROKERD_DIALECT_OUTLET_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/repeat.h"
#include "brokerd/dialect/stop_watch.h"
#include "brokerd/dialect/tool_args.h"
#include "protocol/base/json.h"
#include "protocol/base/utf8.h"

/* What a text is; an index. */
enum outlet_text {
	OUTLET_TEXT,
	OUTLET_REASONING,
	OUTLET_REFUSAL,
	OUTLET_TEXTS,
};

/* One call in the making. The decoder that has it finds out what it is, piece by piece. */
struct outlet_call {
	struct outlet_call *next;  /* of the same choice, in order of coming */
	struct buf id, name, held; /* `held`: arguments that came before the name */
	struct utf8_repair repair;
	struct json_extent extent;
	struct repeat came; /* its arguments so far */
	struct opaque opaque;
	uint32_t choice, tool;
	bool is_custom, is_begun, is_ended, has_args;
	bool is_free_form; /* stands for a custom tool: its input is one of the arguments' texts */
	struct buf whole;  /* which are held until its end then */
	bool is_text;      /* emulated structured output: its arguments are the answer's text */
	int64_t index;     /* the provider's, the decoder's to set and read; -1: none */
};

struct outlet_choice {
	struct utf8_repair repair[OUTLET_TEXTS];
	struct outlet_call *calls, *last_call;
	uint32_t n_calls; /* that went out */
	size_t echoed;    /* how much of the prefill came back so far */
	bool is_echo_over;
	bool has_text, has_reasoning, has_call, is_seen, is_over;
	struct buf
		fenced;   /* a whole text that may be in a fence, until something else follows it */
	bool is_finished; /* a finish is held */
	struct stop_watch watch; /* for the notes' stop sequences */
	bool is_stopped;         /* one came: what the provider still says is left out */
	enum finish finish;
	struct span native, matched_stop;
};

struct outlet {
	const struct event_sink *sink; /* set before each use, by outlet_to */
	struct arena *arena;
	const struct notes *notes;
	struct outlet_choice *choices;
	size_t n_choices;
	struct span id, model;
	int64_t created_s;
	bool is_started;  /* `start` went out */
	bool is_flushed;  /* the last events went out */
	bool is_refused;  /* the sink wants no more */
	bool has_content; /* something went out after which no other answer can take its place */
	bool has_usage;
	struct llm_usage usage, billed;
	struct span tier;         /* of service, as the reply says */
	struct warning *warnings; /* NULL: there was none yet */
	size_t n_warnings;
	struct buf piece, clean; /* scratch */
	uint64_t seed;
	int64_t wall_s;
};

/* False: out of memory. */
bool outlet_init(struct outlet *o, struct arena *a, const struct notes *n,
	const struct dialect_env *env) MUST_USE;
void outlet_done(struct outlet *o);

/* Forgets all that came of an answer which its host began anew. Nothing of it may have gone out. */
void outlet_reset(struct outlet *o);

/* All below return the sink's error, ERR_NO_MEMORY, or ERR_SERVER_ERROR for more than can be held. */

/* A buf's failure in a reply's terms: OK, ERR_NO_MEMORY, or ERR_SERVER_ERROR for what is too big. */
enum err outlet_check(const struct buf *b) MUST_USE;

/* Foreign text into the arena, repaired where it is no UTF-8. */
enum err outlet_keep(struct outlet *o, struct span text, struct span *out) MUST_USE;

/* What is known of the reply; what is empty or known already is passed over. `created_s` outside of
 * 2020 to tomorrow becomes our own time. */
enum err outlet_about(
	struct outlet *o, struct span id, struct span model, int64_t created_s) MUST_USE;

/* A piece of a text, as the provider sent it; may be empty, or no UTF-8. */
enum err outlet_text(
	struct outlet *o, uint32_t choice, enum outlet_text kind, struct span piece) MUST_USE;
/* The same of a JSON string; anything else is passed over. */
enum err outlet_json(
	struct outlet *o, uint32_t choice, enum outlet_text kind, struct json v) MUST_USE;

/* A whole text that is to be JSON, because words asked for it, or one of several that make it up: held
 * until something else follows or the choice ends, then taken out of its fence, with a warning, where it
 * came in one. */
enum err outlet_unfenced(struct outlet *o, uint32_t choice, struct json v) MUST_USE;
enum err outlet_unfenced_text(struct outlet *o, uint32_t choice, struct span text) MUST_USE;

/* Writes the input of a tool that the provider runs itself, which came in pieces: where they make no
 * JSON, as an object with their text, and a warning. */
enum err outlet_put_input(struct outlet *o, struct json_out *to, struct span text) MUST_USE;

enum err outlet_opaque(struct outlet *o, uint32_t choice, const struct opaque *v) MUST_USE;
enum err outlet_part(struct outlet *o, uint32_t choice, const struct part *part) MUST_USE;
enum err outlet_logprobs(struct outlet *o, uint32_t choice, struct span json) MUST_USE;

/* A call is made, told its id and name (once each; a name may come in pieces until arguments do),
 * filled, and ended. It goes out when its name is known and arguments come, its own or those of a later
 * call, or at its end. */
enum err outlet_call_new(struct outlet *o, uint32_t choice, struct outlet_call **out) MUST_USE;
enum err outlet_call_args(struct outlet *o, struct outlet_call *c, struct span piece) MUST_USE;
enum err outlet_call_end(struct outlet *o, struct outlet_call *c) MUST_USE;
/* All of a call's arguments: what of them is more than came in pieces. */
enum err outlet_call_whole(struct outlet *o, struct outlet_call *c, struct span args) MUST_USE;

/* Ends the calls of a choice whose arguments are complete, but not `but` (may be NULL), nor one whose
 * name may still come. */
enum err outlet_calls_settle(
	struct outlet *o, uint32_t choice, const struct outlet_call *but) MUST_USE;

/* Kept until outlet_flush. A later finish replaces an earlier `stop` only. `billed` is what is charged for,
 * maybe the same; its own cost is not asked. */
void outlet_usage(struct outlet *o, const struct llm_usage *u);
void outlet_usage_billed(
	struct outlet *o, const struct llm_usage *u, const struct llm_usage *billed);
enum err outlet_tier(
	struct outlet *o, struct json word) MUST_USE; /* what is no word is passed over */
enum err outlet_tier_word(struct outlet *o, struct span word) MUST_USE; /* absent is passed over */
enum err outlet_finish(struct outlet *o, uint32_t choice, enum finish f, struct span native,
	struct span matched_stop) MUST_USE;

/* Has every choice come to a stop sequence of the notes, so that nothing more is wanted? A decoder
 * passes over all events that come then, and ends well. */
bool outlet_has_enough(const struct outlet *o);

/* Something in the reply that was repaired or left out; said once, before usage. */
enum err outlet_warn(
	struct outlet *o, const char *code, const char *param, const char *message) MUST_USE;

/* The choice is over: gives the rests of its texts and ends its calls. Its finish may still be
 * unknown; whole things may still be given. Once; outlet_flush does it where nobody did. */
enum err outlet_choice_end(struct outlet *o, uint32_t choice) MUST_USE;

/* The warning about a piece of a stream that framing_object passed over. */
enum err outlet_warn_bad_event(struct outlet *o) MUST_USE;

/* Ends all choices and gives what is held: warnings, usage, finishes. `stop` beside calls becomes
 * `tool_calls`, `tool_calls` without any `stop`. Once. */
enum err outlet_flush(struct outlet *o) MUST_USE;

/* The reply failed with `err`, of which `fault` says what is known (it may be FAULT_NONE): gives the
 * usage so far, unless the provider's own error came before anything else, which then served nothing; fills
 * *why (may be NULL) and returns `err`. */
enum err outlet_fail(
	struct outlet *o, enum err err, const struct fault *fault, struct fault *why) MUST_USE;

#endif
