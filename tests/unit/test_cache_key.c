/* test_cache_key.c - two requests that differ in one member never have one key, unless no answer depends on it. */
#include "brokerd/cache/cache_key.h"

#include <stdio.h>
#include <string.h>

#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define PAIRS 10000

static const unsigned char secret[CACHE_SECRET_BYTES] = "any thirty-two bytes that are so";

/* ---- any request ---- */

struct any {
	uint64_t state;
	struct arena *arena;
};

static uint64_t next(struct any *g)
{
	g->state ^= g->state << 13;
	g->state ^= g->state >> 7;
	g->state ^= g->state << 17;
	return g->state;
}

static size_t below(struct any *g, size_t n)
{
	return (size_t)(next(g) % n);
}

static bool maybe(struct any *g)
{
	return below(g, 2) == 0;
}

static void *some(struct any *g, size_t n, size_t size)
{
	void *list = arena_array(g->arena, n, size);
	if (!list)
		bail("no memory");
	return list;
}

static struct span text(struct any *g)
{
	static const char letters[] = "abcdefghij {}[]\":,\\\n";
	const size_t n = below(g, 12);
	char *p = some(g, n + 1, 1);
	for (size_t i = 0; i < n; i++)
		p[i] = letters[below(g, sizeof letters - 1)];
	return span_of(p, n);
}

static struct span maybe_text(struct any *g)
{
	return maybe(g) ? text(g) : SPAN_NONE;
}

static struct span any_json(struct any *g)
{
	static const char *const texts[] = {
		"{}", "{\"a\":1}", "{\"a\":1.0}", "{\"a\": 1}", "{\"b\":[1,2]}"};
	return span_str(texts[below(g, COUNT_OF(texts))]);
}

static struct opt_i64 number(struct any *g)
{
	return maybe(g) ? (struct opt_i64){true, (int64_t)below(g, 5)} : (struct opt_i64){false, 0};
}

static struct opt_f64 real(struct any *g)
{
	return maybe(g) ? (struct opt_f64){true, (double)below(g, 5) / 4}
			: (struct opt_f64){false, 0};
}

static struct opt_bool truth(struct any *g)
{
	return maybe(g) ? (struct opt_bool){true, maybe(g)} : (struct opt_bool){false, false};
}

static struct extra extras(struct any *g)
{
	struct extra e = {SPAN_NONE, NULL, below(g, 3)};
	if (e.n == 0)
		return e;
	e.family = maybe(g) ? SPAN("openai-chat") : SPAN("anthropic");
	e.members = some(g, e.n, sizeof *e.members);
	for (size_t i = 0; i < e.n; i++)
		e.members[i] = (struct extra_member){
			.name = i ? SPAN("second") : SPAN("first"), .json = any_json(g)};
	return e;
}

static struct opaque opaque(struct any *g)
{
	return (struct opaque){SPAN("anthropic"), text(g), any_json(g)};
}

static struct part part(struct any *g)
{
	struct part p = {.type = (enum part_type)below(g, PART_TOOL_CALL + 1),
		.cache = maybe(g) ? SPAN("5m") : SPAN_NONE};
	p.extra = extras(g);
	switch (p.type) {
	case PART_TEXT:
		p.text = text(g);
		p.citations = maybe(g) ? any_json(g) : SPAN_NONE;
		break;
	case PART_REFUSAL:
		p.text = text(g);
		break;
	case PART_REASONING:
		p.text = text(g);
		p.is_summary = maybe(g);
		if (maybe(g))
			p.opaque = opaque(g);
		break;
	case PART_OPAQUE:
		p.opaque = opaque(g);
		break;
	case PART_TOOL_CALL:
		p.call = (struct tool_call){text(g), text(g), text(g), maybe(g)};
		break;
	case PART_IMAGE:
	case PART_AUDIO:
	case PART_FILE:
	case PART_VIDEO:
		p.media = (struct media){
			.mime = text(g), .filename = maybe_text(g), .detail = maybe_text(g)};
		if (maybe(g))
			p.media.data = text(g);
		else
			p.media.url = text(g);
		break;
	}
	return p;
}

