/* spin.c - nothing but a count, until the count is suspicious; then who is called is counted, too, in few slots: who comes in
 * every other turn cannot be crowded out of them. */
#include "brokerd/loop/spin.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* What came and went by it, as the kernel counts; 0 where it does not. A record of TLS comes in many pieces before it
 * is a byte to anyone else. */
static uint64_t bytes_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof info;
	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
		return 0;
	return info.tcpi_bytes_received + info.tcpi_bytes_acked;
}

void spin_saw(struct spin *s, const char *name, int fd)
{
	struct spin_suspect *least = s->suspects;
	for (size_t i = 0; i < s->n_suspects; i++) {
		struct spin_suspect *p = &s->suspects[i];
		if (p->who.name == name && p->who.fd == fd) {
			p->seen++;
			return;
		}
		if (p->seen < least->seen)
			least = p;
	}
	if (s->n_suspects < sizeof s->suspects / sizeof *s->suspects) {
		s->suspects[s->n_suspects++] = (struct spin_suspect){
			.who = {name, fd},
                          .seen = 1, .bytes_before = bytes_of(fd)
                };
		return;
	}
	if (--least->seen == 0)
		*least = (struct spin_suspect){
			.who = {name, fd},
                          .seen = 1, .bytes_before = bytes_of(fd)
                };
}

/* The one that came most often, if it came in half of the turns and is not at work. */
static const struct spin_suspect *culprit(const struct spin *s)
{
	const struct spin_suspect *most = NULL;
	bool has_any_moved = false;
	for (size_t i = 0; i < s->n_suspects; i++) {
		const struct spin_suspect *p = &s->suspects[i];
		const bool has_moved = bytes_of(p->who.fd) != p->bytes_before;
		has_any_moved = has_any_moved || has_moved;
		if (!has_moved && p->seen >= s->vain / 2 && (!most || p->seen > most->seen))
			most = p;
	}
	/* a timer or a task of one whose descriptor is at work is at work with it */
	return most && most->who.fd < 0 && has_any_moved ? NULL : most;
}

/* A second is over, or more where the loop slept in it. */
static bool window_over(struct spin *s, int64_t took_us, struct spin_who *by, uint64_t *turns)
{
	const uint64_t rate = s->vain * 1000000 / (uint64_t)took_us;
	const bool was_looking = s->is_looking;
	if (rate < SPIN_TURNS || took_us > 2 * SPIN_WINDOW_US) {
		s->n_windows = 0;
		s->is_looking = s->is_told = false;
		return false;
	}
	s->n_windows++;
	s->is_looking = s->n_windows >= SPIN_WINDOWS && !s->is_told;
	const struct spin_suspect *c = was_looking ? culprit(s) : NULL;
	if (!c)
		return false;
	s->is_looking = false;
	s->is_told = true;
	*by = c->who;
	*turns = rate;
	return true;
}

bool spin_turn(struct spin *s, int64_t now_us, struct spin_who *by, uint64_t *turns)
{
	bool is_spinning = false;
	s->vain += s->has_turned && !s->has_moved;
	s->has_moved = false;
	if (!s->has_turned) {
		s->has_turned = true;
		s->window_us = now_us;
	}
	if (now_us - s->window_us >= SPIN_WINDOW_US) {
		is_spinning = window_over(s, now_us - s->window_us, by, turns);
		s->window_us = now_us;
		s->vain = 0;
		s->n_suspects = 0;
	}
	return is_spinning;
}
