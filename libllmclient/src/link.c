/* link.c - whole frames are looked at where they were read; only what is cut off moves. */
#include "libllmclient/src/link.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/base/mem.h"
#include "protocol/limits.h"

#define READ_BYTES    (16 * KIB)
#define OUT_BYTES_MAX (LIMIT_CALLS * (LIMIT_INLINE_BYTES + 4 * KIB) + MIB)
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

void link_free(struct link *l)
{
	if (!l)
		return;
	close(l->fd);
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

enum err link_flush(struct link *l, struct fault *why)
{
	while (link_pending(l) > 0) {
		const ssize_t n = send(
			l->fd, l->out.p + l->out_at, link_pending(l), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return OK;
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
