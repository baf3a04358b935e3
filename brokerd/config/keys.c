/* keys.c - a reader for each type of value, and a row for each key. */
#include "brokerd/config/keys.h"

#include "protocol/base/num.h"

#define READER(name) \
	static bool name(struct key_context *c, struct span value, void *field, struct fault *why)

READER(read_text)
{
	(void)why;
	return value.n > 0 && arena_dup(c->arena, value, field) == OK;
}

READER(read_path)
{
	if (value.n == 0 || value.p[0] != '/') {
		fault_set(why, ERR_INVALID_ARGUMENT, "a path that begins with \"/\" is wanted");
		return false;
	}
	return read_text(c, value, field, why);
}

READER(read_flag)
{
	(void)c;
	(void)why;
	return num_bool(value, field);
}

READER(read_duration)
{
	(void)c;
	(void)why;
	if (span_is(value, "0") || span_is(value, "never")) {
		*(int64_t *)field = 0;
		return true;
	}
	return num_duration_us(value, field);
}

READER(read_wait)
{
	return read_duration(c, value, field, why) && *(int64_t *)field > 0;
}

READER(read_count)
{
	(void)c;
	(void)why;
	return num_i64(value, field) && *(int64_t *)field >= 1 && *(int64_t *)field <= INT32_MAX;
}

/* USD per million tokens; a dollar for a single token is more likely a slip than a price. */
READER(read_price)
{
	(void)c;
	if (!num_money_nusd(value, field))
		return false;
	if (*(int64_t *)field > INT64_C(1000000000000000)) {
		fault_set(why, ERR_INVALID_ARGUMENT,
			"over 1,000,000 USD for a million tokens: prices are in USD per million "
			"tokens");
		return false;
	}
	return true;
}

READER(read_level)
{
	static const char *const words[] = {"error", "warn", "info", "debug"};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (span_is(value, words[i]))
			return read_text(c, value, field, why);
	}
	return false;
}

/* Makes room for one more in a list that is a pointer and a count. False: out of memory. */
static void *list_more(struct key_context *c, void *first, size_t *n, size_t size)
{
	if (c->is_first)
		*n = 0;
	char *grown = arena_array(c->arena, *n + 1, size);
	if (!grown)
		return NULL;
	if (*n > 0)
		memcpy(grown, *(void **)first, *n * size);
	*(void **)first = grown;
	return grown + size * (*n)++;
}

READER(read_dialect)
{
	static const char *const families[] = {"openai-chat", "anthropic", "offline"};
	struct provider *p = field;
	struct span path = value;
	const struct span family = span_cut(&path, ' ');
	path = span_trim(path);
	bool is_known = false;
	for (size_t i = 0; i < COUNT_OF(families); i++)
		is_known |= span_is(family, families[i]);
	if (!is_known) {
		fault_set(why, ERR_INVALID_ARGUMENT,
			"no dialect is called \"%.*s\": openai-chat and anthropic are known",
			SPAN_ARG(span_first(family, 64)));
		return false;
	}
	if (path.n > 0 && path.p[0] != '/') {
		fault_set(why, ERR_INVALID_ARGUMENT, "a dialect's path begins with \"/\"");
		return false;
	}
	struct config_dialect *d = list_more(c, &p->dialects, &p->n_dialects, sizeof *d);
	if (!d || arena_dup(c->arena, family, &d->family) != OK)
		return false;
	return path.n == 0 || arena_dup(c->arena, path, &d->path) == OK;
}

READER(read_auth)
{
	const struct span header = SPAN("header:");
	struct provider *p = field;
	if (span_is(value, "none")) {
		p->auth = AUTH_NONE;
		return true;
	}
	if (span_is(value, "bearer")) {
		p->auth = AUTH_BEARER;
		return true;
	}
	if (span_starts(value, header)) {
		p->auth = AUTH_HEADER;
		const struct span name = span_skip(value, header.n);
		return http_header_is_sound(name, SPAN("")) &&
		       arena_dup(c->arena, name, &p->auth_header) == OK;
	}
	if (span_is(value, "sigv4") || span_is(value, "google") || span_is(value, "entra"))
		fault_set(why, ERR_UNSUPPORTED, "this version does not sign with \"%.*s\"",
			SPAN_ARG(value));
	return false;
}

