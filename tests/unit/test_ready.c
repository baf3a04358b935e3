/* test_ready.c - whose turn is it, of those who are ready? */
#include "brokerd/loop/ready.h"

#include "tests/lib/tap.h"

static struct loop_io ios[5];
static struct ready queue;
static char order[16];

/* What is done, a letter for each: of the watchers '0' to '4' one is noted for reading, in lower case ('a' to 'e') for
 * writing, in upper case it is stopped; '|' asks the kernel again; '-' takes the first. */
static void do_one(char c)
{
	int what;
	if (c >= '0' && c <= '4') {
		ready_note(&queue, &ios[c - '0'], LOOP_READ);
	} else if (c >= 'a' && c <= 'e') {
		ready_note(&queue, &ios[c - 'a'], LOOP_WRITE);
	} else if (c >= 'A' && c <= 'E') {
		ready_keep(&queue, &ios[c - 'A'], 0);
	} else if (c == '|') {
		ready_begin(&queue);
	} else {
		const struct loop_io *io = ready_take(&queue, &what);
		const size_t n = strlen(order);
		order[n] = io ? (char)('0' + (io - ios)) : '.';
	}
}

static const struct {
	const char *name, *done, *order;
} cases[] = {
	{"nobody waits",				"|-",           "."    },
	{"the last one told is the first to be called", "|210---",      "012"  },
	{"those of before come before",                 "|10|32----",   "0123" },
	{"also where some of them have had their turn", "|210-|43----", "01234"},
	{"who is told again keeps his place",           "|210|0|1---",  "012"  },
	{"and who is ready anew stands at the end",     "|210-|0---",   "0120" },
	{"one is stopped that is the first",            "|210A---",     "12."  },
	{"one in the middle",                           "|210B---",     "02."  },
	{"the last",				    "|210C---",     "01."  },
	{"the only one",				"|0A-",         "."    },
	{"the first that was told of now",              "|10|2C43----", "0134" },
	{"all that were told of now",                   "|0|21BC43---", "034"  },
	{"one that does not wait",                      "|10C---",      "01."  },
	{"one that has had its turn",                   "|10-A--",      "01."  },
	{"it comes again after that",                   "|10A0---",     "01."  },
};

int main(void)
{
	int what = 0;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		memset(&queue, 0, sizeof queue);
		memset(ios, 0, sizeof ios);
		memset(order, 0, sizeof order);
		for (const char *c = cases[i].done; *c; c++)
			do_one(*c);
		is_str(order, cases[i].order, "%s", cases[i].name);
	}

	memset(&queue, 0, sizeof queue);
	memset(ios, 0, sizeof ios);
	ok(ready_note(&queue, &ios[0], LOOP_READ), "one that did not wait is new");
	ok(!ready_note(&queue, &ios[0], LOOP_WRITE), "one that waits is not");
	ok(ready_take(&queue, &what) == &ios[0], "it has one turn");
	is_int(what, LOOP_READ | LOOP_WRITE, "for all that it is ready for");
	is_int(ios[0].ready, 0, "and waits no more");
	ready_note(&queue, &ios[0], LOOP_READ | LOOP_WRITE);
	ready_keep(&queue, &ios[0], LOOP_WRITE);
	ok(ready_take(&queue, &what) == &ios[0] && what == LOOP_WRITE,
		"what is watched for no more does not count");
	ready_note(&queue, &ios[0], LOOP_READ);
	ready_keep(&queue, &ios[0], LOOP_WRITE);
	ok(!ready_take(&queue, &what), "where nothing else was it is not called");
	return tap_done();
}
