/* fuzz_forward.c - any bytes as a body that goes on as it is: do readers that are not ours see in it what
 * we see? That reader is cJSON, which takes the first or the last of two members, minds case or does not,
 * and ends texts at a NUL. Before, it must see the one model that we read; behind, the target's (where that
 * is in the address alone, none) and no larger bound than the broker's; all else is the caller's, byte for
 * byte.
 * The first byte picks the operation of a family, the second what the broker changes; up to the first
 * line feed comes what stands in the path and in the headers. */
#include <assert.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <strings.h>

#include "brokerd/route/route.h"
#include "protocol/limits.h"
#include "tests/lib/feed.h"
#include "tests/lib/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	WAYS = 32,
	BOUND = 5,
};

/* What the second byte says. */
enum {
	IS_BOUNDED = 1,     /* the broker allows BOUND tokens */
	IS_ASKED_MODEL = 2, /* what the caller named is the target's own name */
	IS_KEPT = 4,
	HAS_LINE = 8,
};

/* An operation of a family whose requests can go on as they are. */
static struct way {
	const struct dialect *dialect;
	enum llm_op op;
	bool is_gemini; /* the model is in the path alone */
	struct config *config;
	struct target target;
} ways[WAYS];
static size_t n_ways;

static void add_way(const struct dialect *d, enum llm_op op, struct arena *a)
{
	const struct host_wish wish = {.family = span_str(d->family)};
	struct way *way = &ways[n_ways++];
	struct fault why;
	assert(n_ways <= WAYS);
	way->dialect = d;
	way->op = op;
	way->is_gemini = span_is(span_str(d->family), "gemini");
	way->config = host_target(&wish, a, &way->target, &why);
	assert(way->config);
}

static void find_ways(void)
{
	static struct arena a;
	arena_init(&a, LIMIT_CONFIG_BYTES);
	for (const struct dialect *const *d = dialect_all(); *d; d++) {
		for (size_t op = 0; op < LLM_OP_COUNT_OF; op++) {
			const struct dialect_op *o = (*d)->ops[op];
			if (o && o->forward && o->decode_request)
				add_way(*d, (enum llm_op)op, &a);
		}
	}
}

/* ---- the other reader ---- */

/* What it finds under a name: as a text of C has it. */
struct found {
	size_t n, n_nocase;
	const cJSON *first, *last;
};

static struct found find(const cJSON *object, const char *name)
{
	struct found f = {.n = 0};
	const cJSON *v;
	cJSON_ArrayForEach(v, object)
	{
		f.n_nocase += strcasecmp(v->string, name) == 0;
		if (strcmp(v->string, name) != 0)
			continue;
		f.first = f.n++ == 0 ? v : f.first;
		f.last = v;
	}
	return f;
}

static bool is_text(const cJSON *v, struct span text)
{
	return cJSON_IsString(v) && span_is(text, v->valuestring);
}

/* It sees the one model of that name; absent: none. */
static void check_model(const cJSON *body, struct span model)
{
	const struct found f = find(body, "model");
	const size_t n = span_is_set(model) ? 1 : 0;
	assert(f.n == n && f.n_nocase == n);
	assert(n == 0 || (is_text(f.first, model) && is_text(f.last, model)));
	assert(n == 0 || is_text(cJSON_GetObjectItem(body, "model"), model));
}

/* The names of the bound on what is answered. */
static const struct bound {
	const char *family;
	const char *object; /* inside of which it is; NULL: of none */
	const char *name;
} bounds[] = {
	{"openai-chat",        NULL,                "max_tokens"           },
	{"openai-chat",        NULL,                "max_completion_tokens"},
	{"openai-completions", NULL,                "max_tokens"           },
	{"openai-responses",   NULL,                "max_output_tokens"    },
	{"anthropic",          NULL,                "max_tokens"           },
	{"gemini",             "generationConfig",  "maxOutputTokens"      },
	{"gemini",             "generationConfig",  "max_output_tokens"    },
	{"gemini",             "generation_config", "maxOutputTokens"      },
	{"gemini",             "generation_config", "max_output_tokens"    },
};

