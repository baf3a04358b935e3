/* command.h - what does a command print?
 * The broker's side of the helper process (source_helper.h): it is started when first needed, and anew
 * when it died; then what it was at is asked once more. Nothing here waits. */
#ifndef BROKERD_VAULT_COMMAND_H
#define BROKERD_VAULT_COMMAND_H
#include "brokerd/loop/loop.h"
#include "protocol/base/span.h"

#define COMMAND_MS 30000 /* that a command may take */

struct commands;

/* NULL: out of memory. `limit_ms` is COMMAND_MS but in tests. */
struct commands *commands_new(struct loop *l, int64_t limit_ms);
/* Ends the helper; nobody waits any more. NULL is fine. */
void commands_free(struct commands *c);

/* Starts the helper where it does not run: early, before anything keeps the broker from it. ERR_IO. */
enum err commands_prepare(struct commands *c, struct fault *why) MUST_USE;

/* Who waits; embedded and zeroed. */
struct command_run {
	struct command_run *prev, *next;
	struct commands *commands; /* NULL: it does not wait */
	uint32_t id;
	struct span words;
	bool is_again; /* it was asked of a helper that died */
	bool is_lost;  /* twice: it will be told */
	struct loop_timer late;
	/* `line` is wiped when it returns; absent: *why says what failed. Once, never from inside
	 * command_start. */
	void (*on_line)(struct command_run *r, struct span line, const struct fault *why);
};

/* Runs `words` (each with a NUL behind it, the first an absolute path; they stay while it waits). ERR_IO: it cannot be asked for. */
enum err command_start(
	struct commands *c, struct command_run *r, struct span words, struct fault *why) MUST_USE;
void command_leave(struct command_run *r); /* harmless where it does not wait */

#endif
