/* scarce.h - memory that runs out when a test says so. */
#ifndef TESTS_LIB_SCARCE_H
#define TESTS_LIB_SCARCE_H

/* From then on memory is taken as long as there are allocations left. Once, before any is taken. */
void scarce_begin(void);

extern long scarce_left; /* -1, as at first: as many as are wanted */

#endif
