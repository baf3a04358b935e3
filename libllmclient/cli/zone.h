/* zone.h - what do clocks show where the caller is, or where it says?
 * By the C library's zone, which is this program's own: TZ. */
#ifndef LIBLLMCLIENT_CLI_ZONE_H
#define LIBLLMCLIENT_CLI_ZONE_H
#include "protocol/base/json.h"

/* From now on clocks are those of "Europe/Berlin", "UTC"; "local": as they were. False: there is no such zone here. */
bool zone_use(const char *name);

/* Puts [[from_s, offset_s], ...]: by how much they are ahead of UTC, and since when, for that time. */
void zone_put(struct json_out *o, int64_t since_s, int64_t until_s);

#endif