/* There is one, under whatever names, and none that is larger than the broker's. */
static void check_bound(const cJSON *body, const char *family)
{
	size_t n = 0;
	for (size_t i = 0; i < COUNT_OF(bounds); i++) {
		const struct bound *b = &bounds[i];
		const cJSON *v, *in = b->object ? find(body, b->object).last : body;
		if (strcmp(b->family, family) != 0)
			continue;
		cJSON_ArrayForEach(v, in)
		{
			const bool is_it = strcasecmp(v->string, b->name) == 0 && !cJSON_IsNull(v);
			assert(!is_it || (cJSON_IsNumber(v) && v->valuedouble <= BOUND));
			n += is_it;
		}
	}
	assert(n > 0);
}

/* ---- the same bytes ---- */

/* The members that are the broker's, by their objects; of the objects themselves what is inside is looked
 * at by itself. Bounds are its own only where it sets one. */
static const struct {
	const char *object; /* "": the whole */
	const char *name;
	bool is_bound;
} owned[] = {
	{"",		  "model",                 false},
	{"",		  "store",                 false},
	{"",		  "include",               false},
	{"",		  "stream_options",        false},
	{"",		  "anthropic_version",     false},
	{"",		  "generationConfig",      true },
	{"",		  "generation_config",     true },
	{"",		  "max_tokens",            true },
	{"",		  "max_completion_tokens", true },
	{"",		  "max_output_tokens",     true },
	{"stream_options",    "include_usage",         false},
	{"generationConfig",  "maxOutputTokens",       true },
	{"generationConfig",  "max_output_tokens",     true },
	{"generation_config", "maxOutputTokens",       true },
	{"generation_config", "max_output_tokens",     true },
};

static bool is_owned(const char *object, struct span raw, bool is_bounded)
{
	for (size_t i = 0; i < COUNT_OF(owned); i++) {
		if (strcmp(owned[i].object, object) == 0 && json_name_is(raw, owned[i].name) &&
			(is_bounded || !owned[i].is_bound))
			return true;
	}
	return false;
}

/* The next member that is the caller's. */
static bool next_own(struct json_walk *w, const char *object, bool is_bounded)
{
	while (json_next(w)) {
		if (!is_owned(object, w->name, is_bounded))
			return true;
	}
	return false;
}

static void check_same(struct json before, struct json after, const char *object, bool is_bounded)
{
	struct json_walk b = json_each(before), a = json_each(after);
	while (next_own(&b, object, is_bounded)) {
		assert(next_own(&a, object, is_bounded));
		assert(span_eq(a.name, b.name) && span_eq(a.value.text, b.value.text));
	}
	assert(!next_own(&a, object, is_bounded));
}

static void check_bytes(struct span before, struct span after, bool is_bounded)
{
	static const char *const inside[] = {
		"stream_options", "generationConfig", "generation_config"};
	struct json b, a;
	assert(json_scan(before, JSON_STRICT, &b, NULL) == OK);
	assert(json_scan(after, JSON_STRICT, &a, NULL) == OK);
	check_same(b, a, "", is_bounded);
	for (size_t i = 0; i < COUNT_OF(inside); i++) {
		const struct json was = json_member(b, inside[i]);
		if (json_kind(was) == JSON_OBJECT)
			check_same(was, json_member(a, inside[i]), inside[i], is_bounded);
	}
}

static void check_head(const struct http_request *http)
{
	for (size_t i = 0; i < http->url.n; i++)
		assert((unsigned char)http->url.p[i] > 0x20 && http->url.p[i] != 0x7f);
	for (size_t i = 0; i < http->n_headers; i++)
		assert(http_header_is_sound(http->headers[i].name, http->headers[i].value));
}

/* ---- one request ---- */

struct sent {
	struct surface_call call;
	struct string_pair headers[2];
	char path[256];
	unsigned says;
	struct span body;
};

