/* interrupt.c - the handler makes one call, which signal handlers may make, or leaves. */
#include "libllmclient/cli/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "libllmclient/cli/options.h"

static _Atomic(llm_stream *) stream;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	llm_stream *s = atomic_exchange(&stream, NULL);
	if (!s)
		_exit(EXIT_INTERRUPTED);
	llm_stream_cancel(s);
}

void interrupt_stops(llm_stream *s)
{
	const struct sigaction act = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
	atomic_store(&stream, s);
	(void)sigaction(SIGINT, &act, NULL); /* fails for bad arguments alone */
}
