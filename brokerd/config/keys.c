/* keys.c - the table, and one reader for each kind of value. */
#include "brokerd/config/keys.h"

#include <assert.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>

#include "brokerd/config/template.h"
#include "protocol/base/num.h"

#define MS          INT64_C(1000)
#define HOUR        (INT64_C(3600000) * MS)
#define DAY         (24 * HOUR)
#define TARGETS_MAX 64
#define NEAR        2 /* letters */
#define PRICE_MAX   INT64_C(1000000000000000)

#define IN_CONFIG(m)   offsetof(struct config, m)
#define IN_PROVIDER(m) offsetof(struct provider, m)
#define IN_MODEL(m)    offsetof(struct model, m)
#define IN_POLICY(m)   offsetof(struct policy_rule, m)
#define IN_PRICE(m)    (offsetof(struct model, price) + offsetof(struct price, m))

static const struct section sections[] = {
	{"broker",   NULL,   "The daemon itself."                       },
	{"vault",    NULL,   "Where the keys are kept."                 },
	{"provider", "NAME",
         "A provider, or what is to be different about a built-in one. Its models are "
		"called "
		"NAME/MODEL; its key is added with `llmb key add NAME`."},
	{"model",    "NAME",
         "An alias: NAME stands for its targets, and what is said here holds for calls by "
		"that "
		"name. Where NAME is PROVIDER/MODEL, the facts of that model, which beat the "
		"alias's; "
		"a * at the beginning or the end of MODEL stands for any text, and the more exact "
		"section wins, key by key."                             },
	{"policy",   "NAME",
         "A rule: whom it is for, and what they may do. Of the rules, in the order of the "
		"files, the first "
		"that fits a caller holds, alone; those that are built in come last, and none that "
		"fits is "
		"no. What is not said of the caller is not asked. `llmb policy` shows them all, "
		"and `llmb "
		"policy test` what would be said of somebody."          },
};

/* clang-format off */
static const struct key keys[] = {
	{"broker", "log_level", KEY_WORD, IN_CONFIG(log_level), 0, 0, "error|warn|info|debug", "info",
		"What is said on stderr: this and everything graver."},
	{"broker", "idle_exit", KEY_DURATION, IN_CONFIG(idle_exit_us), 0, 365 * DAY, NULL, "5m",
		"A broker that systemd started for a connection ends after so long without one. Not "
		"while a vault is open that only a person can open again."},
	{"broker", "drain", KEY_DURATION, IN_CONFIG(drain_us), MS, HOUR, NULL, "30s",
		"How long SIGTERM waits for calls that are under way."},
	{"broker", "request_timeout", KEY_DURATION, IN_CONFIG(request_us), MS, 7 * DAY, NULL, "1h",
		"The longest that a call may take, where the caller sets no shorter time."},
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
	{"broker", "max_connections", KEY_COUNT, IN_CONFIG(max_connections), 1, 1000000, NULL, "12000",
		"Connections that one caller may hold."},
	{"broker", "max_calls", KEY_COUNT, IN_CONFIG(max_calls), 1, 1000000, NULL, "2048",
		"Calls that one caller may have under way."},
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

	{"vault", "auto_lock", KEY_DURATION, IN_CONFIG(auto_lock_us), 0, 365 * DAY, NULL, "never",
		"Locks the vault after so long without a call."},
	{"vault", "lock_on_resume", KEY_BOOL, IN_CONFIG(is_locked_on_resume), 0, 0, NULL, "no",
		"Locks the vault when the host wakes from a sleep of more than five seconds: whoever opened "
		"the lid has to open the vault too, unless a key file does."},
	{"vault", "key_file", KEY_PATH, IN_CONFIG(key_file), 0, 0, NULL, "",
		"The file that opens the vault with nobody there: 32 bytes, its owner's alone. Without "
		"this key it is *vault.key* in the state folder."},

	{"provider", "dialect", KEY_DIALECT, 0, 0, 0, NULL, "",
		"What is spoken there: *openai-chat*, *openai-responses*, *openai-completions*, *anthropic*, "
		"*gemini*, *bedrock*, *mistral*, *cohere* or *ollama*, and behind it a path below "
		"*base_url* where it is not the usual one, or, with two slashes before it, below the host; "
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
	{"provider", "key_label", KEY_NAME, IN_PROVIDER(key_label), 0, 0, NULL, "",
		"Which of several keys of the vault is used, as in `llmb key add NAME/LABEL`. Without this "
		"key it is the one without a label, else the first."},
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
	{"provider", "local", KEY_BOOL, IN_PROVIDER(is_local), 0, 0, NULL, "no",
		"It is on this host or in a private network; else such addresses are refused."},
	{"provider", "allow_plain_loopback", KEY_BOOL, IN_PROVIDER(is_plain_loopback_allowed), 0, 0,
		NULL, "no", "http without TLS is meant, to this host; implies *local*."},

	{"model", "target", KEY_TARGET, 0, 0, 0, NULL, "",
		"PROVIDER/MODEL. May repeat, in the order of preference."},
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
	{"model", "context", KEY_COUNT, IN_MODEL(context_tokens), 1, INT32_MAX, NULL, "",
		"Tokens that fit in its context."},
	{"model", "max_output", KEY_COUNT, IN_MODEL(max_output_tokens), 1, INT32_MAX, NULL, "",
		"Tokens that it can answer with."},

	{"policy", "kind", KEY_BITS, IN_POLICY(kinds), 0, 0,
		"unknown|host|service|app|flatpak|snap|container|sandbox", "",
		"Where the caller is: in the open, in a unit of the system, on a socket of its own, or in a "
		"sandbox of that kind. May repeat: any of them."},
	{"policy", "name", KEY_PATTERNS, IN_POLICY(names), 0, 0, NULL, "",
		"Which one of its kind: a program's file name, a unit, an application's id; a * stands for "
		"any text. May repeat. `llmb whoami` says how a caller is called."},
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
		"have one, and only for them."},
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
		"nowhere."},
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