static struct span *texts(struct any *g, size_t *n)
{
	*n = 1 + below(g, 3);
	struct span *list = some(g, *n, sizeof *list);
	for (size_t i = 0; i < *n; i++)
		list[i] = text(g);
	return list;
}

static struct string_pair *pairs(struct any *g, size_t *n)
{
	*n = 1 + below(g, 2);
	struct string_pair *list = some(g, *n, sizeof *list);
	for (size_t i = 0; i < *n; i++)
		list[i] = (struct string_pair){i ? SPAN("second") : SPAN("first"), any_json(g)};
	return list;
}

static struct part *parts(struct any *g, size_t n)
{
	struct part *list = some(g, n, sizeof *list);
	for (size_t i = 0; i < n; i++)
		list[i] = part(g);
	return list;
}

static struct llm_request any_request(struct any *g)
{
	struct llm_request r = {.model = text(g)};
	r.n_messages = 1 + below(g, 4);
	r.messages = some(g, r.n_messages, sizeof *r.messages);
	for (size_t i = 0; i < r.n_messages; i++) {
		struct message *m = &r.messages[i];
		*m = (struct message){
			.role = (enum role)below(g, ROLE_TOOL + 1), .n_parts = 1 + below(g, 3)};
		m->parts = parts(g, m->n_parts);
		m->name = maybe_text(g);
		m->tool_call_id = maybe_text(g);
		m->is_error = maybe(g);
		m->extra = extras(g);
	}
	r.n_inputs = 1 + below(g, 3);
	r.inputs = parts(g, r.n_inputs);
	r.query = maybe_text(g);
	r.top_n = number(g);
	r.dimensions = number(g);
	r.input_type = maybe_text(g);
	r.truncate = maybe_text(g);
	r.n_tools = 1 + below(g, 3);
	r.tools = some(g, r.n_tools, sizeof *r.tools);
	for (size_t i = 0; i < r.n_tools; i++) {
		struct tool *t = &r.tools[i];
		*t = (struct tool){
			.type = (enum tool_type)below(g, TOOL_PROVIDER + 1), .name = text(g)};
		t->description = maybe_text(g);
		t->strict = truth(g);
		t->cache = maybe(g) ? SPAN("1h") : SPAN_NONE;
		t->extra = extras(g);
		if (t->type == TOOL_FUNCTION)
			t->parameters = any_json(g);
		else if (t->type == TOOL_CUSTOM)
			t->format = any_json(g);
		else
			*t = (struct tool){
				.type = TOOL_PROVIDER, .family = text(g), .raw = any_json(g)};
	}
	r.tool_choice.mode = (enum tool_choice_mode)(CHOICE_AUTO + below(g, 4));
	r.tool_choice.names = texts(g, &r.tool_choice.n_names);
	r.parallel_tool_calls = truth(g);
	r.response_format = (struct response_format){
		FORMAT_SCHEMA, maybe_text(g), maybe_text(g), any_json(g), truth(g)};
	r.reasoning = (struct reasoning){maybe_text(g), number(g), maybe_text(g), maybe(g)};
	r.max_tokens = number(g);
	r.temperature = real(g);
	r.top_p = real(g);
	r.min_p = real(g);
	r.top_k = number(g);
	r.presence_penalty = real(g);
	r.frequency_penalty = real(g);
	r.repetition_penalty = real(g);
	r.n = number(g);
	r.seed = number(g);
	r.stop = texts(g, &r.n_stop);
	r.logit_bias = maybe(g) ? any_json(g) : SPAN_NONE;
	r.logprobs = truth(g);
	r.top_logprobs = number(g);
	r.modalities = texts(g, &r.n_modalities);
	r.audio_voice = maybe_text(g);
	r.audio_format = maybe_text(g);
	r.is_stream = maybe(g);
	r.user = maybe_text(g);
	r.metadata = pairs(g, &r.n_metadata);
	r.service_tier = maybe_text(g);
	r.verbosity = maybe_text(g);
	r.cache_key = maybe_text(g);
	r.cache_ttl = maybe_text(g);
	r.on_unsupported = maybe(g) ? UNSUPPORTED_WARN : UNSUPPORTED_REJECT;
	r.wants_raw = maybe(g);
	r.provider_options = pairs(g, &r.n_provider_options);
	r.extra = extras(g);
	return r;
}

