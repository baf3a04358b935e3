/* test_mishap.c - is what went wrong kept, and is nothing held where all went well? */
#include "brokerd/value/mishap.h"

#include <string.h>

#include "tests/lib/tap.h"

static void test_nothing(void)
{
	struct mishap m = {0};
	is_err(mishap_err(&m), OK, "nothing went wrong");
	is_err(mishap_fault(&m)->err, OK, "and its fault is none");
	is_int(mishap_fault(&m)->retry_after_ms, -1, "that says nothing of when");
	is_str(mishap_fault(&m)->message, "", "nor anything else");
	mishap_keep(&m, &FAULT_NONE);
	ok(!m.fault, "no fault takes no room");
	mishap_drop(&m);
	ok(!m.fault, "and there is nothing to drop");
}

static void test_kept(void)
{
	struct mishap m = {0};
	struct fault why;
	fault_set(&why, ERR_TOO_BIG, "%d pages", 12);
	why.retry_after_ms = 7;
	mishap_keep(&m, &why);
	memset(&why, 'x', sizeof why);
	is_err(mishap_err(&m), ERR_TOO_BIG, "its class is kept");
	is_str(mishap_fault(&m)->message, "12 pages", "and its words");
	is_int(mishap_fault(&m)->retry_after_ms, 7, "and all the rest");
	mishap_keep(&m, mishap_fault(&m));
	is_str(mishap_fault(&m)->message, "12 pages", "also where it is kept anew");
	is_err(mishap_set(&m, ERR_DENIED, "not %s", "you"), ERR_DENIED, "another takes its place");
	is_str(mishap_fault(&m)->message, "not you", "with its own words");
	is_int(mishap_fault(&m)->retry_after_ms, -1, "and nothing of the first");
	mishap_keep(&m, &FAULT_NONE);
	ok(!m.fault, "none takes the place of any");
	is_err(mishap_err(&m), OK, "and nothing went wrong");
}

static void test_long(void)
{
	struct mishap m = {0};
	char text[3000];
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	mishap_set(&m, ERR_INTERNAL, "%s", text);
	is_uint(strlen(mishap_fault(&m)->message), sizeof m.fault->message - 1,
		"what is too long is cut");
	mishap_drop(&m);
	ok(!m.fault, "and goes");
}

int main(void)
{
	test_nothing();
	test_kept();
	test_long();
	return tap_done();
}
