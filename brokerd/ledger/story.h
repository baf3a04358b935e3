/* story.h - what do the ledger's rows say of one request?
 * On the thread that may touch the ledger, or its reader. */
#ifndef BROKERD_LEDGER_STORY_H
#define BROKERD_LEDGER_STORY_H
#include "brokerd/ledger/ledger.h"
#include "protocol/base/buf.h"

#define STORY_STEPS_MAX 1000

/* Appends {"id","from":"ledger","at_us","is_over":true,"op","model","outcome","class","attempts","total_us","ttft_us",
 * "queued_us","cost_nusd","steps":[{"step":"attempt","at_us" (since then),"provider","model","key","us","number","outcome",
 * "class","http_status","connect_us","first_byte_us","cost_nusd"}],"left_out":N}; what is not known is left out.
 * ERR_INVALID_ARGUMENT: there is no such request; ERR_IO. */
enum err story_of(struct ledger *g, struct span id, struct buf *json, struct fault *why) MUST_USE;

#endif
