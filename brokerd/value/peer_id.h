/* peer_id.h - who is calling, as a plain value?
 * Made at accept by front/peer.c of what was seen then, and pinned: once it is proved, it is never another. */
#ifndef BROKERD_VALUE_PEER_ID_H
#define BROKERD_VALUE_PEER_ID_H
#include <sys/types.h>

#include "protocol/base/span.h"

/* What kind of place the caller is in. What cannot be established is unknown, and unknown is never the
 * host. */
enum peer_kind {
	PEER_KIND_UNKNOWN,
	PEER_KIND_HOST,    /* in our own namespaces, with nothing that says otherwise */
	PEER_KIND_SERVICE, /* a unit of the system's service manager */
	PEER_KIND_APP,     /* came on a socket that one application has for itself */
	PEER_KIND_FLATPAK, /* says so itself: a claim */
	PEER_KIND_SNAP,
	PEER_KIND_CONTAINER, /* of docker, podman or kubernetes */
	PEER_KIND_SANDBOX,   /* in namespaces of its own: bubblewrap and its like */
	PEER_KIND_TOKEN,     /* one in the open that shows an application's token */
};

/* How the identity is known, strongest last. */
enum peer_confidence {
	PEER_UNKNOWN,
	PEER_UID,      /* the kernel said the uid when the connection was made; the pid is a hint */
	PEER_PROC,     /* and what /proc has of the process, proved to be the one that connected */
	PEER_CGROUP,   /* a unit that the system's service manager has put it in */
	PEER_LABEL,    /* a security label of the kernel's */
	PEER_LISTENER, /* it came on a socket that only this application was given */
};

/* Which socket it came on. */
enum peer_socket {
	PEER_SOCKET_MAIN,
	PEER_SOCKET_SANDBOX, /* the one in a folder of its own, for sandboxes */
	PEER_SOCKET_APP,     /* one application's */
	PEER_SOCKET_HANDED,  /* a listener, or a connection, that a program of the host handed in */
};

#define PEER_NAME_BYTES 256 /* with the NUL */

struct peer_id {
	uid_t uid;
	gid_t gid;
	pid_t pid; /* at the time of connecting; may be somebody else's by now */
	enum peer_socket socket;
	enum peer_kind kind;
	enum peer_confidence confidence;
	bool is_claim; /* `name` is the caller's own word: it may lower what it may do, never raise it */
	/* which one of its kind: "org.gnome.Builder", "nginx.service", "notes"; of the host's the program's
	 * file name; "" unknown */
	char name[PEER_NAME_BYTES];
	char instance[64]; /* which run of it, where that is known */
	char profile[64];  /* that whoever made its socket gave it; "" none */
	char program[64];  /* the executable's file name at accept, a hint; "" unknown */
	char app[64];      /* what the hello said; a label */
	/* where its use is counted, and nothing else; "" unknown, or none */
	char unit[64];      /* of a service manager's: "backup.service" */
	char container[64]; /* of an engine's: its id */
	char project[128];  /* the repository that it works in: a path, of a caller on the host */
	/* who has the connection and asks on its behalf: "host:llm-broker-bridge"; "" it asks itself */
	char via[64];
};

/* "flatpak:org.gnome.Builder", or "sandbox" where it has no name: who it is for grants, accounts and people. */
#define PEER_TEXT_BYTES (PEER_NAME_BYTES + 16)
void peer_text(const struct peer_id *p, char to[PEER_TEXT_BYTES]);
/* The same as far as it can be believed, for what is granted and kept: a claimed name is left out, for it would
 * raise what its caller may do. */
void peer_grant_text(const struct peer_id *p, char to[PEER_TEXT_BYTES]);
/* Is all the same that is known of them? */
bool peer_is_same(const struct peer_id *a, const struct peer_id *b);
/* Is it in the open, on the main socket, with nothing laid on it? Only such a one may lay something on others. */
bool peer_is_open(const struct peer_id *p);
/* Under which name its calls are in the accounts: who it is, where that is known, else what it says it is. No
 * such word can be taken for an identity. */
#define PEER_ACCOUNT_BYTES 64
void peer_account(const struct peer_id *p, char to[PEER_ACCOUNT_BYTES]);
/* The kind and the name of such a text. False: it is none. */
bool peer_from_text(struct span text, struct peer_id *out);

/* Letters, digits, dots, hyphens and underscores: what names of applications are made of. */
bool peer_is_plain(struct span name);

/* Their words, as they are told and as policy is written: "host", "proc", "main". */
const char *peer_kind_name(enum peer_kind k);
const char *peer_confidence_name(enum peer_confidence c);
const char *peer_socket_name(enum peer_socket s);
bool peer_kind_from(struct span word, enum peer_kind *out);
bool peer_confidence_from(struct span word, enum peer_confidence *out);
bool peer_socket_from(struct span word, enum peer_socket *out);

#endif
