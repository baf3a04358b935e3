/* warm.h - who waits for libcurl and OpenSSL to set themselves up?
 * Not the loop's thread, which opens the state meanwhile: it is a tenth of a start. */
#ifndef BROKERD_TRANSPORT_WARM_H
#define BROKERD_TRANSPORT_WARM_H
#include <pthread.h>
#include <stdbool.h>

struct warm {
	pthread_t thread;
	bool is_under_way, is_done; /* the second: and not undone again */
};

/* After the environment was cleaned. Where no thread can be had nothing happens: transport_new does it then. */
void warm_begin(struct warm *w);
void warm_wait(struct warm *w); /* before transport_new; and before anything is confined */
void warm_done(struct warm *w); /* after it, or instead; again does nothing */

#endif
