/* peer.c - the strongest word wins; what none of them settles is unknown. */
#include "brokerd/front/peer.h"

#include <unistd.h>

#include "protocol/base/json.h"

/* ---- by a security label ---- */

/* "snap.NAME.APP (enforce)" of AppArmor: only its own mode can be believed, for in complain mode nothing is
 * kept from it. */
static bool is_snap(struct span label, struct peer_id *out)
{
	struct span mode = label;
	struct span profile = span_cut(&mode, ' ');
	if (!span_is(mode, "(enforce)") || !span_is(span_cut(&profile, '.'), "snap"))
		return false;
	const struct span name = span_cut(&profile, '.');
	if (name.n == 0 || !span_is_set(profile))
		return false;
	fault_text(out->name, sizeof out->name, name);
	return true;
}

/* "system_u:system_r:container_t:s0:c1,c2" of SELinux. */
static bool is_container_type(struct span label)
{
	(void)span_cut(&label, ':');
	(void)span_cut(&label, ':');
	const struct span type = span_cut(&label, ':');
	return span_is_set(label) && (span_is(type, "container_t") || span_is(type, "spc_t"));
}

static bool judge_label(const struct evidence *e, struct peer_id *out)
{
	const struct span label = span_str(e->label);
	const bool is_in_snap = is_snap(label, out);
	if (!is_in_snap && !is_container_type(label))
		return false;
	out->kind = is_in_snap ? PEER_KIND_SNAP : PEER_KIND_CONTAINER;
	out->confidence = PEER_LABEL;
	return true;
}

/* ---- by its cgroup ---- */

static bool is_hex(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return s.n == 64;
}

/* One folder of its path that a container engine made; *id is how that calls it. */
static bool is_container(struct span part, struct span parent, struct span *id)
{
	static const char *const prefixes[] = {
		"docker-", "libpod-", "crio-", "cri-containerd-", "libpod-payload-"};
	struct span name = part;
	if (span_ends(name, SPAN(".scope")))
		name.n -= strlen(".scope");
	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		const struct span prefix = span_str(prefixes[i]);
		*id = span_skip(name, prefix.n);
		if (span_starts(name, prefix) && is_hex(*id))
			return true;
	}
	*id = name;
	if (is_hex(part) && (span_is(parent, "docker") || span_is(parent, "libpod_parent") ||
				    span_starts(parent, SPAN("pod"))))
		return true;
	return span_starts(part, SPAN("lxc.payload.")) || span_starts(part, SPAN("kubepods"));
}

/* "snap.NAME.APP..." of a unit or a scope. */
static bool is_snap_unit(struct span part, struct peer_id *out)
{
	if (!span_is(span_cut(&part, '.'), "snap"))
		return false;
	const struct span name = span_cut(&part, '.');
	if (name.n == 0 || !span_is_set(part))
		return false;
	fault_text(out->name, sizeof out->name, name);
	return true;
}

/* Anybody in the open can make cgroups below what is his, and be less by them; nobody who is in a sandbox can leave
 * the one he is in. So they are no claims. */
static bool judge_cgroup(const struct evidence *e, struct peer_id *out)
{
	struct span rest = span_str(e->cgroup), parent = SPAN_NONE, id;
	while (rest.n > 0) {
		const struct span part = span_cut(&rest, '/');
		if (is_container(part, parent, &id)) {
			out->kind = PEER_KIND_CONTAINER;
			fault_text(out->name, sizeof out->name, span_first(id, 12));
		} else if (is_snap_unit(part, out)) {
			out->kind = PEER_KIND_SNAP;
		}
		parent = part;
	}
	out->confidence = PEER_PROC;
	return out->kind != PEER_KIND_UNKNOWN;
}

/* What a service starts in a sandbox is still in its cgroup. Mounts of its own say nothing: many a unit has a
 * PrivateTmp. */
static bool is_boxed(const struct evidence *e)
{
	return e->user_ns == SEEN_OTHER || e->pid_ns == SEEN_OTHER || e->uid_map == SEEN_OTHER ||
	       e->is_nested || e->flatpak == FLATPAK_SOUND || e->flatpak == FLATPAK_BAD;
}

