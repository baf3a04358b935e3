/* sockets.c - paths, made of the main one's; and a list. */
#include "brokerd/front/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "brokerd/log/log.h"

#define PATH_BYTES (sizeof(((struct sockaddr_un *)0)->sun_path))
#define APP_PREFIX "app-"

void sockets_init(struct sockets *s, struct sessions *sessions)
{
	*s = (struct sockets){.sessions = sessions};
}

void sockets_done(struct sockets *s)
{
	for (size_t i = 0; i < s->n; i++)
		listener_free(s->list[i]);
	free(s->list);
	*s = (struct sockets){.sessions = s->sessions};
}

bool sockets_would_go(const struct sockets *s)
{
	size_t i = 0;
	while (s->is_adopted && i < s->n && !listener_would_go(s->list[i]))
		i++;
	return s->is_adopted && i < s->n;
}

void sockets_pause(struct sockets *s)
{
	for (size_t i = 0; i < s->n; i++)
		listener_pause(s->list[i]);
}

/* NULL: there is none at all. */
static const struct listener *main_one(const struct sockets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (listener_place(s->list[i])->socket == PEER_SOCKET_MAIN)
			return s->list[i];
	}
	return s->n > 0 ? s->list[0] : NULL;
}

const char *sockets_main_path(const struct sockets *s)
{
	const struct listener *l = main_one(s);
	return l ? listener_path(l) : "";
}

bool sockets_is_reachable(const struct sockets *s)
{
	const struct listener *l = main_one(s);
	return l && listener_is_reachable(l);
}

/* Aborts when memory is out: a socket without an owner would stay for ever. */
static void add(struct sockets *s, struct listener *l)
{
	struct listener **list = reallocarray(s->list, s->n + 1, sizeof *list);
	if (!list)
		abort();
	s->list = list;
	s->list[s->n++] = l;
}

static struct peer_place app_place(struct span name, const char *profile)
{
	struct peer_place place = {.socket = PEER_SOCKET_APP};
	fault_text(place.name, sizeof place.name, name);
	fault_text(place.profile, sizeof place.profile, span_str(profile));
	return place;
}

bool sockets_is_app_name(struct span name)
{
	return name.n > 0 && name.n <= APP_NAME_BYTES && name.p[0] != '.' && peer_is_plain(name);
}

enum err sockets_adopt(struct sockets *s, int fd, struct span name, struct fault *why)
{
	const struct span prefix = SPAN(APP_PREFIX);
	struct peer_place place = {.socket = PEER_SOCKET_MAIN};
	struct listener *l;
	if (span_is(name, "sandbox"))
		place.socket = PEER_SOCKET_SANDBOX;
	else if (span_starts(name, prefix))
		place = app_place(span_skip(name, prefix.n), "");
	if (place.socket == PEER_SOCKET_APP && !sockets_is_app_name(span_str(place.name)))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"LISTEN_FDNAMES has \"%.*s\", whose end is no application's name",
			SPAN_ARG(span_first(name, 64)));
	const enum err err = listener_adopt(s->sessions, fd, &place, &l, why);
	if (err)
		return err;
	s->is_adopted = true;
	add(s, l);
	return OK;
}

/* The folder of a path; false: it has none. */
static bool folder_of(const char *path, char *to, size_t size)
{
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return false;
	(void)snprintf(to, size, "%.*s", (int)(slash - path), path);
	return true;
}

static void bind_sandbox(struct sockets *s, const char *main_path)
{
	const struct peer_place place = {.socket = PEER_SOCKET_SANDBOX};
	struct fault why = FAULT_NONE;
	char folder[PATH_BYTES], path[PATH_BYTES * 2], said[2 * sizeof why.message];
	struct listener *l;
	if (!folder_of(main_path, folder, sizeof folder) ||
		!span_ends(span_str(folder), SPAN("/llm-broker")))
		return;
	(void)snprintf(path, sizeof path, "%s-sandbox/sock", folder);
	if (listener_bind(s->sessions, path, &place, &l, &why) == OK)
		add(s, l);
	else
		log_warn("sandbox.no_socket", "why=%s",
			log_quote(said, sizeof said, span_str(why.message)));
}

enum err sockets_bind(struct sockets *s, const char *path, struct fault *why)
{
	const struct peer_place place = {.socket = PEER_SOCKET_MAIN};
	struct listener *l;
	const enum err err = listener_bind(s->sessions, path, &place, &l, why);
	if (err)
		return err;
	add(s, l);
	bind_sandbox(s, path);
	return OK;
}

