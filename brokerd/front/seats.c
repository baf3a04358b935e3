/* seats.c - a table by user; who has no connection is not in it. */
#include "brokerd/front/seats.h"

#include <sys/resource.h>

#include "protocol/base/table.h"

#define DESCRIPTORS 1024 /* where the kernel does not say */

struct seat {
	TABLE_LINK;
	uid_t uid;
	size_t n;
};

void seats_init(struct seats *s, uid_t own_uid)
{
	struct rlimit files;
	const bool is_known =
		getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY;
	*s = (struct seats){
		.most = (is_known ? (size_t)files.rlim_cur : DESCRIPTORS) / 2, .own_uid = own_uid};
}

void seats_done(struct seats *s)
{
	struct seat *seat, *after;
	TABLE_EACH(s->users, seat, after) {
		TABLE_REMOVE(s->users, seat);
		free(seat);
	}
}

struct seat *seats_take(struct seats *s, uid_t uid)
{
	struct seat *seat;
	TABLE_FIND(s->users, seat, &uid, sizeof uid);
	if (!seat) {
		seat = calloc(1, sizeof *seat);
		if (!seat)
			return NULL;
		seat->uid = uid;
		TABLE_ADD(s->users, seat, &seat->uid, sizeof seat->uid);
	}
	seat->n++;
	return seat;
}

void seats_give(struct seats *s, struct seat *seat)
{
	if (--seat->n > 0)
		return;
	TABLE_REMOVE(s->users, seat);
	free(seat);
}

enum err seats_check(const struct seats *s, const struct seat *seat, struct fault *why)
{
	if (seat->uid == s->own_uid || seat->n <= s->most)
		return OK;
	return fault_set(why, ERR_OVERLOADED,
		"%zu connections of your programs are open, which is half of what this broker has "
		"descriptors for: close some",
		seat->n - 1);
}
