/* peer.h - who is at the other end of this connection?
 * Judged once, at accept, of which socket it came on and of what the kernel says; where that needs a proof that is not
 * there, it may be by a later word (doubt.h), of the same evidence. */
#ifndef BROKERD_FRONT_PEER_H
#define BROKERD_FRONT_PEER_H
#include "brokerd/front/doubt.h"
#include "brokerd/front/evidence.h"
#include "brokerd/value/peer_id.h"
#include "protocol/base/buf.h"

/* What is known of whoever comes on a socket, by the socket alone. */
struct peer_place {
	enum peer_socket socket;
	char name[PEER_NAME_BYTES]; /* PEER_SOCKET_APP, PEER_SOCKET_HANDED: whose it is */
	char instance[64];
	char profile[64]; /* "" none */
};

/* What only the caller says of itself is a claim (is_claim): a name in .flatpak-info, where its cgroup is not that of
 * such a Flatpak. What is known by the cgroup itself is none.
 * Never fails: what cannot be known is left unknown, which no policy lets in. Where that may change yet: the doubt,
 * which is the caller's; else NULL. */
struct doubt *peer_identify(int fd, const struct peer_place *place, struct peer_id *out);

/* The same of a process that somebody passed a handle of, as if it had come on that socket itself. Only where it is seen
 * *out is set. */
enum look peer_identify_process(int process, enum peer_socket socket, struct peer_id *out) MUST_USE;

/* The same of evidence that is there: pure. */
void peer_judge(const struct evidence *e, const struct peer_place *place, struct peer_id *out);

/* The app's own name for itself, as a label: control bytes become spaces. */
void peer_label(struct peer_id *p, struct span app_name);

/* {"uid":..,"pid":..,"kind":..,"name":..,"how":..,"claim":..,"socket":..,...} */
void peer_json(const struct peer_id *p, struct buf *out);

#endif
