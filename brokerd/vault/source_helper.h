/* source_helper.h - who runs a person's command that prints a key?
 * A process of its own, the same program started anew, with nothing in it: no key, no descriptor but
 * its socket, no thread, no variable of whoever started the broker. It lives as long as that socket.
 *
 * It is two: one that listens, and its parent, which starts another when that dies. So the broker has none
 * to start, which by then may be kept from it.
 *
 * The socket is descriptor 0, and keeps messages apart (SOCK_SEQPACKET), little endian:
 *     asked       u32 id | u32 milliseconds | words, each with a NUL behind it
 *     answered    u32 id | u8 1: the first line that was printed; 0: why there is none
 *                 u32 0: who listened has died, and whatever was asked is to be asked again
 * Commands run side by side. Each is a group of its own, which is ended when its time is over or the
 * broker is gone. */
#ifndef BROKERD_VAULT_SOURCE_HELPER_H
#define BROKERD_VAULT_SOURCE_HELPER_H
#include "brokerd/config/key_source.h"
#include "protocol/limits.h"

#define SOURCE_HELPER_OPTION "--source-helper" /* the only argument of such a process */

#define SOURCE_ASKED_MAX    ((size_t)8 + KEY_SOURCE_BYTES_MAX)
#define SOURCE_ANSWERED_MAX ((size_t)5 + LIMIT_SECRET_BYTES)

/* Returns the exit status, when the socket is closed. */
int source_helper_main(void);

#endif
