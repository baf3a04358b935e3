/* test_service.c - what a service manager hands over, and what it is told. */
#include "brokerd/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/base/buf.h"
#include "tests/lib/tap.h"

static void sets(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void descriptors(void)
{
	char own[16];
	snprintf(own, sizeof own, "%d", (int)getpid());
	const struct {
		const char *name, *pid, *fds;
		int want;
	} cases[] = {
		{"none",                  NULL, NULL,     0              },
		{"seventy for us",        own,  "70",     70             },
		{"two for us",            own,  "2",      2              },
		{"two for somebody else", "1",  "2",      0              },
		{"more than we take",     own,  "100000", SERVICE_FDS_MAX},
		{"a negative number",     own,  "-1",     0              },
		{"no number",             own,  "many",   0              },
		{"a number and more",     own,  "1x",     0              },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct service s;
		sets("LISTEN_PID", cases[i].pid);
		sets("LISTEN_FDS", cases[i].fds);
		sets("LISTEN_FDNAMES", "main");
		service_read(&s);
		is_int(s.n_fds, cases[i].want, "%s", cases[i].name);
		is_str(s.names ? s.names : "", cases[i].want > 0 ? "main" : "", "%s: names",
			cases[i].name);
		service_done(&s);
		ok(!getenv("LISTEN_FDS") && !getenv("LISTEN_PID") && !getenv("LISTEN_FDNAMES"),
			"%s: no child sees them", cases[i].name);
	}
}

/* One that was lost would be taken for the main one's. */
static void many_names(void)
{
	char own[16], name[32];
	OWNED(buf_done) struct buf names = BUF_INIT(1 << 20);
	struct service s;
	int wrong = 0;
	for (int i = 0; i < SERVICE_FDS_MAX; i++)
		buf_print(&names, "%sapp-%060d", i > 0 ? ":" : "", i);
	buf_byte(&names, '\0');
	snprintf(own, sizeof own, "%d", (int)getpid());
	snprintf(name, sizeof name, "%d", SERVICE_FDS_MAX);
	sets("LISTEN_PID", own);
	sets("LISTEN_FDS", name);
	sets("LISTEN_FDNAMES", names.p);
	service_read(&s);
	is_int(s.n_fds, SERVICE_FDS_MAX, "as many sockets as we take");
	for (int i = 0; i < SERVICE_FDS_MAX; i++) {
		snprintf(name, sizeof name, "%d", i);
		const struct span found = service_name(&s, i);
		wrong += found.n != 64 || !span_ends(found, span_str(name));
	}
	is_int(wrong, 0, "each with its own long name");
	is_int((int64_t)service_name(&s, SERVICE_FDS_MAX).n, 0, "and none behind them");
	service_done(&s);
}

static void notices(void)
{
	struct service s;
	char name[64], got[64] = "";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(name, sizeof name, "@llm-broker-test-%d", (int)getpid());
	memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
	const socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	if (bind(fd, (struct sockaddr *)&address, length) != 0)
		bail("an abstract socket cannot be bound");

	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "3000000", 1);
	service_read(&s);
	ok(!getenv("NOTIFY_SOCKET"), "no child can speak for us");
	is_int(s.watchdog_us, 3000000, "the watchdog's period");
	service_tell(&s, "READY=1\nSTATUS=%s", "serving");
	const ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
	is_str(n > 0 ? got : "", "READY=1\nSTATUS=serving", "one datagram");
	close(fd);
	service_tell(&s, "STOPPING=1");
	ok(true, "nobody to tell is no failure");

	setenv("NOTIFY_SOCKET", "relative", 1);
	service_read(&s);
	is_str(s.notify, "", "an address that is no address is none");
}

int main(void)
{
	descriptors();
	many_names();
	notices();
	return tap_done();
}
