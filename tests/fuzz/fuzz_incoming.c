/* fuzz_incoming.c - any bytes as a request of a caller who speaks a family: what is read is written for
 * the same family, as JSON. The first byte picks the family: '0' is the first of the registry's. The
 * second one picks the operation where it is a digit, and belongs to a chat where it is none. */
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
	if (!err && span_is_set(http.body))
		assert(json_scan(http.body, rules, &v, &why) == OK);
}

/* The bytes are a body; of models, which have none, they are the path and the query. */
static void ask(const struct dialect_op *op, enum llm_op which, struct span bytes,
	const struct target *target)
{
	OWNED(arena_done) struct arena a;
	struct surface_call call = {.surface = SPAN("fuzz"),
		.method = SPAN("POST"),
		.path = which == LLM_OP_COUNT
				? SPAN("/v1beta/models/gemini-2.5-flash:countTokens")
				: SPAN("/v1beta/models/gemini-2.5-flash:generateContent")};
	struct llm_request r;
	struct notes notes;
	struct fault why = FAULT_NONE;
	if (which == LLM_OP_MODELS) {
		call.query = bytes;
		call.path = span_cut(&call.query, '?');
	}
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	const enum err err = op->decode_request(&call, bytes, &a, &r, &notes, &why);
	assert(err == why.err && (err == OK || why.message[0]));
	if (!err)
		write_again(op, &r, target, &notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of((const char *)data, size);
	enum llm_op which = LLM_OP_CHAT;
	if (n_families == 0)
		find_families();
	if (size < 1)
		return 0;
	const size_t family = (uint8_t)(data[0] - '0') % n_families;
	bytes = span_skip(bytes, 1);
	if (bytes.n > 0 && bytes.p[0] >= '0' && bytes.p[0] <= '9') {
		which = (enum llm_op)((bytes.p[0] - '0') % LLM_OP_COUNT_OF);
		bytes = span_skip(bytes, 1);
	}
	const struct dialect_op *op = dialect_operation(families[family].dialect, which);
	if (op && op->decode_request)
		ask(op, which, bytes, &families[family].target);
	return 0;
}
