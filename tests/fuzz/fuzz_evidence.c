/* fuzz_evidence.c - texts of /proc and of sandboxes, which strangers may have written: is nobody taken for more than
 * he can be? The first byte says which text it is. */
#include <stdlib.h>

#include "brokerd/front/peer.h"
#include "brokerd/front/project.h"
#include "protocol/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

/* What a Flatpak says of itself may be shown, and be part of a path. */
static void check_flatpak(const struct evidence *e)
{
	const struct span id = span_str(e->flatpak_id);
	need(id.n > 0 && id.n < sizeof e->flatpak_id);
	for (size_t i = 0; i < id.n; i++) {
		const char c = id.p[i];
		need((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			(c && strchr(".-_", c)));
	}
}

/* Whatever is said, a process that could not be looked at is none of the host's, and nor is one that is elsewhere. */
static void judge(const struct evidence *said)
{
	const struct peer_place place = {.socket = PEER_SOCKET_MAIN};
	struct peer_id p;
	struct evidence e = *said;
	e.has_creds = e.has_process = e.is_our_user = true;
	peer_judge(&e, &place, &p);
	need(p.kind != PEER_KIND_HOST);
	e.user_ns = e.pid_ns = e.root = SEEN_SAME;
	e.mount_ns = SEEN_OTHER;
	peer_judge(&e, &place, &p);
	need(p.kind != PEER_KIND_HOST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const struct span text = span_of((const char *)data + 1, size - 1);
	struct evidence e = {.flatpak = FLATPAK_NONE};
	uid_t uid = 0;
	switch (data[0] % 5) {
	case 0:
		if (evidence_read_flatpak(text, &e)) {
			check_flatpak(&e);
			e.flatpak = FLATPAK_SOUND;
		}
		break;
	case 1:
		evidence_read_cgroup(text, &e);
		e.is_in_system = size % 2;
		break;
	case 2:
		evidence_read_status(text, &e, &uid);
		break;
	case 3: {
		/* a path, a line's end, and mounts: whatever they are, only what begins at the top is reached */
		struct span rest = text;
		char name[128];
		const struct span path = span_cut(&rest, '\n');
		need(!project_is_reachable(path, rest) || span_starts(path, SPAN("/")));
		project_name(path, name, sizeof name);
		need(strlen(name) < sizeof name && utf8_is_valid(span_str(name)));
		evidence_read_unit(text, &e);
		break;
	}
	default:
		(void)evidence_mount_type(text, evidence_root_mount(text));
		fault_text(e.label, sizeof e.label, text);
		break;
	}
	judge(&e);
	return 0;
}
