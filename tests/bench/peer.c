/* peer.c - what does it cost to know who calls, and to judge it?
 *
 * At accept: all that is read of the process at the other end, for one of the host's and for one that has
 * namespaces of its own, and the rule that holds for it. At each call: the rule, what it says of the operation and
 * of a model, and what a person has said; by the built-in rules alone, and behind fifty of a file. Prints Markdown. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brokerd/front/peer.h"
#include "brokerd/policy/allowance.h"
#include "tests/lib/bench.h"

#define ACCEPTS 2000
#define CALLS   200000

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void show(const char *what, int64_t *ns, size_t n)
{
	qsort(ns, n, sizeof *ns, by_size);
	printf("| %s | %.2f | %.2f |\n", what, (double)ns[n / 2] / 1000,
		(double)ns[n * 99 / 100] / 1000);
}

/* ---- at accept ---- */

static int listen_somewhere(struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(
		address->sun_path, sizeof address->sun_path, "/tmp/bench_peer.%d", (int)getpid());
	(void)unlink(address->sun_path);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) != 0 ||
		listen(fd, 64) != 0)
		bench_die("cannot listen on %s", address->sun_path);
	return fd;
}

/* Connects again and again, until it is killed. */
static _Noreturn void connect_always(const struct sockaddr_un *address, bool is_apart)
{
	char byte;
	if (is_apart && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		_exit(1);
	for (;;) {
		const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) != 0)
			_exit(1);
		(void)!read(fd, &byte, 1); /* until the other end is closed */
		close(fd);
	}
}

static void accepts(const char *what, bool is_apart, enum peer_kind want, const struct config *c)
{
	static int64_t ns[ACCEPTS];
	const struct peer_place place = {.socket = PEER_SOCKET_MAIN};
	struct sockaddr_un address;
	const int listener = listen_somewhere(&address);
	const pid_t child = fork();
	if (child == 0)
		connect_always(&address, is_apart);
	for (size_t i = 0; i < ACCEPTS; i++) {
		struct peer_id p;
		const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		const int64_t began = bench_now_ns();
		doubt_free(peer_identify(fd, &place, &p));
		const struct policy_rule *rule = policy_find(c, &p, getuid());
		ns[i] = bench_now_ns() - began;
		close(fd);
		if (p.kind != want || !rule)
			bench_die("%s: it is taken for %s", what, peer_kind_name(p.kind));
	}
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	close(listener);
	(void)unlink(address.sun_path);
	show(what, ns, ACCEPTS);
}

/* ---- at each call ---- */

static void calls(const char *what, const struct config *c)
{
	enum { GROUP = 100 };
	static int64_t ns[CALLS / GROUP];
	const struct peer_id p = {
		.uid = getuid(), .kind = PEER_KIND_HOST, .confidence = PEER_PROC, .name = "editor"};
	struct call call = CALL_INIT;
	struct fault why;
	size_t good = 0;
	call.kind = CALL_TYPED;
	for (size_t i = 0; i < COUNT_OF(ns); i++) {
		const int64_t began = bench_now_ns();
		for (int k = 0; k < GROUP; k++) {
			const struct policy_rule *rule = policy_find(c, &p, getuid());
			const struct allowance a = {.rule = rule};
			good += policy_admit_call(rule, &p, &call, &why) == OK &&
				allowance_model(&a, SPAN("openai/gpt-4o"), SPAN("openai"),
					SPAN("gpt-4o"), &why) == OK;
		}
		ns[i] = (bench_now_ns() - began) / GROUP;
	}
	if (good != CALLS)
		bench_die("%s: not all calls were allowed", what);
	show(what, ns, COUNT_OF(ns));
}

static struct config *rules(size_t n)
{
	OWNED(buf_done) struct buf text = BUF_INIT(1024 * 1024);
	struct fault why = FAULT_NONE;
	for (size_t i = 0; i < n; i++)
		buf_print(&text,
			"[policy \"p%zu\"]\nkind = flatpak\nname = org.x%zu.*\nmodel = openai/*\n",
			i, i);
	struct config *c = config_parse(buf_view(&text), "bench", &why);
	if (!c)
		bench_die("%s", why.message);
	return c;
}

int main(void)
{
	struct config *few = rules(0), *many = rules(50);
	puts("| us | median | p99 |\n| --- | --- | --- |");
	accepts("accept: a program of the host", false, PEER_KIND_HOST, many);
	accepts("accept: a sandbox", true, PEER_KIND_SANDBOX, many);
	calls("call: the built-in rules", few);
	calls("call: behind fifty others", many);
	config_unref(few);
	config_unref(many);
	return 0;
}
