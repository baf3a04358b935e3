/* keys.c - the table, and what is near to a word that is not in it. */
#include "brokerd/config/keys.h"

#define MS   INT64_C(1000)
#define HOUR (INT64_C(3600000) * MS)
#define DAY  (24 * HOUR)
#define NEAR 2 /* letters */

#define IN_CONFIG(m)   offsetof(struct config, m)
#define IN_PROVIDER(m) offsetof(struct provider, m)
#define IN_MODEL(m)    offsetof(struct model, m)
#define IN_POLICY(m)   offsetof(struct policy_rule, m)
#define IN_LIMIT(m)    offsetof(struct limit_rule, m)
#define IN_TIMERS(m)   (offsetof(struct provider, timers) + offsetof(struct config_timers, m))
#define IN_ROUTE(m)    (offsetof(struct model, route) + offsetof(struct route_rule, m))
#define IN_PRICE(m)    (offsetof(struct model, price) + offsetof(struct price, m))

static const struct section sections[] = {
	{"broker",   NULL,   "The daemon itself."                                     },
	{"vault",    NULL,   "Where the keys are kept."                               },
	{"ledger",   NULL,   "What is written down of requests."                      },
	{"cache",    NULL,   "Answers that are kept for those who ask the same again."},
	{"provider", "NAME",
         "A provider, or what is to be different about a built-in one. Its models are "
		"called "
		"NAME/MODEL; its key is added with `llmb key add NAME`."              },
	{"model",    "NAME",
         "An alias: NAME stands for its targets, and what is said here holds for calls by "
		"that "
		"name. Where NAME is PROVIDER/MODEL, the facts of that model, which beat the "
		"alias's; "
		"a * at the beginning or the end of MODEL stands for any text, and the more exact "
		"section wins, key by key."					   },
	{"policy",   "NAME",
         "A rule: whom it is for, and what they may do. Of the rules, in the order of the "
		"files, the first "
		"that fits a caller holds, alone; those that are built in come last, and none that "
		"fits is "
		"no. What is not said of the caller is not asked. `llmb policy` shows them all, "
		"and `llmb "
		"policy test` what would be said of somebody."                        },
	{"limit",    "NAME",
         "How much may be had, by whom and of what. All limits that a call falls under hold "
		"together: it gets all "
		"that it needs of each, or waits for it, or is told why not. What is not said of "
		"calls is not asked, "
		"and a limit that says whose calls it is for counts all of these together, unless "
		"*each* tells them "
		"apart. `llmb budget list` shows what is used."                       },
};

