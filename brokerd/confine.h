/* confine.h - what may this process never ask of the kernel again?
 * To start a program or a process, to trace or read another one, to mount, to load code into the kernel,
 * to become somebody else. Threads, files, sockets and the rest stay as they are. For all threads at once,
 * and for good. */
#ifndef BROKERD_CONFINE_H
#define BROKERD_CONFINE_H
#include "protocol/base/err.h"

/* Call once all that is to be a process of its own has been forked. ERR_UNSUPPORTED: the kernel has no
 * seccomp, or the build is one for a sanitizer or valgrind, which need what it refuses; nothing is
 * confined then, and *why says so. */
enum err confine(struct fault *why) MUST_USE;

#endif
