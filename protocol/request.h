/* request.h - what is asked of a model, whoever asks and whoever answers?
 * The unified request, a typed head and a raw tail, and its msgpack form. What is acted on is a C
 * field; what nobody here interprets (schemas, tool arguments, unknown members) is JSON text and
 * carried. Every span is borrowed: from the bytes it was unpacked from, or from an arena. */
#ifndef PROTOCOL_REQUEST_H
#define PROTOCOL_REQUEST_H
#include <stdint.h>

#include "protocol/base/arena.h"
#include "protocol/pack.h"

/* An operation of the typed lane. The words on the wire are the lower-case names. */
enum llm_op {
	LLM_OP_CHAT,
	LLM_OP_COMPLETE,
	LLM_OP_EMBED,
	LLM_OP_RERANK,
	LLM_OP_COUNT,
	LLM_OP_MODELS,
	LLM_OP_MODERATE,
	LLM_OP_COUNT_OF, /* how many there are */
	LLM_OP_NATIVE =
		LLM_OP_COUNT_OF, /* a provider's own endpoint: no operation of this lane, and
	                                    one in the books */
};
const char *llm_op_name(enum llm_op op);
bool llm_op_from(struct span word, enum llm_op *out);

struct opt_i64 {
	bool is_set;
	int64_t v;
};
struct opt_f64 {
	bool is_set;
	double v;
};
struct opt_bool {
	bool is_set;
	bool v;
};

/* Members that nobody here knows, in order, each as raw JSON, and the family that wrote them: the
 * same family gets them back byte for byte, another one a warning for each. */
struct extra_member {
	struct span name; /* as text, not escaped */
	struct span json;
	bool is_told; /* other families miss nothing, and need no warning: a field says the same, or it is
	                 of this family's own items alone; not on the wire */
};
struct extra {
	struct span family; /* "openai-chat"; absent when there are none */
	struct extra_member *members;
	size_t n;
};

/* Something of a provider's that must come back as it was: a signature, an encrypted item. */
struct opaque {
	struct span family; /* absent: none */
	struct span model;
	struct span data; /* JSON text */
};

struct media {
	struct span data;    /* the bytes themselves, or */
	struct span url;     /* where they are, or */
	struct span file_id; /* the provider's name for them */
	struct span mime, filename, detail;
};

struct tool_call {
	struct span id, name;
	struct span
		arguments; /* JSON text as the model wrote it, "" included; a custom tool's raw input */
	bool is_custom;
};

/* What a message is made of, in the order it was said. Tool calls are parts like any other, so that
 * their place among text and reasoning is not lost. */
enum part_type {
	PART_TEXT,
	PART_IMAGE,
	PART_AUDIO,
	PART_FILE,
	PART_VIDEO,
	PART_REFUSAL,
	PART_REASONING,
	PART_OPAQUE, /* a provider's block that is carried and not interpreted */
	PART_TOOL_CALL,
};
struct part {
	enum part_type type;
	struct span text;      /* text, refusal, reasoning */
	struct media media;    /* image, audio, file, video */
	struct tool_call call; /* tool_call */
	struct opaque opaque;  /* reasoning, tool_call, opaque */
	bool is_summary;       /* reasoning */
	struct span cache;     /* a cache breakpoint after this part: "5m", "1h"; absent: none */
	struct span citations; /* JSON text; absent: none */
	struct extra extra;
};

enum role {
	ROLE_SYSTEM,
	ROLE_DEVELOPER,
	ROLE_USER,
	ROLE_ASSISTANT,
	ROLE_TOOL,
};
struct message {
	enum role role;
	struct part *parts;
	size_t n_parts;
	struct span name;
	struct span tool_call_id; /* tool: which call this answers */
	bool is_error;            /* tool: the call failed */
	struct extra extra;
};

enum tool_type {
	TOOL_FUNCTION,
	TOOL_CUSTOM,
	TOOL_PROVIDER, /* a server-side tool of one family, carried raw */
};
struct tool {
	enum tool_type type;
	struct span name, description;
	struct span
		parameters; /* function: JSON Schema as text, property order kept; absent: none */
	struct opt_bool strict;
	struct span cache;
	struct span format; /* custom: JSON text */
	struct span family; /* provider: whose */
	struct span raw;    /* provider: JSON text */
	struct extra extra;
};

