/* refusal.h - how does the bridge say no, where the broker could not be asked?
 * In the words of the API that was spoken, with the status by which its clients do the right thing. Pure. */
#ifndef LIBLLMCLIENT_BRIDGE_REFUSAL_H
#define LIBLLMCLIENT_BRIDGE_REFUSAL_H
#include "libllmclient/bridge/place.h"
#include "protocol/base/buf.h"

/* Appends the body; returns the status. `status` 0: that of the class. */
int refusal_write(
	enum envelope envelope, enum err err, int status, struct span message, struct buf *to);

#endif
