/* test_doubt.c - what shows that it is the process that was looked at which speaks? */
#include "brokerd/front/doubt.h"

#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/tap.h"

/* A connection, and the process at its other end, which writes one byte each time that it is told to. */
struct scene {
	int fd, other;
	int order;
	pid_t pid;
	struct doubt *doubt;
};

static void stay(int order, int other)
{
	char byte;
	while (read(order, &byte, 1) == 1)
		(void)!write(other, &byte, 1);
	_exit(0);
}

static struct scene begin(void)
{
	int ends[2], orders[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 || pipe(orders) != 0)
		bail("no sockets");
	struct scene s = {.fd = ends[0], .other = ends[1], .order = orders[1]};
	s.pid = fork();
	if (s.pid == 0) {
		close(orders[1]);
		stay(orders[0], ends[1]);
	}
	close(orders[0]);
	return s;
}

static void look(struct scene *s)
{
	const struct peer_id who = {.pid = s->pid, .uid = getuid(), .kind = PEER_KIND_HOST};
	s->doubt = doubt_new(s->fd, (int)syscall(SYS_pidfd_open, s->pid, 0), &who);
	ok(s->doubt != NULL, "there is doubt");
}

static void say(const struct scene *s)
{
	(void)!write(s->order, "x", 1);
}

static void say_by_another(const struct scene *s)
{
	(void)!write(s->other, "y", 1);
}

static void await(const struct scene *s)
{
	char byte;
	(void)!recv(s->fd, &byte, 1, MSG_PEEK);
}

static enum doubt_end hear(const struct scene *s, bool is_frame_start)
{
	char bytes[64];
	struct passed came;
	if (evidence_recv(s->fd, bytes, sizeof bytes, &came, NULL) <= 0)
		bail("nothing came");
	return doubt_hear(s->doubt, &came.sender, is_frame_start);
}

static void end(struct scene *s)
{
	doubt_free(s->doubt);
	close(s->order);
	close(s->fd);
	close(s->other);
	(void)waitpid(s->pid, NULL, 0);
}

static void late(void)
{
	struct scene s = begin();
	look(&s);
	say(&s);
	is_int(hear(&s, true), DOUBT_PROVED, "a later word of his");
	is_int(doubt_peer(s.doubt)->kind, PEER_KIND_HOST, "shows who he is");
	end(&s);
}

static void early(void)
{
	struct scene s = begin();
	say(&s);
	await(&s);
	look(&s);
	is_int(hear(&s, true), DOUBT_STAYS, "what was said before the look says nothing");
	say(&s);
	is_int(hear(&s, true), DOUBT_PROVED, "but what is said once that has been read");
	end(&s);
}

static void early_by_another(void)
{
	struct scene s = begin();
	say_by_another(&s);
	look(&s);
	is_int(hear(&s, true), DOUBT_STAYS, "nor who had said it");
	say(&s);
	is_int(hear(&s, true), DOUBT_PROVED, "who speaks now is the one");
	end(&s);
}

/* The second was said after the look; but it waited beside the first, and nobody can tell. */
static void still_waiting(void)
{
	struct scene s = begin();
	int n = 0;
	say_by_another(&s);
	look(&s);
	say(&s);
	while (n < 2 && ioctl(s.fd, SIOCINQ, &n) == 0)
		usleep(1000);
	is_int(hear(&s, true), DOUBT_STAYS, "the first of two that wait");
	is_int(hear(&s, true), DOUBT_STAYS, "and the second, which is read by itself");
	end(&s);
}

static void another(void)
{
	struct scene s = begin();
	look(&s);
	say_by_another(&s);
	is_int(hear(&s, true), DOUBT_OVER, "a later word of another");
	end(&s);
}

static void inside_of_a_frame(void)
{
	struct scene s = begin();
	look(&s);
	say(&s);
	is_int(hear(&s, false), DOUBT_STAYS, "a word in the middle of a frame shows nothing");
	say(&s);
	is_int(hear(&s, true), DOUBT_PROVED, "the next one does");
	end(&s);
}

static void gone(void)
{
	struct scene s = begin();
	look(&s);
	say(&s);
	await(&s);
	(void)kill(s.pid, SIGKILL);
	siginfo_t how;
	(void)waitid(P_PID, (id_t)s.pid, &how, WEXITED | WNOWAIT);
	is_int(hear(&s, true), DOUBT_OVER, "who is gone may have left his number to another");
	end(&s);
}

static void without_names(void)
{
	struct scene s = begin();
	const struct sender nobody = {0};
	look(&s);
	is_int(doubt_hear(s.doubt, &nobody, true), DOUBT_STAYS, "bytes without a sender");
	end(&s);
}

static void of_another_user(void)
{
	struct scene s = begin();
	look(&s);
	const struct sender he = {s.pid, getuid() + 1};
	is_int(doubt_hear(s.doubt, &he, true), DOUBT_OVER, "the same process as another user");
	end(&s);
}

int main(void)
{
	late();
	early();
	early_by_another();
	still_waiting();
	another();
	inside_of_a_frame();
	gone();
	without_names();
	of_another_user();
	doubt_free(NULL);
	return tap_done();
}
