/* answer.h - what is told to who asked?
 * A status, headers, and a body that is whole or comes in pieces; the broker's, or a no of our own in the words of the API. */
#ifndef LIBLLMCLIENT_BRIDGE_ANSWER_H
#define LIBLLMCLIENT_BRIDGE_ANSWER_H
#include <llmclient.h>
#include <microhttpd.h>

#include "libllmclient/bridge/place.h"
#include "protocol/base/buf.h"

#define ANSWER_HEADERS_MAX 64 /* more are left out */

struct answer {
	const struct place *place; /* of the request */
	int status;                /* 0: there is none yet */
	struct answer_header {
		char *name, *value;
	} headers[ANSWER_HEADERS_MAX];
	size_t n_headers;
	bool is_stream;   /* its body comes in pieces */
	struct buf whole; /* or here */
	char origin[256]; /* of a page that may read it; "" none */
};

/* `place` outlives it. */
void answer_init(struct answer *a, const struct place *place);
void answer_done(struct answer *a);

/* The page that asks may read whatever it will be. Absent: it is no page. */
void answer_let_read(struct answer *a, struct span origin);

/* A no, whatever was there before. `status` 0: that of the class. `message` empty: the sentence of the class. */
void answer_refuse(struct answer *a, enum err err, int status, const char *message);
/* The same, as the library says it: the broker was not reached, or was lost before it said anything. */
void answer_refuse_as_told(struct answer *a, const llm_error *e);
/* The bridge itself was asked, whether it is there, or by a page whether it may ask. */
void answer_health(struct answer *a, struct MHD_Connection *http, const char *method);
/* What the broker has counted is in `whole`, as it says it. */
void answer_metrics(struct answer *a);
/* The broker's LLM_EV_HEAD. */
void answer_head(struct answer *a, const llm_event *head);
/* What it cost, which is known where all of it is. */
void answer_cost(struct answer *a, const llm_usage *usage);

/* It is told. A body in pieces is `read`, as libmicrohttpd has it; it and a whole one stay where they are until the request
 * is over. */
enum MHD_Result answer_tell(const struct answer *a, struct MHD_Connection *http,
	MHD_ContentReaderCallback read, void *context);

#endif
