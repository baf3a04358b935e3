/* head.c - by libmicrohttpd, which has taken it apart. */
#include "libllmclient/bridge/head.h"

#include "protocol/base/num.h"

const char *head_text(struct MHD_Connection *http, const char *name)
{
	return MHD_lookup_connection_value(http, MHD_HEADER_KIND, name);
}

struct span head_span(struct MHD_Connection *http, const char *name)
{
	const char *value = head_text(http, name);
	return value ? span_str(value) : SPAN_NONE;
}

int64_t head_body_bytes(struct MHD_Connection *http)
{
	int64_t n;
	const struct span length = head_span(http, "content-length");
	return span_is_set(length) && num_i64(length, &n) ? n : -1;
}

bool head_has_body(struct MHD_Connection *http)
{
	return head_body_bytes(http) > 0 || head_text(http, "transfer-encoding");
}
