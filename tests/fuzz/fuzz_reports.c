/* fuzz_reports.c - any bytes as a page of a provider's report. The first byte says of which. */
#include <assert.h>
#include <stdint.h>

#include "brokerd/reports/reports.h"
#include "protocol/base/owned.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err check_row(void *context, const struct report_row *r, bool is_cost)
{
	(void)context, (void)is_cost;
	assert(!span_is_set(r->model) || utf8_is_valid(r->model));
	assert(!span_is_set(r->key) || utf8_is_valid(r->key));
	assert(is_cost || (r->input >= -1 && r->cache_read >= -1 && r->cache_write >= -1 &&
				  r->output >= -1 && r->requests >= -1));
	return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct report_api *const apis[] = {&report_api_openai, &report_api_anthropic};
	OWNED(arena_done) struct arena a;
	struct fault why = FAULT_NONE;
	struct span next = SPAN_NONE;
	if (size == 0)
		return 0;
	const struct report_api *api = apis[data[0] % COUNT_OF(apis)];
	const struct report_kind *r = &api->reports[data[0] / COUNT_OF(apis) % api->n_reports];
	const struct report_sink sink = {check_row, NULL};
	arena_init(&a, LIMIT_REQUEST_ARENA);
	const enum err err =
		api->read(r, span_of((const char *)data + 1, size - 1), &sink, &a, &next, &why);
	assert(!err || err == ERR_NO_MEMORY || why.message[0] != '\0');
	return 0;
}