/* ---- what may differ ---- */

static void change_text(struct span *s, struct any *g)
{
	char *p = some(g, s->n + 2, 1);
	if (!span_is_set(*s)) {
		*s = maybe(g) ? SPAN("") : SPAN("new");
		return;
	}
	const size_t at = below(g, s->n + 1);
	if (at > 0)
		memcpy(p, s->p, at);
	p[at] = '!';
	if (s->n > at)
		memcpy(p + at + 1, s->p + at, s->n - at);
	*s = span_of(p, s->n + 1);
}

static void change_number(struct opt_i64 *n, struct any *g)
{
	if (n->is_set && maybe(g))
		*n = (struct opt_i64){false, 0};
	else
		*n = (struct opt_i64){true, n->is_set ? n->v + 1 : (int64_t)below(g, 2)};
}

static void change_real(struct opt_f64 *n, struct any *g)
{
	if (n->is_set && maybe(g))
		*n = (struct opt_f64){false, 0};
	else
		*n = (struct opt_f64){true, n->is_set ? n->v + 1e-9 : 0};
}

static void change_truth(struct opt_bool *b, struct any *g)
{
	if (b->is_set && maybe(g))
		*b = (struct opt_bool){false, false};
	else
		*b = (struct opt_bool){true, b->is_set ? !b->v : maybe(g)};
}

static void change_list(struct span *list, size_t *n, struct any *g)
{
	if (maybe(g))
		--*n;
	else
		change_text(&list[below(g, *n)], g);
}

static void change_pairs(struct string_pair *list, size_t *n, struct any *g)
{
	if (maybe(g))
		--*n;
	else
		list[0].value = SPAN("{\"other\":0}");
}

static void change_extra(struct extra *e, struct any *g)
{
	if (e->n == 0) {
		struct extra_member *m = some(g, 1, sizeof *m);
		*m = (struct extra_member){.name = SPAN("first"), .json = SPAN("{}")};
		*e = (struct extra){SPAN("gemini"), m, 1};
	} else if (maybe(g)) {
		e->family = SPAN("gemini");
	} else if (maybe(g)) {
		e->members[e->n - 1].json = SPAN("{\"other\":0}");
	} else {
		e->members[e->n - 1].name = SPAN("other");
	}
}

static struct message *a_message(struct llm_request *r, struct any *g)
{
	return &r->messages[below(g, r->n_messages)];
}

static struct part *a_part(struct llm_request *r, struct any *g)
{
	struct message *m = a_message(r, g);
	return maybe(g) ? &m->parts[below(g, m->n_parts)] : &r->inputs[below(g, r->n_inputs)];
}

/* Something that a part of its kind has. */
static void change_part(struct llm_request *r, struct any *g)
{
	struct part *p = a_part(r, g);
	switch (p->type) {
	case PART_TEXT:
	case PART_REFUSAL:
		change_text(&p->text, g);
		break;
	case PART_REASONING:
		if (maybe(g))
			p->is_summary = !p->is_summary;
		else
			change_text(&p->text, g);
		break;
	case PART_OPAQUE:
		change_text(maybe(g) ? &p->opaque.model : &p->opaque.data, g);
		break;
	case PART_TOOL_CALL:
		if (maybe(g))
			p->call.is_custom = !p->call.is_custom;
		else
			change_text(maybe(g) ? &p->call.arguments : &p->call.id, g);
		break;
	case PART_IMAGE:
	case PART_AUDIO:
	case PART_FILE:
	case PART_VIDEO:
		if (maybe(g))
			change_text(&p->media.mime, g);
		else
			change_text(span_is_set(p->media.url) ? &p->media.url : &p->media.data, g);
		break;
	}
}

