/* surface.h - which public API does a relayed call speak, and what did its caller send?
 * The body itself travels in data frames, and is nobody's to interpret here. */
#ifndef PROTOCOL_SURFACE_H
#define PROTOCOL_SURFACE_H
#include "protocol/request.h"

/* A call on a surface ("openai.chat"), or, where `provider` is set, on one provider's own endpoint
 * that nobody translates. Spans are borrowed from the packed bytes, arrays from the arena. */
struct surface_call {
	struct span surface;  /* "openai.chat" "anthropic.messages" ...; absent for a native call */
	struct span provider; /* native: whose origin */
	struct span op;       /* "create" "get" "delete" "list"; absent: create */
	struct span method;   /* "POST" */
	struct span path;     /* as the caller sent it, undecoded: "/v1/chat/completions" */
	struct span query;    /* without its question mark */
	struct string_pair *headers; /* those on the allow-list, names in lower case */
	size_t n_headers;
	struct span content_type;
};

/* ERR_INVALID_REQUEST names the member; ERR_NO_MEMORY. */
enum err surface_unpack(
	struct pack_in in, struct arena *a, struct surface_call *out, struct fault *why) MUST_USE;
void surface_pack(const struct surface_call *s, struct buf *out);

#endif
