/* test_key_source.c - what does a line of the configuration mean by a key's place? */
#include "brokerd/config/key_source.h"

#include "protocol/base/buf.h"
#include "tests/lib/tap.h"

static const struct {
	const char *text;
	const char *
		want; /* the words with | behind each, the path or the name; or a part of the fault */
	enum key_source_kind kind; /* KEY_SOURCE_VAULT: it is refused */
} cases[] = {
	{"command: /usr/bin/pass show openai",       "/usr/bin/pass|show|openai|",    KEY_SOURCE_COMMAND   },
	{"command:/bin/true",                        "/bin/true|",                    KEY_SOURCE_COMMAND   },
	{"command:   /bin/a   b \t c  ",             "/bin/a|b|c|",                   KEY_SOURCE_COMMAND   },
	{"command: /bin/a 'one word' \"two words\"", "/bin/a|one word|two words|",
         KEY_SOURCE_COMMAND										},
	{"command: /bin/a o'ne w'ord",               "/bin/a|one word|",              KEY_SOURCE_COMMAND   },
	{"command: /bin/a '' \"\"",                  "/bin/a|||",                     KEY_SOURCE_COMMAND   },
	{"command: /bin/a \\' \\\" \\\\ \\ x",       "/bin/a|'|\"|\\| x|",            KEY_SOURCE_COMMAND   },
	{"command: /bin/a 'a\\b' \"a\\\"b\"",        "/bin/a|a\\b|a\"b|",             KEY_SOURCE_COMMAND   },
	{"command: /bin/a $HOME `id` ~ * ; | >x",    "/bin/a|$HOME|`id`|~|*|;|||>x|",
         KEY_SOURCE_COMMAND										},
	{"command: /bin/a 'b",                       "not closed",                    KEY_SOURCE_VAULT     },
	{"command: /bin/a \"b",                      "not closed",                    KEY_SOURCE_VAULT     },
	{"command: /bin/a \\",                       "not closed",                    KEY_SOURCE_VAULT     },
	{"command: pass show x",                     "absolute path",                 KEY_SOURCE_VAULT     },
	{"command:",				 "absolute path",                 KEY_SOURCE_VAULT     },
	{"command: '/bin/a'",                        "absolute path",                 KEY_SOURCE_VAULT     },
	{"file: /etc/key",			   "/etc/key",                      KEY_SOURCE_FILE      },
	{"file: /a file",			    "/a file",                       KEY_SOURCE_FILE      },
	{"file: key",				"slash",                         KEY_SOURCE_VAULT     },
	{"file:",				    "slash",                         KEY_SOURCE_VAULT     },
	{"credential: openai.key",                   "openai.key",                    KEY_SOURCE_CREDENTIAL},
	{"credential: ../key",                       "name",                          KEY_SOURCE_VAULT     },
	{"credential: ..",			   "name",                          KEY_SOURCE_VAULT     },
	{"credential:",			      "name",                          KEY_SOURCE_VAULT     },
	{"sk-a-key",				 "llmb key add",                  KEY_SOURCE_VAULT     },
	{"env: OPENAI_API_KEY",                      "key_source is",                 KEY_SOURCE_VAULT     },
};

static void test_cases(void)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		OWNED(arena_done) struct arena arena;
		struct key_source s;
		struct fault why = FAULT_NONE;
		char got[256];
		arena_init(&arena, 65536);
		const bool is_good = cases[i].kind != KEY_SOURCE_VAULT;
		is_err(key_source_read(span_str(cases[i].text), &s, &arena, &why),
			is_good ? OK : ERR_MISCONFIGURED, "%s", cases[i].text);
		if (!is_good) {
			if (!ok(strstr(why.message, cases[i].want) != NULL, "and why is said"))
				diag("%s", why.message);
			continue;
		}
		is_int(s.kind, cases[i].kind, "its kind");
		ok(span_is(s.text, cases[i].text), "it is shown as it was written");
		for (size_t b = 0; b < s.what.n; b++)
			got[b] = s.what.p[b] ? s.what.p[b] : '|';
		got[s.what.n] = '\0';
		is_str(got, cases[i].want, "and means that");
		if (cases[i].kind != KEY_SOURCE_COMMAND)
			is_uint(strlen(s.what.p), s.what.n, "a NUL is behind it");
	}
}

/* Too many words, and too long ones. */
static void test_bounds(void)
{
	OWNED(arena_done) struct arena arena;
	OWNED(buf_done) struct buf text = BUF_INIT(65536);
	struct key_source s;
	struct fault why;
	arena_init(&arena, 1 << 20);
	buf_text(&text, "command: /bin/a");
	for (int i = 1; i < KEY_SOURCE_WORDS_MAX; i++)
		buf_text(&text, " b");
	is_err(key_source_read(buf_view(&text), &s, &arena, &why), OK, "as many words as may be");
	buf_text(&text, " b");
	is_err(key_source_read(buf_view(&text), &s, &arena, &why), ERR_MISCONFIGURED, "one more");
	buf_clear(&text);
	buf_text(&text, "command: /");
	for (int i = 0; i < KEY_SOURCE_BYTES_MAX; i++)
		buf_byte(&text, 'x');
	is_err(key_source_read(buf_view(&text), &s, &arena, &why), ERR_MISCONFIGURED, "a long one");
}

int main(void)
{
	test_cases();
	test_bounds();
	return tap_done();
}