/* ---- values ---- */

static enum err bad(struct fault *why, const char *sentence)
{
	return fault_set(why, ERR_MISCONFIGURED, "%s", sentence);
}

static enum err copied(struct arena *a, struct span s, struct span *to, struct fault *why)
{
	const enum err err = arena_dup(a, s, to);
	return err ? fault_set(why, err, "no memory for the configuration") : OK;
}

static enum err read_word(
	const struct key *k, struct span value, struct span *to, struct arena *a, struct fault *why)
{
	const char *best = NULL;
	struct span rest = span_str(k->words);
	while (span_is_set(rest)) {
		const struct span word = span_cut(&rest, '|');
		if (span_eq(word, value))
			return copied(a, value, to, why);
		if (keys_distance(word, value, NEAR) <= NEAR)
			best = word.p;
	}
	const struct span near = span_str(best);
	return fault_set(why, ERR_MISCONFIGURED, "%s is one of %s%s%.*s%s", k->name, k->words,
		best ? ": did you mean " : "", SPAN_ARG(span_first(near, span_index(near, '|'))),
		best ? "?" : "");
}

static enum err read_text(struct span value, struct span *to, struct arena *a, struct fault *why)
{
	if (!http_header_is_sound(SPAN("x"), value))
		return bad(why, "this text has a character that no header can carry");
	return copied(a, value, to, why);
}

static enum err read_path(struct span value, struct span *to, struct arena *a, struct fault *why)
{
	if (value.p[0] != '/')
		return bad(why, "a path begins with a slash");
	return copied(a, value, to, why);
}

static enum err check_address(struct span value, bool is_path, struct fault *why)
{
	for (size_t i = 0; i < value.n; i++) {
		const unsigned char c = (unsigned char)value.p[i];
		if (c <= 0x20 || c >= 0x7f || strchr("#\"<>\\^`|", c))
			return fault_set(why, ERR_MISCONFIGURED,
				"an address cannot hold what is at its character %zu", i + 1);
	}
	if (!template_is_sound(value, is_path))
		return fault_set(why, ERR_MISCONFIGURED,
			"in an address, braces hold region, resource, account, project, location "
			"or workspace%s",
			is_path ? ", and in a path also model or method" : "");
	return OK;
}

