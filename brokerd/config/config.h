/* config.h - what does the administrator want?
 * Files in a strict INI become one immutable struct, through one table of keys that also writes the
 * manual. An unknown key or a bad value is an error with file, line and column; nothing is guessed.
 * Reads files; touches nothing else. */
#ifndef BROKERD_CONFIG_CONFIG_H
#define BROKERD_CONFIG_CONFIG_H
#include "brokerd/config/catalogue.h"
#include "brokerd/config/key_source.h"
#include "brokerd/config/limit_rule.h"
#include "brokerd/config/policy_rule.h"
#include "brokerd/config/route_rule.h"
#include "brokerd/config/traits.h"
#include "protocol/base/arena.h"

#define HEADERS_MAX ((size_t)8) /* that a provider can add */

struct config_dialect {
	struct span family;
	struct span path;     /* below the base URL; absent: the family's own */
	struct quirks quirks; /* the family's, and of the built-in row where there is one */
};

/* How long each part of a request may take, in microseconds. */
struct config_timers {
	int64_t connect_us;     /* name, TCP and TLS */
	int64_t tls_us;         /* TLS alone, within that */
	int64_t first_byte_us;  /* of a streamed answer */
	int64_t reply_us;       /* of a whole one, which begins when it is finished */
	int64_t first_token_us; /* of a streamed answer: its first content */
	int64_t token_us;       /* between two pieces of its content */
	int64_t idle_us;        /* between two pieces of whatever comes */
};

/* A provider: a built-in row, a section of the file, or one laid over the other. */
struct provider {
	struct span name;
	struct config_dialect *dialects; /* the first speaks unless a target says otherwise */
	size_t n_dialects;
	struct span base_url, origin;
	/* for the names in braces of an address; absent: not said */
	struct span region, resource, account, project, location, workspace;
	const char *missing; /* the key without which it cannot be used; NULL: none. There is no
	                        address then */
	struct http_header *headers; /* sent with every request; at most HEADERS_MAX */
	size_t n_headers;
	enum auth_scheme auth;
	struct span auth_header;
	struct span service;       /* AUTH_SIGV4, with the region */
	struct token_source token; /* AUTH_GOOGLE, AUTH_ENTRA */
	struct key_source key_source;
	int64_t key_refresh_us; /* how long a key from there is good; 0: for ever */
	struct key_rule
		*keys; /* of the vault's keys for it these alone, in order; none: all of them */
	size_t n_keys;
	struct span model; /* its default one; absent: none */
	struct span ca_file;
	struct config_timers timers; /* 0: the broker's */
	bool is_drained_when_gone;   /* an answer whose caller has gone is read to its end */
	bool is_local, is_plain_loopback_allowed;
	bool is_offline;
	bool is_builtin;       /* no section of the file touched it */
	struct overlay traits; /* what its section says */
};

/* A [model "NAME"] section: an alias with targets, or, named "provider/model", that model's facts. A
 * model's name that begins or ends in * is for all that end or begin so. */
struct model {
	struct span name;
	struct target_rule *targets;
	size_t n_targets;
	struct route_rule route; /* of an alias */
	struct price price;
	bool is_price_forced;
	int64_t context_tokens, max_output_tokens; /* -1: not said */
	struct overlay traits;
	struct span said_at; /* "/etc/llm-broker/broker.conf:12" */
};

/* A rule for names, from config/rules.c. */
struct name_rule {
	struct span scope, pattern; /* a pattern's * stands for any text, at either end */
	struct overlay traits;
};

