/* test_transport_tls.c - whom does the transport believe to be the provider?
 * Against `openssl s_server`, with a certificate authority made for the occasion. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brokerd/transport/transport.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static struct loop *loop;
static struct transport *transport;
static char folder[] = "/tmp/test-transport-XXXXXX";

/* Runs a program and waits for it; its output goes nowhere. */
static bool run_quietly(const char *const *argv, pid_t *pid)
{
	const pid_t child = fork();
	int status;
	if (child < 0)
		bail("no process");
	if (child == 0) {
		const int nowhere = open("/dev/null", O_RDWR);
		if (nowhere < 0 || dup2(nowhere, 0) < 0 || dup2(nowhere, 1) < 0 ||
			dup2(nowhere, 2) < 0 || chdir(folder) != 0)
			_exit(126);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (pid) {
		*pid = child;
		return true;
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool make_certificates(void)
{
	static const char *const ca[] = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days",
		"2", "-subj", "/CN=test authority", NULL};
	static const char *const request[] = {"openssl", "req", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:P-256", "-nodes", "-keyout", "leaf.key", "-out", "leaf.csr",
		"-subj", "/CN=localhost", NULL};
	static const char *const leaf[] = {"openssl", "x509", "-req", "-in", "leaf.csr", "-CA",
		"ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "leaf.pem", "-days", "2",
		"-extfile", "san", NULL};
	char path[64];
	snprintf(path, sizeof path, "%s/san", folder);
	FILE *f = fopen(path, "w");
	if (!f || fputs("subjectAltName = DNS:localhost\n", f) < 0 || fclose(f) != 0)
		bail("no file %s", path);
	return run_quietly(ca, NULL) && run_quietly(request, NULL) && run_quietly(leaf, NULL);
}

/* A port that was free a moment ago. */
static int free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof a;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
		getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		bail("no port");
	close(fd);
	return ntohs(a.sin_port);
}

static pid_t server_start(int port, const char *option)
{
	char where[32];
	pid_t pid;
	snprintf(where, sizeof where, "127.0.0.1:%d", port);
	const char *const argv[] = {"openssl", "s_server", "-accept", where, "-cert", "leaf.pem",
		"-key", "leaf.key", "-www", "-quiet", "-cipher", "DEFAULT@SECLEVEL=0", option,
		NULL};
	run_quietly(argv, &pid);
	for (int i = 0; i < 500; i++) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		const bool is_up = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
		close(fd);
		if (is_up)
			return pid;
		usleep(10000);
	}
	bail("openssl s_server does not start");
}

static void server_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

struct asker {
	int status;
	size_t body_bytes;
	struct transfer_end end;
};

static void on_head(void *context, const struct http_head *head)
{
	((struct asker *)context)->status = head->status;
}

static void on_body(void *context, struct span bytes)
{
	((struct asker *)context)->body_bytes += bytes.n;
}

static void on_end(void *context, const struct transfer_end *end)
{
	((struct asker *)context)->end = *end;
	loop_stop(loop);
}

static void ask_within(struct asker *a, const char *host, int port, const char *ca_file,
	bool is_local, int64_t tls_us)
{
	const struct transfer_limits limits = {.connect_us = 5000000,
		.tls_us = tls_us,
		.first_byte_us = 5000000,
		.idle_us = 5000000};
	char origin[64], url[80];
	struct secret *key;
	struct transfer *x;
	struct fault why = FAULT_NONE;
	*a = (struct asker){.end = {.why = FAULT_NONE}};
	snprintf(origin, sizeof origin, "https://%s:%d", host, port);
	snprintf(url, sizeof url, "%s/", origin);
	const struct target target = {.provider = SPAN("test"),
		.auth = AUTH_BEARER,
		.is_local = is_local,
		.ca_file = span_str(ca_file)};
	const struct http_request request = {.method = SPAN("GET"), .url = span_str(url)};
	const struct transfer_events events = {on_head, on_body, on_end, a};
	if (secret_new(SPAN("sk-canary"), span_str(origin), &key))
		bail("no secret");
	if (transport_start(transport, &request, &target, key, &limits, &events, &x, &why))
		bail("%s", why.message);
	secret_unref(key);
	loop_run(loop);
}

static void ask(struct asker *a, const char *host, int port, const char *ca_file, bool is_local)
{
	ask_within(a, host, port, ca_file, is_local, 5000000);
}

