/* counts.c - names, and the bounds of histograms, are those of OpenTelemetry's conventions for generative AI
 * (gen_ai.client.operation.duration, gen_ai.client.token.usage), as Prometheus writes them. */
#include "brokerd/ledger/counts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/num.h"
#include "protocol/base/table.h"
#include "protocol/event.h"

#define BOUNDS    14
#define KEY_BYTES 512
#define OTHER     "_other"

struct histogram {
	uint64_t buckets[BOUNDS + 1]; /* each alone; the last: beyond all bounds */
	int64_t sum;
};

enum label { OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL, ERROR, CACHE, LABELS };

static const char *const label_names[LABELS] = {
	[OPERATION] = "gen_ai_operation_name",
	[PROVIDER] = "gen_ai_provider_name",
	[REQUEST_MODEL] = "gen_ai_request_model",
	[RESPONSE_MODEL] = "gen_ai_response_model",
	[ERROR] = "error_type",
	[CACHE] = "llm_broker_cache",
};

struct counts_series {
	TABLE_LINK;
	struct counts_series *next;
	char key[KEY_BYTES]; /* the labels, each ended by a NUL; empty: it has none */
	size_t n_key;
	struct histogram duration_us, input, output;
	int64_t cost_nusd, queued_us;
	uint64_t n_unknown_cost;
};

struct counts {
	struct counts_series *table;
	struct counts_series *first, **last;
	unsigned n;
	uint64_t outcomes[OUTCOME_UNKNOWN + 1], n_other;
	struct counts_series other;
};

static const int64_t duration_us[BOUNDS] = {10000, 20000, 40000, 80000, 160000, 320000, 640000,
	1280000, 2560000, 5120000, 10240000, 20480000, 40960000, 81920000};
static const char duration_bounds[] =
	"[0.01,0.02,0.04,0.08,0.16,0.32,0.64,1.28,2.56,5.12,10.24,20.48,40.96,81.92]";

static const int64_t tokens[BOUNDS] = {
	1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
static const char token_bounds[] =
	"[1,4,16,64,256,1024,4096,16384,65536,262144,1048576,4194304,16777216,67108864]";

/* ---- counting ---- */

static void observe(struct histogram *h, const int64_t bounds[BOUNDS], int64_t v)
{
	size_t i = 0;
	if (v < 0) /* not known */
		return;
	while (i < BOUNDS && v > bounds[i])
		i++;
	h->buckets[i]++;
	h->sum = num_add_sat(h->sum, v);
}

/* As the conventions call what we call otherwise. */
static const char *conventional(const char *name, enum label l)
{
	static const struct {
		enum label label;
		const char *ours, *theirs;
	} words[] = {
		{OPERATION, "complete", "text_completion"},
		{OPERATION, "embed",    "embeddings"     },
		{PROVIDER,  "azure",    "azure.ai.openai"},
		{PROVIDER,  "bedrock",  "aws.bedrock"    },
		{PROVIDER,  "gemini",   "gcp.gemini"     },
		{PROVIDER,  "vertex",   "gcp.vertex_ai"  },
		{PROVIDER,  "mistral",  "mistral_ai"     },
		{PROVIDER,  "xai",      "x_ai"           },
	};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (words[i].label == l && strcmp(words[i].ours, name) == 0)
			return words[i].theirs;
	}
	return name;
}

static void put_label(struct counts_series *s, const char *value)
{
	const size_t n = strlen(value) + 1;
	if (s->n_key + n > sizeof s->key)
		return; /* the fields of a record fit */
	memcpy(s->key + s->n_key, value, n);
	s->n_key += n;
}

static void name_series(struct counts_series *s, const struct exchange_record *r, bool is_model,
	const char *error, const char *cache)
{
	s->n_key = 0;
	put_label(s, conventional(r->op, OPERATION));
	put_label(s, conventional(r->provider, PROVIDER));
	put_label(s, is_model ? r->model : "");
	put_label(s, is_model ? r->target_model : "");
	put_label(s, error);
	put_label(s, cache);
}

static struct counts_series *series_find(const struct counts *c, const struct counts_series *named)
{
	struct counts_series *s;
	TABLE_FIND(c->table, s, named->key, named->n_key);
	return s;
}