/* The first that is one, or what was another and becomes one. */
static struct tool *a_function(struct llm_request *r)
{
	for (size_t i = 0; i < r->n_tools; i++) {
		if (r->tools[i].type == TOOL_FUNCTION)
			return &r->tools[i];
	}
	r->tools[0].type = TOOL_FUNCTION;
	return &r->tools[0];
}

#define CHANGE(name, statement)                                            \
	static void change_##name##_(struct llm_request *r, struct any *g) \
	{                                                                  \
		(void)g;                                                   \
		statement;                                                 \
	}
CHANGE(fewer_messages, r->n_messages--)
CHANGE(role, struct message *m = a_message(r, g);
	m->role = m->role == ROLE_USER ? ROLE_ASSISTANT : ROLE_USER)
CHANGE(name, change_text(&a_message(r, g)->name, g))
CHANGE(tool_call_id, change_text(&a_message(r, g)->tool_call_id, g))
CHANGE(is_error, struct message *m = a_message(r, g); m->is_error = !m->is_error)
CHANGE(message_extra, change_extra(&a_message(r, g)->extra, g))
CHANGE(fewer_parts, a_message(r, g)->n_parts--)
CHANGE(part, change_part(r, g))
CHANGE(part_cache, change_text(&a_part(r, g)->cache, g))
CHANGE(part_extra, change_extra(&a_part(r, g)->extra, g))
CHANGE(fewer_inputs, r->n_inputs--)
CHANGE(query, change_text(&r->query, g))
CHANGE(top_n, change_number(&r->top_n, g))
CHANGE(dimensions, change_number(&r->dimensions, g))
CHANGE(input_type, change_text(&r->input_type, g))
CHANGE(truncate, change_text(&r->truncate, g))
CHANGE(fewer_tools, r->n_tools--)
CHANGE(tool, struct tool *t = &r->tools[below(g, r->n_tools)];
	change_text(t->type == TOOL_FUNCTION ? &t->parameters
		    : t->type == TOOL_CUSTOM ? &t->format
					     : &t->raw,
		g))
CHANGE(tool_name, struct tool *t = &r->tools[below(g, r->n_tools)];
	change_text(t->type == TOOL_PROVIDER ? &t->family : &t->name, g))
CHANGE(tool_description, struct tool *t = a_function(r); change_text(&t->description, g))
CHANGE(tool_strict, struct tool *t = a_function(r); change_truth(&t->strict, g))
CHANGE(tool_cache, struct tool *t = a_function(r); change_text(&t->cache, g))
CHANGE(tool_extra, struct tool *t = a_function(r); change_extra(&t->extra, g))
CHANGE(tool_choice,
	r->tool_choice.mode = r->tool_choice.mode == CHOICE_AUTO ? CHOICE_REQUIRED : CHOICE_AUTO)
CHANGE(tool_names, change_text(&r->tool_choice.names[0], g))
CHANGE(parallel, change_truth(&r->parallel_tool_calls, g))
CHANGE(format_name, change_text(&r->response_format.name, g))
CHANGE(format_description, change_text(&r->response_format.description, g))
CHANGE(schema, change_text(&r->response_format.schema, g))
CHANGE(format_strict, change_truth(&r->response_format.strict, g))
CHANGE(format_type, r->response_format = (struct response_format){.type = FORMAT_JSON})
CHANGE(effort, change_text(&r->reasoning.effort, g))
CHANGE(budget, change_number(&r->reasoning.budget_tokens, g))
CHANGE(expose, change_text(&r->reasoning.expose, g))
CHANGE(is_wish, r->reasoning.is_wish = !r->reasoning.is_wish)
CHANGE(max_tokens, change_number(&r->max_tokens, g))
CHANGE(temperature, change_real(&r->temperature, g))
CHANGE(top_p, change_real(&r->top_p, g))
CHANGE(min_p, change_real(&r->min_p, g))
CHANGE(top_k, change_number(&r->top_k, g))
CHANGE(presence, change_real(&r->presence_penalty, g))
CHANGE(frequency, change_real(&r->frequency_penalty, g))
CHANGE(repetition, change_real(&r->repetition_penalty, g))
CHANGE(n, change_number(&r->n, g))
CHANGE(seed, change_number(&r->seed, g))
CHANGE(stop, change_list(r->stop, &r->n_stop, g))
CHANGE(logit_bias, change_text(&r->logit_bias, g))
CHANGE(logprobs, change_truth(&r->logprobs, g))
CHANGE(top_logprobs, change_number(&r->top_logprobs, g))
CHANGE(modalities, change_list(r->modalities, &r->n_modalities, g))
CHANGE(audio_voice, change_text(&r->audio_voice, g))
CHANGE(audio_format, change_text(&r->audio_format, g))
CHANGE(service_tier, change_text(&r->service_tier, g))
CHANGE(verbosity, change_text(&r->verbosity, g))
CHANGE(on_unsupported, r->on_unsupported = r->on_unsupported == UNSUPPORTED_WARN
						   ? UNSUPPORTED_REJECT
						   : UNSUPPORTED_WARN)
