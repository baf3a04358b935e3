/* test_reports.c - how reports of costs are asked for, and what their pages say. */
#include "brokerd/reports/reports.h"

#include <inttypes.h>

#include "tests/lib/tap.h"

/* "AT MODEL [CLASS] COST;" of a cost, "AT MODEL KEY REQUESTS INPUT READ WRITTEN OUTPUT;" of usage. */
static enum err write_row(void *context, const struct report_row *r, bool is_cost)
{
	struct buf *out = context;
	buf_print(out, "%" PRId64 " ", r->at_s);
	buf_span(out, span_is_set(r->model) ? r->model : SPAN("-"));
	if (is_cost) {
		buf_print(out, " %s %" PRId64 ";", r->tokens ? r->tokens : "-", r->cost_nusd);
		return buf_error(out);
	}
	buf_byte(out, ' ');
	buf_span(out, span_is_set(r->key) ? r->key : SPAN("-"));
	buf_print(out, " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 ";", r->requests,
		r->input, r->cache_read, r->cache_write, r->output);
	return buf_error(out);
}

/* clang-format off */
static const struct {
	const char *api;
	size_t report;
	const char *page, *want, *next;
} pages[] = {
	{"openai", 0,
		"{\"object\":\"page\",\"data\":[{\"object\":\"bucket\",\"start_time\":1730419200,\"end_time\":1730505600,"
		"\"results\":[{\"amount\":{\"value\":0.06,\"currency\":\"usd\"},\"line_item\":\"gpt-4o-2024-08-06, input\"},"
		"{\"amount\":{\"value\":\"1.5e-07\",\"currency\":\"usd\"},\"line_item\":\"gpt-4o-2024-08-06, cached input\"},"
		"{\"amount\":{\"value\":2,\"currency\":\"usd\"},\"line_item\":\"o3, output\"},"
		"{\"amount\":{\"value\":-0.5},\"line_item\":\"credit\"},"
		"{\"amount\":{\"value\":0.0000000005},\"line_item\":null}]}],"
		"\"has_more\":true,\"next_page\":\"page_2\"}",
		"1730419200 gpt-4o-2024-08-06, input input 60000000;"
		"1730419200 gpt-4o-2024-08-06, cached input cache_read 150;1730419200 o3, output output 2000000000;"
		"1730419200 credit - -500000000;1730419200 - - 1;", "page_2"},
	{"openai", 1,
		"{\"data\":[{\"start_time\":0,\"results\":[{\"num_model_requests\":5,\"model\":\"m\",\"api_key_id\":\"key_1\","
		"\"input_tokens\":1000,\"input_cached_tokens\":800,\"output_tokens\":50}]},{\"start_time\":86400,\"results\":[]},"
		"{\"start_time\":172800,\"results\":[{\"model\":null,\"input_tokens\":-1}]}],\"has_more\":false,\"next_page\":null}",
		"0 m key_1 5 200 800 -1 50;172800 - - -1 -1 -1 -1 -1;", NULL},
	{"anthropic", 0,
		"{\"data\":[{\"starting_at\":\"2025-08-01T00:00:00Z\",\"results\":["
		"{\"amount\":\"123.45\",\"currency\":\"USD\",\"model\":\"claude-haiku-4-5\",\"token_type\":\"uncached_input_tokens\"},"
		"{\"amount\":\"0.0000001\",\"model\":\"claude-haiku-4-5\","
		"\"token_type\":\"cache_creation.ephemeral_1h_input_tokens\"},"
		"{\"amount\":\"10\",\"model\":null,\"description\":\"Web Search Usage\",\"token_type\":null}]}],"
		"\"has_more\":false,\"next_page\":null}",
		"1754006400 claude-haiku-4-5 input 1234500000;1754006400 claude-haiku-4-5 cache_write 1;"
		"1754006400 Web Search Usage - 100000000;", NULL},
	{"anthropic", 1,
		"{\"data\":[{\"starting_at\":\"2025-08-01T00:00:00Z\",\"results\":[{\"model\":\"m\",\"api_key_id\":null,"
		"\"uncached_input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":3,"
		"\"cache_creation\":{\"ephemeral_1h_input_tokens\":1,\"ephemeral_5m_input_tokens\":2}},"
		"{\"model\":\"m\",\"api_key_id\":\"apikey_1\",\"cache_creation\":{\"ephemeral_1h_input_tokens\":4}}]}],"
		"\"has_more\":true,\"next_page\":\"page_MjAyNQ==\"}",
		"1754006400 m - -1 10 5 3 3;1754006400 m apikey_1 -1 -1 -1 4 -1;", "page_MjAyNQ=="},
	{"openai", 0, "{\"data\":[]}", "", NULL},
};