static size_t find_app(const struct sockets *s, struct span name)
{
	size_t i = 0;
	while (i < s->n) {
		const struct peer_place *p = listener_place(s->list[i]);
		if (p->socket == PEER_SOCKET_APP && span_is(name, p->name))
			break;
		i++;
	}
	return i;
}

/* The system's sockets are in folders of root's. */
static void advise_unit(struct span name, struct fault *why)
{
	const struct fault own = *why;
	fault_set(why, own.err,
		"%.200s: where systemd makes the sockets it makes this one, too: `systemctl enable "
		"llm-broker-app@%.*s.socket`, then `systemctl restart llm-broker.service "
		"llm-broker-app@%.*s.socket`",
		own.message, SPAN_ARG(name), SPAN_ARG(name));
}

bool sockets_is_held(const struct sockets *s, struct span name)
{
	const size_t i = find_app(s, name);
	return i < s->n && !listener_would_go(s->list[i]);
}

static enum err bind_app(
	struct sockets *s, struct span name, const char *profile, struct fault *why)
{
	const struct peer_place place = app_place(name, profile);
	char folder[PATH_BYTES], path[PATH_BYTES * 2];
	struct listener *l;
	if (!folder_of(sockets_main_path(s), folder, sizeof folder))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the broker's own socket is in no folder that an application's could be "
			"in");
	(void)snprintf(path, sizeof path, "%s/apps", folder);
	enum err err = OK;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		err = fault_set(
			why, ERR_IO, "cannot make the folder %s: %s", path, strerror(errno));
	(void)snprintf(path, sizeof path, "%s/apps/%.*s/sock", folder, SPAN_ARG(name));
	if (!err)
		err = listener_bind(s->sessions, path, &place, &l, why);
	if (!err)
		add(s, l);
	else if (err == ERR_IO && s->is_adopted)
		advise_unit(name, why);
	return err;
}

enum err sockets_add_app(struct sockets *s, struct span name, const char *profile,
	const char **path, struct fault *why)
{
	size_t i = find_app(s, name);
	if (!sockets_is_app_name(name))
		return fault_param(why, ERR_INVALID_ARGUMENT, "name",
			"an application's name is 1 to %d letters, digits, dots, hyphens and "
			"underscores, and begins with no dot",
			APP_NAME_BYTES);
	/* one that is there keeps its socket, which programs may have bound */
	if (i < s->n)
		listener_set_profile(s->list[i], profile);
	const enum err err = i < s->n ? OK : bind_app(s, name, profile, why);
	if (err)
		return err;
	*path = listener_path(s->list[i]);
	return OK;
}

static void drop(struct sockets *s, size_t i)
{
	struct fault why = FAULT_NONE;
	fault_set(&why, ERR_DENIED, "the socket that this connection came by is gone");
	sessions_end_of(s->sessions, listener_place(s->list[i]), &why);
	listener_free(s->list[i]);
	memmove(s->list + i, s->list + i + 1, (s->n - i - 1) * sizeof *s->list);
	s->n--;
	s->sessions->on_change(s->sessions->context);
}

static void on_handed_end(struct listener *l, void *context)
{
	struct sockets *s = context;
	for (size_t i = 0; i < s->n; i++) {
		if (s->list[i] == l) {
			drop(s, i);
			return;
		}
	}
}

enum err sockets_add_handed(
	struct sockets *s, const struct peer_place *place, int fd, int until, struct fault *why)
{
	struct listener *l;
	size_t n = 0;
	enum err err = OK;
	for (size_t i = 0; i < s->n; i++)
		n += listener_place(s->list[i])->socket == PEER_SOCKET_HANDED;
	if (n >= HANDED_MAX)
		err = fault_set(why, ERR_OVERLOADED,
			"%d sockets were handed in, which is the limit: each goes when the program "
			"that made it ends",
			HANDED_MAX);
	if (!err)
		err = listener_check_until(until, why);
	if (!err)
		err = listener_adopt(s->sessions, fd, place, &l, why);
	if (err) {
		closer_give(s->sessions->closer, fd);
		closer_give(s->sessions->closer, until);
		return err;
	}
	add(s, l);
	listener_until(l, until, on_handed_end, s);
	return OK;
}

void sockets_remove_app(struct sockets *s, struct span name)
{
	const size_t i = find_app(s, name);
	if (i == s->n)
		return;
	char folder[PATH_BYTES];
	const bool has_folder = listener_would_go(s->list[i]) &&
				folder_of(listener_path(s->list[i]), folder, sizeof folder);
	drop(s, i);
	if (has_folder)
		(void)rmdir(folder);
}
