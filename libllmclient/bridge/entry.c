/* entry.c - what two readers would take for different requests is none. */
#include "libllmclient/bridge/entry.h"

#include <strings.h>

#include "libllmclient/bridge/head.h"

enum err entry_admit(const struct bridge *b, const struct caller *who, struct MHD_Connection *http,
	struct fault *why)
{
	const struct span origin = head_span(http, "origin");
	*why = who->refused;
	if (why->err || who->is_local_socket)
		return why->err;
	enum err err = door_host(&b->door, head_span(http, "host"), why);
	if (!err)
		err = door_origin(&b->door, origin, why);
	if (!err && !span_is_set(origin))
		err = door_site(head_span(http, "sec-fetch-site"), why);
	return err;
}

struct framing {
	int lengths, encodings, hosts;
	bool is_known; /* chunks are all that is taken apart here */
};

static enum MHD_Result note_framing(
	void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *f = context;
	(void)kind;
	f->lengths += strcasecmp(name, "content-length") == 0;
	f->hosts += strcasecmp(name, "host") == 0;
	if (strcasecmp(name, "transfer-encoding") == 0) {
		f->encodings++;
		f->is_known = value && strcasecmp(value, "chunked") == 0;
	}
	return MHD_YES;
}

/* NULL: it is clear where it ends, and for whom it is. */
static const char *unclear(struct MHD_Connection *http)
{
	struct framing f = {.is_known = true};
	(void)MHD_get_connection_values(http, MHD_HEADER_KIND, note_framing, &f);
	if (f.lengths + f.encodings > 1)
		return "a body has one content-length, or else one transfer-encoding";
	if (!f.is_known)
		return "of transfer-encodings there is \"chunked\" alone";
	return f.hosts > 1 ? "there is more than one host" : NULL;
}

bool entry_is_preflight(struct MHD_Connection *http, const char *method)
{
	return strcmp(method, "OPTIONS") == 0 && head_span(http, "origin").n > 0;
}

enum err entry_check(const struct place *p, struct MHD_Connection *http, const char *method,
	int *status, struct fault *why)
{
	const struct span encoding = head_span(http, "content-encoding");
	const char *wrong = unclear(http);
	if (wrong)
		return fault_set(why, ERR_INVALID_REQUEST, "%s", wrong);
	if (head_text(http, "upgrade")) { /* some try it first, and go on as ever */
		*status = MHD_HTTP_UPGRADE_REQUIRED;
		return fault_set(why, ERR_UNSUPPORTED,
			"there is no other protocol here: ask by a plain request");
	}
	if (entry_is_preflight(http, method))
		return OK;
	if (p->kind == PLACE_NOWHERE)
		return fault_set(why, ERR_NOT_FOUND,
			"there is nothing at this path: the surfaces are /v1/chat/completions, "
			"/v1/responses, /v1/messages, /v1beta/models/..., /v1/embeddings, "
			"/v1/models "
			"and others; a provider's own endpoint is /native/PROVIDER/...");
	if (!place_takes(p, span_str(method))) {
		*status = MHD_HTTP_METHOD_NOT_ALLOWED;
		return fault_set(why, ERR_UNSUPPORTED, "there is no such method at this path");
	}
	if (span_is_set(encoding) && !span_is_nocase(encoding, "identity")) {
		*status = MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
		return fault_set(why, ERR_UNSUPPORTED,
			"bodies are taken as they are: send this one without a content-encoding");
	}
	if (head_body_bytes(http) > (int64_t)ENTRY_BODY_MAX)
		return fault_set(why, ERR_TOO_BIG, "a body has at most 64 MiB");
	return OK;
}
