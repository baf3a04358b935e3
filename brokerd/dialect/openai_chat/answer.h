/* answer.h - what do the writers of this family's answers share?
 * answer.c takes what happens in a choice and leaves out what comes at the wrong time. answer_stream.c and
 * answer_whole.c are the two voices in which the rest is said. */
#ifndef BROKERD_DIALECT_OPENAI_CHAT_ANSWER_H
#define BROKERD_DIALECT_OPENAI_CHAT_ANSWER_H
#include "brokerd/dialect/openai_answer.h"
#include "brokerd/dialect/part_join.h"

/* Members of a message that are texts; an index. */
enum answer_text {
	ANSWER_CONTENT,
	ANSWER_REASONING,
	ANSWER_REFUSAL,
	ANSWER_TEXTS,
};
extern const char *const answer_text_names[ANSWER_TEXTS];

/* Members of a message, or of its logprobs, that are lists of JSON values. */
enum answer_list {
	ANSWER_DETAILS,
	ANSWER_ANNOTATIONS,
	ANSWER_IMAGES,
	ANSWER_LOGPROBS, /* from here on: of the logprobs */
	ANSWER_REFUSAL_LOGPROBS,
	ANSWER_LISTS,
};
extern const char *const answer_list_names[ANSWER_LISTS];

struct answer_call {
	struct answer_call *next; /* of the choice, in the order of coming */
	uint32_t tool;            /* as its events name it */
	uint32_t index;           /* in the choice, from 0 */
	bool is_custom, is_over;
	struct span id, name;
	struct span extra; /* the value of its extra_content; absent: it has none */
	struct buf args;   /* whole; in a stream, those of a call that waits */
};

struct answer_choice {
	struct openai_choice base;
	struct answer_call *calls, *last_call;
	struct answer_call *told; /* stream: the call that goes on; those behind it wait */
	uint32_t n_calls, n_details, n_images, n_annotations;
	size_t content_bytes, content_chars;
	size_t unsealed_bytes; /* of reasoning, since its last opaque item */
	struct part_join join;
	/* whole: */
	struct buf texts[ANSWER_TEXTS];
	struct buf lists[ANSWER_LISTS]; /* elements, a comma between them */
	struct buf audio;               /* an object */
};

/* How what happens is said. Failures stick to the answer. */
struct answer_voice {
	void (*text)(struct encoder *e, struct answer_choice *c, enum answer_text which,
		struct span text);
	/* elements of a list, one or more, a comma between them */
	void (*list)(struct encoder *e, struct answer_choice *c, enum answer_list which,
		struct span elements);
	/* the object of it */
	void (*audio)(struct encoder *e, struct answer_choice *c, struct span json);
	void (*call)(struct encoder *e, struct answer_choice *c, struct answer_call *call);
	void (*args)(struct encoder *e, struct answer_choice *c, struct answer_call *call,
		struct span text);
	/* the call is over */
	void (*called)(struct encoder *e, struct answer_choice *c, struct answer_call *call);
};
extern const struct answer_voice answer_stream, answer_whole;

struct encoder {
	struct openai_answer answer;
	const struct answer_voice *voice;
	size_t held_bytes; /* stream: of arguments that wait */
	bool is_older;     /* a call is said in its older form */
};

/* Functions of the language: answer_stream.c, answer_whole.c. */
void answer_on_begin(struct openai_answer *a, struct openai_choice *c);
void answer_on_finish(struct openai_answer *a, struct openai_choice *c);
void answer_put_choice(struct openai_answer *a, struct openai_choice *c, struct json_out *o);

/* Writes the members of a call: its id, its type, its function with these arguments, its extra_content;
 * in the older form those of the function alone. */
void answer_put_call(const struct encoder *e, const struct answer_call *call, struct span args,
	struct json_out *o);

/* Writes the value of logprobs, of the elements of its two lists. */
void answer_put_logprobs(struct span content, struct span refusal, struct json_out *o);

#endif