enum tool_choice_mode {
	CHOICE_UNSET,
	CHOICE_AUTO,
	CHOICE_NONE,
	CHOICE_REQUIRED,
	CHOICE_NAMED, /* this one tool: names[0] */
};
struct tool_choice {
	enum tool_choice_mode mode;
	struct span *names; /* named: one; auto, required: only these are allowed; none: all are */
	size_t n_names;
};

enum format_type {
	FORMAT_UNSET,
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_SCHEMA,
};
struct response_format {
	enum format_type type;
	struct span name, description;
	struct span schema; /* JSON text */
	struct opt_bool strict;
};

struct reasoning {
	struct span
		effort; /* "none" "minimal" "low" "medium" "high" "xhigh" "max"; absent: not said */
	struct opt_i64 budget_tokens;
	struct span expose; /* "text" (the default) or "none" */
	bool is_wish; /* the model may, and need not: left out where it cannot; not on the wire */
};

struct string_pair {
	struct span key, value;
};

enum on_unsupported {
	UNSUPPORTED_WARN, /* the default: carry on and say so */
	UNSUPPORTED_REJECT,
};

struct llm_request {
	struct span model; /* as the caller says it: "provider/model", a bare name or an alias; of
	                      models a provider's name; absent: all */
	struct message *messages; /* chat, count; complete too */
	size_t n_messages;
	struct part *inputs; /* embed, moderate: texts and images; rerank: the documents; complete:
	                        the prompt, until it is unpacked */
	size_t n_inputs;
	struct span query;         /* rerank: what the documents are held against */
	struct opt_i64 top_n;      /* rerank: the best so many; 1 or more */
	struct opt_i64 dimensions; /* embed: of each vector; 1 or more */
	struct span input_type;    /* embed: what for: "query" "document" "classification"
	                              "clustering" "similarity" "code_query"; absent: not said */
	struct span truncate;      /* embed: what is too long is cut at its "end" or "start", or
	                              refused, "none"; absent: as the provider does it */
	struct tool *tools;
	size_t n_tools;
	struct tool_choice tool_choice;
	struct opt_bool parallel_tool_calls;
	struct response_format response_format;
	struct reasoning reasoning;
	struct opt_i64 max_tokens; /* visible and reasoning tokens together */
	struct opt_f64 temperature, top_p, min_p;
	struct opt_i64 top_k;
	struct opt_f64 presence_penalty, frequency_penalty, repetition_penalty;
	struct opt_i64 n, seed;
	struct span *stop;
	size_t n_stop;
	struct span logit_bias; /* JSON text of an object; absent: none */
	struct opt_bool logprobs;
	struct opt_i64 top_logprobs;
	struct span *modalities; /* "text" "image" "audio" */
	size_t n_modalities;
	struct span audio_voice, audio_format;
	bool is_stream; /* the caller wants pieces; the broker may still ask otherwise upstream */
	struct span user;
	struct string_pair *metadata;
	size_t n_metadata;
	struct span service_tier, verbosity;
	struct span cache_key, cache_ttl;
	enum on_unsupported on_unsupported;
	bool wants_raw; /* the provider's own reply in provider_meta, for debugging */
	/* by family or provider name, a JSON object each, merged last into that provider's body */
	struct string_pair *provider_options;
	size_t n_provider_options;
	struct extra extra;
};

/* Fills *out from the bytes of a chat's body, one msgpack map, which it checks with pack_check
 * first; arrays go to the arena, texts point into `packed`, which must live as long. Unknown members
 * are kept in the nearest `extra` under the family "broker", those of smaller maps by their path from
 * there ("reasoning.style"). Types, words, counts and JSON texts are checked here, and nowhere after.
 * ERR_INVALID_REQUEST with the member's path, ERR_MALFORMED, ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err request_unpack(
	struct span packed, struct arena *a, struct llm_request *out, struct fault *why) MUST_USE;

/* The same for the body of any operation: each has members of its own. The inputs of a complete become
 * one message of the user's. */
enum err request_unpack_op(enum llm_op op, struct span packed, struct arena *a,
	struct llm_request *out, struct fault *why) MUST_USE;

/* Appends the request as one msgpack map; the absent is left out. What request_unpack makes of it
 * is equal, member by member. Failures stick to the buf. */
void request_pack(const struct llm_request *r, struct buf *out);

#endif
