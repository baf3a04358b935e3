/* head.h - what does the head of an HTTP request say?
 * What is returned lies in libmicrohttpd's memory, and lives as long as the request. */
#ifndef LIBLLMCLIENT_BRIDGE_HEAD_H
#define LIBLLMCLIENT_BRIDGE_HEAD_H
#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/base/span.h"

/* The value of a header; NULL: there is none. Of several, the first. */
const char *head_text(struct MHD_Connection *http, const char *name);
/* The same; absent: there is none. */
struct span head_span(struct MHD_Connection *http, const char *name);

/* As long as it says that its body is; -1: it does not say. */
int64_t head_body_bytes(struct MHD_Connection *http);
bool head_has_body(struct MHD_Connection *http);

#endif