/* Until it has answered, the name of a model is no more than the text of a caller, who can make as many as he likes. */
static void name_failed(
	const struct counts *c, struct counts_series *s, const struct exchange_record *r)
{
	name_series(s, r, true, "", "");
	name_series(s, r, series_find(c, s), err_info(r->err)->word, "");
}

static struct counts_series *series_of(struct counts *c, const struct exchange_record *r)
{
	struct counts_series named;
	if (r->outcome == OUTCOME_OK)
		name_series(&named, r, r->provider[0], "", r->cache);
	else
		name_failed(c, &named, r);
	struct counts_series *s = series_find(c, &named);
	if (s)
		return s;
	s = c->n < COUNTS_SERIES ? calloc(1, sizeof *s) : NULL;
	if (!s) {
		c->n_other++;
		return &c->other;
	}
	memcpy(s->key, named.key, named.n_key);
	s->n_key = named.n_key;
	TABLE_ADD(c->table, s, s->key, s->n_key);
	*c->last = s;
	c->last = &s->next;
	c->n++;
	return s;
}

struct counts *counts_new(void)
{
	struct counts *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->last = &c->first;
	for (int i = 0; i < LABELS; i++)
		put_label(&c->other, i == ERROR || i == CACHE ? "" : OTHER);
	return c;
}

void counts_free(struct counts *c)
{
	struct counts_series *s, *after;
	if (!c)
		return;
	TABLE_EACH(c->table, s, after) {
		TABLE_REMOVE(c->table, s);
		free(s);
	}
	free(c);
}

struct counts_series *counts_add(struct counts *c, const struct exchange_record *r)
{
	struct counts_series *s = c ? series_of(c, r) : NULL;
	counts_add_like(c, s, r);
	return s;
}

void counts_add_like(struct counts *c, struct counts_series *s, const struct exchange_record *r)
{
	if (!s)
		return;
	c->outcomes[r->outcome]++;
	observe(&s->duration_us, duration_us, r->total_us);
	if (!r->cache[0]) { /* what was kept used no tokens again */
		observe(&s->input, tokens, usage_input_total(&r->usage));
		observe(&s->output, tokens, usage_output_total(&r->usage));
	}
	if (r->queued_us > 0)
		s->queued_us = num_add_sat(s->queued_us, r->queued_us);
	if (r->usage.cost_nusd >= 0)
		s->cost_nusd = num_add_sat(s->cost_nusd, r->usage.cost_nusd);
	else
		s->n_unknown_cost++;
}

/* ---- telling ---- */

static void open_family(struct json_out *o, const char *name, const char *type, const char *help)
{
	json_open(o, '{');
	json_pair_str(o, "name", span_str(name));
	json_pair_str(o, "type", span_str(type));
	json_pair_str(o, "help", span_str(help));
}

static void open_series(struct json_out *o)
{
	json_key(o, "series");
	json_open(o, '[');
}

static void close_family(struct json_out *o)
{
	json_close(o, ']');
	json_close(o, '}');
}

/* Up to `more`, which has a label of its own. */
static void put_labels(
	struct json_out *o, const struct counts_series *s, const char *more, const char *is)
{
	const char *at = s->key;
	json_key(o, "labels");
	json_open(o, '{');
	for (int i = 0; i < LABELS; i++) {
		if (at[0])
			json_pair_str(o, label_names[i], span_str(at));
		at += strlen(at) + 1;
	}
	if (more)
		json_pair_str(o, more, span_str(is));
	json_close(o, '}');
}

/* A whole number of parts, `digits` of which are behind the point. */
static void put_parts(struct json_out *o, const char *name, int64_t v, int digits)
{
	char text[48];
	int64_t one = 1;
	for (int i = 0; i < digits; i++)
		one *= 10;
	(void)snprintf(text, sizeof text, "%" PRId64 ".%0*" PRId64, v / one, digits, v % one);
	json_pair_raw(o, name, span_str(text));
}

static void put_histogram(struct json_out *o, const struct histogram *h, int digits)
{
	uint64_t n = 0;
	json_key(o, "buckets");
	json_open(o, '[');
	for (size_t i = 0; i < BOUNDS; i++) {
		n += h->buckets[i];
		json_put_i64(o, (int64_t)n);
	}
	json_close(o, ']');
	n += h->buckets[BOUNDS];
	if (digits > 0)
		put_parts(o, "sum", h->sum, digits);
	else
		json_pair_i64(o, "sum", h->sum);
	json_pair_i64(o, "count", (int64_t)n);
}

