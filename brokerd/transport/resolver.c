/* resolver.c - a name is in the table as long as it is worth something or somebody waits for it. */
#include "brokerd/transport/resolver.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/table.h"

struct resolver_name {
	TABLE_LINK;
	struct resolver_name *prev, *next; /* in the queue */
	struct resolver *resolver;
	struct addresses found;     /* the last that was found; text "": never */
	int64_t found_us, asked_us; /* the last answer, and the last lookup's end */
	struct lookup *waiting;
	bool is_running, is_queued, is_telling;
	char name[RESOLVER_NAME_BYTES];
};

struct resolver {
	struct loop *loop;
	struct workers *workers;
	void (*look_up)(const char *name, struct addresses *out);
	struct resolver_name *names; /* a table */
	struct resolver_name *queue; /* wait for a job */
	struct search *running;
	unsigned n_running;
	uint64_t serial;
};

/* A job and its data: it may outlive the resolver. */
struct search {
	struct search *prev, *next;
	struct job job;
	struct resolver_name *name; /* NULL: nobody is interested any more */
	void (*look_up)(const char *name, struct addresses *out);
	char text[RESOLVER_NAME_BYTES];
	struct addresses found;
};

/* ---- on a worker's thread ---- */

/* Appends one address; false where there is no room. */
static bool put_address(struct addresses *out, size_t *used, const struct addrinfo *a)
{
	char text[INET6_ADDRSTRLEN];
	const bool is_v6 = a->ai_family == AF_INET6;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	const char *done;
	if (is_v6) {
		memcpy(&in6, a->ai_addr, sizeof in6);
		done = inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
	} else {
		memcpy(&in, a->ai_addr, sizeof in);
		done = inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
	}
	if (!done)
		return true;
	const int n = snprintf(out->text + *used, sizeof out->text - *used, "%s%s%s%s",
		*used ? "," : "", is_v6 ? "[" : "", text, is_v6 ? "]" : "");
	if (n < 0 || (size_t)n >= sizeof out->text - *used) {
		out->text[*used] = '\0';
		return false;
	}
	*used += (size_t)n;
	return true;
}

