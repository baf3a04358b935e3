/* keys_value.c - one reader for each kind of value. */
#include "brokerd/config/keys.h"

#include <assert.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>

#include "brokerd/config/template.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"

#define MS        INT64_C(1000)
#define HOUR      (INT64_C(3600000) * MS)
#define DAY       (24 * HOUR)
#define LIST_MAX  64 /* of most lists */
#define NEAR      2  /* letters */
#define PRICE_MAX INT64_C(1000000000000000)

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
	const bool can_be_never = k->min == 0 || k->words;
	const char *or_never = can_be_never ? ", or never" : "";
	int64_t v;
	if (can_be_never && span_is(value, "never")) {
		*to = 0;
		return OK;
	}
	if (!num_duration_us(value, &v))
		return fault_set(why, ERR_MISCONFIGURED,
			"%s is a time with its unit: 250ms, 30s, 5m, 2h, 7d%s", k->name, or_never);
	if (v < k->min || v > k->max)
		return k->min >= DAY ? fault_set(why, ERR_MISCONFIGURED,
					       "%s is from %" PRId64 "d to %" PRId64 "d%s", k->name,
					       k->min / DAY, k->max / DAY, or_never)
				     : fault_set(why, ERR_MISCONFIGURED,
					       "%s is from %" PRId64 "ms to %" PRId64 "h", k->name,
					       k->min / MS, k->max / HOUR);
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

/* Room for one more element, up to `most`. A list has room for a power of two of them, so that it is seldom copied;
 * what it was before stays in the arena. NULL: no memory, or too many. */
static void *grown_to(size_t most, void *list, size_t n, size_t size, struct arena *a)
{
	if (n >= most)
		return NULL;
	if (n > 0 && (n & (n - 1)) != 0)
		return list;
	void *to = arena_array(a, n > 0 ? 2 * n : 1, size);
	if (to && n > 0)
		memcpy(to, list, n * size);
	return to;
}

static void *grown(void *list, size_t n, size_t size, struct arena *a)
{
	return grown_to(LIST_MAX, list, n, size, a);
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

static struct target_rule *target_room(
	struct target_rule *list, size_t n, struct arena *a, struct fault *why)
{
	struct target_rule *to = grown_to(ROUTE_TARGETS_MAX, list, n, sizeof *to, a);
	if (!to)
		fault_set(why, ERR_MISCONFIGURED, "a model has at most %d targets",
			ROUTE_TARGETS_MAX);
	return to;
}

static enum err read_target(struct span value, struct model *m, struct arena *a, struct fault *why)
{
	struct target_rule *list = target_room(m->targets, m->n_targets, a, why);
	const enum err err = list ? target_rule_read(value, a, &list[m->n_targets], why) : why->err;
	if (err)
		return err;
	m->targets = list;
	m->n_targets++;
	return OK;
}

static enum err read_fallback(
	struct span value, struct target_rules *to, struct arena *a, struct fault *why)
{
	struct target_rule *list = target_room(to->list, to->n, a, why);
	const enum err err = list ? fallback_rule_read(value, a, &list[to->n], why) : why->err;
	if (err)
		return err;
	to->list = list;
	to->n++;
	return OK;
}

static enum err read_label(
	struct span value, struct provider *p, struct arena *a, struct fault *why)
{
	struct key_rule *list = grown_to(ROUTE_KEYS_MAX, p->keys, p->n_keys, sizeof *list, a);
	if (!list)
		return fault_set(why, ERR_MISCONFIGURED, "a provider has at most %d of these",
			ROUTE_KEYS_MAX);
	struct key_rule *last = &list[p->n_keys];
	const enum err err = key_rule_read(value, a, last, why);
	if (err)
		return err;
	for (size_t i = 0; i < p->n_keys; i++) {
		if (span_eq(list[i].label, last->label))
			return fault_set(why, ERR_MISCONFIGURED,
				"the key %.*s is there already: all of it stands in one line",
				SPAN_ARG(last->label));
	}
	p->keys = list;
	p->n_keys++;
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
			why, ERR_MISCONFIGURED, "a rule takes %d of these at most", LIST_MAX);
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
			why, ERR_MISCONFIGURED, "a rule takes %d of these at most", LIST_MAX);
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

