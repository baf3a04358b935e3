/* notes.h - what was changed on the way, so that it can be said and changed back?
 * Written by a dialect's encode, read by its decode and by the reply. Everything is in the arena. */
#ifndef BROKERD_VALUE_NOTES_H
#define BROKERD_VALUE_NOTES_H
#include "protocol/base/json.h"
#include "protocol/event.h"

struct rename {
	struct span ours, theirs; /* as the caller says it, as the provider was told */
};

/* How the caller of a surface has its answer. */
enum answer_form {
	ANSWER_WHOLE, /* one JSON object */
	ANSWER_SSE,   /* an event stream */
	ANSWER_LIST,  /* gemini: a JSON array that is written as its elements come */
};

struct notes {
	struct arena *arena;
	struct warning *warnings;
	size_t n_warnings, cap_warnings;
	struct rename *tools; /* tool names */
	size_t n_tools, cap_tools;
	struct rename *ids; /* tool call ids */
	size_t n_ids, cap_ids;
	struct span *
		free_forms; /* custom tools that a function stands for; names, as the caller has them */
	size_t n_free_forms;
	size_t *tool_places; /* of each tool that goes out, which of the caller's it is; NULL: that one */
	bool has_json_tool;     /* structured output is emulated by a forced tool */
	bool has_json_words;    /* or by words alone: the answer may come inside a fence */
	bool is_reply_streamed; /* what was asked of the provider */
	struct span *stops;     /* the broker cuts the answer at the first of these */
	size_t n_stops;
	struct span prefill;       /* the request ended with these words of the assistant's */
	bool wants_reasoning_text; /* the caller wants to read it */
	int64_t n_choices;         /* as asked: 1 or more */
	bool has_think_tags, is_think_open, has_blank_start; /* as in struct quirks */
	struct span errors;  /* whose table judges errors inside the reply; absent: nobody's own */
	size_t n_inputs;     /* of an operation beside chat; 0: not known */
	int64_t top_n;       /* of a ranking; 0: all */
	struct span vectors; /* the form that was asked for, as the trait embedding_format */
	bool is_count_estimated; /* the count is made here */
	struct span native_path; /* of a request that nobody here wrote, where it went */
	struct json body;        /* a caller's own, once it is scanned; absent: it has none */
	/* how a caller of a surface wants its reply, beyond what the request says */
	enum answer_form form;
	bool is_older_call_form; /* openai-chat: `function_call`, not `tool_calls` */
	bool wants_usage_event;  /* openai-chat: a streamed reply ends with its usage */
	bool wants_base64;       /* embeddings: in base64, not as numbers */
	bool wants_one;          /* embeddings: the one vector, and no list of one */
	bool wants_documents;    /* a ranking: each with its document */
	struct span one_model;   /* models: this one alone, as it is listed; absent: the list */
};

/* An empty one whose entries live in `a`. */
void notes_init(struct notes *n, struct arena *a);

/* Adds a warning; `code` is a literal, the rest is copied. Where policy is UNSUPPORTED_REJECT the
 * caller does not come here: see notes_unsupported. */
enum err notes_warn(struct notes *n, const char *code, const char *param, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* One decision for "the target cannot do that, and it may be left out with a word": a warning, or
 * under UNSUPPORTED_REJECT a refusal (ERR_INVALID_REQUEST, code "unsupported_parameter"). */
enum err notes_unsupported(struct notes *n, const struct llm_request *r, const char *code,
	const char *param, struct fault *why, const char *format, ...) MUST_USE PRINTF_LIKE(6, 7);

/* The provider's word for ours, or ours where there is none; and back. */
struct span notes_tool_theirs(const struct notes *n, struct span ours);
struct span notes_tool_ours(const struct notes *n, struct span theirs);
enum err notes_rename_tool(struct notes *n, struct span ours, struct span theirs) MUST_USE;
struct span notes_id_theirs(const struct notes *n, struct span ours);
enum err notes_rename_id(struct notes *n, struct span ours, struct span theirs) MUST_USE;

#endif
