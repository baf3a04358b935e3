/* test_spin.c - what is a spin, and what is work that turns as often? */
#include "brokerd/loop/spin.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/base/err.h"
#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)

static const char timer[] = "timer", reader[] = "reader", other[] = "other";
static int pair[2] = {-1, -1}; /* of TCP */
static int64_t now_us;

enum does {
	NOTHING,
	MOVES,  /* somebody says so */
	BYTES,  /* nobody does, but they come by the descriptor */
	CROWD,  /* each turn is another's */
	PAUSES, /* nothing at all for ten seconds, once in the middle */
};

static const struct {
	const char *name;
	int per_s, seconds; /* turns */
	enum does does;
	const char *by; /* who is called in each turn */
	bool has_fd;
	int times; /* that it is told */
} cases[] = {
	{"an idle loop",			  5,      60, NOTHING, timer,  false, 0},
	{"a busy one where bytes move",           50000,  8,  MOVES,   reader, true,  0},
	{"a timer of 0 that is set again",        50000,  8,  NOTHING, timer,  false, 1},
	{"a descriptor that is ready for ever",   100000, 8,  NOTHING, reader, true,  1},
	{"one that brings pieces of a record",    10000,  8,  BYTES,   reader, true,  0},
	{"and the timer of its owner",            10000,  8,  BYTES,   timer,  true,  0},
	{"a burst of two seconds",                100000, 2,  NOTHING, timer,  false, 0},
	{"as often as it may be",                 1500,   8,  NOTHING, timer,  false, 0},
	{"a crowd of which each has something",   20000,  8,  CROWD,   timer,  false, 0},
	{"two bouts with a rest between are two", 50000,  12, PAUSES,  timer,  false, 2},
};

static void connect_pair(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (const struct sockaddr *)&at, sizeof at) != 0 ||
		listen(listener, 1) != 0 ||
		getsockname(listener, (struct sockaddr *)&at, &size) != 0 ||
		connect(pair[0], (const struct sockaddr *)&at, sizeof at) != 0)
		bail("no connection");
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void move_byte(void)
{
	char c = 'c';
	if (write(pair[1], &c, 1) != 1 || read(pair[0], &c, 1) != 1)
		bail("no byte comes through");
}

static void turn_works(struct spin *s, size_t i, int n)
{
	static const char names[64];
	if (cases[i].does == MOVES)
		spin_moved(s);
	if (cases[i].does == BYTES && n % 1000 == 0)
		move_byte();
	if (!s->is_looking)
		return;
	if (n % 3 == 0)
		spin_saw(s, other, -1);
	if (cases[i].does == BYTES)
		spin_saw(s, reader, pair[0]);
	spin_saw(s, cases[i].does == CROWD ? &names[n % 64] : cases[i].by,
		cases[i].has_fd && cases[i].by == reader ? pair[0] : -1);
}

static void check(size_t i)
{
	struct spin s = {0};
	const int n = cases[i].per_s * cases[i].seconds;
	struct spin_who by = {NULL, -2};
	uint64_t turns = 0;
	int times = 0;
	for (int k = 0; k < n; k++) {
		now_us += SECOND_US / cases[i].per_s;
		if (cases[i].does == PAUSES && k == n / 2)
			now_us += 10 * SECOND_US;
		times += spin_turn(&s, now_us, &by, &turns);
		turn_works(&s, i, k);
	}
	is_int(times, cases[i].times, "%s", cases[i].name);
	if (times == 0)
		return;
	is_str(by.name, cases[i].by, "%s: it is named", cases[i].name);
	is_int(by.fd, cases[i].has_fd ? pair[0] : -1, "%s: so is its descriptor", cases[i].name);
	ok(turns > (uint64_t)cases[i].per_s / 10 * 9 && turns < (uint64_t)cases[i].per_s / 10 * 11,
		"%s: and how often it comes", cases[i].name);
}

int main(void)
{
	connect_pair();
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check(i);
	return tap_done();
}
