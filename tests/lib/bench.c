/* bench.c - what dies here dies at once: a benchmark that goes on after a fault reports nonsense. */
#include "tests/lib/bench.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "protocol/base/num.h"

_Noreturn void bench_die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(EXIT_FAILURE);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	if (clock_gettime(clock, &now) != 0)
		bench_die("the clock: %s", strerror(errno));
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t bench_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t bench_cpu_ns(pid_t pid)
{
	clockid_t clock;
	const int error = clock_getcpuclockid(pid, &clock);
	if (error != 0)
		bench_die("the processor time of process %d: %s", (int)pid, strerror(error));
	return clock_ns(clock);
}

int64_t bench_thread_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

void bench_pin(int64_t cpu)
{
	cpu_set_t set;
	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) != 0)
		bench_die("processor %" PRId64 ": %s", cpu, strerror(errno));
}

void bench_raise_files(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		bench_die("the limit of descriptors: %s", strerror(errno));
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		bench_die("the limit of descriptors: %s", strerror(errno));
}

int64_t bench_rss_bytes(void)
{
	char text[128] = "";
	int64_t pages;
	FILE *statm = fopen("/proc/self/statm", "re");
	if (!statm || !fgets(text, sizeof text, statm) || fclose(statm) != 0)
		bench_die("/proc/self/statm cannot be read");
	struct span rest = span_str(text);
	span_cut(&rest, ' '); /* the size of all that is mapped */
	if (!num_i64(span_cut(&rest, ' '), &pages))
		bench_die("/proc/self/statm is not as it was: %s", text);
	return pages * sysconf(_SC_PAGESIZE);
}

/* ---- options ---- */

static void print_usage(FILE *to, const char *question, const struct bench_option *table, size_t n)
{
	fprintf(to, "%s: %s\n\n", program_invocation_short_name, question);
	for (size_t i = 0; i < n; i++) {
		const struct bench_option *o = &table[i];
		fprintf(to, "  --%-14s %-5s %s", o->name,
			o->number ? "N"
			: o->text ? "TEXT"
				  : "",
			o->help);
		if (o->number)
			fprintf(to, " (%" PRId64 ")", *o->number);
		fputc('\n', to);
	}
}

static void set_option(const struct bench_option *o, const char *text)
{
	if (o->is_on)
		*o->is_on = true;
	if (o->text)
		*o->text = text;
	if (o->number && (!num_i64(span_str(text), o->number) || *o->number < o->least ||
				 *o->number > o->most))
		bench_die("--%s is a number from %" PRId64 " to %" PRId64 ", not \"%s\"", o->name,
			o->least, o->most, text);
}

void bench_options(
	int argc, char **argv, const char *question, const struct bench_option *table, size_t n)
{
	struct option names[24] = {0};
	int which, at;
	assert(n + 2 <= COUNT_OF(names));
	for (size_t i = 0; i < n; i++)
		names[i] = (struct option){
			table[i].name, table[i].is_on ? no_argument : required_argument, NULL, 0};
	names[n] = (struct option){"help", no_argument, NULL, 'h'};
	while ((which = getopt_long(argc, argv, "", names, &at)) != -1) {
		if (which == 'h') {
			print_usage(stdout, question, table, n);
			exit(EXIT_SUCCESS);
		}
		if (which != 0) {
			print_usage(stderr, question, table, n);
			exit(2);
		}
		set_option(&table[at], optarg);
	}
	if (optind < argc)
		bench_die("what is \"%s\"?", argv[optind]);
}

/* ---- the question and the stamps ---- */

void bench_prompt(struct buf *out, size_t n)
{
	const struct span words =
		SPAN("the quick brown fox jumps over the lazy dog and then some more of it, ");
	while (n > 0) {
		const struct span piece = span_first(words, n);
		buf_span(out, piece);
		n -= piece.n;
	}
}

void bench_chat_body(struct buf *out, const char *model, size_t prompt_bytes, bool is_stream)
{
	buf_print(out, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"", model);
	bench_prompt(out, prompt_bytes);
	buf_text(out, "\"}]");
	if (is_stream)
		buf_text(out, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
	buf_byte(out, '}');
	if (buf_error(out) != OK)
		bench_die("the request is too long");
}

void bench_stamp(char at[BENCH_STAMP_BYTES], int64_t ns)
{
	for (size_t i = BENCH_STAMP_BYTES - 1; i > 0; i--) {
		at[i] = (char)('0' + ns % 10);
		ns /= 10;
	}
	at[0] = '@';
}

bool bench_next_stamp(struct bench_reader *r, struct span *in, int64_t *ns)
{
	while (in->n > 0) {
		if (r->digits == 0) {
			*in = span_skip(*in, span_index(*in, '@'));
			if (in->n == 0)
				return false;
			*r = (struct bench_reader){.digits = 1};
		} else {
			const char c = in->p[0];
			if (c < '0' || c > '9')
				bench_die("a time stamp was damaged on its way");
			r->ns = r->ns * 10 + (c - '0');
			r->digits++;
		}
		*in = span_skip(*in, 1);
		if (r->digits == BENCH_STAMP_BYTES) {
			*ns = r->ns;
			*r = (struct bench_reader){0};
			return true;
		}
	}
	return false;
}
