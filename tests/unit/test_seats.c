/* test_seats.c - how many connections may a user have? */
#include "brokerd/front/seats.h"

#include <sys/resource.h>

#include "tests/lib/tap.h"

#define OWN   ((uid_t)990)
#define ALICE ((uid_t)1000)
#define BOB   ((uid_t)1001)

static enum err check(const struct seats *s, const struct seat *seat)
{
	struct fault why = FAULT_NONE;
	return seats_check(s, seat, &why);
}

/* Takes so many, and returns the last. */
static struct seat *take(struct seats *s, uid_t uid, size_t n)
{
	struct seat *seat = NULL;
	for (size_t i = 0; i < n; i++)
		seat = seats_take(s, uid);
	return seat;
}

static void give(struct seats *s, struct seat *seat, size_t n)
{
	for (size_t i = 0; i < n; i++)
		seats_give(s, seat);
}

int main(void)
{
	struct seats s;
	struct rlimit files;
	seats_init(&s, OWN);
	ok(getrlimit(RLIMIT_NOFILE, &files) == 0 &&
			(files.rlim_cur == RLIM_INFINITY || s.most == files.rlim_cur / 2),
		"half of the descriptors are for one user");
	s.most = 3;
	struct seat *a = take(&s, ALICE, 3), *b = take(&s, BOB, 1);
	is_int(check(&s, a), OK, "as many as he may");
	ok(take(&s, ALICE, 1) == a && a != b, "all of a user's are counted together");
	is_int(check(&s, a), ERR_OVERLOADED, "one too many");
	is_int(check(&s, b), OK, "another user is none of that");
	seats_give(&s, a);
	is_int(check(&s, a), OK, "what goes makes room");
	give(&s, a, 3);
	a = take(&s, ALICE, 4);
	is_int(check(&s, a), ERR_OVERLOADED, "who was away is counted from nothing");
	struct seat *own = take(&s, OWN, 9);
	is_int(check(&s, own), OK, "the broker's own user shares with nobody");
	give(&s, a, 4);
	give(&s, b, 1);
	give(&s, own, 9);
	ok(!s.users, "who has none is not kept");
	take(&s, BOB, 2);
	seats_done(&s);
	ok(!s.users, "nor anybody at the end");
	return tap_done();
}
