/* link.c - whole frames are looked at where they were read; only what is cut off moves. */
#include "libllmclient/src/link.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/base/mem.h"
#include "protocol/limits.h"

#define READ_BYTES    (16 * KIB)
#define OUT_BYTES_MAX (LIMIT_CALLS * (LIMIT_INLINE_BYTES + 4 * KIB) + MIB)
#define PENDING_BYTES (256 * KIB)      /* a body waits while this much has not gone */
#define ATOMIC_BYTES  ((uint64_t)2048) /* which a socket takes as a whole, or not at all */
#define KEPT_BYTES    (256 * KIB) /* a buffer larger than that is given back once it is empty */

struct link *link_new(int fd)
{
	struct link *l = mem_zeroed(sizeof *l);
	if (!l) {
		close(fd);
		return NULL;
	}
	l->fd = fd;
	buf_init(&l->in, LIMIT_FRAME_BYTES + 4 + READ_BYTES);
	buf_init(&l->out, OUT_BYTES_MAX);
	return l;
}

static void close_fds(struct link_fds *f)
{
	while (f->n > 0)
		close(f->list[--f->n]);
}

/* The first are gone, or will never go. */
static void drop_fds(struct link *l)
{
	close_fds(&l->fds[0]);
	memmove(l->fds, l->fds + 1, --l->n_fds * sizeof *l->fds);
}

bool link_attach(struct link *l, const int *fds, size_t n)
{
	struct link_fds *next = &l->coming;
	close_fds(next); /* of a frame that never was */
	while (n <= LINK_FDS && next->n < n) {
		const int copy = fcntl(fds[next->n], F_DUPFD_CLOEXEC, 0);
		if (copy < 0)
			break;
		next->list[next->n++] = copy;
	}
	if (next->n == n)
		return true;
	close_fds(next);
	return false;
}

bool link_bind(struct link *l, uint64_t mark)
{
	const uint64_t end = link_mark(l);
	if (l->coming.n == 0)
		return true;
	struct link_fds *all = mem_resize(l->fds, (l->n_fds + 1) * sizeof *all);
	if (!all) {
		close_fds(&l->coming);
		return false;
	}
	l->fds = all;
	all[l->n_fds] = l->coming;
	all[l->n_fds].end = end;
	all[l->n_fds].at = end - mark > ATOMIC_BYTES ? end - ATOMIC_BYTES : mark;
	l->n_fds++;
	l->coming.n = 0;
	return true;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	close(l->fd);
	while (l->n_fds > 0)
		close_fds(&l->fds[--l->n_fds]);
	close_fds(&l->coming);
	mem_free(l->fds);
	buf_done(&l->in);
	if (l->has_secret)
		buf_wipe(&l->out);
	buf_done(&l->out);
	mem_free(l);
}

uint64_t link_mark(const struct link *l)
{
	return l->n_sent + link_pending(l);
}

size_t link_pending(const struct link *l)
{
	return l->out.n - l->out_at;
}

bool link_has_room(const struct link *l)
{
	return link_pending(l) < PENDING_BYTES;
}

void link_expect_secret(struct link *l, size_t n)
{
	buf_reserve(&l->out, n);
	l->has_secret = true;
}

static void out_is_gone(struct link *l)
{
	if (l->has_secret || l->out.cap > KEPT_BYTES)
		buf_wipe(&l->out);
	else
		buf_clear(&l->out);
	l->has_secret = false;
	l->out_at = 0;
}

/* What has gone makes way for what has not, or a link that always has something to send would keep all of it. Never
 * moves more than has gone since the last time. */
static void close_up(struct link *l)
{
	const size_t gone = l->out_at;
	if (gone < link_pending(l))
		return;
	buf_drop(&l->out, gone);
	if (l->has_secret)
		explicit_bzero(l->out.p + l->out.n, gone);
	l->out_at = 0;
}

/* How much goes in one piece: what descriptors go with is one by itself. */
static size_t piece_bytes(const struct link *l)
{
	const struct link_fds *f = l->n_fds > 0 ? &l->fds[0] : NULL;
	if (!f)
		return link_pending(l);
	return (size_t)((f->at == l->n_sent ? f->end : f->at) - l->n_sent);
}

/* What is left to send, and the descriptors with it. */
static ssize_t send_some(struct link *l)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(LINK_FDS * sizeof(int))];
	} control = {.bytes = {0}};
	const struct link_fds *with = l->n_fds > 0 && l->fds[0].at == l->n_sent ? &l->fds[0] : NULL;
	struct iovec piece = {l->out.p + l->out_at, piece_bytes(l)};
	struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1};
	if (with && with->n > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(with->n * sizeof(int));
		struct cmsghdr *c = &control.align;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(with->n * sizeof(int));
		memcpy(CMSG_DATA(c), with->list, with->n * sizeof(int));
	}
	ssize_t n = sendmsg(l->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno == EPERM && with) { /* none are taken from us: the broker says why */
		m.msg_control = NULL;
		m.msg_controllen = 0;
		n = sendmsg(l->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	if (n > 0 && with)
		drop_fds(l);
	return n;
}

enum err link_flush(struct link *l, struct fault *why)
{
	while (link_pending(l) > 0) {
		const ssize_t n = send_some(l);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			close_up(l);
			return OK;
		}
		if (n < 0)
			return fault_set(why, ERR_IO, "the connection to the broker is broken: %s",
				strerror(errno));
		l->out_at += (size_t)n;
		l->n_sent += (uint64_t)n;
	}
	if (l->out_at > 0)
		out_is_gone(l);
	return OK;
}

enum err link_read(struct link *l, struct fault *why)
{
	char *room = buf_reserve(&l->in, READ_BYTES);
	if (!room)
		return fault_set(
			why, buf_error(&l->in), "%s", err_info(buf_error(&l->in))->sentence);
	const size_t size = l->in.cap - l->in.n;
	const ssize_t n = recv(l->fd, room, size, MSG_DONTWAIT);
	if (n > 0) {
		buf_commit(&l->in, (size_t)n);
		l->n_received += (uint64_t)n;
		return OK;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return ERR_MORE;
	if (n == 0)
		return fault_set(why, ERR_IO, "the broker closed the connection");
	return fault_set(
		why, ERR_IO, "the connection to the broker is broken: %s", strerror(errno));
}

struct span link_received(const struct link *l)
{
	return buf_view(&l->in);
}

enum err link_take(struct span *rest, struct frame *out, struct fault *why)
{
	return frame_take(rest, out, NULL, why);
}

void link_drop(struct link *l, struct span rest)
{
	buf_drop(&l->in, l->in.n - rest.n);
	if (l->in.n == 0 && l->in.cap > KEPT_BYTES)
		buf_done(&l->in);
}
