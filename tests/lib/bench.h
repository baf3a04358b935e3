/* bench.h - what do the programs of the benchmark agree on?
 * Their clocks, their question and its answer's time stamps, their way of ending. All of it dies with
 * a sentence on stderr rather than report a number that is not one. */
#ifndef TESTS_LIB_BENCH_H
#define TESTS_LIB_BENCH_H
#include <getopt.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/base/buf.h"

_Noreturn void bench_die(const char *format, ...) PRINTF_LIKE(1, 2);

/* Monotonic, and the same for all processes of a machine. */
int64_t bench_now_ns(void);

/* The processor time that all threads of a process have used, those that ended too; 0: of this one. */
int64_t bench_cpu_ns(pid_t pid);
/* The same of this thread alone, at the cost of one system call. */
int64_t bench_thread_ns(void);

/* Stays on one processor from now on; -1: wherever. */
void bench_pin(int64_t cpu);

/* As many descriptors as the machine allows. */
void bench_raise_files(void);

/* Resident memory of this process, from the kernel. */
int64_t bench_rss_bytes(void);

/* Options are numbers, texts or switches; a program has one table of them. */
struct bench_option {
	const char *name;
	int64_t *number;   /* with `least` and `most`, or */
	const char **text; /* any text, or */
	bool *is_on;       /* no argument */
	int64_t least, most;
	const char *help;
};
/* Reads all arguments; `question` heads the usage. Ends the program on --help and on a wrong one. */
void bench_options(
	int argc, char **argv, const char *question, const struct bench_option *table, size_t n);

/* `n` bytes of plain words that JSON need not escape. */
void bench_prompt(struct buf *out, size_t n);

/* The bytes of an OpenAI chat request. */
void bench_chat_body(struct buf *out, const char *model, size_t prompt_bytes, bool is_stream);

/* A stamp is `@` and the time in nanoseconds, in digits of fixed number; nothing else has an `@`. */
#define BENCH_STAMP_BYTES 20
void bench_stamp(char at[BENCH_STAMP_BYTES], int64_t ns);

/* Where a reader is between stamps; zeroed at first. It goes on over pieces cut anywhere. */
struct bench_reader {
	unsigned digits; /* seen of a stamp, with its `@` */
	int64_t ns;
};
/* Takes bytes off *in up to the end of the next stamp; false: there was no whole one, all is taken. */
bool bench_next_stamp(struct bench_reader *r, struct span *in, int64_t *ns);

#endif