static const struct {
	const char *api, *page;
} refused[] = {
	{"openai", ""},
	{"openai", "<html>"},
	{"openai", "{\"data\":{}}"},
	{"openai", "{\"data\":[{}]}"},
	{"openai", "{\"data\":[{\"start_time\":1.5}]}"},
	{"openai", "{\"data\":[],\"has_more\":true}"},
	{"openai", "{\"data\":[],\"has_more\":true,\"next_page\":\"\"}"},
	{"openai", "{\"data\":[{\"start_time\":0,\"results\":[{}]}]}"},
	{"openai", "{\"data\":[{\"start_time\":0,\"results\":[{\"amount\":{\"value\":\"\"}}]}]}"},
	{"openai", "{\"data\":[{\"start_time\":0,\"results\":[{\"amount\":{\"value\":\"1 USD\"}}]}]}"},
	{"openai", "{\"data\":[{\"start_time\":0,\"results\":[{\"amount\":{\"value\":1e300}}]}]}"},
	{"openai", "{\"data\":[{\"start_time\":0,\"results\":[{\"amount\":{\"value\":1,\"currency\":\"eur\"}}]}]}"},
	{"anthropic", "{\"data\":[{\"starting_at\":\"yesterday\"}]}"},
	{"anthropic", "{\"data\":[{\"starting_at\":\"2025-08-01T00:00:00Z\",\"results\":[{\"amount\":null}]}]}"},
	{"anthropic", "{\"data\":[{\"starting_at\":\"2025-08-01T00:00:00Z\",\"results\":[{\"amount\":\"1\",\"currency\":\"EUR\"}]}]}"},
};

static const struct {
	const char *api;
	size_t report;
	const char *page, *want;
} urls[] = {
	{"openai", 0, NULL, "//v1/organization/costs?bucket_width=1d&limit=180&group_by=line_item&start_time=86400&end_time=172800"},
	{"openai", 1, "a&b=", "//v1/organization/usage/completions?bucket_width=1d&limit=31&group_by=model&group_by=api_key_id"
		"&start_time=86400&end_time=172800&page=a%26b%3D"},
	{"anthropic", 0, NULL, "//v1/organizations/cost_report?bucket_width=1d&limit=31&group_by%5B%5D=description"
		"&starting_at=1970-01-02T00%3A00%3A00Z&ending_at=1970-01-03T00%3A00%3A00Z"},
};
/* clang-format on */

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(pages); i++) {
		const struct report_api *api = report_api_find(span_str(pages[i].api));
		OWNED(arena_done) struct arena a;
		OWNED(buf_done) struct buf out = BUF_INIT(4096);
		struct fault why = FAULT_NONE;
		struct span next = SPAN_NONE;
		const struct report_sink sink = {write_row, &out};
		arena_init(&a, 1 << 20);
		const enum err err = api->read(&api->reports[pages[i].report],
			span_str(pages[i].page), &sink, &a, &next, &why);
		is_err(err, OK, "a page of %s is read: %s", pages[i].api, why.message);
		is_mem(out.p, out.n, pages[i].want, strlen(pages[i].want), "its rows");
		is_mem(next.p, next.n, pages[i].next, pages[i].next ? strlen(pages[i].next) : 0,
			"and where it goes on");
	}
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		const struct report_api *api = report_api_find(span_str(refused[i].api));
		OWNED(arena_done) struct arena a;
		OWNED(buf_done) struct buf out = BUF_INIT(4096);
		struct fault why = FAULT_NONE;
		struct span next = SPAN_NONE;
		const struct report_sink sink = {write_row, &out};
		arena_init(&a, 1 << 20);
		is_err(api->read(
			       &api->reports[0], span_str(refused[i].page), &sink, &a, &next, &why),
			ERR_SERVER_ERROR, "%s is no report of %s", refused[i].page, refused[i].api);
		ok(why.message[0] != '\0', "which is said");
	}
	for (size_t i = 0; i < COUNT_OF(urls); i++) {
		const struct report_api *api = report_api_find(span_str(urls[i].api));
		OWNED(buf_done) struct buf out = BUF_INIT(4096);
		report_url(api, &api->reports[urls[i].report], 86400, 172800,
			span_str(urls[i].page), &out);
		is_mem(out.p, out.n, urls[i].want, strlen(urls[i].want), "an address of %s",
			urls[i].api);
	}
	ok(report_api_find(SPAN("gemini")) == NULL, "not everybody has reports");
	return tap_done();
}