/* clang-format off */
static const struct key keys[] = {
	{"broker", "log_level", KEY_WORD, IN_CONFIG(log_level), 0, 0, "error|warn|info|debug", "info",
		"What is said on stderr: this and everything graver."},
	{"broker", "idle_exit", KEY_DURATION, IN_CONFIG(idle_exit_us), 0, 365 * DAY, NULL, "5m",
		"A broker that systemd started for a connection ends after so long without one. Not "
		"while a vault is open that only a person can open again."},
	{"broker", "drain", KEY_DURATION, IN_CONFIG(drain_us), MS, HOUR, NULL, "30s",
		"How long SIGTERM waits for calls that are under way. Who calls meanwhile waits for the next broker, "
		"and no longer than 45 seconds: with more than 40s here such a call may fail."},
	{"broker", "request_timeout", KEY_DURATION, IN_CONFIG(request_us), MS, 7 * DAY, NULL, "1h",
		"The longest that a call may take, where the caller sets no shorter time."},
	{"broker", "queue_timeout", KEY_DURATION, IN_CONFIG(queue_us), 0, 7 * DAY, NULL, "2m",
		"How long a call waits for what its limits or its provider allow, where the caller "
		"sets no time of its own; one that does waits as long as that."},
	{"broker", "connect_timeout", KEY_DURATION, IN_CONFIG(connect_us), MS, HOUR, NULL, "10s",
		"To connect to a provider, the TLS handshake included."},
	{"broker", "first_byte_timeout", KEY_DURATION, IN_CONFIG(first_byte_us), MS, DAY, NULL, "2m",
		"From a request's last byte to the first of a streamed answer."},
	{"broker", "reply_timeout", KEY_DURATION, IN_CONFIG(reply_us), MS, DAY, NULL, "10m",
		"The same for an answer that is not streamed, which begins when it is finished."},
	{"broker", "first_token_timeout", KEY_DURATION, IN_CONFIG(first_token_us), MS, DAY, NULL, "15m",
		"From the sending of a request to the first words of a streamed answer: comments that "
		"keep a stream alive are none."},
	{"broker", "idle_timeout", KEY_DURATION, IN_CONFIG(idle_us), MS, DAY, NULL, "90s",
		"Between two pieces of a reply; comments that keep a stream alive count."},
	{"broker", "token_timeout", KEY_DURATION, IN_CONFIG(token_us), MS, DAY, NULL, "15m",
		"Between two pieces of a streamed answer's content: comments that keep it alive are none."},
	{"broker", "tls_timeout", KEY_DURATION, IN_CONFIG(tls_us), MS, HOUR, NULL, "10s",
		"For the TLS handshake alone; it is a part of what *connect_timeout* allows."},
	{"broker", "drain_gone", KEY_DURATION, IN_CONFIG(drain_gone_us), MS, HOUR, NULL, "30s",
		"How long an answer is read on at the most when its caller has gone, where its provider's "
		"section says *on_gone* = drain."},
	{"broker", "max_connections", KEY_COUNT, IN_CONFIG(max_connections), 1, 1000000, NULL, "12000",
		"Connections that one caller may hold. All programs of a user together may hold no more than half of what the "
		"broker has descriptors for; those of its own user may."},
	{"broker", "max_calls", KEY_COUNT, IN_CONFIG(max_calls), 1, 1000000, NULL, "2048",
		"Calls that one caller may have under way, with those that go on though he is gone from them "
		"(*on_gone*), and those that others make on his behalf."},
	{"broker", "head_hold", KEY_DURATION, IN_CONFIG(head_hold_us), 0, HOUR, NULL, "5s",
		"A stream on a public API's surface begins after so long without a word, so that its caller "
		"does not wait in silence; until then an error is a reply with a status of its own. "
		"*never* waits for the answer."},
	{"broker", "keep_alive", KEY_DURATION, IN_CONFIG(keep_alive_us), MS, HOUR, NULL, "15s",
		"And after so long without another it gets a comment, which its readers pass over."},
	{"broker", "keep_responses", KEY_DURATION, IN_CONFIG(keep_responses_us), 0, 3650 * DAY, NULL, "30d",
		"How long answers of the Responses API are kept, sealed, for their callers to go on from "
		"by previous_response_id; *never* keeps none. A request that says store: false is not "
		"kept."},
	{"broker", "keep_responses_mib", KEY_COUNT, IN_CONFIG(keep_responses_mib), 1, 1048576, NULL, "1024",
		"The most that they may take together, in MiB: beyond it the oldest of the user who has "
		"most go first."},

	{"broker", "unknown_price", KEY_PRICE, IN_CONFIG(unknown_price), 0, 0, NULL, "100",
		"What budgets count where a price is not known, for input and for output: US dollars for a "
		"million tokens; nothing where the provider takes no key. What the ledger then says is "
		"still that it is not known."},

	{"vault", "auto_lock", KEY_DURATION, IN_CONFIG(auto_lock_us), 0, 365 * DAY, NULL, "never",
		"Locks the vault after so long without a call."},
	{"vault", "lock_on_resume", KEY_BOOL, IN_CONFIG(is_locked_on_resume), 0, 0, NULL, "no",
		"Locks the vault when the host wakes from a sleep of more than five seconds: whoever opened "
		"the lid has to open the vault too, unless a key file does."},
	{"vault", "key_file", KEY_PATH, IN_CONFIG(key_file), 0, 0, NULL, "",
		"The file that opens the vault with nobody there: 32 bytes, its owner's alone. Without "
		"this key it is *vault.key* in the state folder. Where it is named, it is what opens a new "
		"vault, though systemd hands over a credential for that."},

	{"ledger", "keep", KEY_DURATION, IN_CONFIG(ledger_keep_us), 32 * DAY, 36500 * DAY, "never", "never",
		"How long rows stay, as in 400d: older ones go, once a day, and the file becomes smaller. 32 days "
		"at least, for budgets count what was spent in a month."},
	{"ledger", "keep_prompts", KEY_DURATION, IN_CONFIG(keep_prompts_us), 0, 3650 * DAY, NULL, "never",
		"Keeps what providers are asked, word for word, in the folder *prompts* of the state, and no longer "
		"than that: sealed with a key of the vault, for `llmb usage --prompt` alone. While the vault is "
		"locked none is kept. *never* removes what there was."},
	{"ledger", "keep_prompts_mib", KEY_COUNT, IN_CONFIG(keep_prompts_mib), 1, 1048576, NULL, "64",
		"The most that they may take together, in MiB: beyond it the oldest go. Of a prompt of more than "
		"a mebibyte, or a quarter of that, its beginning is kept."},

	{"cache", "memory_mib", KEY_COUNT, IN_CONFIG(cache_memory_mib), 0, 1048576, NULL, "64",
		"The most that answers in memory take together, in MiB; 0 keeps none there. Typed requests whose answers were "
		"found there twice are kept as they were read, and the calls of each program as they were told, for an eighth of "
		"that beside it at the most, until the cache is "
		"cleared, the vault locked or opened, or a configuration read. The system's unit allows "
		"the broker 3 GiB in all (*MemoryMax=*), and more of them than a part of that need more there, too."},
	{"cache", "disk_mib", KEY_COUNT, IN_CONFIG(cache_disk_mib), 0, 1048576, NULL, "1024",
		"The most that they take on disk, sealed with a key of the vault; while that is locked, the disk is "
		"neither read nor written. 0 keeps none there, and removes what there was."},
	{"cache", "entry_kib", KEY_COUNT, IN_CONFIG(cache_entry_kib), 1, 65536, NULL, "1024",
		"A longer answer is not kept."},
	{"cache", "shared_mib", KEY_COUNT, IN_CONFIG(cache_shared_mib), 1, 65536, NULL, "256",
		"The most that answers take together while they come, for those who ask the same and read along. Beyond it "
		"those that nobody else reads are not kept, and those that others read are joined by no more, and come no "
		"faster than the slowest of them reads."},
	{"cache", "ttl", KEY_DURATION, IN_CONFIG(cache_ttl_us), 0, 3650 * DAY, NULL, "7d",
		"So long an answer is as good as one of now, where its caller does not say how long; *never* keeps "
		"none, unless its caller does."},
	{"cache", "stale_if_error", KEY_DURATION, IN_CONFIG(cache_stale_us), 0, 3650 * DAY, NULL, "never",
		"So much longer it is kept, for when no provider gives one: out of reach, overloaded, too slow, failing, "
		"or rates that are used up. It says then that it is stale. Its caller may say how long, too."},
	{"cache", "embed_model", KEY_MODEL, IN_CONFIG(embed_model), 0, 0, NULL, "",
		"By which model the last words of a chat are compared with those of others, where a rule has "
		"*cache_semantic*: an alias, or PROVIDER/MODEL. It is asked for whoever makes the call, whichever models "
		"his rule allows: his limits and budgets, and what the call may cost, count it, and it has a row of his "
		"in the ledger. A call with tags is compared only where this is an alias, by the lines for these."},
	{"cache", "embed_timeout", KEY_DURATION, IN_CONFIG(embed_us), MS, HOUR, NULL, "2s",
		"How long a call waits for that at most, and never for more than a fourth of the time that it has left. "
		"Then it goes on as if nothing were kept."},
	{"cache", "vectors", KEY_COUNT, IN_CONFIG(vectors), 0, 1000000, NULL, "100000",
		"The most of such words that are remembered, in memory alone, as the vectors that the model made of "
		"them; the oldest go first. 0 remembers none, and none are compared."},
	{"cache", "vectors_mib", KEY_COUNT, IN_CONFIG(vectors_mib), 1, 1048576, NULL, "512",
		"And the most that they take together, in MiB: one of 1536 dimensions takes about 3.2 KiB."},

	{"provider", "dialect", KEY_DIALECT, 0, 0, 0, NULL, "",
		"What is spoken there: *openai-chat*, *openai-responses*, *openai-completions*, *anthropic*, "
		"*gemini*, *bedrock*, *mistral*, *cohere* or *ollama*, and behind it a path below "
		"*base_url* where it is not the usual one (one that begins with /v1/ says so of all "
		"operations), or, with two slashes before it, below the host; "
		"in it {model} and {method} stand for the model's name and for what is done, {model_path} for "
		"a name whose slashes are the path's. May repeat; "
		"the first is spoken, unless the trait *dialect* of a model names another."},
	{"provider", "base_url", KEY_URL, IN_PROVIDER(base_url), 0, 0, NULL, "",
		"Where it is, as in https://api.example.com/v1; it may hold {region} and the like, which "
		"are keys. A key of the vault is bound to this host and port; one that was added for "
		"another is not sent there."},
	{"provider", "auth", KEY_AUTH, 0, 0, 0, NULL, "bearer",
		"How a request proves itself: *bearer* or *header:NAME*, with its key; *sigv4*, signed for "
		"AWS; *google* (Vertex AI) or *entra* (Azure), with tokens that the key gets and the broker "
		"keeps in memory until they end; or *none*."},
	{"provider", "key_source", KEY_SOURCE, IN_PROVIDER(key_source), 0, 0, NULL, "",
		"Where its key is, if not in the vault. *command:* /usr/bin/pass show openai: the first line "
		"that the command prints; its words are divided by spaces and may be quoted, no shell reads "
		"them, and it gets HOME, PATH and little else. *file:* /path: what is in that file, which "
		"nobody but its owner (root or the broker's user) may read. *credential:* NAME: what "
		"systemd hands the broker by that name (LoadCredential=). The key is kept in locked memory "
		"and goes to this provider's host alone."},
	{"provider", "key_refresh", KEY_DURATION, IN_PROVIDER(key_refresh_us), 0, 365 * DAY, NULL, "1h",
		"How long a key of *key_source* is kept before it is read anew; it is read anew at once when "
		"the provider refuses it."},
	{"provider", "key_label", KEY_LABEL, 0, 0, 0, NULL, "",
		"A key of the vault, as in `llmb key add NAME/LABEL`. May repeat: of its keys these alone are used "
		"then, in this order, where those before are refused, spent or limited. Behind the label there may "
		"be *weight=N*: where one has a weight, each request takes them in an order by chance, by their "
		"weights, which are 1 where none is said; and *model=PATTERN,PATTERN*: the key is for these "
		"models alone; a * stands for any text. Without this key all are: the one without a label first, the "
		"others in the order in which they were added; *admin*, which `llmb reconcile` uses, never is."},
	{"provider", "region", KEY_NAME, IN_PROVIDER(region), 0, 0, NULL, "",
		"What stands for {region} in its address, as us-east-1; *sigv4* signs for it. Without this "
		"key that signs for the one in the address."},
	{"provider", "resource", KEY_NAME, IN_PROVIDER(resource), 0, 0, NULL, "",
		"What stands for {resource}: Azure's name of yours."},
	{"provider", "account", KEY_NAME, IN_PROVIDER(account), 0, 0, NULL, "",
		"The same for {account}."},
	{"provider", "project", KEY_NAME, IN_PROVIDER(project), 0, 0, NULL, "",
		"The same for {project}."},
	{"provider", "location", KEY_NAME, IN_PROVIDER(location), 0, 0, NULL, "",
		"The same for {location}, as in europe-west4 or global."},
	{"provider", "workspace", KEY_NAME, IN_PROVIDER(workspace), 0, 0, NULL, "",
		"The same for {workspace}: the host's name of a workspace."},
	{"provider", "header", KEY_HEADER, 0, 0, 0, NULL, "",
		"NAME: VALUE, sent with every request, as in X-Title: my app. May repeat. Not for keys: "
		"those are added with `llmb key add`."},
	{"provider", "service", KEY_NAME, IN_PROVIDER(service), 0, 0, NULL, "",
		"*sigv4*: the service to sign for. Without this key it is *bedrock*."},
	{"provider", "tenant", KEY_NAME, IN_PROVIDER(token.tenant), 0, 0, NULL, "",
		"*entra*: the directory, where the key does not say it."},
	{"provider", "scope", KEY_TEXT, IN_PROVIDER(token.scope), 0, 0, NULL, "",
		"*google*, *entra*: what tokens are asked for. Without this key it is what the cloud's "
		"models need."},
	{"provider", "token_url", KEY_URL, IN_PROVIDER(token.url), 0, 0, NULL, "",
		"*google*, *entra*: where tokens come from, if not from the cloud's usual endpoint. The key is "
		"bound to its host and port and shown to no other; tokens go to *base_url* alone. *ca_file* "
		"and *local* hold for it too."},
	{"provider", "model", KEY_TEXT, IN_PROVIDER(model), 0, 0, NULL, "",
		"The model to use where none is asked for."},
	{"provider", "ca_file", KEY_PATH, IN_PROVIDER(ca_file), 0, 0, NULL, "",
		"Certificates to trust there, instead of the system's."},
	{"provider", "connect_timeout", KEY_DURATION, IN_TIMERS(connect_us), MS, HOUR, NULL, "",
		"As [broker] has it, for this provider, as are all of these times."},
	{"provider", "tls_timeout", KEY_DURATION, IN_TIMERS(tls_us), MS, HOUR, NULL, "",
		"For the TLS handshake alone."},
	{"provider", "first_byte_timeout", KEY_DURATION, IN_TIMERS(first_byte_us), MS, DAY, NULL, "",
		"To the first byte of a streamed answer."},
	{"provider", "reply_timeout", KEY_DURATION, IN_TIMERS(reply_us), MS, DAY, NULL, "",
		"To that of one that is not streamed."},
	{"provider", "first_token_timeout", KEY_DURATION, IN_TIMERS(first_token_us), MS, DAY, NULL, "",
		"To the first words of a streamed answer."},
	{"provider", "token_timeout", KEY_DURATION, IN_TIMERS(token_us), MS, DAY, NULL, "",
		"Between two pieces of its content."},
	{"provider", "idle_timeout", KEY_DURATION, IN_TIMERS(idle_us), MS, DAY, NULL, "",
		"Between two pieces of a reply, of whatever kind."},
	{"provider", "on_gone", KEY_EITHER, IN_PROVIDER(is_drained_when_gone), 0, 0, "cancel|drain", "cancel",
		"What becomes of an answer whose caller has gone: *cancel* ends it at once; *drain* reads it to its "
		"end, at most as long as [broker] says (*drain_gone*), for what it has truly used, where a provider "
		"goes on and bills for it anyhow. What has not been sent in full, and what its caller takes back while "
		"he stays, is cancelled; but what has come to its last word is read to its end, for two seconds at the "
		"most, whatever this says."},
	{"provider", "local", KEY_BOOL, IN_PROVIDER(is_local), 0, 0, NULL, "no",
		"It is on this host or in a private network; else such addresses are refused."},
	{"provider", "allow_plain_loopback", KEY_BOOL, IN_PROVIDER(is_plain_loopback_allowed), 0, 0,
		NULL, "no", "http without TLS is meant, to this host; implies *local*."},

	{"model", "target", KEY_TARGET, 0, 0, 0, NULL, "",
		"PROVIDER/MODEL; a model's name has no spaces. May repeat, up to 128 times, in the order of "
		"preference. Behind it, with spaces between, there may be *weight=N* for *strategy*, and for "
		"which calls it is; all that is said must hold: *app=PATTERN,PATTERN* (as `llmb usage` calls "
		"it) and *tag=PATTERN,PATTERN* (one that the caller gave the call), where a * stands for any text; "
		"*min_input=N* and *max_input=N*, the prompt's tokens as they are estimated; *needs=WORD,WORD*, "
		"for what needs one of *images*, *audio*, *video*, *files*, *tools*, *schema* (an answer by a JSON "
		"schema) and *reasoning*; *min_budget=USD*, while that much is left of every budget that the call "
		"falls under there."},
	{"model", "strategy", KEY_RANK, IN_ROUTE(strategy), 0, 0,
		"priority|weighted|latency|busy|cheapest|sticky", "priority",
		"In which order targets are asked: as they are written; by chance, by their weights (1 where none "
		"is said); the quicker of two that chance takes, as to its first words of late and to what is under "
		"way there; the one with the fewest requests under way; the cheapest for this request, unknown prices "
		"last; or always the same for the same session (without one: for the same app), by weight. What "
		"rests after a failure comes last in any case. Among those that none of this prefers to another, the one whose "
		"cache holds the beginning of the prompt comes first."},
	{"model", "fallback_context", KEY_FALLBACK, IN_ROUTE(context), 0, 0, NULL, "",
		"PROVIDER/MODEL: for a prompt that is too long for the targets. May repeat, in order."},
	{"model", "fallback_refusal", KEY_FALLBACK, IN_ROUTE(refusal), 0, 0, NULL, "",
		"PROVIDER/MODEL: for what a target's filter has refused to answer. May repeat, in order."},
	{"model", "fallback_invalid", KEY_BOOL, IN_ROUTE(is_invalid_passed_on), 0, 0, NULL, "no",
		"A request that a target calls invalid goes to the next one; else its caller is told at once, for it is "
		"mostly invalid everywhere."},
	{"model", "max_price_input", KEY_PRICE, IN_ROUTE(max_price_input), 0, 0, NULL, "",
		"US dollars for a million tokens: a target that is dearer, or whose price is not known, is not asked."},
	{"model", "max_price_output", KEY_PRICE, IN_ROUTE(max_price_output), 0, 0, NULL, "",
		"The same, for what is answered."},
	{"model", "hedge", KEY_HEDGE, IN_ROUTE(hedge_us), 0, 0, NULL, "never",
		"After so long without the first words of an answer the next target is asked beside the first, where "
		"limits and budgets allow it at once; whose words come first answers, and the other one is ended: "
		"both are paid for. *p95* is the time within which 95 of 100 answers of that target have begun of "
		"late, once twenty are known. Once a request, of chat and completions, and not of batch calls nor of what "
		"may be sent only once; never of the provider that is built in; and for no more than one in ten of what the "
		"slow one's host is asked."},
	{"model", "resume", KEY_BOOL, IN_ROUTE(is_resumed), 0, 0, NULL, "no",
		"A chat that breaks off behind its first words goes on with the next target that goes on with what the "
		"assistant began (its trait *prefill*), which is given the text so far; its caller gets one answer, and a "
		"warning, and both are paid for. Else, and behind a call of a tool, a refusal, a medium or a part of JSON "
		"that was asked for, what breaks off is an error. No answer of the alias is passed on byte by byte then. "
		"How well it goes on depends on the model."},
	{"model", "min_rate", KEY_MIN_RATE, IN_ROUTE(min_rate), 0, 0, NULL, "never",
		"Characters a second, as in 5/s: a stream of words whose first ten seconds are slower than that is left "
		"for the next target, where there is one and the request may be sent again; both are paid for. Until "
		"the rate is known nothing of it is shown. What begins with a call of a tool has no rate."},
	{"model", "attempts", KEY_COUNT, IN_ROUTE(attempts), 1, 64, NULL, "6",
		"How often one request is tried, all targets together. Tries that cost nobody anything, with a key that "
		"is refused, an account that is empty or a model that is not there, are beside that, 16 of them."},
	{"model", "price_input", KEY_PRICE, IN_PRICE(input), 0, 0, NULL, "",
		"US dollars for a million tokens, as are all prices. What is not given is not known, "
		"which is not the same as free."},
	{"model", "price_output", KEY_PRICE, IN_PRICE(output), 0, 0, NULL, "",
		"For what is answered."},
	{"model", "price_cache_read", KEY_PRICE, IN_PRICE(cache_read), 0, 0, NULL, "",
		"For input that the provider had kept."},
	{"model", "price_cache_write_5m", KEY_PRICE, IN_PRICE(cache_write_5m), 0, 0, NULL, "",
		"For input that it keeps for five minutes."},
	{"model", "price_cache_write_1h", KEY_PRICE, IN_PRICE(cache_write_1h), 0, 0, NULL, "",
		"For input that it keeps for an hour."},
	{"model", "price_reasoning", KEY_PRICE, IN_PRICE(reasoning), 0, 0, NULL, "",
		"For reasoning, where that costs other than output."},
	{"model", "price_audio_input", KEY_PRICE, IN_PRICE(audio_input), 0, 0, NULL, "",
		"For audio, where that costs other than input."},
	{"model", "price_audio_output", KEY_PRICE, IN_PRICE(audio_output), 0, 0, NULL, "",
		"For audio, where that costs other than output."},
	{"model", "price_image_input", KEY_PRICE, IN_PRICE(image_input), 0, 0, NULL, "",
		"For images, where they cost other than input."},
	{"model", "price_image_output", KEY_PRICE, IN_PRICE(image_output), 0, 0, NULL, "",
		"For images, where they cost other than output."},
	{"model", "price_force", KEY_BOOL, IN_MODEL(is_price_forced), 0, 0, NULL, "no",
		"These prices are meant, though one of them is over 1,000 times, or under a thousandth of, "
		"what the catalogue has for the model: which else is a slip of the unit, and refused."},
	{"model", "context", KEY_COUNT, IN_MODEL(context_tokens), 1, INT32_MAX, NULL, "",
		"Tokens that fit in its context."},
	{"model", "max_output", KEY_COUNT, IN_MODEL(max_output_tokens), 1, INT32_MAX, NULL, "",
		"Tokens that it can answer with."},

	{"policy", "kind", KEY_BITS, IN_POLICY(kinds), 0, 0,
		"unknown|host|service|app|flatpak|snap|container|sandbox|token", "",
		"Where the caller is: in the open, in a unit of the system, on a socket of its own, or in a "
		"sandbox of that kind; *token*: one in the open that shows an app token. May repeat: any of them."},
	{"policy", "name", KEY_PATTERNS, IN_POLICY(names), 0, 0, NULL, "",
		"Which one of its kind: a program's file name, a unit, an application's id, a token's app; a * stands for "
		"any text. May repeat. `llmb whoami` says how a caller is called. A name that a sandbox only claims "
		"for itself is none."},
	{"policy", "user", KEY_USERS, IN_POLICY(users), 0, 0, NULL, "",
		"A user of */etc/passwd*, or a number; *\\** is any. May repeat. Without this key the rule is for "
		"the broker's own user and root."},
	{"policy", "socket", KEY_BITS, IN_POLICY(sockets), 0, 0, "main|sandbox|app|handed", "",
		"On which socket it comes: the main one, that for sandboxes, an application's own, or one that "
		"a program of the host made for it. May repeat."},
	{"policy", "confidence", KEY_RANK, IN_POLICY(confidence), 0, 0,
		"unknown|uid|proc|cgroup|label|listener", "uid",
		"How well the caller is known at least: by its user alone, by what /proc has of it, by a unit "
		"of the system's manager, by a security label, or by a socket that it alone was given."},
	{"policy", "profile", KEY_PATTERNS, IN_POLICY(profiles), 0, 0, NULL, "",
		"That whoever made its socket gave it. May repeat. Only a rule with this key is for callers that "
		"have one, and only for them. Who may do *listener.add* or *app.add* chooses among them."},
	{"policy", "allow", KEY_RANK, IN_POLICY(allow), 0, 0, "yes|no|ask", "yes",
		"*ask*: a person is asked, the first time."},
	{"policy", "operation", KEY_PATTERNS, IN_POLICY(operations), 0, 0, NULL, "",
		"*chat*, *complete*, *embed*, *rerank*, *count*, *moderate*, *models*; *relay* for the surfaces "
		"of public APIs, *native* for providers' own endpoints; and what `llmb` administers, as "
		"*status*, *usage*, *key.list*; a * stands for any text. *use* is all of them before *native*. "
		"May repeat. Without this key: *use*."},
	{"policy", "model", KEY_PATTERNS, IN_POLICY(models), 0, 0, NULL, "",
		"As it is asked for, or as PROVIDER/MODEL; a * stands for any text. May repeat. Without this "
		"key: all."},
	{"policy", "except_model", KEY_PATTERNS, IN_POLICY(except_models), 0, 0, NULL, "",
		"The same, of what may not be used."},
	{"policy", "native", KEY_NATIVE, 0, 0, 0, NULL, "",
		"PROVIDER METHODS PATH, as in *openai GET,POST /v1/files*: native calls may go where the path "
		"begins so, whole parts of it. PROVIDER and METHODS may be *\\**. May repeat. Without this key: "
		"nowhere. Where the rule says which models, a call with a body has to name one there."},
	{"policy", "max_input", KEY_COUNT, IN_POLICY(max_input), 1, INT32_MAX, NULL, "",
		"Tokens that a call may send, as they are estimated."},
	{"policy", "max_output", KEY_COUNT, IN_POLICY(max_output), 1, INT32_MAX, NULL, "",
		"Tokens that a call may get: where it asks for more, or does not say, it gets these."},
	{"policy", "max_cost", KEY_MONEY, IN_POLICY(max_cost_nusd), 0, 0, NULL, "",
		"US dollars that a call may cost at most. A model without known prices is refused then."},
	{"policy", "max_calls", KEY_COUNT, IN_POLICY(max_calls), 1, 1000000, NULL, "",
		"Calls that one caller may have under way, instead of what [broker] says."},
	{"policy", "max_connections", KEY_COUNT, IN_POLICY(max_connections), 1, 1000000, NULL, "",
		"And connections."},

	{"policy", "resend", KEY_EITHER, IN_POLICY(is_resend_denied), 0, 0, "allow|deny", "allow",
		"Whether a request that may have been served, for its answer was lost, is sent again, once, to "
		"another target: it may then be paid for twice."},

	{"policy", "cache", KEY_RANK, IN_POLICY(cache), 0, 0, "auto|off|read|write|on", "auto",
		"Whether an answer may be one that was given before to the same request, and may be kept for the next "
		"one. *auto*: of embeddings, and of words that are chosen without chance (a temperature of 0, or a "
		"seed), and of all else only where the call asks for it. *on*: of all, unless the call says off. "
		"*read* and *write* allow no more than that half, *off* neither, whatever a call asks for."},
	{"policy", "cache_scope", KEY_RANK, IN_POLICY(cache_scope), 0, 0, "app|user|host", "app",
		"With whom these answers are shared: each app has its own, or all of a user's, or all on the host for "
		"whom a rule says so. Who shares them can tell by the time it takes whether another has asked the same."},
	{"policy", "prompt_cache", KEY_RANK, IN_POLICY(prompt_cache), 0, 0, "off|asked|auto|auto-1h", "asked",
		"What providers are told to keep of a prompt in caches of their own. *asked*: what the call marks. *auto*: of "
		"one that marks nothing, for a model of Anthropic's, tools, system texts and what the user said last are marked, "
		"where they are long enough (1,024 tokens), for five minutes, or for an hour; what is kept costs more once, and "
		"much less each time that it comes back. *off*: no mark goes out, and no target is preferred because it holds a "
		"prompt. What is passed on byte by byte, in the provider's own language, stays as it came."},
	{"policy", "cache_semantic", KEY_COSINE, IN_POLICY(cache_semantic), 0, 0, NULL, "never",
		"How near the last words of a chat must be to those of another for its answer to be theirs as well, where "
		"all else is the same: the cosine of what *embed_model* in [cache] makes of them, as in 0.95. Only where "
		"the call may have an answer that was kept, and these very words had none. That words mean the same "
		"is a guess: the reply says *semantic*, and how near they were."},

	{"limit", "app", KEY_PATTERNS, IN_LIMIT(apps), 0, 0, NULL, "",
		"Whose calls, as `llmb usage` calls them; a * stands for any text. May repeat."},
	{"limit", "user", KEY_USERS, IN_LIMIT(users), 0, 0, NULL, "",
		"A user of */etc/passwd*, or a number; *\\** is any. May repeat."},
	{"limit", "policy", KEY_PATTERNS, IN_LIMIT(policies), 0, 0, NULL, "",
		"Under which rule: the NAME of a [policy] section, or of a built-in one. May repeat."},
	{"limit", "provider", KEY_PATTERNS, IN_LIMIT(providers), 0, 0, NULL, "",
		"Of which provider; a * stands for any text. May repeat."},
	{"limit", "key", KEY_PATTERNS, IN_LIMIT(keys), 0, 0, NULL, "",
		"With which of a provider's keys: its label, or PROVIDER/LABEL. May repeat."},
	{"limit", "model", KEY_PATTERNS, IN_LIMIT(models), 0, 0, NULL, "",
		"As it is asked for, or as PROVIDER/MODEL; a * stands for any text. May repeat."},
	{"limit", "each", KEY_BITS, IN_LIMIT(each), 0, 0, "app|user|policy|provider|key|model", "",
		"Tells calls apart: each app has all of the limit for itself, each user, and so on. May repeat: "
		"with *app* and *model*, each app has it for each model."},
	{"limit", "requests", KEY_RATE, IN_LIMIT(requests), 0, 0, NULL, "",
		"Calls in a time, as in 60/minute or 1000/2h. All of them may come at once, and others as time "
		"passes: sixty a minute are one a second, behind the first sixty."},
	{"limit", "input_tokens", KEY_RATE, IN_LIMIT(input), 0, 0, NULL, "",
		"Tokens that are sent, in a time. As with all tokens, an estimate is taken at first, and what it "
		"was in truth when the call is over. A call that needs more than the whole waits until all of "
		"it is there, and then is let through; others wait the longer."},
	{"limit", "output_tokens", KEY_RATE, IN_LIMIT(output), 0, 0, NULL, "",
		"Tokens that are answered, in a time."},
	{"limit", "tokens", KEY_RATE, IN_LIMIT(tokens), 0, 0, NULL, "",
		"Tokens of both kinds together, in a time."},
	{"limit", "concurrency", KEY_COUNT, IN_LIMIT(concurrency), 1, CONCURRENCY_MAX, NULL, "",
		"Calls at a time."},
	{"limit", "budget", KEY_BUDGET, 0, 0, 0, NULL, "",
		"US dollars in an hour, day, week or month, as in 5/day. A call is let through only where all "
		"that it can cost is left; what it did not cost is given back. May repeat, for several times. What "
		"costs nothing is never refused."},
	{"limit", "soft_budget", KEY_SOFT, 0, 0, 0, NULL, "",
		"The same, but nobody is refused: it is said when it is over. May repeat."},
	{"limit", "window", KEY_EITHER, IN_LIMIT(is_rolling), 0, 0, "calendar|rolling", "calendar",
		"When budgets begin anew: with the calendar's hour, day, week (on Monday) or month; or "
		"*rolling*: what was spent in the last hour, 24 hours, 7 or 31 days counts."},
	{"limit", "zone", KEY_ZONE, 0, 0, 0, NULL, "",
		"Of that calendar, as in Europe/Berlin or UTC. Without this key it is *local*, the host's."},
};
/* clang-format on */