struct config {
	struct arena arena; /* everything below lives here */
	unsigned refs;
	struct provider *providers;
	size_t n_providers;
	struct model *models;
	size_t n_models;
	struct name_rule *rules;
	size_t n_rules;
	struct policy_rule *policy; /* in order: the first that fits holds */
	size_t n_policy;
	struct limit_rule *limits; /* in order */
	size_t n_limits;
	struct catalogue
		*catalogue;  /* facts of models, by config_set_catalogue(); NULL: none are known */
	struct known *known; /* what was found of targets, for known.c alone */
	/* [broker] */
	struct span log_level;
	int64_t idle_exit_us; /* 0: never; only when socket-activated */
	int64_t drain_us;     /* how long SIGTERM waits for open calls */
	int64_t request_us;   /* the longest a call may take */
	int64_t queue_us;     /* and wait for limits, if its caller sets no time */
	/* as struct config_timers, where a provider's section says nothing else: config_timers */
	int64_t connect_us, tls_us, first_byte_us, reply_us, first_token_us, token_us, idle_us;
	int64_t drain_gone_us; /* the most that an answer is read on for, whose caller has gone */
	int64_t max_connections, max_calls;  /* of one identity */
	int64_t head_hold_us, keep_alive_us; /* of streams on a surface */
	int64_t keep_responses_us;           /* 0: none are kept */
	int64_t keep_responses_mib;          /* all together */
	int64_t unknown_price; /* what budgets count where none is known; as struct price */
	/* [ledger] */
	int64_t ledger_keep_us;   /* 0: for ever */
	int64_t keep_prompts_us;  /* 0: none are kept */
	int64_t keep_prompts_mib; /* all together */
	/* [cache] */
	int64_t cache_memory_mib, cache_disk_mib; /* 0: none is kept there */
	int64_t cache_entry_kib;
	int64_t cache_shared_mib; /* of answers in the making */
	int64_t cache_ttl_us;     /* 0: none, unless its caller says so */
	int64_t cache_stale_us;   /* how much longer it may stand in where no provider answers */
	struct span embed_model;  /* by which words are compared; absent: none are */
	int64_t embed_us;         /* and for how long that may be waited */
	int64_t vectors, vectors_mib; /* of words that led to an answer; 0: none are kept */
	/* [vault] */
	int64_t auto_lock_us; /* 0: never */
	bool is_locked_on_resume;
	struct span key_file; /* absent: in the state folder */
};

/* Reads `path` and the files of its folder's broker.conf.d that end in .conf, by name (a missing main
 * file is no error where `may_be_absent`). NULL: *why has the sentence with file, line and column. */
struct config *config_load(const char *path, bool may_be_absent, struct fault *why);

/* The same from one text, named `name` in messages: for tests and for fuzzing. */
struct config *config_parse(struct span text, const char *name, struct fault *why);

/* Adds what was set by hand: a text of [limit] sections alone, of the file `path`, which messages name (NULL: of
 * none, and they name no place). Before others have `c`. A limit of a name that the files have is an error, and it
 * says where; so is all that would be one there, but for names of what is gone: that one stays, and says so (unfit).
 * *c is as it was after an error. */
enum err config_add_limits(
	struct config *c, struct span text, const char *path, struct fault *why) MUST_USE;

struct config *config_ref(struct config *c);
void config_unref(struct config *c);
/* In the place of the one it had; it takes a reference of its own. NULL: none. */
void config_set_catalogue(struct config *c, struct catalogue *catalogue);

const struct provider *config_provider(const struct config *c, struct span name);
const struct model *config_model(const struct config *c, struct span name);
const struct limit_rule *config_limit(const struct config *c, struct span name);

/* The times that hold there. */
void config_timers(const struct config *c, const struct provider *p, struct config_timers *out);

/* What is peculiar of a model at a provider, there spoken to in its dialect `d`: the family's habits,
 * the row's, the rules for the name, the provider's section, that of the alias by which it is asked
 * (NULL: none) and the model's, each over the ones before. */
void config_quirks(const struct config *c, const struct provider *p, size_t d, struct span model,
	const struct model *alias, struct quirks *out);

/* The dialect in which a model is spoken to: the one that its traits name, where the provider has
 * it, else the first. */
size_t config_dialect_of(const struct config *c, const struct provider *p, struct span model,
	const struct model *alias);
/* The same, and what is peculiar there. */
size_t config_dialect_quirks(const struct config *c, const struct provider *p, struct span model,
	const struct model *alias, struct quirks *out);

/* Which of these quirks, by their places in struct quirks, do sections of the files set for that model there, the
 * alias's included? A bit for each; at most 32. */
unsigned config_says(const struct config *c, const struct provider *p, struct span model,
	const struct model *alias, const size_t *quirks, size_t n);

/* What the configuration says of a model, as its traits are laid: the alias's section, then all that
 * its name fits, from the widest pattern to its own. */
struct said_facts {
	struct price price;
	int64_t context_tokens, max_output_tokens; /* -1: not said */
};
void config_facts(const struct config *c, struct span provider, struct span model,
	const struct model *alias, struct said_facts *out);

/* The manual of all keys in scdoc's form, from the table. */
void config_manual(struct buf *out);

#endif
