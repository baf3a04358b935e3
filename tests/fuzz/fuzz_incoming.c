/* fuzz_incoming.c - any bytes as a request of a caller who speaks a family: what is read is written for
 * the same family, as JSON. The first byte picks the family: '0' is the first of the registry's. */
#include <assert.h>

#include "protocol/base/json.h"
#include "protocol/limits.h"
#include "tests/lib/feed.h"
#include "tests/lib/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FAMILIES = 32 };

static struct {
	const struct dialect *dialect;
	struct config *config; /* which the target borrows from; never let go */
	struct target target;
} families[FAMILIES];
static size_t n_families;

static void find_families(void)
{
	static struct arena a;
	arena_init(&a, LIMIT_CONFIG_BYTES);
	for (const struct dialect *const *d = dialect_all(); *d; d++) {
		const struct dialect_op *op = (*d)->ops[LLM_OP_CHAT];
		const struct host_wish wish = {.family = span_str((*d)->family)};
		struct fault why;
		if (!op || !op->decode_request || !op->encode_request)
			continue;
		assert(n_families < FAMILIES);
		families[n_families].dialect = *d;
		families[n_families].config =
			host_target(&wish, &a, &families[n_families].target, &why);
		assert(families[n_families].config);
		n_families++;
	}
}

static void write_again(const struct dialect_op *op, const struct llm_request *r,
	const struct target *target, struct notes *notes)
{
	struct json_rules rules = JSON_STRICT;
	struct http_request http = {.n_headers = 0};
	struct fault why = FAULT_NONE;
	struct json v;
	const enum err err = dialect_encode(op, r, target, &FEED_ENV, notes, &http, &why);
	assert(err == why.err && (err == OK || why.message[0]));
	rules.has_unique_names = true;
	rules.free_inside = (const char *const[]){"parameters", "input_schema", "schema", "json",
		"arguments", "input", "args", "response", "labels", "responseSchema",
		"responseJsonSchema", "parametersJsonSchema", NULL};
	assert(err || json_scan(http.body, rules, &v, &why) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(arena_done) struct arena a;
	const struct surface_call call = {.surface = SPAN("fuzz"),
		.method = SPAN("POST"),
		.path = SPAN("/v1beta/models/gemini-2.5-flash:generateContent")};
	struct llm_request r;
	struct notes notes;
	struct fault why = FAULT_NONE;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	if (n_families == 0)
		find_families();
	if (size < 1)
		return 0;
	const size_t which = (uint8_t)(data[0] - '0') % n_families;
	const struct dialect_op *op = families[which].dialect->ops[LLM_OP_CHAT];
	notes_init(&notes, &a);
	const enum err err = op->decode_request(
		&call, span_of((const char *)data + 1, size - 1), &a, &r, &notes, &why);
	assert(err == why.err && (err == OK || why.message[0]));
	if (!err)
		write_again(op, &r, &families[which].target, &notes);
	return 0;
}
