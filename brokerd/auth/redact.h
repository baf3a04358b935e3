/* redact.h - which parts of a text are parts of a key?
 * Providers and token endpoints quote what they were sent: whole or shortened, as it is or escaped. Of
 * what they say of a failure, every REDACT_BYTES in a row that are also in a key become asterisks. What
 * everybody knows of one is no part of it: the "sk-proj-" that it begins with, the id of AWS's access key,
 * the name of an account. Not for the answers of models, where eight letters of somebody's own key may be
 * a word: transport/scrub.h looks for whole keys there. No I/O; linear in the text. */
#ifndef BROKERD_AUTH_REDACT_H
#define BROKERD_AUTH_REDACT_H
#include "brokerd/value/secret.h"

#define REDACT_BYTES 8

/* Changes `n` bytes of text in place. `key` is a line of the vault (credential.h), or a token; NULL:
 * there is none. `also` is secret beside it; may be absent. */
void redact_text(struct secret *key, struct span also, char *text, size_t n);

/* The same for all that a fault says in words that may be foreign: before ours are added. */
void redact_fault(struct secret *key, struct fault *why);

#endif