CHANGE(wants_raw, r->wants_raw = !r->wants_raw)
CHANGE(provider_options, change_pairs(r->provider_options, &r->n_provider_options, g))
CHANGE(extra, change_extra(&r->extra, g))

CHANGE(model, change_text(&r->model, g))
CHANGE(is_stream, r->is_stream = !r->is_stream)
CHANGE(user, change_text(&r->user, g))
CHANGE(metadata, change_pairs(r->metadata, &r->n_metadata, g))
CHANGE(cache_key, change_text(&r->cache_key, g))
CHANGE(cache_ttl, change_text(&r->cache_ttl, g))

#define ROW(name)                       \
	{                               \
#name, change_##name##_ \
	}
struct change {
	const char *name;
	void (*change)(struct llm_request *r, struct any *g);
};
static const struct change changes[] =
	{
		ROW(fewer_messages),
		ROW(role),
		ROW(name),
		ROW(tool_call_id),
		ROW(is_error),
		ROW(message_extra),
		ROW(fewer_parts),
		ROW(part),
		ROW(part_cache),
		ROW(part_extra),
		ROW(fewer_inputs),
		ROW(query),
		ROW(top_n),
		ROW(dimensions),
		ROW(input_type),
		ROW(truncate),
		ROW(fewer_tools),
		ROW(tool),
		ROW(tool_name),
		ROW(tool_description),
		ROW(tool_strict),
		ROW(tool_cache),
		ROW(tool_extra),
		ROW(tool_choice),
		ROW(tool_names),
		ROW(parallel),
		ROW(format_name),
		ROW(format_description),
		ROW(schema),
		ROW(format_strict),
		ROW(format_type),
		ROW(effort),
		ROW(budget),
		ROW(expose),
		ROW(is_wish),
		ROW(max_tokens),
		ROW(temperature),
		ROW(top_p),
		ROW(min_p),
		ROW(top_k),
		ROW(presence),
		ROW(frequency),
		ROW(repetition),
		ROW(n),
		ROW(seed),
		ROW(stop),
		ROW(logit_bias),
		ROW(logprobs),
		ROW(top_logprobs),
		ROW(modalities),
		ROW(audio_voice),
		ROW(audio_format),
		ROW(service_tier),
		ROW(verbosity),
		ROW(on_unsupported),
		ROW(wants_raw),
		ROW(provider_options),
		ROW(extra),
},
			   inert[] = {ROW(model), ROW(is_stream), ROW(user), ROW(metadata),
				   ROW(cache_key), ROW(cache_ttl)};

/* ---- keys ---- */

static struct cache_place somewhere(void)
{
	return (struct cache_place){SPAN("app:notes"), SPAN_NONE, SPAN("openai"),
		SPAN("https://a/v1"), SPAN("/chat"), SPAN("openai-chat"), SPAN("gpt"), NULL, 0};
}

