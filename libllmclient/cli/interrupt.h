/* interrupt.h - what does Ctrl-C stop?
 * The answer that is under way, upstream too, and with a second one the program. */
#ifndef LIBLLMCLIENT_CLI_INTERRUPT_H
#define LIBLLMCLIENT_CLI_INTERRUPT_H
#include "llmclient.h"

/* From now on Ctrl-C cancels `s`; NULL: it ends the program, and the broker, which sees the connection
 * close, ends what was asked. */
void interrupt_stops(llm_stream *s);

#endif
