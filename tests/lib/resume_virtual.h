/* resume_virtual.h - how does a test make the host sleep?
 * resume_virtual.c stands in for resume.c: no clock jumps and no descriptor is watched until it is woken
 * here. */
#ifndef TESTS_LIB_RESUME_VIRTUAL_H
#define TESTS_LIB_RESUME_VIRTUAL_H

/* The host wakes from a sleep, in the view of the watch that was started last, if there is one. */
void resume_virtual_wake(void);

#endif