const struct key *keys_table(size_t *n)
{
	*n = COUNT_OF(keys);
	return keys;
}

const struct section *keys_sections(size_t *n)
{
	*n = COUNT_OF(sections);
	return sections;
}

const struct section *keys_section(struct span word)
{
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		if (span_is(word, sections[i].word))
			return &sections[i];
	}
	return NULL;
}

const struct key *keys_find(const char *section, struct span name)
{
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (strcmp(keys[i].section, section) == 0 && span_is(name, keys[i].name))
			return &keys[i];
	}
	return NULL;
}

bool keys_is_of_route(const struct key *k)
{
	const size_t from = offsetof(struct model, route);
	return strcmp(k->section, "model") == 0 && k->kind != KEY_TARGET && k->at >= from &&
	       k->at < from + sizeof(struct route_rule);
}

/* ---- near misses ---- */

size_t keys_distance(struct span a, struct span b, size_t most)
{
	size_t row[65];
	if (a.n >= COUNT_OF(row) || b.n >= COUNT_OF(row) || a.n + most < b.n || b.n + most < a.n)
		return most + 1;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			const size_t same = corner + (a.p[i - 1] != b.p[j - 1]);
			corner = row[j];
			const size_t gap = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
			row[j] = same < gap ? same : gap;
		}
	}
	return row[b.n] > most ? most + 1 : row[b.n];
}