READER(read_target)
{
	struct model *m = field;
	const size_t slash = span_index(value, '/');
	if (slash == 0 || slash + 1 >= value.n) {
		fault_set(why, ERR_INVALID_ARGUMENT, "a target is PROVIDER/MODEL");
		return false;
	}
	struct alias_target *t = list_more(c, &m->targets, &m->n_targets, sizeof *t);
	return t && arena_dup(c->arena, span_first(value, slash), &t->provider) == OK &&
	       arena_dup(c->arena, span_skip(value, slash + 1), &t->model) == OK;
}

#define BROKER(key, read, field, type, preset, help)                                           \
	{                                                                                      \
		"broker", key, read, offsetof(struct config, field), false, type, preset, help \
	}
#define VAULT(key, read, field, type, preset, help)                                           \
	{                                                                                     \
		"vault", key, read, offsetof(struct config, field), false, type, preset, help \
	}
#define PROVIDER(key, read, field, type, preset, help)                                             \
	{                                                                                          \
		"provider", key, read, offsetof(struct provider, field), false, type, preset, help \
	}
#define QUIRK(key, field, preset, help)                                                     \
	{                                                                                   \
		"provider", key, read_flag, offsetof(struct provider, quirks.field), false, \
			"yes or no", preset, help                                           \
	}
#define MODEL(key, read, field, type, preset, help)                                          \
	{                                                                                    \
		"model", key, read, offsetof(struct model, field), false, type, preset, help \
	}
#define PRICE(class, help)                                                                        \
	{                                                                                         \
		"model", "price_" #class, read_price, offsetof(struct model, price.class), false, \
			"USD per million tokens", "unknown", help                                 \
	}