/* Of the system's manager, in a slice that is nobody's but its own: what we share of the path may be that. */
static bool judge_service(const struct evidence *e, struct peer_id *out)
{
	struct span rest = span_str(e->cgroup);
	if (!e->is_in_system || is_boxed(e))
		return false;
	while (rest.n > 0) {
		const struct span part = span_cut(&rest, '/');
		if (!span_ends(part, SPAN(".service")))
			continue;
		out->kind = PEER_KIND_SERVICE;
		out->confidence = PEER_CGROUP;
		fault_text(out->name, sizeof out->name, part);
		return true;
	}
	return false;
}

/* ---- by its namespaces ---- */

/* In our own, as far as we may look; of another user's, whom we may not look at, by all that can be seen from
 * outside. */
static bool is_on_host(const struct evidence *e)
{
	if (e->user_ns == SEEN_NOT && e->mount_ns == SEEN_NOT && !e->is_our_user)
		return e->uid_map == SEEN_SAME && e->root_mount == SEEN_SAME && !e->is_nested &&
		       !e->has_filter;
	return e->user_ns == SEEN_SAME && e->mount_ns == SEEN_SAME && e->pid_ns == SEEN_SAME &&
	       e->root == SEEN_SAME;
}

/* As systemd writes names in units: a hyphen may be \x2d. */
static bool is_escaped(struct span text, struct span id)
{
	const struct span hyphen = SPAN("\\x2d");
	for (size_t i = 0; i < id.n; i++) {
		if (text.n == 0)
			return false;
		const bool is_hyphen = id.p[i] == '-' && span_starts(text, hyphen);
		if (!is_hyphen && text.p[0] != id.p[i])
			return false;
		text = span_skip(text, is_hyphen ? hyphen.n : 1);
	}
	return text.n == 0;
}

/* "app-flatpak-ID-NUMBER.scope" */
static bool is_scope_of(struct span part, struct span id)
{
	const struct span prefix = SPAN("app-flatpak-"), suffix = SPAN(".scope");
	if (!span_starts(part, prefix) || !span_ends(part, suffix))
		return false;
	part = span_skip(part, prefix.n);
	part.n -= suffix.n;
	size_t digits = 0;
	while (digits < part.n && part.p[part.n - 1 - digits] >= '0' &&
		part.p[part.n - 1 - digits] <= '9')
		digits++;
	if (digits == 0 || digits == part.n || part.p[part.n - 1 - digits] != '-')
		return false;
	return is_escaped(span_first(part, part.n - 1 - digits), id);
}

/* Is it in the scope that Flatpak asks the user's service manager to make for each run? Who is in a sandbox cannot
 * ask for one, and so not for another's name. */
static bool is_in_scope_of(const struct evidence *e, struct span id)
{
	struct span rest = span_str(e->cgroup);
	while (rest.n > 0) {
		if (is_scope_of(span_cut(&rest, '/'), id))
			return true;
	}
	return false;
}

/* Something of it is known to be another place's. */
static bool is_elsewhere(const struct evidence *e)
{
	return e->user_ns == SEEN_OTHER || e->mount_ns == SEEN_OTHER || e->pid_ns == SEEN_OTHER ||
	       e->root == SEEN_OTHER || e->uid_map == SEEN_OTHER || e->root_mount == SEEN_OTHER ||
	       e->is_nested;
}

static void judge_namespaces(const struct evidence *e, struct peer_id *out)
{
	out->confidence = PEER_PROC;
	if (e->flatpak == FLATPAK_BAD)
		return;
	if (e->flatpak == FLATPAK_SOUND) {
		out->kind = PEER_KIND_FLATPAK;
		out->is_claim = !is_in_scope_of(e, span_str(e->flatpak_id));
		fault_text(out->name, sizeof out->name, span_str(e->flatpak_id));
		fault_text(out->instance, sizeof out->instance, span_str(e->flatpak_instance));
	} else if (is_on_host(e)) {
		out->kind = PEER_KIND_HOST;
		fault_text(out->name, sizeof out->name, span_str(e->program));
	} else if (is_elsewhere(e)) {
		out->kind = PEER_KIND_SANDBOX;
	}
}