/* As the wire lets it pass: false where it does not. */
static bool read_call(struct span input, struct sent *out, struct arena *a)
{
	OWNED(buf_done) struct buf packed = BUF_INIT(LIMIT_FRAME_BYTES);
	struct fault why;
	struct span line = SPAN("gemini-2.5-flash");
	if (out->says & HAS_LINE)
		line = span_first(span_cut(&input, '\n'), 128);
	out->body = input;
	(void)snprintf(
		out->path, sizeof out->path, "/v1beta/models/%.*s:generateContent", SPAN_ARG(line));
	const struct span path =
		out->says & HAS_LINE ? span_of(out->path, strlen(out->path)) : span_str(out->path);
	out->headers[0] = (struct string_pair){SPAN("anthropic-version"), line};
	out->headers[1] = (struct string_pair){SPAN("anthropic-beta"), line};
	const struct surface_call call = {.surface = SPAN("fuzz"),
		.method = SPAN("POST"),
		.path = path,
		.headers = out->headers,
		.n_headers = out->says & HAS_LINE ? 2 : 0};
	surface_pack(&call, &packed);
	assert(buf_error(&packed) == OK);
	struct span copy;
	assert(arena_dup(a, buf_view(&packed), &copy) == OK);
	return surface_unpack(pack_from(copy), a, &out->call, &why) == OK;
}

static void check_before(const struct way *way, struct span body, const struct llm_request *r)
{
	cJSON *seen = cJSON_ParseWithLength(body.p, body.n);
	/* what it cannot read at all, it mistakes for nothing */
	if (seen && !way->is_gemini)
		check_model(seen, r->model);
	cJSON_Delete(seen);
}

static void check_after(
	const struct way *way, const struct target *target, const struct sent *in, struct span body)
{
	cJSON *seen = cJSON_ParseWithLength(body.p, body.n);
	const bool is_bounded =
		(in->says & IS_BOUNDED) && !(way->op == LLM_OP_COUNT || way->op == LLM_OP_EMBED);
	if (seen)
		check_model(seen, way->is_gemini ? SPAN_NONE : target->model);
	if (seen && is_bounded)
		check_bound(seen, way->dialect->family);
	cJSON_Delete(seen);
	check_bytes(in->body, body, is_bounded);
}

static void go_on(
	const struct way *way, const struct sent *in, struct llm_request *r, struct notes *notes)
{
	struct target target = way->target;
	struct fault why = FAULT_NONE;
	struct http_request http = {.n_headers = 0};
	if ((in->says & IS_ASKED_MODEL) &&
		route_target(way->config, target.provider, r->model, &target, &why))
		return; /* it is no model's name */
	if ((in->says & IS_BOUNDED) && (!r->max_tokens.is_set || r->max_tokens.v > BOUND))
		r->max_tokens = (struct opt_i64){true, BOUND};
	const struct forwarded what = {.request = r,
		.body = notes->body,
		.call = &in->call,
		.form = notes->form,
		.wants_usage_event = notes->wants_usage_event,
		.is_kept = (in->says & IS_KEPT) != 0};
	const enum err err =
		way->dialect->ops[way->op]->forward(&what, &target, notes, &http, &why);
	assert(err == why.err && (err == OK || why.message[0]));
	if (err)
		return;
	check_head(&http);
	check_after(way, &target, in, http.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(arena_done) struct arena a;
	struct llm_request r;
	struct notes notes;
	struct fault why = FAULT_NONE;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	if (n_ways == 0)
		find_ways();
	if (size < 2)
		return 0;
	const struct way *way = &ways[(uint8_t)(data[0] - '0') % n_ways];
	struct sent in = {.says = data[1]};
	notes_init(&notes, &a);
	if (!read_call(span_of((const char *)data + 2, size - 2), &in, &a))
		return 0;
	const enum err err =
		way->dialect->ops[way->op]->decode_request(&in.call, in.body, &a, &r, &notes, &why);
	assert(err == why.err && (err == OK || why.message[0]));
	if (err)
		return 0;
	check_before(way, in.body, &r);
	go_on(way, &in, &r, &notes);
	return 0;
}
