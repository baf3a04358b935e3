/* admin.c - an administrative operation as a request, for who does not wait for its answer. */
#include "libllmclient/src/request.h"

llm_request *llm_admin_new(const char *op, const char *json)
{
	struct builder *b = builder_new(CALL_ADMIN);
	if (!b)
		return NULL;
	/* a failure sticks, and is what starting the request returns */
	if (builder_take(b, "the operation", op, &b->admin_op))
		(void)builder_text(b, span_str(json ? json : "{}"), &b->body);
	return &b->request;
}
