/* openai.c - costs by line item, usage by model and key; moments are seconds since 1970. */
#include <inttypes.h>

#include "brokerd/reports/parts.h"
#include "protocol/base/owned.h"

static const struct report_kind reports[] = {
	{"/v1/organization/costs",             "group_by=line_item",                 180, true },
	{"/v1/organization/usage/completions", "group_by=model&group_by=api_key_id", 31,  false},
	{"/v1/organization/usage/embeddings",  "group_by=model&group_by=api_key_id", 31,  false},
};

static void put_time(struct buf *query, int64_t since_s, int64_t until_s)
{
	buf_print(query, "&start_time=%" PRId64 "&end_time=%" PRId64, since_s, until_s);
}

struct reading {
	const struct report_sink *sink;
	struct arena *arena;
	int64_t at_s;
	bool is_cost;
};

/* "gpt-4o-2024-08-06, cached input" */
static const char *class_of(struct span item)
{
	static const struct {
		const char *end, *tokens;
	} ends[] = {
		{", input",        "input"     },
		{", cached input", "cache_read"},
		{", output",       "output"    },
	};
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		if (span_ends(item, span_str(ends[i].end)))
			return ends[i].tokens;
	}
	return NULL;
}

static enum err take_cost(struct reading *r, struct json v, struct fault *why)
{
	struct report_row row = {.at_s = r->at_s};
	const struct json amount = json_member(v, "amount");
	const enum err odd = page_currency(amount, why);
	if (odd)
		return odd;
	if (!page_amount(json_member(amount, "value"), 9, r->arena, &row.cost_nusd))
		return page_odd(why, "a cost has no amount");
	const enum err err = page_text(v, "line_item", r->arena, &row.model);
	row.tokens = class_of(row.model);
	return err ? err : r->sink->on_row(r->sink->context, &row, true);
}

/* Cached input is a part of the input there. */
static enum err take_usage(struct reading *r, struct json v)
{
	struct report_row row = {
		.at_s = r->at_s,
		.requests = page_count(v, "num_model_requests"),
		.input = page_count(v, "input_tokens"),
		.cache_read = page_count(v, "input_cached_tokens"),
		.cache_write = -1,
		.output = page_count(v, "output_tokens"),
	};
	if (row.cache_read > 0 && row.input >= row.cache_read)
		row.input -= row.cache_read;
	enum err err = page_text(v, "model", r->arena, &row.model);
	if (!err)
		err = page_text(v, "api_key_id", r->arena, &row.key);
	return err ? err : r->sink->on_row(r->sink->context, &row, false);
}

static enum err on_bucket(void *context, struct json bucket, struct fault *why)
{
	struct reading *r = context;
	if (!json_i64(json_member(bucket, "start_time"), &r->at_s))
		return page_odd(why, "a day of it does not say which");
	enum err err = OK;
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

const struct report_api report_api_openai = {
	.name = "openai",
	.key_advice =
		"an admin key of the organisation (API platform, Organization settings, Admin "
		"keys)",
	.reports = reports,
	.n_reports = COUNT_OF(reports),
	.put_time = put_time,
	.read = read_page,
};
