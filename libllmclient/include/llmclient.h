/* llmclient.h - talk to the per-host LLM broker. SPDX-License-Identifier: MIT
 *
 * Link with -lllmclient. A program never sees an API key: the broker holds them
 * and applies the host's policy to the caller.
 *
 * OBJECTS    llm_client: one connection, opened lazily, reconnects by itself.
 *            llm_request: what to ask; reusable. llm_stream: an answer in flight.
 *            llm_event: one step of it, valid until the next call on the stream.
 *            llm_result: a whole answer.
 * OWNERSHIP  Objects from _new, _copy, _start, llm_chat are freed with their _free
 *            (NULL is fine). const pointers you get belong to the object you
 *            asked. Strings you pass are copied, fds are duplicated.
 * ERRORS     Functions that can fail return 0 or a count, or a negative llm_code.
 *            Why: llm_last_error(client), llm_stream_error(stream). No function
 *            prints, exits or raises a signal.
 * THREADS    Clients are independent. One client and its streams belong to one
 *            thread at a time. Only llm_stream_cancel() and llm_client_wake() may
 *            be called from elsewhere, and from signal handlers too.
 * FORK       In the child every inherited object answers LLM_E_FORKED; its _free
 *            closes without speaking. Make a new client there.
 * ABI        libllmclient.so.1, symbols LLMCLIENT_1. Structs are opaque but
 *            llm_options, which carries its size. Enums grow at their end. */
