/* resume_virtual.c - one watch. */
#include "tests/lib/resume_virtual.h"

#include "brokerd/loop/resume.h"

static struct resume_watch *watched;

enum err resume_watch_start(struct loop *l, struct resume_watch *w, struct fault *why)
{
	(void)l;
	(void)why;
	watched = w;
	return OK;
}

void resume_watch_stop(struct resume_watch *w)
{
	if (watched == w)
		watched = NULL;
}

void resume_virtual_wake(void)
{
	if (watched)
		watched->on_resume(watched);
}
