/* secret_open.h - who may read a secret's bytes?
 * transport/sign.c, the vault that seals them and auth/ that signs with them: the lint refuses any
 * other include of this header. */
#ifndef BROKERD_VALUE_SECRET_OPEN_H
#define BROKERD_VALUE_SECRET_OPEN_H
#include "brokerd/value/secret.h"

/* Makes the bytes readable until secret_close; calls nest. The span is dead after it. */
struct span secret_open(struct secret *s);
void secret_close(struct secret *s);

#endif
