/* event_json.h - how does one event look to a person who reads a test's files? */
#ifndef TESTS_LIB_EVENT_JSON_H
#define TESTS_LIB_EVENT_JSON_H
#include "protocol/base/json.h"
#include "protocol/event.h"

/* Appends the event as one JSON object: what is absent is left out, bytes are base64. */
void event_json(struct buf *out, const struct llm_event *e);
/* The members of a usage that are known, into the object that is open. */
void event_json_usage(struct json_out *o, const struct llm_usage *u);

#endif
