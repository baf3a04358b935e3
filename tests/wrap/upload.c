/* upload.c - does a body that is read as it is sent arrive, and what is held of it meanwhile?
 *
 *     upload relay|native NAME PATH LENGTH wait|loop     NAME: surface or provider; PATH: "-" is none; LENGTH: -1 is not known
 *
 * Sends what it reads from stdin, in pieces of any size, as soon as it has them; the answer goes to stdout. `wait` lets
 * the library wait, `loop` has a loop of its own around it. At its end it tells on stderr, as NAME=VALUE: what was
 * `read` of stdin, the HTTP `status` and the `class` of the error, or "ok", and the `most_kib` of memory that it had. */
#include <llmclient.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct upload {
	llm_client *client;
	llm_stream *stream;
	char piece[200000]; /* what was read and not taken */
	size_t at, n;
	bool is_read, is_sent; /* all of it */
	bool is_over;          /* the answer */
	long long bytes;
	int status;
	unsigned seed;
};

static long most_kib(void)
{
	char line[256];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof line, f)) {
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	}
	if (f)
		fclose(f);
	return kib;
}

static void fill(struct upload *u)
{
	u->seed = u->seed * 1103515245u + 12345u;
	const size_t most = 1 + (u->seed >> 8) % sizeof u->piece;
	const ssize_t n = read(0, u->piece, most);
	u->at = 0;
	u->n = n > 0 ? (size_t)n : 0;
	u->bytes += n > 0 ? n : 0;
	u->is_read = n <= 0;
}

/* False: no more is taken for now. */
static bool offer(struct upload *u)
{
	const size_t left = u->n - u->at;
	const int64_t took = llm_stream_body(u->stream, u->piece + u->at, left, u->is_read);
	u->at += took > 0 ? (size_t)took : 0;
	u->is_sent = took < 0 || (u->is_read && took == (int64_t)left);
	return took == (int64_t)left;
}

static void take_answer(struct upload *u)
{
	const llm_event *ev;
	int got;
	while ((got = llm_stream_next(u->stream, &ev)) > 0) {
		size_t n;
		const char *bytes = llm_event_detail(ev, &n);
		if (llm_event_type_of(ev) == LLM_EV_HEAD)
			u->status = llm_event_status(ev);
		if (llm_event_type_of(ev) == LLM_EV_RAW)
			fwrite(bytes, 1, n, stdout);
	}
	u->is_over = got != LLM_E_AGAIN;
}

static void in_a_loop(struct upload *u)
{
	while (!u->is_over || !u->is_sent) {
		const bool wants_more = u->at == u->n && !u->is_read;
		struct pollfd fds[2] = {
			{.fd = llm_client_fd(u->client), .events = POLLIN},
			{.fd = wants_more ? 0 : -1,      .events = POLLIN},
		};
		poll(fds, 2, llm_client_timeout_ms(u->client));
		if (fds[1].revents)
			fill(u);
		llm_client_process(u->client);
		if (!u->is_sent && (u->at < u->n || u->is_read))
			(void)offer(u);
		if (!u->is_over)
			take_answer(u);
	}
}

static void by_waiting(struct upload *u)
{
	while (!u->is_sent) {
		fill(u);
		(void)offer(u);
	}
	take_answer(u);
}

int main(int argc, char **argv)
{
	static struct upload u;
	llm_options options = LLM_OPTIONS_INIT;
	if (argc != 6) {
		fputs("usage: upload relay|native NAME PATH LENGTH wait|loop\n", stderr);
		return 2;
	}
	const char *path = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
	const bool is_loop = strcmp(argv[5], "loop") == 0;
	options.flags = LLM_F_NO_AUTOSTART | (is_loop ? LLM_F_NONBLOCK : 0);
	u.client = llm_client_new(&options);
	u.seed = (unsigned)getpid();
	llm_request *r = strcmp(argv[1], "native") == 0
				 ? llm_native_new(argv[2], "POST", path, NULL)
				 : llm_relay_new(argv[2], "POST", path, NULL);
	if (!u.client || llm_relay_body_later(r, NULL, strtoll(argv[4], NULL, 10)) != LLM_OK)
		return 2;
	u.stream = llm_stream_start(u.client, r);
	llm_request_free(r);
	if (!u.stream) {
		fprintf(stderr, "upload: %s\n", llm_error_message(llm_last_error(u.client)));
		return 1;
	}
	if (is_loop)
		in_a_loop(&u);
	else
		by_waiting(&u);
	const llm_error *error = llm_stream_error(u.stream);
	fprintf(stderr, "read=%lld\nstatus=%d\nclass=%s\nmost_kib=%ld\n", u.bytes, u.status,
		llm_error_code(error) ? llm_error_class(error) : "ok", most_kib());
	llm_stream_free(u.stream);
	llm_client_free(u.client);
	return 0;
}