/* Of hard and soft ones, each period once. */
static enum err read_budget(
	struct span value, bool is_soft, struct limit_rule *r, struct arena *a, struct fault *why)
{
	struct budget_rule b = {.is_soft = is_soft};
	enum err err = budget_read(value, &b, why);
	for (size_t i = 0; !err && i < r->n_budgets; i++) {
		if (r->budgets[i].is_soft == is_soft && r->budgets[i].period == b.period)
			err = fault_set(why, ERR_MISCONFIGURED,
				"there is one for the %s already: the lesser of the two would "
				"hold alone",
				period_name(b.period));
	}
	struct budget_rule *list = err ? NULL : grown(r->budgets, r->n_budgets, sizeof *list, a);
	if (!list)
		return err ? err : bad(why, "these are too many budgets");
	list[r->n_budgets++] = b;
	r->budgets = list;
	return OK;
}

/* Those of one kind are written anew. */
static void drop_budgets(struct limit_rule *r, bool is_soft)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_budgets; i++) {
		if (r->budgets[i].is_soft != is_soft)
			r->budgets[n++] = r->budgets[i];
	}
	r->n_budgets = n;
}

static enum err read_zone(
	struct span value, struct limit_rule *r, struct arena *a, struct fault *why)
{
	r->zone = zone_load(a, value, why);
	return r->zone ? copied(a, value, &r->zone_said, why) : why->err;
}

static enum err read_either(const struct key *k, struct span value, bool *to, struct fault *why)
{
	size_t rank;
	const enum err err = read_rank(k, value, &rank, why);
	if (!err)
		*to = rank == 1;
	return err;
}

static enum err read_model(struct span value, struct span *to, struct arena *a, struct fault *why)
{
	if (value.n > LIMIT_LABEL_BYTES)
		return bad(why, "a model's name is shorter");
	return read_text(value, to, a, why);
}

static enum err read_cosine(struct span value, int64_t *to, struct fault *why)
{
	*to = 0;
	if (span_is(value, "never"))
		return OK;
	if (!num_scaled(value, COSINE_PLACES, to) || *to < 1 || *to > COSINE_ONE)
		return bad(why, "this is a number above 0 and at most 1, as in 0.95, or never");
	return OK;
}

bool keys_is_list(const struct key *k)
{
	switch (k->kind) {
	case KEY_DIALECT:
	case KEY_TARGET:
	case KEY_FALLBACK:
	case KEY_LABEL:
	case KEY_HEADER:
	case KEY_BITS:
	case KEY_PATTERNS:
	case KEY_USERS:
	case KEY_NATIVE:
	case KEY_BUDGET:
	case KEY_SOFT:
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
	if (k->kind == KEY_FALLBACK)
		((struct target_rules *)at)->n = 0;
	if (k->kind == KEY_LABEL)
		((struct provider *)to)->n_keys = 0;
	if (k->kind == KEY_NATIVE)
		((struct policy_rule *)to)->n_natives = 0;
	if (k->kind == KEY_BUDGET || k->kind == KEY_SOFT)
		drop_budgets(to, k->kind == KEY_SOFT);
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
	case KEY_FALLBACK:
		return read_fallback(value, at, a, why);
	case KEY_LABEL:
		return read_label(value, to, a, why);
	case KEY_HEDGE:
		return hedge_read(value, at, why);
	case KEY_MIN_RATE:
		return min_rate_read(value, at, why);
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
	case KEY_EITHER:
		return read_either(k, value, at, why);
	case KEY_RATE:
		return rate_read(value, at, why);
	case KEY_BUDGET:
	case KEY_SOFT:
		return read_budget(value, k->kind == KEY_SOFT, to, a, why);
	case KEY_ZONE:
		return read_zone(value, to, a, why);
	case KEY_MODEL:
		return read_model(value, at, a, why);
	case KEY_COSINE:
		return read_cosine(value, at, why);
	}
	return ERR_INTERNAL;
}