static enum err read_url(struct span value, struct span *to, struct arena *a, struct fault *why)
{
	const enum err err = check_address(value, false, why);
	return err ? err : copied(a, value, to, why);
}

static enum err read_name(
	const struct key *k, struct span value, struct span *to, struct arena *a, struct fault *why)
{
	for (size_t i = 0; i < value.n; i++) {
		const char c = value.p[i];
		const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				      (c >= '0' && c <= '9') || (c && strchr("._-", c));
		if (!is_plain)
			return fault_set(why, ERR_MISCONFIGURED,
				"%s is a name of letters, digits, dots, hyphens and underscores",
				k->name);
	}
	if (value.n > 128)
		return fault_set(why, ERR_MISCONFIGURED, "%s is at most 128 bytes long", k->name);
	return copied(a, value, to, why);
}

static enum err read_bool(struct span value, bool *to, struct fault *why)
{
	if (!num_bool(value, to))
		return bad(why, "this is yes or no");
	return OK;
}

static enum err read_count(const struct key *k, struct span value, int64_t *to, struct fault *why)
{
	int64_t v;
	if (!num_i64(value, &v) || v < k->min || v > k->max)
		return fault_set(why, ERR_MISCONFIGURED,
			"%s is a whole number from %" PRId64 " to %" PRId64, k->name, k->min,
			k->max);
	*to = v;
	return OK;
}

static enum err read_duration(
	const struct key *k, struct span value, int64_t *to, struct fault *why)
{
	int64_t v;
	if (k->min == 0 && span_is(value, "never")) {
		*to = 0;
		return OK;
	}
	if (!num_duration_us(value, &v))
		return fault_set(why, ERR_MISCONFIGURED,
			"%s is a time with its unit: 250ms, 30s, 5m, 2h, 7d%s", k->name,
			k->min == 0 ? ", or never" : "");
	if (v < k->min || v > k->max)
		return fault_set(why, ERR_MISCONFIGURED, "%s is from %" PRId64 "ms to %" PRId64 "h",
			k->name, k->min / MS, k->max / HOUR);
	*to = v;
	return OK;
}

static enum err read_price(struct span value, int64_t *to, struct fault *why)
{
	int64_t v;
	if (!num_money_nusd(value, &v))
		return bad(why, "a price is dollars for a million tokens, as 0.15 or 2.50 USD");
	/* a dollar for a single token is a slip */
	if (v > PRICE_MAX)
		return bad(why, "this is over 1,000,000 USD: a price is for a million tokens");
	*to = v;
	return OK;
}

/* Headers that a request has anyhow. */
static bool is_taken(struct span name)
{
	static const char *const taken[] = {"host", "content-length", "content-type", "connection",
		"transfer-encoding", "accept", "accept-encoding", "expect", "te", "upgrade",
		"anthropic-version"};
	for (size_t i = 0; i < COUNT_OF(taken); i++) {
		if (span_is_nocase(name, taken[i]))
			return true;
	}
	return false;
}

static enum err read_auth(struct span value, struct provider *p, struct arena *a, struct fault *why)
{
	static const struct {
		const char *word;
		enum auth_scheme auth;
	} plain[] = {
		{"bearer", AUTH_BEARER},
		{"sigv4",  AUTH_SIGV4 },
		{"google", AUTH_GOOGLE},
		{"entra",  AUTH_ENTRA },
		{"none",   AUTH_NONE  },
	};
	const struct span prefix = SPAN("header:");
	p->auth_header = SPAN_NONE;
	for (size_t i = 0; i < COUNT_OF(plain); i++) {
		if (!span_is(value, plain[i].word))
			continue;
		p->auth = plain[i].auth;
		return OK;
	}
	if (!span_starts(value, prefix))
		return bad(why, "auth is bearer, header:NAME, sigv4, google, entra or none");
	const struct span name = span_skip(value, prefix.n);
	if (name.n == 0 || name.n > 64 || !http_header_is_sound(name, SPAN("x")))
		return bad(why, "header: is followed by a header's name, as in header:x-api-key");
	if (is_taken(name))
		return fault_set(
			why, ERR_MISCONFIGURED, "the %.*s header has another use", SPAN_ARG(name));
	p->auth = AUTH_HEADER;
	return copied(a, name, &p->auth_header, why);
}