/* Keeps `candidate` in *best where it is nearer than that. */
static void consider(struct span word, const char *candidate, const char **best, size_t *nearest)
{
	/* a short word is near to all others */
	const size_t most = word.n > 3 ? NEAR : 1;
	const size_t away = keys_distance(word, span_str(candidate), most);
	if (away <= most && away < *nearest) {
		*best = candidate;
		*nearest = away;
	}
}

const char *keys_nearest(const char *section, struct span word)
{
	const char *best = NULL;
	size_t nearest = SIZE_MAX;
	if (!section) {
		for (size_t i = 0; i < COUNT_OF(sections); i++)
			consider(word, sections[i].word, &best, &nearest);
		return best;
	}
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (strcmp(keys[i].section, section) == 0)
			consider(word, keys[i].name, &best, &nearest);
	}
	if (strcmp(section, "provider") == 0 || strcmp(section, "model") == 0) {
		size_t n;
		const struct trait *traits = traits_table(&n);
		for (size_t i = 0; i < n; i++)
			consider(word, traits[i].name, &best, &nearest);
	}
	return best;
}

enum err keys_preset(const char *section, void *to, struct arena *a, struct fault *why)
{
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		const struct key *k = &keys[i];
		if (strcmp(k->section, section) != 0 || *k->preset == '\0')
			continue;
		const enum err err = keys_read(k, span_str(k->preset), to, a, why);
		if (err)
			return err;
	}
	return OK;
}
