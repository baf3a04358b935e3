/* race.c - would a race be seen? Two threads count in the same place, and nothing keeps them apart.
 * What `make tsan` runs first: built as all else is, it has to be ended by the sanitizer. */
#include <pthread.h>
#include <stdio.h>

static long n; /* of both */

static void *count(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++)
		n++;
	return NULL;
}

int main(void)
{
	pthread_t other;
	if (pthread_create(&other, NULL, count, NULL) != 0)
		return 2;
	(void)count(NULL);
	(void)pthread_join(other, NULL);
	printf("%ld, and nobody saw it\n", n);
	return 0;
}