/* ---- all of it ---- */

static void judge_process(const struct evidence *e, struct peer_id *out)
{
	out->confidence = PEER_UID;
	if (judge_label(e, out) || !e->has_process)
		return;
	if (!e->is_proved) {
		/* whoever it is, no more than this */
		if (is_elsewhere(e) && e->flatpak != FLATPAK_BAD)
			out->kind = PEER_KIND_SANDBOX;
		return;
	}
	if (!judge_cgroup(e, out) && !judge_service(e, out))
		judge_namespaces(e, out);
}

/* What use is counted by: it gives nobody anything. */
static void note_place(const struct evidence *e, struct peer_id *out)
{
	memcpy(out->unit, e->unit, sizeof out->unit);
	switch (out->kind) {
	case PEER_KIND_HOST:
	case PEER_KIND_SERVICE:
		memcpy(out->project, e->project, sizeof out->project);
		return;
	case PEER_KIND_UNKNOWN:
	case PEER_KIND_TOKEN:
		return;
	case PEER_KIND_CONTAINER:
		if (out->name[0]) {
			fault_text(out->container, sizeof out->container, span_str(out->name));
			return;
		}
		break;
	case PEER_KIND_APP:
	case PEER_KIND_FLATPAK:
	case PEER_KIND_SNAP:
	case PEER_KIND_SANDBOX:
		break;
	}
	peer_account(out, out->container);
}

void peer_judge(const struct evidence *e, const struct peer_place *place, struct peer_id *out)
{
	*out = (struct peer_id){
		.uid = e->uid, .gid = e->gid, .pid = e->pid, .socket = place->socket};
	memcpy(out->profile, place->profile, sizeof out->profile);
	memcpy(out->program, e->program, sizeof out->program);
	if (!e->has_creds)
		return;
	if (place->socket != PEER_SOCKET_APP && place->socket != PEER_SOCKET_HANDED) {
		judge_process(e, out);
	} else {
		out->kind = place->socket == PEER_SOCKET_APP ? PEER_KIND_APP : PEER_KIND_SANDBOX;
		out->confidence = PEER_LISTENER;
		memcpy(out->name, place->name, sizeof out->name);
		memcpy(out->instance, place->instance, sizeof out->instance);
	}
	note_place(e, out);
}

/* What is stronger than a uid needs no process. */
struct doubt *peer_identify(int fd, const struct peer_place *place, struct peer_id *out)
{
	struct evidence e;
	struct peer_id proved;
	const int process = evidence_gather(fd, &e);
	peer_judge(&e, place, out);
	if (process < 0)
		return NULL;
	if (out->confidence > PEER_UID) {
		close(process);
		return NULL;
	}
	e.is_proved = true;
	peer_judge(&e, place, &proved);
	return doubt_new(fd, process, &proved);
}

enum look peer_identify_process(int process, enum peer_socket socket, struct peer_id *out)
{
	const struct peer_place place = {.socket = socket};
	struct evidence e;
	const enum look look = evidence_of_process(process, &e);
	if (look == LOOK_SEEN)
		peer_judge(&e, &place, out);
	return look;
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
	json_pair_str(&o, "kind", span_str(peer_kind_name(p->kind)));
	json_pair_str(&o, "name", span_str(p->name));
	if (p->instance[0])
		json_pair_str(&o, "instance", span_str(p->instance));
	json_pair_str(&o, "confidence", span_str(peer_confidence_name(p->confidence)));
	json_pair_bool(&o, "claim", p->is_claim);
	json_pair_str(&o, "socket", span_str(peer_socket_name(p->socket)));
	if (p->profile[0])
		json_pair_str(&o, "profile", span_str(p->profile));
	json_pair_str(&o, "program", span_str(p->program));
	json_pair_str(&o, "app", span_str(p->app));
	if (p->unit[0])
		json_pair_str(&o, "unit", span_str(p->unit));
	if (p->container[0])
		json_pair_str(&o, "container", span_str(p->container));
	if (p->project[0])
		json_pair_str(&o, "project", span_str(p->project));
	if (p->via[0])
		json_pair_str(&o, "via", span_str(p->via));
	json_close(&o, '}');
}
