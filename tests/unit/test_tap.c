/* test_tap.c - does the harness fail when a check fails, and say why?
 * Each case runs in a child whose output is read back; the checks about it are made here. */
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void all_hold(void)
{
	ok(true, "a claim");
	is_int(-1, -1, "an integer");
	is_uint(UINT64_MAX, UINT64_MAX, "a large one");
	is_str("a", "a", "a string");
	is_str(NULL, NULL, "no string");
	is_mem("a\0b", 3, "a\0b", 3, "bytes");
	is_mem(NULL, 0, "", 0, "no bytes");
}

static void claim_fails(void)
{
	ok(1 > 2, "number %d", 7);
	ok(true, "it goes on");
}

static void int_fails(void)
{
	is_int(INT64_MIN, 5, "int");
}

static void uint_fails(void)
{
	is_uint(UINT64_MAX, 0, "uint");
}

static void str_fails(void)
{
	is_str("one\n", "two", "str");
}

static void null_fails(void)
{
	is_str(NULL, "NULL", "null");
}

static void mem_fails(void)
{
	is_mem("ab\0", 3, "ab\x01", 3, "mem");
}

static void length_fails(void)
{
	is_mem("ab", 2, "abc", 3, "length");
}

static void far_fails(void)
{
	char a[1000], b[1000];

	memset(a, 'x', sizeof a);
	memset(b, 'x', sizeof b);
	b[900] = 'y';
	is_mem(a, sizeof a, b, sizeof b, "far");
}

static void names_are_tame(void)
{
	ok(true, "one # SKIP\ntwo");
}

static void skips(void)
{
	skip("no %s here", "disk");
}

static void none(void)
{
}

static void bails(void)
{
	bail("no %s", "power");
}

static const struct {
	const char *name;
	void (*run)(void);
	int status;
	const char *says[4];
} cases[] = {
	{"all hold",        all_hold,       0, {"ok 1 - a claim\n", "ok 7 - no bytes\n1..7\n"}         },
	{"claim fails",     claim_fails,    1, {"not ok 1 - number 7\n", "# wanted: 1 > 2\n", "ok 2"}  },
	{"int fails",       int_fails,      1, {"got: -9223372036854775808\n", "wanted: 5\n"}          },
	{"uint fails",      uint_fails,     1, {"got: 18446744073709551615\n", "wanted: 0\n"}          },
	{"string fails",    str_fails,      1, {"got: \"one\\n\" (4 bytes)\n", "wanted: \"two\" (3"}   },
	{"NULL fails",      null_fails,     1, {"not ok 1 - null", "got: NULL\n"}                      },
	{"bytes fail",      mem_fails,      1, {"\"ab\\x00\" (3", "\"ab\\x01\" (3", "differ at byte 2"}},
	{"length fails",    length_fails,   1, {"\"ab\" (2", "\"abc\" (3", "differ at byte 2"}         },
	{"far fails",       far_fails,      1, {"got: ...\"xxx", "(1000 bytes)", "differ at byte 900"} },
	{"names are tame",  names_are_tame, 0, {"ok 1 - one . SKIP two\n1..1\n"}                       },
	{"a skip counts",   skips,          0, {"ok 1 # SKIP no disk here\n1..1\n"}                    },
	{"no check is bad", none,           1, {"not ok 1 - a test makes at least one check\n1..1\n"}  },
	{"bail ends it",    bails,          1, {"Bail out! no power\n"}                                },
	{"it says where",   int_fails,      1, {"# tests/unit/test_tap.c:"}                            },
};

/* Runs one case and leaves what it wrote, both streams, in `out`. Returns its exit status. */
static int run_case(void (*run)(void), char *out, size_t size)
{
	int ends[2], status;
	size_t len = 0;
	ssize_t n;

	if (pipe(ends) != 0)
		bail("no pipe");
	const pid_t pid = fork();
	if (pid < 0)
		bail("no child");
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		run();
		exit(tap_done());
	}
	close(ends[1]);
	while (len < size - 1 && (n = read(ends[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(ends[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int main(void)
{
	char out[8192];
	int statuses[sizeof cases / sizeof *cases];
	const char *unsaid[sizeof cases / sizeof *cases] = {NULL};

	/* all children first: each must start from a harness that has counted nothing */
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		statuses[i] = run_case(cases[i].run, out, sizeof out);
		for (size_t j = 0; j < 4 && cases[i].says[j] != NULL; j++)
			if (strstr(out, cases[i].says[j]) == NULL)
				unsaid[i] = cases[i].says[j];
	}
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		is_int(statuses[i], cases[i].status, "%s: exit status", cases[i].name);
		is_str(unsaid[i], NULL, "%s: it says why", cases[i].name);
	}
	return tap_done();
}
