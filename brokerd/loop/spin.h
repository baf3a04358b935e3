/* spin.h - does the loop turn without end while nothing gets done?
 * Arithmetic over the turns that are told to it, and no clock; of the descriptors that it suspects it asks the kernel what
 * has come by them. Embed it by value, zeroed; there is nothing to free. */
#ifndef BROKERD_LOOP_SPIN_H
#define BROKERD_LOOP_SPIN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many turns a second in which nothing came further, for SPIN_WINDOWS seconds in a row, are looked at for one more.
 * Work turns as often, but a spin is the same callback in every other turn at least, and no byte moves by its descriptor. */
#define SPIN_WINDOW_US INT64_C(1000000)
#define SPIN_TURNS     2000
#define SPIN_WINDOWS   2

struct spin_who {
	const char *name; /* by its address */
	int fd;           /* -1: it is of none */
};

struct spin {
	int64_t window_us; /* when this second began */
	uint64_t vain;     /* turns of it in which nothing came further */
	unsigned n_windows;
	bool has_turned,
		has_moved; /* was there a turn before this one, and did something come further in it? */
	bool is_looking; /* spin_saw wants to know */
	bool is_told;    /* of this bout */
	struct spin_suspect {
		struct spin_who who;
		uint64_t seen, bytes_before;
	} suspects[8];
	size_t n_suspects;
};

/* A turn begins. True: the loop spins, which is said once until it has rested: by whom, and how many turns a second came
 * to nothing. */
bool spin_turn(struct spin *s, int64_t now_us, struct spin_who *by, uint64_t *turns);

/* Bytes moved in this turn, or a job ended: it was not in vain. */
static inline void spin_moved(struct spin *s)
{
	s->has_moved = true;
}

/* A callback ran; while is_looking alone. */
void spin_saw(struct spin *s, const char *name, int fd);

#endif
