/* former_journal.h - what did a former version leave in its journal?
 * Three frames of version 1, sequences 1 to 3: a reservation of 45,000 nano-dollars that is open ("req_open"), an
 * attempt and the exchange of another request ("req_done"), which cost 19,500. */
#ifndef TESTS_LIB_FORMER_JOURNAL_H
#define TESTS_LIB_FORMER_JOURNAL_H

#define FORMER_FRAMES_BYTES 392
extern const unsigned char former_frames[FORMER_FRAMES_BYTES];

#endif
