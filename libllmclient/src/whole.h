/* whole.h - how is a whole answer waited for? */
#ifndef LIBLLMCLIENT_SRC_WHOLE_H
#define LIBLLMCLIENT_SRC_WHOLE_H
#include "libllmclient/src/client.h"
#include "libllmclient/src/request.h"

/* Asks for `op`, whatever operation the request is for by itself, and waits for the whole answer,
 * which is the caller's. NULL: it failed, and the client knows why; or there is no client. */
llm_result *whole_of(llm_client *c, const llm_request *r, enum llm_op op);

#endif