static bool is_empty(const struct histogram *h)
{
	for (size_t i = 0; i <= BOUNDS; i++) {
		if (h->buckets[i])
			return false;
	}
	return true;
}

/* Those that have something to tell, "_other" as the last. */
static const struct counts_series *next_series(
	const struct counts *c, const struct counts_series *s)
{
	const struct counts_series *next = s ? s->next : c->first;
	if (next || s == &c->other)
		return next;
	return c->n_other > 0 ? &c->other : NULL;
}

static void put_durations(const struct counts *c, struct json_out *o)
{
	open_family(o, "gen_ai_client_operation_duration_seconds", "histogram",
		"How long calls took, until the last of the answer.");
	json_pair_raw(o, "bounds", span_str(duration_bounds));
	open_series(o);
	for (const struct counts_series *s = NULL; (s = next_series(c, s));) {
		json_open(o, '{');
		put_labels(o, s, NULL, NULL);
		put_histogram(o, &s->duration_us, 6);
		json_close(o, '}');
	}
	close_family(o);
}

static void put_usage(struct json_out *o, const struct counts_series *s, const struct histogram *h,
	const char *token_type)
{
	if (is_empty(h))
		return;
	json_open(o, '{');
	put_labels(o, s, "gen_ai_token_type", token_type);
	put_histogram(o, h, 0);
	json_close(o, '}');
}

static void put_tokens(const struct counts *c, struct json_out *o)
{
	open_family(o, "gen_ai_client_token_usage", "histogram",
		"Tokens that providers counted, a call.");
	json_pair_raw(o, "bounds", span_str(token_bounds));
	open_series(o);
	for (const struct counts_series *s = NULL; (s = next_series(c, s));) {
		put_usage(o, s, &s->input, "input");
		put_usage(o, s, &s->output, "output");
	}
	close_family(o);
}

static void put_sums(const struct counts *c, struct json_out *o, const char *name, const char *help,
	int64_t (*sum)(const struct counts_series *s), int digits)
{
	open_family(o, name, "counter", help);
	open_series(o);
	for (const struct counts_series *s = NULL; (s = next_series(c, s));) {
		if (sum(s) == 0)
			continue;
		json_open(o, '{');
		put_labels(o, s, NULL, NULL);
		if (digits > 0)
			put_parts(o, "value", sum(s), digits);
		else
			json_pair_i64(o, "value", sum(s));
		json_close(o, '}');
	}
	close_family(o);
}

static int64_t cost_of(const struct counts_series *s)
{
	return s->cost_nusd;
}

static int64_t unknown_of(const struct counts_series *s)
{
	return (int64_t)s->n_unknown_cost;
}

static int64_t queued_of(const struct counts_series *s)
{
	return s->queued_us;
}

static void put_outcomes(const struct counts *c, struct json_out *o)
{
	open_family(o, "llm_broker_calls_total", "counter",
		"Calls that have ended, as the ledger has them.");
	open_series(o);
	for (size_t i = OUTCOME_OK; i < COUNT_OF(c->outcomes); i++) {
		json_open(o, '{');
		json_key(o, "labels");
		json_open(o, '{');
		json_pair_str(o, "outcome", span_str(outcome_name((enum outcome)i)));
		json_close(o, '}');
		json_pair_i64(o, "value", (int64_t)c->outcomes[i]);
		json_close(o, '}');
	}
	close_family(o);
}

void counts_json(const struct counts *c, struct json_out *o)
{
	if (!c)
		return;
	put_durations(c, o);
	put_tokens(c, o);
	put_outcomes(c, o);
	put_sums(c, o, "llm_broker_cost_usd_total", "What calls cost, where that is known.",
		cost_of, 9);
	put_sums(c, o, "llm_broker_cost_unknown_total", "Calls of which it is not known.",
		unknown_of, 0);
	put_sums(c, o, "llm_broker_queue_seconds_total", "How long calls waited for a limit.",
		queued_of, 6);
}
