/* test_vault_code.c - is a code read back as it was written, and a slip of the pen found? */
#include "brokerd/vault/code.h"

#include <sodium.h>
#include <stdio.h>

#include "tests/lib/tap.h"

#define RECOVERY "KB64-MDHF-T05Z-SJKN-1CNM-A9ZA-SQCR-Y3G7-Q0Z3"

static const struct {
	const char *name, *text;
	enum err want;
	const char *said; /* words of the sentence */
} texts[] = {
	{"as it was shown",           "KB64-MDHF-T05Z-SJKN-1CNM-A9ZA-SQCR-Y3G7-Q0Z3",  OK,                   ""         },
	{"in lower case",             "kb64-mdhf-t05z-sjkn-1cnm-a9za-sqcr-y3g7-q0z3",  OK,                   ""         },
	{"without hyphens",           "KB64MDHFT05ZSJKN1CNMA9ZASQCRY3G7Q0Z3",          OK,                   ""         },
	{"with spaces",               " KB64MDHFT0  5ZSJKN1CNMA9ZASQCRY3G7Q0Z3 ",      OK,                   ""         },
	{"with O for 0",              "KB64-MDHF-To5Z-SJKN-1CNM-A9ZA-SQCR-Y3G7-QoZ3",  OK,                   ""         },
	{"with I for 1",              "KB64-MDHF-T05Z-SJKN-ICNM-A9ZA-SQCR-Y3G7-Q0Z3",  OK,                   ""         },
	{"with l for 1",              "kb64-mdhf-t05z-sjkn-lcnm-a9za-sqcr-y3g7-q0z3",  OK,                   ""         },
	{"nothing",                   "",					      ERR_INVALID_ARGUMENT, "0 letters"},
	{"a group too few",           "KB64-MDHF-T05Z-SJKN-1CNM-A9ZA-SQCR-Y3G7",       ERR_INVALID_ARGUMENT,
         "32 letters, and a whole one has 36"									   },
	{"a letter too many",         "KB64-MDHF-T05Z-SJKN-1CNM-A9ZA-SQCR-Y3G7-Q0Z30", ERR_INVALID_ARGUMENT,
         "37 letters"												   },
	{"a U",		       "KBU4-MDHF-T05Z-SJKN-1CNM-A9ZA-SQCR-Y3G7-Q0Z3",  ERR_INVALID_ARGUMENT,
         "character 3"												  },
	{"two letters changed about", "BK64MDHFT05ZSJKN1CNMA9ZASQCRY3G7Q0Z3",          ERR_INVALID_ARGUMENT,
         "does not add up"											      },
	{"a comma",                   "KB64,MDHF-T05Z-SJKN-1CNM-A9ZA-SQCR-Y3G7-Q0Z3",  ERR_INVALID_ARGUMENT,
         "character 5"												  },
};

static void test_texts(void)
{
	unsigned char want[CODE_KEY_BYTES], got[CODE_KEY_BYTES];
	struct fault why;
	is_err(code_read(SLOT_RECOVERY, SPAN(RECOVERY), want, &why), OK, "a code");
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		why = FAULT_NONE;
		is_err(code_read(SLOT_RECOVERY, span_str(texts[i].text), got, &why), texts[i].want,
			"%s", texts[i].name);
		if (texts[i].want == OK)
			is_mem(got, sizeof got, want, sizeof want, "it stands for the same");
		else if (!ok(strstr(why.message, texts[i].said) != NULL, "and why is said"))
			diag("%s", why.message);
	}
}

/* Every letter changed to every other is found. */
static void test_slips(void)
{
	static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	char text[CODE_TEXT_MAX + 1];
	unsigned char key[CODE_KEY_BYTES];
	struct fault why;
	size_t missed = 0, tried = 0;
	code_new(SLOT_RECOVERY, text);
	is_uint(strlen(text), 44, "nine groups of four");
	for (size_t i = 0; i < strlen(text); i++) {
		const char was = text[i];
		for (size_t l = 0; was != '-' && l < sizeof letters - 1; l++) {
			if (letters[l] == was)
				continue;
			text[i] = letters[l];
			tried++;
			missed += code_read(SLOT_RECOVERY, span_str(text), key, &why) == OK;
		}
		text[i] = was;
	}
	is_uint(tried, 36 * 31, "all slips of one letter");
	ok(missed <= 1, "are found: %zu missed", missed); /* of a check of twenty bits */
	is_err(code_read(SLOT_RECOVERY, span_str(text), key, &why), OK, "the right one is good");
}

static void test_new(void)
{
	static const enum slot_type types[] = {SLOT_RECOVERY, SLOT_AGENT};
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		char a[CODE_TEXT_MAX + 1], b[CODE_TEXT_MAX + 1];
		unsigned char key_a[CODE_KEY_BYTES], key_b[CODE_KEY_BYTES], again[CODE_KEY_BYTES];
		struct fault why;
		code_new(types[i], a);
		code_new(types[i], b);
		ok(strcmp(a, b) != 0, "%s: no two are alike", slot_type_name(types[i]));
		is_err(code_read(types[i], span_str(a), key_a, &why), OK, "one is read");
		is_err(code_read(types[i], span_str(b), key_b, &why), OK, "the other too");
		is_err(code_read(types[i], span_str(a), again, &why), OK, "and the first again");
		is_mem(key_a, sizeof key_a, again, sizeof again, "it is the same key");
		ok(memcmp(key_a, key_b, sizeof key_a) != 0, "and not the other's");
	}
	unsigned char key[CODE_KEY_BYTES];
	struct fault why;
	is_err(code_read(SLOT_AGENT, SPAN("abc"), key, &why), ERR_INVALID_ARGUMENT,
		"an agent's key that is short");
	is_err(code_read(SLOT_AGENT, SPAN_NONE, key, &why), ERR_INVALID_ARGUMENT, "or none");
}

static void test_names(void)
{
	enum slot_type type;
	for (int i = SLOT_PASSPHRASE; i <= SLOT_AGENT; i++) {
		const char *name = slot_type_name((enum slot_type)i);
		ok(name && slot_type_from(span_str(name), &type) && (int)type == i, "slot %d is %s",
			i, name);
	}
	ok(!slot_type_name((enum slot_type)6) && !slot_type_name((enum slot_type)0),
		"others have none");
	ok(!slot_type_from(SPAN("keyfile"), &type) && !slot_type_from(SPAN_NONE, &type),
		"nor mean one");
}

int main(void)
{
	if (sodium_init() < 0)
		bail("libsodium does not start");
	test_texts();
	test_slips();
	test_new();
	test_names();
	return tap_done();
}
