/* test_client_behalf.c - does the right descriptor go with the right call, and is a token kept as it was given? */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libllmclient/src/link.h"
#include "libllmclient/src/request.h"
#include "tests/lib/fake_client.h"

/* ---- descriptors on a link ---- */

static ino_t inode_of(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* One reading: how many bytes, and the inode of the descriptor that came along; 0: none did. */
static ssize_t hear(int fd, char *to, size_t size, ino_t *with)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec piece = {to, size};
	struct msghdr m = {.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};
	const ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	int got = -1;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&got, CMSG_DATA(c), sizeof got);
	*with = got >= 0 ? inode_of(got) : 0;
	if (got >= 0)
		close(got);
	return n;
}

static void put(struct link *l, uint32_t call, size_t n)
{
	static char body[8192];
	const uint64_t mark = link_mark(l);
	if (frame_put(&l->out, FRAME_CALL, call, span_of(body, n)) || !link_bind(l, mark))
		bail("a frame");
}

static void in_order(void)
{
	int sides[2], pipes[2][2];
	struct fault why = FAULT_NONE;
	char bytes[65536];
	ino_t with;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sides) != 0 ||
		pipe(pipes[0]) != 0 || pipe(pipes[1]) != 0)
		bail("no sockets");
	struct link *l = link_new(sides[0]);
	put(l, 1, 1);
	const size_t frame = link_mark(l);
	ok(link_attach(l, &pipes[0][0], 1), "the second call has one");
	put(l, 2, 1);
	put(l, 3, 1);
	ok(link_attach(l, &pipes[1][1], 1), "what was for a frame that never came");
	ok(link_attach(l, &pipes[1][0], 1), "is replaced");
	put(l, 4, 8000);
	put(l, 5, 1);
	ok(link_attach(l, &pipes[0][1], 1), "and the last has one");
	put(l, 6, 1);
	const size_t all = link_mark(l);
	is_err(link_flush(l, &why), OK, "all goes");
	is_uint(l->n_fds, 0, "and all descriptors");
	/* the kernel ends a reading behind what a descriptor came with, which is where its frame ends */
	is_int(hear(sides[1], bytes, sizeof bytes, &with), (long long)(2 * frame),
		"the first two calls");
	ok(with == inode_of(pipes[0][0]), "with that of the second");
	is_int(hear(sides[1], bytes, sizeof bytes, &with), (long long)(all - 4 * frame),
		"up to the end of the fourth, which is long");
	ok(with == inode_of(pipes[1][0]), "with its own");
	is_int(hear(sides[1], bytes, sizeof bytes, &with), (long long)(2 * frame), "the rest");
	ok(with == inode_of(pipes[0][1]), "with that of the last");
	ok(!link_attach(l, (const int[]){-1}, 1), "none that is not open");
	ok(!link_attach(l, (const int[]){0, 1, 2}, 3), "nor too many");
	is_uint(l->coming.n, 0, "nothing is left of them");
	link_free(l);
	close(sides[1]);
	for (int i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
}

/* ---- in a request ---- */

struct seen {
	char token[64];
	int64_t index;
};

static void on_call(struct fake_call *c, void *arg)
{
	struct seen *s = arg;
	const struct on_behalf *b = &c->call.behalf;
	snprintf(s->token, sizeof s->token, "%.*s",
		SPAN_ARG(span_is_set(b->token) ? b->token : SPAN("none")));
	s->index = b->fd_index;
	fake_text(c->to, "yes");
	fake_end(c->to);
}

static void ask_by(llm_client *c, const llm_request *r)
{
	llm_result *a = llm_chat(c, r);
	ok(a != NULL, "it is answered: %s", llm_error_message(llm_last_error(c)));
	llm_result_free(a);
}

static void in_a_request(void)
{
	struct seen seen;
	const struct fake_options o = {.script = on_call, .arg = &seen};
	struct fake_broker *b = fake_start(&o);
	llm_client *c = client_for(b);
	int ends[2];
	if (pipe(ends) != 0)
		bail("no pipe");
	llm_request *r = llm_request_new("m");
	llm_request_user(r, "hi");
	ask_by(c, r);
	is_str(seen.token, "none", "nobody is named");
	is_int(seen.index, -1, "in no way");
	is_int(llm_request_behalf(r, "llmb_x", ends[0]), LLM_OK, "both");
	const ino_t inode = inode_of(ends[0]);
	close(ends[0]);
	ok(inode_of(builder_of(r)->behalf_fd) == inode, "it has a copy of its own");
	llm_request *copy = llm_request_copy(r);
	ask_by(c, r);
	is_str(seen.token, "llmb_x", "the token goes along");
	is_int(seen.index, 0, "and the first descriptor is meant");
	is_int(llm_request_behalf(r, NULL, -1), LLM_OK, "neither again");
	ask_by(c, r);
	is_str(seen.token, "none", "nobody is named any more");
	is_int(seen.index, -1, "in no way");
	llm_request_free(r);
	ask_by(c, copy);
	is_str(seen.token, "llmb_x", "the copy still does");
	is_int(seen.index, 0, "with a descriptor of its own");
	llm_request_free(copy);
	close(ends[1]);
	llm_client_free(c);
	fake_stop(b);
}

static void what_is_wrong(void)
{
	static const struct {
		const char *name, *token;
		int fd;
	} rows[] = {
		{"an empty token",            "",       -1   },
		{"a token that is no text",   "a\xff",  -1   },
		{"a descriptor that is none", "llmb_x", 99999},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		llm_request *r = llm_request_new("m");
		is_int(llm_request_behalf(r, rows[i].token, rows[i].fd), LLM_E_INVAL, "%s",
			rows[i].name);
		is_int(llm_request_user(r, "hi"), LLM_E_INVAL, "%s: it sticks", rows[i].name);
		llm_request_free(r);
	}
	is_int(llm_request_behalf(NULL, "llmb_x", -1), LLM_E_INVAL, "no request");
}

int main(void)
{
	in_order();
	in_a_request();
	what_is_wrong();
	return tap_done();
}
