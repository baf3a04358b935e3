/* environment.h - what of the environment does this process believe?
 * What service_read and the paths take from it before environment_scrub, and nothing else. Whoever starts a
 * daemon, an application of somebody's often, has not thought of what its variables do to this one. */
#ifndef BROKERD_ENVIRONMENT_H
#define BROKERD_ENVIRONMENT_H

/* Libraries have read some before main: which of them are loaded, how memory is given out, which instructions
 * a cipher uses. Where one of these is set, starts the program again without them, and returns only if the kernel refuses. Call before
 * anything is opened. */
void environment_renew(char **argv);

/* Libraries believe the rest (proxies, key logs, configurations): they get none of it. Call before the first
 * of them starts. */
void environment_scrub(void);

#endif
