/* doubt.c - once nothing waits to be read, all that comes is late. */
#include "brokerd/front/doubt.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct doubt {
	int fd, process;
	bool is_late; /* what comes next was sent after the look */
	struct peer_id proved;
};

/* Nothing is in its queue. Who is just sending, and has his name on it already, is still there: then it is his. */
static bool is_drained(int fd)
{
	int waiting = -1;
	return ioctl(fd, SIOCINQ, &waiting) == 0 && waiting == 0;
}

struct doubt *doubt_new(int fd, int process, const struct peer_id *proved)
{
	struct doubt *d = evidence_ask_senders(fd) ? calloc(1, sizeof *d) : NULL;
	if (!d) {
		close(process);
		return NULL;
	}
	d->fd = fd;
	d->process = process;
	d->proved = *proved;
	d->is_late = is_drained(fd);
	return d;
}

void doubt_free(struct doubt *d)
{
	if (!d)
		return;
	close(d->process);
	free(d);
}

const struct peer_id *doubt_peer(const struct doubt *d)
{
	return &d->proved;
}

/* The kernel names no sender of what was sent before it was asked to, and none that it cannot name here: who that was
 * is not known, and may yet be. */
enum doubt_end doubt_hear(struct doubt *d, const struct sender *who, bool is_frame_start)
{
	const bool was_late = d->is_late;
	d->is_late = was_late || is_drained(d->fd);
	if (!evidence_is_alive(d->process))
		return DOUBT_OVER;
	if (!was_late || who->pid == 0)
		return DOUBT_STAYS;
	if (who->pid != d->proved.pid || who->uid != d->proved.uid)
		return DOUBT_OVER;
	return is_frame_start ? DOUBT_PROVED : DOUBT_STAYS;
}
