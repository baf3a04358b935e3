/* warm.c - a thread that ends when it has done it. libcurl counts who uses it. */
#include "brokerd/transport/warm.h"

#include <curl/curl.h>
#include <signal.h>

/* NULL: it failed, and why is transport_new's to say. */
static void *set_up(void *done)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : done;
}

/* Signals are the loop's. */
void warm_begin(struct warm *w)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	w->is_under_way = pthread_create(&w->thread, NULL, set_up, w) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void warm_wait(struct warm *w)
{
	void *done = NULL;
	if (!w->is_under_way)
		return;
	w->is_done = pthread_join(w->thread, &done) == 0 && done;
	w->is_under_way = false;
}

void warm_done(struct warm *w)
{
	warm_wait(w);
	if (w->is_done)
		curl_global_cleanup();
	w->is_done = false;
}
