/* form_field.h - what does a form that is sent in parts say in a field?
 * multipart/form-data (RFC 7578), read no further than it is clear; nothing is copied. Pure. */
#ifndef BROKERD_EXCHANGE_FORM_FIELD_H
#define BROKERD_EXCHANGE_FORM_FIELD_H
#include "protocol/base/span.h"

/* The value of the one part of that plain name, which is no file; a part of the body. False: there is none, or more than
 * one, or it is no such form. */
bool form_field(struct span content_type, struct span body, const char *name, struct span *value);

#endif
