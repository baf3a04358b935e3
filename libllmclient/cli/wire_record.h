/* wire_record.h - what was in a tool's file before llmb wrote into it, and what then?
 * In $XDG_STATE_HOME/llmb/wire, for the user alone. */
#ifndef LIBLLMCLIENT_CLI_WIRE_RECORD_H
#define LIBLLMCLIENT_CLI_WIRE_RECORD_H
#include "libllmclient/cli/settings_file.h"

struct wire_record {
	bool is_there; /* there is one */
	char path[PATH_MAX],
		made[PATH_MAX]; /* of the file; the first folder that was made for it, "" none */
	bool was_there;         /* the file, before */
	struct settings_file said, before, after; /* the record's own files */
};

/* Of a tool's nth file. OK also where there is none. */
enum err wire_record_read(
	struct wire_record *r, const char *tool, size_t nth, struct fault *why) MUST_USE;

/* A descriptor; until it is closed no other llmb writes what is read meanwhile. -1: there are no records yet. */
int wire_record_hold(void);

/* Waits until no other llmb writes records, or what they are of; until *lock is closed none will. */
enum err wire_record_lock(struct wire_record *r, int *lock, struct fault *why) MUST_USE;

/* Is it still what was read? ERR_IO: another llmb has written meanwhile. */
enum err wire_record_check(const struct wire_record *r, struct fault *why) MUST_USE;

/* Keeps what it says, with these texts. What it says holds only once this returned OK. */
enum err wire_record_keep(
	struct wire_record *r, struct span before, struct span after, struct fault *why) MUST_USE;

enum err wire_record_forget(struct wire_record *r, struct fault *why) MUST_USE;

/* Where the text from before is kept. */
const char *wire_record_backup(const struct wire_record *r);

void wire_record_done(struct wire_record *r);

#endif
