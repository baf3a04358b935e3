/* test_warm_line.c - which call does a line make? */
#include "libllmclient/cli/warm_line.h"
#include "tests/lib/tap.h"

/* clang-format off */
static const struct {
	const char *name, *line; /* with ' for " */
	enum err want;
	const char *surface, *body;
} rows[] = {
	{"a chat", "{'model':'m','messages':[ {'role':'user'}]}", OK, "openai.chat",
		"{'model':'m','messages':[ {'role':'user'}]}"},
	{"an embedding", "{'input':'x','model':'m'}", OK, "openai.embeddings", "{'input':'x','model':'m'}"},
	{"a completion", "{'prompt':'x'}", OK, "openai.completions", "{'prompt':'x'}"},
	{"messages before input", "{'input':1,'messages':[]}", OK, "openai.chat", "{'input':1,'messages':[]}"},
	{"a batch's line", "{'custom_id':'1','method':'POST','url':'/v1/responses','body':{ 'input' : 'x' }}", OK,
		"openai.responses", "{ 'input' : 'x' }"},
	{"without its method", "{'url':'/v1/messages','body':{}}", OK, "anthropic.messages", "{}"},
	{"its other places", "{'url':'/v1/rerank','body':{}}", OK, "rerank", "{}"},
	{"Anthropic's", "{'custom_id':'1','params':{'messages':[]}}", OK, "anthropic.messages", "{'messages':[]}"},
	{"a body that is none is a member", "{'messages':[],'body':1,'params':[]}", OK, "openai.chat",
		"{'messages':[],'body':1,'params':[]}"},
	{"another method", "{'method':'GET','url':'/v1/messages','body':{}}", ERR_UNSUPPORTED, NULL, NULL},
	{"another place", "{'url':'/v1/files','body':{}}", ERR_UNSUPPORTED, NULL, NULL},
	{"a longer place", "{'url':'/v1/messages/','body':{}}", ERR_UNSUPPORTED, NULL, NULL},
	{"no place", "{'body':{}}", ERR_UNSUPPORTED, NULL, NULL},
	{"none of these", "{'model':'m'}", ERR_INVALID_REQUEST, NULL, NULL},
	{"an empty object", "{}", ERR_INVALID_REQUEST, NULL, NULL},
	{"a list", "[{'messages':[]}]", ERR_INVALID_REQUEST, NULL, NULL},
	{"a text", "'messages'", ERR_INVALID_REQUEST, NULL, NULL},
	{"half of one", "{'messages':[]", ERR_MALFORMED, NULL, NULL},
	{"two of them", "{'messages':[]}{'messages':[]}", ERR_MALFORMED, NULL, NULL},
	{"nothing", "", ERR_MALFORMED, NULL, NULL},
};
/* clang-format on */

static struct span quoted(const char *text, struct buf *room)
{
	for (; text && *text; text++)
		buf_byte(room, *text == '\'' ? '"' : *text);
	return buf_view(room);
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		OWNED(buf_done)
		struct buf line = BUF_INIT(4096), body = BUF_INIT(4096), got = BUF_INIT(4096);
		struct warm_call call = {.surface = NULL};
		struct fault why = FAULT_NONE;
		const struct span text = quoted(rows[i].line, &line);
		is_err(warm_line(text, &call, &why), rows[i].want, "%s", rows[i].name);
		if (rows[i].want) {
			ok(why.message[0] != '\0', "%s: it is said why", rows[i].name);
			continue;
		}
		is_str(call.surface, rows[i].surface, "%s: whose", rows[i].name);
		(void)quoted(rows[i].body, &body);
		buf_byte(&body, '\0');
		buf_span(&got, call.body);
		buf_byte(&got, '\0');
		is_str(got.p, body.p, "%s: its body, byte for byte", rows[i].name);
	}
	return tap_done();
}