/* One more element for a list; the old one stays in the arena. NULL: no memory, or too many. */
static void *grown(const void *list, size_t n, size_t size, struct arena *a)
{
	char *to = n < TARGETS_MAX ? arena_array(a, n + 1, size) : NULL;
	if (to && n > 0)
		memcpy(to, list, n * size);
	return to;
}

static enum err read_dialect(
	struct span value, struct provider *p, struct arena *a, struct fault *why)
{
	static const char *const known[] = {"openai-chat", "openai-responses", "openai-completions",
		"anthropic", "gemini", "bedrock", "mistral", "cohere", "ollama", "offline"};
	struct span path = value;
	const struct span family = span_cut(&path, ' ');
	bool is_known = false;

	path = span_is_set(path) ? span_trim(path) : SPAN_NONE;
	for (size_t i = 0; i < COUNT_OF(known); i++)
		is_known = is_known || span_is(family, known[i]);
	if (!is_known)
		return fault_set(why, ERR_MISCONFIGURED,
			"\"%.*s\" is no dialect: there are openai-chat, openai-responses, "
			"openai-completions, anthropic, gemini, bedrock, mistral, cohere and "
			"ollama",
			SPAN_ARG(span_first(family, 64)));
	if (span_is_set(path) && (path.p[0] != '/' || span_index(path, ' ') < path.n))
		return bad(
			why, "behind the dialect there may be a path, which begins with a slash");

	struct config_dialect *list = grown(p->dialects, p->n_dialects, sizeof *list, a);
	if (!list)
		return bad(why, "these are too many dialects");
	struct config_dialect *last = &list[p->n_dialects];
	*last = (struct config_dialect){.path = SPAN_NONE};
	enum err err = copied(a, family, &last->family, why);
	if (!err && span_is_set(path))
		err = check_address(path, true, why);
	if (!err)
		err = copied(a, path, &last->path, why);
	if (err)
		return err;
	p->dialects = list;
	p->n_dialects++;
	return OK;
}

/* Is it the name of a header that may carry a key? */
static bool is_secret(struct span name)
{
	static const char *const parts[] = {"auth", "token", "secret", "cookie", "password",
		"credential", "apikey", "api-key", "signature"};
	char lower[65];
	size_t n = 0;
	for (; n < name.n && n < sizeof lower - 1; n++)
		lower[n] = span_lower(name.p[n]);
	const struct span folded = span_of(lower, n);
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		if (span_find(folded, span_str(parts[i])) < folded.n)
			return true;
	}
	return span_ends(folded, SPAN("-key"));
}

static enum err read_header(
	struct span value, struct provider *p, struct arena *a, struct fault *why)
{
	const size_t colon = span_index(value, ':');
	const struct span name = span_trim(span_first(value, colon));
	if (colon == value.n || name.n == 0 || name.n > 64)
		return bad(why, "a header is NAME: VALUE");
	const struct span text = span_trim(span_skip(value, colon + 1));
	if (!http_header_is_sound(name, text))
		return bad(why, "this has a character that no header can carry");
	if (is_secret(name))
		return bad(why, "a header that may carry a key cannot be set here: auth = "
				"header:NAME says where the key goes, and `llmb key add` takes it");
	if (is_taken(name))
		return fault_set(
			why, ERR_MISCONFIGURED, "the %.*s header has another use", SPAN_ARG(name));
	if (p->n_headers == HEADERS_MAX)
		return fault_set(
			why, ERR_MISCONFIGURED, "a provider has at most %zu headers", HEADERS_MAX);
	struct http_header *list = grown(p->headers, p->n_headers, sizeof *list, a);
	if (!list)
		return fault_set(why, ERR_NO_MEMORY, "no memory for the configuration");
	struct http_header *last = &list[p->n_headers];
	enum err err = copied(a, name, &last->name, why);
	if (!err)
		err = copied(a, text, &last->value, why);
	if (err)
		return err;
	p->headers = list;
	p->n_headers++;
	return OK;
}