/* clang-format off */
#ifndef LLMCLIENT_H
#define LLMCLIENT_H
#include <stddef.h>
#include <stdint.h>
#define LLM_VERSION_NUMBER 0x000100 /* 0xMMmmpp */
#if defined(__GNUC__)
# define LLM_API __attribute__((visibility("default")))
# define LLM_CHECK __attribute__((warn_unused_result))
#else
# define LLM_API
# define LLM_CHECK
#endif
#ifdef __cplusplus
extern "C" {
#endif
typedef struct llm_client llm_client; typedef struct llm_request llm_request; typedef struct llm_stream llm_stream;
typedef struct llm_event llm_event;   typedef struct llm_result llm_result;   typedef struct llm_error llm_error;
typedef struct llm_usage llm_usage;
/* ---- library: there is no global init ---- */
LLM_API uint32_t llm_version_number(void); /**< of the loaded library */
LLM_API const char *llm_version(void);
typedef void *(*llm_realloc_fn)(void *ptr, size_t new_size /* 0: free */, void *arg);
LLM_API int llm_set_allocator(llm_realloc_fn fn, void *arg); /**< before any other call */
LLM_API void llm_free(void *p); /**< frees what llm_ask(), llm_embed() and llm_admin_call() return */
/* ---- errors ---- */
typedef enum llm_code {
  LLM_OK = 0, LLM_E_INVAL = -1 /**< bad argument or wrong state */, LLM_E_NOMEM = -2,
  LLM_E_AGAIN = -3,        /**< non-blocking: nothing yet */
  LLM_E_UNREACHABLE = -4,  /**< no broker at the socket, or not bound into this sandbox */
  LLM_E_IO = -5, LLM_E_PROTOCOL = -6, LLM_E_TIMEOUT = -7, LLM_E_CANCELLED = -8, LLM_E_FORKED = -9,
  LLM_E_DENIED = -10,      /**< policy: not this caller, or not this model */
  LLM_E_CONSENT = -11,     /**< the user was asked and has not agreed */
  LLM_E_LOCKED = -12,      /**< the vault is locked: llmb vault unlock */
  LLM_E_NO_KEY = -13,      /**< no key for that provider: llmb key add */
  LLM_E_NO_MODEL = -14, LLM_E_BUDGET = -15,
  LLM_E_RATE = -16,        /**< see llm_error_retry_after_ms() */
  LLM_E_OVERLOADED = -17, LLM_E_TOO_LONG = -18 /**< context length */,
  LLM_E_REFUSED = -19,     /**< the provider's safety refusal */
  LLM_E_REQUEST = -20,     /**< the provider found the request malformed */
  LLM_E_PROVIDER = -21, LLM_E_UNSUPPORTED = -22 /**< the model, or this broker, cannot do that */,
  LLM_E_NOT_CACHED = -23   /**< llm_request_cache(r, "only"): no answer is kept, and nobody was asked */
} llm_code;
LLM_API const char *llm_strerror(int code);                   /**< never NULL */
LLM_API int llm_error_code(const llm_error *e);
LLM_API const char *llm_error_message(const llm_error *e);    /**< what failed and what to do; never NULL */
LLM_API const char *llm_error_class(const llm_error *e);      /**< "rate_limited", "no_key", ...: finer than the code; never NULL */
LLM_API const char *llm_error_provider(const llm_error *e);   /**< or NULL */
LLM_API int llm_error_http_status(const llm_error *e);        /**< or 0 */
LLM_API const char *llm_error_request_id(const llm_error *e); /**< as in the broker's log; or NULL */
LLM_API int llm_error_retryable(const llm_error *e);
LLM_API int64_t llm_error_retry_after_ms(const llm_error *e); /**< -1: not said */
/* ---- client ---- */
#define LLM_F_NONBLOCK 1u     /**< no call blocks; see "your event loop" */
#define LLM_F_NO_AUTOSTART 2u /**< never start a per-user broker when none listens */
typedef struct llm_options {
  size_t size;             /**< set by LLM_OPTIONS_INIT */
  const char *socket_path; /**< NULL: $LLM_BROKER_FD, $LLM_BROKER_SOCKET, the user's, the sandbox's, the system's */
  int fd;                  /**< >= 0: use this connected socket; the client owns it */
  const char *app_name;    /**< shown in logs and prompts; a label, not an identity */
  int connect_timeout_ms;  /**< default 0: 5 s until one listens, 45 s until it answers, for one that is replaced may finish
                                what it is at first; else both together; -1: none */
  int request_timeout_ms;  /**< whole answer; default -1: the broker's limit */
  int idle_timeout_ms;     /**< longest gap between events; default 120000 */
  int max_retries;         /**< when the connection breaks before the first event; default 2 */
  uint32_t flags;
} llm_options;
#define LLM_OPTIONS_INIT { sizeof(llm_options), NULL, -1, NULL, 0, -1, 120000, 2, 0 }
LLM_API llm_client *llm_client_new(const llm_options *opt); /**< opt or NULL; does not connect; NULL: no memory */
LLM_API int llm_client_connect(llm_client *c) LLM_CHECK;    /**< connect now, not at first use */
LLM_API void llm_client_free(llm_client *c);                /**< cancels and frees its streams */
LLM_API const llm_error *llm_last_error(const llm_client *c); /**< its streams' too; never NULL */
LLM_API const char *llm_client_info(llm_client *c);   /**< JSON: broker version, features, who it thinks you are */
LLM_API const char *llm_client_models(llm_client *c); /**< JSON array of the models you may use */
/* ---- request: the first failing builder call sticks and is what starting it returns ---- */
LLM_API llm_request *llm_request_new(const char *model); /**< name or host alias; NULL: "default" */
LLM_API llm_request *llm_request_copy(const llm_request *r); LLM_API void llm_request_free(llm_request *r);
LLM_API int llm_request_system(llm_request *r, const char *text);
LLM_API int llm_request_user(llm_request *r, const char *text); LLM_API int llm_request_assistant(llm_request *r, const char *text);
LLM_API int llm_request_result(llm_request *r, const llm_result *answer);      /**< with tool calls and provider state */
LLM_API int llm_request_messages_json(llm_request *r, const char *openai_chat_messages);
/** Attach to the latest user message; mime NULL: sniffed. Copied. */
LLM_API int llm_request_attach(llm_request *r, const char *name, const char *mime, const void *data, size_t len);
LLM_API int llm_request_attach_fd(llm_request *r, const char *name, const char *mime, int fd); /**< read to its end now */
LLM_API int llm_request_tool(llm_request *r, const char *name, const char *description, const char *schema_json);
LLM_API int llm_request_tool_result(llm_request *r, const char *call_id, const char *content, int is_error);
LLM_API int llm_request_tool_choice(llm_request *r, const char *choice);       /**< "auto" "none" "required" or a name */
LLM_API int llm_request_max_tokens(llm_request *r, int n);   LLM_API int llm_request_temperature(llm_request *r, double t);
LLM_API int llm_request_stop(llm_request *r, const char *sequence);
LLM_API int llm_request_reasoning(llm_request *r, const char *effort);         /**< "none" "minimal" "low" "medium" "high" "xhigh" "max" */
LLM_API int llm_request_json_schema(llm_request *r, const char *name, const char *schema_json);
LLM_API int llm_request_timeout_ms(llm_request *r, int ms);
LLM_API int llm_request_max_cost_usd(llm_request *r, double usd);              /**< the broker stops it there */
LLM_API int llm_request_extra_json(llm_request *r, const char *key, const char *json_value); /**< for the provider as is */
LLM_API int llm_request_strict(llm_request *r, int is_strict);                 /**< refuse what else would be a warning */
LLM_API int llm_request_at_most_once(llm_request *r, int is_once);             /**< never sent a second time */
LLM_API int llm_request_batch(llm_request *r, int is_batch);                   /**< waits behind calls that people wait for */
LLM_API int llm_request_fallback(llm_request *r, const char *model);           /**< repeats: who is asked, in order, where the model cannot serve */
LLM_API int llm_request_tag(llm_request *r, const char *tag);                  /**< repeats: a word that an alias may choose its target by */
LLM_API int llm_request_session(llm_request *r, const char *word);             /**< calls with the same word go to one place: where the alias is sticky, or a provider's cache has what they said before */
/** May the answer be one that was given before, and may it be kept for who asks the same? "off" "read" "write" "on";
 * "refresh": asked anew, and kept in the place of what was; "only": what is kept, or LLM_E_NOT_CACHED, and nobody is asked. Not said:
 * as policy has it, which is to keep what is not left to chance. */
LLM_API int llm_request_cache(llm_request *r, const char *wish);
LLM_API int llm_request_cache_seconds(llm_request *r, int64_t max_age_s, int64_t ttl_s); /**< none older is taken; it is kept for so long; -1: not said */
/** So much longer it is kept, and one that was kept may stand in, where no provider gives an answer; -1: not said. The result says "stale". */
LLM_API int llm_request_cache_stale_seconds(llm_request *r, int64_t stale_s);
LLM_API int llm_request_cache_namespace(llm_request *r, const char *word);     /**< what is kept apart from all else */
/** For a program that asks for others: on whose behalf, by an app token ("llmb_...", or NULL) and by a pidfd of the process
 * (or -1; duplicated). That only ever takes away: both have to be allowed what is asked, and the ceilings of both hold.
 * LLM_E_DENIED: not they, or the token is unknown, or the process has ended or is another user's. */
LLM_API int llm_request_behalf(llm_request *r, const char *token, int pidfd);
/* ---- whole answer, blocking ---- */
LLM_API llm_result *llm_chat(llm_client *c, const llm_request *r) LLM_CHECK;   /**< NULL: llm_last_error(c) */
LLM_API char *llm_ask(llm_client *c, const char *model, const char *prompt) LLM_CHECK; /**< text; llm_free() it */
LLM_API const char *llm_result_text(const llm_result *a);        /**< never NULL */
LLM_API const char *llm_result_reasoning(const llm_result *a);   /**< or NULL */
LLM_API const char *llm_result_refusal(const llm_result *a);     /**< or NULL */
LLM_API const char *llm_result_model(const llm_result *a);       /**< the one that answered */
LLM_API const char *llm_result_stop_reason(const llm_result *a); /**< "stop" "length" "tool_calls" "content_filter" "pause" "other"; NULL: none yet */
LLM_API size_t llm_result_tool_calls(const llm_result *a);
LLM_API const char *llm_result_tool_id(const llm_result *a, size_t i); LLM_API const char *llm_result_tool_name(const llm_result *a, size_t i);
LLM_API const char *llm_result_tool_args(const llm_result *a, size_t i); /**< complete JSON */
LLM_API const llm_usage *llm_result_usage(const llm_result *a);
LLM_API const char *llm_result_provider(const llm_result *a); /**< who answered, or NULL */
LLM_API void llm_result_free(llm_result *a);
/* ---- streaming ---- */
typedef enum llm_event_type {
  LLM_EV_NONE = 0, LLM_EV_STATUS = 1 /**< queued, asking the user, trying elsewhere */,
  LLM_EV_TEXT = 2 /**< a piece of answer, whole UTF-8 characters */, LLM_EV_REASONING = 3,
  LLM_EV_TOOL_START = 4, LLM_EV_TOOL_ARGS = 5 /**< a piece of JSON */, LLM_EV_TOOL_END = 6,
  LLM_EV_USAGE = 7 /**< running totals */, LLM_EV_DONE = 8 /**< the last; usage is final */,
  LLM_EV_WARNING = 9 /**< something was changed or left out: llm_event_warning_*() */,
  LLM_EV_RAW = 10 /**< bytes of a relayed reply */, LLM_EV_HEAD = 11 /**< its status and headers */,
  LLM_EV_REFUSAL = 12 /**< a piece of a refusal */, LLM_EV_PART = 13 /**< an image, audio, a citation, whole */,
  LLM_EV_ITEM = 14 /**< one more embedding, rank, count, verdict or model is in the result */
} llm_event_type; /* ignore unknown ones */
LLM_API llm_stream *llm_stream_start(llm_client *c, const llm_request *r) LLM_CHECK; /**< several may run on a client */
/** 1: *ev set; 0: ended; LLM_E_AGAIN: nothing yet (LLM_F_NONBLOCK only); else failed, partial result readable. */
LLM_API int llm_stream_next(llm_stream *s, const llm_event **ev) LLM_CHECK;
typedef int (*llm_event_fn)(const llm_event *ev, void *arg); /* non-zero cancels */
LLM_API int llm_stream_run(llm_stream *s, llm_event_fn fn, void *arg); /**< the same by callback, to the end */
LLM_API void llm_stream_cancel(llm_stream *s); /**< the provider's connection is dropped; any thread; idempotent */
LLM_API const llm_result *llm_stream_result(const llm_stream *s); /**< what has arrived; the stream's own */
/** The same as yours, for a stream that has ended: it outlives stream and client, and the stream's is empty afterwards. NULL: it has not
 * ended, or there is no memory. */
LLM_API llm_result *llm_stream_take_result(llm_stream *s);
LLM_API const llm_error *llm_stream_error(const llm_stream *s); LLM_API const char *llm_stream_request_id(const llm_stream *s);
LLM_API void llm_stream_set_data(llm_stream *s, void *data); LLM_API void *llm_stream_data(const llm_stream *s);
LLM_API void llm_stream_free(llm_stream *s); /**< cancels if still running */
LLM_API llm_event_type llm_event_type_of(const llm_event *ev);
/** The text of LLM_EV_TEXT and "" for all others, so that a loop may print each event blindly. */
LLM_API const char *llm_event_text(const llm_event *ev, size_t *len /* or NULL */);
LLM_API const char *llm_event_detail(const llm_event *ev, size_t *len); /**< of all other pieces, sentences and bytes; else "" */
LLM_API const char *llm_event_status_word(const llm_event *ev); /**< of STATUS: "queued", "retrying", "offline", ...; or NULL */
LLM_API size_t llm_event_index(const llm_event *ev); /**< of TOOL_*: which call, of ITEM: which of its kind; from 0; else 0 */
LLM_API const char *llm_event_tool_id(const llm_event *ev); LLM_API const char *llm_event_tool_name(const llm_event *ev);
LLM_API const char *llm_event_tool_args(const llm_event *ev); /**< at TOOL_END: complete JSON */
LLM_API const llm_usage *llm_event_usage(const llm_event *ev);
LLM_API const char *llm_event_warning_code(const llm_event *ev);  /**< "dropped_parameter", ...; or NULL */
LLM_API const char *llm_event_warning_param(const llm_event *ev); /**< the member it is about, or NULL */
LLM_API int llm_event_status(const llm_event *ev);                /**< of HEAD: HTTP status; else 0 */
LLM_API const char *llm_event_header(const llm_event *ev, const char *name); /**< of HEAD; or NULL */
LLM_API size_t llm_event_headers(const llm_event *ev);            /**< of HEAD: how many; one name may come more than once */
LLM_API const char *llm_event_header_at(const llm_event *ev, size_t i, const char **value); /**< the i-th's name; NULL: there is none */
/* ---- embeddings, ranks, counts, verdicts, models: a request as for a chat, with inputs in place of messages ---- */
LLM_API int llm_request_input(llm_request *r, const char *text); /**< to be embedded or judged; a document to be ranked */
LLM_API int llm_request_input_image(llm_request *r, const char *mime, const void *data, size_t len); /**< copied; mime NULL: image/png */
LLM_API int llm_request_query(llm_request *r, const char *text);      /**< that documents are ranked by */
LLM_API int llm_request_top_n(llm_request *r, int n);                 /**< only the best n */
LLM_API int llm_request_dimensions(llm_request *r, int n);            /**< of each vector */
LLM_API int llm_request_input_type(llm_request *r, const char *type); /**< "query" "document" "classification" "clustering" "similarity" "code_query" */
LLM_API int llm_request_truncate(llm_request *r, const char *where);  /**< of what is too long: "end" "start"; "none": refuse */
/** n rows of *dimensions floats in one block; llm_free() it. NULL: llm_last_error(c). */
LLM_API float *llm_embed(llm_client *c, const char *model, const char *const *texts, size_t n, size_t *dimensions) LLM_CHECK;
/* Whole results, blocking, in the order of the inputs; NULL: llm_last_error(c). */
LLM_API llm_result *llm_embeddings(llm_client *c, const llm_request *r) LLM_CHECK;
LLM_API llm_result *llm_rerank(llm_client *c, const llm_request *r) LLM_CHECK;   /**< the best first */
LLM_API llm_result *llm_count(llm_client *c, const llm_request *r) LLM_CHECK;    /**< of the tokens that a chat would send */
LLM_API llm_result *llm_moderate(llm_client *c, const llm_request *r) LLM_CHECK;
LLM_API llm_result *llm_models(llm_client *c, const char *provider) LLM_CHECK;   /**< NULL: of all that have a key */
LLM_API int llm_request_operation(llm_request *r, const char *op); /**< for llm_stream_start(): "chat" "complete" "embed" "rerank" "count" "moderate" "models"; of "models" the model is a provider, NULL: all that have a key */
LLM_API size_t llm_result_embeddings(const llm_result *a);
LLM_API const float *llm_result_embedding(const llm_result *a, size_t i, size_t *dimensions /* or NULL */);
LLM_API size_t llm_result_ranks(const llm_result *a);
LLM_API size_t llm_result_rank_index(const llm_result *a, size_t i);  /**< which document; SIZE_MAX: no such rank */
LLM_API double llm_result_rank_score(const llm_result *a, size_t i);  /**< to be compared within this result alone */
LLM_API int64_t llm_result_tokens(const llm_result *a);               /**< of llm_count(); -1: none */
LLM_API int llm_result_tokens_estimated(const llm_result *a);         /**< by the broker: the provider does not count */
LLM_API size_t llm_result_verdicts(const llm_result *a); LLM_API int llm_result_flagged(const llm_result *a, size_t i);
LLM_API const char *llm_result_categories(const llm_result *a, size_t i);      /**< JSON object of booleans, or NULL */
LLM_API const char *llm_result_category_scores(const llm_result *a, size_t i); /**< JSON object of numbers, or NULL */
LLM_API size_t llm_result_models(const llm_result *a);
LLM_API const char *llm_result_model_id(const llm_result *a, size_t i);        /**< as llm_request_new() takes it */
LLM_API int64_t llm_result_model_context(const llm_result *a, size_t i);       /**< tokens; -1: not known */
LLM_API int64_t llm_result_model_max_output(const llm_result *a, size_t i);
/* ---- relay: a public API's own body, and that API's own bytes back ---- */
/** surface: "openai.chat", "anthropic.messages", ...; path and query as that API has them; path NULL: the usual one. */
LLM_API llm_request *llm_relay_new(const char *surface, const char *method, const char *path, const char *query);
/** The provider's own endpoint, which nobody translates: its path, below its host. "*": whichever provider has that path of a public API. */
LLM_API llm_request *llm_native_new(const char *provider, const char *method, const char *path, const char *query);
LLM_API int llm_relay_header(llm_request *r, const char *name, const char *value);
LLM_API int llm_relay_body(llm_request *r, const char *content_type, const void *data, size_t len); /**< copied */
/** In its place: the body is not there yet, it follows by llm_stream_body(). length in bytes; -1: not known. */
LLM_API int llm_relay_body_later(llm_request *r, const char *content_type, int64_t length);
/** The next piece; is_last: no more comes (len may be 0). Returns how many bytes were taken, or LLM_E_*. That is all of
 * them; with LLM_F_NONBLOCK fewer, or 0, while the connection is not there or the broker is behind: offer the rest, is_last
 * again with it, each time that llm_client_process() or llm_client_wait() has returned. The library keeps none of it for later.
 * A call that is over takes everything and drops it: llm_stream_next() has its answer, or why it failed.
 * A body longer or shorter than length cancels the call (LLM_E_INVAL), and so does one over 64 MiB (LLM_E_REQUEST).
 * Once a byte was taken the call is not sent a second time, whatever max_retries says. idle_timeout_ms does not run while it is
 * for you to send. Without LLM_F_NONBLOCK llm_stream_next() is LLM_E_INVAL, and the call goes on, as long as the body is not
 * whole and no answer has begun: it would wait for ever. */
LLM_API int64_t llm_stream_body(llm_stream *s, const void *data, size_t len, int is_last);
/* ---- administration: what llmb does; JSON in, JSON out; see llm-broker-protocol ---- */
/** The answer as JSON text, llm_free() it; NULL: llm_last_error(c). json may be NULL: {}. */
LLM_API char *llm_admin_call(llm_client *c, const char *op, const char *json) LLM_CHECK;
/** The same with up to 2 open descriptors passed along; they stay the caller's. */
LLM_API char *llm_admin_call_fds(llm_client *c, const char *op, const char *json, const int *fds, size_t n) LLM_CHECK;
/** The same as a request, for who does not wait: by llm_stream_start(), and the answer in pieces, LLM_EV_RAW.
 * A key or a passphrase goes by llm_admin_call() alone, which wipes it. */
LLM_API llm_request *llm_admin_new(const char *op, const char *json);
/* ---- usage and cost; -1: not known ---- */
LLM_API int64_t llm_usage_input_tokens(const llm_usage *u);  LLM_API int64_t llm_usage_cached_tokens(const llm_usage *u);
LLM_API int64_t llm_usage_cache_write_tokens(const llm_usage *u);
LLM_API int64_t llm_usage_output_tokens(const llm_usage *u); LLM_API int64_t llm_usage_reasoning_tokens(const llm_usage *u);
LLM_API int64_t llm_usage_cost_nanousd(const llm_usage *u); /**< 1e-9 USD */
LLM_API int64_t llm_usage_ttft_us(const llm_usage *u);      /**< time to the first piece */
LLM_API int64_t llm_usage_total_us(const llm_usage *u);
LLM_API const char *llm_usage_cache(const llm_usage *u);        /**< "hit": it was kept; "joined": another call's at that moment; "semantic": it was kept of words that mean about the same; "stale": no provider gave another; NULL: one did */
LLM_API int64_t llm_usage_cache_age_s(const llm_usage *u);      /**< since it was answered */
LLM_API double llm_usage_cache_score(const llm_usage *u);       /**< of "semantic": how near those words are, at most 1 */
LLM_API int64_t llm_usage_saved_nanousd(const llm_usage *u);    /**< that it would have cost again */
LLM_API int llm_usage_kept(const llm_usage *u);                 /**< 1: a provider was asked, and its answer is kept for who asks the same */
/* ---- your event loop (LLM_F_NONBLOCK) ----
 * Watch llm_client_fd() for llm_client_events(); when ready, or after
 * llm_client_timeout_ms(), call llm_client_process(), then drain each stream with
 * llm_stream_next() until LLM_E_AGAIN, and offer what is left of a body to each that
 * has not taken all of it. The fd never changes, reconnects included. For libev, GLib
 * and libuv, llmclient-ev.h, llmclient-glib.h and llmclient-uv.h do that. */
enum { LLM_READ = 1, LLM_WRITE = 2 };
LLM_API int llm_client_fd(const llm_client *c); LLM_API int llm_client_events(const llm_client *c);
LLM_API int llm_client_timeout_ms(const llm_client *c); /**< -1: none */
LLM_API int llm_client_process(llm_client *c);          /**< events queued and bodies that may go on, or LLM_E_* */
LLM_API void llm_stream_set_callback(llm_stream *s, llm_event_fn fn, void *arg); /**< called inside process() only */
LLM_API int llm_client_wait(llm_client *c, int timeout_ms); /**< a loop for those without: 1 work done, 0 timeout */
LLM_API void llm_client_wake(llm_client *c);            /**< makes llm_client_wait() return */
#ifdef __cplusplus
}
#endif
#endif