static const struct key keys[] = {
	BROKER("log_level", read_level, log_level, "error, warn, info or debug", "info",
		"What is logged to stderr."),
	BROKER("idle_exit", read_duration, idle_exit_us, "duration or never", "5m",
		"When socket-activated: exit after so long without a client."),
	BROKER("drain", read_wait, drain_us, "duration", "30s",
		"How long SIGTERM lets open calls go on."),
	BROKER("request_timeout", read_wait, request_us, "duration", "1h",
		"The longest that one call may take, retries and waits included."),
	BROKER("connect_timeout", read_wait, connect_us, "duration", "10s",
		"Finding, reaching and greeting a provider."),
	BROKER("first_byte_timeout", read_wait, first_byte_us, "duration", "2m",
		"From a request's last byte to the first of a streamed answer."),
	BROKER("reply_timeout", read_wait, reply_us, "duration", "10m",
		"The same for an answer that is not streamed, which begins when it is finished."),
	BROKER("idle_timeout", read_wait, idle_us, "duration", "90s",
		"The longest gap inside an answer."),
	BROKER("max_connections", read_count, max_connections, "number", "12000",
		"Connections of clients at once."),
	BROKER("max_calls", read_count, max_calls, "number", "2048", "Requests in flight at once."),
	VAULT("auto_lock", read_duration, auto_lock_us, "duration or never", "never",
		"Lock the vault after so long without a call."),
	VAULT("key_file", read_path, key_file, "path", "vault.key in the state folder",
		"The file whose 32 bytes open the vault unattended."),
	{"provider", "dialect", read_dialect, 0, true,  "FAMILY [PATH]",               "none",
           "The wire it speaks: openai-chat or anthropic, and the path below base_url if it "
           "is not "
		"the family's own."				      },
	PROVIDER("base_url", read_text, base_url, "URL", "none",
		"Where it is: https, or http on loopback with allow_plain_loopback."),
	{"provider", "auth",    read_auth,    0, false, "bearer, header:NAME or none", "bearer",
           "How a request proves itself with the vault's key."           },
	PROVIDER("model", read_text, model, "name", "none",
		"The model that `default` means where this is the first provider with a key."),
	PROVIDER("ca_file", read_path, ca_file, "path", "the system's",
		"The certificate authorities that may vouch for it."),
	PROVIDER("local", read_flag, is_local, "yes or no", "no",
		"Its address may be private or loopback."),
	PROVIDER("allow_plain_loopback", read_flag, is_plain_loopback_allowed, "yes or no", "no",
		"base_url may be http on this machine."),
	PROVIDER("max_tokens_field", read_text, quirks.max_tokens_field, "name", "max_tokens",
		"The member that caps the output."),
	PROVIDER("system_role", read_text, quirks.system_role, "name", "system",
		"The role of developer text."),
	PROVIDER("anthropic_version", read_text, quirks.api_version, "date", "2023-06-01",
		"The header of that name."),
	QUIRK("stream_options", has_stream_options, "yes",
		"It takes stream_options.include_usage; without it streams come without usage."),
	QUIRK("reasoning_history", is_reasoning_field_sent, "no",
		"It wants reasoning_content back in the history."),
	QUIRK("json_schema", has_json_schema, "yes", "It takes a schema for its answer."),
	QUIRK("strict_tools", has_strict_tools, "no", "It takes `strict` in tools."),
	QUIRK("parallel_tool_calls", has_parallel_flag, "yes", "It takes that member."),
	QUIRK("seed", has_seed, "yes", "It takes that member."),
	QUIRK("penalties", has_penalties, "yes", "It takes presence and frequency penalties."),
	QUIRK("logit_bias", has_logit_bias, "no", "It takes that member."),
	QUIRK("n", has_n, "no", "It gives several answers at once."),
	QUIRK("top_k", has_top_k, "no", "It takes top_k and its like."),
	{"model",    "target",  read_target,  0, true,  "PROVIDER/MODEL",              "none",
           "What the alias stands for; several are tried in their order."},
	PRICE(input, "Input that is in no other class."),
	PRICE(output, "Output."),
	PRICE(cache_read, "Input read from the provider's cache; else as input."),
	PRICE(cache_write_5m, "Input written to it for five minutes; else as input."),
	PRICE(cache_write_1h, "Input written to it for an hour; else as for five minutes."),
	PRICE(reasoning, "Reasoning; else as output."),
	PRICE(audio_input, "Audio; else as input."),
	PRICE(audio_output, "Audio; else as output."),
	PRICE(image_input, "Images; else as input."),
	PRICE(image_output, "Images; else as output."),
	MODEL("context", read_count, context_tokens, "tokens", "unknown", "The model's context."),
	MODEL("max_output", read_count, max_output_tokens, "tokens", "unknown",
		"The longest answer it gives."),
};

const struct key *key_table(size_t *n)
{
	*n = COUNT_OF(keys);
	return keys;
}

const struct key *key_find(struct span section, struct span name)
{
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (span_is(section, keys[i].section) && span_is(name, keys[i].name))
			return &keys[i];
	}
	return NULL;
}

bool section_is_known(struct span kind, bool *takes_name)
{
	*takes_name = span_is(kind, "provider") || span_is(kind, "model");
	return *takes_name || span_is(kind, "broker") || span_is(kind, "vault");
}

/* How many letters must be put in, taken out or changed to make one of the other. */
static unsigned distance(struct span a, const char *text)
{
	unsigned row[64];
	const size_t n = strlen(text);
	if (n >= COUNT_OF(row) || a.n >= COUNT_OF(row))
		return (unsigned)-1;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.n; i++) {
		unsigned corner = row[0];
		row[0]++;
		for (size_t j = 0; j < n; j++) {
			const unsigned changed = corner + (a.p[i] != text[j]);
			const unsigned moved = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
			corner = row[j + 1];
			row[j + 1] = changed < moved ? changed : moved;
		}
	}
	return row[n];
}

const char *key_nearest(struct span section, struct span name)
{
	const char *nearest = NULL;
	unsigned least = 3; /* further than two letters is a guess */
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (!span_is(section, keys[i].section))
			continue;
		const unsigned d = distance(name, keys[i].name);
		if (d < least) {
			least = d;
			nearest = keys[i].name;
		}
	}
	return nearest;
}