static enum err read_target(struct span value, struct model *m, struct arena *a, struct fault *why)
{
	const size_t slash = span_index(value, '/');
	if (slash == 0 || slash + 1 >= value.n)
		return bad(why, "a target is PROVIDER/MODEL");
	if (!http_header_is_sound(SPAN("x"), value))
		return bad(why, "this text has a character that no header can carry");
	struct alias_target *list = grown(m->targets, m->n_targets, sizeof *list, a);
	if (!list)
		return fault_set(
			why, ERR_MISCONFIGURED, "a model has at most %d targets", TARGETS_MAX);
	struct alias_target *last = &list[m->n_targets];
	enum err err = copied(a, span_first(value, slash), &last->provider, why);
	if (!err)
		err = copied(a, span_skip(value, slash + 1), &last->model, why);
	if (err)
		return err;
	m->targets = list;
	m->n_targets++;
	return OK;
}

static enum err read_money(struct span value, int64_t *to, struct fault *why)
{
	int64_t v;
	if (!num_money_nusd(value, &v))
		return bad(why, "this is dollars, as 0.15 or 2.50 USD");
	*to = v;
	return OK;
}

/* Which of the words it is; with a hint where it is none. */
static enum err read_rank(const struct key *k, struct span value, size_t *to, struct fault *why)
{
	struct span rest = span_str(k->words), word;
	for (*to = 0; span_is_set(rest); ++*to) {
		word = span_cut(&rest, '|');
		if (span_eq(word, value))
			return OK;
	}
	return fault_set(why, ERR_MISCONFIGURED, "%s is one of %s", k->name, k->words);
}

static enum err add_word(struct span value, struct words *to, struct arena *a, struct fault *why)
{
	struct span *list = grown(to->list, to->n, sizeof *list, a);
	if (!list)
		return fault_set(
			why, ERR_MISCONFIGURED, "a rule takes %d of these at most", TARGETS_MAX);
	to->list = list;
	return copied(a, value, &list[to->n++], why);
}

/* By its name where /etc/passwd has it: no other directory of users is asked, which could keep us
 * waiting. */
static bool find_user(struct span name, int64_t *uid)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *user;
	bool is_there = false;
	while (f && !is_there && (user = fgetpwent(f))) {
		is_there = span_is(name, user->pw_name);
		*uid = (int64_t)user->pw_uid;
	}
	if (f)
		fclose(f);
	return is_there;
}

static enum err read_user(struct span value, struct words *to, struct arena *a, struct fault *why)
{
	char number[24];
	int64_t uid;
	if (span_is(value, "*"))
		return add_word(value, to, a, why);
	if ((!num_i64(value, &uid) || uid < 0 || uid >= UINT32_MAX) && !find_user(value, &uid))
		return fault_set(why, ERR_MISCONFIGURED,
			"/etc/passwd has no user \"%.*s\": give a number",
			SPAN_ARG(span_first(value, 64)));
	(void)snprintf(number, sizeof number, "%" PRId64, uid);
	return add_word(span_str(number), to, a, why);
}

