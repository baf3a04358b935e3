/* run_place.h - where is the socket of a program that llmb runs, while it runs?
 * In a folder of its own, for its user alone. What a killed llmb has left behind goes when the next one makes its own. */
#ifndef LIBLLMCLIENT_CLI_RUN_PLACE_H
#define LIBLLMCLIENT_CLI_RUN_PLACE_H
#include <stdbool.h>

struct run_place {
	const char *base; /* where its folder is made */
	char folder[64], path[80];
	int lock; /* held as long as we live: the folder is somebody's */
	int listening, connected;
	int until[2];  /* the broker has the first; who has the second keeps the socket */
	char http[80]; /* where a bridge of its own listens */
};

/* In the user's own runtime folder, else in the place for temporary files. False: errno says why; to be done all the same. */
bool run_place_make(struct run_place *p);

bool run_place_connect(struct run_place *p); /* false: errno says why */

/* Takes all of it away. */
void run_place_done(struct run_place *p);

#endif
