/* key_source.c - a prefix, and what stands behind it. */
#include "brokerd/config/key_source.h"

#include "protocol/base/buf.h"

static enum err bad(struct fault *why, const char *sentence)
{
	return fault_set(why, ERR_MISCONFIGURED, "%s", sentence);
}

/* Takes one word off *rest. False: a quote is not closed, or nothing follows a backslash. */
static bool take_word(struct span *rest, struct buf *out)
{
	char quote = '\0';
	size_t i = 0;
	for (; i < rest->n; i++) {
		const char c = rest->p[i];
		if (quote == '\0' && (c == ' ' || c == '\t'))
			break;
		if (c == '\\' && quote != '\'') {
			if (++i == rest->n)
				return false;
			buf_byte(out, rest->p[i]);
		} else if (quote == '\0' && (c == '\'' || c == '"')) {
			quote = c;
		} else if (c == quote) {
			quote = '\0';
		} else {
			buf_byte(out, c);
		}
	}
	*rest = span_trim(span_skip(*rest, i));
	buf_byte(out, '\0');
	return quote == '\0';
}

static enum err read_command(
	struct span text, struct span *what, struct arena *a, struct fault *why)
{
	OWNED(buf_done) struct buf words = BUF_INIT(KEY_SOURCE_BYTES_MAX);
	size_t n = 0;
	if (text.n == 0 || text.p[0] != '/')
		return bad(why, "a command begins with its absolute path: no shell looks for it");
	while (text.n > 0) {
		if (++n > KEY_SOURCE_WORDS_MAX)
			return fault_set(why, ERR_MISCONFIGURED, "a command has at most %d words",
				KEY_SOURCE_WORDS_MAX);
		if (!take_word(&text, &words))
			return bad(why, "a quote in the command is not closed, or nothing follows "
					"its last backslash");
	}
	if (buf_error(&words))
		return bad(why, "the command is too long");
	const enum err err = arena_dup(a, buf_view(&words), what);
	return err ? fault_set(why, err, "no memory for the configuration") : OK;
}

/* A path or a name becomes a C string. */
static enum err read_plain(struct span text, struct span *what, struct arena *a, struct fault *why)
{
	char *copy = arena_array(a, text.n + 1, 1);
	if (!copy)
		return fault_set(why, ERR_NO_MEMORY, "no memory for the configuration");
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	*what = span_of(copy, text.n);
	return OK;
}

static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				      (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
		if (!is_plain)
			return false;
	}
	return s.n > 0 && s.n <= 128 && s.p[0] != '.';
}

enum err key_source_read(
	struct span value, struct key_source *out, struct arena *a, struct fault *why)
{
	static const struct {
		const char *prefix;
		enum key_source_kind kind;
	} kinds[] = {
		{"command:",    KEY_SOURCE_COMMAND   },
		{"file:",       KEY_SOURCE_FILE      },
		{"credential:", KEY_SOURCE_CREDENTIAL},
	};
	struct span rest = SPAN_NONE;
	*out = (struct key_source){.kind = KEY_SOURCE_VAULT};
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		const struct span prefix = span_str(kinds[i].prefix);
		if (!span_starts(value, prefix))
			continue;
		out->kind = kinds[i].kind;
		rest = span_trim(span_skip(value, prefix.n));
	}
	enum err err = arena_dup(a, value, &out->text);
	if (err)
		return fault_set(why, err, "no memory for the configuration");
	switch (out->kind) {
	case KEY_SOURCE_VAULT:
		return bad(why, "key_source is command: /path ARGUMENTS, file: /path or "
				"credential: NAME; a key itself is added with `llmb key add`");
	case KEY_SOURCE_COMMAND:
		return read_command(rest, &out->what, a, why);
	case KEY_SOURCE_FILE:
		if (rest.n == 0 || rest.p[0] != '/')
			return bad(why, "a path begins with a slash");
		return read_plain(rest, &out->what, a, why);
	case KEY_SOURCE_CREDENTIAL:
		if (!is_name(rest))
			return bad(why, "a credential's name is made of letters, digits, dots, "
					"hyphens and underscores");
		return read_plain(rest, &out->what, a, why);
	}
	return err;
}
