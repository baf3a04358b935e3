/* warm_line.c - what stands in it tells the form. */
#include "libllmclient/cli/warm_line.h"

static const struct {
	const char *url, *surface;
} places[] = {
	{"/v1/chat/completions", "openai.chat"       },
	{"/v1/completions",      "openai.completions"},
	{"/v1/responses",        "openai.responses"  },
	{"/v1/embeddings",       "openai.embeddings" },
	{"/v1/moderations",      "openai.moderations"},
	{"/v1/messages",         "anthropic.messages"},
	{"/v1/rerank",           "rerank"            },
};

/* What only one API's body has, of those that may stand alone. */
static const struct {
	const char *member, *surface;
} marks[] = {
	{"messages", "openai.chat"       },
	{"input",    "openai.embeddings" },
	{"prompt",   "openai.completions"},
};

static enum err find_place(struct json line, struct warm_call *out, struct fault *why)
{
	const struct json method = json_member(line, "method"), url = json_member(line, "url");
	if (json_kind(method) != JSON_ABSENT && !json_is(method, "POST"))
		return fault_set(why, ERR_UNSUPPORTED, "its \"method\" is not POST");
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		if (json_is(url, places[i].url)) {
			out->surface = places[i].surface;
			return OK;
		}
	}
	return fault_set(why, ERR_UNSUPPORTED,
		"its \"url\" is none whose answers are kept: /v1/chat/completions, /v1/messages, "
		"/v1/responses, /v1/embeddings, ...");
}

static enum err find_mark(struct json line, struct warm_call *out, struct fault *why)
{
	for (size_t i = 0; i < COUNT_OF(marks); i++) {
		if (json_kind(json_member(line, marks[i].member)) != JSON_ABSENT) {
			out->surface = marks[i].surface;
			return OK;
		}
	}
	return fault_set(why, ERR_INVALID_REQUEST,
		"it is no request: it has none of \"messages\", \"input\", \"prompt\", \"body\" "
		"and \"params\"");
}

enum err warm_line(struct span text, struct warm_call *out, struct fault *why)
{
	struct json line;
	enum err err = json_scan(text, JSON_STRICT, &line, why);
	if (err)
		return err;
	if (json_kind(line) != JSON_OBJECT)
		return fault_set(why, ERR_INVALID_REQUEST, "it is no JSON object");
	const struct json body = json_member(line, "body"), params = json_member(line, "params");
	struct json asked = line;
	if (json_kind(body) == JSON_OBJECT) {
		asked = body;
		err = find_place(line, out, why);
	} else if (json_kind(params) == JSON_OBJECT) {
		asked = params;
		out->surface = "anthropic.messages";
	} else {
		err = find_mark(line, out, why);
	}
	out->body = asked.text;
	return err;
}