void resolver_look_up(const char *name, struct addresses *out)
{
	const struct addrinfo want = {.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	size_t used = 0;
	int n = 0;
	/* the C library's own patience is half a minute, in which nobody can stop it; this is the
	 * thread's own setting */
	if (res_init() == 0) {
		_res.retrans = 2;
		_res.retry = 2;
	}
	const int failed = getaddrinfo(name, NULL, &want, &list);
	if (failed) {
		(void)snprintf(out->reason, sizeof out->reason, "%s", gai_strerror(failed));
		return;
	}
	for (const struct addrinfo *a = list; a && n < RESOLVER_ADDRESSES; a = a->ai_next) {
		if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
			continue;
		if (!put_address(out, &used, a))
			break;
		n++;
	}
	freeaddrinfo(list);
	if (used == 0)
		(void)snprintf(out->reason, sizeof out->reason, "the name has no address");
}

static void search_run(struct job *j)
{
	struct search *s = container_of(j, struct search, job);
	s->look_up(s->text, &s->found);
}

/* ---- on the loop's thread ---- */

struct resolver *resolver_new(struct loop *l, struct workers *w,
	void (*look_up)(const char *name, struct addresses *out), struct fault *why)
{
	struct resolver *r = calloc(1, sizeof *r);
	if (!r) {
		fault_set(why, ERR_NO_MEMORY, "no memory for the resolver");
		return NULL;
	}
	*r = (struct resolver){.loop = l, .workers = w, .look_up = look_up};
	return r;
}

static void name_free(struct resolver *r, struct resolver_name *n)
{
	if (n->is_queued)
		LIST_REMOVE(r->queue, n);
	TABLE_REMOVE(r->names, n);
	free(n);
}

void resolver_free(struct resolver *r)
{
	struct resolver_name *n, *after;
	struct search *s;
	if (!r)
		return;
	LIST_EACH(r->running, s)
		s->name = NULL;
	TABLE_EACH(r->names, n, after) {
		while (n->waiting)
			lookup_stop(n->waiting);
		name_free(r, n);
	}
	free(r);
}

static void search_done(struct job *j);

static enum err search_start(struct resolver *r, struct resolver_name *n)
{
	struct search *s = calloc(1, sizeof *s);
	if (!s)
		return ERR_NO_MEMORY;
	s->job.run = search_run;
	s->job.on_done = search_done;
	s->name = n;
	s->look_up = r->look_up;
	memcpy(s->text, n->name, sizeof s->text);
	LIST_PUSH(r->running, s);
	r->n_running++;
	n->is_running = true;
	workers_submit(r->workers, &s->job, 0);
	return OK;
}

/* All who wait get the answer. One of them may ask again at once, or stop another. */
static void tell(struct resolver_name *n, const struct addresses *found)
{
	n->is_telling = true;
	while (n->waiting) {
		struct lookup *l = n->waiting;
		lookup_stop(l);
		l->on_found(l, found);
	}
	n->is_telling = false;
}

static void start_queued(struct resolver *r)
{
	while (r->queue && r->n_running < RESOLVER_JOBS) {
		struct resolver_name *n = r->queue;
		LIST_REMOVE(r->queue, n);
		n->is_queued = false;
		/* those who waited may have given up since */
		if (n->waiting && search_start(r, n)) {
			const struct addresses none = {.reason = "out of memory"};
			tell(n, &none);
		}
	}
}

static bool is_kept(const struct resolver_name *n, int64_t now_us)
{
	return n->found.text[0] && now_us - n->found_us < RESOLVER_KEPT_US;
}

static void search_done(struct job *j)
{
	struct search *s = container_of(j, struct search, job);
	struct resolver_name *n = s->name;
	if (n) {
		struct resolver *r = n->resolver;
		const int64_t now_us = loop_now_us(r->loop);
		LIST_REMOVE(r->running, s);
		r->n_running--;
		n->is_running = false;
		n->asked_us = now_us;
		s->found.serial = ++r->serial;
		if (s->found.text[0]) {
			n->found_us = now_us;
			/* the same answer keeps its serial: nothing new to be told to curl */
			if (strcmp(n->found.text, s->found.text) != 0)
				n->found = s->found;
		} else if (!is_kept(n, now_us)) {
			n->found = s->found; /* for the reason */
		}
		const struct addresses found = n->found;
		tell(n, &found);
		start_queued(r);
	}
	free(s);
}

static enum err enqueue(struct resolver *r, struct resolver_name *n)
{
	if (n->is_running || n->is_queued)
		return OK;
	if (r->n_running < RESOLVER_JOBS)
		return search_start(r, n);
	LIST_PUSH(r->queue, n);
	n->is_queued = true;
	return OK;
}

/* Makes room by the name that was found longest ago; false where all are being looked up. */
static bool forget_oldest(struct resolver *r)
{
	struct resolver_name *n, *after, *oldest = NULL;
	TABLE_EACH(r->names, n, after) {
		if (n->is_running || n->is_telling || n->waiting)
			continue;
		if (!oldest || n->found_us < oldest->found_us)
			oldest = n;
	}
	if (oldest)
		name_free(r, oldest);
	return oldest != NULL;
}

/* The entry of `host`, made where there is none; NULL with *err. */
static struct resolver_name *name_get(
	struct resolver *r, struct span host, enum err *err, struct fault *why)
{
	struct resolver_name *n;
	if (host.n == 0 || host.n >= RESOLVER_NAME_BYTES || span_index(host, '\0') < host.n) {
		*err = fault_set(why, ERR_INVALID_ARGUMENT, "\"%.*s\" is no host name",
			SPAN_ARG(span_first(host, 100)));
		return NULL;
	}
	TABLE_FIND(r->names, n, host.p, (unsigned)host.n);
	if (n)
		return n;
	if (TABLE_COUNT(r->names) >= RESOLVER_NAMES && !forget_oldest(r)) {
		*err = fault_set(why, ERR_OVERLOADED, "too many host names are being looked up");
		return NULL;
	}
	n = calloc(1, sizeof *n);
	if (!n) {
		*err = fault_set(why, ERR_NO_MEMORY, "no memory to look up a host name");
		return NULL;
	}
	n->resolver = r;
	memcpy(n->name, host.p, host.n);
	TABLE_ADD(r->names, n, n->name, (unsigned)host.n);
	return n;
}

enum err resolver_ask(struct resolver *r, struct span host, struct lookup *l,
	const struct addresses **found, struct fault *why)
{
	const int64_t now_us = loop_now_us(r->loop);
	enum err err = OK;
	assert(!l->name);
	struct resolver_name *n = name_get(r, host, &err, why);
	if (!n)
		return err;
	const int64_t age_us = now_us - n->found_us;
	const bool has_found = n->found.text[0] != '\0';
	const bool has_failed = !n->is_running && n->asked_us > n->found_us;
	*found = &n->found;
	if (has_found && age_us < RESOLVER_FRESH_US)
		return OK;
	if (has_failed && now_us - n->asked_us < RESOLVER_AGAIN_US &&
		(!has_found || is_kept(n, now_us)))
		return OK; /* it failed a moment ago */
	err = enqueue(r, n);
	if (has_found && age_us < RESOLVER_STALE_US)
		return OK; /* whether or not a newer answer can be sought */
	if (err)
		return fault_set(why, err, "no memory to look up a host name");
	l->name = n;
	LIST_PUSH(n->waiting, l);
	return ERR_MORE;
}

void lookup_stop(struct lookup *l)
{
	if (!l->name)
		return;
	LIST_REMOVE(l->name->waiting, l);
	l->name = NULL;
}

void resolver_doubt(struct resolver *r)
{
	struct resolver_name *n, *after;
	TABLE_EACH(r->names, n, after) {
		n->found_us -= RESOLVER_STALE_US;
		n->asked_us = n->found_us;
	}
}

bool resolver_is_literal(struct span host)
{
	unsigned char address[16];
	char text[INET6_ADDRSTRLEN];
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	if (host.n == 0 || host.n >= sizeof text || span_index(host, '\0') < host.n)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}
