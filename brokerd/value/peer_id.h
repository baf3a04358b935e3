/* peer_id.h - who is calling, as a plain value?
 * Made once at accept by front/peer.c, pinned, and never derived again. */
#ifndef BROKERD_VALUE_PEER_ID_H
#define BROKERD_VALUE_PEER_ID_H
#include <stdint.h>
#include <sys/types.h>

/* How the identity is known, strongest last. */
enum peer_confidence {
	PEER_UNKNOWN,
	PEER_UID, /* the kernel said the uid when the connection was made; the pid is a hint */
};

struct peer_id {
	uid_t uid;
	gid_t gid;
	pid_t pid; /* at the time of connecting; may be somebody else's by now */
	enum peer_confidence confidence;
	char program[64]; /* the executable's file name at accept, a hint; "" unknown */
	char app[64];     /* what the hello said; a label */
};

#endif
