/* test_err.c - is the table of faults sound, and does every sentence fit? */
#include "protocol/base/err.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/tap.h"

#define T(literal)                           \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static bool is_word(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz_") == strlen(text);
}

static void table(void)
{
	size_t n;
	const struct err_info *rows = err_table(&n);
	ok(n >= 30, "there are rows");
	for (size_t i = 0; i < n; i++) {
		const struct err_info *row = &rows[i];
		ok(i == 0 || rows[i - 1].err < row->err, "%s: numbers rise, none is twice",
			row->word);
		ok(row->err >= 10, "%s: none is OK or ERR_MORE", row->word);
		ok(is_word(row->word), "%s: a word", row->word);
		is_err(err_from_word(span_str(row->word)), row->err, "%s: found by its word",
			row->word);
		ok(err_info(row->err) == row, "%s: found by its number", row->word);
		ok(strncmp(row->client, "LLM_E_", 6) == 0 && row->client[6], "%s: a client code",
			row->word);
		ok((row->exit_code >= 1 && row->exit_code <= 7) || row->exit_code == 124 ||
				row->exit_code == 130,
			"%s: an exit code that a script can tell: %d", row->word, row->exit_code);
		ok(row->http_status >= 400 && row->http_status <= 599, "%s: an HTTP status",
			row->word);
		ok(row->anthropic_status >= 400 && row->anthropic_status <= 599,
			"%s: Anthropic's status", row->word);
		ok(is_word(row->openai_type) && (!*row->openai_code || is_word(row->openai_code)),
			"%s: OpenAI's type and code", row->word);
		ok(is_word(row->anthropic_type), "%s: Anthropic's type", row->word);
		ok(strspn(row->gemini_status, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") ==
				strlen(row->gemini_status),
			"%s: Gemini's status", row->word);
		ok(*row->sentence && row->sentence[strlen(row->sentence) - 1] != '.',
			"%s: a sentence without its full stop", row->word);
	}
	is_err(err_info((enum err)9999)->err, ERR_INTERNAL, "a newer peer's number is internal");
	is_err(err_info(OK)->err, ERR_INTERNAL, "OK has no row");
	is_err(err_from_word(SPAN("no_such_word")), ERR_INTERNAL, "nor has a word not ours");
	is_err(err_from_word(SPAN("auth\0")), ERR_INTERNAL, "a NUL does not end a word");
	is_err(err_from_word(SPAN_NONE), ERR_INTERNAL, "nor has the absent word");
}

/* A field of eight bytes: seven and a NUL. */
static const struct {
	const char *name;
	struct span text;
	const char *want;
} fields[] = {
	{"fits",		      T("abcdefg"),               "abcdefg"      },
	{"is cut",		    T("abcdefgh"),              "abcdefg"      },
	{"empty",		     T(""),                      ""             },
	{"absent",		    {NULL, 0},                  ""             },
	{"controls",                  T("a\n\t\x1f\x7f\0b"),      "a     b"      },
	{"controls of two bytes",
         T("a\xc2\x9b"
		  "b\xc2\x9f"),
         "a b "								  },
	{"what follows the controls", T("\xc2\xa0"),              "\xc2\xa0"     },
	{"invalid UTF-8",             T("a\xff\xc0\x80z"),        "a\?\?\?z"     },
	{"a surrogate",               T("\xed\xa0\x80"),          "\?\?\?"       },
	{"cut before a character",    T("abcdef\xc3\xa9"),        "abcdef"       },
	{"a character just fits",     T("abcde\xc3\xa9"),         "abcde\xc3\xa9"},
	{"cut before one of four",    T("abcd\xf0\x9f\x98\x80z"), "abcd"         },
	{"ends inside a character",   T("ab\xe2\x82"),            "ab\?\?"       },
};

static void texts(void)
{
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		char field[9];
		memset(field, '#', sizeof field);
		fault_text(field, 8, fields[i].text);
		is_str(field, fields[i].want, "text: %s", fields[i].name);
		is_int(field[8], '#', "text: %s: nothing behind the field", fields[i].name);
	}
	char one[2] = {'#', '#'};
	fault_text(one, 1, SPAN("abc"));
	is_mem(one, 2, "\0#", 2, "text: a field of one byte holds its NUL");
}

static void faults(void)
{
	struct fault why;
	memset(&why, 0x55, sizeof why);
	is_err(fault_set(&why, ERR_TOO_BIG, "%d bytes", 7), ERR_TOO_BIG, "set: gives the class");
	is_err(why.err, ERR_TOO_BIG, "set: keeps it");
	is_str(why.message, "7 bytes", "set: the sentence");
	is_int(why.retry_after_ms, -1, "set: no hint when to try again");
	is_int(why.http_status, 0, "set: no status");
	ok(!why.is_partial && !*why.code && !*why.param && !*why.provider && !*why.request_id,
		"set: all else is reset");
	is_err(fault_set(NULL, ERR_IO, "%s", "x"), ERR_IO, "set: nobody asks why");
	is_err(fault_param(NULL, ERR_IO, "p", "%s", "x"), ERR_IO, "param: nobody asks why");

	is_err(fault_param(&why, ERR_INVALID_REQUEST, "messages[3].100%", "%s is wrong", "it"),
		ERR_INVALID_REQUEST, "param: gives the class");
	is_str(why.param, "messages[3].100%", "param: is a plain text");
	is_str(why.message, "it is wrong", "param: the sentence");
	(void)fault_param(&why, ERR_INVALID_REQUEST, why.param, "before: %s", why.message);
	is_str(why.param, "messages[3].100%", "param: may come from the fault it goes to");
	is_str(why.message, "before: it is wrong", "so may the sentence's parts");

	static char large[8000];
	memset(large, 'x', sizeof large - 1);
	(void)fault_param(&why, ERR_IO, large, "%s", large);
	is_uint(strlen(why.message), sizeof why.message - 1, "a long sentence is cut");
	is_uint(strlen(why.param), sizeof why.param - 1, "a long member too");
	for (size_t i = 0; i + 2 < sizeof large; i += 2)
		large[i] = '\xc3', large[i + 1] = '\xa9';
	(void)fault_set(&why, ERR_IO, "x%s", large);
	is_uint(strlen(why.message), sizeof why.message - 1, "and in whole characters");
	ok(span_ends(span_str(why.message), SPAN("\xc3\xa9")), "the last one is whole");
	(void)fault_set(&why, ERR_IO, "%s", large);
	is_uint(strlen(why.message), sizeof why.message - 2, "so it may be a byte shorter");
	(void)fault_set(&why, ERR_IO, "a\nb\x1b[31m");
	is_str(why.message, "a b [31m", "no control gets into a sentence");

	memset(&why, 'x', sizeof why);
	fault_clear(&why);
	(void)fault_set(&why, ERR_IO, "a secret");
	fault_wipe(&why);
	is_err(why.err, OK, "wiped: it is none");
	is_int(why.retry_after_ms, -1, "without a hint");
	ok(!memchr(&why.message, 'e', sizeof why.message), "and without its words");
	snprintf(why.param, sizeof why.param, "%s", "a secret");
	fault_wipe(&why);
	ok(!memchr(&why.param, 'e', sizeof why.param), "whichever they are");

	const struct fault none = FAULT_NONE;
	is_err(none.err, OK, "no fault");
	is_int(none.retry_after_ms, -1, "and no hint");
}

int main(void)
{
	table();
	texts();
	faults();
	return tap_done();
}
