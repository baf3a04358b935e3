/* test_ini.c - what does a configuration's text hold, and where is it wrong? */
#include "brokerd/config/ini.h"

#include <stdio.h>

#include "tests/lib/tap.h"

/* "[word:name] key=value@line:column:value_column ..." or "!line:column sentence". */
static const char *told(struct span text)
{
	static char out[4096];
	struct ini ini;
	struct ini_item i;
	struct fault why;
	size_t n = 0;

	out[0] = '\0';
	ini_init(&ini, text);
	for (;;) {
		const char *gap = n ? " " : "";
		if (ini_next(&ini, &i, &why)) {
			snprintf(out + n, sizeof out - n, "%s!%u:%u %s", gap, i.line, i.column,
				why.message);
			return out;
		}
		if (i.kind == INI_END)
			break;
		if (i.kind == INI_SECTION)
			n += (size_t)snprintf(out + n, sizeof out - n, "%s[%.*s%s%.*s]", gap,
				SPAN_ARG(i.word), i.name.p ? ":" : "", SPAN_ARG(i.name));
		else
			n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s=%.*s@%u:%u:%u", gap,
				SPAN_ARG(i.word), SPAN_ARG(i.value), i.line, i.column,
				i.value_column);
		if (n >= sizeof out)
			bail("a test's text is too long");
	}
	if (ini_next(&ini, &i, &why) != OK || i.kind != INI_END)
		return "no end after the end";
	return out;
}

static const struct {
	const char *name, *text, *want;
} texts[] = {
	{"nothing",		      "",			     ""					  },
	{"white space",                  " \n\t\n\n",                    ""					  },
	{"comments",		     "# a\n; b\n   # c [x]\n",       ""                                          },
	{"a section",                    "[broker]\n",                   "[broker]"                                  },
	{"without a newline at the end", "[broker]",                     "[broker]"                                  },
	{"a named section",              "[provider \"x y\"]\n",         "[provider:x y]"                            },
	{"with space in it",             "  [ provider\t\"x\" ]  \n",    "[provider:x]"                              },
	{"with a bracket in its name",   "[model \"a]b\"]",              "[model:a]b]"                               },
	{"a pair",		       "[b]\nkey = value\n",           "[b] key=value@2:1:7"                       },
	{"a pair without space",         "[b]\nkey=value",               "[b] key=value@2:1:5"                       },
	{"a pair with much",             "[b]\n\t key \t= \t a  b \t\n", "[b] key=a  b@2:3:12"                       },
	{"an equals sign in a value",    "[b]\nk = a=b",                 "[b] k=a=b@2:1:5"                           },
	{"a number sign inside a value", "[b]\nk = a#b;c",               "[b] k=a#b;c@2:1:5"                         },
	{"lines that end in CR LF",      "[b]\r\nk = v\r\n\r\n",         "[b] k=v@2:1:5"                             },
	{"a byte order mark",            "\xef\xbb\xbf[b]\nk = v",       "[b] k=v@2:1:5"                             },
	{"letters of two bytes",         "[b]\nk = \303\244\303\266",    "[b] k=\303\244\303\266@2:1:5"              },
	{"a column behind them",         "[m \"\303\244\"] x",           "!1:9 nothing may follow"                   },
	{"a pair without a section",     "k = v",                        "!1:1 this stands before any section"       },
	{"a comment behind a value",     "[b]\nk = v # c",               "[b] !2:7 a comment has a line of its own"  },
	{"a comment of the other kind",  "[b]\nk = v ;c",
         "[b] !2:7 a comment has a line of its own"								  },
	{"a comment for a value",        "[b]\nk = # c",                 "[b] !2:5 a comment has a line of its own"  },
	{"a comment behind a section",   "[b] # c",                      "!1:5 nothing may follow"                   },
	{"quotes",		       "[b]\nk = \"v\"",               "[b] !2:5 values are written without quotes"},
	{"other quotes",                 "[b]\nk = 'v'",                 "[b] !2:5 values are written without quotes"},
	{"a missing value",              "[b]\nk =  ",                   "[b] !2:4 there is no value"                },
	{"a missing sign",               "[b]\nk v",                     "[b] !2:3 this is no \"key = value\""       },
	{"a missing key",                "[b]\n= v",                     "[b] !2:1 this is no \"key = value\""       },
	{"a word alone",                 "[b]\nkey",                     "[b] !2:4 this is no \"key = value\""       },
	{"capitals in a key",            "[b]\nKey = v",                 "[b] !2:1 this is no \"key = value\""       },
	{"a hyphen in a key",            "[b]\na-b = v",                 "[b] !2:2 this is no \"key = value\""       },
	{"a section that is not closed", "[b\n",                         "!1:3 a closing bracket is missing"         },
	{"an empty section",             "[]",                           "!1:2 a section is written"                 },
	{"a section in capitals",        "[Broker]",                     "!1:2 a section is written"                 },
	{"a name that is not closed",    "[p \"x]\n\"]",                 "!1:5 this name has no closing quote"       },
	{"an empty name",                "[p \"\"]",                     "!1:5 this name is empty"                   },
	{"a backslash in a name",        "[p \"a\\\"b\"]",               "!1:6 a name cannot hold a backslash"       },
	{"a name without quotes",        "[provider x]",                 "!1:11 a closing bracket is missing"        },
	{"two names",                    "[p \"a\" \"b\"]",              "!1:8 a closing bracket is missing"         },
	{"bytes that are no text",       "[b]\nk = a\377",               "[b] !2:6 this is not UTF-8"                },
	{"half a letter",                "[b]\n# \303",                  "[b] !2:3 this is not UTF-8"                },
	{"a control character",          "[b]\nk = a\033",               "[b] !2:6 there is a control character"     },
	{"a carriage return inside",     "[b]\nk = a\rb",                "[b] !2:6 there is a control character"     },
	{"one in a comment",             "# \001",                       "!1:3 there is a control character"         },
	{"a delete",		     "[b\177]",                      "!1:3 there is a control character"         },
};

int main(void)
{
	static char line[INI_LINE_BYTES + 16];

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		const char *got = told(span_str(texts[i].text));
		/* of a sentence, its beginning */
		const size_t n = strchr(texts[i].want, '!') ? strlen(texts[i].want) : strlen(got);
		is_mem(got, strlen(got) < n ? strlen(got) : n, texts[i].want, strlen(texts[i].want),
			"%s", texts[i].name);
	}
	ok(strstr(told(SPAN("[b]\nk = a\0b")), "!2:6 there is a NUL byte") != NULL, "a NUL");

	memset(line, 'x', sizeof line);
	memcpy(line, "[b]\n#", 5);
	is_str(told(span_of(line, 4 + INI_LINE_BYTES)), "[b]", "the longest line");
	ok(strstr(told(span_of(line, 5 + INI_LINE_BYTES)), "!2:1 this line is longer") != NULL,
		"and one byte more");
	memcpy(line, "[m \"", 4);
	memcpy(line + 4 + INI_NAME_BYTES, "\"]", 2);
	ok(strlen(told(span_of(line, 6 + INI_NAME_BYTES))) == 4 + INI_NAME_BYTES,
		"the longest name");
	line[4 + INI_NAME_BYTES] = 'x';
	memcpy(line + 5 + INI_NAME_BYTES, "\"]", 2);
	ok(strstr(told(span_of(line, 7 + INI_NAME_BYTES)), "!1:5 this name is longer") != NULL,
		"and one byte more");
	return tap_done();
}
