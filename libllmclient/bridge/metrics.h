/* metrics.h - how does a monitor read what the broker counts?
 * The broker's families as JSON become Prometheus' text format, 0.0.4. Pure. */
#ifndef LIBLLMCLIENT_BRIDGE_METRICS_H
#define LIBLLMCLIENT_BRIDGE_METRICS_H
#include "protocol/base/buf.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* `json`: the answer of the operation `metrics`. What is no name of a metric or of a label is left out. ERR_MALFORMED: it is
 * none; else what befell `out`. */
enum err metrics_write(struct span json, struct buf *out) MUST_USE;

#endif