static struct cache_key key_of(const struct llm_request *r, enum llm_op op)
{
	OWNED(buf_done) struct buf scratch = BUF_INIT(LIMIT_BODY_BYTES);
	const struct cache_ask ask = {.op = op, .request = r, .surface = SPAN_NONE};
	struct cache_core core;
	struct cache_key key;
	const struct cache_place place = somewhere();
	if (cache_core(secret, &ask, &scratch, &core))
		bail("no key");
	cache_key(secret, &core, &place, &key);
	return key;
}

static bool same(const struct cache_key *a, const struct cache_key *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* How many of so many pairs of requests that differ in that alone have one key. */
static size_t hits(const struct change *c, size_t pairs_, uint64_t seed)
{
	size_t n = 0;
	for (size_t i = 0; i < pairs_; i++) {
		OWNED(arena_done) struct arena a;
		arena_init(&a, 4 * MIB);
		struct any first = {.state = seed + i * 0x9e3779b97f4a7c15u, .arena = &a},
			   second = first, by = {.state = seed ^ (i + 1), .arena = &a};
		const struct llm_request one = any_request(&first);
		struct llm_request other = any_request(&second);
		c->change(&other, &by);
		const struct cache_key k = key_of(&one, LLM_OP_CHAT),
				       l = key_of(&other, LLM_OP_CHAT);
		n += same(&k, &l);
	}
	return n;
}

static void test_one_member(void)
{
	const size_t each = PAIRS / COUNT_OF(changes) + 1;
	for (size_t i = 0; i < COUNT_OF(changes); i++)
		is_uint(hits(&changes[i], each, 88172645463325252u + i), 0, "%s: no wrong hit",
			changes[i].name);
	for (size_t i = 0; i < COUNT_OF(inert); i++)
		is_uint(hits(&inert[i], 50, 88172645463325252u + i), 50,
			"%s: no answer depends on it", inert[i].name);
}

static void test_places(void)
{
	struct part p = {.type = PART_TEXT, .text = SPAN("hello")};
	struct message m = {.role = ROLE_USER, .parts = &p, .n_parts = 1};
	const struct llm_request r = {.model = SPAN("gpt"), .messages = &m, .n_messages = 1};
	const struct cache_ask ask = {.op = LLM_OP_CHAT, .request = &r, .surface = SPAN_NONE};
	OWNED(buf_done) struct buf scratch = BUF_INIT(LIMIT_BODY_BYTES);
	struct cache_core core;
	struct cache_key key[11], again;
	struct cache_place places[11];
	for (size_t i = 0; i < COUNT_OF(places); i++)
		places[i] = somewhere();
	places[1].scope = SPAN("app:notez");
	places[2].name_space = SPAN("");
	places[3].name_space = SPAN("openai");
	places[4].provider = SPAN("openai2");
	places[5].base_url = SPAN("https://b/v1");
	places[6].family = SPAN("openai-responses");
	places[7].model = SPAN("gpt-mini");
	/* no text runs over into its neighbour */
	places[8].provider = SPAN("openaih");
	places[8].base_url = SPAN("ttps://a/v1");
	places[9].path = SPAN_NONE;
	const struct http_header team = {SPAN("openai-organization"), SPAN("org-1")};
	places[10].headers = &team;
	places[10].n_headers = 1;
	is_err(cache_core(secret, &ask, &scratch, &core), OK, "a request has a core");
	for (size_t i = 0; i < COUNT_OF(places); i++)
		cache_key(secret, &core, &places[i], &key[i]);
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		for (size_t j = i + 1; j < COUNT_OF(places); j++)
			ok(!same(&key[i], &key[j]), "place %zu is not place %zu", i, j);
	}
	cache_key(secret, &core, &places[0], &again);
	ok(same(&again, &key[0]), "the same place has the same key");
}

