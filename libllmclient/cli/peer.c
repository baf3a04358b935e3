/* peer.c - words for the enums of the wire. */
#include "libllmclient/cli/peer.h"

#include <inttypes.h>
#include <time.h>

#include "libllmclient/cli/broker.h"

/* How it is known, for people. */
static const char *how(struct span confidence)
{
	static const struct {
		const char *word, *text;
	} list[] = {
		{"uid",      "its user alone is known"                         },
		{"proc",     "the kernel shows where its process runs"         },
		{"cgroup",   "the system's service manager put it there"       },
		{"label",    "by a security label of the kernel's"             },
		{"listener", "it came on a socket that it alone has been given"},
	};
	for (size_t i = 0; i < COUNT_OF(list); i++) {
		if (span_is(confidence, list[i].word))
			return list[i].text;
	}
	return "it is not";
}

void put_peer(struct buf *out, struct json peer, struct arena *arena)
{
	const struct span name = text_of(peer, "name", arena);
	const struct span instance = text_of(peer, "instance", arena);
	const struct span profile = text_of(peer, "profile", arena);
	buf_print(out, "you       %.*s%s%.*s", SPAN_ARG(text_of(peer, "kind", arena)),
		name.n > 0 ? ":" : "", SPAN_ARG(name));
	if (instance.n > 0)
		buf_print(out, " (%.*s)", SPAN_ARG(instance));
	buf_print(out, ", uid %" PRId64 ", pid %" PRId64 "\n", number_of(peer, "uid"),
		number_of(peer, "pid"));
	buf_print(out, "known     %s%s\n", how(text_of(peer, "confidence", arena)),
		json_is_true(json_member(peer, "claim"))
			? "; its name is its own word, which lowers what it may do"
			: "");
	buf_print(out, "socket    %.*s", SPAN_ARG(text_of(peer, "socket", arena)));
	if (profile.n > 0)
		buf_print(out, ", profile %.*s", SPAN_ARG(profile));
	buf_byte(out, '\n');
}

void put_time(struct buf *out, int64_t at_s)
{
	char text[32];
	const time_t at = (time_t)at_s;
	struct tm local;
	if (localtime_r(&at, &local) && strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local) > 0)
		buf_text(out, text);
}

void put_grant(struct buf *out, struct json grant, struct arena *arena)
{
	if (json_kind(grant) != JSON_OBJECT)
		return;
	const struct span models = text_of(grant, "models", arena);
	const struct span profile = text_of(grant, "profile", arena);
	const int64_t until_s = number_of(grant, "until_s");
	buf_text(out, json_is_true(json_member(grant, "allow")) ? "grant     allowed"
								: "grant     cut off");
	if (models.n > 0)
		buf_print(out, " for %.*s", SPAN_ARG(models));
	if (until_s > 0) {
		buf_text(out, " until ");
		put_time(out, until_s);
	} else if (json_kind(json_member(grant, "kept")) == JSON_FALSE) {
		buf_text(out, " until the broker ends");
	}
	if (json_is_true(json_member(grant, "socket")))
		buf_text(out, ", has a socket of its own");
	if (profile.n > 0)
		buf_print(out, ", profile %.*s", SPAN_ARG(profile));
	buf_byte(out, '\n');
}
