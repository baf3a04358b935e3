/* service.c - a few variables and a datagram: no library is wanted for it. */
#include "brokerd/service.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/base/num.h"

/* A variable's number, or 0. */
static int64_t number_of(const char *name)
{
	int64_t v = 0;
	return num_i64(span_str(getenv(name)), &v) && v > 0 ? v : 0;
}

void service_read(struct service *s)
{
	static const char *const names[] = {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
		"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY"};
	const char *notify = getenv("NOTIFY_SOCKET"), *fd_names = getenv("LISTEN_FDNAMES");
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	*s = (struct service){0};
	if (number_of("LISTEN_PID") == getpid()) {
		const int64_t n = number_of("LISTEN_FDS");
		s->n_fds = n > SERVICE_FDS_MAX ? SERVICE_FDS_MAX : (int)n;
		/* all of them: a descriptor without its name would be taken for the main one */
		s->names = s->n_fds > 0 && fd_names ? strdup(fd_names) : NULL;
		if (s->n_fds > 0 && fd_names && !s->names)
			abort();
	}
	if (notify && (notify[0] == '/' || notify[0] == '@') && strlen(notify) < sizeof s->notify)
		memcpy(s->notify, notify, strlen(notify) + 1);
	if (credentials && credentials[0] == '/' && strlen(credentials) < sizeof s->credentials)
		memcpy(s->credentials, credentials, strlen(credentials) + 1);
	const int64_t watchdog_pid = number_of("WATCHDOG_PID");
	if (watchdog_pid == 0 || watchdog_pid == getpid())
		s->watchdog_us = number_of("WATCHDOG_USEC");
	for (size_t i = 0; i < COUNT_OF(names); i++)
		unsetenv(names[i]);
}

void service_done(struct service *s)
{
	free(s->names);
	s->names = NULL;
}

struct span service_name(const struct service *s, int i)
{
	struct span rest = span_str(s->names);
	for (; i > 0; i--)
		(void)span_cut(&rest, ':');
	return span_is_set(rest) ? span_cut(&rest, ':') : SPAN("");
}

void service_tell(const struct service *s, const char *format, ...)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[512];
	va_list args;
	if (s->notify[0] == '\0')
		return;
	va_start(args, format);
	const int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n <= 0)
		return;
	const size_t length = strlen(s->notify);
	memcpy(address.sun_path, s->notify, length);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	const size_t size = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	const ssize_t sent = sendto(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	(void)sent; /* the manager's loss */
	close(fd);
}
