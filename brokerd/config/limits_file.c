/* limits_file.c - read like the configuration, and as suspiciously. */
#include "brokerd/config/limits_file.h"

#include <limits.h>
#include <stdio.h>

#include "brokerd/config/ini.h"
#include "brokerd/config/trusted.h"

static void path_of(char path[PATH_MAX], const char *state_dir)
{
	(void)snprintf(path, PATH_MAX, "%.4000s/" LIMITS_FILE, state_dir);
}

enum err limits_file_read(const char *state_dir, struct buf *text, struct fault *why)
{
	char path[PATH_MAX];
	struct stat st;
	bool is_absent;
	if (stat(state_dir, &st) != 0 || !S_ISDIR(st.st_mode))
		return OK; /* what is wrong with that is told of the state */
	path_of(path, state_dir);
	return trusted_read(path, text, &is_absent, why);
}

enum err limits_file_add(struct config *c, const char *state_dir, struct fault *why)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMITS_BYTES);
	char path[PATH_MAX];
	path_of(path, state_dir);
	const enum err err = limits_file_read(state_dir, &text, why);
	return err || text.n == 0 ? err : config_add_limits(c, buf_view(&text), path, why);
}

enum err limits_file_split(const char *state_dir, struct span text, struct span name,
	struct buf *others, struct buf *keys, bool *is_found, struct fault *why)
{
	struct ini ini;
	struct ini_item item;
	struct buf *to = others;
	char path[PATH_MAX];
	*is_found = false;
	path_of(path, state_dir);
	ini_init(&ini, text);
	for (;;) {
		struct fault said = FAULT_NONE;
		const enum err err = ini_next(&ini, &item, &said);
		if (err)
			return fault_set(why, err, "%s:%u:%u: %s", path, item.line, item.column,
				said.message);
		if (item.kind == INI_END)
			return OK;
		const bool is_its_head = item.kind == INI_SECTION && span_eq(item.name, name);
		*is_found = *is_found || is_its_head;
		if (item.kind == INI_SECTION)
			to = is_its_head ? keys : others;
		if (item.kind == INI_PAIR)
			buf_print(to, "%.*s = %.*s\n", SPAN_ARG(item.word), SPAN_ARG(item.value));
		else if (!is_its_head)
			buf_print(
				to, "[%.*s \"%.*s\"]\n", SPAN_ARG(item.word), SPAN_ARG(item.name));
	}
}
