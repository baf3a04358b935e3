/* peer.c - the uid is the kernel's word; pid and program are hints for people. */
#include "brokerd/front/peer.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/base/json.h"

/* The file name of the executable, where the kernel lets us see it. */
static void identify_program(struct peer_id *p)
{
	char link[32], target[512];
	snprintf(link, sizeof link, "/proc/%d/exe", (int)p->pid);
	const ssize_t n = readlink(link, target, sizeof target);
	if (n <= 0)
		return;
	struct span name = span_of(target, (size_t)n);
	for (size_t slash = span_index(name, '/'); slash < name.n; slash = span_index(name, '/'))
		name = span_skip(name, slash + 1);
	fault_text(p->program, sizeof p->program, name);
}

void peer_identify(int fd, struct peer_id *out)
{
	struct ucred who;
	socklen_t size = sizeof who;
	*out = (struct peer_id){.uid = (uid_t)-1, .gid = (gid_t)-1, .pid = -1};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || size != sizeof who)
		return;
	out->uid = who.uid;
	out->gid = who.gid;
	out->pid = who.pid;
	out->confidence = PEER_UID;
	if (who.pid > 0)
		identify_program(out);
}

void peer_label(struct peer_id *p, struct span app_name)
{
	fault_text(p->app, sizeof p->app, app_name);
}

void peer_json(const struct peer_id *p, struct buf *out)
{
	struct json_out o = json_to(out);
	json_open(&o, '{');
	json_pair_i64(&o, "uid", (int64_t)p->uid);
	json_pair_i64(&o, "pid", (int64_t)p->pid);
	json_pair_str(&o, "program", span_str(p->program));
	json_pair_str(&o, "app", span_str(p->app));
	json_pair_str(&o, "confidence", span_str(peer_confidence_name(p->confidence)));
	json_close(&o, '}');
}
