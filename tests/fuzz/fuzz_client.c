/* fuzz_client.c - can what listens at the broker's socket harm the program that trusts it?
 * The first byte says how the rest is cut, and whether a good welcome goes before it. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "llmclient.h"
#include "protocol/control.h"
#include "protocol/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void welcome(int fd)
{
	OWNED(buf_done) struct buf b = BUF_INIT(KIB);
	const struct welcome w = {.version = PROTOCOL_VERSION,
		.credit_bytes = (int64_t)LIMIT_CREDIT_BYTES,
		.max_body_bytes = (int64_t)LIMIT_BODY_BYTES};
	const size_t mark = frame_begin(&b, FRAME_WELCOME, 0);
	welcome_pack(&w, &b);
	if (frame_finish(&b, mark) || send(fd, b.p, b.n, MSG_NOSIGNAL) < 0)
		abort();
}

/* Looks at all that there is to be seen. */
static void read_all(llm_stream *s)
{
	const llm_event *ev;
	while (llm_stream_next(s, &ev) > 0) {
		size_t length;
		if (llm_event_text(ev, &length)[length] != '\0' ||
			llm_event_detail(ev, &length)[length] != '\0')
			abort();
		(void)llm_event_tool_args(ev);
		(void)llm_event_header(ev, "content-type");
		(void)llm_usage_input_tokens(llm_event_usage(ev));
	}
}

static llm_stream *begin(llm_client *c, llm_request *r)
{
	llm_stream *s = llm_stream_start(c, r);
	llm_request_free(r);
	if (!s)
		abort();
	return s;
}

/* An answer says itself back, whatever was in it. */
static void say_back(const llm_stream *s)
{
	llm_request *r = llm_request_new(NULL);
	(void)llm_request_result(r, llm_stream_result(s));
	llm_request_free(llm_request_copy(r));
	llm_request_free(r);
}

static void talk(llm_client *c, int fd, const uint8_t *data, size_t n, size_t piece)
{
	llm_request *chat = llm_request_new(NULL);
	(void)llm_request_user(chat, "hi");
	llm_stream *s[] = {begin(c, chat), begin(c, llm_relay_new("x.y", NULL, "/", NULL))};
	while (n > 0) {
		const size_t part = piece < n ? piece : n;
		const ssize_t sent = send(fd, data, part, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent <= 0)
			break;
		data += sent;
		n -= (size_t)sent;
		(void)llm_client_process(c);
		read_all(s[0]);
		read_all(s[1]);
	}
	(void)shutdown(fd, SHUT_RDWR);
	(void)llm_client_process(c);
	read_all(s[0]);
	read_all(s[1]);
	say_back(s[0]);
	llm_stream_free(s[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int pair[2];
	llm_options o = LLM_OPTIONS_INIT;
	if (n < 1 || n > 100 * KIB)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		abort();
	o.fd = pair[0];
	o.flags = LLM_F_NONBLOCK;
	o.max_retries = 0;
	if (data[0] & 1)
		welcome(pair[1]);
	llm_client *c = llm_client_new(&o);
	if (!c)
		abort();
	talk(c, pair[1], data + 1, n - 1, (data[0] & 2) ? n : 1 + (size_t)(data[0] >> 2));
	llm_client_free(c);
	close(pair[1]);
	return 0;
}
