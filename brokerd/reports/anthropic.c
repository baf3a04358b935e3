/* anthropic.c - costs in cents by description, usage by model and key; moments are RFC 3339. */
#include <time.h>

#include "brokerd/reports/parts.h"
#include "protocol/base/num.h"
#include "protocol/base/owned.h"

static const struct report_kind reports[] = {
	{"/v1/organizations/cost_report",           "group_by%5B%5D=description", 31, true },
	{"/v1/organizations/usage_report/messages",
         "group_by%5B%5D=model&group_by%5B%5D=api_key_id",                        31, false},
};

static void put_moment(struct buf *query, const char *name, int64_t at_s)
{
	char text[32];
	struct tm t;
	const time_t at = (time_t)at_s;
	if (!gmtime_r(&at, &t) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t) == 0)
		return;
	buf_print(query, "&%s=", name);
	http_escape(span_str(text), query);
}

static void put_time(struct buf *query, int64_t since_s, int64_t until_s)
{
	put_moment(query, "starting_at", since_s);
	put_moment(query, "ending_at", until_s);
}

struct reading {
	const struct report_sink *sink;
	struct arena *arena;
	int64_t at_s;
	bool is_cost;
};

static const char *class_of(struct json type)
{
	static const struct {
		const char *type, *tokens;
	} types[] = {
		{"uncached_input_tokens",                    "input"      },
		{"cache_read_input_tokens",                  "cache_read" },
		{"cache_creation.ephemeral_5m_input_tokens", "cache_write"},
		{"cache_creation.ephemeral_1h_input_tokens", "cache_write"},
		{"output_tokens",                            "output"     },
	};
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (json_is(type, types[i].type))
			return types[i].tokens;
	}
	return NULL;
}

/* What is no model's has a description: "Web Search Usage". */
static enum err take_cost(struct reading *r, struct json v, struct fault *why)
{
	struct report_row row = {.at_s = r->at_s, .tokens = class_of(json_member(v, "token_type"))};
	enum err err = page_currency(v, why);
	if (err)
		return err;
	if (!page_amount(json_member(v, "amount"), 7, r->arena, &row.cost_nusd))
		return page_odd(why, "a cost has no amount");
	err = page_text(v, "model", r->arena, &row.model);
	if (!err && row.model.n == 0)
		err = page_text(v, "description", r->arena, &row.model);
	return err ? err : r->sink->on_row(r->sink->context, &row, true);
}

static enum err take_usage(struct reading *r, struct json v)
{
	const struct json written = json_member(v, "cache_creation");
	const int64_t short_lived = page_count(written, "ephemeral_5m_input_tokens");
	const int64_t long_lived = page_count(written, "ephemeral_1h_input_tokens");
	struct report_row row = {
		.at_s = r->at_s,
		.requests = -1,
		.input = page_count(v, "uncached_input_tokens"),
		.cache_read = page_count(v, "cache_read_input_tokens"),
		.cache_write = short_lived < 0  ? long_lived
			       : long_lived < 0 ? short_lived
						: num_add_sat(short_lived, long_lived),
		.output = page_count(v, "output_tokens"),
	};
	enum err err = page_text(v, "model", r->arena, &row.model);
	if (!err)
		err = page_text(v, "api_key_id", r->arena, &row.key);
	return err ? err : r->sink->on_row(r->sink->context, &row, false);
}

static enum err on_bucket(void *context, struct json bucket, struct fault *why)
{
	struct reading *r = context;
	struct span begins;
	int64_t at_ms;
	enum err err = page_text(bucket, "starting_at", r->arena, &begins);
	if (!err && !http_rfc3339_ms(begins, &at_ms))
		return page_odd(why, "a day of it does not say which");
	if (!err)
		r->at_s = at_ms / 1000;
	for (struct json_walk w = json_each(json_member(bucket, "results")); !err && json_next(&w);)
		err = r->is_cost ? take_cost(r, w.value, why) : take_usage(r, w.value);
	return err;
}

static enum err read_page(const struct report_kind *report, struct span page,
	const struct report_sink *sink, struct arena *a, struct span *next, struct fault *why)
{
	struct reading r = {.sink = sink, .arena = a, .is_cost = report->is_cost};
	return page_read(page, a, next, on_bucket, &r, why);
}

const struct report_api report_api_anthropic = {
	.name = "anthropic",
	.key_advice = "an admin key of the organisation (Console, Settings, Admin keys)",
	.reports = reports,
	.n_reports = COUNT_OF(reports),
	.put_time = put_time,
	.header = {{"anthropic-version", 17}, {"2023-06-01", 10}},
	.read = read_page,
};
