/* test_bridge_refusal.c - does each API's client read a no of the bridge as one of its own? */
#include "libllmclient/bridge/refusal.h"
#include "protocol/base/json.h"
#include "tests/lib/tap.h"

#define OPENAI(message, type, code)                                \
	"{\"error\":{\"message\":\"" message "\",\"type\":\"" type \
	"\",\"param\":null,\"code\":" code "}}"
#define ANTHROPIC(type, message) \
	"{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" message "\"}}"
#define GEMINI(code, message, status) \
	"{\"error\":{\"code\":" code ",\"message\":\"" message "\",\"status\":\"" status "\"}}"

/* clang-format off */
static const struct {
	const char *name;
	enum envelope envelope;
	enum err err;
	int status;
	const char *message;
	int told;
	const char *body;
} refusals[] = {
	{"openai", ENVELOPE_OPENAI, ERR_UNREACHABLE, 0, "run it",
		503, OPENAI("run it", "server_error", "\"unreachable\"")},
	{"openai without a code", ENVELOPE_OPENAI, ERR_INVALID_REQUEST, 0, "no",
		400, OPENAI("no", "invalid_request_error", "null")},
	{"anthropic", ENVELOPE_ANTHROPIC, ERR_DENIED, 0, "no", 403, ANTHROPIC("permission_error", "no")},
	{"anthropic's own status", ENVELOPE_ANTHROPIC, ERR_OVERLOADED, 0, "no", 529, ANTHROPIC("overloaded_error", "no")},
	{"gemini", ENVELOPE_GEMINI, ERR_NOT_FOUND, 0, "no", 404, GEMINI("404", "no", "NOT_FOUND")},
	{"another status", ENVELOPE_GEMINI, ERR_UNSUPPORTED, 405, "no", 405, GEMINI("405", "no", "FAILED_PRECONDITION")},
	{"what cannot stand in JSON", ENVELOPE_OPENAI, ERR_INVALID_REQUEST, 0, "a\"b\\c\r\n\x01\xc3\xa4",
		400, OPENAI("a\\\"b\\\\c\\r\\n\\u0001\xc3\xa4", "invalid_request_error", "null")},
	{"what is no text", ENVELOPE_ANTHROPIC, ERR_DENIED, 0, "a\xff" "b", 403, ANTHROPIC("permission_error", "a\xef\xbf\xbd" "b")},
	{"the class's own sentence", ENVELOPE_GEMINI, ERR_NO_MEMORY, 0, "",
		503, GEMINI("503", "out of memory", "RESOURCE_EXHAUSTED")},
};
/* clang-format on */

static const enum err all[] = {
#define FAULT(name, number, ...) ERR_##name,
#include "protocol/base/err.def"
#undef FAULT
};

static enum err is_json(const struct buf *text)
{
	struct json v;
	return json_scan(buf_view(text), JSON_STRICT, &v, NULL);
}

/* Bytes that are no text are a header's value at times, and a part of what is told then. */
static void any_bytes(void)
{
	for (int b = 0; b < 256; b++) {
		OWNED(buf_done) struct buf to = BUF_INIT(4096);
		const char text[] = {'a', (char)b, 'z', (char)b};
		(void)refusal_write(
			ENVELOPE_ANTHROPIC, ERR_DENIED, 0, span_of(text, sizeof text), &to);
		is_err(is_json(&to), OK, "byte %d gives JSON", b);
	}
}

/* Each class has a status that a client knows, in each envelope. */
static void every_class(void)
{
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		const struct err_info *info = err_info(all[i]);
		for (int e = ENVELOPE_OPENAI; e <= ENVELOPE_GEMINI; e++) {
			OWNED(buf_done) struct buf to = BUF_INIT(4096);
			const int status =
				refusal_write((enum envelope)e, all[i], 0, SPAN("why"), &to);
			is_int(status,
				e == ENVELOPE_ANTHROPIC ? info->anthropic_status
							: info->http_status,
				"%s in envelope %d", info->word, e);
			is_err(is_json(&to), OK, "%s in envelope %d: JSON", info->word, e);
		}
	}
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		OWNED(buf_done) struct buf to = BUF_INIT(4096);
		const int told = refusal_write(refusals[i].envelope, refusals[i].err,
			refusals[i].status, span_str(refusals[i].message), &to);
		is_int(told, refusals[i].told, "%s", refusals[i].name);
		is_mem(to.p, to.n, refusals[i].body, strlen(refusals[i].body), "%s: its body",
			refusals[i].name);
	}
	any_bytes();
	every_class();
	return tap_done();
}