static enum err read_native(
	struct span value, struct policy_rule *r, struct arena *a, struct fault *why)
{
	struct span path = value;
	const struct span provider = span_cut(&path, ' ');
	path = span_trim(path);
	const struct span methods = span_cut(&path, ' ');
	path = span_is_set(path) ? span_trim(path) : SPAN_NONE;
	if (!span_is_set(path) || path.n == 0 || path.p[0] != '/' || span_index(path, ' ') < path.n)
		return bad(why, "this is PROVIDER METHODS PATH, as in openai GET,POST /v1/files");
	struct native_rule *list = grown(r->natives, r->n_natives, sizeof *list, a);
	if (!list)
		return fault_set(
			why, ERR_MISCONFIGURED, "a rule takes %d of these at most", TARGETS_MAX);
	struct native_rule *last = &list[r->n_natives];
	enum err err = copied(a, provider, &last->provider, why);
	if (!err)
		err = copied(a, methods, &last->methods, why);
	if (!err)
		err = copied(a, path, &last->path, why);
	r->natives = list;
	r->n_natives += err == OK;
	return err;
}

bool keys_is_list(const struct key *k)
{
	switch (k->kind) {
	case KEY_DIALECT:
	case KEY_TARGET:
	case KEY_HEADER:
	case KEY_BITS:
	case KEY_PATTERNS:
	case KEY_USERS:
	case KEY_NATIVE:
		return true;
	default:
		return false;
	}
}

void keys_empty(const struct key *k, void *to)
{
	void *at = (char *)to + k->at;
	if (k->kind == KEY_DIALECT)
		((struct provider *)to)->n_dialects = 0;
	if (k->kind == KEY_HEADER)
		((struct provider *)to)->n_headers = 0;
	if (k->kind == KEY_TARGET)
		((struct model *)to)->n_targets = 0;
	if (k->kind == KEY_NATIVE)
		((struct policy_rule *)to)->n_natives = 0;
	if (k->kind == KEY_BITS)
		*(uint32_t *)at = 0;
	if (k->kind == KEY_PATTERNS || k->kind == KEY_USERS)
		((struct words *)at)->n = 0;
}

/* The lists and ranks of rules. */
static enum err read_of_rule(
	const struct key *k, struct span value, void *to, struct arena *a, struct fault *why)
{
	void *at = (char *)to + k->at;
	size_t rank;
	if (k->kind == KEY_PATTERNS)
		return add_word(value, at, a, why);
	if (k->kind == KEY_USERS)
		return read_user(value, at, a, why);
	if (k->kind == KEY_NATIVE)
		return read_native(value, to, a, why);
	const enum err err = read_rank(k, value, &rank, why);
	if (!err && k->kind == KEY_BITS)
		*(uint32_t *)at |= UINT32_C(1) << rank;
	else if (!err)
		*(unsigned *)at = (unsigned)rank;
	return err;
}

enum err keys_read(
	const struct key *k, struct span value, void *to, struct arena *a, struct fault *why)
{
	void *at = (char *)to + k->at;
	assert(value.n > 0);
	switch (k->kind) {
	case KEY_WORD:
		return read_word(k, value, at, a, why);
	case KEY_TEXT:
		return read_text(value, at, a, why);
	case KEY_PATH:
		return read_path(value, at, a, why);
	case KEY_URL:
		return read_url(value, at, a, why);
	case KEY_BOOL:
		return read_bool(value, at, why);
	case KEY_COUNT:
		return read_count(k, value, at, why);
	case KEY_DURATION:
		return read_duration(k, value, at, why);
	case KEY_PRICE:
		return read_price(value, at, why);
	case KEY_AUTH:
		return read_auth(value, to, a, why);
	case KEY_DIALECT:
		return read_dialect(value, to, a, why);
	case KEY_TARGET:
		return read_target(value, to, a, why);
	case KEY_NAME:
		return read_name(k, value, at, a, why);
	case KEY_HEADER:
		return read_header(value, to, a, why);
	case KEY_MONEY:
		return read_money(value, at, why);
	case KEY_BITS:
	case KEY_RANK:
	case KEY_PATTERNS:
	case KEY_USERS:
	case KEY_NATIVE:
		return read_of_rule(k, value, to, a, why);
	case KEY_SOURCE:
		return key_source_read(value, at, a, why);
	}
	return ERR_INTERNAL;
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