static void test_operations_and_headers(void)
{
	struct part p = {.type = PART_TEXT, .text = SPAN("hello")};
	const struct llm_request r = {.inputs = &p, .n_inputs = 1};
	const struct cache_key embed = key_of(&r, LLM_OP_EMBED),
			       moderate = key_of(&r, LLM_OP_MODERATE);
	ok(!same(&embed, &moderate), "another operation is another request");

	OWNED(buf_done) struct buf scratch = BUF_INIT(LIMIT_BODY_BYTES);
	static const struct {
		const char *name;
		bool counts;
	} headers[] = {
		{"anthropic-beta",    true },
		{"anthropic-version", true },
		{"idempotency-key",   false},
		{"accept",            false},
		{"accept-language",   false},
	};
	struct cache_ask ask = {.op = LLM_OP_EMBED, .request = &r, .surface = SPAN_NONE};
	struct cache_core bare, core;
	is_err(cache_core(secret, &ask, &scratch, &bare), OK, "a core");
	for (size_t i = 0; i < COUNT_OF(headers); i++) {
		const struct string_pair one = {span_str(headers[i].name), SPAN("a")};
		ask.headers = &one;
		ask.n_headers = 1;
		is_err(cache_core(secret, &ask, &scratch, &core), OK, "a core");
		is_int(memcmp(&core, &bare, sizeof core) != 0, headers[i].counts,
			"%s counts where a provider gets it", headers[i].name);
	}
	ask.n_headers = 0;

	unsigned char other[CACHE_SECRET_BYTES] = "another";
	struct cache_core elsewhere;
	is_err(cache_core(other, &ask, &scratch, &elsewhere), OK, "a core by another secret");
	ok(memcmp(&bare, &elsewhere, sizeof elsewhere) != 0,
		"nobody can tell it without the secret");
}

/* What goes out in the place of what was asked is in it, but for what no answer depends on. */
static void test_sent(void)
{
	OWNED(buf_done) struct buf scratch = BUF_INIT(LIMIT_BODY_BYTES);
	struct part hello = {.type = PART_TEXT, .text = SPAN("hello")},
		    more = {.type = PART_TEXT, .text = SPAN("hello, and what was dropped")};
	struct message asked = {.role = ROLE_USER, .parts = &hello, .n_parts = 1},
		       put_back = {.role = ROLE_USER, .parts = &more, .n_parts = 1};
	const struct llm_request plain = {.messages = &asked, .n_messages = 1},
				 sent = {.messages = &put_back, .n_messages = 1},
				 streamed = {.model = SPAN("m"),
					 .messages = &put_back,
					 .n_messages = 1,
					 .is_stream = true};
	const struct cache_ask ask = {.op = LLM_OP_CHAT, .request = &plain};
	const struct llm_request *const all[] = {&plain, &sent, &streamed};
	struct cache_core core, of[COUNT_OF(all)];
	is_err(cache_core(secret, &ask, &scratch, &core), OK, "a request has a core");
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		of[i] = core;
		is_err(cache_core_sent(secret, all[i], &scratch, &of[i]), OK, "and what goes out");
		ok(memcmp(&of[i], &core, sizeof core) != 0, "another one");
	}
	ok(memcmp(&of[0], &of[1], sizeof core) != 0, "what was put back counts");
	ok(memcmp(&of[1], &of[2], sizeof core) == 0, "that it is a stream does not");
}

/* ---- bodies of public APIs ---- */

static struct cache_core core_of(const char *surface, const char *body, int64_t max_tokens)
{
	OWNED(buf_done) struct buf scratch = BUF_INIT(LIMIT_BODY_BYTES);
	const struct llm_request r = {
		.max_tokens = {max_tokens >= 0, max_tokens}
        };
	const struct cache_ask ask = {.op = LLM_OP_CHAT,
		.request = &r,
		.surface = span_str(surface),
		.body = json_of(span_str(body))};
	struct cache_core core;
	is_err(cache_core(secret, &ask, &scratch, &core), OK, "%s", body);
	return core;
}

