/* openai_answer.h - what do answers to chats and to completions have alike, as OpenAI gives them?
 * A list of choices, streamed in chunks or told whole, and around it who answers, the usage and the end.
 * It takes the events and gives each choice its own, as far as they make sense: nothing behind its finish,
 * and each that began is finished once. What a choice says is its language's. The other direction of
 * openai_reply.h and openai_wire.h. */
#ifndef BROKERD_DIALECT_OPENAI_ANSWER_H
#define BROKERD_DIALECT_OPENAI_ANSWER_H
#include "brokerd/dialect/dialect.h"
#include "protocol/base/buf.h"

struct openai_answer;

/* The first member of a language's own struct. */
struct openai_choice {
	struct openai_choice *next; /* by index */
	uint32_t index;
	struct span lead;   /* stream: a chunk of it, up to what it says */
	struct span finish; /* the finish_reason; absent: it goes on */
	bool has_calls;
};

struct openai_language {
	const char *id_prefix;      /* "chatcmpl-" */
	const char *object, *chunk; /* "chat.completion", "chat.completion.chunk" */
	const char *delta, *end;    /* of a chunk: what stands around what is said in it */
	const char *nothing;        /* what stands between them where nothing is */
	const char *called;         /* as the answer has it, unless its encoder knows better */

	/* A new choice, zeroed but for what the language needs. NULL: out of memory. */
	struct openai_choice *(*choice_new)(struct openai_answer *a);
	/* stream: the choice begins, behind all below it, and says what is said first; NULL: nothing is, and
	 * they begin in any order */
	void (*on_begin)(struct openai_answer *a, struct openai_choice *c);
	/* content of a choice that is not finished */
	void (*on_event)(
		struct openai_answer *a, struct openai_choice *c, const struct llm_event *e);
	/* stream: the choice is over, says what waited; NULL: nothing does */
	void (*on_finish)(struct openai_answer *a, struct openai_choice *c);
	/* whole: writes the members of the choice but for its index and its finish_reason */
	void (*put_choice)(struct openai_answer *a, struct openai_choice *c, struct json_out *o);
};

struct openai_answer {
	const struct openai_language *language;
	const struct answer_plan *plan;
	struct arena *arena;
	struct buf *out;    /* while an event is taken: failures stick to it */
	enum err err;       /* the first failure of all else: nothing more is said */
	struct span lead;   /* the members id, object, created and model; absent: not settled yet */
	struct span called; /* the finish_reason of a choice that ends with calls */
	struct openai_choice *choices;
	struct openai_choice *last; /* that was spoken of */
	struct buf scratch;
	struct llm_usage usage;
	struct span tier; /* of service */
	uint64_t seed;    /* of the next id that must be made up */
	bool is_stream, is_over;
	char rest[80]; /* of a chunk that goes on, behind what it says */
};
void openai_answer_init(struct openai_answer *a, const struct openai_language *language,
	struct arena *arena, const struct answer_plan *plan);
/* Frees what is not the arena's, but for what the choices hold. */
void openai_answer_done(struct openai_answer *a);

/* dialect_op's encode. */
enum err openai_answer_take(
	struct openai_answer *a, const struct llm_event *e, struct buf *out) MUST_USE;

/* ---- for languages ---- */

void openai_answer_fail(struct openai_answer *a, enum err err); /* OK is none */

/* Empties the scratch to write to. */
struct json_out openai_scratch(struct openai_answer *a);
/* What was written there, till the next use; or as long as the answer lasts. Absent where it failed. */
struct span openai_scratch_view(struct openai_answer *a);
struct span openai_scratch_keep(struct openai_answer *a);

/* Begins a chunk of a choice, up to what it says there. Returns the mark to end it by where JSON is carried
 * in it; where there is none, the end of `out` spares a search for line ends. */
size_t openai_chunk_begin(struct openai_answer *a, const struct openai_choice *c);
/* Ends one behind what it says; or behind its choices. */
void openai_chunk_end(struct openai_answer *a, size_t mark);
void openai_chunk_close(struct openai_answer *a, size_t mark);

#endif