static void believes(const char *ca_file)
{
	struct asker a;
	const int port = free_port();
	const pid_t pid = server_start(port, "-tls1_3");
	for (int i = 0; i < 2; i++) {
		ask(&a, "localhost", port, ca_file, true);
		is_err(a.end.err, OK, "our own authority, named in ca_file, is believed (%s)",
			a.end.why.message);
		is_int(a.status, 200, "and it answers");
		ok(a.body_bytes > 0, "at length");
	}

	ask(&a, "localhost", port, NULL, true);
	is_err(a.end.err, ERR_CONNECTION, "without ca_file it is not (%s)", a.end.why.message);
	is_str(a.end.why.code, "certificate", "for its certificate");
	ok(!a.end.has_sent_body, "and nothing was sent");
	ok(strstr(a.end.why.message, "ca_file"), "and it is said what to do");

	ask(&a, "127.0.0.1", port, ca_file, true);
	is_err(a.end.err, ERR_CONNECTION, "nor under another name (%s)", a.end.why.message);
	is_str(a.end.why.code, "certificate", "for its certificate");
	ok(!a.end.has_sent_body, "and nothing was sent");

	ask(&a, "localhost", port, "/nonexistent/ca.pem", true);
	is_err(a.end.err, ERR_CONNECTION, "nor with a ca_file that is not there (%s)",
		a.end.why.message);
	is_str(a.end.why.code, "tls", "for want of certificates");
	ok(!a.end.has_sent_body, "and nothing was sent");

	ask(&a, "localhost", port, ca_file, false);
	is_err(a.end.err, ERR_CONNECTION, "nor without local (%s)", a.end.why.message);
	is_str(a.end.why.code, "address", "for its address");
	server_stop(pid);
}

static void an_old_protocol(const char *ca_file)
{
	struct asker a;
	const int port = free_port();
	const pid_t pid = server_start(port, "-tls1_1");
	ask(&a, "localhost", port, ca_file, true);
	is_err(a.end.err, ERR_CONNECTION, "TLS 1.1 is refused (%s)", a.end.why.message);
	is_str(a.end.why.code, "tls", "in the handshake");
	ok(!a.end.has_sent_body, "and nothing was sent");
	server_stop(pid);
}

/* A port that is listened at: the kernel takes the connection, and nobody says a word. */
static int silent_port(int *fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof a;
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (*fd < 0 || bind(*fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(*fd, 16) != 0 ||
		getsockname(*fd, (struct sockaddr *)&a, &n) != 0)
		bail("no port");
	return ntohs(a.sin_port);
}

static void a_handshake_that_stalls(const char *ca_file)
{
	struct asker a;
	int fd;
	const int port = silent_port(&fd);
	ask_within(&a, "localhost", port, ca_file, true, 200000);
	is_err(a.end.err, ERR_TIMEOUT, "a handshake has a time of its own (%s)", a.end.why.message);
	is_str(a.end.why.code, "tls", "which is told");
	ok(!a.end.has_sent_body, "and nothing was sent");
	ok(a.end.total_us >= 200000 && a.end.total_us < 2500000, "in %lld us",
		(long long)a.end.total_us);
	is_int(a.end.connect_us, -1, "it was not connected");
	close(fd);
}

/* One that is slow, but within it, is no matter. */
static void a_short_time_is_enough(const char *ca_file)
{
	struct asker a;
	const int port = free_port();
	const pid_t pid = server_start(port, "-tls1_3");
	ask_within(&a, "localhost", port, ca_file, true, 4000000);
	is_err(a.end.err, OK, "and who is in time is not late (%s)", a.end.why.message);
	server_stop(pid);
}

int main(void)
{
	struct fault why = FAULT_NONE;
	char ca_file[64], command[64];
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0 || !mkdtemp(folder))
		bail("no libsodium, or no folder");
	if (!make_certificates()) {
		skip("no openssl command");
	} else {
		loop = loop_new(&why);
		struct workers *workers = loop ? workers_new(loop, 3, &why) : NULL;
		transport = workers ? transport_new(loop, workers, &why) : NULL;
		if (!transport)
			bail("%s", why.message);
		snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
		believes(ca_file);
		an_old_protocol(ca_file);
		a_handshake_that_stalls(ca_file);
		a_short_time_is_enough(ca_file);
		transport_free(transport);
		workers_free(workers);
		loop_free(loop);
	}
	snprintf(command, sizeof command, "rm -r %s", folder);
	if (system(command) != 0)
		diag("%s is left", folder);
	return tap_done();
}
