/* place.h - what does a request line mean?
 * One table of paths: which surface of the broker's each is of, and how its errors are phrased. Pure. */
#ifndef LIBLLMCLIENT_BRIDGE_PLACE_H
#define LIBLLMCLIENT_BRIDGE_PLACE_H
#include "protocol/base/err.h"

enum place_kind {
	PLACE_SURFACE, /* the broker translates it */
	PLACE_NATIVE,  /* the provider's own endpoint */
	PLACE_HEALTH,  /* the bridge itself is asked */
	PLACE_METRICS, /* the broker is, what it has counted */
	PLACE_NOWHERE,
};

/* In whose words a refusal is told. */
enum envelope { ENVELOPE_OPENAI, ENVELOPE_ANTHROPIC, ENVELOPE_GEMINI };

struct place {
	enum place_kind kind;
	enum envelope envelope;
	const char *
		surface; /* of a surface, as protocol/README.md 12 has them; "models" speaks for two */
	const char *methods;  /* that are served there, a comma between them */
	const char *before;   /* what the target lacks of the path that the broker is to be told, */
	struct span path;     /* and what it has; undecoded */
	struct span query;    /* behind the question mark; empty: none */
	struct span provider; /* of a native place: as the path says it, else "*": who has it */
};

/* `target` is what stands behind the method: a path and perhaps a query, undecoded; it lives as long as *out. What comes
 * before the usual path, as in /v1/v1/messages, /openai/v1/models or /messages, is passed over. */
void place_find(struct span target, struct place *out);

/* The caller's headers say that it is a client of Google's: to it /v1/models is another list, and /v1/files, and what no
 * other API has at /v1/, is at Google's v1beta. */
void place_speak_gemini(struct place *p);

/* Is it one of `methods`? HEAD goes as GET. */
bool place_takes(const struct place *p, struct span method);

#endif
