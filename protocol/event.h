/* event.h - what happens in an answer, one step at a time?
 * The unified events of a reply, streamed or whole, and their msgpack form. Texts are valid UTF-8,
 * each piece on its own. The order is a promise: start first; for each tool index one tool_start,
 * its args, one tool_end; finish after all pieces of its choice; then exactly one end or fault. The
 * results of an operation beside chat come in the order of their index, ranks by their score. */
#ifndef PROTOCOL_EVENT_H
#define PROTOCOL_EVENT_H
#include <stdint.h>

#include "protocol/request.h"

enum event_type {
	EV_START = 1,      /* id, model, created_s */
	EV_TEXT = 2,       /* text */
	EV_REASONING = 3,  /* text */
	EV_REFUSAL = 4,    /* text */
	EV_OPAQUE = 5,     /* opaque: a signature or an encrypted item, whole */
	EV_TOOL_START = 6, /* tool, id, name, is_custom, opaque */
	EV_TOOL_ARGS = 7,  /* tool, text */
	EV_TOOL_END = 8,   /* tool */
	EV_PART = 9,       /* part: an image, audio, a citation; has_more: its bytes go on */
	EV_LOGPROBS = 10,  /* text: JSON */
	EV_USAGE = 11,     /* usage: what is known so far; the last is final */
	EV_FINISH = 12,    /* finish, native_finish, matched_stop; once a choice */
	EV_WARNING = 13,   /* warning */
	EV_STATUS = 14,    /* status, text: what the broker is doing meanwhile */
	EV_RAW = 15,       /* text: bytes of a relayed reply, or of a whole JSON answer */
	EV_HEAD = 16,      /* head: of a relayed reply */
	EV_END = 17,       /* end: the last event of a good answer */
	EV_FAULT = 18,     /* fault: the last event of a failed one */
	/* results of the operations beside chat */
	EV_EMBEDDING = 19,  /* embedding: of one input */
	EV_RANK = 20,       /* rank: of one document, the best first */
	EV_COUNT = 21,      /* count */
	EV_MODERATION = 22, /* moderation: of one input */
	EV_MODEL = 23,      /* model: one that may be asked */
};
const char *event_name(enum event_type type);

/* How an answer ended. The words on the wire are the lower-case names. */
enum finish {
	FINISH_STOP = 1,
	FINISH_LENGTH,
	FINISH_TOOL_CALLS,
	FINISH_CONTENT_FILTER,
	FINISH_PAUSE,
	FINISH_OTHER,
};
const char *finish_name(enum finish f);
bool finish_from(struct span word, enum finish *out);

/* Tokens in disjoint classes: each token is in one class, their sum is what was processed. -1: not
 * known, which is not zero. Cost in nano-dollars. */
struct llm_usage {
	int64_t input;          /* uncached text input */
	int64_t cache_read;     /* input read from the provider's cache */
	int64_t cache_write_5m; /* input written to it, to live five minutes */
	int64_t cache_write_1h;
	int64_t cache_write; /* written, lifetime not said */
	int64_t output;      /* visible output text, tool calls included */
	int64_t reasoning;   /* output that is reasoning */
	int64_t audio_input, audio_output;
	int64_t image_input, image_output;
	int64_t cost_nusd;          /* by our prices; -1: price unknown */
	int64_t provider_cost_nusd; /* as the provider says */
};
#define USAGE_UNKNOWN ((struct llm_usage){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1})

/* All input classes, all output classes, added up; -1 where none is known. */
int64_t usage_input_total(const struct llm_usage *u);
int64_t usage_output_total(const struct llm_usage *u);

struct warning {
	struct span code;  /* "dropped_parameter" "clamped_parameter" "emulated" "renamed"
	                      "rewritten_message" "repaired_response" "missing_finish"
	                      "schema_rewritten" "reasoning_dropped" ... */
	struct span param; /* the member's path; absent: none */
	struct span message;
};

/* Status words: "queued" "retrying" "route" "consent" "offline". */
struct reply_head {
	int status; /* HTTP */
	struct string_pair *headers;
	size_t n_headers;
	bool is_stream;
};