static void test_bodies(void)
{
	static const char *const others[] = {
		"{\"model\":\"m\",\"messages\":[1,2],\"x\":{\"y\":1.0}}",
		"{\"model\":\"m\",\"messages\":[1],\"x\":{\"y\":1}}",
		"{\"model\":\"m\",\"messages\":[1,2]}",
		"{\"model\":\"m\",\"messages\":[1,2],\"x\":{\"y\":1},\"z\":null}",
		"{\"model\":\"m\",\"messages\":[1,2],\"X\":{\"y\":1}}",
		"{\"model\":\"m\",\"messages\":[1,2],\"x\":{\"y\":1},\"store\":true}",
	};
	static const char *const alike[] = {
		"{\"model\":\"other\",\"messages\":[1,2],\"x\":{\"y\":1}}",
		"{\"messages\":[1,2],\"stream\":true,\"stream_options\":{\"include_usage\":true},"
		"\"x\":{\"y\":1}}",
		"{\"model\":\"m\",\"user\":\"u\",\"metadata\":{},\"messages\":[1,2],\"prompt_cache_"
		"key\":\"k\","
		"\"safety_identifier\":\"s\",\"x\":{\"y\":1}}",
	};
	const char *body = "{\"model\":\"m\",\"messages\":[1,2],\"x\":{\"y\":1}}";
	const struct cache_core core = core_of("openai.chat", body, -1);
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		const struct cache_core other = core_of("openai.chat", others[i], -1);
		ok(memcmp(&core, &other, sizeof core) != 0, "differs: %s", others[i]);
	}
	for (size_t i = 0; i < COUNT_OF(alike); i++) {
		const struct cache_core other = core_of("openai.chat", alike[i], -1);
		ok(memcmp(&core, &other, sizeof core) == 0, "is the same: %s", alike[i]);
	}
	struct cache_core other = core_of("openai.responses", body, -1);
	ok(memcmp(&core, &other, sizeof core) != 0, "another API means another thing by it");
	other = core_of("openai.chat", body, 100);
	ok(memcmp(&core, &other, sizeof core) != 0, "so does a bound that policy has set");
}

/* ---- what is the same again ---- */

static void test_repeatable(void)
{
	struct part words = {.type = PART_TEXT, .text = SPAN("hello")},
		    there = {.type = PART_IMAGE, .media = {.url = SPAN("https://a/b.png")}},
		    file = {.type = PART_FILE, .media = {.file_id = SPAN("file-1")}};
	struct tool search = {
		.type = TOOL_PROVIDER, .family = SPAN("anthropic"), .raw = SPAN("{}")};
	struct message m = {.role = ROLE_USER, .parts = &words, .n_parts = 1};
	struct llm_request r = {.messages = &m, .n_messages = 1};
	ok(!cache_is_repeatable(LLM_OP_CHAT, &r), "a chat is left to chance");
	r.temperature = (struct opt_f64){true, 0.1};
	ok(!cache_is_repeatable(LLM_OP_CHAT, &r), "and with a temperature");
	r.temperature.v = 0;
	ok(cache_is_repeatable(LLM_OP_CHAT, &r), "but not at 0");
	ok(cache_is_repeatable(LLM_OP_COMPLETE, &r), "nor a completion");
	r.temperature.is_set = false;
	r.seed = (struct opt_i64){true, 7};
	ok(cache_is_repeatable(LLM_OP_CHAT, &r), "nor with a seed");
	ok(!cache_is_repeatable(LLM_OP_COUNT, &r) && !cache_is_repeatable(LLM_OP_MODELS, &r),
		"other operations are not kept");
	r.tools = &search;
	r.n_tools = 1;
	ok(!cache_is_repeatable(LLM_OP_CHAT, &r), "what a provider looks up may change");
	r.n_tools = 0;
	m.parts = &there;
	ok(!cache_is_repeatable(LLM_OP_CHAT, &r), "and what is at an address");
	m.parts = &file;
	ok(!cache_is_repeatable(LLM_OP_CHAT, &r), "and a file");
	const struct llm_request embed = {.inputs = &words, .n_inputs = 1};
	ok(cache_is_repeatable(LLM_OP_EMBED, &embed), "an embedding is the same again");
}

int main(void)
{
	test_one_member();
	test_places();
	test_operations_and_headers();
	test_sent();
	test_bodies();
	test_repeatable();
	return tap_done();
}