/* Where an answer came from that no provider gave this time. The words on the wire are the lower-case names. */
enum cache_source {
	CACHE_NOT,      /* one was */
	CACHE_HIT,      /* it was kept */
	CACHE_JOINED,   /* another call asked the same at that moment */
	CACHE_SEMANTIC, /* it was kept of words that mean about the same */
	CACHE_STALE,    /* it was kept, is no longer fresh, and no provider gave another */
};
const char *cache_source_name(enum cache_source s);

struct cached {
	enum cache_source source;
	int64_t age_s;        /* since it was answered; -1: not known */
	int64_t saved_nusd;   /* that it would have cost again; -1: not known */
	struct opt_f64 score; /* semantic: how near those words are, at most 1 */
};

#define CACHED_NOT ((struct cached){.source = CACHE_NOT, .age_s = -1, .saved_nusd = -1})

/* The closing account of a good answer. */
struct reply_end {
	struct llm_usage usage;
	struct span provider, model; /* who answered */
	struct span request_id;      /* the broker's, as in its log and ledger */
	int64_t ttft_us;             /* to the first content; -1: there was none */
	int64_t total_us;
	int64_t attempts;
	struct cached cached;
	bool is_kept; /* for who asks the same; never with a source in `cached` */
};

/* Numbers as exact as the provider gave them. On the wire they are floats of 32 bits where each of
 * them is one, else of 64. Finite, all of them. */
struct vector {
	const double *values;
	size_t n;
};

struct embedding {
	uint32_t index; /* which input */
	struct vector vector;
};

struct rank {
	uint32_t index; /* which document */
	double score;   /* comparable within this answer alone */
};

struct token_count {
	int64_t input_tokens;
	bool is_estimate; /* made here by a rule of thumb */
};

struct moderation {
	uint32_t index; /* which input */
	bool is_flagged;
	struct span categories,
		scores; /* JSON text: an object each, as the provider says it; may be
	                                   absent */
};

/* A model as a provider's list or the configuration tells of it. */
struct listed_model {
	struct span id; /* as it is asked for: "provider/model", or an alias */
	struct span owner;
	int64_t context_tokens, max_output_tokens; /* -1: not said */
	int64_t created_s;                         /* since 1970; 0: not said */
};

struct llm_event {
	enum event_type type;
	uint32_t choice; /* which of n answers, from 0 */
	uint32_t tool;   /* which call, dense from 0 */
	bool has_more;   /* a part: the bytes of its medium go on in the next part of this choice */
	struct span
		tier; /* usage: the tier of service, as the provider says; absent: it does not. Not
	                     on the wire */
	/* usage: what it charges for, where that is not what it counts: calls of its own beside the
	 * answer's, or less than all of a prompt. NULL: it is. As short-lived as the event; not on the wire */
	const struct llm_usage *billed;
	union {
		struct span text;
		struct {
			struct span id, model;
			int64_t created_s; /* 0: not said */
		} start;
		struct {
			struct span id, name;
			bool is_custom;
			struct opaque opaque;
		} call;
		struct opaque opaque;
		struct part part;
		struct llm_usage usage;
		struct {
			enum finish finish;
			struct span native, matched_stop; /* the provider's own word */
		} finish;
		struct warning warning;
		struct {
			struct span word;
			struct span detail;
		} status;
		struct reply_head head;
		struct reply_end end;
		struct embedding embedding;
		struct rank rank;
		struct token_count count;
		struct moderation moderation;
		struct listed_model model;
		const struct fault *fault;
	};
};

/* Which frame carries an event: FRAME_EVENT for most, and head, data, end, fault for those. */
int event_frame_type(enum event_type type);

/* Appends the body of that frame: one msgpack value. Failures stick to the buf. */
void event_pack(const struct llm_event *e, struct buf *out);

/* Reads the checked body of a frame of type `frame_type` (event, head, data, end, fault) back.
 * Texts point into the body; arrays, and the fault, go to the arena. ERR_MORE: an event that this
 * version does not know, to be passed over. ERR_MALFORMED, ERR_NO_MEMORY. */
enum err event_unpack(int frame_type, struct pack_in body, struct arena *a, struct llm_event *out,
	struct fault *why) MUST_USE;

/* Does the event carry content, so that after it no other answer may take this one's place? */
bool event_is_content(enum event_type type);

#endif
